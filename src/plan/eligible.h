/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eligible: which pools may serve a Service, and why the others may not.
 */
#ifndef EIPD_PLAN_ELIGIBLE_H
#define EIPD_PLAN_ELIGIBLE_H

#include "plan/plan.h"

/* A pool is bound to it by namespace, namespace selector or service selector:
 * then only such pools serve it. */
bool eligible_has_bound_pool(const struct plan_input *in,
    const struct service *service);

/* The one default pool of a family: the first usable one in order. */
const struct pool *eligible_default_pool(const struct plan_input *in,
    enum family family);

/* NULL if the pool may serve.  `by_address`: the Service asks for an address
 * of it, which is as good as naming a pool that is bound to nobody. */
const char *eligible_objection(const struct plan_input *in,
    const struct service *service, bool has_bound, const struct pool *pool,
    bool by_address, struct arena *arena);

#endif
