/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_kube_split: lists and watch streams in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "source/kube_split.h"

static const struct split_case {
	const char *name;
	enum kube_split_mode mode;
	const char *text;
	const char *want; /* items, each in <>, then rv, token, how it ended */
} cases[] = {
	{ "a list", KUBE_SPLIT_LIST,
	    "{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"12\"},\"items\":[{\"a\":1},{\"b\":{\"c\":[]}}]}\n",
	    "<{\"a\":1}><{\"b\":{\"c\":[]}}> rv=12 token= complete" },
	{ "metadata after the items", KUBE_SPLIT_LIST,
	    "{\"items\":[{}],\"metadata\":{\"continue\":\"xyz\",\"resourceVersion\":\"7\"}}",
	    "<{}> rv=7 token=xyz complete" },
	{ "no items", KUBE_SPLIT_LIST,
	    "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":null}",
	    " rv=1 token= complete" },
	{ "braces and quotes in strings", KUBE_SPLIT_LIST,
	    "{\"items\":[{\"x\":\"}]\\\"{\\\\\"},{\"y\":\"\\u007d\"}],\"metadata\":{\"resourceVersion\":\"3\"}}",
	    "<{\"x\":\"}]\\\"{\\\\\"}><{\"y\":\"\\u007d\"}> rv=3 token= complete" },
	{ "an items key deeper down is none", KUBE_SPLIT_LIST,
	    "{\"x\":{\"items\":[{\"no\":1}]},\"items\":[{\"items\":[{\"in\":1}]}],\"metadata\":{\"resourceVersion\":\"3\"}}",
	    "<{\"items\":[{\"in\":1}]}> rv=3 token= complete" },
	{ "managed fields go", KUBE_SPLIT_LIST,
	    "{\"items\":[{\"metadata\":{\"managedFields\":[{\"f\":\"]}\"}],\"name\":\"n\"},\"spec\":{\"managedFields\":[1]}}],\"metadata\":{\"resourceVersion\":\"3\"}}",
	    "<{\"metadata\":{\"managedFields\":null,\"name\":\"n\"},\"spec\":{\"managedFields\":[1]}}> rv=3 token= complete" },
	{ "cut", KUBE_SPLIT_LIST, "{\"items\":[{\"a\":1},{\"b\"",
	    "<{\"a\":1}> rv= token= cut" },
	{ "HTML", KUBE_SPLIT_LIST, "<html>", " rv= token= bad" },
	{ "an array", KUBE_SPLIT_LIST, "[1]", " rv= token= bad" },
	{ "items that are no objects", KUBE_SPLIT_LIST, "{\"items\":[1]}",
	    " rv= token= bad" },
	{ "items that are an object", KUBE_SPLIT_LIST,
	    "{\"items\":{\"a\":{}},\"metadata\":{\"resourceVersion\":\"3\"}}",
	    " rv= token= bad" },
	{ "two lists", KUBE_SPLIT_LIST, "{\"items\":[]} {}",
	    " rv= token= bad" },
	{ "brackets that do not fit", KUBE_SPLIT_LIST, "{\"items\":[}]}",
	    " rv= token= bad" },
	{ "an escaped version", KUBE_SPLIT_LIST,
	    "{\"metadata\":{\"resourceVersion\":\"1\\u0030\"}}",
	    " rv= token= bad" },
	{ "a stream", KUBE_SPLIT_WATCH,
	    "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOKMARK\"}\r\n",
	    "<{\"type\":\"ADDED\",\"object\":{}}><{\"type\":\"BOOKMARK\"}> rv= token= between" },
	{ "a stream without line ends", KUBE_SPLIT_WATCH, "{}{\"a\":[{}]}{}",
	    "<{}><{\"a\":[{}]}><{}> rv= token= between" },
	{ "managed fields in a stream", KUBE_SPLIT_WATCH,
	    "{\"object\":{\"metadata\":{\"name\":\"a\",\"managedFields\":[{}]}},\"metadata\":{\"managedFields\":[]}}",
	    "<{\"object\":{\"metadata\":{\"name\":\"a\",\"managedFields\":null}},\"metadata\":{\"managedFields\":[]}}> rv= token= between" },
	{ "garbage in a stream", KUBE_SPLIT_WATCH, "{} oops {}",
	    "<{}> rv= token= bad" },
	{ "a stream cut in a string", KUBE_SPLIT_WATCH, "{}{\"a\":\"b",
	    "<{}> rv= token= cut" },
	{ "an empty body", KUBE_SPLIT_WATCH, "", " rv= token= between" },
};

static void
feed(struct kube_split *split, const char *data, size_t size_b, struct str *out,
    bool *is_bad)
{
	while (size_b && !*is_bad) {
		/* A copy of its own size: ASan sees a read beyond it. */
		char *copy = mem_dup(data, size_b);
		size_t used = 0;
		enum kube_split_result r =
		    kube_split_feed(split, copy, size_b, &used);

		free(copy);
		data += used;
		size_b -= used;
		if (r == KUBE_SPLIT_ITEM)
			str_printf(out, "<%s>", split->item.s);
		else if (r == KUBE_SPLIT_TOO_BIG)
			str_printf(out, "<too big %zu>", split->item.n);
		*is_bad = r == KUBE_SPLIT_BAD;
	}
}

static char *
split_text(const struct split_case *c, size_t piece_b, size_t item_max_b)
{
	struct kube_split split;
	struct str out = { 0 };
	size_t n = strlen(c->text);
	bool is_bad = false;
	const char *end;

	kube_split_init(&split, c->mode);
	split.item_max_b = item_max_b;
	for (size_t at = 0; at < n; at += piece_b)
		feed(&split, c->text + at, MIN(piece_b, n - at), &out, &is_bad);
	end = is_bad			    ? "bad"
	    : split.is_complete		    ? "complete"
	    : kube_split_is_between(&split) ? "between"
					    : "cut";
	if (is_bad)
		split.rv[0] = '\0';
	str_printf(&out, " rv=%s token=%s %s", split.rv, str_get(&split.token),
	    end);
	kube_split_fini(&split);
	return str_steal(&out);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].text);

		for (size_t piece_b = 1; piece_b <= n + 1; piece_b++) {
			char *got = split_text(&cases[i], piece_b,
			    KUBE_SPLIT_ITEM_MAX_B);

			if (strcmp(got, cases[i].want) != 0)
				fail_msg("%s, pieces of %zu: %s", cases[i].name,
				    piece_b, got);
			free(got);
		}
	}
}

static void
test_too_big(void **state)
{
	static const struct split_case c = { "", KUBE_SPLIT_WATCH,
		"{\"object\":{\"metadata\":{\"name\":\"abc\"}}}{\"a\":1}", "" };

	(void)state;
	for (size_t piece_b = 1; piece_b < 60; piece_b++) {
		char *got = split_text(&c, piece_b, 16);

		assert_non_null(strstr(got, "<too big "));
		assert_non_null(strstr(got, "<{\"a\":1}> rv= token= between"));
		free(got);
	}
}

static void
test_deep(void **state)
{
	struct kube_split split;
	struct str text = { 0 };
	struct str out = { 0 };
	bool is_bad = false;

	(void)state;
	str_add(&text, "{\"a\":");
	for (int i = 0; i < 1000; i++)
		str_add(&text, "[{\"b\":");
	str_add(&text, "1");
	for (int i = 0; i < 1000; i++)
		str_add(&text, "}]");
	str_add(&text, "}{\"c\":2}");
	kube_split_init(&split, KUBE_SPLIT_WATCH);
	feed(&split, text.s, text.n, &out, &is_bad);
	assert_false(is_bad);
	assert_non_null(strstr(out.s, "><{\"c\":2}>"));
	kube_split_fini(&split);
	str_fini(&text);
	str_fini(&out);
}

static const struct {
	const char *text;
	const char *want; /* NULL: not found */
} finds[] = {
	{ "{\"object\":{\"metadata\":{\"name\":\"a\"}}}", "a" },
	{ "{\"type\":\"X\",\"object\":{\"spec\":{\"name\":\"no\",\"l\":[{\"name\":\"no\"}]},\"metadata\":{\"labels\":{\"name\":\"no\"},\"name\":\"b\"",
	    "b" },
	{ "{\"metadata\":{\"name\":\"no\"},\"object\":{\"name\":\"no\"}}",
	    NULL },
	{ "{\"object\":{\"metadata\":{\"name\":{\"name\":\"no\"}}}}", NULL },
	{ "{\"object\":{\"metadata\":{\"name\":\"x\\u0041\"}}}", NULL },
	{ "{\"object\":{\"metadata\":{\"name\":\"cut", NULL },
	{ "{\"object\":[{\"metadata\":{\"name\":\"no\"}}]}", NULL },
	{ "}}}}\"\\", NULL },
	{ "", NULL },
};

static void
test_find(void **state)
{
	static const char *const path[] = { "object", "metadata", "name" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		size_t n = strlen(finds[i].text);
		char *copy = n ? mem_dup(finds[i].text, n) : NULL;
		char got[16] = "";
		bool is_found = kube_split_find(copy, n, path, ARRAY_LEN(path),
		    got, sizeof(got));

		free(copy);
		if (is_found != (finds[i].want != NULL) ||
		    (is_found && strcmp(got, finds[i].want) != 0))
			fail_msg("%s: %s", finds[i].text, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
