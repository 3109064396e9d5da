/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_plan SERVICES NODES ROUNDS: one Service becomes dirty in a world of
 * that size: how long until it is decided, and until the octets for kernel
 * and peer are there.  No kernel and no peer is asked.
 *
 * One line for each kind of change, by tabs: kind, microseconds of CPU for the
 * decision and for the encoding (medians), for both (99th percentile),
 * elements of the kernel table that change.  The functions case_* hold one
 * such change, for callgrind to count.
 */
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/nft_impl.h"
#include "base/mem.h"
#include "bench.h"
#include "bgp/msg.h"
#include "bgp/rib.h"
#include "model/lease.h"
#include "model/world.h"
#include "plan/plan.h"
#include "plan/ruleset.h"

/* 100,000 endpoints beside 10,000 Services. */
enum {
	ENDPOINTS = 10,
	ROUTE_B = 64 << 10
};

#define CLUSTER "prod"
#define ATTR_NOINLINE __attribute__((noinline))

struct bench {
	struct world *world;
	struct lease_table *leases;
	struct plan_input in;
	struct ruleset *rs;
	struct nft_batch batch;
	struct nl *nl;
	struct bgp_rib *rib;
	struct bgp_out *peer;
	unsigned int n_services;
	unsigned int n_nodes;
	struct samples decide;
	struct samples encode;
	struct samples both;
	size_t n_elements;
};

typedef void (*case_fn)(struct bench *b, unsigned int i);

static void
service_name(unsigned int i, char out[32])
{
	snprintf(out, 32, "service-%u", i);
}

/* ---- the world ---- */

static void
put_pool(struct bench *b)
{
	struct pool *pool = object_new(OBJECT_EIP, sizeof(struct pool),
	    CLUSTER_STATIC, "", "public");
	struct addr_range *range = arena_new(&pool->o.arena, struct addr_range);

	range->first = bench_addr("100.64.0.0", 0);
	range->last = bench_addr("100.64.0.0", 0x1ffff);
	pool->ranges = range;
	pool->n_ranges = 1;
	pool->is_default = true;
	pool->interface = "";
	pool->sticky_us = POOL_STICKY_US;
	pool->quarantine_us = POOL_QUARANTINE_US;
	pool->next_hop = "self";
	world_put(b->world, &pool->o);
}

static void
put_node(struct bench *b, unsigned int i, bool is_ready)
{
	struct node *node;
	char name[32];

	snprintf(name, sizeof(name), "node-%u", i);
	node = object_new(OBJECT_NODE, sizeof(struct node), CLUSTER, "", name);
	node->ipv4 = bench_addr("10.0.0.1", i);
	node->is_ready = is_ready;
	world_put(b->world, &node->o);
}

/* Every second one has externalTrafficPolicy Local. */
static void
put_service(struct bench *b, unsigned int i)
{
	struct service *s;
	struct service_port *port;
	char name[32];

	service_name(i, name);
	s = object_new(OBJECT_SERVICE, sizeof(struct service), CLUSTER,
	    "default", name);
	port = arena_new(&s->o.arena, struct service_port);
	*port = (struct service_port){ .name = "",
		.protocol = IP_PROTOCOL_TCP,
		.port = 80,
		.node_port = (uint16_t)(30000 + i % 2768) };
	s->is_load_balancer = true;
	s->lb_class = b->in.conf.service_class;
	s->ports = port;
	s->n_ports = 1;
	s->is_local = i % 2 == 1;
	s->families[0] = FAMILY_IPV4;
	s->n_families = 1;
	world_put(b->world, &s->o);
}

/* `n_ready` of the endpoints are. */
static void
put_slice(struct bench *b, unsigned int i, unsigned int n_ready)
{
	struct endpoint *ep;
	struct slice *slice;
	char name[32];

	service_name(i, name);
	slice = object_new(OBJECT_SLICE, sizeof(struct slice), CLUSTER,
	    "default", name);
	slice->service = arena_strdup(&slice->o.arena, name);
	slice->family = FAMILY_IPV4;
	ep = arena_array(&slice->o.arena, struct endpoint, ENDPOINTS);
	for (unsigned int j = 0; j < ENDPOINTS; j++) {
		ep[j].addr = bench_addr("10.128.0.1", i * ENDPOINTS + j);
		ep[j].node = arena_printf(&slice->o.arena, "node-%u",
		    (i * ENDPOINTS + j) % b->n_nodes);
		ep[j].is_ready = j < n_ready;
		ep[j].is_serving = j < n_ready;
	}
	slice->endpoints = ep;
	slice->n_endpoints = ENDPOINTS;
	world_put(b->world, &slice->o);
}

/* ---- one dirty Service ---- */

static void
encode(struct bench *b, const char *key, const struct decision *d)
{
	static const struct bgp_attrs attrs = { 0 };
	static uint8_t octets[ROUTE_B];
	struct err err = { 0 };
	size_t n_moved;
	const struct ruleset_moved *moved;

	bench_need(ruleset_stage(b->rs, key, d ? d->frontends : NULL,
		       d ? d->n_frontends : 0, &err) == 0,
	    err.text);
	nft_batch_begin(&b->batch, b->nl);
	ruleset_begin(b->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(b->rs, bench_put_op, &b->batch);
	ruleset_done(b->rs);
	b->n_elements = b->batch.n_elements;
	moved = ruleset_moved(b->rs, &n_moved);
	for (size_t i = 0; i < n_moved; i++) {
		struct prefix route = prefix_host(&moved[i].addr);

		if (moved[i].is_owned)
			bgp_rib_announce(b->rib, &route, &attrs);
		else
			bgp_rib_withdraw(b->rib, &route);
	}
	ruleset_clear_moved(b->rs);
	ruleset_clear_flushes(b->rs);
	while (bgp_out_fill(b->peer, octets, sizeof(octets)) > 0)
		;
}

static void
apply(struct bench *b, struct lease_ops *ops)
{
	for (size_t i = 0; i < ops->n; i++)
		lease_table_apply(b->leases, &ops->v[i]);
	vec_clear(ops);
}

static void
plan_one(struct bench *b, unsigned int i)
{
	const struct service *s;
	struct decision *d = NULL;
	struct lease_ops ops = { 0 };
	char name[32];
	char key[64];
	int64_t began = bench_cpu_ns();
	int64_t decided;
	int64_t encoded;

	service_name(i, name);
	s = (const struct service *)world_get(b->world, OBJECT_SERVICE, CLUSTER,
	    "default", name);
	if (s) {
		d = plan_service(&b->in, s);
		bench_need(d->n_addrs == 1 && d->n_frontends == 1, d->message);
		plan_lease_puts(&b->in, s, d, &ops);
		apply(b, &ops);
	}
	plan_lease_releases(&b->in, CLUSTER, "default", name, d, "gone", &ops);
	if (ops.n)
		plan_cache_addresses_freed(b->in.cache);
	apply(b, &ops);
	decided = bench_cpu_ns();
	snprintf(key, sizeof(key), CLUSTER "/default/%s", name);
	encode(b, key, d);
	encoded = bench_cpu_ns();
	samples_add(&b->decide, decided - began);
	samples_add(&b->encode, encoded - decided);
	samples_add(&b->both, encoded - began);
	decision_free(d);
	vec_fini(&ops);
}

/* `i` is even.  Cluster: nodes are the backends.  It goes, and comes back. */
static ATTR_NOINLINE void
case_gone(struct bench *b, unsigned int i)
{
	char name[32];

	service_name(i, name);
	world_remove(b->world, OBJECT_SERVICE, CLUSTER, "default", name);
	plan_one(b, i);
}

static ATTR_NOINLINE void
case_new(struct bench *b, unsigned int i)
{
	put_service(b, i);
	plan_one(b, i);
}

/* Local: nodes with endpoints are the backends.  One more, one less. */
static ATTR_NOINLINE void
case_endpoint_gone(struct bench *b, unsigned int i)
{
	put_slice(b, i + 1, ENDPOINTS - 1);
	plan_one(b, i + 1);
}

static ATTR_NOINLINE void
case_endpoint_new(struct bench *b, unsigned int i)
{
	put_slice(b, i + 1, ENDPOINTS);
	plan_one(b, i + 1);
}

/* Nothing that matters changed. */
static ATTR_NOINLINE void
case_same(struct bench *b, unsigned int i)
{
	plan_one(b, i);
}

static const struct {
	const char *name;
	case_fn fn;
} cases[] = {
	{ "gone", case_gone },
	{ "new", case_new },
	{ "endpoint_gone", case_endpoint_gone },
	{ "endpoint_new", case_endpoint_new },
	{ "same", case_same },
};

/* ---- the measurement ---- */

static void
setup(struct bench *b)
{
	struct bgp_export export = { .local_as = 64512,
		.as4 = true,
		.families = BGP_FAMILY(FAMILY_IPV4) };
	struct err err = { 0 };

	export.next_hop[FAMILY_IPV4] = bench_addr("192.0.2.1", 0);
	b->world = world_new();
	b->leases = lease_table_new();
	b->in = (struct plan_input){ .world = b->world,
		.leases = b->leases,
		.conf = { .service_class = "eipd.io/eipd",
		    .forwarding = { FORWARD_BACKENDS_NODEPORT,
			FORWARD_SOURCE_MASQUERADE,
			FORWARD_NO_BACKENDS_REFUSE } },
		.now = 1000000,
		.cache = plan_cache_new() };
	b->rs = ruleset_new();
	bench_need(nl_open(NETLINK_NETFILTER, &b->nl, &err) == 0, err.text);
	b->rib = bgp_rib_new();
	b->peer = bgp_out_new(b->rib, &export);
	put_pool(b);
	for (unsigned int i = 0; i < b->n_nodes; i++)
		put_node(b, i, true);
	for (unsigned int i = 0; i < b->n_services; i++) {
		put_service(b, i);
		put_slice(b, i, ENDPOINTS);
		plan_one(b, i);
	}
}

static void
teardown(struct bench *b)
{
	samples_fini(&b->decide);
	samples_fini(&b->encode);
	samples_fini(&b->both);
	bgp_out_free(b->peer);
	bgp_rib_free(b->rib);
	nft_batch_fini(&b->batch);
	nl_close(b->nl);
	ruleset_free(b->rs);
	plan_cache_free(b->in.cache);
	lease_table_free(b->leases);
	world_free(b->world);
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	unsigned int rounds;

	bench_need(argc == 4, "arguments: bench_plan SERVICES NODES ROUNDS");
	b.n_services = bench_number(argv[1], 100000);
	b.n_nodes = bench_number(argv[2], 10000);
	rounds = bench_number(argv[3], b.n_services / 2);
	setup(&b);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		size_t n_elements = 0;

		vec_clear(&b.decide.ns);
		vec_clear(&b.encode.ns);
		vec_clear(&b.both.ns);
		for (unsigned int r = 0; r < rounds; r++) {
			cases[c].fn(&b, 2 * r);
			n_elements += b.n_elements;
		}
		printf("%s\t%.1f\t%.1f\t%.1f\t%.0f\n", cases[c].name,
		    samples_us(&b.decide, 50), samples_us(&b.encode, 50),
		    samples_us(&b.both, 99), (double)n_elements / rounds);
	}
	teardown(&b);
	return 0;
}
