/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/kube_split.h"

#include <string.h>

static const struct {
	const char *text;
	enum kube_split_key key;
} names[] = {
	{ "items", KUBE_SPLIT_KEY_ITEMS },
	{ "metadata", KUBE_SPLIT_KEY_METADATA },
	{ "object", KUBE_SPLIT_KEY_OBJECT },
	{ "managedFields", KUBE_SPLIT_KEY_MANAGED_FIELDS },
	{ "resourceVersion", KUBE_SPLIT_KEY_RESOURCE_VERSION },
	{ "continue", KUBE_SPLIT_KEY_CONTINUE },
};

enum {
	TOKEN_MAX_B = 16 << 10
};

void
kube_split_init(struct kube_split *split, enum kube_split_mode mode)
{
	*split = (struct kube_split){ .mode = mode,
		.item_max_b = KUBE_SPLIT_ITEM_MAX_B };
}

void
kube_split_fini(struct kube_split *split)
{
	str_fini(&split->item);
	str_fini(&split->token);
}

bool
kube_split_is_between(const struct kube_split *s)
{
	return s->depth == 0 && !s->is_string && !s->is_bad;
}

static void
keep(struct kube_split *s, const char *from, const char *to)
{
	size_t n = (size_t)(to - from);
	size_t room;

	if (!s->item_depth || s->skip_depth || n == 0)
		return;
	if (s->item.n + n <= s->item_max_b && !s->is_too_big) {
		str_add_n(&s->item, from, n);
		return;
	}
	/* Only the beginning is of use, to name it. */
	s->is_too_big = true;
	if (s->item.n > KUBE_SPLIT_HEAD_B)
		s->item.n = KUBE_SPLIT_HEAD_B;
	room = KUBE_SPLIT_HEAD_B - s->item.n;
	str_add_n(&s->item, from, MIN(n, room));
}

static void
end_key(struct kube_split *s)
{
	uint8_t key = KUBE_SPLIT_KEY_OTHER;

	if (s->depth == 0 || s->depth > KUBE_SPLIT_KEYS)
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i].text) == s->key_n &&
		    memcmp(names[i].text, s->key, s->key_n) == 0)
			key = (uint8_t)names[i].key;
	}
	s->keys[s->depth - 1] = key;
	if (s->depth == 1 && key == KUBE_SPLIT_KEY_ITEMS)
		s->has_items = true;
}

static enum kube_split_key
key_at(const struct kube_split *s, size_t depth)
{
	if (depth == 0 || depth > KUBE_SPLIT_KEYS)
		return KUBE_SPLIT_KEY_OTHER;
	return (enum kube_split_key)s->keys[depth - 1];
}

/* The list's own metadata: where a value of interest begins. */
static enum kube_split_key
wanted_value(const struct kube_split *s)
{
	if (s->mode != KUBE_SPLIT_LIST || s->depth != 2 ||
	    key_at(s, 1) != KUBE_SPLIT_KEY_METADATA)
		return KUBE_SPLIT_KEY_OTHER;
	return key_at(s, 2);
}

static void
read_value(struct kube_split *s, char c)
{
	size_t n = strlen(s->rv);

	if (wanted_value(s) == KUBE_SPLIT_KEY_CONTINUE) {
		if (s->token.n < TOKEN_MAX_B)
			str_add_n(&s->token, &c, 1);
		else
			s->is_bad = true;
	} else if (n + 1 < sizeof(s->rv)) {
		s->rv[n] = c;
		s->rv[n + 1] = '\0';
	} else {
		s->is_bad = true;
	}
}

static void
begin_string(struct kube_split *s)
{
	enum kube_split_key wanted = wanted_value(s);

	s->is_string = true;
	s->key_n = 0;
	s->is_value_read = false;
	if (s->is_key)
		return;
	if (wanted == KUBE_SPLIT_KEY_RESOURCE_VERSION) {
		s->rv[0] = '\0';
		s->is_value_read = true;
	} else if (wanted == KUBE_SPLIT_KEY_CONTINUE) {
		str_clear(&s->token);
		s->is_value_read = true;
	}
}

static void
in_string(struct kube_split *s, char c)
{
	if (s->is_escaped) {
		s->is_escaped = false;
	} else if (c == '\\') {
		s->is_escaped = true;
	} else if (c == '"') {
		s->is_string = false;
		if (s->is_key)
			end_key(s);
		return;
	}
	if (s->is_key && s->key_n < sizeof(s->key))
		s->key[s->key_n++] = c;
	if (!s->is_value_read)
		return;
	/* Neither a version nor a token has anything to escape. */
	if (c == '\\')
		s->is_bad = true;
	else
		read_value(s, c);
}

/* True if an item begins with this brace. */
static bool
begins_item(const struct kube_split *s)
{
	if (s->item_depth)
		return false;
	if (s->mode == KUBE_SPLIT_WATCH)
		return s->depth == 1;
	return s->depth == 3 && key_at(s, 1) == KUBE_SPLIT_KEY_ITEMS &&
	    s->kinds[1] == '[';
}

/* The depth of the item's metadata object. */
static size_t
metadata_depth(const struct kube_split *s)
{
	return s->item_depth + (s->mode == KUBE_SPLIT_WATCH ? 2 : 1);
}

static bool
begins_managed_fields(const struct kube_split *s)
{
	size_t at = metadata_depth(s);

	if (!s->item_depth || s->skip_depth || s->depth != at + 1)
		return false;
	if (key_at(s, at) != KUBE_SPLIT_KEY_MANAGED_FIELDS ||
	    key_at(s, at - 1) != KUBE_SPLIT_KEY_METADATA)
		return false;
	return s->mode == KUBE_SPLIT_LIST ||
	    key_at(s, at - 2) == KUBE_SPLIT_KEY_OBJECT;
}

static void
open_level(struct kube_split *s, char c)
{
	if (s->depth < KUBE_SPLIT_DEPTH)
		s->kinds[s->depth] = (uint8_t)c;
	s->depth++;
	if (s->depth <= KUBE_SPLIT_KEYS)
		s->keys[s->depth - 1] = KUBE_SPLIT_KEY_OTHER;
	s->is_key = c == '{';
}

static void
close_level(struct kube_split *s, char c)
{
	if (s->depth == 0) {
		s->is_bad = true;
		return;
	}
	s->depth--;
	s->is_key = false;
	if (s->depth < KUBE_SPLIT_DEPTH &&
	    s->kinds[s->depth] != (c == '}' ? '{' : '['))
		s->is_bad = true;
	if (s->depth == 0 && s->mode == KUBE_SPLIT_LIST)
		s->is_complete = true;
}

static void
after_comma(struct kube_split *s)
{
	if (s->depth > 0 && s->depth <= KUBE_SPLIT_DEPTH)
		s->is_key = s->kinds[s->depth - 1] == '{';
}

/* Outside of strings: anything that cannot stand where it stands. */
static void
check_plain(struct kube_split *s, char c)
{
	bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';

	if (is_blank)
		return;
	if (s->depth == 0 && (c != '{' || s->is_complete))
		s->is_bad = true;
	if (s->mode != KUBE_SPLIT_LIST || s->item_depth ||
	    key_at(s, 1) != KUBE_SPLIT_KEY_ITEMS)
		return;
	/* `items` is an array, or null, of objects. */
	if ((s->depth == 1 && c == '{') ||
	    (s->depth == 2 && c != '{' && c != ',' && c != ']'))
		s->is_bad = true;
}

static enum kube_split_result
end_item(struct kube_split *s)
{
	s->item_depth = 0;
	s->is_done = true;
	return s->is_too_big ? KUBE_SPLIT_TOO_BIG : KUBE_SPLIT_ITEM;
}

/* `*from` is where the part of the item that is not kept yet begins. */
static enum kube_split_result
in_plain(struct kube_split *s, const char *p, const char **from)
{
	static const char null[] = "null";

	check_plain(s, *p);
	switch (*p) {
	case '"':
		begin_string(s);
		break;
	case ',':
		after_comma(s);
		break;
	case ':':
		s->is_key = false;
		break;
	case '{':
	case '[':
		open_level(s, *p);
		if (begins_item(s)) {
			s->item_depth = s->depth;
			*from = p;
		} else if (begins_managed_fields(s)) {
			keep(s, *from, p);
			keep(s, null, null + strlen(null));
			s->skip_depth = s->depth;
		}
		break;
	case '}':
	case ']':
		close_level(s, *p);
		if (s->skip_depth && s->depth < s->skip_depth) {
			s->skip_depth = 0;
			*from = p + 1;
		}
		if (s->item_depth && s->depth < s->item_depth && !s->is_bad) {
			keep(s, *from, p + 1);
			return end_item(s);
		}
		break;
	default:
		break;
	}
	return s->is_bad ? KUBE_SPLIT_BAD : KUBE_SPLIT_MORE;
}

/* The rest of a string that nobody looks into, in one stride. */
static const char *
skip_string(const struct kube_split *s, const char *p, const char *end)
{
	if (s->is_escaped || s->is_key || s->is_value_read)
		return p;
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

enum kube_split_result
kube_split_feed(struct kube_split *s, const char *data, size_t size_b,
    size_t *used)
{
	const char *end = data + size_b;
	const char *from = data;
	const char *p = data;

	if (s->is_done) {
		s->is_done = false;
		s->is_too_big = false;
		str_clear(&s->item);
	}
	for (; p < end && !s->is_bad; p++) {
		enum kube_split_result result;

		if (s->is_string) {
			p = skip_string(s, p, end);
			if (p == end)
				break;
			in_string(s, *p);
			continue;
		}
		result = in_plain(s, p, &from);
		if (result == KUBE_SPLIT_MORE)
			continue;
		*used = (size_t)(p + 1 - data);
		return result;
	}
	*used = size_b;
	if (s->is_bad)
		return KUBE_SPLIT_BAD;
	keep(s, from, end);
	return KUBE_SPLIT_MORE;
}

/* -- a value in a text that no parser accepts ------------------------------ */

struct finder {
	const char *const *path;
	size_t n_path;
	size_t depth;
	size_t matched; /* leading keys of the path that are open above */
	bool is_key_next;
	bool is_hit; /* the last key completes the path */
	uint8_t kinds[KUBE_SPLIT_DEPTH];
};

static const char *
string_end(const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++) {
		if (*p == '\\')
			p++;
	}
	return p < end ? p : NULL;
}

static void
finder_key(struct finder *f, const char *key, size_t n)
{
	f->is_hit = false;
	f->is_key_next = false;
	if (f->depth == 0 || f->depth > f->n_path || f->matched < f->depth - 1)
		return;
	f->matched = f->depth - 1;
	if (strlen(f->path[f->matched]) != n ||
	    memcmp(f->path[f->matched], key, n) != 0)
		return;
	f->matched++;
	f->is_hit = f->matched == f->n_path;
}

static void
finder_plain(struct finder *f, char c)
{
	if (c == '{' || c == '[') {
		if (f->depth < KUBE_SPLIT_DEPTH)
			f->kinds[f->depth] = (uint8_t)c;
		f->depth++;
		f->is_key_next = c == '{';
		f->is_hit = false;
	} else if ((c == '}' || c == ']') && f->depth > 0) {
		f->depth--;
		f->matched = MIN(f->matched, f->depth ? f->depth - 1 : 0);
	} else if (c == ',' && f->depth > 0 && f->depth <= KUBE_SPLIT_DEPTH) {
		f->is_key_next = f->kinds[f->depth - 1] == '{';
		f->is_hit = false;
	}
}

bool
kube_split_find(const char *text, size_t size_b, const char *const *path,
    size_t n_path, char *out, size_t out_b)
{
	struct finder f = { .path = path, .n_path = n_path };
	const char *end = text + size_b;

	for (const char *p = text; p < end; p++) {
		const char *close;
		size_t n;

		if (*p != '"') {
			finder_plain(&f, *p);
			continue;
		}
		close = string_end(p + 1, end);
		if (!close)
			return false;
		n = (size_t)(close - p - 1);
		if (f.is_hit) {
			if (n >= out_b || memchr(p, '\\', n + 1))
				return false;
			memcpy(out, p + 1, n);
			out[n] = '\0';
			return true;
		}
		if (f.is_key_next)
			finder_key(&f, p + 1, n);
		p = close;
	}
	return false;
}
