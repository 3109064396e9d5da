/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_conf: eipd.conf to struct conf and back, and all of its errors. */
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
#include "conf/conf.h"
#include "conf/schema.h"

static void
note(void *arg, const struct err *err)
{
	str_printf(arg, "%u:%u: %s\n", err->line, err->column, err->text);
}

static const char *
source_path(const char *name, char out[512])
{
	const char *dir = getenv("srcdir");

	snprintf(out, 512, "%s/%s", dir && *dir ? dir : ".", name);
	return out;
}

/* The normal form of `text`, or its errors. */
static char *
normal(const char *text)
{
	struct str out = { 0 };
	struct conf conf;

	if (conf_parse(text, strlen(text), &conf, note, &out) == 0) {
		assert_int_equal(out.n, 0);
		conf_print(&conf, &out);
		conf_fini(&conf);
	} else {
		assert_true(out.n > 0);
	}
	return str_steal(&out);
}

static const char defaults[] = "user: eipd\n"
			       "cluster:\n"
			       "  name: kubernetes\n"
			       "  kubeconfig: null\n"
			       "  context: null\n"
			       "objects: /etc/eipd/objects\n"
			       "database: /var/lib/eipd/eipd.db\n"
			       "control:\n"
			       "  socket: /run/eipd/eipd.sock\n"
			       "  group: eipd\n"
			       "http:\n"
			       "  listen: [\"127.0.0.1:9640\"]\n"
			       "  openelb-metrics: false\n"
			       "services:\n"
			       "  class: eipd.io/eipd\n"
			       "  default: false\n"
			       "  ip-mode: vip\n"
			       "nodes:\n"
			       "  probe:\n"
			       "    port: 10256\n"
			       "    path: /healthz\n"
			       "    interval: 1s\n"
			       "    timeout: 500ms\n"
			       "    fall: 2\n"
			       "    rise: 1\n"
			       "forwarding:\n"
			       "  backends: nodeport\n"
			       "  source: masquerade\n"
			       "  no-backends: refuse\n"
			       "bgp:\n"
			       "  as: null\n"
			       "  router-id: null\n"
			       "  listen: [\"0.0.0.0:179\", \"[::]:179\"]\n"
			       "log:\n"
			       "  level: info\n";

static void
test_defaults(void **state)
{
	static const char *const same[] = { "", "# nothing\n", "---\n", "{}",
		"user:\ncluster:\nnodes: {probe: }\n", "nodes: {probe: on}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		char *got = normal(same[i]);

		assert_string_equal(got, defaults);
		free(got);
	}
}

static void
test_every_default_is_valid(void **state)
{
	struct conf conf;

	(void)state;
	conf_defaults(&conf);
	assert_string_equal(conf.user, "eipd");
	assert_int_equal(conf.n_http, 1);
	assert_int_equal(conf.bgp.n_listen, 2);
	assert_int_equal(conf.bgp.listen[1].port, 179);
	assert_int_equal(conf.bgp.listen[1].addr.family, FAMILY_IPV6);
	assert_true(conf.probe.is_on);
	assert_int_equal(conf.probe.timeout_us, 500000);
	assert_int_equal(conf.log_level, 6);
	assert_int_equal(conf.ip_mode, IP_MODE_VIP);
	assert_null(conf.kubeconfig);
	conf_fini(&conf);
}

static void
test_normal_form(void **state)
{
	static const char *const texts[] = {
		"user: www-data\n",
		"cluster: {name: prod, kubeconfig: \"/a b/c:d\", context: \"1\"}",
		"cluster: {context: \"q\\\"\\\\\\u0001\\u00fc\"}",
		"cluster: {context: \"null\", kubeconfig: '~'}",
		"nodes: {probe: off}\nlog: {level: warning}\n",
		"nodes: {probe: {fall: 1000, interval: 7000ms}}",
		"http: {listen: [], openelb-metrics: True}",
		"http: {listen: [\"[2001:db8::1]:1\", \"192.0.2.1:65535\"]}",
		"services: {class: a/b, default: true, ip-mode: omit}",
		"forwarding: {backends: endpoint, source: preserve, no-backends: withdraw}",
		"bgp: {as: 4294967294, router-id: 192.0.2.1, listen: [\"0.0.0.0:1790\"]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *once = normal(texts[i]);
		char *twice = normal(once);

		assert_string_equal(once, twice);
		assert_string_not_equal(once, defaults);
		assert_non_null(strstr(once, "user: "));
		free(once);
		free(twice);
	}
}

static void
test_values(void **state)
{
	static const char text[] =
	    "cluster: {name: east, kubeconfig: /k, context: \"1\"}\n"
	    "nodes: {probe: off}\n"
	    "services: {ip-mode: proxy, default: true}\n"
	    "bgp: {as: 4200000000, router-id: 10.0.0.1}\n"
	    "control: {group: adm}\n";
	struct str errors = { 0 };
	struct conf conf;

	(void)state;
	assert_int_equal(conf_parse(text, strlen(text), &conf, note, &errors),
	    0);
	assert_string_equal(conf.cluster_name, "east");
	assert_string_equal(conf.context, "1");
	assert_false(conf.probe.is_on);
	assert_int_equal(conf.ip_mode, IP_MODE_PROXY);
	assert_true(conf.service_default);
	assert_int_equal(conf.bgp.as, 4200000000u);
	assert_int_equal(conf.bgp.router_id.b[3], 1);
	assert_string_equal(conf.socket_group, "adm");
	conf_fini(&conf);
	str_fini(&errors);
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	struct str out = { 0 };
	char buf[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add_n(&out, buf, n);
	fclose(f);
	return str_steal(&out);
}

/* "# text", as opposed to "#option:" and "#  option:". */
static bool
is_prose(const char *line)
{
	return line[1] == ' ' && line[2] != ' ';
}

/* As shipped it is the defaults; with the "#" before options removed it is
 * valid, too, and names every option. */
static void
test_shipped_file(void **state)
{
	char path[512];
	char *text = read_file(source_path("etc/eipd.conf", path));
	char *got = normal(text);
	struct str open = { 0 };
	struct conf conf;

	(void)state;
	assert_string_equal(got, defaults);
	free(got);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		str_printf(&open, "%s\n",
		    line[0] == '#' && !is_prose(line) ? line + 1 : line);
	assert_int_equal(conf_parse(str_get(&open), open.n, &conf, NULL, NULL),
	    0);
	assert_int_equal(conf.bgp.as, 64512);
	conf_fini(&conf);
	for (size_t i = 0; i < schema_n; i++) {
		const char *dot = strrchr(schema[i].path, '.');

		got = NULL;
		assert_true(
		    asprintf(&got, "%s:", dot ? dot + 1 : schema[i].path) > 0);
		assert_non_null(strstr(str_get(&open), got));
		free(got);
	}
	free(text);
	str_fini(&open);
}

static void
check_golden(const char *name)
{
	struct str got = { 0 };
	struct conf conf;
	char file[128];
	char path[512];
	char *want;

	snprintf(file, sizeof(file), "tests/golden/errors/%s.conf", name);
	assert_int_equal(conf_load(source_path(file, path), &conf, note, &got),
	    -EINVAL);
	snprintf(file, sizeof(file), "tests/golden/errors/%s.want", name);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(source_path(file, path), "w");

		assert_non_null(f);
		fputs(str_get(&got), f);
		fclose(f);
	}
	want = read_file(source_path(file, path));
	assert_string_equal(str_get(&got), want);
	free(want);
	str_fini(&got);
}

static void
test_errors(void **state)
{
	static const char *const names[] = { "conf-keys", "conf-values",
		"conf-structure", "conf-syntax", "conf-two-documents",
		"conf-octets", "conf-list" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		check_golden(names[i]);
}

static void
test_load(void **state)
{
	struct str got = { 0 };
	struct conf conf;

	(void)state;
	assert_int_equal(conf_load("/nonexistent/eipd.conf", &conf, note, &got),
	    -ENOENT);
	assert_string_equal(str_get(&got),
	    "0:0: No such file or directory; create it or name another with -c\n");
	str_clear(&got);
	assert_int_equal(conf_load("/", &conf, note, &got), -EISDIR);
	str_clear(&got);
	assert_int_equal(conf_load("/dev/null", &conf, note, &got), -EINVAL);
	assert_string_equal(str_get(&got),
	    "0:0: Invalid argument; it must be a file, not a pipe or a device\n");
	str_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_default_is_valid),
		cmocka_unit_test(test_normal_form),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_shipped_file),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
