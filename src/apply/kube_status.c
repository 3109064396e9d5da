/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Service's entry holds what is wanted, what the watch showed last and what
 * it showed before our last write: while the watch still shows that, our own
 * write has not come back yet and nobody else is to blame.
 */
#include "apply/kube_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "apply/kube_event.h"
#include "apply/kube_patch.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/url.h"
#include "sys/log.h"
#include "sys/loop.h"

#define TICK_US (250 * MONO_MS)
/* Our own write comes back through the watch within this. */
#define ECHO_US (3 * MONO_S)
#define BACKOFF_MIN_US (1 * MONO_S)
#define PAUSE_MIN_US (500 * MONO_MS)
#define PAUSE_MAX_US (30 * MONO_S)
#define FOREIGN_WINDOW_US (60 * MONO_S)

enum {
	IN_FLIGHT = 32,
	FOREIGN_MAX = 3, /* corrections in the window */
};

struct view {
	struct ingress v[SERVICE_FAMILIES_MAX];
	uint8_t n;
	bool is_foreign; /* more or other than we would ever write */
};

struct entry {
	TAILQ_ENTRY(entry) link; /* of the queue */
	struct kube_status_writer *writer;
	char *ns;
	char *name;
	char *uid;
	struct view want;
	struct view seen;
	struct view before; /* seen when our last write began */
	struct view sent;
	mono_t due; /* not before; 0: nothing is waiting */
	mono_t hold_until; /* someone else writes it as well */
	mono_t echo_until;
	mono_t foreign[FOREIGN_MAX]; /* corrections, newest first */
	int64_t backoff_us;
	char *problem; /* NULL: none */
	bool is_written; /* the API server has what is wanted */
	bool is_queued;
	bool is_writing;
	bool is_stuck; /* until something changes */
	bool is_dead; /* forgotten while a write is under way */
};

TAILQ_HEAD(entry_queue, entry);

struct kube_status_writer {
	struct loop *loop;
	struct kube *kube;
	struct kube_events *events;
	void (*on_written)(void *arg, const char *ns, const char *name);
	void *arg;
	struct loop_timer *timer;
	struct loop_timer *pump_timer;
	VEC(struct entry *) entries; /* sorted by namespace, name */
	VEC(struct entry *) dead;
	struct entry_queue queue;
	unsigned int in_flight;
	mono_t paused_until; /* the server cannot be reached */
	int64_t pause_us;
	bool no_ip_mode; /* the server is too old for it */
	size_t n_problems; /* entries that have one */
	char *away; /* why the last write got no answer; NULL: it did */
	char logged[200]; /* the last failure that was logged */
};

static void evaluate(struct entry *e);

/* -- views ---------------------------------------------------------------- */

static bool
view_same(const struct view *a, const struct view *b, bool no_ip_mode)
{
	if (a->n != b->n || a->is_foreign || b->is_foreign)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		/* The server makes VIP of an absent mode, or drops it when
		 * it is older than the field. */
		bool is_proxy_a = a->v[i].ip_mode == IP_MODE_PROXY;
		bool is_proxy_b = b->v[i].ip_mode == IP_MODE_PROXY;

		if (!addr_eq(&a->v[i].addr, &b->v[i].addr))
			return false;
		if (is_proxy_a != is_proxy_b && !no_ip_mode)
			return false;
	}
	return true;
}

/* As it stands, with nothing defaulted. */
static bool
view_unchanged(const struct view *a, const struct view *b)
{
	if (a->n != b->n || a->is_foreign != b->is_foreign)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!addr_eq(&a->v[i].addr, &b->v[i].addr) ||
		    a->v[i].ip_mode != b->v[i].ip_mode)
			return false;
	}
	return true;
}

static struct view
view_of(const struct ingress *v, size_t n, bool is_foreign)
{
	struct view view = { .n = (uint8_t)MIN(n, (size_t)SERVICE_FAMILIES_MAX),
		.is_foreign = is_foreign || n > SERVICE_FAMILIES_MAX };

	for (size_t i = 0; i < view.n; i++)
		view.v[i] = v[i];
	return view;
}

/* -- the table ------------------------------------------------------------ */

static int
entry_cmp(const struct entry *e, const char *ns, const char *name)
{
	int c = strcmp(e->ns, ns);

	return c ? c : strcmp(e->name, name);
}

/* Where it is, or where it would have to be. */
static size_t
entry_place(const struct kube_status_writer *w, const char *ns,
    const char *name)
{
	size_t low = 0;
	size_t high = w->entries.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (entry_cmp(w->entries.v[mid], ns, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct entry *
entry_find(const struct kube_status_writer *w, const char *ns, const char *name)
{
	size_t at = entry_place(w, ns, name);

	if (at < w->entries.n && entry_cmp(w->entries.v[at], ns, name) == 0)
		return w->entries.v[at];
	return NULL;
}

static void
entry_free(struct entry *e)
{
	free(e->ns);
	free(e->name);
	free(e->uid);
	free(e->problem);
	free(e);
}

static void
set_problem(struct entry *e, const char *text)
{
	if (str_eq(e->problem, text))
		return;
	e->writer->n_problems += (text != NULL) - (e->problem != NULL);
	free(e->problem);
	e->problem = mem_strdup(text);
}

/* The same reason is told once, not for each of ten thousand Services. */
static void
log_problem(struct entry *e)
{
	struct kube_status_writer *w = e->writer;

	if (strncmp(w->logged, e->problem, sizeof(w->logged) - 1) == 0)
		return;
	snprintf(w->logged, sizeof(w->logged), "%s", e->problem);
	log_warn("status %s/%s: %s", e->ns, e->name, e->problem);
}

/* A new incarnation of the name: nothing of the old one counts. */
static void
entry_reset(struct entry *e, const char *uid)
{
	free(e->uid);
	e->uid = mem_strdup(uid);
	e->due = 0;
	e->hold_until = 0;
	e->echo_until = 0;
	e->backoff_us = 0;
	e->is_written = false;
	e->is_stuck = false;
	memset(e->foreign, 0, sizeof(e->foreign));
	set_problem(e, NULL);
}

static struct entry *
entry_get(struct kube_status_writer *w, const struct service *s)
{
	size_t at = entry_place(w, s->o.ns, s->o.name);
	struct entry *e;

	if (at < w->entries.n &&
	    entry_cmp(w->entries.v[at], s->o.ns, s->o.name) == 0) {
		e = w->entries.v[at];
		if (!str_eq(e->uid, s->o.uid))
			entry_reset(e, s->o.uid);
		return e;
	}
	e = mem_new(struct entry);
	e->writer = w;
	e->ns = mem_strdup(s->o.ns);
	e->name = mem_strdup(s->o.name);
	e->uid = mem_strdup(s->o.uid);
	vec_insert(&w->entries, at, e);
	return e;
}

/* -- writing -------------------------------------------------------------- */

static json_t *
ingress_json(const struct view *want)
{
	json_t *list;

	if (!want->n)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < want->n; i++) {
		const struct ingress *in = &want->v[i];
		char text[ADDR_TEXT_B];
		json_t *item =
		    json_pack("{s:s}", "ip", addr_text(&in->addr, text));

		if (in->ip_mode != IP_MODE_NONE)
			json_object_set_new(item, "ipMode",
			    json_string(in->ip_mode == IP_MODE_PROXY ? "Proxy"
								     : "VIP"));
		json_array_append_new(list, item);
	}
	return list;
}

static void
wait_until(struct entry *e, mono_t due)
{
	struct kube_status_writer *w = e->writer;

	e->due = due;
	if (!loop_timer_is_armed(w->timer))
		loop_timer_arm(w->timer, TICK_US);
}

static void
set_away(struct kube_status_writer *w, const char *why)
{
	free(w->away);
	w->away = mem_strdup(why);
}

static void
pause_writing(struct kube_status_writer *w, const char *why, mono_t now)
{
	set_away(w, why);
	if (now < w->paused_until)
		return;
	w->pause_us =
	    w->pause_us ? MIN(w->pause_us * 2, PAUSE_MAX_US) : PAUSE_MIN_US;
	w->paused_until = now + loop_jitter(w->pause_us, 50);
}

static void
on_success(struct entry *e, const struct kube_reply *reply, mono_t now)
{
	struct kube_status_writer *w = e->writer;

	for (size_t i = 0; i < e->sent.n; i++) {
		if (e->sent.v[i].ip_mode == IP_MODE_PROXY)
			w->no_ip_mode = !strstr(reply->body, "\"ipMode\"");
	}
	e->backoff_us = 0;
	w->pause_us = 0;
	set_away(w, NULL);
	w->logged[0] = '\0';
	e->echo_until = now + ECHO_US;
	set_problem(e, NULL);
	if (!view_unchanged(&e->sent, &e->want))
		return;
	e->is_written = true;
	w->on_written(w->arg, e->ns, e->name);
}

static void
on_failure(struct entry *e, const struct kube_reply *reply, mono_t now)
{
	enum kube_patch_result result = kube_patch_result(reply);
	struct str text = { 0 };

	e->is_written = false;
	if (result != KUBE_PATCH_NO_ANSWER && result != KUBE_PATCH_GONE) {
		kube_patch_describe(reply, "services", &text);
		set_problem(e, text.s);
		log_problem(e);
		str_fini(&text);
	}
	switch (result) {
	case KUBE_PATCH_NO_ANSWER:
		/* Everybody's problem: the order of the queue stays. */
		pause_writing(e->writer, reply->err->text, now);
		set_problem(e, reply->err->text);
		wait_until(e, e->writer->paused_until);
		return;
	case KUBE_PATCH_NEVER:
		e->is_stuck = true;
		return;
	case KUBE_PATCH_LATER:
		wait_until(e, now + loop_jitter(KUBE_PATCH_LATER_US, 25));
		return;
	case KUBE_PATCH_DONE: /* cannot be: it did not fail */
	case KUBE_PATCH_GONE:
	case KUBE_PATCH_AGAIN:
		wait_until(e,
		    now +
			MAX(reply->retry_after_us,
			    loop_jitter(kube_patch_backoff(&e->backoff_us,
					    BACKOFF_MIN_US),
				50)));
		return;
	}
}

static void pump_soon(struct kube_status_writer *w);

static void
on_reply(void *arg, const struct kube_reply *reply)
{
	struct entry *e = arg;
	struct kube_status_writer *w = e->writer;
	mono_t now = loop_now(w->loop);

	w->in_flight--;
	e->is_writing = false;
	if (e->is_dead) {
		for (size_t i = 0; i < w->dead.n; i++) {
			if (w->dead.v[i] == e)
				vec_remove(&w->dead, i);
		}
		entry_free(e);
	} else if (kube_patch_result(reply) == KUBE_PATCH_DONE) {
		on_success(e, reply, now);
		evaluate(e);
	} else {
		on_failure(e, reply, now);
		evaluate(e);
	}
	pump_soon(w);
}

static void
write_entry(struct entry *e)
{
	struct kube_status_writer *w = e->writer;
	struct str path = { 0 };

	str_add(&path, "/api/v1/namespaces/");
	url_escape(&path, e->ns);
	str_add(&path, "/services");
	e->is_writing = true;
	e->before = e->seen;
	e->sent = e->want;
	e->due = 0;
	w->in_flight++;
	kube_patch_status(w->kube, path.s, e->name, e->uid,
	    json_pack("{s:{s:o}}", "loadBalancer", "ingress",
		ingress_json(&e->want)),
	    on_reply, e);
	str_fini(&path);
}

static void
pump(void *arg)
{
	struct kube_status_writer *w = arg;
	struct entry *e;

	if (loop_now(w->loop) < w->paused_until)
		return; /* the tick comes back here */
	while (w->in_flight < IN_FLIGHT && (e = TAILQ_FIRST(&w->queue))) {
		TAILQ_REMOVE(&w->queue, e, link);
		e->is_queued = false;
		write_entry(e);
	}
	/* Of a burst the addresses go first, then who is told of them. */
	kube_events_hold(w->events, !TAILQ_EMPTY(&w->queue));
}

/* In a turn of its own: after the routes of this one, and with what is so
 * then. */
static void
pump_soon(struct kube_status_writer *w)
{
	loop_timer_arm(w->pump_timer, 0);
}

/* -- deciding ------------------------------------------------------------- */

static void
unqueue(struct entry *e)
{
	if (e->is_queued)
		TAILQ_REMOVE(&e->writer->queue, e, link);
	e->is_queued = false;
	e->due = 0;
}

/* Someone else writes this status too.  At once, but not for ever. */
static mono_t
foreign_due(struct entry *e, mono_t now)
{
	mono_t oldest = e->foreign[FOREIGN_MAX - 1];

	if (oldest && now - oldest < FOREIGN_WINDOW_US)
		return MAX(e->foreign[0] + FOREIGN_WINDOW_US, now);
	return now;
}

static void
note_foreign(struct entry *e, const struct service *seen, mono_t now)
{
	struct kube_event_text text = {
		.is_warning = true,
		.reason = "StatusConflict",
		.action = "UpdateStatus",
		.note =
		    "something else keeps changing status.loadBalancer of this Service; eipd now corrects it once a minute: find the other load-balancer controller, or give the Service a loadBalancerClass"
	};
	mono_t due = foreign_due(e, now);

	if (due > now)
		kube_events_add(e->writer->events, &seen->o, &text);
	memmove(e->foreign + 1, e->foreign,
	    sizeof(e->foreign) - sizeof(e->foreign[0]));
	e->foreign[0] = due;
	log_notice("status %s/%s: changed by someone else, corrected in %llds",
	    e->ns, e->name, (long long)((due - now) / MONO_S));
	e->hold_until = due;
}

/* Compares and queues the write if it is time for it. */
static void
evaluate(struct entry *e)
{
	struct kube_status_writer *w = e->writer;
	mono_t now = loop_now(w->loop);
	mono_t due;

	if (e->is_writing)
		return;
	if (view_same(&e->seen, &e->want, w->no_ip_mode)) {
		unqueue(e);
		e->is_written = true;
		e->echo_until = 0;
		e->backoff_us = 0;
		set_problem(e, NULL);
		return;
	}
	if (e->is_written && now < e->echo_until &&
	    view_unchanged(&e->seen, &e->before)) {
		wait_until(e, e->echo_until);
		return;
	}
	e->is_written = false;
	due = MAX(e->due, e->hold_until);
	e->due = 0;
	if (e->is_stuck || e->is_queued)
		return;
	if (due > now) {
		wait_until(e, due);
		return;
	}
	e->is_queued = true;
	TAILQ_INSERT_TAIL(&w->queue, e, link);
	if (now < w->paused_until && !loop_timer_is_armed(w->timer))
		loop_timer_arm(w->timer, TICK_US);
	pump_soon(w);
}

static void
on_tick(void *arg)
{
	struct kube_status_writer *w = arg;
	mono_t now = loop_now(w->loop);
	bool is_waiting = !TAILQ_EMPTY(&w->queue);

	for (size_t i = 0; i < w->entries.n; i++) {
		struct entry *e = w->entries.v[i];

		if (e->due && e->due <= now)
			evaluate(e);
		is_waiting |= e->due != 0;
	}
	if (is_waiting)
		loop_timer_arm(w->timer, TICK_US);
	pump_soon(w);
}

void
kube_status_want(struct kube_status_writer *w, const struct service *seen,
    const struct ingress *ingress, size_t n)
{
	struct view want = view_of(ingress, n, false);
	struct view now_seen =
	    view_of(seen->ingress, seen->n_ingress, seen->has_foreign_ingress);
	struct entry *e;
	bool is_new_want;
	bool is_foreign;

	if (seen->o.origin)
		return; /* from a file: there is nothing to write to */
	e = entry_get(w, seen);
	is_new_want = !view_unchanged(&e->want, &want);
	/* What we wrote was there, and now it is not. */
	is_foreign = !is_new_want && e->is_written && !e->is_writing &&
	    !view_unchanged(&e->seen, &now_seen) &&
	    !view_same(&now_seen, &want, w->no_ip_mode) &&
	    (!e->echo_until || !view_unchanged(&e->before, &now_seen));
	if (is_new_want || !view_unchanged(&e->seen, &now_seen)) {
		e->is_stuck = false;
		e->due = 0;
		e->backoff_us = 0;
	}
	if (is_new_want) {
		e->is_written = false;
		e->hold_until = 0;
	}
	for (size_t i = 0; i < now_seen.n; i++) {
		if (now_seen.v[i].ip_mode != IP_MODE_NONE)
			w->no_ip_mode = false;
	}
	e->want = want;
	e->seen = now_seen;
	if (is_foreign) {
		e->is_written = false;
		note_foreign(e, seen, loop_now(w->loop));
	}
	evaluate(e);
}

void
kube_status_forget(struct kube_status_writer *w, const char *ns,
    const char *name)
{
	size_t at = entry_place(w, ns, name);
	struct entry *e = entry_find(w, ns, name);

	if (!e)
		return;
	unqueue(e);
	set_problem(e, NULL);
	vec_remove(&w->entries, at);
	if (!e->is_writing) {
		entry_free(e);
		return;
	}
	e->is_dead = true;
	vec_push(&w->dead, e);
}

void
kube_status_retry(struct kube_status_writer *w)
{
	w->paused_until = 0;
	for (size_t i = 0; i < w->entries.n; i++) {
		struct entry *e = w->entries.v[i];

		if (!e->problem && !e->backoff_us)
			continue;
		e->due = 0;
		e->backoff_us = 0;
		e->is_stuck = false;
		evaluate(e);
	}
	pump_soon(w);
}

bool
kube_status_is_written(const struct kube_status_writer *w, const char *ns,
    const char *name)
{
	const struct entry *e = entry_find(w, ns, name);

	return e && e->is_written && !e->is_writing;
}

const char *
kube_status_problem(const struct kube_status_writer *w, const char *ns,
    const char *name)
{
	const struct entry *e;

	/* Asked for each of ten thousand, and nearly always there is none. */
	if (!w->n_problems && !w->away)
		return "";
	e = entry_find(w, ns, name);
	if (!e)
		return "";
	return e->problem ? e->problem : e->is_queued && w->away ? w->away : "";
}

void
kube_event(struct kube_status_writer *w, const struct object *regarding,
    bool is_warning, const char *reason, const char *action, const char *note)
{
	struct kube_event_text text = { .is_warning = is_warning,
		.reason = reason,
		.action = action,
		.note = note };

	kube_events_add(w->events, regarding, &text);
}

struct kube_status_writer *
kube_status_new(struct loop *loop, struct kube *kube,
    void (*on_written)(void *arg, const char *ns, const char *name), void *arg)
{
	struct kube_status_writer *w = mem_new(struct kube_status_writer);

	w->loop = loop;
	w->kube = kube;
	w->on_written = on_written;
	w->arg = arg;
	w->events = kube_events_new(loop, kube);
	w->timer = loop_timer_new(loop, on_tick, w);
	w->pump_timer = loop_timer_new(loop, pump, w);
	TAILQ_INIT(&w->queue);
	return w;
}

void
kube_status_free(struct kube_status_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->entries.n; i++)
		entry_free(w->entries.v[i]);
	for (size_t i = 0; i < w->dead.n; i++)
		entry_free(w->dead.v[i]);
	vec_fini(&w->entries);
	vec_fini(&w->dead);
	kube_events_free(w->events);
	loop_timer_free(w->timer);
	loop_timer_free(w->pump_timer);
	free(w->away);
	free(w);
}
