/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_split: cuts a List's items, or the events of a watch, out of a body
 * that comes in pieces.  Pure.
 *
 * It follows braces and strings only, so memory never holds more than one
 * item, however long the list, and a broken item does not hide the next one.
 * metadata.managedFields, more than half of many objects, becomes null on the
 * way.  Items are not checked any further: whoever parses them does that.
 */
#ifndef EIPD_SOURCE_KUBE_SPLIT_H
#define EIPD_SOURCE_KUBE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	/* etcd takes 1.5 MiB, the API server's requests have 3 MiB; parsing
	 * holds up the loop. */
	KUBE_SPLIT_ITEM_MAX_B = 4 << 20,
	KUBE_SPLIT_HEAD_B = 64 << 10, /* kept of an item above that */
	KUBE_SPLIT_DEPTH = 128,
	KUBE_SPLIT_KEYS = 5, /* levels whose keys are looked at */
};

enum kube_split_mode {
	KUBE_SPLIT_LIST, /* one object with `items` */
	KUBE_SPLIT_WATCH, /* one object after the other */
};

enum kube_split_result {
	KUBE_SPLIT_MORE, /* everything was consumed */
	KUBE_SPLIT_ITEM, /* `item` is complete, until the next call */
	KUBE_SPLIT_TOO_BIG, /* `item` holds the beginning of it */
	KUBE_SPLIT_BAD, /* that is no list, or no JSON at all; final */
};

enum kube_split_key {
	KUBE_SPLIT_KEY_OTHER,
	KUBE_SPLIT_KEY_ITEMS,
	KUBE_SPLIT_KEY_METADATA,
	KUBE_SPLIT_KEY_OBJECT,
	KUBE_SPLIT_KEY_MANAGED_FIELDS,
	KUBE_SPLIT_KEY_RESOURCE_VERSION,
	KUBE_SPLIT_KEY_CONTINUE,
};

struct kube_split {
	enum kube_split_mode mode;
	size_t item_max_b;
	struct str item;
	char rv[64]; /* LIST: metadata.resourceVersion, "" if none */
	struct str token; /* LIST: metadata.continue */
	bool has_items; /* LIST: `items` is there, maybe empty */
	bool is_complete; /* LIST: the object was closed */

	/* Below: the scanner's own. */
	size_t depth;
	uint8_t kinds[KUBE_SPLIT_DEPTH]; /* '{' or '[' of each open level */
	uint8_t keys[KUBE_SPLIT_KEYS]; /* current key of each level */
	char key[24]; /* the key being read */
	size_t key_n;
	size_t item_depth; /* 0: not inside an item */
	size_t skip_depth; /* managedFields: 0 if not inside */
	bool is_string;
	bool is_escaped;
	bool is_key; /* the next or the present string is a key */
	bool is_value_read; /* of a wanted string */
	bool is_too_big;
	bool is_done; /* `item` was handed over */
	bool is_bad;
};

void kube_split_init(struct kube_split *split, enum kube_split_mode mode);
void kube_split_fini(struct kube_split *split);

/* Consumes from `data` up to the end of an item at most and says how much. */
enum kube_split_result kube_split_feed(struct kube_split *split,
    const char *data, size_t size_b, size_t *used);

/* True between two items: an end of the body here cuts nothing. */
bool kube_split_is_between(const struct kube_split *split);

/* The string at object.path[0].path[1]... of a JSON text that may be broken
 * or cut; false if it was not found or does not fit. */
bool kube_split_find(const char *text, size_t size_b, const char *const *path,
    size_t n_path, char *out, size_t out_b);

#endif
