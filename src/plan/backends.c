/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/backends.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* A node that may take traffic, with one of its addresses. */
struct candidate_node {
	struct addr addr;
	const char *name; /* borrowed from the world's Node */
	uint64_t hash;
	bool is_usable; /* probe up, or Ready where probes are off */
	bool is_unasked; /* its probe has not answered yet */
	const char *probe;
};

struct node_set {
	const char *cluster; /* owned */
	enum family family;
	VEC(struct candidate_node) nodes; /* sorted by address */
	size_t n_usable;
};

struct node_cache {
	uint64_t generation;
	bool probe_on;
	VEC(struct node_set *) sets;
};

/* Chosen for one Service and family. */
struct chosen {
	struct backend *v;
	size_t n;
	size_t n_usable;
	uint64_t floor; /* of the nodes' weights, 0: any other counts too */
	bool is_fail_open;
	bool is_degraded;
};

struct node_cache *
node_cache_new(void)
{
	return mem_new(struct node_cache);
}

static void
node_cache_clear(struct node_cache *cache)
{
	for (size_t i = 0; i < cache->sets.n; i++) {
		struct node_set *set = cache->sets.v[i];

		vec_fini(&set->nodes);
		free((void *)(uintptr_t)set->cluster);
		free(set);
	}
	vec_clear(&cache->sets);
}

void
node_cache_free(struct node_cache *cache)
{
	node_cache_clear(cache);
	vec_fini(&cache->sets);
	free(cache);
}

const char *
backends_node_exclusion(const struct node *node)
{
	if (node->o.is_deleting)
		return "being deleted";
	if (node->is_excluded)
		return "label "
		       "node.kubernetes.io/exclude-from-external-load-balancers";
	if (node->is_to_be_deleted)
		return "taint ToBeDeletedByClusterAutoscaler";
	if (node->is_network_unavailable)
		return "condition NetworkUnavailable is True";
	if (!addr_is_set(&node->ipv4) && !addr_is_set(&node->ipv6))
		return "no InternalIP address";
	return NULL;
}

static bool
make_candidate(const struct plan_input *in, const struct node *node,
    enum family family, struct candidate_node *out)
{
	const struct addr *addr =
	    family == FAMILY_IPV4 ? &node->ipv4 : &node->ipv6;
	enum probe_state probe;

	if (backends_node_exclusion(node) || !addr_is_set(addr))
		return false;
	probe = world_probe(in->world, node->o.cluster, node->o.name);
	*out = (struct candidate_node){ .addr = *addr,
		.name = node->o.name,
		.hash = str_hash(node->o.name),
		.is_usable =
		    in->conf.probe_on ? probe == PROBE_UP : node->is_ready,
		.is_unasked = in->conf.probe_on && probe == PROBE_UNKNOWN,
		.probe = in->conf.probe_on ? probe_state_name(probe) : "" };
	return true;
}

static int
candidate_order(const void *a, const void *b)
{
	const struct candidate_node *ca = a;
	const struct candidate_node *cb = b;
	int c = addr_cmp(&ca->addr, &cb->addr);

	return c ? c : strcmp(ca->name, cb->name);
}

static struct node_set *
node_set_new(const struct plan_input *in, const char *cluster,
    enum family family)
{
	struct node_set *set = mem_new(struct node_set);
	const struct object *o;

	set->cluster = mem_strdup(cluster);
	set->family = family;
	for (o = world_first(in->world, OBJECT_NODE); o;
	     o = world_next(in->world, o)) {
		struct candidate_node c;

		if (strcmp(o->cluster, cluster) != 0 ||
		    !make_candidate(in, (const struct node *)o, family, &c))
			continue;
		set->n_usable += c.is_usable;
		vec_push(&set->nodes, c);
	}
	vec_sort(&set->nodes, candidate_order);
	return set;
}

static const struct node_set *
node_set_get(const struct plan_input *in, struct node_cache *cache,
    const char *cluster, enum family family)
{
	uint64_t generation = world_generation(in->world, OBJECT_NODE);
	struct node_set *set;

	if (cache->generation != generation ||
	    cache->probe_on != in->conf.probe_on) {
		node_cache_clear(cache);
		cache->generation = generation;
		cache->probe_on = in->conf.probe_on;
	}
	for (size_t i = 0; i < cache->sets.n; i++) {
		set = cache->sets.v[i];
		if (set->family == family && strcmp(set->cluster, cluster) == 0)
			return set;
	}
	set = node_set_new(in, cluster, family);
	vec_push(&cache->sets, set);
	return set;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

/* The `max` nodes with the highest rendezvous weight, so that one node more
 * or less changes one of them at most.  Not usable ones are left out unless
 * all are (fail open).  Indexes in order of weight; `*floor` is what another
 * node needs to be one of them. */
static size_t
pick_subset(const struct candidate_node *v, size_t n, bool only_usable,
    uint64_t seed, size_t max, size_t out[BACKENDS_PER_FRONTEND_MAX],
    uint64_t *floor)
{
	uint64_t score[BACKENDS_PER_FRONTEND_MAX];
	size_t k = 0;

	assert(max > 0 && max <= BACKENDS_PER_FRONTEND_MAX);
	for (size_t i = 0; i < n; i++) {
		uint64_t s = mix(v[i].hash, seed);
		size_t at;

		if (only_usable && !v[i].is_usable)
			continue;
		if (k == max && s <= score[k - 1])
			continue;
		if (k < max)
			k++;
		for (at = k - 1; at > 0 && score[at - 1] < s; at--) {
			score[at] = score[at - 1];
			out[at] = out[at - 1];
		}
		score[at] = s;
		out[at] = i;
	}
	*floor = k == max ? score[k - 1] : 0;
	return k;
}

static int
index_order(const void *a, const void *b)
{
	size_t ia = *(const size_t *)a;
	size_t ib = *(const size_t *)b;

	return ia < ib ? -1 : ia > ib;
}

static struct backend
node_backend(const struct candidate_node *c, bool fail_open)
{
	return (struct backend){ .addr = c->addr,
		.weight = 1,
		.node = c->name,
		.state = c->is_usable ? BACKEND_ACTIVE
		    : fail_open	      ? BACKEND_DEGRADED
				      : BACKEND_DOWN,
		.probe = c->probe };
}

static void
choose_nodes(const struct candidate_node *v, size_t n, uint64_t seed,
    size_t max, struct arena *arena, struct chosen *out)
{
	uint64_t floor = 0;
	size_t picked[BACKENDS_PER_FRONTEND_MAX];
	size_t n_usable = 0;
	size_t n_unasked = 0;
	bool is_subset = n > max;
	size_t k = n;

	for (size_t i = 0; i < n; i++) {
		n_usable += v[i].is_usable;
		n_unasked += v[i].is_unasked;
	}
	if (is_subset) {
		k = pick_subset(v, n, n_usable > 0, seed, max, picked, &floor);
		qsort(picked, k, sizeof(picked[0]), index_order);
	}
	out->floor = floor;
	out->is_fail_open = n > 0 && n_usable == 0;
	out->is_degraded = out->is_fail_open && n_unasked == 0;
	out->v = arena_array(arena, struct backend, k);
	out->n = k;
	for (size_t i = 0; i < k; i++) {
		out->v[i] = node_backend(&v[is_subset ? picked[i] : i],
		    out->is_fail_open);
		out->n_usable += out->v[i].state != BACKEND_DOWN;
	}
}

/* Nodes that host a ready endpoint of the family: externalTrafficPolicy
 * Local. */
static void
choose_local(const struct plan_input *in, const struct service *s,
    enum family family, uint64_t seed, struct decision *d, struct chosen *out)
{
	VEC(struct candidate_node) nodes = { 0 };
	size_t kept = 0;
	size_t n;
	const struct slice *const *slices =
	    world_slices(in->world, s->o.cluster, s->o.ns, s->o.name, &n);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < slices[i]->n_endpoints; j++) {
			const struct endpoint *ep = &slices[i]->endpoints[j];
			const struct object *node;
			struct candidate_node c;

			if (slices[i]->family != family || !ep->is_ready ||
			    !ep->node)
				continue;
			node = world_get(in->world, OBJECT_NODE, s->o.cluster,
			    "", ep->node);
			if (node &&
			    make_candidate(in, (const struct node *)node,
				family, &c))
				vec_push(&nodes, c);
		}
	}
	vec_sort(&nodes, candidate_order);
	for (size_t i = 0; i < nodes.n; i++)
		if (!kept ||
		    candidate_order(&nodes.v[kept - 1], &nodes.v[i]) != 0)
			nodes.v[kept++] = nodes.v[i];
	choose_nodes(nodes.v, kept, seed, BACKENDS_PER_FRONTEND_MAX,
	    &d->backends_arena, out);
	vec_fini(&nodes);
}

static int
backend_order(const void *a, const void *b)
{
	const struct backend *ba = a;
	const struct backend *bb = b;
	int c = addr_cmp(&ba->addr, &bb->addr);

	if (!c)
		c = (int)ba->port - (int)bb->port;
	return c ? c : (int)ba->state - (int)bb->state;
}

/* One pod may stand in two slices while it moves: it is ready if one of them
 * says so.  Of more than there is room for, those are left out first that only
 * end what they began.  `v` is sorted. */
static void
keep_endpoints(const struct backend *v, size_t n, struct chosen *out)
{
	size_t active = 0;
	size_t draining;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct backend *last = kept ? &out->v[kept - 1] : NULL;

		if (last && last->port == v[i].port &&
		    addr_eq(&last->addr, &v[i].addr))
			continue;
		active += v[i].state == BACKEND_ACTIVE;
		out->v[kept++] = v[i];
	}
	active = MIN(active, (size_t)BACKENDS_PER_FRONTEND_MAX);
	draining = BACKENDS_PER_FRONTEND_MAX - active;
	out->n_usable = active;
	for (size_t i = 0; i < kept; i++) {
		size_t *room =
		    out->v[i].state == BACKEND_ACTIVE ? &active : &draining;

		if (!*room)
			continue;
		--*room;
		out->v[out->n++] = out->v[i];
	}
}

static bool
slice_port_of(const struct slice *slice, const struct service_port *port,
    uint16_t *out)
{
	for (size_t i = 0; i < slice->n_ports; i++) {
		const struct slice_port *p = &slice->ports[i];

		if (p->protocol == port->protocol &&
		    strcmp(p->name, port->name) == 0) {
			*out = p->port;
			return p->port != 0;
		}
	}
	return false;
}

/* The addresses of the Service's own slices, for backends "endpoint". */
static void
choose_endpoints(const struct plan_input *in, const struct service *s,
    const struct service_port *port, enum family family, struct decision *d,
    struct chosen *out)
{
	VEC(struct backend) v = { 0 };
	size_t n;
	const struct slice *const *slices =
	    world_slices(in->world, s->o.cluster, s->o.ns, s->o.name, &n);

	for (size_t i = 0; i < n; i++) {
		uint16_t number;

		if (slices[i]->family != family ||
		    !slice_port_of(slices[i], port, &number))
			continue;
		for (size_t j = 0; j < slices[i]->n_endpoints; j++) {
			const struct endpoint *ep = &slices[i]->endpoints[j];

			if (!ep->is_ready && !ep->is_serving)
				continue;
			vec_push(&v,
			    (struct backend){ .addr = ep->addr,
				.port = number,
				.weight = 1,
				.node = ep->node ? ep->node : "",
				.state = ep->is_ready ? BACKEND_ACTIVE
						      : BACKEND_DRAINING,
				.probe = "" });
		}
	}
	vec_sort(&v, backend_order);
	out->v = arena_array(&d->backends_arena, struct backend, v.n);
	keep_endpoints(v.v, v.n, out);
	vec_fini(&v);
}

static struct chosen
copy_with_port(const struct chosen *nodes, uint16_t port, struct decision *d)
{
	struct chosen c = *nodes;

	if (!port)
		return (struct chosen){ 0 };
	c.v = arena_dup(&d->backends_arena, nodes->v,
	    nodes->n * sizeof(nodes->v[0]));
	for (size_t i = 0; i < c.n; i++)
		c.v[i].port = port;
	return c;
}

static uint64_t
service_seed(const char *ns, const char *name)
{
	return mix(str_hash(ns), str_hash(name));
}

bool
backends_may_use(const struct decision *d, const char *ns, const char *name,
    const char *node)
{
	return d->is_fail_open ||
	    mix(str_hash(node), service_seed(ns, name)) >= d->node_floor;
}

void
backends_choose(const struct plan_input *in, struct node_cache *nodes,
    const struct service *service, struct forwarding forwarding,
    struct decision *decision)
{
	size_t n = decision->n_addrs * service->n_ports;
	struct frontend *f = arena_array(&decision->arena, struct frontend, n);
	bool by_endpoint = forwarding.backends == FORWARD_BACKENDS_ENDPOINT;

	decision->frontends = f;
	decision->n_frontends = n;
	decision->node_floor = UINT64_MAX;
	for (size_t i = 0; i < decision->n_addrs; i++) {
		const struct addr *addr = &decision->addrs[i].addr;
		uint64_t seed = service_seed(service->o.ns, service->o.name);
		struct chosen base = { 0 };

		if (!by_endpoint && service->is_local) {
			choose_local(in, service, addr->family, seed, decision,
			    &base);
			decision->node_floor = 0;
		} else if (!by_endpoint) {
			const struct node_set *set = node_set_get(in, nodes,
			    service->o.cluster, addr->family);

			choose_nodes(set->nodes.v, set->nodes.n, seed,
			    BACKENDS_CLUSTER_MAX, &decision->backends_arena,
			    &base);
			decision->node_floor =
			    MIN(decision->node_floor, base.floor);
		}
		for (size_t j = 0; j < service->n_ports; j++, f++) {
			const struct service_port *p = &service->ports[j];
			struct chosen c = { 0 };

			if (by_endpoint)
				choose_endpoints(in, service, p, addr->family,
				    decision, &c);
			else
				c = copy_with_port(&base, p->node_port,
				    decision);
			*f = (struct frontend){ .addr = *addr,
				.protocol = p->protocol,
				.port = p->port,
				.is_masqueraded = forwarding.source !=
				    FORWARD_SOURCE_PRESERVE,
				.backends = c.v,
				.n_backends = c.n,
				.n_usable = c.n_usable };
			decision->is_fail_open |= c.is_fail_open;
			decision->is_degraded |= c.is_degraded;
			decision->has_backends |= c.n_usable > 0;
		}
	}
}
