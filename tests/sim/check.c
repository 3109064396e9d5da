/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: what must hold, as numbered in the violations:
 *
 *  1 an address in use belongs to one Service per (protocol, port), and to
 *    the one that the ledger names
 *  2 a lease ends only when its Service asked for that; none moves
 *  3 nothing is announced that is not programmed, nothing shown that is not
 *    both, nothing given away in quarantine or reserved for another
 *  4 once inputs rest, desired equals observed, nothing more is written, and
 *    no flow is left with a backend that is gone
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
/* Until when nobody else gets it, whatever the wall clock says. */
struct quarantine {
	struct addr addr;
	char *ns;
	char *name;
	mono_t until;
};

/* As exact as whole seconds of two clocks allow. */
#define QUARANTINE_SLACK_US (3 * MONO_S)

static VEC(struct quarantine) quarantines;
static mono_t damaged_until;
static bool was_damaged;
static struct addr released; /* by eipctl */
/* What the ledger has ever said, whoever lost it since. */
static struct lease_table *ever_held;

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

bool
check_is_excused(const char *ns, const char *name)
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

const struct lease *
check_find_lease(const struct lease_table *t, const struct lease *key)
{
	const struct lease *l;

	for (l = lease_of_address(t, &key->address); l;
	     l = lease_next_of_address(l))
		if (is_same(l, key))
			return l;
	return NULL;
}

/* ---- operations on the ledger ---- */

static struct quarantine *
find_quarantine(const struct lease *l)
{
	struct quarantine *q;

	VEC_FOREACH (q, &quarantines)
		if (addr_eq(&q->addr, &l->address) &&
		    strcmp(q->ns, l->ns) == 0 && strcmp(q->name, l->name) == 0)
			return q;
	return NULL;
}

static void
note_quarantine(const struct lease *l)
{
	struct quarantine *q = find_quarantine(l);

	if (!q) {
		vec_push(&quarantines,
		    (struct quarantine){ l->address, mem_strdup(l->ns),
			mem_strdup(l->name), 0 });
		q = &quarantines.v[quarantines.n - 1];
	}
	q->until = sim_now() + (l->quarantine_until - clock_wall()) * MONO_S;
}

static mono_t
quarantine_until(const struct lease *l)
{
	const struct quarantine *q = find_quarantine(l);

	return q ? q->until : 0;
}

static bool
is_quarantined(const struct lease *l)
{
	return sim_now() + QUARANTINE_SLACK_US < quarantine_until(l);
}

void
check_started(void)
{
	size_t n;
	const struct lease **all = lease_table_list(database_leases(), &n);

	for (size_t i = 0; i < n; i++)
		if (!all[i]->is_held)
			note_quarantine(all[i]);
	free(all);
}

void
check_quarantines(void)
{
	size_t n;
	const struct lease **all = lease_table_list(database_leases(), &n);
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < n; i++) {
		const struct lease *l = all[i];

		if (!l->is_held && clock_wall() < l->quarantine_until &&
		    quarantine_until(l) + QUARANTINE_SLACK_US < sim_now())
			sim_violation("3: the quarantine of %s/%s on %s does "
				      "not end",
			    l->ns, l->name, addr_text(&l->address, text));
	}
	free(all);
}

static const struct service *
service_of(const struct lease *l)
{
	return (const struct service *)world_get(sim_app->world, OBJECT_SERVICE,
	    l->cluster, l->ns, l->name);
}

static bool
has_port(const struct service *s, const struct service_port *port)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].port == port->port &&
		    s->ports[i].protocol == port->protocol)
			return true;
	return false;
}

/* Afterwards one of them may ask for a port that the other has. */
static void
check_shared(const struct lease *mine, const struct lease *other)
{
	const struct service *a = service_of(mine);
	const struct service *b = service_of(other);
	char text[ADDR_TEXT_B];

	for (size_t i = 0; a && b && i < a->n_ports; i++)
		if (has_port(b, &a->ports[i]))
			sim_violation("1: %s is given to %s/%s, but port %u is "
				      "%s/%s's",
			    addr_text(&mine->address, text), mine->ns,
			    mine->name, a->ports[i].port, other->ns,
			    other->name);
}

static void
check_held(const struct lease_op *op)
{
	const struct lease_table *disk = database_leases();
	const struct lease *mine = &op->lease;
	const struct reservation *r =
	    reservation_of_address(disk, &mine->address);
	const struct lease *old = check_find_lease(disk, mine);
	/* Who shared it, and still has a claim, may come back in any order. */
	bool may_return =
	    old && lease_state(old, clock_wall()) != LEASE_EXPIRED;
	char text[ADDR_TEXT_B];

	addr_text(&mine->address, text);
	for (const struct lease *l = lease_of_address(disk, &mine->address); l;
	     l = lease_next_of_address(l)) {
		if (l->is_held && !is_same(l, mine) &&
		    strcmp(op->event, "adopted") != 0)
			check_shared(mine, l);
		if (!l->is_held && !is_same(l, mine) && !may_return &&
		    is_quarantined(l))
			sim_violation("3: %s is given to %s/%s in quarantine "
				      "after %s/%s",
			    text, mine->ns, mine->name, l->ns, l->name);
	}
	if (r && (strcmp(r->ns, mine->ns) || strcmp(r->name, mine->name)) &&
	    !check_find_lease(disk, mine))
		sim_violation("3: %s is reserved for %s/%s and given to %s/%s",
		    text, r->ns, r->name, mine->ns, mine->name);
}

void
check_lease_op(const struct lease_op *op)
{
	const struct lease *l = &op->lease;
	const struct lease *old = check_find_lease(database_leases(), l);
	char text[ADDR_TEXT_B];

	if (op->kind != LEASE_OP_PUT && op->kind != LEASE_OP_DELETE)
		return;
	if (op->kind == LEASE_OP_PUT && l->is_held) {
		if (!ever_held)
			ever_held = lease_table_new();
		lease_table_apply(ever_held, op);
		/* What was adopted without a database may have been another's
		 * by it: it serves already. */
		if ((!old || !old->is_held) &&
		    !(is_ledger_excused && strcmp(op->event, "adopted") == 0))
			check_held(op);
		return;
	}
	if (strcmp(op->event, "released") == 0)
		note_quarantine(l);
	if (!old)
		return;
	addr_text(&l->address, text);
	/* One that was adopted may turn out to be of another pool. */
	if (old->is_held && *old->pool && !check_is_excused(l->ns, l->name))
		sim_violation("2: the lease of %s/%s on %s ends: %s", l->ns,
		    l->name, text, op->reason);
	if (op->kind == LEASE_OP_DELETE && !old->is_held &&
	    is_quarantined(old) && !addr_eq(&released, &l->address) &&
	    strcmp(op->event, "returned") != 0)
		sim_violation("3: the quarantine of %s/%s on %s ends: %s",
		    l->ns, l->name, text, op->reason);
}

/* ---- every turn ---- */

/* Without a database only what was there already may be served. */
static bool
is_old_promise(const struct lease *l)
{
	json_t *o = api_get(OBJECT_SERVICE, l->ns, l->name);
	json_t *list =
	    json_object_get(json_object_get(json_object_get(o, "status"),
				"loadBalancer"),
		"ingress");
	char text[ADDR_TEXT_B];

	addr_text(&l->address, text);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(text,
			json_string_value(
			    json_object_get(json_array_get(list, i), "ip"))) ==
		    0)
			return true;
	return ever_held && check_find_lease(ever_held, l);
}

void
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
		l = check_find_lease(database_leases(), &want);
		if ((!l || !l->is_held) &&
		    !(is_ledger_excused &&
			(is_all_excused || is_old_promise(&want))))
			sim_violation("1: the kernel has %s %s %u for %s, the "
				      "ledger does not",
			    addr_text(&f->addr, text),
			    ip_protocol_name(f->protocol), f->port, f->service);
	}
}

bool
check_is_programmed(const struct addr *addr)
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

	if (sim_now() > damaged_until && !check_is_programmed(addr))
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

/* The kernel has it for a Service that has not given it back. */
static bool
is_needed(const struct addr *addr)
{
	const struct kernel_frontends *all = kernel_frontends();
	char ns[64];
	char name[64];

	for (size_t i = 0; i < all->v.n; i++)
		if (addr_eq(&all->v.v[i].addr, addr) &&
		    sscanf(all->v.v[i].service, "%*[^/]/%63[^/]/%63s", ns,
			name) == 2 &&
		    !check_is_excused(ns, name))
			return true;
	return false;
}

/* A router gives up what it kept over a restart. */
void
check_forgotten(const struct addr *addr)
{
	char text[ADDR_TEXT_B];

	/* Without a database it may take until the cluster is listed. */
	if (sim_now() > damaged_until && is_needed(addr) && sim_app &&
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

	kernel_talk();
	if (database_fault() != DATABASE_FINE || database_was_lost())
		is_ledger_excused = true;
	if (memcmp(seen, now, sizeof(now)) == 0)
		return;
	memcpy(seen, now, sizeof(seen));
	check_frontends();
	for (unsigned int i = 0; i < ROUTERS; i++)
		router_each_route(i, on_route, NULL);
}

/* ---- status ---- */

bool
check_has_frontend(const struct addr *addr, const char *service)
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
		else if (!check_has_frontend(&addr, key))
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

/* All is as it should be: what happened before excuses nothing any more. */
void
check_forgive(void)
{
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
