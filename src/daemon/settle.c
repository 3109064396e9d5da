/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/app.h"
#include "model/world.h"
#include "source/probe.h"
#include "sys/clock.h"
#include "sys/loop.h"

/* How long the first answers are waited for: a probe's time-out, some of them
 * in a row, and a little. */
enum {
	EXTRA_MS = 500,
	LOOK_AGAIN_MS = 20,
	AWAIT_CLUSTER_S = 60
};

static bool
is_every_probe_known(const struct app *app)
{
	const struct object *o;

	for (o = world_first(app->world, OBJECT_NODE); o;
	     o = world_next(app->world, o)) {
		struct probe_status s;

		if (probe_get(app->probe, o->cluster, o->name, &s) &&
		    s.state == PROBE_UNKNOWN)
			return false;
	}
	return true;
}

void
settle_check(struct app *app)
{
	if (app->are_probes_settled)
		return;
	if (app->conf.probe.is_on && clock_mono() < app->settle_until &&
	    !is_every_probe_known(app)) {
		loop_timer_arm(app->settle_timer, LOOK_AGAIN_MS * MONO_MS);
		return;
	}
	loop_timer_disarm(app->settle_timer);
	app->are_probes_settled = true;
	reconcile_kick(app);
	app_progress(app);
}

void
settle_begin(struct app *app)
{
	int64_t round_us =
	    MAX(app->conf.probe.timeout_us, app->conf.probe.interval_us);

	app->are_probes_settled = false;
	app->settle_until = clock_mono() +
	    round_us * (int64_t)(app->conf.probe.fall + 1) + EXTRA_MS * MONO_MS;
	settle_check(app);
}

void
settle_await_cluster(struct app *app)
{
	if (app->conf.kubeconfig && !app->is_kube_synced)
		app->await_until = clock_mono() + AWAIT_CLUSTER_S * MONO_S;
}

void
settle_cluster_known(struct app *app)
{
	if (!app->await_until)
		return;
	app->await_until = 0;
	reconcile_wake_waiting(app);
	reconcile_kick(app);
}

void
settle_tick(struct app *app)
{
	if (app->await_until < clock_mono())
		settle_cluster_known(app);
}
