/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/usage.h"

#include <stdlib.h>

#include "base/attr.h"
#include "base/mem.h"
#include "ctl/jsonw.h"

const char *
usage_kind_name(enum usage_kind kind)
{
	static const char *const names[] = {
		[USAGE_USED] = "used",
		[USAGE_RESERVED] = "reserved",
		[USAGE_QUARANTINED] = "quarantined",
		[USAGE_STICKY] = "sticky",
		[USAGE_FREE] = "free",
	};

	_Static_assert(ARRAY_LEN(names) == USAGE__COUNT, "names");
	return names[kind];
}

static struct pool_usage *
pool_of(struct usage *usage, const struct addr *addr)
{
	for (size_t i = 0; i < usage->n_pools; i++)
		if (pool_offers(usage->pools[i].pool, addr))
			return &usage->pools[i];
	return NULL;
}

static enum usage_kind
kind_of_lease(const struct lease *lease, wall_t now)
{
	switch (lease_state(lease, now)) {
	case LEASE_HELD:
		return USAGE_USED;
	case LEASE_QUARANTINED:
		return USAGE_QUARANTINED;
	case LEASE_STICKY:
		return USAGE_STICKY;
	case LEASE_EXPIRED:
		break;
	}
	return USAGE_FREE;
}

/* All rows of one address: v[0..n).  The return value is `n`. */
static size_t
count_address(struct usage *usage, const struct lease_table *table,
    const struct lease *const *v, size_t left, wall_t now)
{
	const struct addr *addr = &v[0]->address;
	struct pool_usage *pool = pool_of(usage, addr);
	enum usage_kind kind = USAGE_FREE;
	size_t n;

	for (n = 0; n < left && addr_eq(&v[n]->address, addr); n++) {
		enum usage_kind k = kind_of_lease(v[n], now);

		kind = MIN(kind, k);
		if (pool && k == USAGE_USED)
			pool->n_services++;
	}
	if (!pool) {
		usage->held_outside += kind == USAGE_USED;
		return n;
	}
	/* A reserved one is counted with the reservations unless held. */
	if (kind != USAGE_USED && reservation_of_address(table, addr))
		return n;
	if (kind != USAGE_FREE)
		pool->n[kind]++;
	return n;
}

static bool
is_held(const struct lease_table *table, const struct addr *addr)
{
	const struct lease *l;

	for (l = lease_of_address(table, addr); l; l = lease_next_of_address(l))
		if (l->is_held)
			return true;
	return false;
}

static void
count_reservations(struct usage *usage, const struct lease_table *table)
{
	size_t n;
	const struct reservation **all = reservation_list(table, &n);

	for (size_t i = 0; i < n; i++) {
		struct pool_usage *pool = pool_of(usage, &all[i]->address);

		if (pool && !is_held(table, &all[i]->address))
			pool->n[USAGE_RESERVED]++;
	}
	free(all);
}

void
usage_count(const struct ctl_state *state, struct usage *out)
{
	const struct lease_table *table = state->leases(state->arg);
	wall_t now = state->now(state->arg);
	const struct pool *const *pools =
	    world_pools(state->world(state->arg), &out->n_pools);
	const struct lease **all;
	size_t n;

	out->held_outside = 0;
	out->pools =
	    mem_alloc(MAX(out->n_pools, (size_t)1) * sizeof(*out->pools));
	for (size_t i = 0; i < out->n_pools; i++)
		out->pools[i].pool = pools[i];
	all = lease_table_list(table, &n);
	for (size_t i = 0; i < n;)
		i += count_address(out, table, all + i, n - i, now);
	free(all);
	count_reservations(out, table);
	for (size_t i = 0; i < out->n_pools; i++) {
		struct pool_usage *p = &out->pools[i];
		uint64_t gone = 0;

		for (size_t k = 0; k < USAGE_FREE; k++)
			gone += p->n[k];
		p->total = MIN(pool_size(p->pool), JSONW_NUMBER_MAX);
		p->n[USAGE_FREE] = p->total - MIN(gone, p->total);
	}
}

void
usage_fini(struct usage *usage)
{
	free(usage->pools);
	*usage = (struct usage){ 0 };
}
