/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reconcile: the only place that knows the order.
 *
 * A pass takes some dirty records and carries each decision out:
 * plan -> persist -> withdraw what is no longer wanted -> program -> announce
 * -> publish -> release.  What fails stays dirty and is tried again; what
 * rests costs nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/nft.h"
#include "ctl/server.h"
#include "daemon/app.h"
#include "daemon/tell.h"
#include "model/lease.h"
#include "model/world.h"
#include "source/files.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"

/* A pass is one database and one kernel transaction; this bounds both.  Elements
 * of the kernel are estimated; 1,000 take about half a millisecond. */
enum {
	BATCH = 100,
	BATCH_ELEMENTS = 4000,
	BACKEND_ELEMENTS = 16,
	RETRY_MS = 1000,
	PLAN_SLICE_MS = 4
};

struct item {
	struct record *record;
	const struct service *service; /* NULL: gone, or not ours */
	struct decision *decision; /* NULL with it */
	size_t n_releases;
	bool is_held_back; /* the database refused: as it was */
	bool is_staged;
};

struct pass {
	struct app *app;
	struct plan_input in;
	VEC(struct item) items;
	struct lease_ops puts; /* applied to the table already */
	VEC(struct lease_op) undo;
	struct arena undo_arena;
	bool has_other_frontends; /* than before it */
};

/* ---- persist ---- */

static struct lease
copy_lease(struct arena *arena, const struct lease *l)
{
	struct lease copy = *l;

	copy.cluster = arena_strdup(arena, l->cluster);
	copy.ns = arena_strdup(arena, l->ns);
	copy.name = arena_strdup(arena, l->name);
	copy.uid = arena_strdup(arena, l->uid);
	copy.pool = arena_strdup(arena, l->pool);
	return copy;
}

static const struct lease *
find_row(const struct lease_table *table, const struct lease *key)
{
	const struct lease *l;

	for (l = lease_of_address(table, &key->address); l;
	     l = lease_next_of_address(l))
		if (strcmp(l->name, key->name) == 0 &&
		    strcmp(l->ns, key->ns) == 0 &&
		    strcmp(l->cluster, key->cluster) == 0)
			return l;
	return NULL;
}

static void
remember_undo(struct pass *p, const struct lease_op *op)
{
	const struct lease *old = find_row(p->app->leases, &op->lease);
	struct lease_op back = { .kind = old ? LEASE_OP_PUT : LEASE_OP_DELETE,
		.lease = copy_lease(&p->undo_arena, old ? old : &op->lease),
		.event = "",
		.reason = "" };

	vec_push(&p->undo, back);
}

/* To the table at once, so that the next Service of the pass does not get
 * the same address; to the database with the others. */
static void
put_tentatively(struct pass *p, const struct lease_op *op)
{
	remember_undo(p, op);
	vec_push(&p->puts, *op);
	lease_table_apply(p->app->leases, op);
}

/* Whoever released the address loses his claim to it. */
static void
end_foreign_claims(struct pass *p, const struct lease *mine)
{
	const struct lease *l =
	    lease_of_address(p->app->leases, &mine->address);
	const struct lease *old = find_row(p->app->leases, mine);

	if (old && lease_state(old, p->in.now) != LEASE_EXPIRED)
		return; /* it was his before, beside them */
	while (l) {
		const struct lease *next = lease_next_of_address(l);
		struct lease_op op = { .kind = LEASE_OP_DELETE,
			.event = "expired",
			.reason = "the address was given to another Service",
			.at = p->in.now };

		if (!l->is_held &&
		    (strcmp(l->name, mine->name) != 0 ||
			strcmp(l->ns, mine->ns) != 0 ||
			strcmp(l->cluster, mine->cluster) != 0)) {
			op.lease = copy_lease(&p->undo_arena, l);
			put_tentatively(p, &op);
		}
		l = next;
	}
}

static bool
needs_new_address(const struct item *it)
{
	if (!it->decision)
		return false;
	for (size_t i = 0; i < it->decision->n_addrs; i++)
		if (it->decision->addrs[i].is_new)
			return true;
	return false;
}

static bool
is_all_adopted(const struct decision *d)
{
	for (size_t i = 0; i < d->n_addrs; i++)
		if (d->addrs[i].is_new &&
		    strcmp(d->addrs[i].how, "adopted") != 0)
			return false;
	return true;
}

static void
hold_back(struct pass *p, struct item *it)
{
	it->is_held_back = true;
	record_set_pending(it->record, "DatabaseUnavailable",
	    p->app->database_problem);
}

static void
undo_puts(struct pass *p)
{
	for (size_t i = p->undo.n; i-- > 0;)
		lease_table_apply(p->app->leases, &p->undo.v[i]);
	plan_cache_addresses_freed(p->app->cache);
}

/* Without a database nothing new is promised, but what the kernel or the
 * Service status shows already is served, and written down later. */
static void
persist_later(struct pass *p)
{
	undo_puts(p);
	for (size_t i = 0; i < p->items.n; i++) {
		struct item *it = &p->items.v[i];
		struct lease_ops ops = { 0 };

		if (!needs_new_address(it))
			continue;
		if (!is_all_adopted(it->decision)) {
			hold_back(p, it);
			continue;
		}
		plan_lease_puts(&p->in, it->service, it->decision, &ops);
		for (size_t j = 0; j < ops.n; j++) {
			lease_table_apply(p->app->leases, &ops.v[j]);
			adopt_remember_unsaved(p->app, &ops.v[j].lease);
		}
		vec_fini(&ops);
	}
}

static int
apply_ops(struct app *app, const struct lease_op *ops, size_t n)
{
	struct err err = { 0 };
	int rc;

	if (n == 0)
		return 0;
	if (!store_is_open(app->store))
		return -EIO;
	rc = store_apply(app->store, ops, n, &err);
	if (rc < 0) {
		adopt_database_failed(app, &err);
		return rc;
	}
	histogram_add(&app->db_commit, store_stats(app->store)->last_commit_us);
	adopt_database_written(app);
	return 0;
}

static void
persist(struct pass *p)
{
	if (apply_ops(p->app, p->puts.v, p->puts.n) < 0)
		persist_later(p);
}

/* ---- plan ---- */

static bool
waits_for_cluster(const struct pass *p, const struct item *it)
{
	return p->app->await_until && it->decision &&
	    strcmp(it->record->cluster, CLUSTER_STATIC) == 0 &&
	    !it->service->n_wanted && !is_all_adopted(it->decision);
}

static size_t
n_elements(const struct decision *d)
{
	size_t n = 0;

	for (size_t i = 0; d && i < d->n_frontends; i++)
		n += d->frontends[i].n_backends * BACKEND_ELEMENTS;
	return n;
}

/* Returns what it counts of the pass. */
static size_t
plan_item(struct pass *p, struct record *record)
{
	struct item it = { .record = record };
	struct lease_ops ops = { 0 };

	record->is_dirty = false;
	it.service = (const struct service *)world_get(p->app->world,
	    OBJECT_SERVICE, record->cluster, record->ns, record->name);
	if (!it.service && record->is_programmed &&
	    facts_is_refused(p->app, record->cluster, record->key))
		return 1;
	if (it.service)
		it.decision = plan_service(&p->in, it.service);
	if (it.decision && !it.decision->is_ours) {
		decision_free(it.decision);
		it.decision = NULL;
	}
	if (waits_for_cluster(p, &it)) {
		it.is_held_back = true;
		record_set_pending(record, "FirstSync",
		    "the database is new: the API server tells first which "
		    "addresses its Services show; waits a minute at most");
	} else if (it.decision) {
		plan_lease_puts(&p->in, it.service, it.decision, &ops);
	}
	for (size_t i = 0; i < ops.n; i++) {
		end_foreign_claims(p, &ops.v[i].lease);
		put_tentatively(p, &ops.v[i]);
	}
	vec_fini(&ops);
	vec_push(&p->items, it);
	return 1 + n_elements(it.decision);
}

/* By turn, so that nobody is given by chance what another one shows or asks
 * for; then by key, so that the result does not depend on the order of
 * events. */
static int
dirty_order(const void *a, const void *b)
{
	const struct record *ra = *(struct record *const *)a;
	const struct record *rb = *(struct record *const *)b;

	if (ra->turn != rb->turn)
		return ra->turn < rb->turn ? -1 : 1;
	return strcmp(ra->key, rb->key);
}

struct batch {
	VEC(struct record *) v;
};

/* Those of the turn, while there is room. */
static void
take_turn(struct app *app, enum turn turn, struct batch *batch)
{
	struct records *records = app->records;
	struct record **v = records->dirty.v;
	size_t n = records->dirty.n;
	size_t kept = 0;
	size_t i = 0;

	for (; i < n && batch->v.n < BATCH; i++) {
		if (v[i]->turn == turn &&
		    reconcile_is_cluster_ready(app, v[i]->cluster))
			vec_push(&batch->v, v[i]);
		else
			v[kept++] = v[i];
	}
	/* Of a burst nearly all wait for the next pass. */
	if (kept < i && i < n)
		memmove(v + kept, v + i, (n - i) * sizeof(*v));
	records->dirty.n = kept + n - i;
}

/* Moves up to BATCH dirty records of ready clusters into the pass. */
static void
take_dirty(struct pass *p)
{
	struct app *app = p->app;
	mono_t until = clock_mono() + PLAN_SLICE_MS * MONO_MS;
	struct batch batch = { 0 };
	size_t n = 0;

	for (int turn = 0; turn < TURN__COUNT; turn++)
		take_turn(app, (enum turn)turn, &batch);
	vec_sort(&batch.v, dirty_order);
	for (size_t i = 0; i < batch.v.n; i++) {
		if (n > BATCH_ELEMENTS || (n > 0 && clock_mono() > until)) {
			vec_push(&app->records->dirty, batch.v.v[i]);
			continue;
		}
		n += plan_item(p, batch.v.v[i]);
	}
	vec_fini(&batch.v);
}

/* ---- withdraw, program, announce ---- */

static bool
still_wanted(const struct item *it, const struct addr *addr)
{
	const struct decision *d = it->decision;

	if (!d || it->record->has_conflict)
		return false;
	for (size_t i = 0; i < d->n_addrs; i++)
		if (addr_eq(&d->addrs[i].addr, addr))
			return plan_wants_route(d, i);
	return false;
}

static void
withdraw(struct pass *p, struct item *it)
{
	struct record *r = it->record;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_routes; i++) {
		struct prefix prefix = prefix_host(&r->routes[i]);

		if (still_wanted(it, &r->routes[i])) {
			r->routes[kept++] = r->routes[i];
			continue;
		}
		if (records_route_unref(p->app->records, &r->routes[i]))
			bgp_speaker_withdraw(p->app->speaker, &prefix);
	}
	r->n_routes = kept;
}

static bool
has_route(const struct record *r, const struct addr *addr)
{
	for (size_t i = 0; i < r->n_routes; i++)
		if (addr_eq(&r->routes[i], addr))
			return true;
	return false;
}

static void
announce(struct pass *p, struct item *it)
{
	struct record *r = it->record;
	const struct decision *d = it->decision;

	for (size_t i = 0; d && r->is_programmed && i < d->n_addrs; i++) {
		struct prefix prefix = prefix_host(&d->addrs[i].addr);

		if (!plan_wants_route(d, i) || has_route(r, &d->addrs[i].addr))
			continue;
		r->routes[r->n_routes++] = d->addrs[i].addr;
		if (records_route_ref(p->app->records, &d->addrs[i].addr))
			bgp_speaker_announce(p->app->speaker, &prefix);
	}
}

static void
stage(struct pass *p, struct item *it)
{
	struct record *r = it->record;
	const struct decision *d = it->decision;
	struct err err = { 0 };
	int rc;

	r->has_conflict = false;
	rc = nft_stage(p->app->nft, r->key, d ? d->frontends : NULL,
	    d ? d->n_frontends : 0, &err);
	it->is_staged = rc == 0;
	if (rc == 0)
		return;
	if (rc == -EEXIST || rc == -ENOSPC) {
		r->has_conflict = true;
		record_set_pending(r,
		    rc == -EEXIST ? "AddressConflict" : "KernelLimit",
		    err.text);
		record_mark_waiting(p->app->records, r);
		if (nft_stage(p->app->nft, r->key, NULL, 0, &err) == 0)
			it->is_staged = true;
		return;
	}
	record_set_pending(r, "Kernel", err.text);
}

static void
retry_soon(struct app *app)
{
	if (!loop_timer_is_armed(app->retry_timer))
		loop_timer_arm(app->retry_timer, RETRY_MS * MONO_MS);
}

/* One transaction for all of the pass.  If the kernel refuses, nothing of it
 * is in force and all of it is tried again. */
static void
program(struct pass *p)
{
	struct app *app = p->app;
	struct err err = { 0 };
	uint64_t commits = nft_stats(app->nft)->commits;
	int rc;

	rc = nft_commit(app->nft, &err);
	if (nft_stats(app->nft)->commits != commits) {
		histogram_add(&app->nft_commit,
		    nft_stats(app->nft)->last_commit_us);
		loop_timer_arm(app->flush_timer, 0);
	}
	if (rc < 0) {
		if (problems_set(app->problems, SEVERITY_ERROR, OBJECT__COUNT,
			NULL, "kernel", err.text,
			"it is tried again every second"))
			log_err("nft commit: %s", err.text);
		retry_soon(app);
	} else if (problems_clear(app->problems, "kernel")) {
		log_notice("nft commit: accepted again");
	}
	for (size_t i = 0; i < p->items.n; i++) {
		struct item *it = &p->items.v[i];

		if (it->is_held_back)
			continue;
		if (rc < 0 || !it->is_staged) {
			if (rc < 0)
				record_set_pending(it->record, "Kernel",
				    err.text);
			record_mark_dirty(app->records, it->record,
			    it->record->dirty_since);
			it->record->is_programmed = false;
		} else {
			it->record->is_programmed =
			    it->decision && !it->record->has_conflict;
			if (!it->record->has_conflict)
				record_set_pending(it->record, "", NULL);
		}
	}
}

/* ---- release ---- */

/* What the item's Service holds and does not want any more. */
static void
plan_releases(struct pass *p, struct item *it, struct lease_ops *ops)
{
	struct record *r = it->record;
	size_t before = ops->n;

	if (it->is_held_back || r->is_dirty)
		return;
	plan_lease_releases(&p->in, r->cluster, r->ns, r->name, it->decision,
	    it->decision      ? "the Service asks for another address"
		: it->service ? "the Service is no longer ours"
			      : "the Service is gone",
	    ops);
	it->n_releases = ops->n - before;
}

/* One transaction for all of the pass, like persist().  If it fails, all of
 * them stay held until the database is back and its holders are planned
 * again: nothing else waits for that. */
static void
release(struct pass *p)
{
	struct app *app = p->app;
	struct lease_ops ops = { 0 };
	const struct lease_op *op;
	int rc;

	for (size_t i = 0; i < p->items.n; i++)
		plan_releases(p, &p->items.v[i], &ops);
	rc = apply_ops(app, ops.v, ops.n);
	op = ops.v;
	for (size_t i = 0; i < p->items.n; i++) {
		struct item *it = &p->items.v[i];

		for (size_t k = 0; rc == 0 && k < it->n_releases; k++, op++) {
			tell_released(app, it->service, &op->lease);
			lease_table_apply(app->leases, op);
		}
	}
	if (rc == 0 && ops.n) {
		app->next_expiry = 0;
		plan_cache_addresses_freed(app->cache);
		reconcile_wake_waiting(app);
	}
	vec_fini(&ops);
}

/* The decision becomes what the record shows; held back ones keep the old. */
static void
settle(struct pass *p, struct item *it)
{
	struct app *app = p->app;
	struct record *r = it->record;

	if (it->is_held_back) {
		if (!r->decision) {
			/* Shown as pending, with nothing promised. */
			it->decision->n_addrs = 0;
			it->decision->n_frontends = 0;
			r->decision = it->decision;
		} else {
			decision_free(it->decision);
		}
		it->decision = NULL;
		record_mark_waiting(app->records, r);
		tell_state(app, r);
		return;
	}
	p->has_other_frontends |=
	    !decision_same_frontends(r->decision, it->decision);
	decision_free(r->decision);
	r->decision = it->decision;
	it->decision = NULL;
	if (r->decision) {
		decision_drop_backends(r->decision);
		if (r->decision->is_refused || r->decision->lacks_address)
			record_mark_waiting(app->records, r);
	}
	publish_service(app, r);
	tell_state(app, r);
	if (!r->decision && !r->is_dirty)
		records_remove(app->records, r);
}

/* Out of service nothing is planned, but whoever writes an address into a
 * status is corrected.  withdraw-all --undo plans all of them. */
static void
publish_withdrawn(struct app *app)
{
	struct record **r;

	VEC_FOREACH (r, &app->records->dirty) {
		(*r)->is_dirty = false;
		publish_service(app, *r);
	}
	vec_clear(&app->records->dirty);
}

static void
run_pass(void *arg)
{
	struct app *app = arg;
	struct pass p = { .app = app };
	mono_t now;

	app->is_pass_scheduled = false;
	/* What belongs together is planned together: its end kicks. */
	if (files_is_reading(app->files))
		return;
	(void)expire_follow_clock(app);
	p.in = app_plan_input(app);
	if (app->is_withdrawn) {
		publish_withdrawn(app);
		return;
	}
	take_dirty(&p);
	if (!p.items.n)
		goto out;
	persist(&p);
	/* Staging, which touches nothing yet, finds the conflicts. */
	for (size_t i = 0; i < p.items.n; i++)
		if (!p.items.v[i].is_held_back)
			stage(&p, &p.items.v[i]);
	for (size_t i = 0; i < p.items.n; i++)
		if (!p.items.v[i].is_held_back)
			withdraw(&p, &p.items.v[i]);
	bgp_speaker_flush(app->speaker);
	program(&p);
	now = clock_mono();
	for (size_t i = 0; i < p.items.n; i++) {
		struct item *it = &p.items.v[i];

		if (!it->is_held_back)
			announce(&p, it);
		if (it->decision && it->record->is_programmed)
			histogram_add(&app->converge,
			    now - it->record->dirty_since);
	}
	release(&p);
	for (size_t i = 0; i < p.items.n; i++)
		settle(&p, &p.items.v[i]);
	/* A port that was given up may be what another one waits for. */
	if (p.has_other_frontends)
		reconcile_wake_conflicting(app);
	reconcile_kick(app);
	app_progress(app);
out:
	vec_fini(&p.items);
	vec_fini(&p.puts);
	vec_fini(&p.undo);
	arena_fini(&p.undo_arena);
}

void
reconcile_kick(struct app *app)
{
	if (app->is_pass_scheduled || loop_timer_is_armed(app->retry_timer) ||
	    !app->records->dirty.n)
		return;
	app->is_pass_scheduled = true;
	loop_defer(app->loop, run_pass, app);
}

enum service_state
reconcile_state(const struct app *app, const struct record *r)
{
	const struct decision *d = r->decision;

	if (r->has_conflict || (d && d->is_refused))
		return SERVICE_STATE_REFUSED;
	if (!r->is_programmed || *r->pending || app->is_withdrawn)
		return SERVICE_STATE_PENDING;
	return r->n_routes ? SERVICE_STATE_ANNOUNCED : SERVICE_STATE_PROGRAMMED;
}

void
reconcile_withdraw_all(struct app *app)
{
	struct record **at;

	VEC_FOREACH (at, &app->records->all) {
		struct record *r = *at;

		for (size_t i = 0; i < r->n_routes; i++) {
			struct prefix prefix = prefix_host(&r->routes[i]);

			if (records_route_unref(app->records, &r->routes[i]))
				bgp_speaker_withdraw(app->speaker, &prefix);
		}
		r->n_routes = 0;
		r->is_programmed = false;
		publish_service(app, r);
		tell_state(app, r);
	}
	bgp_speaker_flush(app->speaker);
}
