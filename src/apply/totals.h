/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * totals: the counters of all Services, read from table `inet eipd` when
 * they are asked for, in slices on a socket of their own.
 */
#ifndef EIPD_APPLY_TOTALS_H
#define EIPD_APPLY_TOTALS_H

#include <stdbool.h>

#include "base/mono.h"
#include "model/service.h"

struct loop;
struct totals;

/* `on_read` tells that totals_read() may say something else now. */
struct totals *totals_new(struct loop *loop, void (*on_read)(void *arg),
    void *arg);
void totals_free(struct totals *totals); /* NULL is fine */

/* True if what totals_get() gives is as of `since` or later (`*as_of`), or
 * could not be read within a second.  Otherwise a reading is under way. */
bool totals_read(struct totals *totals, mono_t since, mono_t *as_of);

/* As last read; NULL: there is nothing of "cluster/namespace/name". */
const struct service_totals *totals_get(const struct totals *totals,
    const char *key);

#endif
