/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eipctl without its socket: command lines, requests, tables and YAML.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/client.h"
#include "cli/run.h"
#include "cli/yaml.h"

enum {
	WORDS_MAX = 16
};

/* Cuts `line` at blanks, as a shell would. */
static int
split(char *line, char **argv)
{
	int argc = 0;
	char *rest = NULL;

	for (char *word = strtok_r(line, " ", &rest); word && argc < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	return argc;
}

static const struct call_case {
	const char *line;
	const char *path; /* NULL: usage */
	const char *body; /* of a verb; of a usage error: part of the text */
} calls[] = {
	{ "eipctl status", "/v1/status", "" },
	{ "eipctl get services", "/v1/services", "" },
	{ "eipctl get svc", "/v1/services", "" },
	{ "eipctl get service web -n default",
	    "/v1/services?name=web&namespace=default", "" },
	{ "eipctl -ndefault get services --cluster=c1",
	    "/v1/services?cluster=c1&namespace=default", "" },
	{ "eipctl get pools a&b", "/v1/pools?name=a%26b", "" },
	{ "eipctl get eip", "/v1/pools", "" },
	{ "eipctl get leases --namespace x", "/v1/leases?namespace=x", "" },
	{ "eipctl get backends a/b", "/v1/backends?namespace=a&name=b", "" },
	{ "eipctl get routes --peer tor1", "/v1/routes?peer=tor1", "" },
	{ "eipctl explain [2001:db8::1]:80",
	    "/v1/explain?subject=%5B2001%3Adb8%3A%3A1%5D%3A80", "" },
	{ "eipctl history", "/v1/history", "" },
	{ "eipctl history a/b", "/v1/history?subject=a%2Fb", "" },
	{ "eipctl -- history -x", "/v1/history?subject=-x", "" },
	{ "eipctl reserve 192.0.2.1 a/b", "/v1/reserve",
	    "{\"address\":\"192.0.2.1\",\"namespace\":\"a\","
	    "\"name\":\"b\"}" },
	{ "eipctl release 192.0.2.1", "/v1/release",
	    "{\"address\":\"192.0.2.1\"}" },
	{ "eipctl reload", "/v1/reload", "{}" },
	{ "eipctl withdraw-all", "/v1/withdraw-all", "{}" },
	{ "eipctl --undo withdraw-all", "/v1/withdraw-all", "{\"undo\":true}" },
	{ "eipctl manifests", "", "" },
	{ "eipctl", NULL, "no command" },
	{ "eipctl get", NULL, "get what?" },
	{ "eipctl get servces", NULL, "did you mean get services?" },
	{ "eipctl statsu", NULL, "did you mean status?" },
	{ "eipctl drain node n1", NULL, "unknown command drain" },
	{ "eipctl monitor", NULL, "unknown command monitor" },
	{ "eipctl doctor", "/v1/doctor", "" },
	{ "eipctl completion", NULL, "needs bash | zsh | fish" },
	{ "eipctl completion bash zsh", NULL, "zsh is too much" },
	{ "eipctl status now", NULL, "now is too much" },
	{ "eipctl get backends", NULL, "needs NAMESPACE/NAME" },
	{ "eipctl get backends web", NULL, "not NAMESPACE/NAME" },
	{ "eipctl get backends a/b/c", NULL, "not NAMESPACE/NAME" },
	{ "eipctl reserve 192.0.2.1", NULL, "needs ADDRESS" },
	{ "eipctl status -n default", NULL, "does not take this option" },
	{ "eipctl reload --undo", NULL, "does not take this option" },
	{ "eipctl status -o xml", NULL, "table, wide, json or yaml" },
	{ "eipctl status -o", NULL, "needs a value" },
	{ "eipctl status --socket=", NULL, "needs a value" },
	{ "eipctl status --undo=1", NULL, "unknown option" },
	{ "eipctl status --frob", NULL, "unknown option --frob" },
	{ "eipctl a b c d e f g h i", NULL, "too many arguments" },
};

static void
check_call(const struct call_case *c)
{
	char *line = mem_strdup(c->line);
	char *argv[WORDS_MAX];
	int argc = split(line, argv);
	struct str path = { 0 };
	struct str body = { 0 };
	struct err err = { 0 };
	struct call call;
	int rc = run_parse(argc, argv, &call, &err);

	if (rc == 0)
		rc = run_request(&call, &path, &body, &err);
	if (!c->path) {
		if (rc != -EINVAL || !strstr(err.text, c->body))
			fail_msg("%s: %d %s", c->line, rc, err.text);
	} else {
		if (rc < 0)
			fail_msg("%s: %s", c->line, err.text);
		assert_string_equal(str_get(&path), c->path);
		assert_string_equal(str_get(&body), c->body);
	}
	str_fini(&path);
	str_fini(&body);
	free(line);
}

static void
test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		check_call(&calls[i]);
}

static void
test_help(void **state)
{
	static const char *const later[] = { "\n  drain", "\n  undrain",
		"\n  monitor", "\n  top", "\n  import" };
	struct str all = { 0 };
	struct str one = { 0 };

	(void)state;
	cmd_help(NULL, NULL, &all);
	for (size_t i = 0; i < cmd_table_n; i++) {
		assert_non_null(strstr(str_get(&all), cmd_table[i].name));
		assert_non_null(strstr(str_get(&all), cmd_table[i].help));
		str_clear(&one);
		cmd_help(&cmd_table[i], NULL, &one);
		assert_non_null(strstr(str_get(&one), cmd_table[i].help));
	}
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		assert_null(strstr(str_get(&all), later[i]));
	str_clear(&one);
	cmd_help(NULL, "get", &one);
	assert_non_null(strstr(str_get(&one), "get pools"));
	assert_null(strstr(str_get(&one), "withdraw"));
	str_fini(&all);
	str_fini(&one);
}

static const struct show_case {
	const char *line; /* the command */
	const char *answer;
	const char *want;
	int code;
	bool has_colour;
} shows[] = {
	{ .line = "eipctl get pools",
	    .answer = "{\"items\":[{\"name\":\"p\",\"protocol\":\"bgp\","
		      "\"total\":10,\"used\":1,\"reserved\":2,"
		      "\"quarantined\":3,\"sticky\":4,\"free\":0,"
		      "\"disabled\":true,\"source\":\"cluster\","
		      "\"message\":\"full\"}]}",
	    .want = "NAME   PROTOCOL   TOTAL   USED   RESERVED   QUARANTINED"
		    "   STICKY   FREE   MESSAGE\n"
		    "p      bgp        10      1      2          3          "
		    "   4        0      full\n" },
	{ .line = "eipctl get leases -o wide",
	    .answer = "{\"items\":[{\"address\":\"192.0.2.1\","
		      "\"cluster\":\"c\",\"namespace\":\"a\",\"name\":\"b\","
		      "\"uid\":\"u\",\"pool\":\"p\",\"state\":\"held\","
		      "\"since\":\"S\",\"until\":null}]}",
	    .want = "ADDRESS     CLUSTER   SERVICE   POOL   STATE   SINCE   "
		    "UNTIL   UID\n"
		    "192.0.2.1   c         a/b       p      held    S       "
		    "-       u\n" },
	{ .line = "eipctl get services",
	    .answer = "{\"items\":[{\"namespace\":\"\xc3\xa9\",\"name\":\"b\","
		      "\"addresses\":[\"192.0.2.1\",\"::1\"],\"pools\":[],"
		      "\"ports\":[{\"protocol\":\"TCP\",\"port\":80,"
		      "\"backends\":3,\"healthy\":2},{\"protocol\":\"UDP\","
		      "\"port\":53,\"backends\":3,\"healthy\":3}],"
		      "\"state\":\"announced\",\"reason\":\"\"}]}",
	    .want = "NAMESPACE   NAME   ADDRESSES       POOL   PORTS        "
		    "   BACKENDS   STATE       REASON\n"
		    "\xc3\xa9           b      192.0.2.1,::1   -      "
		    "TCP/80,UDP/53   5/6        announced   -\n" },
	{ .line = "eipctl get nodes",
	    .answer = "{\"items\":[{\"name\":\"n\\u001b[31m\\u009bx\","
		      "\"addresses\":[],\"eligible\":false,"
		      "\"reason\":\"a\\nb\",\"probe\":{\"state\":\"down\"}},"
		      "{\"name\":\"m\",\"eligible\":true,\"probe\":null}]}",
	    .want = "NAME       ADDRESSES   ELIGIBLE   PROBE   REASON\n"
		    "n?[31m?x   -           \033[31mno\033[0m         "
		    "\033[31mdown\033[0m    a?b\n"
		    "m          -           \033[32myes\033[0m        -       "
		    "-\n",
	    .has_colour = true },
	{ .line = "eipctl get peers",
	    .answer = "{\"items\":[{\"name\":\"t\",\"address\":\"::1\","
		      "\"asn\":1,\"state\":\"Idle\",\"sinceSeconds\":90061.5,"
		      "\"advertised\":0,\"lastError\":\"\","
		      "\"message\":\"set as\"}]}",
	    .want = "NAME   ADDRESS   ASN   STATE   SINCE   ADVERTISED   "
		    "LAST ERROR   MESSAGE\n"
		    "t      ::1       1     Idle    1d1h    0            "
		    "-            set as\n" },
	{ .line = "eipctl get routes", .answer = "{\"items\":[]}", .want = "" },
	{ .line = "eipctl check",
	    .answer = "{\"ok\":false,\"problems\":[{\"severity\":\"error\","
		      "\"subject\":\"Eip p\",\"text\":\"bad\","
		      "\"remedy\":\"mend it\"}]}",
	    .want = "error  Eip p: bad\n         mend it\n",
	    .code = EXIT_REFUSED },
	{ .line = "eipctl check -o json",
	    .answer = "{\"ok\":false,\"problems\":[]}\n",
	    .want = "{\"ok\":false,\"problems\":[]}\n",
	    .code = EXIT_REFUSED },
	{ .line = "eipctl check",
	    .answer = "{\"ok\":true,\"problems\":[]}",
	    .want = "no problems\n" },
	{ .line = "eipctl explain a/b",
	    .answer = "{\"verdict\":\"V\",\"steps\":[{\"step\":\"lease\","
		      "\"ok\":true,\"text\":\"T\",\"detail\":null},"
		      "{\"step\":\"rule\",\"ok\":false,\"text\":\"U\"}]}",
	    .want = "V\n\nok  lease     T\nno  rule      U\n" },
	{ .line = "eipctl reload",
	    .answer = "{\"ok\":true}",
	    .want = "done\n" },
	{ .line = "eipctl reload -o json",
	    .answer = "{\"ok\":true}",
	    .want = "{\"ok\":true}" },
	{ .line = "eipctl status -o yaml",
	    .answer = "{\"a\":{\"b\":[1,\"x\"]}}",
	    .want = "a:\n  b:\n  - 1\n  - x\n" },
	{ .line = "eipctl get pools",
	    .answer = "[]",
	    .want = "",
	    .code = EXIT_UNREACHABLE },
	{ .line = "eipctl get pools",
	    .answer = "<html>",
	    .want = "",
	    .code = EXIT_UNREACHABLE },
	{ .line = "eipctl get pools",
	    .answer = "{\"items\":3}",
	    .want = "NAME   PROTOCOL   TOTAL   USED   RESERVED   QUARANTINED"
		    "   STICKY   FREE   MESSAGE\n" },
	{ .line = "eipctl get pools",
	    .answer = "{\"items\":[1,null]}",
	    .want = "NAME   PROTOCOL   TOTAL   USED   RESERVED   QUARANTINED"
		    "   STICKY   FREE   MESSAGE\n"
		    "-      -          -       -      -          -          "
		    "   -        -      -\n"
		    "-      -          -       -      -          -          "
		    "   -        -      -\n" },
};

static void
check_show(const struct show_case *c)
{
	char *line = mem_strdup(c->line);
	char *argv[WORDS_MAX];
	int argc = split(line, argv);
	struct look look = { .has_colour = c->has_colour };
	struct str body = { 0 };
	struct str out = { 0 };
	struct err err = { 0 };
	struct call call;
	int code;

	assert_int_equal(run_parse(argc, argv, &call, &err), 0);
	look.is_wide = call.output == OUTPUT_WIDE;
	str_add(&body, c->answer);
	code = run_show(&call, &body, &look, &out, &err);
	if (strcmp(str_get(&out), c->want) != 0)
		fail_msg("%s, got:\n%s", c->line, str_get(&out));
	assert_int_equal(code, c->code);
	str_fini(&body);
	str_fini(&out);
	free(line);
}

static void
test_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shows); i++)
		check_show(&shows[i]);
}

static void
test_yaml(void **state)
{
	static const struct {
		const char *json;
		const char *want;
	} cases[] = {
		{ "{}", "{}\n" },
		{ "[]", "[]\n" },
		{ "{\"a\":[],\"b\":{},\"c\":null,\"d\":1.5,\"e\":false}",
		    "a: []\nb: {}\nc: null\nd: 1.5\ne: false\n" },
		{ "{\"a\":\"yes\",\"b\":\"192.0.2.1\",\"c\":\"\","
		  "\"d\":\"x: y\",\"e\":\"Null\",\"f\":\"a/b-c.d\","
		  "\"g\":\"l\\nm\"}",
		    "a: \"yes\"\nb: \"192.0.2.1\"\nc: \"\"\nd: \"x: y\"\n"
		    "e: \"Null\"\nf: a/b-c.d\ng: \"l\\nm\"\n" },
		{ "{\"a\":5.954,\"b\":[32.163]}", "a: 5.954\nb:\n- 32.163\n" },
		{ "{\"yes\":{\"b\":{\"c\":1}}}", "\"yes\":\n  b:\n    c: 1\n" },
		{ "[{\"a\":1,\"b\":[2,{\"c\":3}]},[4,[5]],6]",
		    "- a: 1\n  b:\n  - 2\n  - c: 3\n- [4,[5]]\n- 6\n" },
		{ "[{\"a\":[{\"b\":{}}]}]", "- a:\n  - b: {}\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *json = json_loads(cases[i].json, 0, NULL);
		struct str out = { 0 };

		assert_non_null(json);
		yaml_render(json, &out);
		assert_string_equal(str_get(&out), cases[i].want);
		str_fini(&out);
		json_decref(json);
	}
}

static void
test_deep_yaml(void **state)
{
	json_t *json = json_integer(1);
	struct str out = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		json = json_pack("{s:o}", "a", json);
	yaml_render(json, &out);
	assert_non_null(strstr(str_get(&out), "a: {\"a\":{\"a\":"));
	str_fini(&out);
	json_decref(json);
}

static void
test_unreachable(void **state)
{
	struct client_request request = { .socket = "/nonexistent/eipd.sock",
		.path = "/v1/status" };
	char path[200] = "";
	struct str body = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(client_ask(&request, &body, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "/nonexistent/eipd.sock"));
	assert_non_null(strstr(err.text, "No such file"));
	memset(path, 'x', sizeof(path) - 1);
	request.socket = path;
	assert_int_equal(client_ask(&request, &body, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "at most 107 octets"));
	str_fini(&body);
}

/* It takes the request, and says nothing. */
static void
test_silent(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/eipd-test-XXXXXX";
	struct client_request request = { .socket = un.sun_path,
		.path = "/v1/status",
		.timeout_s = 1 };
	struct str body = { 0 };
	struct err err = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(client_ask(&request, &body, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "does not answer in time"));
	close(fd);
	unlink(un.sun_path);
	rmdir(dir);
	str_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_shows),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_deep_yaml),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
