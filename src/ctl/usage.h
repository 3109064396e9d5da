/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: what became of the addresses of each pool, counted from the lease
 * table.
 */
#ifndef EIPD_CTL_USAGE_H
#define EIPD_CTL_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "ctl/state.h"

/* Each address counts once, in the first that fits. */
enum usage_kind {
	USAGE_USED,
	USAGE_RESERVED,
	USAGE_QUARANTINED,
	USAGE_STICKY,
	USAGE_FREE,
	USAGE__COUNT,
};

struct pool_usage {
	const struct pool *pool; /* borrowed from the world */
	uint64_t total; /* the sum of `n`; JSONW_NUMBER_MAX at most */
	uint64_t n[USAGE__COUNT];
	uint64_t n_services; /* holders, sharers included */
};

struct usage {
	struct pool_usage *pools; /* in order of world_pools() */
	size_t n_pools;
	uint64_t held_outside; /* held, but no pool offers them any more */
};

const char *usage_kind_name(enum usage_kind kind); /* "used" */

/* All pools; usage_fini() after use. */
void usage_count(const struct ctl_state *state, struct usage *out);
void usage_fini(struct usage *usage);

#endif
