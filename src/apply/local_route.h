/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local_route: routes `local ADDRESS dev lo table local proto eipd`, by which
 * this host owns its addresses: it answers ARP and ping for them, and their
 * packets come in.
 *
 * Routes of any other protocol number are never touched.
 */
#ifndef EIPD_APPLY_LOCAL_ROUTE_H
#define EIPD_APPLY_LOCAL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

enum {
	LOCAL_ROUTE_PROTOCOL = 225
};

struct local_routes;

ATTR_NODISCARD int local_routes_new(struct local_routes **out, struct err *err);
void local_routes_free(struct local_routes *routes); /* NULL is fine */

/* Reads them back; forgets what was wanted. */
ATTR_NODISCARD int local_routes_load(struct local_routes *routes,
    struct err *err);
void local_routes_want(struct local_routes *routes, const struct addr *addr,
    bool is_wanted);
void local_routes_want_none(struct local_routes *routes);
/* Makes those that are missing, removes those that nobody wants. */
ATTR_NODISCARD int local_routes_commit(struct local_routes *routes,
    struct err *err);
/* Someone removed one of ours. */
bool local_routes_is_foreign_change(struct local_routes *routes);

#endif
