/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adopt: the start.  What the kernel carries and the database remembers is
 * taken over as it is, before anything is planned; and what happens when the
 * database cannot be used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/nft.h"
#include "base/str.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "plan/alloc.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/notify.h"

enum {
	STORE_RETRY_S = 10,
	ANNOUNCE_A_TURN = 500
};

void
adopt_database_failed(struct app *app, const struct err *err)
{
	snprintf(app->database_problem, sizeof(app->database_problem), "%s",
	    err->text);
	if (problems_set(app->problems, SEVERITY_ERROR, OBJECT__COUNT, NULL,
		"database", err->text,
		"nothing new is promised until it can be written; it is tried "
		"every 10 s"))
		log_err("database: %s", err->text);
	if (!loop_timer_is_armed(app->store_timer))
		loop_timer_arm(app->store_timer, STORE_RETRY_S * MONO_S);
}

static void
database_works(struct app *app)
{
	app->database_problem[0] = '\0';
	if (problems_clear(app->problems, "database"))
		log_notice("database: usable again");
}

void
adopt_database_written(struct app *app)
{
	if (*app->database_problem && app->unsaved.n == 0)
		database_works(app);
}

void
adopt_remember_unsaved(struct app *app, const struct lease *lease)
{
	struct lease copy = *lease;

	copy.cluster = mem_strdup(lease->cluster);
	copy.ns = mem_strdup(lease->ns);
	copy.name = mem_strdup(lease->name);
	copy.uid = mem_strdup(lease->uid);
	copy.pool = mem_strdup(lease->pool);
	vec_push(&app->unsaved, copy);
}

static void
unsaved_fini(struct lease *l)
{
	free((void *)(uintptr_t)l->cluster);
	free((void *)(uintptr_t)l->ns);
	free((void *)(uintptr_t)l->name);
	free((void *)(uintptr_t)l->uid);
	free((void *)(uintptr_t)l->pool);
}

void
adopt_forget_unsaved(struct app *app)
{
	struct lease *l;

	VEC_FOREACH (l, &app->unsaved)
		unsaved_fini(l);
	vec_fini(&app->unsaved);
}

static bool
is_row_held(const struct lease_table *table, const struct lease *lease)
{
	const struct lease *l;

	for (l = lease_of_address(table, &lease->address); l;
	     l = lease_next_of_address(l))
		if (l->is_held && strcmp(l->name, lease->name) == 0 &&
		    strcmp(l->ns, lease->ns) == 0 &&
		    strcmp(l->cluster, lease->cluster) == 0)
			return true;
	return false;
}

/* All that was adopted while there was no database, in one transaction. */
static void
save_unsaved(struct app *app)
{
	VEC(struct lease_op) ops = { 0 };
	struct err err = { 0 };
	struct lease *l;

	VEC_FOREACH (l, &app->unsaved) {
		struct lease_op op = { .kind = LEASE_OP_PUT,
			.lease = *l,
			.event = "adopted",
			.reason = "found in the kernel or the Service status",
			.at = clock_wall() };

		vec_push(&ops, op);
		if (!is_row_held(app->leases, l))
			lease_table_apply(app->leases, &op);
	}
	if (!store_is_open(app->store) || !ops.n)
		goto out;
	if (store_apply(app->store, ops.v, ops.n, &err) < 0)
		adopt_database_failed(app, &err);
	else
		adopt_forget_unsaved(app);
out:
	vec_fini(&ops);
}

/* `*was_lost`: the file was begun anew and knows nothing. */
static int
open_store(struct app *app, struct lease_table *table, bool *was_lost)
{
	struct err err = { 0 };
	int rc = store_open(app->store, table, clock_wall(), was_lost, &err);

	if (rc < 0) {
		adopt_database_failed(app, &err);
		return rc;
	}
	if (*was_lost && *err.text)
		log_err("database: %s", err.text);
	return 0;
}

void
adopt_store(struct app *app)
{
	const char *withdrawn;
	bool was_lost = false;
	size_t n;

	if (open_store(app, app->leases, &was_lost) < 0)
		return;
	free(lease_table_list(app->leases, &n));
	if (n == 0)
		settle_await_cluster(app);
	withdrawn = store_get(app->store, "withdrawn");
	app->is_withdrawn = strcmp(withdrawn, "true") == 0;
	app->is_removal_due = app->is_withdrawn;
}

/* The file was lost under the running daemon, which still knows all; until
 * all of it is written, this is due again. */
static void
rewrite_store(struct app *app)
{
	VEC(struct lease_op) ops = { 0 };
	wall_t now = clock_wall();
	struct err err = { 0 };
	size_t n_leases;
	size_t n_reserved;
	const struct lease **leases = lease_table_list(app->leases, &n_leases);
	const struct reservation **reserved =
	    reservation_list(app->leases, &n_reserved);

	for (size_t i = 0; i < n_leases; i++)
		vec_push(&ops,
		    (struct lease_op){ .kind = LEASE_OP_PUT,
			.lease = *leases[i],
			.event = "adopted",
			.reason = "the database was lost",
			.at = now });
	for (size_t i = 0; i < n_reserved; i++)
		vec_push(&ops,
		    (struct lease_op){ .kind = LEASE_OP_RESERVE,
			.lease = { .address = reserved[i]->address,
			    .cluster = "",
			    .ns = reserved[i]->ns,
			    .name = reserved[i]->name,
			    .uid = "",
			    .pool = reserved[i]->pool },
			.event = "reserved",
			.reason = "the database was lost",
			.at = now });
	app->is_rewrite_due =
	    ops.n > 0 && store_apply(app->store, ops.v, ops.n, &err) < 0;
	if (app->is_rewrite_due)
		adopt_database_failed(app, &err);
	vec_fini(&ops);
	free(leases);
	free(reserved);
}

/* withdraw-all is remembered over restarts: written if it could not be when
 * it was asked for, else taken from the database that comes back. */
static void
settle_withdrawn(struct app *app)
{
	struct err err = { 0 };
	bool was = strcmp(store_get(app->store, "withdrawn"), "true") == 0;
	int rc = 0;

	if (was == app->is_withdrawn)
		app->is_withdrawn_unsaved = false;
	else if (app->is_withdrawn_unsaved)
		rc = adopt_save_withdrawn(app, &err);
	else
		rc = app_withdraw(app, was, &err);
	if (rc < 0)
		log_err("withdraw-all: %s", err.text);
}

int
adopt_save_withdrawn(struct app *app, struct err *err)
{
	int rc = store_set(app->store, "withdrawn",
	    app->is_withdrawn ? "true" : "", err);

	app->is_withdrawn_unsaved = rc < 0;
	if (rc < 0)
		adopt_database_failed(app, err);
	return rc;
}

/* What the database says already needs no second row of ours, which may know
 * less: pools are not known yet when the kernel is adopted. */
static void
forget_known(struct app *app)
{
	size_t kept = 0;

	for (size_t i = 0; i < app->unsaved.n; i++) {
		if (is_row_held(app->leases, &app->unsaved.v[i]))
			unsaved_fini(&app->unsaved.v[i]);
		else
			app->unsaved.v[kept++] = app->unsaved.v[i];
	}
	app->unsaved.n = kept;
}

/* Who holds something: also if it is neither in the kernel (a reboot) nor at
 * the API server any more. */
static void
dirty_holders(struct app *app)
{
	size_t n;
	const struct lease **leases = lease_table_list(app->leases, &n);

	for (size_t i = 0; i < n; i++) {
		struct record *r;

		if (!leases[i]->is_held)
			continue;
		r = records_get(app->records, leases[i]->cluster, leases[i]->ns,
		    leases[i]->name);
		record_mark_dirty(app->records, r, clock_mono());
	}
	free(leases);
}

/* What can be read may be on a full disk all the same. */
static bool
try_writing(struct app *app)
{
	struct err err = { 0 };
	char *value = mem_strdup(store_get(app->store, "withdrawn"));
	int rc = store_set(app->store, "withdrawn", value, &err);

	free(value);
	if (rc < 0)
		adopt_database_failed(app, &err);
	else
		database_works(app);
	return rc == 0;
}

/* What was adopted meanwhile is added to what the database says. */
bool
adopt_retry_store(struct app *app)
{
	struct lease_table *fresh;
	bool was_lost = false;

	if (store_is_open(app->store) && !store_is_lost(app->store)) {
		if (!try_writing(app))
			return false;
		if (app->is_rewrite_due)
			rewrite_store(app);
	} else {
		fresh = lease_table_new();
		if (open_store(app, fresh, &was_lost) < 0) {
			lease_table_free(fresh);
			return false;
		}
		(void)try_writing(app); /* what it knows is of use anyway */
		/* Or the new one has not been told yet what we know. */
		if (was_lost || app->is_rewrite_due) {
			lease_table_free(fresh);
			settle_await_cluster(app);
			rewrite_store(app);
			app->is_withdrawn_unsaved |= app->is_withdrawn;
		} else {
			lease_table_free(app->leases);
			app->leases = fresh;
			forget_known(app);
		}
	}
	save_unsaved(app);
	settle_withdrawn(app);
	dirty_holders(app);
	app->next_expiry = 0;
	plan_cache_addresses_freed(app->cache);
	reconcile_wake_waiting(app);
	return true;
}

static const char *
pool_name_of(const struct app *app, const struct addr *addr)
{
	size_t n;
	const struct pool *const *pools = world_pools(app->world, &n);

	for (size_t i = 0; i < n; i++)
		if (pool_offers(pools[i], addr))
			return pools[i]->o.name;
	return "";
}

/* "cluster/namespace/name" in place. */
static bool
split_key(char *key, char **ns, char **name)
{
	*ns = strchr(key, '/');
	if (!*ns)
		return false;
	*(*ns)++ = '\0';
	*name = strchr(*ns, '/');
	if (!*name)
		return false;
	*(*name)++ = '\0';
	return true;
}

static void
adopt_address(struct app *app, const struct record *r, const struct addr *addr)
{
	const char *pool_name = pool_name_of(app, addr);
	const struct pool *pool = world_pool(app->world, pool_name);
	struct lease lease = { .address = *addr,
		.cluster = r->cluster,
		.ns = r->ns,
		.name = r->name,
		.uid = "",
		.pool = pool_name,
		.is_passive =
		    pool && pool_serves_as(pool) == POOL_PROTOCOL_PASSIVE,
		.is_held = true,
		.since = clock_wall() };

	if (!is_row_held(app->leases, &lease))
		adopt_remember_unsaved(app, &lease);
}

/* As what is held will be planned: by its pool, and if that is gone, by what
 * its row says. */
static bool
is_for_bgp(const struct app *app, const struct lease *l)
{
	const struct pool *pool = alloc_pool_of(app->world, l);

	if (pool)
		return pool_serves_as(pool) == POOL_PROTOCOL_BGP;
	/* A row without a pool: the pools may still be on their way. */
	return !l->is_passive &&
	    (*l->pool || app->are_pools_listed || remember_count(app) > 0);
}

static bool
has_route(const struct record *r, const struct addr *addr)
{
	for (size_t i = 0; i < r->n_routes; i++)
		if (addr_eq(&r->routes[i], addr))
			return true;
	return false;
}

/* At once, so that routers that kept our routes over the restart find them
 * confirmed. */
static void
announce_unplanned(struct app *app, struct record *r)
{
	const struct lease *l;

	for (l = lease_of_service(app->leases, r->cluster, r->ns, r->name); l;
	     l = lease_next_of_service(l)) {
		struct prefix prefix = prefix_host(&l->address);

		if (app->is_withdrawn || r->n_routes == SERVICE_FAMILIES_MAX ||
		    !l->is_held || !nft_has_address(app->nft, &l->address) ||
		    !is_for_bgp(app, l) || has_route(r, &l->address))
			continue;
		r->routes[r->n_routes++] = l->address;
		if (records_route_ref(app->records, &l->address))
			bgp_speaker_announce(app->speaker, &prefix);
	}
	r->told =
	    r->n_routes ? SERVICE_STATE_ANNOUNCED : SERVICE_STATE_PROGRAMMED;
}

/* A slice; false after the last. */
static bool
announce_some(struct app *app)
{
	struct records *records = app->records;
	size_t i = records_after(records, str_get(&app->announced_to));
	size_t end = MIN(i + ANNOUNCE_A_TURN, records->all.n);

	for (; i < end; i++) {
		struct record *r = records->all.v[i];

		if (r->is_programmed && !r->decision)
			announce_unplanned(app, r);
	}
	str_clear(&app->announced_to);
	if (end == records->all.n)
		return false;
	str_add(&app->announced_to, records->all.v[end - 1]->key);
	return true;
}

static void
announce_rest(void *arg)
{
	struct app *app = arg;

	if (announce_some(app))
		loop_defer(app->loop, announce_rest, app);
	else
		app->is_announcing = false;
}

void
adopt_announce(struct app *app)
{
	str_clear(&app->announced_to);
	if (app->is_announcing)
		return;
	app->is_announcing = true;
	loop_defer(app->loop, announce_rest, app);
}

static void
adopt_service(void *arg, const char *key, const struct frontend *frontends,
    size_t n_frontends)
{
	struct app *app = arg;
	char *copy = mem_strdup(key);
	struct record *r;
	char *ns;
	char *name;

	if (!split_key(copy, &ns, &name)) {
		free(copy);
		return;
	}
	r = records_get(app->records, copy, ns, name);
	free(copy);
	r->is_programmed = true;
	r->is_published = true;
	r->was_told = true;
	r->told_message = str_hash("");
	for (size_t i = 0; i < n_frontends; i++)
		adopt_address(app, r, &frontends[i].addr);
	record_mark_dirty(app->records, r, clock_mono());
}

void
adopt_kernel(struct app *app)
{
	struct err err = { 0 };

	if (app->is_kernel_adopted || app->is_withdrawn)
		return;
	if (nft_load(app->nft, &err) < 0) {
		if (problems_set(app->problems, SEVERITY_ERROR, OBJECT__COUNT,
			NULL, "kernel", err.text,
			"it is tried again every second"))
			log_err("kernel: %s", err.text);
		/* systemctl start would wait for as long as it takes. */
		notify_ready(app->notify);
		return;
	}
	app->is_kernel_adopted = true;
	if (problems_clear(app->problems, "kernel"))
		log_notice("kernel: it can be used now");
	nft_each_service(app->nft, adopt_service, app);
	save_unsaved(app);
	while (announce_some(app))
		;
	dirty_holders(app);
	reconcile_kick(app);
}
