/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_yaml: YAML text to trees, driven by the events of libyaml.
 *
 * libyaml cannot go on after a syntax error, so the documents of a file are
 * cut apart first: "---" at the start of a line ends a document wherever it
 * stands, as the YAML specification forbids it inside of scalars.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/vec.h"
#include "conf/tree.h"
#include "conf/tree_text.h"

enum {
	ERRORS_MAX = 100
};

struct frame {
	struct tree *node;
	const struct tree **tail;
	struct tree *waiting; /* a key was read, its value not yet */
};

struct builder {
	const struct tree_part *part;
	struct arena *arena;
	struct frame stack[TREE_DEPTH_MAX];
	size_t depth;
	struct tree *root;
	size_t nodes;
	size_t errors;
	bool is_over; /* nothing more can be read */
	void (*on_error)(void *arg, const struct err *err);
	void *arg;
};

/* NULL outside of any map and sequence. */
static struct frame *
top(struct builder *b)
{
	struct frame *f = b->depth ? &b->stack[b->depth - 1] : NULL;

	assert(!f || f->node);
	return f;
}

static void
complain(struct builder *b, unsigned int line, unsigned int column,
    const char *text)
{
	struct err err;

	if (b->errors++ >= ERRORS_MAX || !b->on_error)
		return;
	err_at(&err, -EINVAL, line, column, "%s", text);
	b->on_error(b->arg, &err);
}

static unsigned int
line_of(const struct builder *b, const yaml_mark_t *mark)
{
	return (unsigned int)mark->line + b->part->line;
}

static unsigned int
column_of(const yaml_mark_t *mark)
{
	return (unsigned int)mark->column + 1;
}

static void
complain_at(struct builder *b, const yaml_mark_t *mark, const char *text)
{
	complain(b, line_of(b, mark), column_of(mark), text);
}

static bool
is_null_text(const char *s)
{
	return !*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 ||
	    strcmp(s, "Null") == 0 || strcmp(s, "NULL") == 0;
}

/* The new node takes the place that the enclosing one has for it. */
static struct tree *
place(struct builder *b, const yaml_mark_t *mark)
{
	struct frame *f = top(b);
	struct tree *t;

	if (f && f->waiting) {
		t = f->waiting;
		f->waiting = NULL;
	} else {
		if (++b->nodes > TREE_NODES_MAX) {
			complain_at(b, mark, "too many values");
			b->is_over = true;
			return NULL;
		}
		t = arena_new(b->arena, struct tree);
		if (!f) {
			b->root = t;
		} else {
			*f->tail = t;
			f->tail = (const struct tree **)&t->next;
			f->node->n++;
		}
	}
	t->line = line_of(b, mark);
	t->column = column_of(mark);
	return t;
}

static bool
expects_key(struct builder *b)
{
	const struct frame *f = top(b);

	return f && f->node->kind == TREE_MAP && !f->waiting;
}

static void
check_tag(struct builder *b, const yaml_event_t *ev, const yaml_char_t *tag)
{
	static const char standard[] = "tag:yaml.org,2002:";
	const char *s = (const char *)tag;

	if (s && strcmp(s, "!") != 0 &&
	    (strncmp(s, standard, strlen(standard)) != 0 ||
		strcmp(s, "tag:yaml.org,2002:binary") == 0))
		complain_at(b, &ev->start_mark, "tags are not supported");
}

static void
on_scalar(struct builder *b, const yaml_event_t *ev)
{
	bool is_key = expects_key(b);
	bool is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	const char *tag = (const char *)ev->data.scalar.tag;
	struct tree *t = place(b, &ev->start_mark);
	const char *text;

	if (!t)
		return;
	check_tag(b, ev, ev->data.scalar.tag);
	is_quoted |=
	    tag && (strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0);
	text = tree_text(b->arena, (const char *)ev->data.scalar.value,
	    ev->data.scalar.length);
	if (is_key) {
		t->key = text;
		t->key_line = t->line;
		t->key_column = t->column;
		b->stack[b->depth - 1].waiting = t;
		return;
	}
	t->is_quoted = is_quoted;
	if (!is_quoted && is_null_text(text))
		return;
	t->kind = TREE_SCALAR;
	t->text = text;
}

static void
on_start(struct builder *b, const yaml_event_t *ev, enum tree_kind kind)
{
	struct tree *t;

	if (expects_key(b)) {
		complain_at(b, &ev->start_mark, "a key must be a plain string");
		b->is_over = true;
		return;
	}
	if (b->depth == TREE_DEPTH_MAX) {
		complain_at(b, &ev->start_mark, "nested too deeply");
		b->is_over = true;
		return;
	}
	check_tag(b, ev,
	    kind == TREE_MAP ? ev->data.mapping_start.tag
			     : ev->data.sequence_start.tag);
	t = place(b, &ev->start_mark);
	if (!t)
		return;
	t->kind = kind;
	b->stack[b->depth++] = (struct frame){ .node = t, .tail = &t->first };
}

static int
by_key(const void *a, const void *b)
{
	const struct tree *s = *(const struct tree *const *)a;
	const struct tree *t = *(const struct tree *const *)b;
	int c = strcmp(s->key, t->key);

	if (c)
		return c;
	if (s->key_line != t->key_line)
		return s->key_line < t->key_line ? -1 : 1;
	return s->key_column < t->key_column ? -1 : 1;
}

static void
find_duplicates(struct builder *b, const struct tree *map)
{
	VEC(const struct tree *) keys = { 0 };

	for (const struct tree *t = map->first; t; t = t->next)
		vec_push(&keys, t);
	vec_sort(&keys, by_key);
	for (size_t i = 1; i < keys.n; i++) {
		const struct tree *t = keys.v[i];
		struct err err;

		if (strcmp(t->key, keys.v[i - 1]->key) != 0)
			continue;
		err_set(&err, -EINVAL,
		    "key \"%.64s\" is already given in line %u", t->key,
		    keys.v[i - 1]->key_line);
		complain(b, t->key_line, t->key_column, err.text);
	}
	vec_fini(&keys);
}

static void
on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_MAPPING_START_EVENT:
		on_start(b, ev, TREE_MAP);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_start(b, ev, TREE_SEQ);
		break;
	case YAML_MAPPING_END_EVENT:
		assert(b->depth);
		find_duplicates(b, top(b)->node);
		b->depth--;
		break;
	case YAML_SEQUENCE_END_EVENT:
		b->depth--;
		break;
	case YAML_ALIAS_EVENT:
		complain_at(b, &ev->start_mark,
		    "aliases are not supported; write the value again");
		if (expects_key(b))
			b->is_over = true;
		else
			(void)place(b, &ev->start_mark);
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (b->root) {
			complain_at(b, &ev->start_mark,
			    "a second document begins without \"---\"");
			b->is_over = true;
		}
		break;
	case YAML_STREAM_END_EVENT:
		b->is_over = true;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* Errors below the scanner come with an offset only. */
static void
complain_at_offset(struct builder *b, size_t offset, const char *text)
{
	unsigned int line = b->part->line;
	unsigned int column = 1;

	for (size_t i = 0; i < MIN(offset, b->part->size_b); i++) {
		unsigned char c = (unsigned char)b->part->text[i];

		if (c == '\n') {
			line++;
			column = 1;
		} else if ((c & 0xc0) != 0x80) {
			column++;
		}
	}
	complain(b, line, column, text);
}

/* libyaml does not say which character it is. */
static void
complain_of_character(struct builder *b, const yaml_parser_t *parser)
{
	struct err err;
	char c = (char)*parser->buffer.pointer;

	if (c == '\t')
		err_set(&err, -EINVAL, "a tab cannot indent; use spaces");
	else
		err_set(&err, -EINVAL,
		    "nothing can begin with %c; put it into quotes", c);
	complain_at(b, &parser->problem_mark, err.text);
}

static void
on_syntax_error(struct builder *b, const yaml_parser_t *parser)
{
	static const char no_token[] =
	    "found character that cannot start any token";
	struct err err;

	if (parser->error == YAML_READER_ERROR) {
		complain_at_offset(b, parser->problem_offset, parser->problem);
		return;
	}
	if (parser->problem && strcmp(parser->problem, no_token) == 0) {
		complain_of_character(b, parser);
		return;
	}
	if (parser->context &&
	    parser->context_mark.line != parser->problem_mark.line)
		err_set(&err, -EINVAL, "%s, %s in line %u", parser->problem,
		    parser->context, line_of(b, &parser->context_mark));
	else if (parser->context)
		err_set(&err, -EINVAL, "%s, %s", parser->problem,
		    parser->context);
	else
		err_set(&err, -EINVAL, "%s",
		    parser->problem ? parser->problem : "not YAML");
	complain_at(b, &parser->problem_mark, err.text);
}

size_t
tree_read(const struct tree_part *part, struct arena *arena,
    const struct tree **out, void (*on_error)(void *arg, const struct err *err),
    void *arg)
{
	struct builder b = {
		.part = part,
		.arena = arena,
		.on_error = on_error,
		.arg = arg,
	};
	yaml_parser_t parser;

	*out = NULL;
	if (part->size_b > TREE_SIZE_MAX_B ||
	    !yaml_parser_initialize(&parser)) {
		complain(&b, part->line, 1, "the text is too large");
		return b.errors;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)part->text,
	    part->size_b);
	while (!b.is_over) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&parser, &ev)) {
			on_syntax_error(&b, &parser);
			break;
		}
		on_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	if (b.root && (b.root->kind != TREE_NULL || b.root->is_quoted))
		*out = b.root;
	return b.errors;
}

static bool
is_marker(const char *line, size_t len_b, const char *marker)
{
	return len_b >= 3 && memcmp(line, marker, 3) == 0 &&
	    (len_b == 3 || strchr(" \t\r\n", line[3]));
}

/* Blank, comment or directive. */
static bool
is_prologue(const char *line, size_t len_b)
{
	size_t i = 0;

	if (len_b && line[0] == '%')
		return true;
	while (i < len_b &&
	    (line[i] == ' ' || line[i] == '\t' || line[i] == '\r' ||
		line[i] == '\n'))
		i++;
	return i == len_b || line[i] == '#';
}

bool
tree_next_part(struct tree_part *rest, struct tree_part *part)
{
	bool has_begun = false;
	size_t at = 0;
	unsigned int line = rest->line;

	if (rest->size_b == 0)
		return false;
	while (at < rest->size_b) {
		const char *p = rest->text + at;
		const char *end = memchr(p, '\n', rest->size_b - at);
		size_t len_b = end ? (size_t)(end - p) + 1 : rest->size_b - at;
		bool is_start = is_marker(p, len_b, "---");

		if (is_start && has_begun)
			break;
		has_begun |= is_start || !is_prologue(p, len_b);
		at += len_b;
		line++;
		if (is_marker(p, len_b, "..."))
			break;
	}
	*part = (struct tree_part){ rest->text, at, rest->line };
	rest->text += at;
	rest->size_b -= at;
	rest->line = line;
	return true;
}

static void
keep_first(void *arg, const struct err *err)
{
	struct err *first = arg;

	if (first->code == 0)
		*first = *err;
}

int
tree_parse_yaml(const char *text, size_t size_b, struct arena *arena,
    int (*fn)(void *arg, const struct tree *doc), void *arg, struct err *err)
{
	struct tree_part rest = { text, size_b, 1 };
	struct tree_part part;

	if (size_b > TREE_SIZE_MAX_B)
		return err_set(err, -E2BIG, "text of more than %d octets",
		    TREE_SIZE_MAX_B);
	while (tree_next_part(&rest, &part)) {
		struct err first = { 0 };
		const struct tree *doc;
		int rc;

		if (tree_read(&part, arena, &doc, keep_first, &first)) {
			if (err)
				*err = first;
			return first.code;
		}
		rc = doc ? fn(arg, doc) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}
