/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kube_watch: what an API server may answer, and what follows.
 *
 * A script is a list of steps; the transcript tells what was opened, closed,
 * awaited and delivered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "source/kube_watch.h"

enum {
	STEPS_MAX = 40
};

#define LIST(rv, items)                                                        \
	"<{\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define PAGE(rv, token, items)                                                 \
	"<{\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" token \
	"\"},\"items\":[" items "]}"
#define NS(name, rv)                                                           \
	"{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, object) "<{\"type\":\"" type "\",\"object\":" object "}\n"
#define ERROR(code, rest)                                                      \
	"<{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" #code \
	",\"message\":\"m\"" rest "}}\n"
/* From nothing to an open watch at version 10 that knows "a". */
#define OPENED "begin", "200", LIST("10", NS("a", "5")), "end", "200"
#define OPENED_WANT                                                            \
	"open ?limit=500&resourceVersion=0; begin; put a; end; "               \
	"open ?watch=1&resourceVersion=10; "

static const struct watch_case {
	const char *name;
	enum object_kind kind;
	const char *steps[STEPS_MAX];
	const char *want;
	const char *problem; /* a part of it; NULL: none */
} cases[] = {
	{ "the usual", OBJECT_NAMESPACE,
	    { OPENED, EVENT("ADDED", NS("b", "11")),
		EVENT("MODIFIED", NS("a", "12")),
		EVENT("DELETED", NS("b", "13")), "+5", "end" },
	    OPENED_WANT
	    "put b; put a; gone b; open ?watch=1&resourceVersion=13; ",
	    NULL },
	{ "a bookmark moves the version on", OBJECT_NAMESPACE,
	    { OPENED, EVENT("BOOKMARK", NS("", "99")), "+60", "end" },
	    OPENED_WANT "open ?watch=1&resourceVersion=99; ", NULL },
	{ "pages", OBJECT_NAMESPACE,
	    { "begin", "200", PAGE("10", "c/1=", NS("a", "5")), "end", "200",
		LIST("10", NS("b", "5")), "end" },
	    "open ?limit=500&resourceVersion=0; begin; put a; "
	    "open ?limit=500&continue=c%2F1%3D; put b; end; "
	    "open ?watch=1&resourceVersion=10; ",
	    NULL },
	{ "a page that has expired", OBJECT_NAMESPACE,
	    { "begin", "200", PAGE("10", "c", NS("a", "5")), "end", "410",
		"<{}", "end", "200", LIST("12", NS("b", "5")), "end" },
	    "open ?limit=500&resourceVersion=0; begin; put a; "
	    "open ?limit=500&continue=c; open ?; begin; put b; end; "
	    "open ?watch=1&resourceVersion=12; ",
	    NULL },
	{ "a page that fails is asked for again", OBJECT_NAMESPACE,
	    { "begin", "200", PAGE("10", "c", NS("a", "5")), "end", "500",
		"end", "timer", "200", LIST("10", NS("b", "5")), "end" },
	    "open ?limit=500&resourceVersion=0; begin; put a; "
	    "open ?limit=500&continue=c; wait; open ?limit=500&continue=c; "
	    "put b; end; open ?watch=1&resourceVersion=10; ",
	    NULL },
	{ "a list that is cut begins again", OBJECT_NAMESPACE,
	    { "begin", "200", "<{\"items\":[" NS("a", "5"), "lost", "timer",
		"200", LIST("10", NS("b", "5")), "end" },
	    "open ?limit=500&resourceVersion=0; begin; put a; wait; "
	    "open ?limit=500&resourceVersion=0; begin; put b; end; "
	    "open ?watch=1&resourceVersion=10; ",
	    NULL },
	{ "a list that ends too early deletes nothing", OBJECT_NAMESPACE,
	    { "begin", "200", "<{\"metadata\":{\"resourceVersion\":\"1\"}",
		"end" },
	    "open ?limit=500&resourceVersion=0; begin; close; wait; ",
	    "no Kubernetes list" },
	{ "something else that is an object", OBJECT_NAMESPACE,
	    { "begin", "200", "<" NS("a", "5"), "end" },
	    "open ?limit=500&resourceVersion=0; begin; close; wait; ",
	    "no Kubernetes list" },
	{ "410 as a status", OBJECT_NAMESPACE,
	    { OPENED, "+5", "end", "410", "<{}", "end", "410", "<{}", "end",
		"200", LIST("90", NS("b", "80")), "end" },
	    OPENED_WANT
	    "open ?watch=1&resourceVersion=10; open ?resourceVersion=10; "
	    "open ?limit=500; begin; put b; end; open ?watch=1&resourceVersion=90; ",
	    NULL },
	{ "410 as an event", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ",\"reason\":\"Expired\""), "200",
		LIST("90", NS("b", "80")), "end" },
	    OPENED_WANT "close; open ?resourceVersion=10; begin; put b; end; "
			"open ?watch=1&resourceVersion=90; ",
	    NULL },
	{ "410 as an event, again and again", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ""), "200", LIST("90", NS("b", "80")), "end",
		"200", ERROR(410, ""), "timer", "200",
		LIST("91", NS("b", "80")), "end" },
	    OPENED_WANT "close; open ?resourceVersion=10; begin; put b; end; "
			"open ?watch=1&resourceVersion=90; close; wait; "
			"open ?resourceVersion=90; begin; put b; end; "
			"open ?watch=1&resourceVersion=91; ",
	    NULL },
	{ "an empty list is not believed at once", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ""), "200", LIST("90", ""), "end", "timer",
		"200", LIST("91", NS("a", "5")), "end" },
	    OPENED_WANT "close; open ?resourceVersion=10; begin; wait; "
			"open ?limit=500; begin; put a; end; "
			"open ?watch=1&resourceVersion=91; ",
	    NULL },
	{ "an empty list that stays empty", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ""), "200", LIST("90", ""), "end", "timer",
		"200", LIST("91", ""), "end" },
	    OPENED_WANT "close; open ?resourceVersion=10; begin; wait; "
			"open ?limit=500; begin; end; "
			"open ?watch=1&resourceVersion=91; ",
	    NULL },
	{ "a list from the past is not believed at once", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ""), "200", LIST("9", NS("b", "5")), "end",
		"timer", "200", LIST("11", NS("a", "5")), "end" },
	    OPENED_WANT "close; open ?resourceVersion=10; begin; put b; wait; "
			"open ?limit=500; begin; put a; end; "
			"open ?watch=1&resourceVersion=11; ",
	    NULL },
	{ "500 as an event, again and again", OBJECT_NAMESPACE,
	    { OPENED, ERROR(500, ""), "timer", "200", ERROR(500, ""), "timer",
		"200", ERROR(500, ""), "timer", "200", ERROR(500, ""), "timer",
		"200", ERROR(500, ""), "timer" },
	    OPENED_WANT "close; wait; open ?watch=1&resourceVersion=10; "
			"close; wait; open ?watch=1&resourceVersion=10; "
			"close; wait; open ?watch=1&resourceVersion=10; "
			"close; wait; open ?watch=1&resourceVersion=10; "
			"close; wait; open ?resourceVersion=10; ",
	    "m" },
	{ "429 as an event", OBJECT_NAMESPACE,
	    { OPENED, ERROR(429, ",\"details\":{\"retryAfterSeconds\":7}"),
		"timer" },
	    OPENED_WANT "close; wait; open ?watch=1&resourceVersion=10; ",
	    NULL },
	{ "429 as text", OBJECT_NAMESPACE,
	    { "begin", "429", "<too many\nrequests", "end", "timer" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; ",
	    "429: too many" },
	{ "a version from the future", OBJECT_NAMESPACE,
	    { OPENED, ERROR(410, ""), "504",
		"<{\"message\":\"m\",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}}",
		"end" },
	    OPENED_WANT "close; open ?resourceVersion=10; open ?limit=500; ",
	    NULL },
	{ "a version that goes back", OBJECT_NAMESPACE,
	    { OPENED, EVENT("BOOKMARK", NS("", "9")), "200",
		LIST("9", NS("a", "5")), "end" },
	    OPENED_WANT "close; open ?limit=500; begin; put a; end; "
			"open ?watch=1&resourceVersion=9; ",
	    NULL },
	{ "an old event takes nothing away", OBJECT_NAMESPACE,
	    { OPENED, EVENT("DELETED", NS("a", "9")) },
	    OPENED_WANT "close; open ?limit=500; ", NULL },
	{ "an old event that is broken", OBJECT_NAMESPACE,
	    { OPENED,
		EVENT("DELETED",
		    "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"9\",\"y\":tru}}") },
	    OPENED_WANT "close; open ?limit=500; ", NULL },
	{ "old events, again and again", OBJECT_NAMESPACE,
	    { OPENED, EVENT("DELETED", NS("a", "9")), "200",
		LIST("10", NS("a", "5")), "end", "200",
		EVENT("DELETED", NS("a", "9")), "timer" },
	    OPENED_WANT "close; open ?limit=500; begin; put a; end; "
			"open ?watch=1&resourceVersion=10; close; wait; "
			"open ?limit=500; ",
	    NULL },
	{ "an event that is repeated", OBJECT_NAMESPACE,
	    { OPENED, EVENT("ADDED", NS("b", "11")),
		EVENT("ADDED", NS("b", "11")) },
	    OPENED_WANT "put b; put b; ", NULL },
	{ "versions beyond 64 bits", OBJECT_NAMESPACE,
	    { OPENED, EVENT("ADDED", NS("b", "99999999999999999999999999999")),
		"+5", "end" },
	    OPENED_WANT
	    "put b; open ?watch=1&resourceVersion=99999999999999999999999999999; ",
	    NULL },
	{ "a stream that ends inside an event", OBJECT_NAMESPACE,
	    { OPENED, "<{\"type\":\"ADDED\",\"object\":{\"me", "+5", "end" },
	    OPENED_WANT "open ?watch=1&resourceVersion=10; ", NULL },
	{ "a stream that ends at once", OBJECT_NAMESPACE,
	    { OPENED, "end", "timer" },
	    OPENED_WANT "wait; open ?watch=1&resourceVersion=10; ", NULL },
	{ "a stream that ends at once after old news", OBJECT_NAMESPACE,
	    { OPENED, EVENT("BOOKMARK", NS("", "10")), "end", "timer" },
	    OPENED_WANT "wait; open ?watch=1&resourceVersion=10; ", NULL },
	{ "bookmarks only, for an hour", OBJECT_NAMESPACE,
	    { OPENED, "+900", EVENT("BOOKMARK", NS("", "20")), "+900",
		EVENT("BOOKMARK", NS("", "30")), "+900",
		EVENT("BOOKMARK", NS("", "30")), "+900",
		EVENT("ADDED", NS("b", "31")), "+60", "end" },
	    OPENED_WANT "put b; open ?watch=1&resourceVersion=31; ", NULL },
	{ "a stream without a sign of life", OBJECT_NAMESPACE,
	    { OPENED, "+150", "idle" }, OPENED_WANT "open ?limit=500; ",
	    "lost" },
	{ "refused, then back", OBJECT_NAMESPACE,
	    { "begin", "lost", "kick", "200" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; begin; ",
	    NULL },
	{ "an error of the server, then back", OBJECT_NAMESPACE,
	    { "begin", "503", "<x", "end", "kick", "200" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; begin; ",
	    NULL },
	{ "kicked in vain: its own backoff again", OBJECT_NAMESPACE,
	    { "begin", "lost", "kick", "lost", "kick", "timer", "503", "end",
		"kick", "timer", "200", LIST("10", ""), "lost", "kick" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; begin; wait; ",
	    "lost" },
	{ "kicked again after a list", OBJECT_NAMESPACE,
	    { "begin", "lost", "kick", "200", LIST("10", NS("a", "5")), "end",
		"lost", "kick" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; begin; put a; end; "
	    "open ?watch=1&resourceVersion=10; wait; "
	    "open ?watch=1&resourceVersion=10; ",
	    "lost" },
	{ "a server that cuts each watch is not asked in a circle",
	    OBJECT_NAMESPACE,
	    { OPENED, "lost", "kick", "200", "lost", "kick", "timer", "200",
		"+2", "lost", "kick" },
	    OPENED_WANT "wait; open ?watch=1&resourceVersion=10; wait; "
			"open ?watch=1&resourceVersion=10; wait; "
			"open ?watch=1&resourceVersion=10; ",
	    "lost" },
	{ "told to wait: nothing shortens that", OBJECT_NAMESPACE,
	    { "begin", "429", "<x", "end", "kick" },
	    "open ?limit=500&resourceVersion=0; wait; ", "429" },
	{ "refused: what others are given does not matter", OBJECT_NAMESPACE,
	    { "begin", "422", "<x", "end", "kick" },
	    "open ?limit=500&resourceVersion=0; wait; ", "422" },
	{ "forbidden by one that has just started", OBJECT_NAMESPACE,
	    { "begin", "403", "<x", "end", "kick", "403", "<x", "end", "kick" },
	    "open ?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; wait; ",
	    "forbidden" },
	{ "refused", OBJECT_NAMESPACE, { OPENED, "lost" }, OPENED_WANT "wait; ",
	    "lost" },
	{ "401", OBJECT_NAMESPACE,
	    { OPENED, "+5", "end", "401", "<{}", "end", "timer", "200" },
	    OPENED_WANT "open ?watch=1&resourceVersion=10; creds; wait; "
			"open ?watch=1&resourceVersion=10; ",
	    NULL },
	{ "403", OBJECT_NODE,
	    { "begin", "403", "<{\"message\":\"no\"}", "end" },
	    "open ?limit=500&resourceVersion=0; wait; ",
	    "cannot list nodes (no); grant it with: eipctl manifests" },
	{ "404 is an error", OBJECT_NODE, { "begin", "404", "<x", "end" },
	    "open ?limit=500&resourceVersion=0; wait; ", "(404)" },
	{ "no CRDs", OBJECT_EIP,
	    { "begin", "404", "end", "404", "end", "timer", "404", "end", "404",
		"end", "timer" },
	    "open ?limit=500&resourceVersion=0; "
	    "open v1alpha1?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; "
	    "open v1alpha1?limit=500&resourceVersion=0; begin; end; wait; "
	    "open ?limit=500&resourceVersion=0; ",
	    NULL },
	{ "old CRDs", OBJECT_EIP,
	    { "begin", "404", "end", "200", LIST("4", ""), "end", "timer",
		"200", LIST("4", ""), "end" },
	    "open ?limit=500&resourceVersion=0; "
	    "open v1alpha1?limit=500&resourceVersion=0; begin; wait; "
	    "open v1alpha1?limit=500; begin; end; "
	    "open v1alpha1?watch=1&resourceVersion=4; ",
	    NULL },
	{ "CRDs that go are not believed at once", OBJECT_EIP,
	    { "begin", "200", LIST("4", NS("a", "3")), "end", "200", "+5",
		"end", "404", "end", "404", "end", "timer", "+40", "404", "end",
		"404", "end" },
	    "open ?limit=500&resourceVersion=0; begin; refused a; end; "
	    "open ?watch=1&resourceVersion=4; "
	    "open ?watch=1&resourceVersion=4; "
	    "open v1alpha1?limit=500&resourceVersion=0; wait; "
	    "open ?limit=500&resourceVersion=0; "
	    "open v1alpha1?limit=500&resourceVersion=0; begin; end; wait; ",
	    NULL },
	{ "HTML", OBJECT_NAMESPACE, { "begin", "200", "<<html>", "end" },
	    "open ?limit=500&resourceVersion=0; begin; close; wait; ",
	    "no Kubernetes list" },
	{ "HTML instead of events", OBJECT_NAMESPACE,
	    { OPENED, "<<html>", "timer" },
	    OPENED_WANT "close; wait; open ?watch=1&resourceVersion=10; ",
	    "no Kubernetes list" },
	{ "a bad item is refused alone", OBJECT_NAMESPACE,
	    { OPENED,
		EVENT("ADDED",
		    "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"11\",\"y\":tru}}"),
		EVENT("ADDED", NS("b", "12")), "+5", "end" },
	    OPENED_WANT "refused x; put b; open ?watch=1&resourceVersion=12; ",
	    NULL },
	{ "a deletion of something broken", OBJECT_NAMESPACE,
	    { OPENED,
		EVENT("DELETED",
		    "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"11\",\"y\":tru}}") },
	    OPENED_WANT "gone a; ", NULL },
	{ "NUL and big numbers", OBJECT_NAMESPACE,
	    { OPENED,
		EVENT("ADDED",
		    "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"a\":\"x\\u0000y\"},\"generation\":99999999999999999999999}}") },
	    OPENED_WANT "put n; ", NULL },
	{ "unknown events", OBJECT_NAMESPACE,
	    { OPENED, EVENT("NEWS", NS("b", "12")),
		EVENT("ADDED", NS("c", "13")), "+5", "end" },
	    OPENED_WANT "put c; open ?watch=1&resourceVersion=13; ",
	    "namespaces: an event of the unknown type \"NEWS\"" },
	{ "a proxy that answers each watch with a list", OBJECT_NAMESPACE,
	    { OPENED, "200", LIST("12", NS("b", "12")), "timer", "200",
		"<{\"kind\":\"Status\",\"code\":500}" },
	    OPENED_WANT
	    "close; wait; open ?watch=1&resourceVersion=10; close; wait; ",
	    "no Kubernetes list or watch" },
	{ "other credentials", OBJECT_NAMESPACE, { OPENED, "credentials" },
	    OPENED_WANT "close; open ?watch=1&resourceVersion=10; ", NULL },
	{ "another server", OBJECT_NAMESPACE, { OPENED, "server" },
	    OPENED_WANT "close; open ?limit=500; ", NULL },
	{ "slices of headless Services are not asked for", OBJECT_SLICE,
	    { "begin" },
	    "open ?labelSelector=%21service.kubernetes.io%2Fheadless&limit=500&resourceVersion=0; ",
	    NULL },
};

struct run {
	struct kube_watch watch;
	struct sink sink;
	struct str out;
	mono_t now;
};

static void
sink_put(void *arg, struct object *object)
{
	struct run *r = arg;

	str_printf(&r->out, "put %s; ", object->name);
	object_free(object);
}

static void
sink_gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	struct run *r = arg;

	(void)kind;
	(void)ns;
	assert_string_equal(cluster, "test");
	str_printf(&r->out, "gone %s; ", name);
}

static void
sink_refused(void *arg, enum object_kind kind, const char *cluster,
    const char *ns, const char *name, const char *where, const struct err *err)
{
	struct run *r = arg;

	(void)kind;
	(void)cluster;
	(void)ns;
	assert_true(where[0] == '/');
	assert_true(err->code < 0);
	str_printf(&r->out, "refused %s; ", name);
}

static void
sink_begin(void *arg, enum object_kind kind, const char *cluster)
{
	struct run *r = arg;

	(void)kind;
	(void)cluster;
	str_add(&r->out, "begin; ");
}

static void
sink_end(void *arg, enum object_kind kind, const char *cluster)
{
	struct run *r = arg;

	(void)kind;
	(void)cluster;
	str_add(&r->out, "end; ");
}

/* The path without what is the same in all cases. */
static void
show_path(struct run *r)
{
	const char *path = kube_watch_path(&r->watch);
	const char *query = strchr(path, '?');
	const char *rest = strstr(path, "&allowWatchBookmarks");

	assert_non_null(query);
	str_printf(&r->out, "open %s%.*s; ",
	    strstr(path, "/v1alpha1/") ? "v1alpha1" : "",
	    rest ? (int)(rest - query) : (int)strlen(query), query);
}

static void
show_todo(struct run *r, const struct kube_watch_todo *todo)
{
	if (todo->stop)
		str_add(&r->out, "close; ");
	if (todo->want_credentials)
		str_add(&r->out, "creds; ");
	if (todo->start)
		show_path(r);
	if (todo->arm_us)
		str_add(&r->out, "wait; ");
	assert_false(todo->start && todo->arm_us);
}

static void
run_data(struct run *r, const char *data)
{
	size_t n = strlen(data);

	while (n) {
		struct kube_watch_todo todo = { 0 };
		size_t used =
		    kube_watch_on_data(&r->watch, data, n, r->now, &todo);

		assert_true(used > 0 && used <= n);
		data += used;
		n -= used;
		show_todo(r, &todo);
		if (todo.stop)
			return; /* the shell drops the rest */
	}
}

static void
run_end(struct run *r, bool is_lost, bool is_idle, struct kube_watch_todo *todo)
{
	struct err err = { 0 };

	if (is_lost)
		err_set(&err, -ECONNRESET, "lost");
	kube_watch_on_end(&r->watch, &err, is_idle, r->now, todo);
}

static void
run_step(struct run *r, const char *step)
{
	struct kube_watch_todo todo = { 0 };

	if (step[0] == '<') {
		run_data(r, step + 1);
		return;
	}
	if (step[0] == '+')
		r->now += atoi(step + 1) * MONO_S;
	else if (step[0] >= '0' && step[0] <= '9')
		kube_watch_on_response(&r->watch, atol(step), 0, r->now);
	else if (strcmp(step, "begin") == 0)
		kube_watch_begin(&r->watch, true, r->now, &todo);
	else if (strcmp(step, "credentials") == 0)
		kube_watch_begin(&r->watch, false, r->now, &todo);
	else if (strcmp(step, "server") == 0)
		kube_watch_begin(&r->watch, true, r->now, &todo);
	else if (strcmp(step, "timer") == 0)
		kube_watch_on_timer(&r->watch, r->now, &todo);
	else if (strcmp(step, "kick") == 0)
		kube_watch_kick(&r->watch, false, r->now, &todo);
	else if (strcmp(step, "end") == 0)
		run_end(r, false, false, &todo);
	else if (strcmp(step, "lost") == 0)
		run_end(r, true, false, &todo);
	else if (strcmp(step, "idle") == 0)
		run_end(r, true, true, &todo);
	else
		fail_msg("step %s", step);
	show_todo(r, &todo);
}

static void
run_init(struct run *r, enum object_kind kind)
{
	*r = (struct run){ .now = 1000 * MONO_S,
		.sink = { sink_put, sink_gone, sink_refused, sink_begin,
		    sink_end, NULL } };
	r->sink.arg = r;
	kube_watch_init(&r->watch, kind, "test", &r->sink, 1);
}

static void
run_fini(struct run *r)
{
	kube_watch_fini(&r->watch);
	str_fini(&r->out);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct watch_case *c = &cases[i];
		struct run r;

		run_init(&r, c->kind);
		for (size_t s = 0; s < STEPS_MAX && c->steps[s]; s++)
			run_step(&r, c->steps[s]);
		if (strcmp(str_get(&r.out), c->want) != 0)
			fail_msg("%s\n got %s\nwant %s", c->name,
			    str_get(&r.out), c->want);
		if (c->problem ? !strstr(r.watch.problem, c->problem)
			       : r.watch.problem[0] != '\0')
			fail_msg("%s: problem \"%s\"", c->name,
			    r.watch.problem);
		run_fini(&r);
	}
}

/* 0.8 s, doubled up to 30 s, less up to a half; from the beginning after two
 * quiet minutes. */
static void
test_backoff(void **state)
{
	static const int64_t want_ms[] = { 800, 1600, 3200, 6400, 10000,
		10000 };
	struct kube_watch_todo todo = { 0 };
	struct run r;

	(void)state;
	run_init(&r, OBJECT_NODE);
	kube_watch_begin(&r.watch, true, r.now, &todo);
	for (size_t i = 0; i < ARRAY_LEN(want_ms); i++) {
		todo = (struct kube_watch_todo){ 0 };
		run_end(&r, true, false, &todo);
		assert_true(todo.arm_us <= want_ms[i] * MONO_MS);
		assert_true(todo.arm_us >= want_ms[i] * MONO_MS / 2);
		r.now += todo.arm_us;
		kube_watch_on_timer(&r.watch, r.now, &todo);
	}
	r.now += 130 * MONO_S;
	todo = (struct kube_watch_todo){ 0 };
	run_end(&r, true, false, &todo);
	assert_true(todo.arm_us <= 800 * MONO_MS);
	/* Soon again it is still the same trouble. */
	kube_watch_on_timer(&r.watch, r.now, &todo);
	r.now += 3 * MONO_S;
	todo = (struct kube_watch_todo){ 0 };
	run_end(&r, true, false, &todo);
	assert_true(todo.arm_us >= 800 * MONO_MS);
	kube_watch_on_timer(&r.watch, r.now, &todo);
	r.now += 7 * MONO_S;
	todo = (struct kube_watch_todo){ 0 };
	run_end(&r, true, false, &todo);
	assert_true(todo.arm_us <= 800 * MONO_MS);
	run_fini(&r);
}

static void
test_retry_after(void **state)
{
	struct kube_watch_todo todo = { 0 };
	struct run r;

	(void)state;
	run_init(&r, OBJECT_NODE);
	kube_watch_begin(&r.watch, true, r.now, &todo);
	kube_watch_on_response(&r.watch, 429, 5 * MONO_S, r.now);
	todo = (struct kube_watch_todo){ 0 };
	run_end(&r, false, false, &todo);
	assert_true(todo.arm_us >= 5 * MONO_S && todo.arm_us <= 6 * MONO_S);
	run_fini(&r);
}

static void
test_synced(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, OBJECT_NAMESPACE);
	run_step(&r, "begin");
	run_step(&r, "200");
	assert_false(r.watch.is_synced);
	run_step(&r, LIST("1", NS("a", "1")));
	run_step(&r, "end");
	assert_true(r.watch.is_synced);
	assert_false(r.watch.is_connected);
	run_step(&r, "200");
	assert_true(r.watch.is_connected);
	run_step(&r, "+5");
	run_step(&r, "end"); /* a stream that ends is no trouble */
	assert_true(r.watch.is_connected);
	run_step(&r, "lost");
	assert_false(r.watch.is_connected);
	assert_true(r.watch.is_synced);
	assert_int_equal(r.watch.restarts, 0);
	run_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
