/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: columns as wide as what is in them, colours for states.
 *
 * What comes from outside cannot drive the terminal: control characters are
 * shown as "?".
 */
#ifndef EIPD_CLI_TABLE_H
#define EIPD_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct look {
	bool is_wide;
	bool has_colour;
};

/* The text of one cell; nothing added: "-" is shown. */
typedef void cell_fn(const json_t *item, struct str *out);

struct column {
	const char *title;
	const char *key; /* the member shown, when `fn` is NULL */
	cell_fn *fn;
	bool is_wide; /* only with -o wide */
	bool is_state; /* coloured */
};

enum {
	TABLE_COLUMNS_MAX = 16
};

/* One line for the titles and one for each of `items`, an array. */
void table_render(const struct column *columns, size_t n, const json_t *items,
    const struct look *look, struct str *out);

/* A value as a cell shows it: lists with commas, null as nothing. */
void table_value(const json_t *value, struct str *out);
/* `text` without control characters. */
void table_text(const char *text, struct str *out);
/* `text` in the colour of the state it names, if colours are wanted. */
void table_state(const char *text, const struct look *look, struct str *out);

#endif
