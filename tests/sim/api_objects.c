/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_objects: what the API server keeps: objects, versions, changes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"

struct resource api_resources[OBJECT__COUNT];
uint64_t api_version = 1000;
uint64_t api_saved_version;
static uint64_t next_uid = 1;

/* ---- objects ---- */

const char *
api_meta(const json_t *o, const char *key)
{
	const char *s = json_string_value(
	    json_object_get(json_object_get(o, "metadata"), key));

	return s ? s : "";
}

static size_t
place(enum object_kind kind, const char *ns, const char *name)
{
	struct resource *r = &api_resources[kind];
	size_t i = 0;

	while (i < r->objects.n &&
	    (strcmp(api_meta(r->objects.v[i], "name"), name) != 0 ||
		strcmp(api_meta(r->objects.v[i], "namespace"), ns) != 0))
		i++;
	return i;
}

json_t *
api_get(enum object_kind kind, const char *ns, const char *name)
{
	size_t at = place(kind, ns, name);

	return at < api_resources[kind].objects.n
	    ? api_resources[kind].objects.v[at]
	    : NULL;
}

size_t
api_count(enum object_kind kind)
{
	return api_resources[kind].objects.n;
}

json_t *
api_at(enum object_kind kind, size_t i)
{
	return api_resources[kind].objects.v[i];
}

json_t *
api_pick(enum object_kind kind, uint32_t n)
{
	size_t count = api_count(kind);

	return count ? api_at(kind, n % count) : NULL;
}

void
api_log(enum object_kind kind, const char *type, json_t *o)
{
	struct change change = { .rv = ++api_version };
	char text[24];
	json_t *event;

	snprintf(text, sizeof(text), "%" PRIu64, api_version);
	json_object_set_new(json_object_get(o, "metadata"), "resourceVersion",
	    json_string(text));
	event = json_pack("{s:s,s:O}", "type", type, "object", o);
	change.line = json_dumps(event, JSON_COMPACT);
	json_decref(event);
	vec_push(&api_resources[kind].log, change);
	api_pump(kind);
}

void
api_put(enum object_kind kind, const char *ns, const char *name, json_t *body)
{
	json_t *old = api_get(kind, ns, name);
	json_t *metadata = json_object_get(body, "metadata");
	char uid[24];

	if (!metadata) {
		metadata = json_object();
		json_object_set_new(body, "metadata", metadata);
	}
	snprintf(uid, sizeof(uid), "uid-%" PRIu64, next_uid);
	next_uid += !old;
	json_object_set_new(metadata, "name", json_string(name));
	if (*ns)
		json_object_set_new(metadata, "namespace", json_string(ns));
	json_object_set_new(metadata, "uid",
	    json_string(old ? api_meta(old, "uid") : uid));
	if (old && !json_object_get(body, "status") &&
	    json_object_get(old, "status"))
		json_object_set(body, "status", json_object_get(old, "status"));
	if (old) {
		api_resources[kind].objects.v[place(kind, ns, name)] = body;
		json_decref(old);
	} else {
		vec_push(&api_resources[kind].objects, body);
	}
	api_log(kind, old ? "MODIFIED" : "ADDED", body);
}

void
api_delete(enum object_kind kind, const char *ns, const char *name)
{
	size_t at = place(kind, ns, name);
	json_t *o;

	if (at == api_resources[kind].objects.n)
		return;
	o = api_resources[kind].objects.v[at];
	vec_remove(&api_resources[kind].objects, at);
	api_log(kind, "DELETED", o);
	json_decref(o);
}

void
api_set_status(const char *ns, const char *name, json_t *status)
{
	json_t *o = api_get(OBJECT_SERVICE, ns, name);

	if (o) {
		json_object_set(o, "status", status);
		api_log(OBJECT_SERVICE, "MODIFIED", o);
	}
	json_decref(status);
}

/* What a restore, or a cache that is behind, shows. */
void
api_snapshot(void)
{
	api_saved_version = api_version;
	for (int k = 0; k < OBJECT__COUNT; k++) {
		struct resource *res = &api_resources[k];

		for (size_t i = 0; i < res->saved.n; i++)
			json_decref(res->saved.v[i]);
		vec_clear(&res->saved);
		for (size_t i = 0; i < res->objects.n; i++)
			vec_push(&res->saved,
			    json_deep_copy(res->objects.v[i]));
	}
}

/* As etcd is restored from a backup: what is old is new, and every version
 * that anybody knows is too old. */
void
api_restore(void)
{
	if (!api_saved_version)
		return;
	for (int k = 0; k < OBJECT__COUNT; k++) {
		struct resource *res = &api_resources[k];

		for (size_t i = 0; i < res->objects.n; i++)
			json_decref(res->objects.v[i]);
		vec_clear(&res->objects);
		for (size_t i = 0; i < res->saved.n; i++)
			vec_push(&res->objects,
			    json_deep_copy(res->saved.v[i]));
		vec_clear(&res->log);
	}
	api_compact();
	api_break();
}
