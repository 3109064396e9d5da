/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_kubeconfig: merging, precedence and errors as kubectl has them. */
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
#include "base/mem.h"
#include "base/str.h"
#include "source/kubeconfig.h"

#define PEM(name) "-----BEGIN " name "-----\n"
/* base64 of PEM("A"), PEM("B") and PEM("K") */
#define A64 "LS0tLS1CRUdJTiBBLS0tLS0K"
#define B64 "LS0tLS1CRUdJTiBCLS0tLS0K"
#define K64 "LS0tLS1CRUdJTiBLLS0tLS0K"

/* One cluster c, one user u, one context x that is current. */
#define CONFIG(cluster, user)                                                  \
	"current-context: x\n"                                                 \
	"contexts:\n- {name: x, context: {cluster: c, user: u}}\n"             \
	"clusters:\n- name: c\n  cluster: {" cluster "}\n"                     \
	"users:\n- name: u\n  user: {" user "}\n"
#define SERVER "server: \"https://h:6443\""

static const struct {
	const char *path;
	const char *text;
} files[] = {
	{ "/d/ca.crt", PEM("A") },
	{ "/d/crt", PEM("B") },
	{ "/d/key", PEM("K") },
	{ "/d/encrypted", PEM("ENCRYPTED K") },
	{ "/d/token", "  from-file\n" },
	{ "/d/blank", " \n" },
	{ "/d/evil", "a\r\nX-Evil: 1\n" },
	{ "/d/text", "no pem" },
	{ "/d/second",
	    "current-context: y\n"
	    "contexts:\n- {name: y, context: {cluster: c, user: other}}\n"
	    "- {name: x, context: {cluster: none}}\n"
	    "clusters:\n- {name: c, cluster: {server: \"https://second\"}}\n"
	    "users:\n- {name: other, user: {token: second}}\n" },
	{ "/d/empty", "" },
	{ "/d/broken", "a: [\n" },
};

static const struct config_case {
	const char *name;
	const char *text; /* of /d/config */
	const char *paths; /* NULL: /d/config */
	const char *context;
	const char *want; /* the result, or "! " and a part of the error */
} cases[] = {
	{ "a token", CONFIG(SERVER, "token: abc"), NULL, NULL,
	    "https://h:6443 token=abc" },
	{ "files, relative to the config",
	    CONFIG(SERVER ", certificate-authority: ca.crt",
		"client-certificate: crt, client-key: /d/key"),
	    NULL, NULL, "https://h:6443 ca=A cert=B key=K" },
	{ "data",
	    CONFIG(SERVER ", certificate-authority-data: " A64,
		"client-certificate-data: " B64 ", client-key-data: " K64),
	    NULL, NULL, "https://h:6443 ca=A cert=B key=K" },
	{ "a token file wins", CONFIG(SERVER, "token: abc, tokenFile: token"),
	    NULL, NULL, "https://h:6443 token=from-file" },
	{ "a token file that is not there yet",
	    CONFIG(SERVER, "token: abc, tokenFile: none"), NULL, NULL,
	    "https://h:6443 token=abc" },
	{ "a path, a query and slashes",
	    CONFIG("server: \"https://h/k8s/c-1//?a=b#c\"", ""), NULL, NULL,
	    "https://h/k8s/c-1" },
	{ "no scheme", CONFIG("server: \"h:8080\"", ""), NULL, NULL,
	    "http://h:8080" },
	{ "no scheme but a certificate authority",
	    CONFIG("server: \"h:8080\", certificate-authority: ca.crt", ""),
	    NULL, NULL, "https://h:8080 ca=A" },
	{ "switches",
	    CONFIG(SERVER
		", insecure-skip-tls-verify: true, disable-compression: true, tls-server-name: n, proxy-url: \"socks5://p:1\"",
		"username: me, password: pw"),
	    NULL, NULL,
	    "https://h:6443 insecure plain name=n proxy=socks5://p:1 basic=me:pw" },
	{ "impersonation",
	    CONFIG(SERVER,
		"token: a, as: joe, as-uid: \"7\", as-groups: [g1, g2], as-user-extra: {\"a/b\": [c]}"),
	    NULL, NULL,
	    "https://h:6443 token=a [Impersonate-User: joe] [Impersonate-Uid: 7] [Impersonate-Group: g1] [Impersonate-Group: g2] [Impersonate-Extra-a%2Fb: c]" },
	{ "exec beside a token is not asked",
	    CONFIG(SERVER, "token: a, exec: {command: x}"), NULL, NULL,
	    "https://h:6443 token=a" },
	{ "two files: the first definition wins", CONFIG(SERVER, "token: a"),
	    "/d/none:/d/config:/d/second", "y", "https://h:6443 token=second" },
	{ "two files: the first current-context wins",
	    CONFIG(SERVER, "token: a"), "/d/empty:/d/config:/d/second", NULL,
	    "https://h:6443 token=a" },
	{ "no such file", "", "/d/none", NULL, "! /d/none" },
	{ "none of several files", "", "/d/none:/d/no", NULL,
	    "! config not found: /d/none:/d/no" },
	{ "empty", "", NULL, NULL,
	    "! invalid configuration: no configuration has been provided" },
	{ "broken in a list", CONFIG(SERVER, ""), "/d/config:/d/broken", NULL,
	    "! error loading config file \"/d/broken\": line 2: " },
	{ "another context", CONFIG(SERVER, ""), NULL, "q",
	    "! context \"q\" does not exist" },
	{ "a current-context that is not there", "current-context: q\n", NULL,
	    NULL, "! context was not found for specified context: q" },
	{ "no current-context",
	    "clusters:\n- {name: c, cluster: {server: \"https://h\"}}\n", NULL,
	    NULL, "! current-context" },
	{ "no cluster",
	    "current-context: x\ncontexts:\n- {name: x, context: {cluster: c}}\n",
	    NULL, NULL, "! cluster \"c\" does not exist" },
	{ "no user",
	    "current-context: x\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\n"
	    "clusters:\n- {name: c, cluster: {server: \"https://h\"}}\n",
	    NULL, NULL, "! auth info \"u\" does not exist" },
	{ "no server", CONFIG("", ""), NULL, NULL,
	    "! no server found for cluster \"c\"" },
	{ "not http", CONFIG("server: \"ftp://h\"", ""), NULL, NULL,
	    "! only https and http" },
	{ "a name twice",
	    "clusters:\n- {name: c, cluster: {}}\n- {name: c, cluster: {}}\n",
	    NULL, NULL, "! duplicate name \"c\" in list" },
	{ "data and file",
	    CONFIG(SERVER
		", certificate-authority: ca.crt, certificate-authority-data: " A64,
		""),
	    NULL, NULL, "! are both specified for c" },
	{ "not base64",
	    CONFIG(SERVER ", certificate-authority-data: \"a b\"", ""), NULL,
	    NULL, "! is not base64" },
	{ "not PEM", CONFIG(SERVER ", certificate-authority: text", ""), NULL,
	    NULL, "! failed to find any PEM data" },
	{ "insecure with a certificate authority",
	    CONFIG(SERVER
		", certificate-authority: ca.crt, insecure-skip-tls-verify: true",
		""),
	    NULL, NULL,
	    "! specifying a root certificates file with the insecure flag is not allowed" },
	{ "no key", CONFIG(SERVER, "client-certificate: crt"), NULL, NULL,
	    "! client-key-data or client-key must be specified for u" },
	{ "no certificate file",
	    CONFIG(SERVER, "client-certificate: no, client-key: key"), NULL,
	    NULL, "! unable to read client-cert /d/no for u due to" },
	{ "an encrypted key",
	    CONFIG(SERVER, "client-certificate: crt, client-key: encrypted"),
	    NULL, NULL, "! is encrypted" },
	{ "a blank token file", CONFIG(SERVER, "tokenFile: blank"), NULL, NULL,
	    "! read empty token" },
	{ "a token with a line end", CONFIG(SERVER, "tokenFile: evil"), NULL,
	    NULL, "! characters that no token has" },
	{ "a token that looks like a number is not shown",
	    CONFIG(SERVER, "token: 12345"), NULL, NULL,
	    "! token must be a string" },
	{ "token and password",
	    CONFIG(SERVER, "token: a, username: b, password: c"), NULL, NULL,
	    "! more than one authentication method" },
	{ "groups alone", CONFIG(SERVER, "as-groups: [g]"), NULL, NULL,
	    "! without impersonating a user" },
	{ "a header within a name", CONFIG(SERVER, "as: \"a\\r\\nX: 1\""), NULL,
	    NULL, "! cannot be sent in a header" },
	{ "a proxy of another kind",
	    CONFIG(SERVER ", proxy-url: \"ftp://p\"", ""), NULL, NULL,
	    "! unsupported scheme" },
	{ "exec", CONFIG(SERVER, "exec: {command: aws}"), NULL, NULL,
	    "! exec: plugins are not supported" },
	{ "an auth provider", CONFIG(SERVER, "auth-provider: {name: gcp}"),
	    NULL, NULL, "! auth provider \"gcp\" is not supported" },
	{ "a list", "- a\n", NULL, NULL, "! no kubeconfig" },
};

static int
read_fake(void *arg, const char *path, char **text, size_t *size_b,
    struct err *err)
{
	const struct config_case *c = arg;
	const char *found = strcmp(path, "/d/config") == 0 ? c->text : NULL;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(files[i].path, path) == 0)
			found = files[i].text;
	}
	if (!found)
		return err_set(err, -ENOENT, "open %s: no such file", path);
	*text = mem_strdup(found);
	*size_b = strlen(found);
	return 0;
}

static void
show_pem(struct str *out, const char *name, const char *pem)
{
	if (pem)
		str_printf(out, " %s=%c", name, pem[strlen("-----BEGIN ")]);
}

static void
show_text(struct str *out, const char *name, const char *text)
{
	if (text)
		str_printf(out, " %s=%s", name, text);
}

static char *
show(const struct kubeconfig *k)
{
	struct str out = { 0 };

	str_add(&out, k->server);
	show_pem(&out, "ca", k->ca_pem);
	show_pem(&out, "cert", k->cert_pem);
	show_pem(&out, "key", k->key_pem);
	if (k->is_insecure)
		str_add(&out, " insecure");
	if (k->no_compression)
		str_add(&out, " plain");
	show_text(&out, "name", k->tls_server_name);
	show_text(&out, "proxy", k->proxy);
	show_text(&out, "token", k->token);
	if (k->username)
		str_printf(&out, " basic=%s:%s", k->username, k->password);
	for (size_t i = 0; i < k->n_headers; i++)
		str_printf(&out, " [%s]", k->headers[i]);
	return str_steal(&out);
}

static void
check(const struct config_case *c)
{
	struct kubeconfig config = { 0 };
	struct err err = { 0 };
	struct config_case copy = *c;
	char *got;

	if (kubeconfig_load(c->paths ? c->paths : "/d/config", c->context,
		read_fake, &copy, &config, &err) < 0) {
		assert_true(err.code < 0);
		if (c->want[0] != '!' || !strstr(err.text, c->want + 2))
			fail_msg("%s: %s", c->name, err.text);
		assert_null(strstr(err.text, "12345"));
		return;
	}
	got = show(&config);
	if (strcmp(got, c->want) != 0)
		fail_msg("%s: %s", c->name, got);
	free(got);
	kubeconfig_fini(&config);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void
load(const char *text, struct kubeconfig *out)
{
	struct config_case c = { .text = text };
	struct err err = { 0 };

	if (kubeconfig_load("/d/config", NULL, read_fake, &c, out, &err) < 0)
		fail_msg("%s", err.text);
}

static void
test_same(void **state)
{
	struct kubeconfig a;
	struct kubeconfig b;
	struct kubeconfig c;
	struct kubeconfig d;

	(void)state;
	load(CONFIG(SERVER, "token: a"), &a);
	load(CONFIG(SERVER, "token: b"), &b);
	load(CONFIG(SERVER, "token: a, as: joe"), &c);
	load(CONFIG("server: \"https://other\"", "token: a"), &d);
	assert_true(kubeconfig_same_but_token(&a, &b));
	assert_false(kubeconfig_same_but_token(&a, &c));
	assert_true(kubeconfig_same_server(&a, &c));
	assert_false(kubeconfig_same_server(&a, &d));
	kubeconfig_fini(&a);
	kubeconfig_fini(&b);
	kubeconfig_fini(&c);
	kubeconfig_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
