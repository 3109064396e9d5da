/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack: forgetting flows of frontends and backends that are gone.
 *
 * The kernel walks its whole table for each masked deletion (0.3 us an
 * entry), so many of them, or a large table, are done in one pass of our own
 * instead, in slices.
 */
#ifndef EIPD_APPLY_CONNTRACK_H
#define EIPD_APPLY_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/ruleset.h"

struct conntrack;

ATTR_NODISCARD int conntrack_new(struct conntrack **out, struct err *err);
void conntrack_free(struct conntrack *conntrack); /* NULL is fine */

void conntrack_queue(struct conntrack *conntrack,
    const struct ruleset_flush *flushes, size_t n);
/* Works for about `budget_us`; true while there is more to do.  Numbers that
 * may be used again are given to `rs`. */
bool conntrack_step(struct conntrack *conntrack, int64_t budget_us,
    struct ruleset *rs);

#endif
