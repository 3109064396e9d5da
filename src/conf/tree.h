/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree: a YAML or JSON document as nodes with positions.
 *
 * Built from untrusted bytes: bounded in size, depth and number of nodes;
 * aliases are refused; a key given twice is an error at the second place.
 */
#ifndef EIPD_CONF_TREE_H
#define EIPD_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct str;

enum tree_kind {
	TREE_NULL,
	TREE_SCALAR, /* `text`; numbers and booleans keep their spelling */
	TREE_SEQ,
	TREE_MAP,
};

struct tree {
	enum tree_kind kind;
	bool is_quoted; /* a string even if it looks like a number */
	const char *text; /* SCALAR; NUL octets inside became U+FFFD */
	const char *key; /* when a member of a map */
	unsigned int line; /* 1-based, 0 if not known (API) */
	unsigned int column;
	unsigned int key_line;
	unsigned int key_column;
	const struct tree *first; /* members, in order */
	const struct tree *next; /* next sibling */
	size_t n; /* number of members */
};

enum {
	TREE_DEPTH_MAX = 64,
	TREE_SIZE_MAX_B = 32 << 20,
	TREE_NODES_MAX = 4 << 20,
};

/* A stretch of a text that begins at `line`. */
struct tree_part {
	const char *text;
	size_t size_b;
	unsigned int line;
};

/* Cuts the next YAML document off `rest`; false at the end.  A document with
 * errors does not spoil those after it. */
bool tree_next_part(struct tree_part *rest, struct tree_part *part);

/* Reads one document.  Every error is given to `on_error` (NULL: not
 * wanted); the result is their number.  `*out` is the tree as far as it could
 * be read, NULL if there is none. */
size_t tree_read(const struct tree_part *part, struct arena *arena,
    const struct tree **out, void (*on_error)(void *arg, const struct err *err),
    void *arg);

/* All documents of a YAML (or JSON) text; each is a tree in `arena`, given to
 * `fn` in order.  Empty documents are skipped.  `fn` returning < 0 stops.
 * An error carries the position. */
ATTR_NODISCARD int tree_parse_yaml(const char *text, size_t size_b,
    struct arena *arena, int (*fn)(void *arg, const struct tree *doc),
    void *arg, struct err *err);

/* One JSON value by jansson; NUL in strings and integers beyond 64 bits are
 * no reason to fail. No positions. */
ATTR_NODISCARD int tree_parse_json(const char *text, size_t size_b,
    struct arena *arena, const struct tree **out, struct err *err);

/* The other way round: text that tree_parse_json() takes for the same. */
void tree_to_json(const struct tree *t, struct str *out);

/* Member of a map, NULL if absent, null, or `map` is NULL or no map. */
const struct tree *tree_get(const struct tree *map, const char *key);

/* Readers: -EINVAL with position and what was expected. */
ATTR_NODISCARD int tree_string(const struct tree *t, const char **out,
    struct err *err);
ATTR_NODISCARD int tree_bool(const struct tree *t, bool *out, struct err *err);
ATTR_NODISCARD int tree_u64(const struct tree *t, uint64_t max, uint64_t *out,
    struct err *err);
/* Asplain or asdot (RFC 5396), in quotes or not; 0 is left to the caller.  Not
 * AS_TRANS (RFC 6793), nor the last of 16 and of 32 bits (RFC 7300). */
ATTR_NODISCARD int tree_asn(const struct tree *t, uint32_t *out,
    struct err *err);
ATTR_NODISCARD int tree_i64(const struct tree *t, int64_t *out,
    struct err *err);
ATTR_NODISCARD int tree_duration(const struct tree *t, int64_t *out_us,
    struct err *err);

/* The unknown key of a map, with the nearest of `known` or, where none is near,
 * all of them. */
int tree_unknown_key(const struct tree *member, const char *const *known,
    size_t n_known, struct err *err);
/* Quoted and cut for messages, "a list" and the like for the other kinds. */
const char *tree_show(const struct tree *t, char out[80]);

/* err_at() the node's place; -EINVAL. */
int tree_err(const struct tree *t, struct err *err, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

#endif
