/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_json: one JSON value, as the API server sends it, to a tree and back.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf/tree.h"
#include "conf/tree_text.h"

struct frame {
	json_t *value;
	struct tree *node;
	const struct tree **tail;
	void *iter; /* objects */
	size_t index; /* arrays */
};

static void
scalar_from(struct tree *t, json_t *v, struct arena *arena)
{
	t->kind = TREE_SCALAR;
	switch (json_typeof(v)) {
	case JSON_STRING:
		t->is_quoted = true;
		t->text = tree_text(arena, json_string_value(v),
		    json_string_length(v));
		return;
	case JSON_INTEGER:
		t->text = arena_printf(arena, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
		return;
	case JSON_REAL:
		t->text = arena_printf(arena, "%.17g", json_real_value(v));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		t->text = json_is_true(v) ? "true" : "false";
		return;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	t->kind = TREE_NULL;
}

static bool
next_member(struct frame *f, const char **key, json_t **value)
{
	if (f->node->kind == TREE_SEQ) {
		*key = NULL;
		*value = json_array_get(f->value, f->index++);
		return *value != NULL;
	}
	f->iter = f->iter ? json_object_iter_next(f->value, f->iter)
			  : json_object_iter(f->value);
	if (!f->iter)
		return false;
	*key = json_object_iter_key(f->iter);
	*value = json_object_iter_value(f->iter);
	return true;
}

static struct tree *
node_from(json_t *v, struct arena *arena)
{
	struct tree *t = arena_new(arena, struct tree);

	if (json_is_object(v))
		t->kind = TREE_MAP;
	else if (json_is_array(v))
		t->kind = TREE_SEQ;
	else
		scalar_from(t, v, arena);
	return t;
}

static int
convert(json_t *root, struct arena *arena, const struct tree **out,
    struct err *err)
{
	struct frame stack[TREE_DEPTH_MAX];
	struct tree *top = node_from(root, arena);
	size_t depth = 0;
	size_t nodes = 0;

	stack[depth++] =
	    (struct frame){ .value = root, .node = top, .tail = &top->first };
	while (depth) {
		struct frame *f = &stack[depth - 1];
		const char *key;
		struct tree *t;
		json_t *v;

		if ((f->node->kind != TREE_MAP && f->node->kind != TREE_SEQ) ||
		    !next_member(f, &key, &v)) {
			depth--;
			continue;
		}
		if (++nodes > TREE_NODES_MAX)
			return err_set(err, -E2BIG, "more than %d values",
			    TREE_NODES_MAX);
		t = node_from(v, arena);
		t->key = key ? arena_strdup(arena, key) : NULL;
		*f->tail = t;
		f->tail = (const struct tree **)&t->next;
		f->node->n++;
		if (t->kind != TREE_MAP && t->kind != TREE_SEQ)
			continue;
		if (depth == TREE_DEPTH_MAX)
			return err_set(err, -E2BIG,
			    "nested deeper than %d levels", TREE_DEPTH_MAX);
		stack[depth++] =
		    (struct frame){ .value = v, .node = t, .tail = &t->first };
	}
	*out = top;
	return 0;
}

int
tree_parse_json(const char *text, size_t size_b, struct arena *arena,
    const struct tree **out, struct err *err)
{
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t problem;
	json_t *root;
	int rc;

	if (size_b > TREE_SIZE_MAX_B)
		return err_set(err, -E2BIG, "JSON of more than %d octets",
		    TREE_SIZE_MAX_B);
	root = json_loadb(text, size_b, flags, &problem);
	if (!root && json_error_code(&problem) == json_error_numeric_overflow)
		root = json_loadb(text, size_b, flags | JSON_DECODE_INT_AS_REAL,
		    &problem);
	if (!root)
		return err_at(err, -EINVAL, (unsigned int)problem.line,
		    (unsigned int)problem.column, "not JSON: %s", problem.text);
	rc = convert(root, arena, out, err);
	json_decref(root);
	return rc;
}

static size_t
digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* RFC 8259, 6. */
static bool
is_number(const char *s)
{
	s += *s == '-';
	if (!digits(s) || (*s == '0' && digits(s) > 1))
		return false;
	s += digits(s);
	if (*s == '.') {
		s++;
		if (!digits(s))
			return false;
		s += digits(s);
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!digits(s))
			return false;
		s += digits(s);
	}
	return !*s;
}

static void
add_string(struct str *out, const char *s)
{
	str_add(out, "\"");
	while (*s) {
		size_t plain = 0;

		while ((unsigned char)s[plain] >= ' ' && s[plain] != '"' &&
		    s[plain] != '\\')
			plain++;
		str_add_n(out, s, plain);
		s += plain;
		if (*s)
			str_printf(out, "\\u%04x", (unsigned char)*s++);
	}
	str_add(out, "\"");
}

void
tree_to_json(const struct tree *t, struct str *out)
{
	switch (t->kind) {
	case TREE_NULL:
		str_add(out, "null");
		return;
	case TREE_SCALAR:
		if (!t->is_quoted &&
		    (is_number(t->text) || strcmp(t->text, "true") == 0 ||
			strcmp(t->text, "false") == 0))
			str_add(out, t->text);
		else
			add_string(out, t->text);
		return;
	case TREE_SEQ:
	case TREE_MAP:
		break;
	}
	str_add(out, t->kind == TREE_MAP ? "{" : "[");
	for (const struct tree *m = t->first; m; m = m->next) {
		if (t->kind == TREE_MAP) {
			add_string(out, m->key);
			str_add(out, ":");
		}
		tree_to_json(m, out);
		str_add(out, m->next ? "," : "");
	}
	str_add(out, t->kind == TREE_MAP ? "}" : "]");
}
