/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kube_cr_status: what is written to the status of Eip, BgpConf and
 * BgpPeer objects, and when.
 *
 * The loop runs until a request has come, so only waiting for one takes time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_cr_status.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube_fake.h"
#include "sys/log.h"
#include "sys/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_timer *stop;
	struct kube_cr_status *writer;
};

static struct fixture *fx;

/* What the API server has of it: `status` is JSON. */
static void
answer_read(const char *uid, const char *status)
{
	struct str body = { 0 };

	assert_memory_equal(kube_fake_first(), "GET ", 4);
	str_printf(&body,
	    "{\"items\":[{\"metadata\":{\"uid\":\"%s\"},\"status\":%s}]}", uid,
	    status);
	kube_fake_answer(200, body.s);
	str_fini(&body);
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
	loop_timer_arm(fx->stop, 5 * MONO_MS);
	loop_run(fx->loop);
}

static int
setup(void **state)
{
	fx = mem_new(struct fixture);
	log_init(LOG_LEVEL_ERR);
	fx->loop = loop_new();
	fx->stop = loop_timer_new(fx->loop, on_stop, fx->loop);
	fx->writer = kube_cr_status_new(fx->loop, NULL);
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	kube_cr_status_free(fx->writer);
	loop_timer_free(fx->stop);
	loop_free(fx->loop);
	kube_fake_clear();
	free(fx);
	*state = NULL;
	return 0;
}

static void
want_of(enum object_kind kind, const char *uid, const char *origin,
    const char *status)
{
	struct object o = { .kind = kind,
		.cluster = "c",
		.ns = "",
		.name = "one",
		.uid = uid,
		.origin = origin };

	kube_cr_status_begin(fx->writer);
	kube_cr_status_want(fx->writer, &o, status);
	kube_cr_status_end(fx->writer);
	turn();
}

static void
want(const char *status)
{
	want_of(OBJECT_EIP, "u1", NULL, status);
}

#define EIPS "/apis/network.kubesphere.io/v1alpha2/eips"

static const struct {
	enum object_kind kind;
	const char *known;
	const char *want;
	const char *patch; /* of the status; "" if nothing is to be written */
} differences[] = {
	{ OBJECT_EIP, "null", "{\"usage\":1}", "{\"usage\":1}" },
	{ OBJECT_EIP, "{\"usage\":1}", "{\"usage\":1}", "" },
	{ OBJECT_EIP, "{\"usage\":1,\"theirs\":2}", "{\"usage\":1}", "" },
	{ OBJECT_EIP, "{\"usage\":1,\"ready\":true}",
	    "{\"usage\":2,\"ready\":true}", "{\"usage\":2}" },
	{ OBJECT_EIP, "{}", "{\"used\":{}}", "{\"used\":{}}" },
	{ OBJECT_EIP, "{\"used\":{}}", "{\"used\":{}}", "" },
	{ OBJECT_EIP, "{\"used\":{\"1.1.1.1\":\"a/b\",\"1.1.1.2\":\"a/c\"}}",
	    "{\"used\":{\"1.1.1.2\":\"a/c\",\"1.1.1.3\":\"a/d\"}}",
	    "{\"used\":{\"1.1.1.3\":\"a/d\",\"1.1.1.1\":null}}" },
	{ OBJECT_EIP, "{}", "{\"message\":null}", "" },
	{ OBJECT_EIP, "{\"message\":\"m\"}", "{\"message\":null}",
	    "{\"message\":null}" },
	{ OBJECT_BGP_PEER,
	    "{\"nodesPeerStatus\":{\"gw\":{\"a\":{\"x\":1,\"y\":2}},\"gw2\":{}}}",
	    "{\"nodesPeerStatus\":{\"gw\":{\"a\":{\"x\":1}}}}",
	    "{\"nodesPeerStatus\":{\"gw\":{\"a\":{\"y\":null}}}}" },
	{ OBJECT_BGP_CONF, "{\"nodesConfStatus\":{\"gw2\":{\"as\":1}}}",
	    "{\"nodesConfStatus\":{\"gw\":{\"as\":1}}}",
	    "{\"nodesConfStatus\":{\"gw\":{\"as\":1}}}" },
	{ OBJECT_EIP, "\"nonsense\"", "{\"usage\":1}", "{\"usage\":1}" },
	{ OBJECT_EIP, "{\"used\":7}", "{\"used\":{\"1.1.1.1\":\"a/b\"}}",
	    "{\"used\":{\"1.1.1.1\":\"a/b\"}}" },
};

static void
test_differences(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		struct str body = { 0 };

		teardown(state);
		setup(state);
		want_of(differences[i].kind, "u1", NULL, differences[i].want);
		answer_read("u1", differences[i].known);
		if (!differences[i].patch[0]) {
			assert_int_equal(kube_fake_waiting(), 0);
			continue;
		}
		assert_int_equal(kube_fake_waiting(), 1);
		str_printf(&body,
		    "{\"status\":%s,\"metadata\":", differences[i].patch);
		assert_memory_equal(kube_fake_first(), "PATCH ", 6);
		assert_non_null(strstr(kube_fake_first(), body.s));
		str_fini(&body);
	}
}

static void
test_requests(void **state)
{
	(void)state;
	want("{\"usage\":1}");
	assert_string_equal(kube_fake_first(),
	    "GET " EIPS "?fieldSelector=metadata.name%3Done");
	answer_read("u1", "{}");
	assert_string_equal(kube_fake_first(),
	    "PATCH " EIPS "/one/status?fieldManager=eipd "
	    "{\"status\":{\"usage\":1},\"metadata\":{\"uid\":\"u1\"}}");
	kube_fake_answer(200, "{}");
	want("{\"usage\":1}"); /* is written */
	assert_int_equal(kube_fake_waiting(), 0);
}

/* A change soon after a turn waits; what is wanted then is written. */
static void
test_pace(void **state)
{
	(void)state;
	want("{\"usage\":1}");
	want("{\"usage\":2}"); /* one request at a time */
	assert_int_equal(kube_fake_waiting(), 1);
	answer_read("u1", "{}");
	assert_non_null(strstr(kube_fake_first(), "\"usage\":2"));
	want("{\"usage\":3}");
	assert_int_equal(kube_fake_waiting(), 1);
	kube_fake_answer(200, "{}"); /* overtaken */
	turn();
	assert_int_equal(kube_fake_waiting(), 0);
	want("{\"usage\":4}");
	assert_int_equal(kube_fake_waiting(), 0);
}

static void
test_another_incarnation(void **state)
{
	(void)state;
	want("{\"usage\":1}");
	answer_read("u0", "{}"); /* the watch knows more, or less */
	assert_int_equal(kube_fake_waiting(), 0);
	want_of(OBJECT_EIP, "u2", NULL, "{\"usage\":1}");
	answer_read("u2", "{\"usage\":0}");
	assert_non_null(strstr(kube_fake_first(), "\"u2\""));
	want_of(OBJECT_EIP, "u3", NULL, "{\"usage\":1}");
	kube_fake_answer(200, "{}"); /* meant the one before */
	turn();
	answer_read("u3", "{}");
	assert_non_null(strstr(kube_fake_first(), "\"u3\""));
}

static void
test_not_to_be_written(void **state)
{
	(void)state;
	want_of(OBJECT_EIP, "", "file.yaml:1:1", "{\"usage\":1}");
	want_of(OBJECT_SERVICE, "u", NULL, "{\"usage\":1}");
	assert_int_equal(kube_fake_waiting(), 0);
}

static void
test_forget(void **state)
{
	(void)state;
	want("{\"usage\":1}");
	kube_cr_status_begin(fx->writer);
	kube_cr_status_end(fx->writer);
	answer_read("u1", "{}");
	assert_int_equal(kube_fake_waiting(), 0);
	want("{\"usage\":1}"); /* anew */
	kube_fake_answer(200, "{\"items\":[]}"); /* gone meanwhile */
	turn();
	assert_int_equal(kube_fake_waiting(), 0);
}

static const struct {
	long status;
	const char *body;
	const char *problem;
} failures[] = {
	{ 0, "", "" },
	{ 200, "nonsense", "not the JSON" },
	{ 401, "", "logged in" },
	{ 403, "", "cannot patch eips/status" },
	{ 404, "", "" },
	{ 409, "no", "409: no" },
	{ 413, "no", "413: no" },
	{ 422, "no", "422: no" },
	{ 429, "no", "429: no" },
	{ 503, "no", "503: no" },
};

static void
test_failures(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		/* Of the read, of the write. */
		for (int write = 0; write < 2; write++) {
			teardown(state);
			setup(state);
			if (write && failures[i].status == 200)
				continue;
			want("{\"usage\":1}");
			if (write)
				answer_read("u1", "{}");
			kube_fake_answer(failures[i].status, failures[i].body);
			turn();
			assert_int_equal(kube_fake_waiting(),
			    0); /* not at once */
			assert_non_null(
			    strstr(kube_cr_status_problem(fx->writer),
				failures[i].problem));
			assert_int_equal(!*failures[i].problem,
			    !*kube_cr_status_problem(fx->writer));
			kube_cr_status_retry(fx->writer);
			turn();
			answer_read("u1", "{\"usage\":1}");
			assert_string_equal(kube_cr_status_problem(fx->writer),
			    "");
		}
	}
}

/* A pool each second must not fill the connections. */
static void
test_bounded(void **state)
{
	char name[8] = "pool-a";
	struct object o = { .kind = OBJECT_EIP,
		.cluster = "c",
		.ns = "",
		.name = name,
		.uid = "u" };

	(void)state;
	kube_cr_status_begin(fx->writer);
	for (int i = 0; i < 20; i++) {
		name[5] = (char)('a' + i);
		kube_cr_status_want(fx->writer, &o, "{\"usage\":1}");
	}
	kube_cr_status_end(fx->writer);
	turn();
	assert_int_equal(kube_fake_waiting(), 4);
	for (int i = 0; i < 20; i++) {
		answer_read("u", "{\"usage\":1}");
		turn();
	}
	assert_int_equal(kube_fake_waiting(), 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_differences),
		TEST(test_requests),
		TEST(test_pace),
		TEST(test_another_incarnation),
		TEST(test_not_to_be_written),
		TEST(test_forget),
		TEST(test_failures),
		TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
