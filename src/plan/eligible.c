/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/eligible.h"

#include <string.h>

static bool
is_bound_to(const struct plan_input *in, const struct pool *pool,
    const struct service *s)
{
	const struct namespace *ns;

	for (size_t i = 0; i < pool->n_namespaces; i++)
		if (strcmp(pool->namespaces[i], s->o.ns) == 0)
			return true;
	ns = (const struct namespace *)world_get(in->world, OBJECT_NAMESPACE,
	    s->o.cluster, "", s->o.ns);
	if (pool->has_namespace_selector && ns &&
	    labels_match(&pool->namespace_selector, &ns->labels))
		return true;
	return pool->has_service_selector &&
	    labels_match(&pool->service_selector, &s->labels);
}

bool
eligible_has_bound_pool(const struct plan_input *in, const struct service *s)
{
	size_t n;
	const struct pool *const *pools = world_pools(in->world, &n);

	for (size_t i = 0; i < n; i++)
		if (is_bound_to(in, pools[i], s))
			return true;
	return false;
}

const struct pool *
eligible_default_pool(const struct plan_input *in, enum family family)
{
	size_t n;
	const struct pool *const *pools = world_pools(in->world, &n);

	for (size_t i = 0; i < n; i++)
		if (pools[i]->is_default && !pools[i]->is_disabled &&
		    !pools[i]->o.is_deleting &&
		    pool_has_family(pools[i], family))
			return pools[i];
	return NULL;
}

/* What keeps a pool from serving anybody, or anybody who asks like this. */
static const char *
pool_state_objection(const struct service *s, const struct pool *pool,
    struct arena *arena)
{
	const char *protocol = pool_protocol_name(pool->protocol);

	if (pool->o.is_deleting)
		return "being deleted";
	if (pool->is_disabled)
		return "disabled";
	if (!pool_protocol_is_served(pool->protocol))
		return arena_printf(arena,
		    "protocol %s is not supported by this version", protocol);
	if (s->protocol && strcmp(s->protocol, protocol) != 0)
		return arena_printf(arena,
		    "its protocol is %s, the Service asks for %s", protocol,
		    s->protocol);
	if (s->pool && strcmp(s->pool, pool->o.name) != 0)
		return arena_printf(arena, "the Service asks for pool %s",
		    s->pool);
	return NULL;
}

const char *
eligible_objection(const struct plan_input *in, const struct service *s,
    bool has_bound, const struct pool *pool, bool by_address,
    struct arena *arena)
{
	const char *text = pool_state_objection(s, pool, arena);

	if (text || s->pool)
		return text;
	if (is_bound_to(in, pool, s))
		return NULL;
	if (pool_is_bound(pool))
		return "bound to other namespaces or Services";
	if (by_address)
		return NULL;
	if (has_bound)
		return "another pool is bound to the Service";
	if (!pool->is_default)
		return "not a default pool, and the Service does not name it";
	if (pool != eligible_default_pool(in, FAMILY_IPV4) &&
	    pool != eligible_default_pool(in, FAMILY_IPV6))
		return "another default pool comes first";
	return NULL;
}
