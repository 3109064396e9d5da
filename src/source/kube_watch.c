/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/kube_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/url.h"
#include "source/kube_item.h"

enum {
	PAGE = 500,
	STREAK_MAX = 5,
	ERROR_BODY_MAX_B = 64 << 10,
	WATCH_MIN_S = 300,
	WATCH_SPAN_S = 300,
};

#define BACKOFF_MIN_US (800 * MONO_MS)
/* A gateway is one client among few: that is no load on the server. */
#define BACKOFF_MAX_US (10 * MONO_S)
#define SHORT_WATCH_US (1 * MONO_S)
#define RELIST_AGAIN_US (10 * MONO_S)
#define REFUSED_US (60 * MONO_S)
#define UNAUTHORIZED_MIN_US (5 * MONO_S)
#define UNAUTHORIZED_MAX_US (60 * MONO_S)
#define ABSENT_US (30 * MONO_S)
#define CONFIRM_US (500 * MONO_MS)

#define CUSTOM(name)                                                           \
	{                                                                      \
		"/apis/network.kubesphere.io/v1alpha2/" name,                  \
		    "/apis/network.kubesphere.io/v1alpha1/" name,              \
	}

static const struct {
	const char *resource;
	const char *paths[KUBE_WATCH_VERSIONS]; /* [1]: custom ones only */
	const char *selector;
} kinds[] = {
	[OBJECT_SERVICE] = { "services", { "/api/v1/services" }, "" },
	[OBJECT_SLICE] = { "endpointslices",
	    { "/apis/discovery.k8s.io/v1/endpointslices" },
	    "labelSelector=%21service.kubernetes.io%2Fheadless&" },
	[OBJECT_NODE] = { "nodes", { "/api/v1/nodes" }, "" },
	[OBJECT_NAMESPACE] = { "namespaces", { "/api/v1/namespaces" }, "" },
	[OBJECT_EIP] = { "eips", CUSTOM("eips"), "" },
	[OBJECT_BGP_CONF] = { "bgpconfs", CUSTOM("bgpconfs"), "" },
	[OBJECT_BGP_PEER] = { "bgppeers", CUSTOM("bgppeers"), "" },
};

_Static_assert(ARRAY_LEN(kinds) == OBJECT__COUNT, "one row for each kind");

const char *
kube_watch_resource(enum object_kind kind)
{
	return kinds[kind].resource;
}

const char *
kube_watch_path(const struct kube_watch *w)
{
	return str_get(&w->path);
}

bool
kube_watch_is_list(const struct kube_watch *w)
{
	return w->state == KUBE_WATCH_LIST;
}

void
kube_watch_init(struct kube_watch *w, enum object_kind kind,
    const char *cluster, const struct sink *sink, uint32_t seed)
{
	*w = (struct kube_watch){ .kind = kind,
		.cluster = cluster,
		.sink = sink,
		.seed = seed ? seed : 1 };
}

void
kube_watch_fini(struct kube_watch *w)
{
	str_fini(&w->path);
	str_fini(&w->token);
	str_fini(&w->error_body);
	kube_split_fini(&w->split);
}

static bool
is_custom(const struct kube_watch *w)
{
	return kinds[w->kind].paths[1] != NULL;
}

static const char *
base_path(const struct kube_watch *w)
{
	return kinds[w->kind].paths[w->version];
}

/* xorshift32: jitter needs no more. */
static int64_t
random_below(struct kube_watch *w, int64_t limit)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 17;
	w->seed ^= w->seed << 5;
	return limit > 0 ? (int64_t)w->seed % limit : 0;
}

static void
set_problem(struct kube_watch *w, const char *text)
{
	snprintf(w->problem, sizeof(w->problem), "%s: %.400s",
	    kinds[w->kind].resource, text);
}

/* -- going somewhere ------------------------------------------------------ */

/* The only writer of w->state. */
static void
enter(struct kube_watch *w, enum kube_watch_state state)
{
	enum kube_split_mode mode =
	    state == KUBE_WATCH_STREAM ? KUBE_SPLIT_WATCH : KUBE_SPLIT_LIST;

	w->state = state;
	w->status = 0;
	w->retry_after_us = 0;
	w->has_news = false;
	str_clear(&w->error_body);
	kube_split_fini(&w->split);
	kube_split_init(&w->split, mode);
	if (state != KUBE_WATCH_WAIT)
		w->is_server_away = false;
}

static void
go_list(struct kube_watch *w, struct kube_watch_todo *todo)
{
	enter(w, KUBE_WATCH_LIST);
	/* From the first page on: what was deleted since the last attempt
	 * must not count as seen. */
	if (!w->token.n)
		w->is_listing = false;
	str_clear(&w->path);
	str_printf(&w->path, "%s?%s", base_path(w), kinds[w->kind].selector);
	if (w->token.n) {
		str_printf(&w->path, "limit=%d&continue=", PAGE);
		url_escape(&w->path, w->token.s);
	} else if (w->list == KUBE_WATCH_LIST_ANY) {
		str_printf(&w->path, "limit=%d&resourceVersion=0", PAGE);
	} else if (w->list == KUBE_WATCH_LIST_NOT_OLDER) {
		str_printf(&w->path, "resourceVersion=%s", w->rv);
	} else if (w->list == KUBE_WATCH_LIST_CONSISTENT) {
		str_printf(&w->path, "limit=%d", PAGE);
	}
	todo->start = true;
}

/* A cache that is behind would show a Service of ours, and so its lease, as
 * gone; for the other kinds that passes. */
static enum kube_watch_list
first_list(const struct kube_watch *w)
{
	return w->kind == OBJECT_SERVICE ? KUBE_WATCH_LIST_WHOLE
					 : KUBE_WATCH_LIST_ANY;
}

static void
go_list_anew(struct kube_watch *w, enum kube_watch_list list,
    struct kube_watch_todo *todo)
{
	str_clear(&w->token);
	w->is_second_look = false;
	w->list = list;
	if (list == KUBE_WATCH_LIST_NOT_OLDER && !w->rv[0])
		w->list = first_list(w);
	go_list(w, todo);
}

static void
go_stream(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	enter(w, KUBE_WATCH_STREAM);
	w->opened = now;
	str_clear(&w->path);
	str_printf(&w->path,
	    "%s?%swatch=1&resourceVersion=%s&allowWatchBookmarks=true&timeoutSeconds=%d",
	    base_path(w), kinds[w->kind].selector, w->rv,
	    WATCH_MIN_S + (int)random_below(w, WATCH_SPAN_S));
	todo->start = true;
}

static void
go_wait(struct kube_watch *w, int64_t delay_us, enum kube_watch_state next,
    struct kube_watch_todo *todo)
{
	enter(w, KUBE_WATCH_WAIT);
	w->next = next;
	todo->arm_us = MAX(delay_us, 1);
}

static int64_t
backoff(struct kube_watch *w, mono_t now)
{
	int64_t delay_us;

	/* What went well for longer than that is a new trouble. */
	if (!w->backoff_us || now - w->last_failure > 2 * w->backoff_us)
		w->backoff_us = BACKOFF_MIN_US;
	delay_us = w->backoff_us - random_below(w, w->backoff_us / 2);
	w->backoff_us = MIN(w->backoff_us * 2, BACKOFF_MAX_US);
	w->last_failure = now;
	return delay_us;
}

/* The same again, later: a page, or the stream from where it was. */
static void
try_again(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	go_wait(w, backoff(w, now), w->state, todo);
}

/* The reason is the server's, not this resource's. */
static void
try_server_again(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	try_again(w, now, todo);
	w->is_server_away = true;
}

static void
go_list_later(struct kube_watch *w, enum kube_watch_list list, int64_t delay_us,
    struct kube_watch_todo *todo)
{
	str_clear(&w->token);
	w->is_second_look = false;
	w->list = list;
	go_wait(w, delay_us, KUBE_WATCH_LIST, todo);
}

static void
relist_later(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	w->restarts++;
	w->streak = 0;
	go_list_later(w, w->rv[0] ? KUBE_WATCH_LIST_NOT_OLDER : first_list(w),
	    backoff(w, now), todo);
}

/* At once, but a server that wants it again and again has to wait. */
static void
relist(struct kube_watch *w, enum kube_watch_list list, mono_t now,
    struct kube_watch_todo *todo)
{
	bool is_again = w->relisted && now - w->relisted < RELIST_AGAIN_US;

	w->restarts++;
	w->streak = 0;
	w->relisted = now;
	if (is_again)
		go_list_later(w, list, backoff(w, now), todo);
	else
		go_list_anew(w, list, todo);
}

void
kube_watch_begin(struct kube_watch *w, bool is_new_server, mono_t now,
    struct kube_watch_todo *todo)
{
	enum kube_watch_state to =
	    w->state == KUBE_WATCH_WAIT ? w->next : w->state;

	if (w->state == KUBE_WATCH_LIST || w->state == KUBE_WATCH_STREAM)
		todo->stop = true;
	if (is_new_server) {
		w->rv[0] = '\0';
		w->version = 0;
		w->absences = 0;
		w->backoff_us = 0;
	}
	/* An unknown server's cache may be behind what we have seen. */
	if (!is_new_server && to == KUBE_WATCH_STREAM)
		go_stream(w, now, todo);
	else
		go_list_anew(w,
		    w->was_listed ? KUBE_WATCH_LIST_CONSISTENT : first_list(w),
		    todo);
}

void
kube_watch_on_timer(struct kube_watch *w, mono_t now,
    struct kube_watch_todo *todo)
{
	if (w->state != KUBE_WATCH_WAIT)
		return;
	if (w->next == KUBE_WATCH_STREAM)
		go_stream(w, now, todo);
	else
		go_list(w, todo);
}

void
kube_watch_kick(struct kube_watch *w, bool is_anyhow, mono_t now,
    struct kube_watch_todo *todo)
{
	if (w->state != KUBE_WATCH_WAIT)
		return;
	if (!is_anyhow) {
		if (w->is_kicked || (!w->is_server_away && !w->is_unauthorized))
			return;
		w->is_kicked = true;
		w->backoff_us = 0;
	}
	kube_watch_on_timer(w, now, todo);
}

/* -- answers -------------------------------------------------------------- */

void
kube_watch_on_response(struct kube_watch *w, long status,
    int64_t retry_after_us, mono_t now)
{
	w->status = status;
	w->retry_after_us = retry_after_us;
	if (status != 200)
		return;
	w->is_unauthorized = false;
	w->is_absent = false;
	w->was_present = true;
	w->absences = 0;
	w->last_event = now;
	w->problem[0] = '\0';
	if (w->state == KUBE_WATCH_STREAM) {
		w->is_connected = true;
		w->opened = now;
	} else if (!w->is_listing) {
		w->is_listing = true;
		w->listed = 0;
		w->sink->list_begin(w->sink->arg, w->kind, w->cluster);
	}
}

/* A list cannot go on with what is no list; a stream begins again at the last
 * good event, at most a few times. */
static void
on_garbage(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	todo->stop = true;
	w->is_connected = false;
	set_problem(w,
	    "the answer is no Kubernetes list or watch; is the kubeconfig's server an API server?");
	if (w->state == KUBE_WATCH_STREAM && ++w->streak < STREAK_MAX)
		try_again(w, now, todo);
	else
		relist_later(w, now, todo);
}

/* True if the stream goes on. */
static bool
note_version(struct kube_watch *w, const struct kube_item *item, mono_t now,
    struct kube_watch_todo *todo)
{
	if (!item->rv[0])
		return true;
	if (item->is_old) {
		/* A restored etcd: what we have may never have been. */
		todo->stop = true;
		relist(w, KUBE_WATCH_LIST_CONSISTENT, now, todo);
		return false;
	}
	if (strcmp(w->rv, item->rv) != 0) {
		w->has_news = true;
		w->backoff_us = 0;
	}
	snprintf(w->rv, sizeof(w->rv), "%s", item->rv);
	return true;
}

static void
on_error_event(struct kube_watch *w, const struct kube_item *item, mono_t now,
    struct kube_watch_todo *todo)
{
	todo->stop = true;
	switch (item->code) {
	case 410:
		relist(w, KUBE_WATCH_LIST_NOT_OLDER, now, todo);
		return;
	case 429:
		go_wait(w,
		    MAX(item->retry_after_us, MONO_S) + random_below(w, MONO_S),
		    KUBE_WATCH_STREAM, todo);
		return;
	case 504:
		if (item->is_rv_too_large) {
			relist(w, KUBE_WATCH_LIST_CONSISTENT, now, todo);
			return;
		}
		break;
	case 500:
		break;
	default:
		w->streak = STREAK_MAX;
		break;
	}
	set_problem(w, item->message);
	if (++w->streak < STREAK_MAX)
		try_again(w, now, todo);
	else
		relist_later(w, now, todo);
}

static void
on_item(struct kube_watch *w, bool is_too_big, mono_t now,
    struct kube_watch_todo *todo)
{
	struct kube_item item = { .kind = w->kind,
		.cluster = w->cluster,
		.where = base_path(w),
		.is_event = w->state == KUBE_WATCH_STREAM,
		.is_too_big = is_too_big,
		.not_before = w->rv };

	w->events++;
	w->listed++;
	w->is_kicked = false;
	w->last_event = now;
	kube_item_read(&item, w->split.item.s, w->split.item.n, w->sink);
	if (w->state != KUBE_WATCH_STREAM)
		return;
	if (item.type == KUBE_ITEM_ERROR) {
		on_error_event(w, &item, now, todo);
		return;
	}
	if (item.type == KUBE_ITEM_NO_EVENT) {
		on_garbage(w, now, todo);
		return;
	}
	if (item.type == KUBE_ITEM_UNKNOWN && item.is_read)
		set_problem(w, item.message);
	if (note_version(w, &item, now, todo) && item.is_read)
		w->streak = 0;
}

size_t
kube_watch_on_data(struct kube_watch *w, const char *data, size_t size_b,
    mono_t now, struct kube_watch_todo *todo)
{
	size_t used = size_b;

	if (w->state != KUBE_WATCH_LIST && w->state != KUBE_WATCH_STREAM)
		return size_b;
	if (w->status != 200) {
		str_add_n(&w->error_body, data,
		    MIN(size_b, ERROR_BODY_MAX_B - w->error_body.n));
		return size_b;
	}
	switch (kube_split_feed(&w->split, data, size_b, &used)) {
	case KUBE_SPLIT_MORE:
		break;
	case KUBE_SPLIT_ITEM:
		on_item(w, false, now, todo);
		break;
	case KUBE_SPLIT_TOO_BIG:
		on_item(w, true, now, todo);
		break;
	case KUBE_SPLIT_BAD:
		on_garbage(w, now, todo);
		break;
	}
	return used;
}

/* A list without anything would end every lease, an older one bring back what
 * is gone: neither is believed before a consistent one has said the same. */
static bool
needs_second_look(const struct kube_watch *w)
{
	if (w->is_second_look)
		return false;
	return w->listed == 0 ||
	    (w->list == KUBE_WATCH_LIST_NOT_OLDER &&
		kube_item_rv_cmp(w->split.rv, w->rv) < 0);
}

static void
on_list_end(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	/* Anything less would read as "all of them are gone". */
	if (!w->split.is_complete || !w->split.has_items || !w->split.rv[0]) {
		on_garbage(w, now, todo);
		return;
	}
	if (!w->split.token.n && needs_second_look(w)) {
		go_list_later(w, KUBE_WATCH_LIST_CONSISTENT, CONFIRM_US, todo);
		w->is_second_look = true;
		return;
	}
	snprintf(w->rv, sizeof(w->rv), "%s", w->split.rv);
	if (w->split.token.n) {
		str_clear(&w->token);
		str_add(&w->token, w->split.token.s);
		go_list(w, todo);
		return;
	}
	str_clear(&w->token);
	w->is_listing = false;
	w->was_listed = true;
	w->is_synced = true;
	w->is_kicked = false;
	w->sink->list_end(w->sink->arg, w->kind, w->cluster);
	go_stream(w, now, todo);
}

static void
on_stream_end(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	/* A server that closes at once would be asked without a break. */
	if (now - w->opened < SHORT_WATCH_US && !w->has_news)
		try_again(w, now, todo);
	else
		go_stream(w, now, todo);
}

/* The CRD is not installed, or not yet: an API server that has just started
 * answers so for a while, hence the second look. */
static void
on_absent(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	w->rv[0] = '\0';
	str_clear(&w->token);
	w->list = KUBE_WATCH_LIST_ANY;
	if (w->version == 0) {
		w->version = 1;
		go_list_anew(w, KUBE_WATCH_LIST_ANY, todo);
		return;
	}
	w->version = 0;
	if (w->absences++ == 0)
		w->absent_since = now;
	if (w->was_present ? now - w->absent_since < ABSENT_US
			   : w->absences < 2) {
		w->is_connected = false;
		set_problem(w,
		    "the server does not serve network.kubesphere.io any more; install the CRDs with: eipctl manifests | kubectl apply -f -");
		if (!w->was_present)
			w->problem[0] = '\0';
		go_wait(w, CONFIRM_US, KUBE_WATCH_LIST, todo);
		return;
	}
	if (!w->is_absent) {
		w->sink->list_begin(w->sink->arg, w->kind, w->cluster);
		w->sink->list_end(w->sink->arg, w->kind, w->cluster);
	}
	w->is_absent = true;
	w->is_synced = true;
	w->is_connected = true;
	w->was_present = false;
	w->last_event = now;
	w->problem[0] = '\0';
	go_wait(w, ABSENT_US - random_below(w, ABSENT_US / 4), KUBE_WATCH_LIST,
	    todo);
}

static void
on_gone(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	if (w->state == KUBE_WATCH_STREAM)
		relist(w, KUBE_WATCH_LIST_NOT_OLDER, now, todo);
	else if (w->token.n)
		go_list_anew(w, KUBE_WATCH_LIST_WHOLE, todo);
	else if (w->list == KUBE_WATCH_LIST_ANY ||
	    w->list == KUBE_WATCH_LIST_NOT_OLDER)
		go_list_anew(w, KUBE_WATCH_LIST_CONSISTENT, todo);
	else
		try_again(w, now, todo);
}

static void
on_unauthorized(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	int64_t delay_us = BACKOFF_MIN_US / 8;

	/* Once at once, with what the files hold now. */
	todo->want_credentials = true;
	if (w->is_unauthorized)
		delay_us = MIN(MAX(backoff(w, now) * 2, UNAUTHORIZED_MIN_US),
		    UNAUTHORIZED_MAX_US);
	w->is_unauthorized = true;
	go_wait(w, delay_us, w->state, todo);
}

static void
describe_status(struct kube_watch *w)
{
	char message[320];

	kube_item_status_message(str_get(&w->error_body), w->error_body.n,
	    message, sizeof(message));
	switch (w->status) {
	case 401:
		snprintf(w->problem, sizeof(w->problem),
		    "you must be logged in to the server (Unauthorized): give the kubeconfig a valid token or client certificate");
		return;
	case 403:
		snprintf(w->problem, sizeof(w->problem),
		    "forbidden: cannot %s %s (%s); grant it with: eipctl manifests | kubectl apply -f -",
		    w->state == KUBE_WATCH_LIST ? "list" : "watch",
		    kinds[w->kind].resource, message);
		return;
	case 404:
		set_problem(w,
		    "the server could not find the requested resource (404); is the kubeconfig's server an API server?");
		return;
	default:
		snprintf(w->problem, sizeof(w->problem),
		    "%s: the server answered %ld: %s", kinds[w->kind].resource,
		    w->status, message);
		return;
	}
}

static void
on_status(struct kube_watch *w, mono_t now, struct kube_watch_todo *todo)
{
	long status = w->status;
	int64_t after_us = w->retry_after_us;

	if (status == 404 && is_custom(w)) {
		on_absent(w, now, todo);
		return;
	}
	if (status == 410) {
		on_gone(w, now, todo);
		return;
	}
	if (status == 504 && w->error_body.n &&
	    strstr(w->error_body.s, "ResourceVersionTooLarge")) {
		if (w->state == KUBE_WATCH_STREAM) {
			relist(w, KUBE_WATCH_LIST_CONSISTENT, now, todo);
			return;
		}
		if (w->list == KUBE_WATCH_LIST_NOT_OLDER) {
			go_list_anew(w, KUBE_WATCH_LIST_CONSISTENT, todo);
			return;
		}
	}
	w->is_connected = false;
	describe_status(w);
	if (status == 401)
		on_unauthorized(w, now, todo);
	else if (status == 429 || (status >= 500 && after_us))
		go_wait(w, MAX(after_us, MONO_S) + random_below(w, MONO_S),
		    w->state, todo);
	else if (status == 400 || status == 405 || status == 406 ||
	    status == 415 || status == 422)
		go_wait(w, REFUSED_US - random_below(w, REFUSED_US / 4),
		    w->state, todo);
	else /* 403 too: one that has just started forbids everything */
		try_server_again(w, now, todo);
}

void
kube_watch_on_end(struct kube_watch *w, const struct err *err, bool is_idle,
    mono_t now, struct kube_watch_todo *todo)
{
	if (w->state != KUBE_WATCH_LIST && w->state != KUBE_WATCH_STREAM)
		return;
	if (w->status != 0 && w->status != 200) {
		on_status(w, now, todo);
		return;
	}
	if (err->code == 0 && w->status == 200 && w->state == KUBE_WATCH_LIST) {
		on_list_end(w, now, todo);
		return;
	}
	/* A stream may end anywhere, also inside an event; what was cut comes
	 * again. */
	if (err->code == 0 && w->status == 200) {
		on_stream_end(w, now, todo);
		return;
	}
	w->is_connected = false;
	snprintf(w->problem, sizeof(w->problem), "%s", err->text);
	if (is_idle && w->state == KUBE_WATCH_STREAM) {
		/* Not even a bookmark: maybe our version is from a future
		 * that a restored etcd does not know. */
		relist(w, KUBE_WATCH_LIST_CONSISTENT, now, todo);
		return;
	}
	/* A stream that lasted got somewhere, also if nothing happened. */
	if (w->status == 200 && w->state == KUBE_WATCH_STREAM &&
	    now - w->opened >= SHORT_WATCH_US)
		w->is_kicked = false;
	try_server_again(w, now, todo);
}
