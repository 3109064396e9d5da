/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP interface without its sockets: what each name answers, held
 * against tests/golden/ctl/, and what is refused how.
 *
 * GOLDEN_UPDATE=1 writes the golden files anew; a reviewer reads their diff.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "ctl/metrics.h"
#include "ctl/request.h"
#include "ctl_fake.h"

static struct ctl_answer
ask(struct fake *fake, const char *method, const char *target, const char *body,
    bool is_control)
{
	char *path = mem_strdup(target);
	char *query = strchr(path, '?');
	struct ctl_request req = { .state = fake_state(fake),
		.now = FAKE_MONO,
		.method = method,
		.path = path,
		.query = query ? query + 1 : "",
		.body = body,
		.body_b = strlen(body),
		.is_control = is_control,
		.openelb_metrics = true,
		.node_name = "box" };
	struct ctl_answer answer;

	req.metrics = ctl_metrics_new(req.state);
	if (query)
		*query = '\0';
	ctl_handle(&req, &answer);
	if (ctl_metrics_step(req.metrics)) {
		assert_true(answer.is_later);
		while (ctl_metrics_step(req.metrics))
			;
		ctl_handle(&req, &answer);
	}
	if (answer.rest) {
		struct ctl_rest *rest = answer.rest;

		while (rest->step(rest))
			;
		answer = rest->answer;
		rest->answer.body = (struct str){ 0 };
		ctl_rest_free(rest);
	}
	ctl_metrics_free(req.metrics);
	free(path);
	return answer;
}

static const struct golden_case {
	const char *file;
	const char *target;
} golden[] = {
	{ "status.json", "/v1/status" },
	{ "services.json", "/v1/services" },
	{ "services-name.json", "/v1/services?namespace=default&name=api" },
	{ "pools.json", "/v1/pools" },
	{ "leases.json", "/v1/leases" },
	{ "backends.json",
	    "/v1/backends?cluster=kubernetes&namespace=default&name=web" },
	{ "nodes.json", "/v1/nodes" },
	{ "peers.json", "/v1/peers" },
	{ "routes.json", "/v1/routes" },
	{ "routes-idle.json", "/v1/routes?peer=tor2" },
	{ "explain-announced.json", "/v1/explain?subject=192.0.2.1%3A80" },
	{ "explain-refused.json", "/v1/explain?subject=default%2Fapi" },
	{ "explain-passive.json", "/v1/explain?subject=[2001:db8:1::2]:80" },
	{ "explain-adopted.json", "/v1/explain?subject=default/gone" },
	{ "explain-foreign.json", "/v1/explain?subject=default/foreign" },
	{ "explain-quarantined.json", "/v1/explain?subject=192.0.2.3" },
	{ "explain-reserved.json", "/v1/explain?subject=192.0.2.9" },
	{ "explain-free.json", "/v1/explain?subject=192.0.2.5" },
	{ "explain-port.json", "/v1/explain?subject=192.0.2.1:81" },
	{ "explain-outside.json", "/v1/explain?subject=10.1.2.3" },
	{ "history.json", "/v1/history" },
	{ "history-name.json", "/v1/history?subject=other/mail" },
	{ "check.json", "/v1/check" },
	{ "doctor.json", "/v1/doctor" },
	{ "metrics.txt", "/metrics" },
};

static char *
golden_path(const char *file)
{
	const char *top = getenv("top_srcdir");
	struct str path = { 0 };

	str_printf(&path, "%s/tests/golden/ctl/%s", top ? top : ".", file);
	return str_steal(&path);
}

static char *
read_file(const char *path)
{
	struct str text = { 0 };
	char buf[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add_n(&text, buf, n);
	fclose(f);
	return str_steal(&text);
}

/* Indented, so that a diff is short. */
static char *
pretty(const struct golden_case *c, const struct ctl_answer *answer)
{
	json_error_t error;
	struct str out = { 0 };
	json_t *json;
	char *text;

	if (answer->content_type[0] == 'a' &&
	    strcmp(answer->content_type, CTL_JSON) != 0)
		return mem_strdup(str_get(&answer->body));
	json =
	    json_loads(str_get(&answer->body), JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s: %s in %s", c->file, error.text,
		    str_get(&answer->body));
	text = json_dumps(json, JSON_INDENT(2));
	str_printf(&out, "%s\n", text);
	free(text);
	json_decref(json);
	return str_steal(&out);
}

static void
check_golden(struct fake *fake, const struct golden_case *c)
{
	struct ctl_answer answer = ask(fake, "GET", c->target, "", false);
	char *path = golden_path(c->file);
	char *got = pretty(c, &answer);
	char *want;

	assert_int_equal(answer.status, 200);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	}
	want = read_file(path);
	if (!want)
		fail_msg("%s cannot be read", path);
	if (strcmp(got, want) != 0)
		fail_msg("%s differs; got:\n%s", c->file, got);
	free(want);
	free(got);
	free(path);
	str_fini(&answer.body);
}

static void
test_golden(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++)
		check_golden(fake, &golden[i]);
	fake_free(fake);
}

static const struct refusal_case {
	const char *method;
	const char *target;
	const char *body;
	bool is_http; /* by http.listen, not by the control socket */
	unsigned int status;
	const char *text; /* part of the message */
} refusals[] = {
	{ "GET", "/v1/nothing", "", false, 404, "/v1/nothing" },
	{ "GET", "/", "", true, 404, "/" },
	{ "DELETE", "/v1/services", "", false, 405, "takes GET" },
	{ "GET", "/v1/reload", "", false, 405, "takes POST" },
	{ "POST", "/v1/reload", "", true, 405, "control socket" },
	{ "POST", "/v1/nothing", "", true, 405, "control socket" },
	{ "HEAD", "/metrics", "", true, 405, "control socket" },
	{ "GET", "/v1/services?name=no", "", false, 404,
	    "there is no Service no" },
	{ "GET", "/v1/services?namespace=x&name=web", "", false, 404,
	    "Service x/web" },
	{ "GET", "/v1/pools?name=no", "", false, 404, "Eip no" },
	{ "GET", "/v1/nodes?name=no", "", false, 404, "Node no" },
	{ "GET", "/v1/peers?name=no", "", false, 404, "BgpPeer no" },
	{ "GET", "/v1/routes?peer=no", "", false, 404, "BgpPeer no" },
	{ "GET", "/v1/backends", "", false, 400, "namespace and name" },
	{ "GET", "/v1/backends?namespace=default&name=no", "", false, 404,
	    "there is no Service default/no" },
	{ "GET", "/v1/backends?namespace=default&name=web", "", false, 409,
	    "static and kubernetes" },
	{ "GET", "/v1/backends?namespace=default&name=foreign", "", false, 404,
	    "not handled" },
	{ "GET", "/v1/backends?namespace=default&name=gone", "", false, 404,
	    "without its backends" },
	{ "GET", "/v1/explain", "", false, 400, "subject" },
	{ "GET", "/v1/explain?subject=%zz", "", false, 400, "subject" },
	{ "GET", "/v1/explain?subject=web", "", false, 400, "neither" },
	{ "GET", "/v1/explain?subject=a/b/c", "", false, 400, "neither" },
	{ "GET", "/v1/explain?subject=192.0.2.1:0", "", false, 400, "neither" },
	{ "GET", "/v1/explain?subject=192.0.2.1:65536", "", false, 400,
	    "neither" },
	{ "GET", "/v1/explain?subject=[::1", "", false, 400, "neither" },
	{ "GET", "/v1/explain?subject=x/y", "", false, 404, "Service x/y" },
	{ "GET", "/v1/explain?subject=default/web", "", false, 409,
	    "name one" },
	{ "GET", "/v1/history?subject=192.0.2.1:80", "", false, 400,
	    "neither" },
	{ "POST", "/v1/reserve", "", false, 400, "address is missing" },
	{ "POST", "/v1/reserve", "[]", false, 400, "not a JSON object" },
	{ "POST", "/v1/reserve", "{", false, 400, "not a JSON object" },
	{ "POST", "/v1/reserve", "{\"address\":1}", false, 400, "address" },
	{ "POST", "/v1/reserve", "{\"address\":\"x\"}", false, 400,
	    "not an IP address" },
	{ "POST", "/v1/reserve", "{\"address\":\"192.0.2.9\"}", false, 400,
	    "namespace" },
	{ "POST", "/v1/reserve",
	    "{\"address\":\"192.0.2.9\",\"namespace\":\"Shop\",\"name\":\"b\"}",
	    false, 400, "namespace: expected lower-case" },
	{ "POST", "/v1/reserve",
	    "{\"address\":\"192.0.2.9\",\"namespace\":\"a\",\"name\":\"web-\"}",
	    false, 400, "name: expected lower-case" },
	{ "POST", "/v1/release", "{\"addres\":\"192.0.2.9\"}", false, 400,
	    "no argument addres" },
	{ "POST", "/v1/withdraw-all", "{\"undo\":1}", false, 400, "undo" },
	{ "POST", "/v1/withdraw-all", "{\"Undo\":true}", false, 400, "Undo" },
};

static void
check_refusal(struct fake *fake, const struct refusal_case *c)
{
	struct ctl_answer answer =
	    ask(fake, c->method, c->target, c->body, !c->is_http);
	json_t *json = json_loads(str_get(&answer.body), 0, NULL);
	json_t *error = json_object_get(json, "error");
	const char *message =
	    json_string_value(json_object_get(error, "message"));

	if (answer.status != c->status || !message ||
	    !strstr(message, c->text) ||
	    json_integer_value(json_object_get(error, "code")) != c->status)
		fail_msg("%s %s %s: %u %s", c->method, c->target, c->body,
		    answer.status, str_get(&answer.body));
	assert_int_equal(answer.status == 405, answer.allow != NULL);
	assert_string_equal(fake_last_verb(fake), "");
	json_decref(json);
	str_fini(&answer.body);
}

static void
test_refusals(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		check_refusal(fake, &refusals[i]);
	fake_free(fake);
}

static const struct verb_case {
	const char *path;
	const char *body;
	const char *want;
} verbs[] = {
	{ "/v1/reserve",
	    "{\"address\":\"192.0.2.9\",\"namespace\":\"a\",\"name\":\"b\"}",
	    "reserve 192.0.2.9 a/b" },
	{ "/v1/unreserve", "{\"address\":\"2001:db8::0\"}",
	    "unreserve 2001:db8::" },
	{ "/v1/release", "{\"address\":\"192.0.2.9\"}", "release 192.0.2.9" },
	{ "/v1/reload", "", "reload" },
	{ "/v1/reload", "{}", "reload" },
	{ "/v1/withdraw-all", "", "withdraw-all" },
	{ "/v1/withdraw-all", "{\"undo\":false}", "withdraw-all" },
	{ "/v1/withdraw-all", "{\"undo\":true}", "withdraw-all undo" },
};

static void
test_verbs(void **state)
{
	static const struct {
		int code;
		unsigned int status;
	} codes[] = { { 0, 200 }, { -EINVAL, 400 }, { -ENOENT, 404 },
		{ -EBUSY, 409 }, { -EAGAIN, 503 }, { -EIO, 503 } };
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		for (size_t k = 0; k < ARRAY_LEN(codes); k++) {
			struct ctl_answer answer;

			fake_fail(fake, codes[k].code);
			answer = ask(fake, "POST", verbs[i].path, verbs[i].body,
			    true);
			assert_int_equal(answer.status, codes[k].status);
			assert_string_equal(fake_last_verb(fake),
			    verbs[i].want);
			str_fini(&answer.body);
		}
	fake_free(fake);
}

static void
test_health(void **state)
{
	struct fake *fake = fake_new();
	struct ctl_answer answer;

	(void)state;
	answer = ask(fake, "GET", "/healthz", "", false);
	assert_int_equal(answer.status, 200);
	assert_string_equal(str_get(&answer.body), "ok\n");
	str_fini(&answer.body);
	answer = ask(fake, "GET", "/readyz", "", false);
	assert_int_equal(answer.status, 200);
	str_fini(&answer.body);
	fake_set_ready(fake, false);
	answer = ask(fake, "GET", "/readyz", "", false);
	assert_int_equal(answer.status, 503);
	assert_non_null(strstr(str_get(&answer.body), "FirstSync"));
	str_fini(&answer.body);
	answer = ask(fake, "GET", "/v1/events", "", false);
	assert_true(answer.is_stream);
	str_fini(&answer.body);
	fake_fail(fake, -EAGAIN);
	answer = ask(fake, "GET", "/v1/history", "", false);
	assert_int_equal(answer.status, 503);
	str_fini(&answer.body);
	fake_free(fake);
}

static void
test_metrics_wait(void **state)
{
	struct fake *fake = fake_new();
	struct ctl_answer answer;

	(void)state;
	fake_set_ready(fake, false);
	answer = ask(fake, "GET", "/metrics", "", false);
	assert_true(answer.is_later);
	assert_int_equal(answer.body.n, 0);
	answer = ask(fake, "GET", "/v1/services", "", false);
	assert_false(answer.is_later);
	str_fini(&answer.body);
	fake_free(fake);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *in;
		const char *want;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\r\b\f\x01\x1f", "\"\\n\\t\\r\\b\\f\\u0001\\u001f\"" },
		{ "\x7f", "\"\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\xff\xc3", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str out = { 0 };
		struct jsonw json;

		jsonw_begin(&json, &out);
		jsonw_str(&json, NULL, cases[i].in);
		assert_string_equal(str_get(&out), cases[i].want);
		str_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_metrics_wait),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
