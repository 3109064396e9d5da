/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/vec.h"

enum {
	GAP = 3
};

static const struct {
	const char *word;
	const char *colour;
} state_colours[] = {
	{ "announced", "32" },
	{ "programmed", "32" },
	{ "active", "32" },
	{ "up", "32" },
	{ "Established", "32" },
	{ "ok", "32" },
	{ "held", "32" },
	{ "true", "32" },
	{ "yes", "32" },
	{ "pending", "33" },
	{ "draining", "33" },
	{ "degraded", "33" },
	{ "unknown", "33" },
	{ "warning", "33" },
	{ "quarantined", "33" },
	{ "sticky", "33" },
	{ "reserved", "33" },
	{ "Idle", "31" },
	{ "Connect", "33" },
	{ "Active", "33" },
	{ "OpenSent", "33" },
	{ "OpenConfirm", "33" },
	{ "refused", "31" },
	{ "down", "31" },
	{ "error", "31" },
	{ "no", "31" },
};

void
table_state(const char *text, const struct look *look, struct str *out)
{
	for (size_t i = 0; look->has_colour && i < ARRAY_LEN(state_colours);
	     i++)
		if (strcmp(state_colours[i].word, text) == 0) {
			str_printf(out, "\033[%sm%s\033[0m",
			    state_colours[i].colour, text);
			return;
		}
	str_add(out, text);
}

/* C1 controls are two octets in UTF-8: 0xc2 and 0x80 to 0x9f. */
void
table_text(const char *text, struct str *out)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		if (*s < 0x20 || *s == 0x7f) {
			str_add(out, "?");
		} else if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f) {
			str_add(out, "?");
			s++;
		} else {
			str_add_n(out, (const char *)s, 1);
		}
	}
}

static void
add_scalar(const json_t *value, struct str *out)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		table_text(json_string_value(value), out);
		return;
	case JSON_INTEGER:
		str_printf(out, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		return;
	case JSON_REAL:
		str_printf(out, "%.1f", json_real_value(value));
		return;
	case JSON_TRUE:
		str_add(out, "yes");
		return;
	case JSON_FALSE:
		str_add(out, "no");
		return;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		return;
	}
}

void
table_value(const json_t *value, struct str *out)
{
	const json_t *member;
	size_t i;

	if (!value)
		return;
	if (!json_is_array(value)) {
		add_scalar(value, out);
		return;
	}
	json_array_foreach(value, i, member)
	{
		if (i)
			str_add(out, ",");
		add_scalar(member, out);
	}
}

/* Characters, not octets. */
static size_t
width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static char *
make_cell(const struct column *column, const json_t *item)
{
	struct str text = { 0 };

	if (column->fn)
		column->fn(item, &text);
	else
		table_value(json_object_get(item, column->key), &text);
	if (text.n == 0)
		str_add(&text, "-");
	return str_steal(&text);
}

struct grid {
	size_t n_columns;
	const struct column *columns[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];
	VEC(char *) cells; /* row by row, owned */
};

static void
grid_fill(struct grid *grid, const json_t *items)
{
	const json_t *item;
	size_t row;

	for (size_t i = 0; i < grid->n_columns; i++)
		grid->widths[i] = strlen(grid->columns[i]->title);
	json_array_foreach(items, row, item)
	{
		for (size_t i = 0; i < grid->n_columns; i++) {
			char *cell = make_cell(grid->columns[i], item);

			grid->widths[i] = MAX(grid->widths[i], width_of(cell));
			vec_push(&grid->cells, cell);
		}
	}
}

/* Nothing is padded after the last column. */
static void
add_cell(const struct grid *grid, size_t column, const char *text,
    const struct look *look, struct str *out)
{
	if (look && grid->columns[column]->is_state)
		table_state(text, look, out);
	else
		str_add(out, text);
	if (column + 1 == grid->n_columns)
		str_add(out, "\n");
	else
		str_printf(out, "%*s",
		    (int)(grid->widths[column] - width_of(text) + GAP), "");
}

void
table_render(const struct column *columns, size_t n, const json_t *items,
    const struct look *look, struct str *out)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < n && grid.n_columns < TABLE_COLUMNS_MAX; i++)
		if (look->is_wide || !columns[i].is_wide)
			grid.columns[grid.n_columns++] = &columns[i];
	grid_fill(&grid, items);
	for (size_t i = 0; i < grid.n_columns; i++)
		add_cell(&grid, i, grid.columns[i]->title, NULL, out);
	for (size_t i = 0, column = 0; i < grid.cells.n; i++) {
		add_cell(&grid, column, grid.cells.v[i], look, out);
		column = column + 1 < grid.n_columns ? column + 1 : 0;
	}
	for (size_t i = 0; i < grid.cells.n; i++)
		free(grid.cells.v[i]);
	vec_fini(&grid.cells);
}
