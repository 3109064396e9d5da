/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree: typed reading of nodes.
 *
 * As strict as the API server: a number is no string and a string no number,
 * so that a file accepted here is accepted by kubectl as well.
 */
#include "conf/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

const struct tree *
tree_get(const struct tree *map, const char *key)
{
	const struct tree *t;

	if (!map || map->kind != TREE_MAP)
		return NULL;
	for (t = map->first; t; t = t->next) {
		if (strcmp(t->key, key) == 0)
			return t->kind == TREE_NULL ? NULL : t;
	}
	return NULL;
}

int
tree_err(const struct tree *t, struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_at(err, -EINVAL, t->line, t->column, "%s", text);
}

static bool
is_one_of(const char *s, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(s, v[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_true(const char *s)
{
	static const char *const v[] = { "true", "True", "TRUE" };

	return is_one_of(s, v, ARRAY_LEN(v));
}

static bool
is_false(const char *s)
{
	static const char *const v[] = { "false", "False", "FALSE" };

	return is_one_of(s, v, ARRAY_LEN(v));
}

/* What YAML takes for a number: digits with one sign, point or exponent. */
static bool
looks_like_number(const char *s)
{
	size_t n;

	s += *s == '-' || *s == '+';
	n = strspn(s, "0123456789");
	if (n == 0 && *s != '.')
		return false;
	s += n;
	if (*s == '.') {
		size_t m = strspn(++s, "0123456789");

		if (n + m == 0)
			return false;
		s += m;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		n = strspn(s, "0123456789");
		if (n == 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

/* A string only when it stands in quotes. */
static bool
is_no_string(const char *s)
{
	return is_true(s) || is_false(s) || looks_like_number(s);
}

const char *
tree_show(const struct tree *t, char out[80])
{
	switch (t->kind) {
	case TREE_NULL:
		return "nothing";
	case TREE_SEQ:
		return "a list";
	case TREE_MAP:
		return "a map";
	case TREE_SCALAR:
		break;
	}
	snprintf(out, 80, "\"%.50s\"%s%s", t->text,
	    strlen(t->text) > 50 ? "..." : "",
	    t->is_quoted && is_no_string(t->text) ? " in quotes" : "");
	for (char *p = out; *p; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
	return out;
}

static int
expected(const struct tree *t, struct err *err, const char *what)
{
	char shown[80];
	const char *sep = t->key ? ": " : "";

	return tree_err(t, err, "%.64s%sexpected %s, found %s",
	    t->key ? t->key : "", sep, what, tree_show(t, shown));
}

int
tree_string(const struct tree *t, const char **out, struct err *err)
{
	if (t->kind != TREE_SCALAR)
		return expected(t, err, "a string");
	if (!t->is_quoted && is_no_string(t->text))
		return tree_err(t, err,
		    "%.64s%sexpected a string; put %.60s into quotes",
		    t->key ? t->key : "", t->key ? ": " : "", t->text);
	*out = t->text;
	return 0;
}

int
tree_bool(const struct tree *t, bool *out, struct err *err)
{
	if (t->kind != TREE_SCALAR || t->is_quoted)
		return expected(t, err, "true or false");
	if (!is_true(t->text) && !is_false(t->text))
		return expected(t, err, "true or false");
	*out = is_true(t->text);
	return 0;
}

int
tree_u64(const struct tree *t, uint64_t max, uint64_t *out, struct err *err)
{
	char range[64];
	int rc;

	if (t->kind != TREE_SCALAR || t->is_quoted)
		return expected(t, err, "a number");
	rc = str_to_u64(t->text, max, out);
	if (rc == -ERANGE) {
		snprintf(range, sizeof(range), "a number up to %llu",
		    (unsigned long long)max);
		return expected(t, err, range);
	}
	return rc < 0 ? expected(t, err, "a number") : 0;
}

int
tree_asn(const struct tree *t, uint32_t *out, struct err *err)
{
	static const char form[] =
	    "an AS number such as 64512 or 4200000000, or 64086.59904 (asdot)";
	char text[sizeof("65535.65535")];
	uint64_t high = 0;
	uint64_t v;
	char *dot;

	if (t->kind != TREE_SCALAR || strlen(t->text) >= sizeof(text))
		return expected(t, err, form);
	strcpy(text, t->text);
	dot = strchr(text, '.');
	if (dot)
		*dot++ = '\0';
	if ((dot && str_to_u64(text, UINT16_MAX, &high) < 0) ||
	    str_to_u64(dot ? dot : text, dot ? UINT16_MAX : UINT32_MAX, &v) < 0)
		return expected(t, err, form);
	v |= high << 16;
	if (v == 23456 || v == UINT16_MAX || v == UINT32_MAX)
		return expected(t, err, "an AS number that is not reserved");
	*out = (uint32_t)v;
	return 0;
}

int
tree_i64(const struct tree *t, int64_t *out, struct err *err)
{
	bool is_negative;
	uint64_t max;
	uint64_t v;

	if (t->kind != TREE_SCALAR || t->is_quoted)
		return expected(t, err, "a number");
	is_negative = t->text[0] == '-';
	max = (uint64_t)INT64_MAX + is_negative;
	if (str_to_u64(t->text + is_negative, max, &v) < 0)
		return expected(t, err, "a number of 64 bits");
	*out = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int
tree_duration(const struct tree *t, int64_t *out_us, struct err *err)
{
	if (t->kind != TREE_SCALAR || str_to_duration(t->text, out_us) < 0)
		return expected(t, err,
		    "a duration such as 500ms, 30s, 5m, 2h or 7d");
	return 0;
}

int
tree_unknown_key(const struct tree *member, const char *const *known,
    size_t n_known, struct err *err)
{
	const char *nearest = str_nearest(member->key, known, n_known);
	struct str all = { 0 };
	char text[sizeof(err->text)];

	if (nearest) {
		snprintf(text, sizeof(text),
		    "unknown key \"%.64s\", did you mean \"%s\"?", member->key,
		    nearest);
	} else {
		for (size_t i = 0; i < n_known; i++)
			str_printf(&all, "%s%s", i ? ", " : "", known[i]);
		snprintf(text, sizeof(text),
		    "unknown key \"%.64s\"; known here: %s", member->key,
		    str_get(&all));
	}
	str_fini(&all);
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
	return err_at(err, -EINVAL, member->key_line, member->key_column, "%s",
	    text);
}
