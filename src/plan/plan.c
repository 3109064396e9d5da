/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/plan.h"

#include "plan/admit.h"
#include "plan/alloc.h"
#include "plan/backends.h"

struct plan_cache {
	struct alloc_hints *hints;
	struct node_cache *nodes;
	uint64_t pools_generation;
};

struct plan_cache *
plan_cache_new(void)
{
	struct plan_cache *cache = mem_new(struct plan_cache);

	cache->hints = alloc_hints_new();
	cache->nodes = node_cache_new();
	return cache;
}

void
plan_cache_free(struct plan_cache *cache)
{
	if (!cache)
		return;
	alloc_hints_free(cache->hints);
	node_cache_free(cache->nodes);
	free(cache);
}

void
plan_cache_addresses_freed(struct plan_cache *cache)
{
	alloc_hints_reset(cache->hints);
}

/* Service before pool before eipd.conf; with two pools the first one's. */
static struct forwarding
effective_forwarding(const struct plan_input *in, const struct service *service,
    const struct decision *decision)
{
	struct forwarding f = service->forwarding;

	for (size_t i = 0; i < decision->n_addrs; i++) {
		const struct pool *pool =
		    world_pool(in->world, decision->addrs[i].pool);

		if (pool)
			f = forwarding_or(f, pool->forwarding);
	}
	return forwarding_or(f, in->conf.forwarding);
}

struct decision *
plan_service(const struct plan_input *in, const struct service *service)
{
	struct decision *d = mem_new(struct decision);
	uint64_t pools = world_generation(in->world, OBJECT_EIP);
	struct forwarding f;

	d->reason = "";
	d->message = "";
	if (in->cache->pools_generation != pools) {
		alloc_hints_reset(in->cache->hints);
		in->cache->pools_generation = pools;
	}
	admit_service(in, service, d);
	if (!d->is_ours)
		return d;
	alloc_addresses(in, in->cache->hints, service, d);
	f = effective_forwarding(in, service, d);
	admit_protocols(d);
	admit_forwarding(service, f, d);
	if (d->is_refused)
		alloc_drop_new(d);
	if (d->n_addrs)
		backends_choose(in, in->cache->nodes, service, f, d);
	d->is_announced =
	    d->has_backends || f.no_backends == FORWARD_NO_BACKENDS_REFUSE;
	return d;
}

bool
plan_wants_route(const struct decision *decision, size_t address)
{
	return decision->is_announced &&
	    decision->addrs[address].protocol == POOL_PROTOCOL_BGP;
}

static void
ops_push(struct lease_ops *ops, struct lease_op op)
{
	vec_push(ops, op);
}

/* The row of what was adopted before its pool was known learns it. */
static void
put_pool(const struct plan_input *in, const struct service *service,
    const struct decision_address *a, struct lease_ops *out)
{
	const struct lease *l = lease_of_service(in->leases, service->o.cluster,
	    service->o.ns, service->o.name);
	struct lease_op op = { .kind = LEASE_OP_PUT,
		.event = "adopted",
		.reason = "its pool is known now",
		.at = in->now };

	while (l && !addr_eq(&l->address, &a->addr))
		l = lease_next_of_service(l);
	if (!l || *l->pool || !*a->pool)
		return;
	/* Not the row's strings: it is replaced before this is written. */
	op.lease = *l;
	op.lease.cluster = service->o.cluster;
	op.lease.ns = service->o.ns;
	op.lease.name = service->o.name;
	op.lease.uid = service->o.uid;
	op.lease.pool = a->pool;
	op.lease.is_passive = a->protocol == POOL_PROTOCOL_PASSIVE;
	ops_push(out, op);
}

void
plan_lease_puts(const struct plan_input *in, const struct service *service,
    const struct decision *decision, struct lease_ops *out)
{
	for (size_t i = 0; i < decision->n_addrs; i++) {
		const struct decision_address *a = &decision->addrs[i];

		if (!a->is_new) {
			put_pool(in, service, a, out);
			continue;
		}
		ops_push(out,
		    (struct lease_op){ .kind = LEASE_OP_PUT,
			.lease = { .address = a->addr,
			    .cluster = service->o.cluster,
			    .ns = service->o.ns,
			    .name = service->o.name,
			    .uid = service->o.uid,
			    .pool = a->pool,
			    .is_passive = a->protocol == POOL_PROTOCOL_PASSIVE,
			    .is_held = true,
			    .since = in->now },
			.event = a->how,
			.reason = "",
			.at = in->now });
	}
}

static bool
decides(const struct decision *decision, const struct addr *addr)
{
	if (!decision)
		return false;
	for (size_t i = 0; i < decision->n_addrs; i++)
		if (addr_eq(&decision->addrs[i].addr, addr))
			return true;
	return false;
}

static wall_t
seconds_up(int64_t us)
{
	return (us + MONO_S - 1) / MONO_S;
}

void
plan_lease_releases(const struct plan_input *in, const char *cluster,
    const char *ns, const char *name, const struct decision *decision,
    const char *reason, struct lease_ops *out)
{
	const struct lease *l;

	for (l = lease_of_service(in->leases, cluster, ns, name); l;
	     l = lease_next_of_service(l)) {
		const struct pool *pool = alloc_pool_of(in->world, l);
		struct lease_op op = { .kind = LEASE_OP_PUT,
			.lease = *l,
			.event = "released",
			.reason = reason,
			.at = in->now };

		if (!l->is_held || decides(decision, &l->address))
			continue;
		op.lease.pool = pool ? pool->o.name : l->pool;
		op.lease.is_held = false;
		op.lease.since = in->now;
		op.lease.quarantine_until = in->now +
		    seconds_up(pool ? pool->quarantine_us : POOL_QUARANTINE_US);
		op.lease.sticky_until = in->now +
		    seconds_up(pool ? pool->sticky_us : POOL_STICKY_US);
		op.lease.sticky_until =
		    MAX(op.lease.sticky_until, op.lease.quarantine_until);
		ops_push(out, op);
	}
}
