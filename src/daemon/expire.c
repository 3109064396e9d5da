/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "daemon/app.h"
#include "model/lease.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
	RETRY_S = 10,
	STEP_MIN_S = 2, /* what is less is the clock being slewed */
};

/* When the state of a released lease changes next; 0: never. */
static wall_t
next_change(const struct lease *l, wall_t now)
{
	if (l->is_held)
		return 0;
	if (now < l->quarantine_until)
		return l->quarantine_until;
	return l->sticky_until;
}

/* What cannot be written down now is looked at again. */
static void
delete_expired(struct app *app, const struct lease_op *ops, size_t n)
{
	struct err err = { 0 };

	if (!n)
		return;
	if (!store_is_open(app->store)) {
		app->next_expiry = clock_wall() + RETRY_S;
		return;
	}
	if (store_apply(app->store, ops, n, &err) < 0) {
		app->next_expiry = clock_wall() + RETRY_S;
		adopt_database_failed(app, &err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		lease_table_apply(app->leases, &ops[i]);
}

/* Of what was released since the boot, and so by the clock as it was. */
static int
shift_released(struct app *app, wall_t boot, wall_t by_s, struct err *err)
{
	VEC(struct lease_op) ops = { 0 };
	size_t n;
	const struct lease **all = lease_table_list(app->leases, &n);
	struct lease_op *op;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct lease l = *all[i];

		if (l.is_held || l.since < boot)
			continue;
		l.since += by_s;
		l.quarantine_until += by_s;
		l.sticky_until += by_s;
		vec_push(&ops,
		    (struct lease_op){ .kind = LEASE_OP_PUT,
			.lease = l,
			.event = "shifted",
			.reason = "the clock was set",
			.at = clock_wall() });
	}
	if (ops.n)
		rc = store_apply(app->store, ops.v, ops.n, err);
	if (rc == 0)
		VEC_FOREACH (op, &ops)
			lease_table_apply(app->leases, op);
	vec_fini(&ops);
	free(all);
	return rc;
}

bool
expire_follow_clock(struct app *app)
{
	int64_t boot_us = clock_wall_us() - clock_mono();
	/* Whole seconds of both, so that it is not one too few. */
	wall_t by_s = boot_us / MONO_S - app->boot_us / MONO_S;
	struct err err = { 0 };

	if (app->boot_us && llabs(by_s) >= STEP_MIN_S) {
		if (!store_is_open(app->store))
			return false;
		if (shift_released(app, app->boot_us / MONO_S, by_s, &err) <
		    0) {
			adopt_database_failed(app, &err);
			return false;
		}
		log_notice("clock: set by %+llds; quarantine and sticky time "
			   "follow it",
		    (long long)by_s);
		app->next_expiry = 0;
	}
	app->boot_us = boot_us;
	return true;
}

void
expire_leases(struct app *app)
{
	wall_t now = clock_wall();
	VEC(struct lease_op) ops = { 0 };
	const struct lease **all;
	size_t n;

	if (!expire_follow_clock(app) || app->next_expiry > now)
		return;
	app->next_expiry = INT64_MAX;
	all = lease_table_list(app->leases, &n);
	for (size_t i = 0; i < n; i++) {
		wall_t then = next_change(all[i], now);

		if (lease_state(all[i], now) == LEASE_EXPIRED)
			vec_push(&ops,
			    (struct lease_op){ .kind = LEASE_OP_DELETE,
				.lease = *all[i],
				.event = "expired",
				.reason = "sticky time is over",
				.at = now });
		else if (then)
			app->next_expiry = MIN(app->next_expiry, then);
	}
	delete_expired(app, ops.v, ops.n);
	vec_fini(&ops);
	free(all);
	plan_cache_addresses_freed(app->cache);
	reconcile_wake_waiting(app);
	reconcile_kick(app);
}
