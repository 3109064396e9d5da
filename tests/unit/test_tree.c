/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tree: YAML and JSON to trees, with bounds and positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/tree.h"

/* One line: quoted strings in quotes, positions on demand. */
static void
show(const struct tree *t, bool has_positions, struct str *out)
{
	if (has_positions)
		str_printf(out, "@%u:%u ", t->line, t->column);
	switch (t->kind) {
	case TREE_NULL:
		str_add(out, "null");
		return;
	case TREE_SCALAR:
		str_printf(out, t->is_quoted ? "'%s'" : "%s", t->text);
		return;
	case TREE_SEQ:
	case TREE_MAP:
		break;
	}
	str_add(out, t->kind == TREE_MAP ? "{" : "[");
	for (const struct tree *m = t->first; m; m = m->next) {
		if (m != t->first)
			str_add(out, ", ");
		if (m->key)
			str_printf(out, "%s: ", m->key);
		show(m, has_positions, out);
	}
	str_add(out, t->kind == TREE_MAP ? "}" : "]");
}

static bool with_positions;

static int
show_document(void *arg, const struct tree *doc)
{
	struct str *out = arg;

	if (out->n)
		str_add(out, " | ");
	show(doc, with_positions, out);
	return 0;
}

static const char *
read_yaml(const char *text, size_t size_b, struct str *out)
{
	struct arena arena = { 0 };
	struct err err = { 0 };

	str_clear(out);
	if (tree_parse_yaml(text, size_b, &arena, show_document, out, &err) < 0)
		str_printf(out, "%s%u:%u: %s", out->n ? " | " : "", err.line,
		    err.column, err.text);
	arena_fini(&arena);
	return str_get(out);
}

static const struct yaml_case {
	const char *text;
	const char *want;
} yaml_cases[] = {
	{ "", "" },
	{ "# nothing\n---\n---\n", "" },
	{ "a: 1\nb: [x, '2', \"3\", ~, null, ]\nc: {d: }\n",
	    "{a: 1, b: [x, '2', '3', null, null], c: {d: null}}" },
	{ "a: |\n  two\n  lines\n", "{a: 'two\nlines\n'}" },
	{ "{\"a\":{\"b\":[1,2.50,true,null,\"x\\/y\"]}}",
	    "{a: {b: [1, 2.50, true, null, 'x/y']}}" },
	{ "{\n\t\"a\":\t1\n}\n", "{a: 1}" },
	{ "a: 1\n---\nb: 2\n--- \nc: 3\n...\n---\nd: 4\n",
	    "{a: 1} | {b: 2} | {c: 3} | {d: 4}" },
	{ "# c\n%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n",
	    "{a: 1} | {b: 2}" },
	{ "a: 1\n---\nb: [\n---\nc: 1\n",
	    "{a: 1} | 4:1: did not find expected node content, while parsing a flow node" },
	{ "a: !!str 1\nb: ! 2\n", "{a: '1', b: '2'}" },
	{ "a: \"\\0x\"\n", "{a: '\xef\xbf\xbdx'}" },
	{ "a: 1\nb: 2\na: 3\n", "3:1: key \"a\" is already given in line 1" },
	{ "a: &x 1\nb: *x\n",
	    "2:4: aliases are not supported; write the value again" },
	{ "[a]: 1\n", "1:1: a key must be a plain string" },
	{ "a: !!binary aGk=\n", "1:4: tags are not supported" },
	{ "a: \"\xff\"\n", "1:5: invalid leading UTF-8 octet" },
	{ "a: 1\n b: 2\n",
	    "2:3: mapping values are not allowed in this context" },
	{ "{}{}", "1:3: did not find expected <document start>" },
};

static void
test_yaml(void **state)
{
	struct str out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yaml_cases); i++) {
		const struct yaml_case *c = &yaml_cases[i];

		assert_string_equal(read_yaml(c->text, strlen(c->text), &out),
		    c->want);
	}
	str_fini(&out);
}

static void
test_positions(void **state)
{
	static const char text[] = "a: 1\n---\nb:\n  - x\n  - y: 'z'\n";
	struct str out = { 0 };

	(void)state;
	with_positions = true;
	assert_string_equal(read_yaml(text, strlen(text), &out),
	    "@1:1 {a: @1:4 1} | "
	    "@3:1 {b: @4:3 [@4:5 x, @5:5 {y: @5:8 'z'}]}");
	with_positions = false;
	str_fini(&out);
}

static void
test_bounds(void **state)
{
	struct arena arena = { 0 };
	const struct tree *t;
	struct str text = { 0 };
	struct str out = { 0 };
	struct err err;

	(void)state;
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		str_add(&text, "[");
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		str_add(&text, "]");
	assert_int_equal(read_yaml(str_get(&text), text.n, &out)[0], '[');
	assert_int_equal(tree_parse_json(str_get(&text), text.n, &arena, &t,
			     &err),
	    0);
	str_clear(&text);
	for (int i = 0; i < 900; i++)
		str_add(&text, "[");
	for (int i = 0; i < 900; i++)
		str_add(&text, "]");
	assert_string_equal(read_yaml(str_get(&text), text.n, &out),
	    "1:65: nested too deeply");
	assert_int_equal(tree_parse_json(str_get(&text), text.n, &arena, &t,
			     &err),
	    -E2BIG);
	assert_int_equal(tree_parse_yaml("", (size_t)TREE_SIZE_MAX_B + 1,
			     &arena, NULL, NULL, &err),
	    -E2BIG);
	arena_fini(&arena);
	str_fini(&text);
	str_fini(&out);
}

static const struct json_case {
	const char *text;
	const char *want;
} json_cases[] = {
	{ "{\"a\":[1,-2,true,null,\"1\"],\"b\":{}}",
	    "{a: [1, -2, true, null, '1'], b: {}}" },
	{ "\"a\\u0000b\"",
	    "'a\xef\xbf\xbd"
	    "b'" },
	{ "[18446744073709551616, 5]", "[1.8446744073709552e+19, 5]" },
	{ "[0.5]", "[0.5]" },
	{ "7", "7" },
	{ "{\"a\":", NULL },
	{ "", NULL },
};

static void
test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
		const struct json_case *c = &json_cases[i];
		struct arena arena = { 0 };
		struct str out = { 0 };
		const struct tree *t;
		struct err err;
		int rc =
		    tree_parse_json(c->text, strlen(c->text), &arena, &t, &err);

		assert_int_equal(rc, c->want ? 0 : -EINVAL);
		if (c->want) {
			show(t, false, &out);
			assert_string_equal(str_get(&out), c->want);
		}
		str_fini(&out);
		arena_fini(&arena);
	}
}

static int
keep(void *arg, const struct tree *doc)
{
	*(const struct tree **)arg = doc;
	return 0;
}

/* YAML in, JSON out; and that JSON read gives that JSON again. */
static void
test_to_json(void **state)
{
	static const struct {
		const char *yaml, *want;
	} cases[] = {
		{ "a: [1, -2, '3', true, ~, [], {}]\nb: {c: d}",
		    "{\"a\":[1,-2,\"3\",true,null,[],{}],\"b\":{\"c\":\"d\"}}" },
		{ "[0, 10, 1.5, -0.25, 1e+20]", "[0,10,1.5,-0.25,1e+20]" },
		{ "[01, 1., .5, 1e, -, 10.0.0.1, 0x1f, True, nullx, +1, 1 2]",
		    "[\"01\",\"1.\",\".5\",\"1e\",\"-\",\"10.0.0.1\",\"0x1f\",\"True\",\"nullx\",\"+1\",\"1 2\"]" },
		{ "'x': \"q\\\" b\\\\ n\\n t\\t \\x01 \xc3\xa4\"",
		    "{\"x\":\"q\\u0022 b\\u005c n\\u000a t\\u0009 \\u0001 \xc3\xa4\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct str out = { 0 };
		struct str again = { 0 };
		const struct tree *t = NULL;
		struct err err;

		assert_int_equal(tree_parse_yaml(cases[i].yaml,
				     strlen(cases[i].yaml), &arena, keep, &t,
				     &err),
		    0);
		tree_to_json(t, &out);
		assert_string_equal(out.s, cases[i].want);
		assert_int_equal(tree_parse_json(out.s, out.n, &arena, &t,
				     &err),
		    0);
		tree_to_json(t, &again);
		assert_string_equal(again.s, out.s);
		str_fini(&again);
		str_fini(&out);
		arena_fini(&arena);
	}
}

static void
test_readers(void **state)
{
	static const char text[] =
	    "s: word\nn: 42\nq: '42'\nb: true\nneg: -9223372036854775808\n"
	    "d: 90s\nbig: 18446744073709551616\nnil: null\nf: 1.5\nm: {}\n";
	struct arena arena = { 0 };
	const struct tree *t = NULL;
	const char *s;
	struct err err;
	uint64_t u;
	int64_t i;
	bool b;

	(void)state;
	assert_int_equal(tree_parse_yaml(text, strlen(text), &arena, keep, &t,
			     &err),
	    0);
	assert_int_equal(tree_string(tree_get(t, "s"), &s, &err), 0);
	assert_string_equal(s, "word");
	assert_int_equal(tree_string(tree_get(t, "q"), &s, &err), 0);
	assert_int_equal(tree_string(tree_get(t, "n"), &s, &err), -EINVAL);
	assert_string_equal(err.text,
	    "n: expected a string; put 42 into quotes");
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 4);
	assert_int_equal(tree_string(tree_get(t, "f"), &s, &err), -EINVAL);
	assert_int_equal(tree_string(tree_get(t, "m"), &s, &err), -EINVAL);
	assert_int_equal(tree_u64(tree_get(t, "n"), 42, &u, &err), 0);
	assert_int_equal(u, 42);
	assert_int_equal(tree_u64(tree_get(t, "n"), 41, &u, &err), -EINVAL);
	assert_string_equal(err.text,
	    "n: expected a number up to 41, found \"42\"");
	assert_int_equal(tree_u64(tree_get(t, "q"), 99, &u, &err), -EINVAL);
	assert_int_equal(tree_u64(tree_get(t, "big"), UINT64_MAX, &u, &err),
	    -EINVAL);
	assert_int_equal(tree_i64(tree_get(t, "neg"), &i, &err), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(tree_bool(tree_get(t, "b"), &b, &err), 0);
	assert_true(b);
	assert_int_equal(tree_bool(tree_get(t, "s"), &b, &err), -EINVAL);
	assert_int_equal(tree_duration(tree_get(t, "d"), &i, &err), 0);
	assert_int_equal(i, 90000000);
	assert_int_equal(tree_duration(tree_get(t, "f"), &i, &err), -EINVAL);
	assert_null(tree_get(t, "nil"));
	assert_null(tree_get(tree_get(t, "s"), "x"));
	assert_null(tree_get(NULL, "x"));
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_to_json),
		cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
