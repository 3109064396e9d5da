/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alloc: which addresses a Service holds or gets, from which pools.
 *
 * The rules are interface.md's section Allocation; nothing held ever moves.
 */
#ifndef EIPD_PLAN_ALLOC_H
#define EIPD_PLAN_ALLOC_H

#include "plan/plan.h"

/* Lowest address of each pool that may be free: a lower bound that saves the
 * walk over what is held. */
struct alloc_hints;
struct alloc_hints *alloc_hints_new(void);
void alloc_hints_free(struct alloc_hints *hints);
void alloc_hints_reset(struct alloc_hints *hints);

/* By name; of a lease that was adopted before its pool was known, by address.
 * NULL if there is none. */
const struct pool *alloc_pool_of(const struct world *world,
    const struct lease *lease);

/* Fills addrs and candidates, or refuses with a reason per candidate pool. */
void alloc_addresses(const struct plan_input *in, struct alloc_hints *hints,
    const struct service *service, struct decision *decision);

/* What it does not hold already. */
void alloc_drop_new(struct decision *decision);

#endif
