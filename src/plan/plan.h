/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: from the facts to what should be true.
 *
 * Pure.  plan_service() is the only entry: planning one Service reads only
 * what concerns it, and planning all of them is calling it for each.
 */
#ifndef EIPD_PLAN_PLAN_H
#define EIPD_PLAN_PLAN_H

#include <stdbool.h>

#include "base/mono.h"
#include "base/vec.h"
#include "model/decision.h"
#include "model/lease.h"
#include "model/world.h"

struct plan_cache;

struct plan_conf {
	const char *service_class;
	bool service_default; /* also Services without class and annotation */
	struct forwarding forwarding; /* no field UNSET */
	bool probe_on;
};

struct plan_input {
	const struct world *world;
	const struct lease_table *leases;
	struct plan_conf conf;
	wall_t now;
	struct plan_cache *cache;
};

/* What several Services share (node sets, first free addresses); it finds out
 * by itself when facts moved, except for leases: see below. */
struct plan_cache *plan_cache_new(void);
void plan_cache_free(struct plan_cache *cache);
/* To be called when an address became free in any way. */
void plan_cache_addresses_freed(struct plan_cache *cache);

/* Never NULL; the caller frees it with decision_free(). */
struct decision *plan_service(const struct plan_input *in,
    const struct service *service);

/* The lease changes that carrying out `decision` needs: PUT for each new
 * address, and DELETE-free releases (PUT with is_held false) for each address
 * held before that is not in it.  Pushed to `puts` and `releases`.  `pools`
 * of gone pools fall back to the defaults of sticky and quarantine.  Strings
 * are borrowed from the decision, the world and the table. */
struct lease_ops {
	struct lease_op *v;
	size_t n;
	size_t cap;
};

void plan_lease_puts(const struct plan_input *in, const struct service *service,
    const struct decision *decision, struct lease_ops *out);
/* `decision` NULL: the Service is gone, all it holds is released. */
void plan_lease_releases(const struct plan_input *in, const char *cluster,
    const char *ns, const char *name, const struct decision *decision,
    const char *reason, struct lease_ops *out);

/* True if a route to this address is wanted. */
bool plan_wants_route(const struct decision *decision, size_t address);

#endif
