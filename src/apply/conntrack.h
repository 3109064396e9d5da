/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack: forgetting flows of frontends and backends that are gone.
 *
 * The kernel walks its whole table for each masked deletion (0.3 us an
 * entry), so many of them, or a large table, are done in one pass of our own
 * instead, in slices.  So is the sweep: a look at each flow, after which all
 * that should have been forgotten is, although what is queued was lost with
 * the process or with the kernel's answer.
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
/* What is queued may not be all.  Due from the beginning. */
void conntrack_want_sweep(struct conntrack *conntrack);
/* Works for about `budget_us`; true while there is more to do.  Numbers that
 * may be used again are given to `rs`.  A sweep that is due waits until
 * `can_sweep`: whatever `rs` does not know by then is forgotten. */
bool conntrack_step(struct conntrack *conntrack, int64_t budget_us,
    struct ruleset *rs, bool can_sweep);

#endif
