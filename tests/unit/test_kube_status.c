/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kube_status: what is written to a Service's status, and when.
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

#include "apply/kube_status.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube_fake.h"
#include "sys/log.h"
#include "sys/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_timer *stop;
	struct kube_status_writer *writer;
	unsigned int written;
};

static struct fixture *fx;

static void
on_written(void *arg, const char *ns, const char *name)
{
	struct fixture *f = arg;

	assert_string_equal(ns, "ns");
	assert_true(str_starts_with(name, "web"));
	f->written++;
}

static void
on_stop(void *arg)
{
	loop_stop(arg);
}

/* The timers that are due have run. */
static void
turn(void)
{
	loop_timer_arm(fx->stop, MONO_MS);
	loop_run(fx->loop);
}

static void
answer(long status, const char *body)
{
	kube_fake_answer(status, body);
	turn();
}

static void
retry(void)
{
	kube_status_retry(fx->writer);
	turn();
}

static int
setup(void **state)
{
	fx = mem_new(struct fixture);
	log_init(LOG_LEVEL_ERR);
	fx->loop = loop_new();
	fx->stop = loop_timer_new(fx->loop, on_stop, fx->loop);
	fx->writer = kube_status_new(fx->loop, NULL, on_written, fx);
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	kube_status_free(fx->writer);
	loop_timer_free(fx->stop);
	loop_free(fx->loop);
	kube_fake_clear();
	free(fx);
	*state = NULL;
	return 0;
}

/* "1.2.3.4 v" is an ingress of mode VIP, "p" is Proxy, "-" none at all. */
static size_t
read_ingress(const char *s, struct ingress out[2])
{
	size_t n = 0;
	char address[64];
	char mode;

	while (sscanf(s, "%63s %c", address, &mode) == 2) {
		assert_int_equal(addr_parse(address, &out[n].addr), 0);
		out[n++].ip_mode = mode == 'v' ? IP_MODE_VIP
		    : mode == 'p'	       ? IP_MODE_PROXY
					       : IP_MODE_NONE;
		s += strlen(address) + 2;
		s += *s == ' ';
	}
	return n;
}

static void
decide(const char *name, const char *seen, const char *wanted)
{
	struct ingress is[2] = { 0 };
	struct ingress to[2] = { 0 };
	struct service s = {
		.o = { .kind = OBJECT_SERVICE,
		    .cluster = "c",
		    .ns = "ns",
		    .name = name,
		    .uid = "u1" },
		.is_load_balancer = true,
		.has_foreign_ingress = seen[0] == '!',
	};

	s.ingress = is;
	s.n_ingress = read_ingress(seen + (seen[0] == '!'), is);
	kube_status_want(fx->writer, &s, to, read_ingress(wanted, to));
}

static void
want_of(const char *name, const char *seen, const char *wanted)
{
	decide(name, seen, wanted);
	turn();
}

static void
want(const char *seen, const char *wanted)
{
	want_of("web", seen, wanted);
}

static bool
is_written(void)
{
	return kube_status_is_written(fx->writer, "ns", "web");
}

#define PATCH                                                                  \
	"PATCH /api/v1/namespaces/ns/services/web/status?fieldManager=eipd "

static const struct {
	const char *seen;
	const char *want;
	const char *body; /* "" if nothing is to be written */
} differences[] = {
	{ "", "", "" },
	{ "", "1.2.3.4 v",
	    "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.2.3.4\",\"ipMode\":\"VIP\"}]}},\"metadata\":{\"uid\":\"u1\"}}" },
	{ "1.2.3.4 v", "1.2.3.4 v", "" },
	{ "1.2.3.4 v", "1.2.3.4 -", "" }, /* the server's default */
	{ "1.2.3.4 -", "1.2.3.4 v", "" }, /* a server without the field */
	{ "1.2.3.4 v", "1.2.3.4 p", "ingress" },
	{ "1.2.3.4 v", "", "\"ingress\":null" },
	{ "!1.2.3.4 v", "1.2.3.4 v", "ingress" },
	{ "1.2.3.4 v fd00::1 v", "fd00::1 v 1.2.3.4 v", "ingress" },
};

static void
test_differences(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		teardown(state);
		setup(state);
		want(differences[i].seen, differences[i].want);
		assert_int_equal(is_written(), !differences[i].body[0]);
		if (!differences[i].body[0]) {
			assert_int_equal(kube_fake_waiting(), 0);
			continue;
		}
		assert_int_equal(kube_fake_waiting(), 1);
		assert_true(str_starts_with(kube_fake_first(), PATCH));
		assert_non_null(strstr(kube_fake_first(), differences[i].body));
	}
}

static void
test_write(void **state)
{
	(void)state;
	want("", "1.2.3.4 v");
	assert_false(is_written());
	want("", "1.2.3.4 v"); /* one write at a time */
	assert_int_equal(kube_fake_waiting(), 1);
	answer(200, "{}");
	assert_int_equal(fx->written, 1);
	assert_true(is_written());
	want("", "1.2.3.4 v"); /* the echo is on its way */
	assert_int_equal(kube_fake_waiting(), 0);
	assert_true(is_written());
	want("1.2.3.4 v", "1.2.3.4 v");
	assert_true(is_written());
	want("1.2.3.4 v", "");
	assert_false(is_written());
	assert_int_equal(kube_fake_waiting(), 1);
	answer(200, "{}");
	assert_true(is_written());
}

/* What is wanted changes while a write is under way. */
static void
test_overtaken(void **state)
{
	(void)state;
	want("", "1.2.3.4 v");
	want("", "5.6.7.8 v");
	assert_int_equal(kube_fake_waiting(), 1);
	answer(200, "{}");
	assert_int_equal(fx->written, 0);
	assert_int_equal(kube_fake_waiting(), 1);
	assert_non_null(strstr(kube_fake_first(), "5.6.7.8"));
	answer(200, "{}");
	assert_int_equal(fx->written, 1);
	assert_true(is_written());
}

/* Nor is it sent when it changes before a write is under way. */
static void
test_taken_back(void **state)
{
	(void)state;
	decide("web", "", "1.2.3.4 v");
	want("", "");
	assert_int_equal(kube_fake_waiting(), 0);
	decide("web", "", "1.2.3.4 v");
	want("", "5.6.7.8 v");
	assert_int_equal(kube_fake_waiting(), 1);
	assert_non_null(strstr(kube_fake_first(), "5.6.7.8"));
}

static void
test_forget(void **state)
{
	(void)state;
	want("", "1.2.3.4 v");
	kube_status_forget(fx->writer, "ns", "web");
	kube_status_forget(fx->writer, "ns", "web");
	assert_false(is_written());
	answer(200, "{}");
	assert_int_equal(fx->written, 0);
}

static void
test_failures(void **state)
{
	static const long statuses[] = { 0, 400, 401, 403, 404, 409, 413, 422,
		429, 500, 503 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		teardown(state);
		setup(state);
		want("", "1.2.3.4 v");
		answer(statuses[i], "{\"message\":\"no\"}");
		assert_false(is_written());
		assert_int_equal(kube_fake_waiting(), 0); /* not at once */
		/* What is gone is no trouble of anybody's. */
		assert_int_equal(statuses[i] != 404,
		    *kube_status_problem(fx->writer, "ns", "web") != 0);
		retry();
		assert_int_equal(kube_fake_waiting(), 1);
		answer(200, "{}");
		assert_true(is_written());
	}
}

/* All that wait for a server that is away say so, not only those that it
 * did not answer. */
static void
test_server_away(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "web%d", i);
		want_of(name, "", "1.2.3.4 v");
	}
	assert_string_equal(kube_status_problem(fx->writer, "ns", "web0"), "");
	while (kube_fake_waiting())
		answer(0, "");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "web%d", i);
		assert_string_equal(kube_status_problem(fx->writer, "ns", name),
		    "refused");
	}
	assert_string_equal(kube_status_problem(fx->writer, "ns", "no"), "");
	retry();
	while (kube_fake_waiting())
		answer(200, "{}");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "web%d", i);
		assert_string_equal(kube_status_problem(fx->writer, "ns", name),
		    "");
	}
	assert_int_equal(fx->written, 40);
}

/* Three corrections at once, then one a minute and an Event. */
static void
test_foreign(void **state)
{
	(void)state;
	want("1.2.3.4 v", "1.2.3.4 v");
	for (int i = 0; i < 3; i++) {
		want("9.9.9.9 v", "1.2.3.4 v");
		assert_int_equal(kube_fake_waiting(), 1);
		answer(200, "{}");
		want("1.2.3.4 v", "1.2.3.4 v");
		assert_int_equal(kube_fake_waiting(), 0);
	}
	want("9.9.9.9 v", "1.2.3.4 v");
	assert_int_equal(kube_fake_waiting(), 1);
	assert_non_null(strstr(kube_fake_first(), "/events?"));
	assert_non_null(strstr(kube_fake_first(), "StatusConflict"));
	assert_false(is_written());
	want("9.9.9.8 v", "1.2.3.4 v"); /* more of it changes nothing */
	assert_int_equal(kube_fake_waiting(), 1);
	want("9.9.9.8 v", "5.6.7.8 v"); /* our own change goes out */
	assert_int_equal(kube_fake_waiting(), 2);
}

/* A server that drops ipMode is not written to for ever. */
static void
test_no_ip_mode(void **state)
{
	(void)state;
	want("", "1.2.3.4 p");
	answer(200,
	    "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.2.3.4\"}]}}}");
	want("1.2.3.4 -", "1.2.3.4 p");
	assert_int_equal(kube_fake_waiting(), 0);
	assert_true(is_written());
}

static void
test_event_series(void **state)
{
	struct object o = { .kind = OBJECT_EIP,
		.cluster = "c",
		.ns = "",
		.name = "pool",
		.uid = "u" };

	(void)state;
	for (int i = 0; i < 5; i++)
		kube_event(fx->writer, &o, true, "Full", "Allocate", "note");
	assert_int_equal(kube_fake_waiting(), 1);
	assert_true(str_starts_with(kube_fake_first(),
	    "POST /apis/events.k8s.io/v1/namespaces/default/events?"));
	assert_non_null(
	    strstr(kube_fake_first(), "network.kubesphere.io/v1alpha2"));
	answer(201, "{}");
	assert_int_equal(kube_fake_waiting(), 1);
	assert_true(str_starts_with(kube_fake_first(),
	    "PATCH /apis/events.k8s.io/v1/namespaces/default/events/pool."));
	assert_non_null(strstr(kube_fake_first(), "\"count\":5"));
	answer(404, "{}"); /* its time to live was over */
	assert_true(str_starts_with(kube_fake_first(), "POST "));
	answer(201, "{}");
	kube_event(fx->writer, &o, true, "Full", "Allocate", "another note");
	assert_non_null(strstr(kube_fake_first(), "\"count\":5"));
	answer(200, "{}");
	assert_non_null(strstr(kube_fake_first(), "another note"));
	answer(403, "cannot create");
	o.origin = "file:1:1";
	kube_event(fx->writer, &o, true, "Full", "Allocate", "of a file");
	assert_int_equal(kube_fake_waiting(), 0);
}

/* Of a burst the addresses go first. */
static void
test_events_wait(void **state)
{
	struct object o = { .kind = OBJECT_EIP,
		.cluster = "c",
		.ns = "",
		.name = "pool",
		.uid = "u" };
	size_t in_flight;
	char name[16];

	(void)state;
	for (size_t i = 0; kube_fake_waiting() == i; i++) {
		snprintf(name, sizeof(name), "web%zu", i);
		want_of(name, "", "1.2.3.4 v");
	}
	in_flight = kube_fake_waiting(); /* and one in the queue */
	kube_event(fx->writer, &o, false, "Full", "Allocate", "note");
	assert_int_equal(kube_fake_waiting(), in_flight);
	answer(200, "{}"); /* the last one begins */
	assert_int_equal(kube_fake_waiting(), in_flight + 1);
	while (kube_fake_waiting() > 1)
		answer(200, "{}");
	assert_true(str_starts_with(kube_fake_first(), "POST "));
	answer(201, "{}");
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_differences),
		TEST(test_write),
		TEST(test_overtaken),
		TEST(test_taken_back),
		TEST(test_forget),
		TEST(test_failures),
		TEST(test_server_away),
		TEST(test_foreign),
		TEST(test_no_ip_mode),
		TEST(test_event_series),
		TEST(test_events_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
