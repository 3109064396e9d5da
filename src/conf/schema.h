/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schema: the table of all options of eipd.conf.
 *
 * One row drives reading, checking, the default and the normal form, so that
 * they cannot disagree.
 */
#ifndef EIPD_CONF_SCHEMA_H
#define EIPD_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct conf;
struct str;
struct tree;

enum schema_type {
	SCHEMA_STRING,
	SCHEMA_BOOL,
	SCHEMA_SWITCH, /* on, off, or a map of the options below it (on) */
	SCHEMA_NUMBER,
	SCHEMA_ASN,
	SCHEMA_DURATION,
	SCHEMA_CHOICE,
	SCHEMA_ADDR,
	SCHEMA_LISTEN, /* list of address and port */
};

struct schema_choice {
	const char *name;
	int value;
};

struct schema_option {
	const char *path; /* "nodes.probe.port" */
	enum schema_type type;
	const char *form; /* what is expected, for messages */
	const char *fallback; /* as written in a file; NULL: not set */
	size_t offset; /* in struct conf */
	size_t size_b; /* NUMBER, ASN: of the member */
	size_t count_offset; /* LISTEN: the number of entries */
	int64_t min; /* NUMBER, DURATION (microseconds) */
	int64_t max;
	const struct schema_choice *choices; /* ends with a NULL name */
	bool (*is_valid)(const char *s); /* STRING; NULL: any but empty */
};

extern const struct schema_option schema[];
extern const size_t schema_n;

/* Sets the option from `value`; -EINVAL with the place. */
ATTR_NODISCARD int schema_set(const struct schema_option *o, struct conf *conf,
    const struct tree *value, struct err *err);
void schema_set_default(const struct schema_option *o, struct conf *conf);
/* The value as schema_set() reads it. */
void schema_print(const struct schema_option *o, const struct conf *conf,
    struct str *out);
/* State of a SCHEMA_SWITCH. */
bool schema_is_on(const struct schema_option *o, const struct conf *conf);

#endif
