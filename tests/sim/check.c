/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: what must hold, as numbered in the violations:
 *
 *  1 an address in use belongs to one Service per (protocol, port), and to
 *    the one that the ledger names
 *  2 a lease ends only when its Service asked for that; none moves
 *  3 nothing is announced that is not programmed, nothing shown that is not
 *    both, nothing given away in quarantine or reserved for another
 *  4 once inputs rest, desired equals observed, and nothing more is written
 *  5 planning by dirty keys gives what planning everything gives
 *  6 what a crash or a lost database must not lose is what 2 and 4 see
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/nft.h"
#include "daemon/app.h"
#include "model/world.h"
#include "sim.h"
#include "sys/clock.h"

/* Repaired within a second of being seen, and seen within a second. */
#define REPAIR_US (3 * MONO_S)
#define CLUSTER "kubernetes"

struct excuse {
	char *ns;
	char *name;
};

static VEC(struct excuse) excuses;
static bool is_all_excused;
static bool is_ledger_excused; /* the file was lost or could not be written */
static mono_t damaged_until;
static bool was_damaged;
static struct addr released; /* by eipctl */
/* What was held when all was last at rest. */
static struct lease_table *promised;

void
check_justify(const char *ns, const char *name)
{
	struct excuse e = { mem_strdup(ns), mem_strdup(name) };

	vec_push(&excuses, e);
}

void
check_justify_all(void)
{
	is_all_excused = true;
}

static bool
is_excused(const char *ns, const char *name)
{
	for (size_t i = 0; i < excuses.n; i++)
		if (strcmp(excuses.v[i].ns, ns) == 0 &&
		    strcmp(excuses.v[i].name, name) == 0)
			return true;
	/* Of three copies the status alone does not prove what was ours. */
	return is_all_excused || (was_damaged && database_was_lost());
}

void
check_kernel_damaged(void)
{
	damaged_until = sim_now() + REPAIR_US;
	was_damaged = true;
}

/* A repair that failed is tried again. */
void
check_kernel_refused(void)
{
	if (sim_now() < damaged_until)
		check_kernel_damaged();
}

void
check_released(const struct addr *addr)
{
	released = addr ? *addr : (struct addr){ 0 };
}

static bool
is_same(const struct lease *a, const struct lease *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->ns, b->ns) == 0 &&
	    strcmp(a->cluster, b->cluster) == 0;
}

static const struct lease *
find_lease(const struct lease_table *t, const struct lease *key)
{
	const struct lease *l;

	for (l = lease_of_address(t, &key->address); l;
	     l = lease_next_of_address(l))
		if (is_same(l, key))
			return l;
	return NULL;
}

/* ---- operations on the ledger ---- */

static void
check_held(const struct lease_op *op)
{
	const struct lease_table *disk = database_leases();
	const struct lease *mine = &op->lease;
	const struct reservation *r =
	    reservation_of_address(disk, &mine->address);
	char text[ADDR_TEXT_B];

	addr_text(&mine->address, text);
	for (const struct lease *l = lease_of_address(disk, &mine->address); l;
	     l = lease_next_of_address(l))
		if (!l->is_held && !is_same(l, mine) &&
		    op->at < l->quarantine_until)
			sim_violation("3: %s is given to %s/%s in quarantine "
				      "after %s/%s",
			    text, mine->ns, mine->name, l->ns, l->name);
	if (r && (strcmp(r->ns, mine->ns) || strcmp(r->name, mine->name)) &&
	    !find_lease(disk, mine))
		sim_violation("3: %s is reserved for %s/%s and given to %s/%s",
		    text, r->ns, r->name, mine->ns, mine->name);
}

void
check_lease_op(const struct lease_op *op)
{
	const struct lease *l = &op->lease;
	const struct lease *old = find_lease(database_leases(), l);
	char text[ADDR_TEXT_B];

	if (op->kind != LEASE_OP_PUT && op->kind != LEASE_OP_DELETE)
		return;
	if (op->kind == LEASE_OP_PUT && l->is_held) {
		/* What was adopted without a database may have been another's
		 * by it: it serves already. */
		if ((!old || !old->is_held) &&
		    !(is_ledger_excused && strcmp(op->event, "adopted") == 0))
			check_held(op);
		return;
	}
	if (!old)
		return;
	addr_text(&l->address, text);
	/* One that was adopted may turn out to be of another pool. */
	if (old->is_held && *old->pool && !is_excused(l->ns, l->name))
		sim_violation("2: the lease of %s/%s on %s ends: %s", l->ns,
		    l->name, text, op->reason);
	if (op->kind == LEASE_OP_DELETE && !old->is_held &&
	    op->at < old->quarantine_until &&
	    !addr_eq(&released, &l->address) &&
	    strcmp(op->event, "returned") != 0)
		sim_violation("3: the quarantine of %s/%s on %s ends: %s",
		    l->ns, l->name, text, op->reason);
}

/* ---- every turn ---- */

static void
check_frontends(void)
{
	const struct kernel_frontends *all = kernel_frontends();

	for (size_t i = 0; i < all->v.n; i++) {
		const struct kernel_frontend *f = &all->v.v[i];
		char key[256];
		char *part[3] = { key, NULL, NULL };
		char text[ADDR_TEXT_B];
		struct lease want = { .address = f->addr };
		const struct lease *l;

		snprintf(key, sizeof(key), "%s", f->service);
		for (int j = 1; j < 3; j++) {
			part[j] = strchr(part[j - 1], '/');
			if (!part[j]) {
				sim_violation("1: an element's comment is %s",
				    f->service);
				return;
			}
			*part[j]++ = '\0';
		}
		want.cluster = part[0];
		want.ns = part[1];
		want.name = part[2];
		l = find_lease(database_leases(), &want);
		if (!l || !l->is_held)
			sim_violation("1: the kernel has %s %s %u for %s, the "
				      "ledger does not",
			    addr_text(&f->addr, text),
			    ip_protocol_name(f->protocol), f->port, f->service);
	}
}

static bool
is_programmed(const struct addr *addr)
{
	const struct kernel_frontends *all = kernel_frontends();

	for (size_t i = 0; i < all->v.n; i++)
		if (addr_eq(&all->v.v[i].addr, addr))
			return true;
	return false;
}

void
check_announced(const struct addr *addr)
{
	char text[ADDR_TEXT_B];

	if (sim_now() > damaged_until && !is_programmed(addr))
		sim_violation("3: %s is announced, but not programmed",
		    addr_text(addr, text));
}

static void
on_route(void *arg, const struct addr *addr, bool is_stale)
{
	(void)arg;
	if (!is_stale)
		check_announced(addr);
}

/* Down, the routes go first; a router that does not read is not waited for. */
void
check_transaction(void)
{
	for (unsigned int i = 0; i < ROUTERS; i++)
		router_each_route(i, on_route, NULL);
}

/* A router gives up what it kept over a restart. */
void
check_forgotten(const struct addr *addr)
{
	char text[ADDR_TEXT_B];

	/* Without a database it may take until the cluster is listed. */
	if (sim_now() > damaged_until && is_programmed(addr) && sim_app &&
	    !sim_app->is_withdrawn && !is_ledger_excused &&
	    !object_is_passive(addr))
		sim_violation("6: a restart withdraws %s",
		    addr_text(addr, text));
}

void
check_turn(void)
{
	static uint64_t seen[3];
	const uint64_t now[3] = { kernel_transactions(), database_commits(),
		router_updates() };

	if (database_fault() != DATABASE_FINE || database_was_lost())
		is_ledger_excused = true;
	if (memcmp(seen, now, sizeof(now)) == 0)
		return;
	memcpy(seen, now, sizeof(seen));
	if (!is_ledger_excused)
		check_frontends();
	for (unsigned int i = 0; i < ROUTERS; i++)
		router_each_route(i, on_route, NULL);
}

/* ---- status ---- */

static bool
has_frontend(const struct addr *addr, const char *service)
{
	const struct kernel_frontends *all = kernel_frontends();

	for (size_t i = 0; i < all->v.n; i++)
		if (addr_eq(&all->v.v[i].addr, addr) &&
		    strcmp(all->v.v[i].service, service) == 0)
			return true;
	return false;
}

static bool
is_heard(const struct addr *addr)
{
	bool is_any = false;

	for (unsigned int i = 0; i < ROUTERS; i++) {
		if (router_has_route(i, addr))
			return true;
		is_any |= router_is_established(i);
	}
	return !is_any;
}

/* "/api/v1/namespaces/NS/services/NAME/status": what it promises is there. */
void
check_status_write(const char *path, const char *body)
{
	json_t *j = json_loads(body, 0, NULL);
	json_t *list =
	    json_object_get(json_object_get(json_object_get(j, "status"),
				"loadBalancer"),
		"ingress");
	char ns[64] = "";
	char name[64] = "";
	char key[256];

	sscanf(path, "/api/v1/namespaces/%63[^/]/services/%63[^/]/", ns, name);
	snprintf(key, sizeof(key), CLUSTER "/%s/%s", ns, name);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(
		    json_object_get(json_array_get(list, i), "ip"));
		struct addr addr;

		if (addr_parse(text, &addr) < 0)
			sim_violation("3: the status of %s/%s is %s", ns, name,
			    text);
		else if (sim_now() < damaged_until)
			continue;
		else if (!has_frontend(&addr, key))
			sim_violation("3: %s is shown for %s/%s, but not "
				      "programmed",
			    text, ns, name);
		else if (!object_is_passive(&addr) && !is_heard(&addr))
			sim_violation("3: %s is shown for %s/%s, but not "
				      "announced",
			    text, ns, name);
	}
	json_decref(j);
}

/* ---- at rest ---- */

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

static void
check_services(struct plan_input *in)
{
	struct nft *nft = NULL;
	struct err err = { 0 };
	const struct object *o;

	if (nft_new(&nft, &err) < 0 || nft_load(nft, &err) < 0)
		abort();
	for (o = world_first(in->world, OBJECT_SERVICE); o;
	     o = world_next(in->world, o))
		check_service(nft, in, (const struct service *)o);
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
		const struct lease *l = find_lease(database_leases(), all[i]);

		if (!is_excused(all[i]->ns, all[i]->name) && !(l && l->is_held))
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
	for (size_t i = 0; i < n; i++)
		if (all[i]->is_held && is_programmed(&all[i]->address))
			lease_table_apply(promised,
			    &(struct lease_op){ .kind = LEASE_OP_PUT,
				.lease = *all[i] });
	free(all);
	is_ledger_excused = false;
	was_damaged = false;
	database_forget_loss();
	/* Out of service nothing is released: that is still to come. */
	if (sim_app->is_withdrawn)
		return;
	for (size_t i = 0; i < excuses.n; i++) {
		free(excuses.v[i].ns);
		free(excuses.v[i].name);
	}
	vec_clear(&excuses);
	is_all_excused = false;
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
	if (sim_app->is_withdrawn) {
		check_withdrawn(&in);
	} else {
		check_services(&in);
		check_ledger(&in);
	}
	check_frontends();
	check_promises();
	promise();
	plan_cache_free(cache);
}
