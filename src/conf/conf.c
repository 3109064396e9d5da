/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf: the whole of eipd.conf against the table of options. */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "conf/schema.h"
#include "conf/tree.h"

enum {
	ERRORS_MAX = 100,
	PATH_MAX_B = 128,
	SIZE_MAX_B = 1 << 20
};

struct reader {
	struct conf *conf;
	VEC(struct err) errors;
};

static void
add_error(void *arg, const struct err *err)
{
	struct reader *r = arg;

	if (r->errors.n < ERRORS_MAX)
		vec_push(&r->errors, *err);
}

static const struct schema_option *
option_at(const char *path)
{
	for (size_t i = 0; i < schema_n; i++) {
		if (strcmp(schema[i].path, path) == 0)
			return &schema[i];
	}
	return NULL;
}

static bool
is_section(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < schema_n; i++) {
		if (strncmp(schema[i].path, path, n) == 0 &&
		    schema[i].path[n] == '.')
			return true;
	}
	return false;
}

/* The keys that may stand in the section `prefix` ("" or "nodes."). */
static void
unknown_key(struct reader *r, const struct tree *t, const char *prefix)
{
	VEC(const char *) keys = { 0 };
	struct arena arena = { 0 };
	size_t n = strlen(prefix);
	struct err err;

	for (size_t i = 0; i < schema_n; i++) {
		const char *rest = schema[i].path + n;
		const char *key;

		if (strncmp(schema[i].path, prefix, n) != 0)
			continue;
		key = arena_strndup(&arena, rest, strcspn(rest, "."));
		if (keys.n == 0 || strcmp(keys.v[keys.n - 1], key) != 0)
			vec_push(&keys, key);
	}
	if (tree_unknown_key(t, keys.v, keys.n, &err) < 0)
		add_error(r, &err);
	vec_fini(&keys);
	arena_fini(&arena);
}

/* Recursion goes as deep as the table, not as the text. */
static void
read_section(struct reader *r, const struct tree *map, const char *prefix)
{
	for (const struct tree *t = map->first; t; t = t->next) {
		const struct schema_option *o;
		char path[PATH_MAX_B];
		struct err err;
		bool is_branch;

		snprintf(path, sizeof(path) - 1, "%s%s", prefix, t->key);
		o = option_at(path);
		is_branch = is_section(path);
		if (strchr(t->key, '.') || (!o && !is_branch)) {
			unknown_key(r, t, prefix);
			continue;
		}
		if (t->kind == TREE_NULL)
			continue;
		if (o && schema_set(o, r->conf, t, &err) < 0)
			add_error(r, &err);
		if (!is_branch || (o && t->kind != TREE_MAP))
			continue;
		if (t->kind != TREE_MAP) {
			char shown[80];

			tree_err(t, &err, "%s: expected a map, found %s", path,
			    tree_show(t, shown));
			add_error(r, &err);
			continue;
		}
		strcat(path, ".");
		read_section(r, t, path);
	}
}

static void
read_documents(struct reader *r, const char *text, size_t size_b)
{
	struct tree_part rest = { text, size_b, 1 };
	struct arena arena = { 0 };
	struct tree_part part;
	const struct tree *doc;
	bool has_document = false;
	struct err err;

	while (tree_next_part(&rest, &part)) {
		tree_read(&part, &arena, &doc, add_error, r);
		if (!doc)
			continue;
		if (has_document) {
			tree_err(doc, &err,
			    "a second document; eipd.conf has one only");
			add_error(r, &err);
			break;
		}
		has_document = true;
		if (doc->kind == TREE_MAP) {
			read_section(r, doc, "");
			continue;
		}
		tree_err(doc, &err, "expected options such as \"user: eipd\"");
		add_error(r, &err);
	}
	arena_fini(&arena);
}

static int
by_position(const void *a, const void *b)
{
	const struct err *e = a;
	const struct err *f = b;

	if (e->line != f->line)
		return e->line < f->line ? -1 : 1;
	return e->column < f->column ? -1 : e->column > f->column;
}

int
conf_parse(const char *text, size_t size_b, struct conf *out,
    void (*on_error)(void *arg, const struct err *err), void *arg)
{
	struct conf conf;
	struct reader r = { .conf = &conf };
	struct err err;
	const struct err *e;
	size_t n;

	conf_defaults(&conf);
	if (size_b > SIZE_MAX_B) {
		err_at(&err, -E2BIG, 1, 1, "more than %d octets", SIZE_MAX_B);
		add_error(&r, &err);
	} else {
		read_documents(&r, text, size_b);
	}
	n = r.errors.n;
	vec_sort(&r.errors, by_position);
	VEC_FOREACH (e, &r.errors) {
		if (on_error)
			on_error(arg, e);
	}
	vec_fini(&r.errors);
	if (n) {
		conf_fini(&conf);
		return -EINVAL;
	}
	*out = conf;
	return 0;
}

void
conf_defaults(struct conf *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < schema_n; i++)
		schema_set_default(&schema[i], out);
}

void
conf_fini(struct conf *conf)
{
	arena_fini(&conf->arena);
	memset(conf, 0, sizeof(*conf));
}
