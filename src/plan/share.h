/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share: when two Services may hold one address.
 */
#ifndef EIPD_PLAN_SHARE_H
#define EIPD_PLAN_SHARE_H

#include "model/lease.h"
#include "model/world.h"

/* May `service` hold the address of `held`, which another Service holds?  If
 * not, `why` says what is in the way. */
bool share_allowed(const struct world *world, const struct service *service,
    const struct lease *held, char *why, size_t why_b);

/* The holder of `lease` carries this eipd.io/share key. */
bool share_has_key(const struct world *world, const struct lease *lease,
    const char *key);

/* The terms on which others may hold what the Service holds: key, addresses
 * asked for, ports. */
bool share_same_terms(const struct service *a, const struct service *b);

#endif
