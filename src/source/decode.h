/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode: one manifest, as a tree, to a model object.  Pure.
 *
 * The same decoder serves YAML files, JSON files and the API server: they
 * differ in strictness only.
 */
#ifndef EIPD_SOURCE_DECODE_H
#define EIPD_SOURCE_DECODE_H

#include "base/err.h"
#include "model/object.h"

struct tree;

enum decode_mode {
	DECODE_API, /* unknown fields are ignored */
	DECODE_FILE, /* an unknown field is an error with the nearest one */
};

/* Kind and version are read from `tree` unless `kind` is given (items of an
 * API list carry none).  -EINVAL with the reason and, for files, the place;
 * `*out` untouched.  On failure `identity` tells which object it was, as far
 * as could be read ("" where not). */
struct decode_identity {
	enum object_kind kind; /* OBJECT__COUNT: not ours or unknown */
	char ns[64];
	char name[256];
};

ATTR_NODISCARD int decode_object(const struct tree *tree,
    const enum object_kind *kind, const char *cluster, enum decode_mode mode,
    struct object **out, struct decode_identity *identity, struct err *err);

/* The identity alone, from a tree that may be broken off anywhere.  -EINVAL
 * if it is no object of ours. */
ATTR_NODISCARD int decode_identity(const struct tree *tree,
    const enum object_kind *kind, enum decode_mode mode,
    struct decode_identity *identity, struct err *err);

#endif
