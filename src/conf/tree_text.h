/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_text: copying of text that may hold NUL octets; for the two tree
 * builders only.
 */
#ifndef EIPD_CONF_TREE_TEXT_H
#define EIPD_CONF_TREE_TEXT_H

#include <stddef.h>

struct arena;

/* A C string in `arena`; NUL octets inside become U+FFFD. */
const char *tree_text(struct arena *arena, const char *s, size_t n);

#endif
