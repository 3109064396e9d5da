/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * records: one for each Service that is ours, was ours, or must be looked at:
 * what was decided and how much of it is carried out.
 */
#ifndef EIPD_DAEMON_RECORDS_H
#define EIPD_DAEMON_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/mono.h"
#include "base/vec.h"
#include "model/decision.h"

/* Who is planned first of those that are dirty at once. */
enum turn {
	TURN_SHOWS, /* its status shows an address already */
	TURN_ASKS, /* for a certain address */
	TURN_OTHER,
	TURN__COUNT,
};

/* NULL: it is gone. */
enum turn turn_of_service(const struct service *service);

struct record {
	const char *key; /* "cluster/namespace/name" */
	const char *cluster;
	const char *ns;
	const char *name;
	/* Without backends; NULL: not planned yet, or known from kernel and
	 * database only. */
	struct decision *decision;
	/* Why it is not in force: "" or FirstSync, DatabaseUnavailable,
	 * Kernel; `problem` is the sentence, owned. */
	const char *pending;
	char *problem;
	bool has_conflict; /* another Service has one of its frontends */
	bool is_programmed; /* the kernel has what `decision` says */
	bool is_published; /* its status is, or may be, our writing */
	struct addr routes[SERVICE_FAMILIES_MAX]; /* handed to the speaker */
	size_t n_routes;
	bool is_dirty;
	enum turn turn;
	bool is_waiting; /* in records->waiting */
	mono_t dirty_since;
	/* What was last told to log and Events; see tell.c. */
	enum service_state told;
	bool was_told;
	bool told_no_backends;
	bool told_degraded;
	uint64_t told_message; /* hash */
};

struct records {
	VEC(struct record *) all; /* in order of key */
	VEC(struct record *) dirty;
	VEC(struct record *) waiting; /* for an address */
	struct route_table *routes;
	size_t n_routes;
};

struct records *records_new(void);
void records_free(struct records *records);
/* NULL if absent. */
struct record *records_find(const struct records *records, const char *cluster,
    const char *ns, const char *name);
struct record *records_get(struct records *records, const char *cluster,
    const char *ns, const char *name);
void records_remove(struct records *records, struct record *record);
/* Where in records->all those after the key begin ("": all of them). */
size_t records_after(const struct records *records, const char *key);

void record_mark_dirty(struct records *records, struct record *record,
    mono_t now);
void record_mark_waiting(struct records *records, struct record *record);
/* pending and problem; `text` NULL clears both. */
void record_set_pending(struct record *record, const char *pending,
    const char *text);

/* Several Services may share an address: true when the first needs the
 * route, or the last no longer does. */
bool records_route_ref(struct records *records, const struct addr *addr);
bool records_route_unref(struct records *records, const struct addr *addr);

#endif
