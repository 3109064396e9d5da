/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jsonw: writes JSON text straight into a string.
 *
 * No tree in between: a list of all Services is one pass over them.  Strings
 * from outside are escaped, and what is not UTF-8 in them becomes U+FFFD.  A
 * NULL key stands for a member of an array.
 */
#ifndef EIPD_CTL_JSONW_H
#define EIPD_CTL_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/mono.h"
#include "base/str.h"

/* Larger numbers lose digits in readers that use doubles. */
#define JSONW_NUMBER_MAX (UINT64_C(1) << 53)

struct jsonw {
	struct str *out;
	bool needs_comma;
};

void jsonw_begin(struct jsonw *json, struct str *out);
void jsonw_object(struct jsonw *json, const char *key);
void jsonw_object_end(struct jsonw *json);
void jsonw_array(struct jsonw *json, const char *key);
void jsonw_array_end(struct jsonw *json);

void jsonw_null(struct jsonw *json, const char *key);
void jsonw_bool(struct jsonw *json, const char *key, bool value);
void jsonw_u64(struct jsonw *json, const char *key, uint64_t value);
/* Rounded to milliseconds; negative gives null. */
void jsonw_seconds(struct jsonw *json, const char *key, double value);
/* NULL gives null. */
void jsonw_str(struct jsonw *json, const char *key, const char *value);
void jsonw_addr(struct jsonw *json, const char *key, const struct addr *value);
/* RFC 3339 UTC; 0 gives null. */
void jsonw_time(struct jsonw *json, const char *key, wall_t value);

/* "2026-01-02T03:04:05Z" */
const char *jsonw_time_text(wall_t value, char out[32]);

#endif
