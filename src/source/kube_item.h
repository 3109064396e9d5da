/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_item: one item of a list or one event of a watch: parsed, decoded and
 * delivered.  Pure.
 */
#ifndef EIPD_SOURCE_KUBE_ITEM_H
#define EIPD_SOURCE_KUBE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/object.h"
#include "source/sink.h"

enum kube_item_type {
	KUBE_ITEM_UNKNOWN, /* left out; `message` names it */
	KUBE_ITEM_NO_EVENT, /* without a type: a list or a Status */
	KUBE_ITEM_PUT, /* ADDED, MODIFIED, or of a list */
	KUBE_ITEM_DELETED,
	KUBE_ITEM_BOOKMARK,
	KUBE_ITEM_ERROR,
};

struct kube_item {
	/* Given. */
	enum object_kind kind;
	const char *cluster;
	const char *where; /* for sink->refused() */
	bool is_event;
	bool is_too_big; /* the text is only its beginning */
	const char *not_before; /* an event of an older version says nothing */

	/* Found. */
	enum kube_item_type type;
	bool is_read; /* it could be parsed */
	bool is_old;
	char rv[64]; /* metadata.resourceVersion, "" if none */
	long code; /* ERROR: the Status */
	int64_t retry_after_us;
	bool is_rv_too_large;
	char message[320]; /* ERROR, UNKNOWN */
};

/* Delivers to `sink` what the item says; one that cannot be used is refused
 * alone. */
void kube_item_read(struct kube_item *item, const char *text, size_t size_b,
    const struct sink *sink);

/* Resource versions are decimal numbers of any length; something else is
 * never less than anything. */
int kube_item_rv_cmp(const char *a, const char *b);

/* What an error body says: the Status' message, or the first line. */
void kube_item_status_message(const char *body, size_t size_b, char *out,
    size_t out_b);

#endif
