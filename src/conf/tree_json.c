/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_json: one JSON value (RFC 8259), as the API server sends it, to a tree
 * and back.  Lists of an API server are tens of megabytes, so strings are
 * copied once, into one block, and nothing is built that is not kept.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf/tree.h"

struct reader {
	struct arena *arena;
	const char *text;
	const char *at;
	const char *end;
	char *out; /* where the next string goes; with room for all of them */
	size_t n_nodes;
	struct err *err;
};

static int ATTR_PRINTF(2, 3) fail(const struct reader *r, const char *fmt, ...)
{
	unsigned int line = 1;
	unsigned int column = 1;
	char what[80];
	va_list ap;

	for (const char *p = r->text; p < r->at; p++) {
		line += *p == '\n';
		column = *p == '\n' ? 1 : column + 1;
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_at(r->err, -EINVAL, line, column, "not JSON: %s", what);
}

/* The next octet that is no blank, which stays; '\0' at the end. */
static char
peek(struct reader *r)
{
	while (r->at < r->end &&
	    (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' ||
		*r->at == '\t'))
		r->at++;
	return r->at < r->end ? *r->at : '\0';
}

static bool
take(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

/* uXXXX; false: it is not. */
static bool
read_unit(struct reader *r, unsigned int *unit)
{
	if (r->end - r->at < 5 || *r->at != 'u')
		return false;
	*unit = 0;
	for (int i = 1; i <= 4; i++) {
		char c = r->at[i];

		if (!is_hex(c))
			return false;
		*unit = *unit << 4 |
		    (unsigned int)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	r->at += 5;
	return true;
}

/* What is no text becomes U+FFFD: strings of C cannot hold a NUL. */
static void
put_code_point(struct reader *r, unsigned int c)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n;

	if (c == 0 || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		r->out[i] = (char)(0x80 | (c & 0x3f));
	r->out[0] = (char)(lead[n] | c);
	r->out += n;
}

/* RFC 8259, 7. */
static int
read_escape(struct reader *r)
{
	static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	unsigned int unit;
	unsigned int low;
	const char *again;

	r->at++;
	for (const char *e = escapes; r->at < r->end && *e; e += 2) {
		if (*e == *r->at) {
			*r->out++ = e[1];
			r->at++;
			return 0;
		}
	}
	if (!read_unit(r, &unit))
		return fail(r, "invalid escape");
	again = r->at;
	if (unit >= 0xd800 && unit < 0xdc00 && r->at < r->end &&
	    *r->at++ == '\\' && read_unit(r, &low) && low >= 0xdc00 &&
	    low < 0xe000)
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	else
		r->at = again;
	put_code_point(r, unit);
	return 0;
}

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* The string that begins here, without its quotes. */
static int
read_string(struct reader *r, const char **out)
{
	if (!take(r, '"'))
		return fail(r, "a string is expected");
	*out = r->out;
	for (;;) {
		const char *begin = r->at;
		size_t n;

		while (r->at < r->end && is_plain((unsigned char)*r->at))
			r->at++;
		n = (size_t)(r->at - begin);
		memcpy(r->out, begin, n);
		r->out += n;
		if (r->at == r->end)
			return fail(r, "a string without an end");
		if (*r->at == '"')
			break;
		if (*r->at == '\\') {
			if (read_escape(r) < 0)
				return -EINVAL;
			continue;
		}
		n = str_utf8_length(r->at, (size_t)(r->end - r->at));
		if (n == 0)
			return fail(r, "octet 0x%02x in a string",
			    (unsigned int)(unsigned char)*r->at);
		memcpy(r->out, r->at, n);
		r->out += n;
		r->at += n;
	}
	*r->out++ = '\0';
	r->at++;
	return 0;
}

static bool is_number(const char *s);

/* true, false, null or a number, which keeps its spelling. */
static int
read_word(struct reader *r, struct tree *t)
{
	const char *begin = r->at;
	size_t n;

	while (r->at < r->end && *r->at &&
	    strchr("+-.0123456789Eaeflnrstu", *r->at))
		r->at++;
	n = (size_t)(r->at - begin);
	memcpy(r->out, begin, n);
	r->out[n] = '\0';
	t->kind = TREE_SCALAR;
	t->text = r->out;
	r->out += n + 1;
	if (strcmp(t->text, "null") == 0)
		t->kind = TREE_NULL;
	else if (strcmp(t->text, "true") != 0 &&
	    strcmp(t->text, "false") != 0 && !is_number(t->text)) {
		r->at = begin;
		return fail(r, "a value is expected");
	}
	return 0;
}

static int read_value(struct reader *r, struct tree *t, unsigned int depth);

static int
read_members(struct reader *r, struct tree *t, unsigned int depth)
{
	char close = t->kind == TREE_MAP ? '}' : ']';
	const struct tree **tail = &t->first;

	if (depth == TREE_DEPTH_MAX)
		return err_set(r->err, -E2BIG, "nested deeper than %d levels",
		    TREE_DEPTH_MAX);
	r->at++;
	if (take(r, close))
		return 0;
	do {
		struct tree *m = arena_new(r->arena, struct tree);
		int rc = 0;

		if (++r->n_nodes > TREE_NODES_MAX)
			return err_set(r->err, -E2BIG, "more than %d values",
			    TREE_NODES_MAX);
		if (t->kind == TREE_MAP) {
			rc = read_string(r, &m->key);
			if (rc == 0 && !take(r, ':'))
				return fail(r, "':' is expected");
		}
		if (rc == 0)
			rc = read_value(r, m, depth + 1);
		if (rc < 0)
			return rc;
		*tail = m;
		tail = &m->next;
		t->n++;
	} while (take(r, ','));
	return take(r, close) ? 0 : fail(r, "',' or '%c' is expected", close);
}

static int
read_value(struct reader *r, struct tree *t, unsigned int depth)
{
	switch (peek(r)) {
	case '{':
		t->kind = TREE_MAP;
		return read_members(r, t, depth);
	case '[':
		t->kind = TREE_SEQ;
		return read_members(r, t, depth);
	case '"':
		t->kind = TREE_SCALAR;
		t->is_quoted = true;
		return read_string(r, &t->text);
	default:
		return read_word(r, t);
	}
}

int
tree_parse_json(const char *text, size_t size_b, struct arena *arena,
    const struct tree **out, struct err *err)
{
	struct reader r = { .arena = arena,
		.text = text,
		.at = text,
		.end = text + size_b,
		.err = err };
	struct tree *t;
	int rc;

	if (size_b > TREE_SIZE_MAX_B)
		return err_set(err, -E2BIG, "JSON of more than %d octets",
		    TREE_SIZE_MAX_B);
	/* No string is longer than it is in JSON, with its NUL in place of a
	 * quote or of what follows a word; the last word may end the text. */
	r.out = arena_alloc(arena, size_b + 1);
	t = arena_new(arena, struct tree);
	rc = read_value(&r, t, 0);
	if (rc == 0 && (peek(&r) || r.at < r.end))
		rc = fail(&r, "something follows the value");
	if (rc == 0)
		*out = t;
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
