/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api: net/http.h in front of a model of an API server: objects with
 * versions, a log of changes, lists, watches and writes, each answered after
 * a while, or wrongly, or never.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"
#include "net/http.h"
#include "source/kube_watch.h"

#define TICK_US MONO_S
#define BOOKMARK_US (60 * MONO_S)
#define SNAPSHOT_US (90 * MONO_S)
#define LATENCY_MAX_US 5000
#define SLOW_US (20 * MONO_S)
/* After a list that was wrong the server says that it knows better now. */
#define AMENDS_US (5 * MONO_S)

struct http_request {
	struct http_request_conf conf;
	char *method;
	char *path;
	char *body;
	enum object_kind kind;
	uint64_t rv; /* of a watch: sent up to here */
	bool is_watch;
	bool is_open; /* a watch that was answered */
	bool is_over; /* nobody listens any more */
	unsigned int pending; /* sim_after() holds it */
	mono_t began;
	mono_t last_data;
};

struct http_endpoint {
	int unused;
};
struct http {
	int unused;
};

static mono_t away_until;
static mono_t next_bookmark;
static mono_t next_snapshot;
static VEC(struct http_request *) requests;
static enum api_answer write_answer;
static unsigned int write_answers; /* how many more of those */
static uint64_t writes;

/* ---- answers ---- */

static bool
is_away(void)
{
	return sim_now() < away_until;
}

static void
finish(struct http_request *r, const struct http_result *result)
{
	if (r->is_over)
		return;
	r->is_over = true;
	r->conf.on_done(r->conf.arg, result);
}

static void
fail(struct http_request *r, int code, const char *text)
{
	struct http_result result = { .is_idle = code == -ETIMEDOUT,
		.body = "" };

	result.response.content_type = "";
	err_set(&result.err, code, "API server: %s", text);
	finish(r, &result);
}

static void
send_body(struct http_request *r, const char *p, size_t n)
{
	while (n && !r->is_over) {
		size_t some = sim_random(4) ? n : 1 + sim_random((uint32_t)n);

		r->conf.on_data(r->conf.arg, p, some);
		p += some;
		n -= some;
	}
	r->last_data = sim_now();
}

/* The whole answer of a request that is not a watch under way. */
static void
answer(struct http_request *r, long status, int64_t retry_after_us,
    const char *body)
{
	struct http_result result = {
		.response = { .status = status,
		    .content_type = "application/json",
		    .retry_after_us = retry_after_us },
		.body = body,
		.body_b = strlen(body),
	};

	if (r->is_over)
		return;
	if (r->conf.is_stream) {
		r->conf.on_response(r->conf.arg, &result.response);
		send_body(r, body, result.body_b);
		result.body = "";
		result.body_b = 0;
	}
	finish(r, &result);
}

static void
answer_status(struct http_request *r, long code, int64_t retry_after_us,
    const char *reason)
{
	struct str body = { 0 };

	str_printf(&body,
	    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
	    "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%s\","
	    "\"code\":%ld}",
	    reason, reason, code);
	answer(r, code, retry_after_us, body.s);
	str_fini(&body);
}

static const char *
query(const struct http_request *r, const char *key)
{
	const char *p = strstr(r->path, key);

	return p ? p + strlen(key) : NULL;
}

static void
answer_list(struct http_request *r)
{
	struct resource *res = &api_resources[r->kind];
	const char *name = query(r, "fieldSelector=metadata.name%3D");
	const char *want = query(r, "&resourceVersion=");
	bool is_any = want && strtoull(want, NULL, 10) == 0;
	bool is_behind = res->is_behind_once && is_any;
	struct str body = { 0 };
	/* Not twice in a row: that is what is believed. */
	bool is_empty = res->is_empty_once && !name && !res->was_empty;
	size_t n_all = is_behind ? res->saved.n : res->objects.n;
	size_t n = 0;

	str_printf(&body,
	    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":"
	    "{\"resourceVersion\":\"%" PRIu64 "\"},\"items\":[",
	    is_behind ? api_saved_version : api_version);
	for (size_t i = 0; i < n_all && !is_empty; i++) {
		json_t *o = is_behind ? res->saved.v[i] : res->objects.v[i];
		char *text;

		if (name && strcmp(name, api_meta(o, "name")) != 0)
			continue;
		text = json_dumps(o, JSON_COMPACT);
		str_printf(&body, "%s%s", n++ ? "," : "", text);
		free(text);
	}
	str_add(&body, "]}");
	if (res->is_cut_once && r->conf.is_stream) {
		struct http_response ok = { .status = 200,
			.content_type = "application/json" };

		res->is_cut_once = false;
		r->conf.on_response(r->conf.arg, &ok);
		send_body(r, body.s, sim_random((uint32_t)body.n));
		fail(r, -ECONNRESET, "connection reset");
	} else {
		answer(r, 200, 0, body.s);
	}
	str_fini(&body);
	res->is_behind_once &= !is_behind;
	if (!name)
		res->was_empty = is_empty;
	if (is_empty) {
		res->is_empty_once = false;
		res->compacted = ++api_version;
	}
}

/* ---- watches ---- */

static void
on_pump(void *arg)
{
	struct http_request *r = arg;
	struct resource *res = &api_resources[r->kind];

	r->pending--;
	for (size_t i = 0; i < res->log.n && r->is_open; i++) {
		struct change *c = &res->log.v[i];

		if (c->rv <= r->rv || r->is_over)
			continue;
		r->rv = c->rv;
		send_body(r, c->line, strlen(c->line));
		send_body(r, "\n", 1);
	}
}

static void
later(struct http_request *r, int64_t delay_us, void (*fn)(void *arg))
{
	r->pending++;
	sim_after(delay_us + (int64_t)sim_random(LATENCY_MAX_US), fn, r);
}

void
api_pump(enum object_kind kind)
{
	for (size_t i = 0; i < requests.n; i++)
		if (requests.v[i]->is_open && !requests.v[i]->is_over &&
		    requests.v[i]->kind == kind)
			later(requests.v[i], api_resources[kind].delay_us,
			    on_pump);
}

static void
send_expired(struct http_request *r)
{
	static const char event[] =
	    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\","
	    "\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
	    "\"message\":\"too old resource api_version\",\"reason\":\"Expired\","
	    "\"code\":410}}\n";
	struct http_result result = { .response = { .status = 200 },
		.body = "" };

	send_body(r, event, sizeof(event) - 1);
	finish(r, &result);
}

static void
answer_watch(struct http_request *r)
{
	struct http_response response = { .status = 200,
		.content_type = "application/json" };
	const char *rv = query(r, "&resourceVersion=");

	r->rv = rv ? strtoull(rv, NULL, 10) : 0;
	if (r->rv < api_resources[r->kind].compacted) {
		if (sim_random(2)) {
			answer_status(r, 410, 0, "Expired");
			return;
		}
		r->conf.on_response(r->conf.arg, &response);
		send_expired(r);
		return;
	}
	r->is_open = true;
	r->conf.on_response(r->conf.arg, &response);
	later(r, api_resources[r->kind].delay_us, on_pump);
}

/* ---- writes ---- */

/* RFC 7396. */
static void
merge(json_t *into, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)patch, key, value)
	{
		if (json_is_null(value)) {
			json_object_del(into, key);
		} else if (json_is_object(value)) {
			if (!json_is_object(json_object_get(into, key)))
				json_object_set_new(into, key, json_object());
			merge(json_object_get(into, key), value);
		} else {
			json_object_set(into, key, value);
		}
	}
}

/* ".../namespaces/NS/services/NAME/status?..." and the like. */
static json_t *
find_target(const struct http_request *r)
{
	char path[600];
	char *parts[12] = { NULL };
	char *save = NULL;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s", r->path);
	path[strcspn(path, "?")] = '\0';
	for (char *p = strtok_r(path, "/", &save); p && n < ARRAY_LEN(parts);
	     p = strtok_r(NULL, "/", &save))
		parts[n++] = p;
	if (n < 5 || strcmp(parts[n - 1], "status") != 0)
		return NULL;
	return api_get(r->kind, r->kind == OBJECT_SERVICE ? parts[n - 4] : "",
	    parts[n - 2]);
}

static void
patch_status(struct http_request *r, bool is_heard)
{
	json_t *o = find_target(r);
	json_t *patch = json_loads(r->body, 0, NULL);
	const char *uid = api_meta(patch, "uid");
	char *text;

	if (!o) {
		answer_status(r, 404, 0, "NotFound");
	} else if (*uid && strcmp(uid, api_meta(o, "uid")) != 0) {
		answer_status(r, 409, 0, "Conflict");
	} else {
		json_t *change = json_object();

		json_object_set(change, "status",
		    json_object_get(patch, "status"));
		merge(o, change);
		json_decref(change);
		api_log(r->kind, "MODIFIED", o);
		text = json_dumps(o, JSON_COMPACT);
		if (is_heard)
			answer(r, 200, 0, text);
		else
			fail(r, -ECONNRESET, "connection reset");
		free(text);
	}
	json_decref(patch);
}

static void
on_write(void *arg)
{
	struct http_request *r = arg;
	enum api_answer how = API_ANSWER_OK;

	r->pending--;
	if (is_away()) {
		fail(r, -ECONNREFUSED, "connection refused");
		return;
	}
	if (r->kind == OBJECT__COUNT) { /* an Event */
		answer(r, 201, 0, "{}");
		return;
	}
	if (write_answers) {
		write_answers--;
		how = write_answer;
	}
	switch (how) {
	case API_ANSWER_CONFLICT:
		answer_status(r, 409, 0, "Conflict");
		break;
	case API_ANSWER_BUSY:
		answer_status(r, 429, 2 * MONO_S, "TooManyRequests");
		break;
	case API_ANSWER_ERROR:
		answer_status(r, 500, 0, "InternalError");
		break;
	case API_ANSWER_FORBIDDEN:
		answer_status(r, 403, 0, "Forbidden");
		break;
	case API_ANSWER_SLOW:
		later(r, SLOW_US, on_write);
		break;
	case API_ANSWER_LOST:
	case API_ANSWER_OK:
		patch_status(r, how == API_ANSWER_OK);
		break;
	}
}

static void
on_read(void *arg)
{
	struct http_request *r = arg;

	r->pending--;
	if (r->is_over)
		return;
	if (is_away())
		fail(r, -ECONNREFUSED, "connection refused");
	else if (r->is_watch)
		answer_watch(r);
	else
		answer_list(r);
}

/* ---- net/http.h ---- */

struct http *
http_new(struct loop *loop)
{
	(void)loop;
	return mem_new(struct http);
}

void
http_free(struct http *http)
{
	free(http);
}

int
http_endpoint_new(const struct http_endpoint_conf *conf,
    struct http_endpoint **out, struct err *err)
{
	(void)conf;
	(void)err;
	*out = mem_new(struct http_endpoint);
	return 0;
}

void
http_endpoint_unref(struct http_endpoint *endpoint)
{
	free(endpoint);
}

void
http_endpoint_set_token(struct http_endpoint *endpoint, const char *token)
{
	(void)endpoint;
	(void)token;
}

static enum object_kind
kind_of(const char *path)
{
	for (int k = 0; k < OBJECT__COUNT; k++) {
		const char *name = kube_watch_resource((enum object_kind)k);
		const char *p = strstr(path, name);

		if (p && strcspn(p, "/?") == strlen(name) &&
		    (k != OBJECT_NAMESPACE || !strstr(p, "/")))
			return (enum object_kind)k;
	}
	return OBJECT__COUNT;
}

struct http_request *
http_start(struct http *http, struct http_endpoint *endpoint,
    const struct http_request_conf *conf)
{
	struct http_request *r = mem_new(struct http_request);
	bool is_write = strcmp(conf->method, "GET") != 0;

	(void)http;
	(void)endpoint;
	sim_operation("before a request to the API server");
	r->conf = *conf;
	r->method = mem_strdup(conf->method);
	r->path = mem_strdup(conf->path);
	r->body = mem_strdup(conf->body);
	r->kind = kind_of(r->path);
	r->is_watch = strstr(r->path, "watch=1") != NULL;
	r->began = sim_now();
	r->last_data = r->began;
	vec_push(&requests, r);
	if (is_write && r->kind == OBJECT_SERVICE) {
		writes++;
		check_status_write(r->path, r->body);
	}
	later(r, 0, is_write ? on_write : on_read);
	sim_operation("after a request to the API server");
	return r;
}

void
http_cancel(struct http_request *r)
{
	if (r)
		r->is_over = true;
}

void
http_hold(struct http_request *r, bool is_held)
{
	(void)r;
	(void)is_held;
}

/* ---- time ---- */

static void
check_timeouts(struct http_request *r)
{
	const struct http_request_conf *c = &r->conf;
	mono_t now = sim_now();
	struct http_result end = { .response = { .status = 200 }, .body = "" };
	const char *max = query(r, "&timeoutSeconds=");

	if (r->is_open && max && now - r->began > atoi(max) * MONO_S)
		finish(r, &end);
	else if (c->timeout_us && now - r->began > c->timeout_us)
		fail(r, -ETIMEDOUT, "timed out");
	else if (c->idle_timeout_us && now - r->last_data > c->idle_timeout_us)
		fail(r, -ETIMEDOUT, "nothing came for too long");
}

static void
send_bookmark(struct http_request *r)
{
	struct str line = { 0 };

	if (!r->is_open || r->is_over)
		return;
	str_printf(&line,
	    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"x\",\"apiVersion\":"
	    "\"v1\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}}\n",
	    r->rv);
	send_body(r, line.s, line.n);
	str_fini(&line);
}

static void
on_tick(void *arg)
{
	bool is_bookmark = sim_now() >= next_bookmark;
	size_t kept = 0;

	sim_after(TICK_US, on_tick, arg);
	if (is_bookmark)
		next_bookmark = sim_now() + BOOKMARK_US;
	if (sim_now() >= next_snapshot) {
		next_snapshot = sim_now() + SNAPSHOT_US;
		api_snapshot();
	}
	for (size_t i = 0; i < requests.n; i++) {
		struct http_request *r = requests.v[i];

		if (!r->is_over)
			check_timeouts(r);
		if (is_bookmark)
			send_bookmark(r);
		if (!r->is_over || r->pending) {
			requests.v[kept++] = r;
			continue;
		}
		free(r->method);
		free(r->path);
		free(r->body);
		free(r);
	}
	requests.n = kept;
}

void
api_init(void)
{
	on_tick(NULL);
}

/* ---- what the story does ---- */

void
api_break(void)
{
	for (size_t i = 0; i < requests.n; i++)
		if (!requests.v[i]->is_over)
			fail(requests.v[i], -ECONNRESET, "connection reset");
}

void
api_away(int64_t for_us)
{
	away_until = sim_now() + for_us;
	api_break();
}

void
api_cut_watch(enum object_kind kind, bool is_clean)
{
	struct http_result end = { .response = { .status = 200 }, .body = "" };

	api_resources[kind].is_cut_once = !is_clean;
	for (size_t i = 0; i < requests.n; i++) {
		struct http_request *r = requests.v[i];

		if (!r->is_open || r->is_over || r->kind != kind)
			continue;
		if (is_clean)
			finish(r, &end);
		else
			fail(r, -ECONNRESET, "connection reset");
	}
}

void
api_compact(void)
{
	api_version++;
	for (int k = 0; k < OBJECT__COUNT; k++)
		api_resources[k].compacted = api_version;
	for (size_t i = 0; i < requests.n; i++)
		if (requests.v[i]->is_open && !requests.v[i]->is_over)
			send_expired(requests.v[i]);
}

void
api_delay(enum object_kind kind, int64_t us)
{
	api_resources[kind].delay_us = us;
}

void
api_repeat(enum object_kind kind)
{
	struct resource *res = &api_resources[kind];
	struct change *c = res->log.n ? &res->log.v[res->log.n - 1] : NULL;

	for (size_t i = 0; c && i < requests.n; i++) {
		struct http_request *r = requests.v[i];

		if (!r->is_open || r->is_over || r->kind != kind ||
		    r->rv < c->rv)
			continue;
		send_body(r, c->line, strlen(c->line));
	}
}

/* The next first list comes from a cache that is behind. */
void
api_lag(void)
{
	for (int k = 0; k < OBJECT__COUNT; k++)
		api_resources[k].is_behind_once =
		    api_resources[k].compacted <= api_saved_version;
}

static void
on_amends(void *arg)
{
	(void)arg;
	api_compact();
}

void
api_list_empty(enum object_kind kind)
{
	api_resources[kind].is_empty_once = true;
	api_cut_watch(kind, false);
	api_resources[kind].is_cut_once = false;
	api_resources[kind].compacted = ++api_version;
	sim_after(AMENDS_US, on_amends, NULL);
}

void
api_answer_writes(enum api_answer answer_, unsigned int times)
{
	write_answer = answer_;
	write_answers = times;
}

void
api_heal(void)
{
	away_until = 0;
	write_answers = 0;
	for (int k = 0; k < OBJECT__COUNT; k++) {
		api_resources[k].delay_us = 0;
		api_resources[k].is_empty_once = false;
		api_resources[k].is_cut_once = false;
		api_resources[k].is_behind_once = false;
	}
}

void
api_forget_client(void)
{
	for (size_t i = 0; i < requests.n; i++)
		requests.v[i]->is_over = true;
}

uint64_t
api_writes(void)
{
	return writes;
}
