/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/kube_event.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/object.h"
#include "net/kube_request.h"
#include "net/url.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"

#define REPORTER "eipd.io/eipd"
#define SERIES_US (600 * MONO_S)
#define REFRESH_US (300 * MONO_S)
#define TICK_US (10 * MONO_S)
#define FORBIDDEN_US (600 * MONO_S)

enum {
	SERIES_MAX = 1000,
	BUCKETS = 256, /* a power of two */
	IN_FLIGHT = 2,
	TRIES = 12,
	NOTE_MAX_B = 1000,
	REASON_MAX_B = 128,
	TIME_TEXT_B = 40,
};

struct series {
	TAILQ_ENTRY(series) age; /* oldest use first */
	TAILQ_ENTRY(series) queue;
	struct series *next; /* of the bucket */
	struct kube_events *events;
	char *key;
	json_t *regarding;
	char *ns;
	char *name; /* of the Event */
	char reason[REASON_MAX_B];
	char action[REASON_MAX_B];
	char *note;
	bool is_warning;
	bool is_created;
	bool is_queued;
	bool is_sending;
	unsigned int tries;
	uint64_t count;
	uint64_t count_sent;
	mono_t last;
	mono_t last_sent;
	int64_t last_wall_us;
};

TAILQ_HEAD(series_list, series);

struct kube_events {
	struct loop *loop;
	struct kube *kube;
	struct loop_timer *timer;
	struct series_list by_age;
	struct series_list queue;
	struct series *buckets[BUCKETS];
	size_t n;
	size_t n_queued;
	unsigned int in_flight;
	uint32_t serial;
	uint64_t dropped;
	mono_t forbidden_until;
	bool is_held;
	char instance[REASON_MAX_B];
};

static void events_pump(struct kube_events *ev);

/* -- the table ------------------------------------------------------------ */

static struct series **
bucket_of(struct kube_events *ev, const char *key)
{
	return &ev->buckets[str_hash(key) & (BUCKETS - 1)];
}

static struct series *
series_find(struct kube_events *ev, const char *key)
{
	struct series *s = *bucket_of(ev, key);

	while (s && strcmp(s->key, key) != 0)
		s = s->next;
	return s;
}

static void
dequeue(struct kube_events *ev, struct series *s)
{
	if (!s->is_queued)
		return;
	s->is_queued = false;
	TAILQ_REMOVE(&ev->queue, s, queue);
	ev->n_queued--;
}

static void
series_free(struct kube_events *ev, struct series *s)
{
	struct series **at = bucket_of(ev, s->key);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	TAILQ_REMOVE(&ev->by_age, s, age);
	dequeue(ev, s);
	ev->n--;
	json_decref(s->regarding);
	free(s->key);
	free(s->ns);
	free(s->name);
	free(s->note);
	free(s);
}

static void
series_name(struct kube_events *ev, struct series *s)
{
	const char *name =
	    json_string_value(json_object_get(s->regarding, "name"));
	struct str text = { 0 };

	str_printf(&text, "%.200s.%" PRIx64 "%04x", name ? name : "eipd",
	    (uint64_t)clock_wall_us(), (unsigned int)(ev->serial++ & 0xffff));
	free(s->name);
	s->name = str_steal(&text);
}

/* Room for one more: the one that was quiet for longest goes. */
static bool
make_room(struct kube_events *ev)
{
	struct series *s;

	if (ev->n < SERIES_MAX)
		return true;
	/* In a burst all of them are waiting. */
	if (ev->n_queued + ev->in_flight < ev->n) {
		s = TAILQ_FIRST(&ev->by_age);
		while (s->is_queued || s->is_sending)
			s = TAILQ_NEXT(s, age);
		series_free(ev, s);
		return true;
	}
	if (ev->dropped++ % SERIES_MAX == 0)
		log_warn("kube events: queue full, dropped=%" PRIu64,
		    ev->dropped);
	return false;
}

static json_t *
regarding_json(const struct object *o)
{
	const char *version = "v1";
	json_t *j;

	switch (o->kind) {
	case OBJECT_EIP:
	case OBJECT_BGP_CONF:
	case OBJECT_BGP_PEER:
		version = "network.kubesphere.io/v1alpha2";
		break;
	case OBJECT_SLICE:
		version = "discovery.k8s.io/v1";
		break;
	case OBJECT_SERVICE:
	case OBJECT_NODE:
	case OBJECT_NAMESPACE:
	case OBJECT__COUNT:
		break;
	}
	j = json_pack("{s:s,s:s,s:s}", "apiVersion", version, "kind",
	    object_kind_name(o->kind), "name", o->name);
	if (*o->ns)
		json_object_set_new(j, "namespace", json_string(o->ns));
	if (*o->uid)
		json_object_set_new(j, "uid", json_string(o->uid));
	return j;
}

/* -- sending -------------------------------------------------------------- */

static const char *
time_text(int64_t wall_us, char out[TIME_TEXT_B])
{
	time_t s = (time_t)(wall_us / MONO_S);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, TIME_TEXT_B, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, TIME_TEXT_B - n, ".%06dZ", (int)(wall_us % MONO_S));
	return out;
}

static char *
create_body(const struct kube_events *ev, const struct series *s)
{
	char now[TIME_TEXT_B];
	json_t *j =
	    json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:O}",
		"apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata",
		"name", s->name, "namespace", s->ns, "eventTime",
		time_text(s->last_wall_us, now), "reportingController",
		REPORTER, "reportingInstance", ev->instance, "action",
		s->action, "reason", s->reason, "type",
		s->is_warning ? "Warning" : "Normal", "note", s->note,
		"regarding", s->regarding);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static char *
series_body(const struct series *s)
{
	char now[TIME_TEXT_B];
	struct str body = { 0 };

	str_printf(&body,
	    "{\"series\":{\"count\":%" PRIu64 ",\"lastObservedTime\":\"%s\"}}",
	    s->count, time_text(s->last_wall_us, now));
	return str_steal(&body);
}

static void
enqueue(struct kube_events *ev, struct series *s)
{
	if (s->is_queued || s->is_sending)
		return;
	s->is_queued = true;
	TAILQ_INSERT_TAIL(&ev->queue, s, queue);
	ev->n_queued++;
}

/* False: the series is of no use any more. */
static bool
take_reply(struct kube_events *ev, struct series *s,
    const struct kube_reply *reply)
{
	mono_t now = loop_now(ev->loop);

	if (reply->status >= 200 && reply->status < 300) {
		s->is_created = true;
		s->tries = 0;
		return true;
	}
	if (++s->tries >= TRIES)
		return false;
	if (reply->status == 404 && s->is_created) {
		s->is_created = false; /* its time to live was over */
		series_name(ev, s);
		enqueue(ev, s);
		return true;
	}
	if (reply->status == 409) {
		series_name(ev, s);
		enqueue(ev, s);
		return true;
	}
	if (reply->status == 403 && strstr(reply->body, "cannot")) {
		log_warn(
		    "kube events: forbidden: cannot create events; grant it with: eipctl manifests | kubectl apply -f -");
		ev->forbidden_until = now + FORBIDDEN_US;
	}
	if (reply->status >= 400 && reply->status < 500 &&
	    reply->status != 429 && reply->status != 401)
		return false;
	return true; /* again at the next tick */
}

static void
on_reply(void *arg, const struct kube_reply *reply)
{
	struct series *s = arg;
	struct kube_events *ev = s->events;

	ev->in_flight--;
	s->is_sending = false;
	if (!take_reply(ev, s, reply)) {
		log_debug("kube events: dropped status=%ld %s", reply->status,
		    reply->body);
		series_free(ev, s);
	} else if (s->is_created && s->tries == 0 && s->count_sent == 1 &&
	    s->count > 1) {
		enqueue(ev, s);
	}
	events_pump(ev);
}

static void
send_series(struct kube_events *ev, struct series *s)
{
	struct str path = { 0 };
	char *body = s->is_created ? series_body(s) : create_body(ev, s);

	str_add(&path, "/apis/events.k8s.io/v1/namespaces/");
	url_escape(&path, s->ns);
	str_add(&path, "/events");
	if (s->is_created) {
		str_add(&path, "/");
		url_escape(&path, s->name);
	}
	str_add(&path, "?fieldManager=eipd");
	s->is_sending = true;
	s->count_sent = s->is_created ? s->count : 1;
	s->last_sent = loop_now(ev->loop);
	ev->in_flight++;
	kube_request(ev->kube, s->is_created ? "PATCH" : "POST", path.s,
	    s->is_created ? "application/merge-patch+json" : "application/json",
	    body ? body : "{}", on_reply, s);
	free(body);
	str_fini(&path);
}

static void
events_pump(struct kube_events *ev)
{
	struct series *s;

	while (!ev->is_held && ev->in_flight < IN_FLIGHT &&
	    (s = TAILQ_FIRST(&ev->queue))) {
		dequeue(ev, s);
		send_series(ev, s);
	}
}

void
kube_events_hold(struct kube_events *ev, bool is_held)
{
	ev->is_held = is_held;
	events_pump(ev);
}

/* What failed comes again; what went on for a while is told; what has ended
 * is forgotten. */
static void
on_tick(void *arg)
{
	struct kube_events *ev = arg;
	mono_t now = loop_now(ev->loop);
	struct series *s = TAILQ_FIRST(&ev->by_age);

	while (s) {
		struct series *next = TAILQ_NEXT(s, age);
		bool is_behind = s->count != s->count_sent &&
		    now - s->last_sent >= REFRESH_US;

		if (s->is_queued || s->is_sending) {
			s = next;
			continue;
		}
		if (!s->is_created || s->tries > 0 || is_behind)
			enqueue(ev, s);
		else if (now - s->last >= SERIES_US)
			series_free(ev, s);
		s = next;
	}
	events_pump(ev);
	if (ev->n)
		loop_timer_arm(ev->timer, TICK_US);
}

/* -- the interface -------------------------------------------------------- */

struct kube_events *
kube_events_new(struct loop *loop, struct kube *kube)
{
	struct kube_events *ev = mem_new(struct kube_events);

	ev->loop = loop;
	ev->kube = kube;
	ev->timer = loop_timer_new(loop, on_tick, ev);
	TAILQ_INIT(&ev->by_age);
	TAILQ_INIT(&ev->queue);
	if (gethostname(ev->instance, sizeof(ev->instance) - 1) < 0 ||
	    !ev->instance[0])
		snprintf(ev->instance, sizeof(ev->instance), "eipd");
	return ev;
}

void
kube_events_free(struct kube_events *ev)
{
	struct series *s;

	if (!ev)
		return;
	while ((s = TAILQ_FIRST(&ev->by_age)))
		series_free(ev, s);
	loop_timer_free(ev->timer);
	free(ev);
}

static struct series *
series_new(struct kube_events *ev, const struct object *o, const char *key,
    const struct kube_event_text *text)
{
	struct series *s = mem_new(struct series);
	size_t note_b = strnlen(text->note, NOTE_MAX_B);

	/* Not in the middle of a character. */
	while (note_b > 0 && (text->note[note_b] & 0xc0) == 0x80)
		note_b--;
	s->events = ev;
	s->key = mem_strdup(key);
	s->regarding = regarding_json(o);
	s->ns = mem_strdup(*o->ns ? o->ns : "default");
	s->is_warning = text->is_warning;
	snprintf(s->reason, sizeof(s->reason), "%s", text->reason);
	snprintf(s->action, sizeof(s->action), "%s", text->action);
	s->note = mem_strndup(text->note, note_b);
	series_name(ev, s);
	s->next = *bucket_of(ev, key);
	*bucket_of(ev, key) = s;
	TAILQ_INSERT_TAIL(&ev->by_age, s, age);
	ev->n++;
	return s;
}

void
kube_events_add(struct kube_events *ev, const struct object *o,
    const struct kube_event_text *text)
{
	mono_t now = loop_now(ev->loop);
	struct str key = { 0 };
	struct series *s;

	if (o->origin || now < ev->forbidden_until)
		return;
	str_printf(&key, "%d/%s/%s/%s/%d/%s/%s/%.1000s", (int)o->kind, o->ns,
	    o->name, o->uid, text->is_warning, text->reason, text->action,
	    text->note);
	s = series_find(ev, key.s);
	if (s && now - s->last >= SERIES_US && !s->is_queued &&
	    !s->is_sending) {
		series_free(ev, s);
		s = NULL;
	}
	if (!s && make_room(ev))
		s = series_new(ev, o, key.s, text);
	str_fini(&key);
	if (!s)
		return;
	s->count++;
	s->last = now;
	s->last_wall_us = clock_wall_us();
	TAILQ_REMOVE(&ev->by_age, s, age);
	TAILQ_INSERT_TAIL(&ev->by_age, s, age);
	if (s->count <= 2)
		enqueue(ev, s);
	events_pump(ev);
	if (!loop_timer_is_armed(ev->timer))
		loop_timer_arm(ev->timer, TICK_US);
}
