/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * str: string builder and strict readers of numbers, durations and booleans.
 */
#ifndef EIPD_BASE_STR_H
#define EIPD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* A zeroed struct str is empty; `s` is NUL-terminated once anything was
 * added, NULL before. */
struct str {
	char *s;
	size_t n;
	size_t cap;
};

void str_add(struct str *str, const char *s);
void str_add_n(struct str *str, const char *s, size_t n);
void str_printf(struct str *str, const char *fmt, ...) ATTR_PRINTF(2, 3);
void str_clear(struct str *str);
void str_fini(struct str *str);
/* Never NULL; borrowed. */
const char *str_get(const struct str *str);
/* Never NULL; the caller frees it and `str` is empty again. */
char *str_steal(struct str *str);

/* Digits only, no sign, no blanks.  -EINVAL, -ERANGE when > max. */
ATTR_NODISCARD int str_to_u64(const char *s, uint64_t max, uint64_t *out);

/* A duration as interface.md writes it: 500ms 30s 5m 2h 7d, or 0; in
 * microseconds.  -EINVAL, -ERANGE. */
ATTR_NODISCARD int str_to_duration(const char *s, int64_t *out_us);

/* The shortest form of str_to_duration's input; at most 24 octets. */
void str_duration(int64_t us, char out[24]);

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts_with(const char *s, const char *prefix);

/* Number of single-character edits between two strings, the longer one's
 * length if that is beyond 63.  For "did you mean". */
size_t str_distance(const char *a, const char *b);

/* The entry of names[0..n) nearest to `s`, NULL if none is near enough to be
 * a typing error. */
const char *str_nearest(const char *s, const char *const *names, size_t n);

/* FNV-1a, for tables; not for anything hostile. */
uint64_t str_hash(const char *s);

#endif
