/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_impl: what the two files of the API server share.
 */
#ifndef EIPD_TESTS_API_IMPL_H
#define EIPD_TESTS_API_IMPL_H

#include "sim.h"

struct change {
	uint64_t rv;
	char *line;
};

struct resource {
	VEC(json_t *) objects;
	VEC(struct change) log;
	uint64_t compacted; /* older versions cannot be watched */
	int64_t delay_us;
	bool is_empty_once;
	bool was_empty;
	bool is_behind_once; /* a list of any version is an old one */
	bool is_cut_once; /* the next list ends in the middle */
	VEC(json_t *) saved;
};

extern struct resource api_resources[OBJECT__COUNT];
extern uint64_t api_version;
extern uint64_t api_saved_version; /* of what api_snapshot() kept; 0: none */

/* api_objects.c */
const char *api_meta(const json_t *o, const char *key); /* "" if none */
void api_log(enum object_kind kind, const char *type, json_t *o);
void api_snapshot(void);

/* api.c */
void api_pump(enum object_kind kind); /* there is a change to be told */
void api_break(void); /* every connection */

#endif
