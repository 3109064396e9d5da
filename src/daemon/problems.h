/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * problems: what `eipctl check` lists, by subject, until it is mended.
 */
#ifndef EIPD_DAEMON_PROBLEMS_H
#define EIPD_DAEMON_PROBLEMS_H

#include <stdbool.h>

#include "ctl/state.h"
#include "model/object.h"

struct problems;

struct problems *problems_new(void);
void problems_free(struct problems *problems);

/* Returns true if it is new or reads differently now (then log it).  Strings
 * are copied.  `kind` and `cluster` tie it to a listing: see below;
 * OBJECT__COUNT ties it to none. */
bool problems_set(struct problems *problems, enum severity severity,
    enum object_kind kind, const char *cluster, const char *subject,
    const char *text, const char *remedy);
/* True if there was one. */
bool problems_clear(struct problems *problems, const char *subject);

/* A listing of (kind, cluster) begins; at its end those of its problems that
 * were not set again are gone. */
void problems_list_begin(struct problems *problems, enum object_kind kind,
    const char *cluster);
void problems_list_end(struct problems *problems, enum object_kind kind,
    const char *cluster);

void problems_each(const struct problems *problems,
    void (*fn)(void *arg, const struct problem *p), void *arg);

#endif
