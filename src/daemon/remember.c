/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remember: the cluster's Eip, BgpConf and BgpPeer objects are kept in the
 * database, so that a start while the API server is away finds its pools and
 * peers again.
 *
 * What was recalled is replaced, kind by kind, by the first full list; of
 * another API server nothing is recalled.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "conf/tree.h"
#include "daemon/app.h"
#include "model/world.h"
#include "source/decode.h"
#include "source/kube.h"
#include "store/store.h"
#include "sys/log.h"
#include "sys/loop.h"

static const enum object_kind kinds[] = { OBJECT_EIP, OBJECT_BGP_CONF,
	OBJECT_BGP_PEER };

/* ---- saving ---- */

static void
save(struct app *app, enum object_kind kind)
{
	struct remembered *r = &app->remembered[kind];
	uint64_t generation = world_generation(app->world, kind);
	VEC(const struct object *) ours = { 0 };
	struct err err = { 0 };
	const struct object **all;
	size_t n;

	if (!r->server || r->generation == generation ||
	    !store_is_open(app->store))
		return;
	all = world_list(app->world, kind, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i]->cluster, app->conf.cluster_name) == 0)
			vec_push(&ours, all[i]);
	if (store_remember(app->store, kind, r->server, ours.v, ours.n, &err) <
	    0)
		adopt_database_failed(app, &err);
	else
		r->generation = generation;
	vec_fini(&ours);
	free(all);
}

static void
save_all(void *arg)
{
	struct app *app = arg;

	app->is_remember_scheduled = false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		save(app, kinds[i]);
}

void
remember_schedule(struct app *app)
{
	if (app->is_remember_scheduled)
		return;
	app->is_remember_scheduled = true;
	loop_defer(app->loop, save_all, app);
}

void
remember_anew(struct app *app)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		app->remembered[kinds[i]].generation = 0;
	remember_schedule(app);
}

void
remember_list_begin(struct app *app, enum object_kind kind, const char *cluster)
{
	if (strcmp(cluster, CLUSTER_STATIC) != 0)
		app->remembered[kind].server = 0;
}

void
remember_list_end(struct app *app, enum object_kind kind, const char *cluster)
{
	struct kube_status status;

	if (!app->kube || strcmp(cluster, CLUSTER_STATIC) == 0)
		return;
	kube_get_status(app->kube, &status);
	app->remembered[kind] = (struct remembered){ .server = status.server };
	remember_schedule(app);
}

/* ---- recalling ---- */

struct recall {
	struct app *app;
	enum object_kind kind;
};

static void
on_manifest(void *arg, const char *manifest)
{
	const struct recall *recall = arg;
	struct app *app = recall->app;
	struct arena arena = { 0 };
	struct object *o = NULL;
	struct err err = { 0 };
	const struct tree *t;

	if (tree_parse_json(manifest, strlen(manifest), &arena, &t, &err) < 0 ||
	    decode_object(t, &recall->kind, app->conf.cluster_name, DECODE_API,
		&o, NULL, &err) < 0) {
		log_warn("database: an object of kind %s is not usable: %s",
		    object_kind_name(recall->kind), err.text);
	} else {
		app->sink.put(app->sink.arg, o);
		app->remembered[recall->kind].n_recalled++;
	}
	arena_fini(&arena);
}

void
remember_recall(struct app *app, uint64_t server)
{
	struct err err = { 0 };

	if (!server || !store_is_open(app->store))
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct recall recall = { .app = app, .kind = kinds[i] };
		struct remembered *r = &app->remembered[kinds[i]];

		if (store_recall(app->store, kinds[i], server, on_manifest,
			&recall, &err) < 0)
			adopt_database_failed(app, &err);
		r->server = server;
		r->generation = world_generation(app->world, kinds[i]);
	}
	if (remember_count(app))
		log_info("cluster %s: %zu objects remembered, in force until "
			 "the API server is heard",
		    app->conf.cluster_name, remember_count(app));
}

size_t
remember_count(const struct app *app)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += app->remembered[kinds[i]].n_recalled;
	return n;
}
