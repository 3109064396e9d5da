/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decision: what should be true for one Service, with the reasons as data.
 *
 * Made by plan/, carried out by apply/, shown by ctl/.
 */
#ifndef EIPD_MODEL_DECISION_H
#define EIPD_MODEL_DECISION_H

#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "model/pool.h"
#include "model/service.h"

enum service_state {
	SERVICE_STATE_PENDING,
	SERVICE_STATE_PROGRAMMED,
	SERVICE_STATE_ANNOUNCED,
	SERVICE_STATE_DRAINING,
	SERVICE_STATE_REFUSED,
	SERVICE_STATE__COUNT,
};

const char *service_state_name(enum service_state state); /* "pending" */

enum backend_state {
	BACKEND_ACTIVE,
	BACKEND_DRAINING,
	BACKEND_DOWN, /* known, gets no new flow */
	BACKEND_DEGRADED, /* used because none is usable (fail open) */
};

const char *backend_state_name(enum backend_state state);

struct backend {
	struct addr addr;
	uint16_t port;
	uint16_t weight; /* share of new flows; 1 is usual */
	const char *node; /* "" if unknown */
	enum backend_state state;
	const char *probe; /* "up", "down", "unknown", or "" when not probed */
};

/* One (address, protocol, port) and where its packets go. */
struct frontend {
	struct addr addr;
	uint8_t protocol;
	uint16_t port;
	bool is_masqueraded;
	const struct backend *backends; /* sorted by address, then port */
	size_t n_backends; /* all, whatever their state */
	size_t n_usable; /* ACTIVE or DEGRADED */
};

/* How a pool came out for a Service; in order of preference. */
struct candidate {
	const char *pool;
	bool is_chosen;
	const char *text; /* "full: 10 of 10 addresses held", ... */
};

struct decision_address {
	struct addr addr;
	const char *pool; /* name; it may be gone by now */
	enum pool_protocol protocol;
	bool is_new; /* not yet in the lease table */
	/* Ledger: "allocated", "returned", "adopted", "shared"; "" if held. */
	const char *how;
};

/* By their probe, or where that is off by their Ready condition. */
#define DECISION_DEGRADED_TEXT                                                 \
	"none of its nodes is healthy; all of them stay in use"

struct decision {
	struct arena arena; /* owns all below */
	/* Owns the backends alone: they are many, and only carrying out and
	 * showing one Service needs them. */
	struct arena backends_arena;
	bool is_ours; /* admitted; false: nothing else is set */
	const char *admission; /* why it is ours, or not */
	bool is_refused;
	const char *reason; /* CamelCase, "" if none */
	const char *message; /* "" if none */
	struct decision_address addrs[SERVICE_FAMILIES_MAX];
	size_t n_addrs; /* in ipFamilies order */
	bool lacks_address; /* of a family: looked for again when one is free */
	const struct candidate *candidates;
	size_t n_candidates;
	const struct frontend *frontends;
	size_t n_frontends;
	bool is_fail_open; /* no node is usable: all are used */
	bool is_degraded; /* and each has failed: none is still to be asked */
	uint64_t node_floor; /* see backends_may_use() */
	bool has_backends; /* at least one usable one */
	bool is_announced; /* wants routes: not passive, not withdrawn */
};

/* NULL has none. */
bool decision_same_frontends(const struct decision *a,
    const struct decision *b);
/* Forgets the backends; the numbers of them stay. */
void decision_drop_backends(struct decision *decision);
void decision_free(struct decision *decision); /* NULL is fine */

#endif
