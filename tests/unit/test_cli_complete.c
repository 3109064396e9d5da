/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What eipctl offers to a shell, with a daemon that is a table.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "cli/complete.h"

enum {
	WORDS_MAX = 16
};

/* A daemon of which only the views are known; `asked` collects requests. */
static struct str asked;

static int
ask(const struct client_request *request, struct str *body, struct err *err)
{
	static const struct {
		const char *path;
		const char *body;
	} views[] = {
		{ "/v1/services",
		    "{\"items\":[{\"cluster\":\"c\",\"namespace\":\"shop\","
		    "\"name\":\"web\"},{\"cluster\":\"static\","
		    "\"namespace\":\"shop\",\"name\":\"api\"},"
		    "{\"namespace\":7},{}]}" },
		{ "/v1/pools", "{\"items\":[{\"name\":\"public\"}]}" },
		{ "/v1/leases",
		    "{\"items\":[{\"address\":\"192.0.2.1\"},"
		    "{\"address\":\"192.0.2.1\"},"
		    "{\"address\":\"2001:db8::1\"}]}" },
		{ "/v1/peers", "{\"items\":[{\"name\":\"tor1\"}]}" },
		{ "/v1/nodes",
		    "{\"items\":[{\"name\":\"n1\"},{\"name\":\"$(n2)\"},"
		    "{\"name\":\"n 3\"},{\"name\":\"\"}]}" },
	};

	assert_in_range(request->timeout_s, 1, 5);
	str_printf(&asked, "%s%s ", request->socket, request->path);
	if (strcmp(request->socket, "gone") == 0)
		return err_set(err, -ENOTCONN, "gone");
	if (strcmp(request->socket, "broken") == 0) {
		str_add(body, "{\"items\":");
		return 200;
	}
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (str_starts_with(request->path, views[i].path))
			str_add(body, views[i].body);
	return 200;
}

#define SOCKET "/run/eipd/eipd.sock"

static const struct complete_case {
	const char *line; /* "|" stands for the empty word at the end */
	const char *want; /* without descriptions, a blank behind each */
	const char *asked; /* NULL: nobody */
} cases[] = {
	{ "ex", "explain ", NULL },
	{ "get p", "peers pools ", NULL },
	{ "help get po", "pools ", NULL },
	{ "nonsense |", "", NULL },
	{ "status |", "", NULL },
	{ "completion |", "bash fish zsh ", NULL },
	{ "get pools -", "--help --no-pager --output --socket --version ",
	    NULL },
	{ "get routes --p", "--peer ", NULL },
	{ "get routes --peer |", "tor1 ", SOCKET "/v1/peers " },
	{ "get routes --peer=t", "--peer=tor1 ", SOCKET "/v1/peers " },
	{ "get routes --peer x |", "", NULL },
	{ "-o w", "wide ", NULL },
	{ "-ow |",
	    "check completion doctor explain get history manifests release "
	    "reload reserve status unreserve withdraw-all ",
	    NULL },
	{ "get svc |", "api web ", SOCKET "/v1/services " },
	{ "get services -n shop w", "web ",
	    SOCKET "/v1/services?namespace=shop " },
	{ "get services -n |", "shop ", SOCKET "/v1/services " },
	{ "get services --cluster |", "c static ", SOCKET "/v1/services " },
	{ "get services web |", "", NULL },
	{ "get pools pub", "public ", SOCKET "/v1/pools " },
	{ "get pools puc", "", SOCKET "/v1/pools " },
	{ "get pools publicity", "", SOCKET "/v1/pools " },
	/* a name that a shell would take apart is left out */
	{ "get nodes |", "n1 ", SOCKET "/v1/nodes " },
	{ "get backends shop/", "shop/api shop/web ", SOCKET "/v1/services " },
	{ "explain |", "192.0.2.1 2001:db8::1 shop/api shop/web ",
	    SOCKET "/v1/services " SOCKET "/v1/leases " },
	{ "reserve 2", "2001:db8::1 ", SOCKET "/v1/leases " },
	{ "reserve 192.0.2.1 |", "shop/api shop/web ", SOCKET "/v1/services " },
	{ "reserve 192.0.2.1 a/b |", "", NULL },
	{ "--socket x get pools |", "public ", "x/v1/pools " },
	{ "--socket=gone get pools |", "", "gone/v1/pools " },
	{ "--socket broken get pools |", "", "broken/v1/pools " },
	{ "--socket |", "", NULL },
};

static void
check_case(const struct complete_case *c)
{
	char *line = mem_strdup(c->line);
	char empty[] = "";
	char *words[WORDS_MAX];
	struct str out = { 0 };
	struct str plain = { 0 };
	char *save;
	size_t n = 0;

	for (char *w = strtok_r(line, " ", &save); w;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = strcmp(w, "|") == 0 ? empty : w;
	str_clear(&asked);
	complete_words(words, n, ask, &out);
	for (const char *s = str_get(&out); *s; s = strchr(s, '\n') + 1) {
		str_add_n(&plain, s, strcspn(s, "\t\n"));
		str_add(&plain, " ");
	}
	if (strcmp(str_get(&plain), c->want) != 0 ||
	    strcmp(str_get(&asked), c->asked ? c->asked : "") != 0)
		fail_msg("%s: \"%s\", asked \"%s\"", c->line, str_get(&plain),
		    str_get(&asked));
	str_fini(&plain);
	str_fini(&out);
	free(line);
}

static void
test_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
	str_fini(&asked);
}

static void
test_nothing(void **state)
{
	struct str out = { 0 };

	(void)state;
	complete_words(NULL, 0, ask, &out);
	assert_int_equal(out.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
