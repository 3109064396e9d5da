/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print: the normal form of eipd.conf, one option a line. */
#include <string.h>

#include "conf/conf.h"
#include "conf/schema.h"

/* Octets of `path` that are whole sections of `last`, too. */
static size_t
common_sections(const char *path, const char *last)
{
	size_t n = 0;

	for (size_t i = 0; path[i] && path[i] == last[i]; i++) {
		if (path[i] == '.')
			n = i + 1;
	}
	return n;
}

/* The headings that `path` needs after `last`, and the indented key. */
static void
print_key(const char *path, const char *last, struct str *out)
{
	size_t at = common_sections(path, last);
	const char *dot;
	int depth = 0;

	for (size_t i = 0; i < at; i++)
		depth += path[i] == '.';
	while ((dot = strchr(path + at, '.'))) {
		str_printf(out, "%*s%.*s:\n", 2 * depth, "",
		    (int)(dot - path - (ptrdiff_t)at), path + at);
		at = (size_t)(dot - path) + 1;
		depth++;
	}
	str_printf(out, "%*s%s:", 2 * depth, "", path + at);
}

static bool
is_below(const char *path, const char *section)
{
	size_t n = strlen(section);

	return strncmp(path, section, n) == 0 && path[n] == '.';
}

void
conf_print(const struct conf *conf, struct str *out)
{
	const struct schema_option *off = NULL;
	const char *last = "";

	for (size_t i = 0; i < schema_n; i++) {
		const struct schema_option *o = &schema[i];

		if (off && is_below(o->path, off->path))
			continue;
		if (o->type == SCHEMA_SWITCH && schema_is_on(o, conf))
			continue; /* the map below it says so */
		if (o->type == SCHEMA_SWITCH)
			off = o;
		print_key(o->path, last, out);
		str_add(out, " ");
		schema_print(o, conf, out);
		str_add(out, "\n");
		last = o->path;
	}
}
