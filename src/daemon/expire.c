/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "daemon/app.h"
#include "model/lease.h"
#include "store/store.h"
#include "sys/clock.h"

enum {
	RETRY_S = 10
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

void
expire_leases(struct app *app)
{
	wall_t now = clock_wall();
	VEC(struct lease_op) ops = { 0 };
	const struct lease **all;
	size_t n;

	if (app->next_expiry > now)
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
