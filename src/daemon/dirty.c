/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty: which records must be looked at again, and whose turn it is.
 */
#include <string.h>

#include "daemon/app.h"
#include "model/world.h"
#include "sys/clock.h"

bool
reconcile_is_cluster_ready(const struct app *app, const char *cluster)
{
	if (!app->are_probes_settled || !app->is_kernel_adopted)
		return false;
	if (strcmp(cluster, CLUSTER_STATIC) == 0)
		return true;
	return app->kube && app->is_kube_synced &&
	    strcmp(cluster, app->conf.cluster_name) == 0;
}

bool
reconcile_is_idle(const struct app *app)
{
	const struct records *records = app->records;

	for (size_t i = 0; i < records->dirty.n; i++)
		if (reconcile_is_cluster_ready(app,
			records->dirty.v[i]->cluster))
			return false;
	return true;
}

void
reconcile_dirty(struct app *app, const char *cluster, const char *ns,
    const char *name)
{
	struct record *r;

	if (!*name)
		return;
	r = records_get(app->records, cluster, ns, name);
	r->turn = turn_of_service((const struct service *)world_get(app->world,
	    OBJECT_SERVICE, cluster, ns, name));
	record_mark_dirty(app->records, r, clock_mono());
}

void
reconcile_dirty_cluster(struct app *app, const char *cluster)
{
	mono_t now = clock_mono();
	struct record **r;

	VEC_FOREACH (r, &app->records->all)
		if (strcmp((*r)->cluster, cluster) == 0)
			record_mark_dirty(app->records, *r, now);
}

void
reconcile_dirty_all(struct app *app)
{
	mono_t now = clock_mono();
	struct record **r;

	VEC_FOREACH (r, &app->records->all)
		record_mark_dirty(app->records, *r, now);
}

/* Also those that were not ours so far. */
void
reconcile_dirty_services(struct app *app)
{
	const struct object *o;

	for (o = world_first(app->world, OBJECT_SERVICE); o;
	     o = world_next(app->world, o))
		reconcile_dirty(app, o->cluster, o->ns, o->name);
	reconcile_dirty_all(app);
}

static void
wake(struct app *app, bool only_conflicting)
{
	struct records *records = app->records;
	mono_t now = clock_mono();
	size_t kept = 0;

	for (size_t i = 0; i < records->waiting.n; i++) {
		struct record *r = records->waiting.v[i];

		if (only_conflicting && !r->has_conflict) {
			records->waiting.v[kept++] = r;
			continue;
		}
		r->is_waiting = false;
		record_mark_dirty(records, r, now);
	}
	records->waiting.n = kept;
}

void
reconcile_wake_waiting(struct app *app)
{
	wake(app, false);
}

void
reconcile_wake_conflicting(struct app *app)
{
	wake(app, true);
}
