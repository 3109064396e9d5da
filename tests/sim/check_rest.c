/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_rest: what must hold when inputs have rested and all faults are over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/nft.h"
#include "daemon/app.h"
#include "model/world.h"
#include "sim.h"

/* What was held when all was last at rest. */
static struct lease_table *promised;

static bool
decision_has(const struct decision *d, const struct addr *addr)
{
	for (size_t i = 0; d && i < d->n_addrs; i++)
		if (addr_eq(&d->addrs[i].addr, addr))
			return true;
	return false;
}

/* What the API server shows of it is what was decided, in order. */
static void
check_shown(const struct service *s, const struct decision *d)
{
	json_t *o = api_get(OBJECT_SERVICE, s->o.ns, s->o.name);
	json_t *list =
	    json_object_get(json_object_get(json_object_get(o, "status"),
				"loadBalancer"),
		"ingress");
	size_t n = d->n_addrs;

	if (json_array_size(list) != n) {
		sim_violation("4: %s/%s shows %zu addresses, decided are %zu",
		    s->o.ns, s->o.name, json_array_size(list), n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_B];
		const char *shown = json_string_value(
		    json_object_get(json_array_get(list, i), "ip"));

		addr_text(&d->addrs[i].addr, text);
		if (strcmp(shown, text) != 0)
			sim_violation("4: %s/%s shows %s, decided is %s",
			    s->o.ns, s->o.name, shown, text);
	}
}

/* Of a family that the Service lists, and what it asks for if it asks for one
 * of that family. */
static void
check_asked(const struct service *s, const struct decision *d)
{
	json_t *o = api_get(OBJECT_SERVICE, s->o.ns, s->o.name);
	json_t *spec = json_object_get(o, "spec");
	const char *list = json_string_value(
	    json_object_get(json_object_get(json_object_get(o, "metadata"),
				"annotations"),
		"eipd.io/addresses"));

	if (!list)
		list =
		    json_string_value(json_object_get(spec, "loadBalancerIP"));
	for (size_t i = 0; i < d->n_addrs; i++) {
		bool is_v6 = d->addrs[i].addr.family == FAMILY_IPV6;
		bool is_listed = false;
		char text[ADDR_TEXT_B];
		json_t *family;
		size_t at;

		addr_text(&d->addrs[i].addr, text);
		json_array_foreach(json_object_get(spec, "ipFamilies"), at,
		    family) is_listed |= strcmp(json_string_value(family),
					     is_v6 ? "IPv6" : "IPv4") == 0;
		if (!is_listed)
			sim_violation("5: %s/%s has %s, of no family of its",
			    s->o.ns, s->o.name, text);
		if (list && strchr(list, is_v6 ? ':' : '.') &&
		    !strstr(list, text))
			sim_violation("5: %s/%s has %s, asked for is %s",
			    s->o.ns, s->o.name, text, list);
	}
}

static void
check_routes(const struct decision *d)
{
	for (unsigned int i = 0; i < ROUTERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "tor%u", i);
		if (!api_get(OBJECT_BGP_PEER, "", name))
			continue;
		if (!router_is_established(i)) {
			sim_violation("4: no session with %s", name);
			return;
		}
		for (size_t j = 0; j < d->n_addrs; j++) {
			bool is_wanted = plan_wants_route(d, j);
			char text[ADDR_TEXT_B];

			if (is_wanted &&
			    !router_has_route(i, &d->addrs[j].addr))
				sim_violation("4: %s does not have %s", name,
				    addr_text(&d->addrs[j].addr, text));
		}
	}
}

static void
on_local_route(void *arg, const struct addr *addr)
{
	char text[ADDR_TEXT_B];

	(void)arg;
	if (!check_is_programmed(addr))
		sim_violation("4: a local route is left for %s",
		    addr_text(addr, text));
}

static const struct backend *
find_backend(const struct frontend *f, const struct backend *b)
{
	for (size_t i = 0; i < f->n_backends; i++)
		if (addr_eq(&f->backends[i].addr, &b->addr) &&
		    f->backends[i].port == b->port)
			return &f->backends[i];
	return NULL;
}

static bool
is_usable(const struct backend *b)
{
	return b->state == BACKEND_ACTIVE || b->state == BACKEND_DEGRADED;
}

/* The kernel's maps, as another reader finds them, hold what is wanted. */
struct reading {
	const char *key;
	const struct decision *d;
	size_t n_seen;
};

static void
on_kernel_service(void *arg, const char *key, const struct frontend *f,
    size_t n)
{
	struct reading *r = arg;

	if (strcmp(key, r->key) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct frontend *want = NULL;
		size_t n_usable = 0;

		for (size_t j = 0; j < r->d->n_frontends; j++)
			if (addr_eq(&r->d->frontends[j].addr, &f[i].addr) &&
			    r->d->frontends[j].protocol == f[i].protocol &&
			    r->d->frontends[j].port == f[i].port)
				want = &r->d->frontends[j];
		if (!want) {
			sim_violation("5: the kernel has port %u of %s, which "
				      "is not wanted",
			    f[i].port, key);
			return;
		}
		r->n_seen++;
		for (size_t j = 0; j < want->n_backends; j++) {
			if (!is_usable(&want->backends[j]))
				continue;
			n_usable++;
			if (!find_backend(&f[i], &want->backends[j]))
				sim_violation("5: port %u of %s lacks a "
					      "backend",
				    f[i].port, key);
		}
		if (n_usable != f[i].n_usable)
			sim_violation("5: port %u of %s has %zu backends, "
				      "wanted are %zu",
			    f[i].port, key, f[i].n_usable, n_usable);
	}
}

static void
check_kernel(const struct nft *nft, const struct service *s,
    const struct decision *d)
{
	char key[256];
	struct reading r = { .key = key, .d = d };
	char text[ADDR_TEXT_B];

	snprintf(key, sizeof(key), "%s/%s/%s", s->o.cluster, s->o.ns,
	    s->o.name);
	nft_each_service(nft, on_kernel_service, &r);
	if (r.n_seen != d->n_frontends)
		sim_violation("4: the kernel has %zu frontends of %s, wanted "
			      "are %zu",
		    r.n_seen, key, d->n_frontends);
	for (size_t i = 0; i < d->n_addrs; i++)
		if (!kernel_has_route(&d->addrs[i].addr))
			sim_violation("4: no local route for %s",
			    addr_text(&d->addrs[i].addr, text));
}

static void
check_record(const struct service *s, const struct decision *d)
{
	struct record *r =
	    records_find(sim_app->records, s->o.cluster, s->o.ns, s->o.name);

	if (!d->is_ours && !(r && r->decision))
		return;
	if (d->is_ours != (r && r->decision)) {
		sim_violation("5: %s/%s is ours %d, planned %d", s->o.ns,
		    s->o.name, d->is_ours, r && r->decision);
		return;
	}
	if (r->decision->is_refused != d->is_refused)
		sim_violation("5: %s/%s is refused %d (%s), planned anew %d "
			      "(%s)",
		    s->o.ns, s->o.name, r->decision->is_refused,
		    r->decision->message, d->is_refused, d->message);
	if (r->decision->n_addrs != d->n_addrs)
		sim_violation("5: %s/%s has %zu addresses, planned anew %zu",
		    s->o.ns, s->o.name, r->decision->n_addrs, d->n_addrs);
	for (size_t i = 0; i < d->n_addrs; i++)
		if (!decision_has(r->decision, &d->addrs[i].addr))
			sim_violation("5: %s/%s has another address, planned "
				      "anew",
			    s->o.ns, s->o.name);
	if (*r->pending && !r->has_conflict)
		sim_violation("4: %s/%s is pending: %s: %s", s->o.ns, s->o.name,
		    r->pending, r->problem);
}

static bool
has_conflict(const struct service *s)
{
	const struct record *r =
	    records_find(sim_app->records, s->o.cluster, s->o.ns, s->o.name);

	return r && r->has_conflict;
}

static void
check_service(const struct nft *nft, struct plan_input *in,
    const struct service *s)
{
	struct decision *d = plan_service(in, s);

	check_record(s, d);
	if (d->is_ours && !sim_has_failed() && !has_conflict(s)) {
		check_shown(s, d);
		check_asked(s, d);
		check_routes(d);
		check_kernel(nft, s, d);
	}
	decision_free(d);
}

/* Held rows belong to Services that are there and ours. */
static void
check_ledger(struct plan_input *in)
{
	size_t n;
	const struct lease **all = lease_table_list(database_leases(), &n);
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < n; i++) {
		const struct lease *l = all[i];
		const struct service *s =
		    (const struct service *)world_get(in->world, OBJECT_SERVICE,
			l->cluster, l->ns, l->name);
		struct decision *d = s ? plan_service(in, s) : NULL;

		if (l->is_held && !decision_has(d, &l->address))
			sim_violation("4: %s is held by %s/%s for nothing",
			    addr_text(&l->address, text), l->ns, l->name);
		decision_free(d);
	}
	free(all);
}

static void
on_left_flow(void *arg, const struct kernel_flow *flow)
{
	char text[ADDR_TEXT_B];

	(void)arg;
	sim_violation("4: a flow to %s is left after withdraw-all",
	    addr_text(&flow->to.addr, text));
}

static void
on_left_route(void *arg, const struct addr *addr, bool is_stale)
{
	char text[ADDR_TEXT_B];

	(void)arg;
	(void)is_stale;
	sim_violation("4: %s is announced after withdraw-all",
	    addr_text(addr, text));
}

/* Nothing in the kernel, at the routers and in any status of ours. */
static void
check_withdrawn(struct plan_input *in)
{
	static const struct decision none;
	const struct object *o;

	if (kernel_frontends()->v.n)
		sim_violation("4: the kernel has %s after withdraw-all",
		    kernel_frontends()->v.v[0].service);
	for (unsigned int i = 0; i < ROUTERS; i++)
		router_each_route(i, on_left_route, NULL);
	kernel_each_flow(on_left_flow, NULL);
	for (o = world_first(in->world, OBJECT_SERVICE); o;
	     o = world_next(in->world, o)) {
		const struct lease *l =
		    lease_of_service(in->leases, o->cluster, o->ns, o->name);

		while (l && !l->is_held)
			l = lease_next_of_service(l);
		if (l)
			check_shown((const struct service *)o, &none);
	}
}

/* Established TCP may stay with a backend that is gone. */
struct flow_search {
	const struct kernel_flow *flow;
	bool is_right;
};

static void
on_flow_service(void *arg, const char *key, const struct frontend *f, size_t n)
{
	struct flow_search *search = arg;
	const struct kernel_flow *flow = search->flow;
	struct backend backend = { .addr = flow->backend,
		.port = flow->backend_port };

	(void)key;
	for (size_t i = 0; i < n; i++)
		if (addr_eq(&f[i].addr, &flow->to.addr) &&
		    f[i].protocol == flow->to.protocol &&
		    f[i].port == flow->to.port &&
		    ((flow->is_replied &&
			 flow->to.protocol == IP_PROTOCOL_TCP) ||
			find_backend(&f[i], &backend)))
			search->is_right = true;
}

static void
check_flow(void *arg, const struct kernel_flow *flow)
{
	struct flow_search search = { .flow = flow };
	char text[ADDR_TEXT_B];
	char backend[ADDR_TEXT_B];

	nft_each_service(arg, on_flow_service, &search);
	if (!search.is_right)
		sim_violation("4: a flow to %s %s %u (%s) stays with %s",
		    addr_text(&flow->to.addr, text),
		    ip_protocol_name(flow->to.protocol), flow->to.port,
		    flow->to.service, addr_text(&flow->backend, backend));
}

static void
check_services(struct plan_input *in)
{
	struct nft *nft = nft_new();
	struct err err = { 0 };
	const struct object *o;

	if (nft_load(nft, &err) < 0)
		abort();
	for (o = world_first(in->world, OBJECT_SERVICE); o;
	     o = world_next(in->world, o))
		check_service(nft, in, (const struct service *)o);
	kernel_each_flow(check_flow, nft);
	nft_free(nft);
}

/* What was held at the last rest, and was not asked back, still is. */
static void
check_promises(void)
{
	size_t n = 0;
	const struct lease **all =
	    promised ? lease_table_list(promised, &n) : NULL;
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < n; i++) {
		const struct lease *l =
		    check_find_lease(database_leases(), all[i]);

		if (!check_is_excused(all[i]->ns, all[i]->name) &&
		    !(l && l->is_held))
			sim_violation("6: %s/%s has lost %s", all[i]->ns,
			    all[i]->name, addr_text(&all[i]->address, text));
	}
	free(all);
}

static void
promise(void)
{
	size_t n;
	const struct lease **all = lease_table_list(database_leases(), &n);

	lease_table_free(promised);
	promised = lease_table_new();
	for (size_t i = 0; i < n; i++) {
		char key[256];

		snprintf(key, sizeof(key), "%s/%s/%s", all[i]->cluster,
		    all[i]->ns, all[i]->name);
		/* One that was adopted may turn out to be of another pool. */
		if (all[i]->is_held && *all[i]->pool &&
		    check_has_frontend(&all[i]->address, key))
			lease_table_apply(promised,
			    &(struct lease_op){ .kind = LEASE_OP_PUT,
				.lease = *all[i] });
	}
	free(all);
	check_forgive();
}

void
check_settled(void)
{
	struct plan_cache *cache = plan_cache_new();
	struct plan_input in = app_plan_input(sim_app);

	in.cache = cache;
	if (world_count(in.world, OBJECT_SERVICE) != api_count(OBJECT_SERVICE))
		sim_violation("4: the world has %zu Services, the API server "
			      "%zu",
		    world_count(in.world, OBJECT_SERVICE),
		    api_count(OBJECT_SERVICE));
	if (world_count(in.world, OBJECT_EIP) !=
	    api_count(OBJECT_EIP) + file_count_pools())
		sim_violation("4: the world has %zu pools, the API server %zu, "
			      "the object file %zu",
		    world_count(in.world, OBJECT_EIP), api_count(OBJECT_EIP),
		    file_count_pools());
	if (sim_app->is_withdrawn) {
		check_withdrawn(&in);
	} else {
		check_services(&in);
		check_ledger(&in);
	}
	check_frontends();
	check_quarantines();
	kernel_each_route(on_local_route, NULL);
	check_promises();
	promise();
	plan_cache_free(cache);
}
