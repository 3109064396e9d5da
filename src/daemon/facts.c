/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * facts: what the sources deliver goes into the world, and what that may
 * change becomes dirty.  Refused versions leave the last good one in force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_status.h"
#include "base/str.h"
#include "daemon/app.h"
#include "model/world.h"
#include "plan/backends.h"
#include "plan/share.h"
#include "source/probe.h"
#include "sys/log.h"
#include "sys/loop.h"

enum {
	SUBJECT_B = 600
};

static void
subject_of(char out[SUBJECT_B], enum object_kind kind, const char *ns,
    const char *name)
{
	snprintf(out, SUBJECT_B, "%s %s%s%s",
	    kind == OBJECT__COUNT ? "object" : object_kind_name(kind), ns,
	    *ns ? "/" : "", name);
}

static void
refresh_probe(struct app *app, const struct node *node)
{
	const struct addr *addr =
	    addr_is_set(&node->ipv4) ? &node->ipv4 : &node->ipv6;

	if (app->conf.probe.is_on && !backends_node_exclusion(node))
		probe_set(app->probe, node->o.cluster, node->o.name, addr);
	else
		probe_remove(app->probe, node->o.cluster, node->o.name);
}

void
facts_refresh_probes(struct app *app)
{
	const struct object *o;

	for (o = world_first(app->world, OBJECT_NODE); o;
	     o = world_next(app->world, o))
		refresh_probe(app, (const struct node *)o);
}

/* Until a cluster is ready nothing of it leaves the list of dirty ones: 5,000
 * nodes need not put 10,000 Services there. */
static void
dirty_users_of_node(struct app *app, const char *cluster, const char *node)
{
	mono_t now = loop_now(app->loop);
	struct record **r;

	if (!reconcile_is_cluster_ready(app, cluster))
		return;
	VEC_FOREACH (r, &app->records->all) {
		if (strcmp((*r)->cluster, cluster) == 0 &&
		    (!(*r)->decision ||
			backends_may_use((*r)->decision, (*r)->ns, (*r)->name,
			    node)))
			record_mark_dirty(app->records, *r, now);
	}
}

/* What the change of one object makes worth another look. */
static void
mark_dirty(struct app *app, const struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		reconcile_dirty(app, o->cluster, o->ns, o->name);
		return;
	case OBJECT_SLICE:
		reconcile_dirty(app, o->cluster, o->ns,
		    ((const struct slice *)o)->service);
		return;
	case OBJECT_NODE:
		dirty_users_of_node(app, o->cluster, o->name);
		return;
	case OBJECT_NAMESPACE:
		reconcile_wake_waiting(app);
		return;
	case OBJECT_EIP:
		remember_schedule(app);
		reconcile_dirty_all(app);
		return;
	case OBJECT_BGP_CONF:
	case OBJECT_BGP_PEER:
		remember_schedule(app);
		app_schedule_bgp(app);
		return;
	case OBJECT__COUNT:
		return;
	}
}

static void
unpark(struct app *app, const char *cluster, const char *name)
{
	for (size_t i = app->parked.n; i-- > 0;) {
		struct object *o = app->parked.v[i];

		if (strcmp(o->cluster, cluster) != 0 ||
		    (name && strcmp(o->name, name) != 0))
			continue;
		vec_remove(&app->parked, i);
		object_free(o);
		app->is_cr_status_dirty = true;
	}
}

static void
park(struct app *app, struct object *object, const struct pool *other)
{
	char subject[SUBJECT_B];
	char text[512];

	subject_of(subject, object->kind, "", object->name);
	snprintf(text, sizeof(text),
	    "its addresses overlap those of Eip %s%s%s", other->o.name,
	    object->origin ? "; it is in " : "",
	    object->origin ? object->origin : "");
	if (problems_set(app->problems, SEVERITY_ERROR, OBJECT_EIP,
		object->cluster, subject, text,
		"give each address to one Eip only; the one that was first "
		"stays in force"))
		log_err("%s: %s", subject, text);
	world_keep(app->world, OBJECT_EIP, object->cluster, "", object->name);
	vec_push(&app->parked, object);
	app->is_cr_status_dirty = true;
}

/* A slice may name another Service by now: the old one lost it. */
static void
dirty_former_service(struct app *app, const struct slice *slice)
{
	const struct slice *old = (const struct slice *)world_get(app->world,
	    OBJECT_SLICE, slice->o.cluster, slice->o.ns, slice->o.name);

	if (old && strcmp(old->service, slice->service) != 0)
		reconcile_dirty(app, old->o.cluster, old->o.ns, old->service);
}

/* What it holds may be shared on other terms by now. */
static void
wake_sharers(struct app *app, const struct service *new)
{
	const struct service *old =
	    (const struct service *)world_get(app->world, OBJECT_SERVICE,
		new->o.cluster, new->o.ns, new->o.name);

	if (old && !share_same_terms(old, new))
		reconcile_wake_waiting(app);
}

/* What is taken may have one thing to say against it. */
static void
note_accepted(struct app *app, const struct object *object)
{
	const char *unknown = object->kind == OBJECT_SERVICE
	    ? ((const struct service *)object)->unknown
	    : NULL;
	char subject[SUBJECT_B];

	subject_of(subject, object->kind, object->ns, object->name);
	if (!unknown) {
		if (problems_clear(app->problems, subject))
			log_notice("%s: accepted", subject);
		return;
	}
	if (!problems_set(app->problems, SEVERITY_WARNING, object->kind,
		object->cluster, subject, unknown,
		"correct or remove the annotation; the Service is served "
		"without it"))
		return;
	log_warn("%s: %s", subject, unknown);
	if (app->writer)
		kube_event(app->writer, object, true, "UnknownAnnotation",
		    "Decode", unknown);
}

static void
put_now(struct app *app, struct object *object)
{
	note_accepted(app, object);
	if (object->kind == OBJECT_SERVICE)
		wake_sharers(app, (const struct service *)object);
	if (object->kind == OBJECT_SLICE)
		dirty_former_service(app, (const struct slice *)object);
	if (!world_put(app->world, object))
		return;
	if (object->kind == OBJECT_NODE)
		refresh_probe(app, (const struct node *)object);
	mark_dirty(app, object);
	reconcile_kick(app);
}

static void
retry_parked(struct app *app)
{
	size_t n = app->parked.n;

	for (size_t i = 0; i < n; i++) {
		struct object *o = app->parked.v[0];

		vec_remove(&app->parked, 0);
		app->sink.put(app, o);
	}
}

static void
put(void *arg, struct object *object)
{
	struct app *app = arg;
	const struct pool *other;
	bool is_pool = object->kind == OBJECT_EIP;

	if (is_pool) {
		unpark(app, object->cluster, object->name);
		other =
		    world_overlapping_pool(app->world, (struct pool *)object);
		if (other) {
			park(app, object, other);
			return;
		}
	}
	put_now(app, object);
	if (is_pool && app->parked.n)
		retry_parked(app);
}

/* After the object left the world; `o` may be on its way out. */
static void
on_gone(struct app *app, const struct object *o)
{
	char subject[SUBJECT_B];

	subject_of(subject, o->kind, o->ns, o->name);
	problems_clear(app->problems, subject);
	if (o->kind == OBJECT_NODE)
		probe_remove(app->probe, o->cluster, o->name);
	mark_dirty(app, o);
}

static void
forget_refusal(struct app *app, const char *cluster, const char *ns,
    const char *name)
{
	struct str key = { 0 };

	str_printf(&key, "%s/%s/%s", cluster, ns, name);
	for (size_t i = 0; i < app->refused.n; i++) {
		if (strcmp(app->refused.v[i], key.s) != 0)
			continue;
		free(app->refused.v[i]);
		vec_remove(&app->refused, i);
		break;
	}
	str_fini(&key);
}

static void
gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	struct app *app = arg;
	const struct object *o = world_get(app->world, kind, cluster, ns, name);
	char subject[SUBJECT_B];

	if (kind == OBJECT_EIP)
		unpark(app, cluster, name);
	if (kind == OBJECT_SERVICE)
		forget_refusal(app, cluster, ns, name);
	if (o) {
		on_gone(app, o);
		world_remove(app->world, kind, cluster, ns, name);
	} else {
		/* It never had a version that could be used, but kernel and
		 * database may know it from before the start. */
		subject_of(subject, kind, ns, name);
		problems_clear(app->problems, subject);
		if (kind == OBJECT_SERVICE)
			reconcile_dirty(app, cluster, ns, name);
	}
	reconcile_kick(app);
	if (kind == OBJECT_EIP && app->parked.n)
		retry_parked(app);
}

static void
on_swept(void *arg, const struct object *o)
{
	on_gone(arg, o);
}

/* A file that cannot be read at all: what it gave before stays. */
static void
keep_objects_of_file(struct app *app, const char *cluster, const char *file)
{
	size_t len = strlen(file);

	for (int kind = 0; kind < OBJECT__COUNT; kind++) {
		const struct object *o;

		for (o = world_first(app->world, (enum object_kind)kind); o;
		     o = world_next(app->world, o)) {
			if (o->origin && strncmp(o->origin, file, len) == 0 &&
			    o->origin[len] == ':')
				world_keep(app->world, o->kind, cluster, o->ns,
				    o->name);
		}
	}
}

bool
facts_is_refused(const struct app *app, const char *cluster, const char *key)
{
	size_t len = strlen(cluster);

	for (size_t i = 0; i < app->refused.n; i++) {
		const char *r = app->refused.v[i];

		if (strcmp(r, key) == 0 ||
		    (strncmp(r, cluster, len) == 0 &&
			strcmp(r + len, "//") == 0))
			return true;
	}
	return false;
}

static void
remember_refused(struct app *app, const char *cluster, const char *ns,
    const char *name)
{
	struct str key = { 0 };

	str_printf(&key, "%s/%s/%s", cluster, ns, name);
	if (!facts_is_refused(app, cluster, str_get(&key)))
		vec_push(&app->refused, str_steal(&key));
	str_fini(&key);
}

/* True if there was any. */
static bool
forget_refused(struct app *app, const char *cluster)
{
	size_t len = strlen(cluster);
	size_t before = app->refused.n;

	for (size_t i = app->refused.n; i-- > 0;) {
		char *r = app->refused.v[i];

		if (strncmp(r, cluster, len) != 0 || r[len] != '/')
			continue;
		free(r);
		vec_remove(&app->refused, i);
	}
	return app->refused.n != before;
}

static void
refused(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name, const char *where, const struct err *err)
{
	struct app *app = arg;
	char object[SUBJECT_B];
	char subject[SUBJECT_B];
	bool is_known = kind != OBJECT__COUNT && *name;

	subject_of(object, kind, ns, name);
	if (err->line)
		snprintf(subject, sizeof(subject), "%s:%u:%u", where, err->line,
		    err->column);
	else
		snprintf(subject, sizeof(subject), "%s",
		    is_known ? object : where);
	/* What is tied to no kind lives and dies with the listing of the
	 * first one: a source lists all kinds together. */
	if (problems_set(app->problems, SEVERITY_ERROR,
		kind == OBJECT__COUNT ? OBJECT_SERVICE : kind, cluster, subject,
		err->text,
		"correct the object; its last good version stays in force"))
		/* The object first: see sys/journal.c. */
		log_err("%s%s%s: %s", is_known && err->line ? object : "",
		    is_known && err->line ? ": " : "", subject, err->text);
	if (kind == OBJECT_SERVICE || !is_known)
		remember_refused(app, cluster, is_known ? ns : "",
		    is_known ? name : "");
	if (is_known)
		world_keep(app->world, kind, cluster, ns, name);
	else
		keep_objects_of_file(app, cluster, where);
}

static void
list_begin(void *arg, enum object_kind kind, const char *cluster)
{
	struct app *app = arg;

	world_list_begin(app->world, kind, cluster);
	problems_list_begin(app->problems, kind, cluster);
	remember_list_begin(app, kind, cluster);
	if (kind == OBJECT_EIP)
		unpark(app, cluster, NULL);
	if (kind == OBJECT_SERVICE && forget_refused(app, cluster))
		reconcile_dirty_cluster(app, cluster);
}

static void
list_end(void *arg, enum object_kind kind, const char *cluster)
{
	struct app *app = arg;

	world_list_end(app->world, kind, cluster, on_swept, app);
	problems_list_end(app->problems, kind, cluster);
	remember_list_end(app, kind, cluster);
	if (kind == OBJECT_EIP && app->parked.n)
		retry_parked(app);
	if (kind == OBJECT_EIP && strcmp(cluster, CLUSTER_STATIC) != 0) {
		app->are_pools_listed = true;
		adopt_announce(app);
	}
	reconcile_kick(app);
}

void
facts_sink_init(struct app *app, struct sink *sink)
{
	*sink = (struct sink){ .put = put,
		.gone = gone,
		.refused = refused,
		.list_begin = list_begin,
		.list_end = list_end,
		.arg = app };
}

void
facts_on_probe(void *arg, const char *cluster, const char *node,
    enum probe_state state)
{
	struct app *app = arg;
	struct probe_status status = { .error = "" };

	probe_get(app->probe, cluster, node, &status);
	log_notice("probe %s: %s%s%s", node, probe_state_name(state),
	    *status.error ? " error=" : "", status.error);
	world_set_probe(app->world, cluster, node, state);
	dirty_users_of_node(app, cluster, node);
	reconcile_kick(app);
}
