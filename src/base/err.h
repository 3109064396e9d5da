/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err: one failure with its reason, as a user will read it.
 *
 * Functions that can fail for more than one reason fill a struct err: a
 * negative errno, a bounded text and, for files, where.  The text names the
 * thing and the remedy, in lower case and without a full stop.
 */
#ifndef EIPD_BASE_ERR_H
#define EIPD_BASE_ERR_H

#include <stdbool.h>

#include "base/attr.h"

struct err {
	int code; /* 0 or negative errno */
	unsigned int line; /* 1-based; 0: not from a file */
	unsigned int column;
	char text[480];
};

void err_fill(struct err *err, int code, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

/* err_set(struct err *err, int code, const char *fmt, ...): an expression of
 * value `code`, so that `return err_set(...)` reads well.  `err` may be NULL.
 * A macro, for static analysers to know that it does not return 0. */
#define err_set(err, code, ...)                                                \
	({                                                                     \
		int err_code_ = (code);                                        \
		err_fill((err), err_code_, __VA_ARGS__);                       \
		err_code_;                                                     \
	})

/* As err_set, with a position in the text that was read. */
int err_at(struct err *err, int code, unsigned int line, unsigned int column,
    const char *fmt, ...) ATTR_PRINTF(5, 6);

/* This host has no descriptor or memory left: it says nothing about whom we
 * talk to, and passes. */
bool err_is_exhausted(int code);

/* Puts "fmt: " before the text already there; returns err->code, 0 when `err`
 * is NULL. */
int err_prefix(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

#endif
