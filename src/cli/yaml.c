/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/attr.h"

/* Deeper parts are written in one line, which YAML reads as well. */
enum {
	DEPTH_MAX = 16
};

/* Words that some YAML reader takes for something else than text. */
static bool
is_plain(const char *s)
{
	static const char *const words[] = { "true", "false", "null", "yes",
		"no", "on", "off", "y", "n" };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!*s || !strchr(letters, *s))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return false;
	for (; *s; s++)
		if (!strchr(letters, *s) && !strchr("0123456789-_./", *s))
			return false;
	return true;
}

/* Every JSON text is YAML. */
static void
add_flow(const json_t *value, struct str *out)
{
	/* As many digits as every double has, so that 5.954 stays 5.954. */
	char *text = json_dumps(value,
	    JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));

	str_add(out, text ? text : "null");
	free(text);
}

static void
add_scalar(const json_t *value, struct str *out)
{
	const char *s = json_string_value(value);

	if (s && is_plain(s))
		str_add(out, s);
	else
		add_flow(value, out);
}

static bool
is_block(const json_t *value, int depth)
{
	if (depth >= DEPTH_MAX)
		return false;
	return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void add_block(const json_t *value, int depth, bool is_inline,
    struct str *out);

static void
add_key(const char *key, struct str *out)
{
	json_t *text = json_string(key);

	add_scalar(text, out);
	json_decref(text);
	str_add(out, ":");
}

static void
indent(int depth, struct str *out)
{
	for (int i = 0; i < depth; i++)
		str_add(out, "  ");
}

static void
add_map(const json_t *map, int depth, bool is_inline, struct str *out)
{
	/* Iteration changes nothing; jansson wants it writable. */
	json_t *writable = (json_t *)(uintptr_t)map;
	const char *key;
	json_t *value;

	json_object_foreach(writable, key, value)
	{
		if (!is_inline)
			indent(depth, out);
		is_inline = false;
		add_key(key, out);
		if (is_block(value, depth + 1)) {
			str_add(out, "\n");
			add_block(value,
			    json_is_array(value) ? depth : depth + 1, false,
			    out);
			continue;
		}
		str_add(out, " ");
		add_scalar(value, out);
		str_add(out, "\n");
	}
}

static void
add_list(const json_t *list, int depth, struct str *out)
{
	const json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		indent(depth, out);
		str_add(out, "- ");
		if (is_block(value, depth + 1) && json_is_object(value)) {
			add_block(value, depth + 1, true, out);
			continue;
		}
		add_scalar(value, out);
		str_add(out, "\n");
	}
}

/* `is_inline`: the first line goes on behind "- ". */
static void
add_block(const json_t *value, int depth, bool is_inline, struct str *out)
{
	if (json_is_object(value))
		add_map(value, depth, is_inline, out);
	else
		add_list(value, depth, out);
}

void
yaml_render(const json_t *value, struct str *out)
{
	if (is_block(value, 0)) {
		add_block(value, 0, false, out);
		return;
	}
	add_scalar(value, out);
	str_add(out, "\n");
}
