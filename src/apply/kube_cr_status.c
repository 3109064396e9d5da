/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An object's turn is a read and, if that shows a difference, a merge patch.
 * The read is a list with a field selector: the right to list is there for
 * the watch anyway.  What was written once is remembered as a hash only.
 */
#include "apply/kube_cr_status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_patch.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/url.h"
#include "sys/log.h"
#include "sys/loop.h"

#define PAUSE_US (5 * MONO_S) /* between two turns of one object */
#define API_PATH "/apis/network.kubesphere.io/v1alpha2/"

enum {
	IN_FLIGHT = 4,
};

struct resource {
	const char *plural;
	/* At this depth of the status and below all members are ours. */
	unsigned int owned_depth;
};

struct entry {
	struct kube_cr_status *writer;
	enum object_kind kind;
	char *name;
	char *uid;
	char *want; /* NULL once it is written */
	uint64_t hash; /* of what is wanted */
	uint64_t sent_hash; /* of what the turn under way began with */
	mono_t due; /* of its next turn */
	int64_t backoff_us;
	char *problem; /* NULL: none */
	bool is_busy;
	bool is_stuck; /* until something changes */
	bool is_stale; /* not wanted again yet */
	bool is_dead; /* forgotten while a request is under way */
};

struct kube_cr_status {
	struct loop *loop;
	struct kube *kube;
	struct loop_timer *timer;
	VEC(struct entry *) entries; /* sorted by kind, name */
	VEC(struct entry *) dead;
	const struct entry *troubled; /* one that has a problem; NULL: none */
	unsigned int in_flight;
};

static bool
has_status(enum object_kind kind)
{
	return kind == OBJECT_EIP || kind == OBJECT_BGP_CONF ||
	    kind == OBJECT_BGP_PEER;
}

/* Of a kind that has_status(). */
static const struct resource *
resource_of(enum object_kind kind)
{
	static const struct resource eips = { "eips", 1 };
	static const struct resource confs = { "bgpconfs", 2 };
	static const struct resource peers = { "bgppeers", 2 };

	return kind == OBJECT_EIP     ? &eips
	    : kind == OBJECT_BGP_CONF ? &confs
				      : &peers;
}

/* -- the table ------------------------------------------------------------ */

static int
entry_cmp(const struct entry *e, enum object_kind kind, const char *name)
{
	if (e->kind != kind)
		return e->kind < kind ? -1 : 1;
	return strcmp(e->name, name);
}

/* Where it is, or where it would have to be. */
static size_t
entry_place(const struct kube_cr_status *w, enum object_kind kind,
    const char *name)
{
	size_t low = 0;
	size_t high = w->entries.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (entry_cmp(w->entries.v[mid], kind, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
entry_free(struct entry *e)
{
	free(e->name);
	free(e->uid);
	free(e->want);
	free(e->problem);
	free(e);
}

static struct entry *
entry_get(struct kube_cr_status *w, const struct object *o)
{
	size_t at = entry_place(w, o->kind, o->name);
	struct entry *e;

	if (at < w->entries.n &&
	    entry_cmp(w->entries.v[at], o->kind, o->name) == 0)
		return w->entries.v[at];
	e = mem_new(struct entry);
	e->writer = w;
	e->kind = o->kind;
	e->name = mem_strdup(o->name);
	e->uid = mem_strdup(o->uid);
	vec_insert(&w->entries, at, e);
	return e;
}

static void
set_problem(struct entry *e, const char *text)
{
	struct kube_cr_status *w = e->writer;

	if (str_eq(e->problem, text))
		return;
	free(e->problem);
	e->problem = mem_strdup(text);
	if (text) {
		log_warn("status %s %s: %s", object_kind_name(e->kind), e->name,
		    text);
		w->troubled = e;
	}
	if (text || w->troubled != e)
		return;
	w->troubled = NULL;
	for (size_t i = 0; i < w->entries.n && !w->troubled; i++) {
		if (w->entries.v[i]->problem)
			w->troubled = w->entries.v[i];
	}
}

static void
entry_drop(struct kube_cr_status *w, size_t at)
{
	struct entry *e = w->entries.v[at];

	set_problem(e, NULL);
	vec_remove(&w->entries, at);
	if (!e->is_busy) {
		entry_free(e);
		return;
	}
	e->is_dead = true;
	vec_push(&w->dead, e);
}

/* Every answer comes through here first; false: nobody waits for it. */
static bool
entry_answered(struct entry *e)
{
	struct kube_cr_status *w = e->writer;

	w->in_flight--;
	e->is_busy = false;
	if (!e->is_dead)
		return true;
	for (size_t i = 0; i < w->dead.n; i++) {
		if (w->dead.v[i] == e)
			vec_remove(&w->dead, i);
	}
	entry_free(e);
	return false;
}

/* -- comparing ------------------------------------------------------------ */

static void
remove_others(json_t *known, json_t *want, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach(known, key, value)
	{
		if (!json_object_get(want, key))
			json_object_set_new(patch, key, json_null());
	}
}

/* The merge patch that makes `want` of `known`.  As deep as `want` is, which
 * is ours. */
static json_t *
difference(json_t *known, json_t *want, unsigned int owned_depth)
{
	json_t *patch = json_object();
	const char *key;
	json_t *value;

	json_object_foreach(want, key, value)
	{
		json_t *is = json_object_get(known, key);

		if (json_is_object(value) && json_is_object(is)) {
			json_t *sub = difference(is, value,
			    owned_depth ? owned_depth - 1 : 0);

			if (json_object_size(sub))
				json_object_set(patch, key, sub);
			json_decref(sub);
		} else if (json_is_null(value) ? is && !json_is_null(is)
					       : !json_equal(is, value)) {
			json_object_set(patch, key, value);
		}
	}
	if (!owned_depth)
		remove_others(known, want, patch);
	return patch;
}

/* -- one object's turn ---------------------------------------------------- */

static void schedule(struct kube_cr_status *w);

static void
on_written(struct entry *e)
{
	e->backoff_us = 0;
	set_problem(e, NULL);
	if (e->hash != e->sent_hash)
		return; /* overtaken: another turn */
	free(e->want);
	e->want = NULL;
}

static void
retry_in(struct entry *e, int64_t delay_us)
{
	e->due = loop_now(e->writer->loop) + delay_us;
}

/* The read of a turn may fail as its write. */
static void
on_failure(struct entry *e, const struct kube_reply *reply)
{
	enum kube_patch_result result = kube_patch_result(reply);
	struct str text = { 0 };

	if (result != KUBE_PATCH_NO_ANSWER && result != KUBE_PATCH_GONE) {
		kube_patch_describe(reply, resource_of(e->kind)->plural, &text);
		set_problem(e, text.s);
		str_fini(&text);
	}
	switch (result) {
	case KUBE_PATCH_NEVER:
		e->is_stuck = true;
		return;
	case KUBE_PATCH_LATER:
		retry_in(e, loop_jitter(KUBE_PATCH_LATER_US, 25));
		return;
	case KUBE_PATCH_DONE: /* cannot be: it did not fail */
	case KUBE_PATCH_NO_ANSWER:
	case KUBE_PATCH_GONE:
	case KUBE_PATCH_AGAIN:
		retry_in(e,
		    MAX(reply->retry_after_us,
			loop_jitter(kube_patch_backoff(&e->backoff_us,
					PAUSE_US),
			    25)));
		return;
	}
}

static void
on_patched(void *arg, const struct kube_reply *reply)
{
	struct entry *e = arg;
	struct kube_cr_status *w = e->writer;

	if (entry_answered(e)) {
		if (kube_patch_result(reply) == KUBE_PATCH_DONE)
			on_written(e);
		else
			on_failure(e, reply);
	}
	schedule(w);
}

/* A request of the entry is under way from here on. */
static void
begin_request(struct entry *e)
{
	e->is_busy = true;
	e->writer->in_flight++;
}

/* Takes `patch`. */
static void
write_patch(struct entry *e, json_t *patch)
{
	struct str path = { 0 };

	begin_request(e);
	str_printf(&path, API_PATH "%s", resource_of(e->kind)->plural);
	kube_patch_status(e->writer->kube, path.s, e->name, e->uid, patch,
	    on_patched, e);
	str_fini(&path);
}

/* NULL: it is not there, or not the one that is meant. */
static json_t *
listed_object(const struct entry *e, json_t *list)
{
	json_t *o = json_array_get(json_object_get(list, "items"), 0);
	const char *uid = json_string_value(
	    json_object_get(json_object_get(o, "metadata"), "uid"));

	if (*e->uid && !str_eq(uid, e->uid))
		return NULL;
	return o;
}

/* The answer may hold a password, so it is never shown. */
static void
compare(struct entry *e, const struct kube_reply *reply)
{
	json_t *list =
	    json_loadb(reply->body, reply->body_b, JSON_ALLOW_NUL, NULL);
	json_t *want = json_loads(e->want, 0, NULL);
	json_t *o = listed_object(e, list);
	json_t *patch = NULL;

	e->sent_hash = e->hash;
	if (!list || !want) {
		set_problem(e, "the server's answer is not the JSON expected");
		retry_in(e, KUBE_PATCH_LATER_US);
	} else if (!o) {
		/* Gone, or another one of that name: the watch decides. */
		retry_in(e, KUBE_PATCH_LATER_US);
	} else {
		patch = difference(json_object_get(o, "status"), want,
		    resource_of(e->kind)->owned_depth);
	}
	json_decref(list);
	json_decref(want);
	if (json_object_size(patch)) {
		write_patch(e, patch);
		return;
	}
	if (patch)
		on_written(e);
	json_decref(patch);
}

static void
on_read(void *arg, const struct kube_reply *reply)
{
	struct entry *e = arg;
	struct kube_cr_status *w = e->writer;

	if (entry_answered(e)) {
		if (reply->status == 200)
			compare(e, reply);
		else
			on_failure(e, reply);
	}
	schedule(w);
}

static void
start_turn(struct entry *e)
{
	struct str path = { 0 };

	retry_in(e, PAUSE_US);
	str_printf(&path, API_PATH "%s?fieldSelector=metadata.name%%3D",
	    resource_of(e->kind)->plural);
	url_escape(&path, e->name);
	begin_request(e);
	kube_request(e->writer->kube, "GET", path.s, NULL, NULL, on_read, e);
	str_fini(&path);
}

/* -- deciding ------------------------------------------------------------- */

static bool
is_waiting(const struct entry *e)
{
	return e->want && !e->is_busy && !e->is_stuck;
}

static void
on_timer(void *arg)
{
	struct kube_cr_status *w = arg;
	mono_t now = loop_now(w->loop);

	for (size_t i = 0; i < w->entries.n && w->in_flight < IN_FLIGHT; i++) {
		struct entry *e = w->entries.v[i];

		if (is_waiting(e) && e->due <= now)
			start_turn(e);
	}
	schedule(w);
}

/* When all connections are in use, an answer comes back here. */
static void
schedule(struct kube_cr_status *w)
{
	mono_t now = loop_now(w->loop);
	mono_t due = INT64_MAX;

	if (w->in_flight >= IN_FLIGHT)
		return;
	for (size_t i = 0; i < w->entries.n; i++) {
		if (is_waiting(w->entries.v[i]))
			due = MIN(due, w->entries.v[i]->due);
	}
	if (due != INT64_MAX)
		loop_timer_arm(w->timer, MAX(due - now, INT64_C(0)));
}

void
kube_cr_status_begin(struct kube_cr_status *w)
{
	for (size_t i = 0; i < w->entries.n; i++)
		w->entries.v[i]->is_stale = true;
}

void
kube_cr_status_want(struct kube_cr_status *w, const struct object *o,
    const char *status)
{
	uint64_t hash = str_hash(status);
	struct entry *e;

	if (o->origin || !has_status(o->kind))
		return;
	e = entry_get(w, o);
	e->is_stale = false;
	if (hash == e->hash && strcmp(o->uid, e->uid) == 0)
		return;
	if (strcmp(o->uid, e->uid) != 0) {
		free(e->uid);
		e->uid = mem_strdup(o->uid);
		/* A write under way was for the one before. */
		e->sent_hash = ~hash;
		e->due = 0;
	}
	free(e->want);
	e->want = mem_strdup(status);
	e->hash = hash;
	e->is_stuck = false;
}

void
kube_cr_status_end(struct kube_cr_status *w)
{
	for (size_t i = w->entries.n; i-- > 0;) {
		if (w->entries.v[i]->is_stale)
			entry_drop(w, i);
	}
	schedule(w);
}

const char *
kube_cr_status_problem(const struct kube_cr_status *w)
{
	return w->troubled ? w->troubled->problem : "";
}

void
kube_cr_status_retry(struct kube_cr_status *w)
{
	for (size_t i = 0; i < w->entries.n; i++) {
		struct entry *e = w->entries.v[i];

		if (!e->problem && !e->backoff_us)
			continue;
		e->due = 0;
		e->backoff_us = 0;
		e->is_stuck = false;
	}
	schedule(w);
}

struct kube_cr_status *
kube_cr_status_new(struct loop *loop, struct kube *kube)
{
	struct kube_cr_status *w = mem_new(struct kube_cr_status);

	w->loop = loop;
	w->kube = kube;
	w->timer = loop_timer_new(loop, on_timer, w);
	return w;
}

void
kube_cr_status_free(struct kube_cr_status *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->entries.n; i++)
		entry_free(w->entries.v[i]);
	for (size_t i = 0; i < w->dead.n; i++)
		entry_free(w->dead.v[i]);
	vec_fini(&w->entries);
	vec_fini(&w->dead);
	loop_timer_free(w->timer);
	free(w);
}
