/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: the chain from the question "is it ours?" to the status written,
 * step by step, and one sentence that sums it up.
 */
#ifndef EIPD_CTL_EXPLAIN_H
#define EIPD_CTL_EXPLAIN_H

#include "ctl/list.h"
#include "ctl/request.h"

/* What the steps look at; all borrowed but `text`. */
struct explain {
	const struct ctl_request *req;
	struct jsonw *json;
	const struct service_status *status;
	const struct decision *decision; /* fresh; NULL: not in the world */
	struct service_address addrs[SERVICE_FAMILIES_MAX];
	size_t n_addrs;
	/* Those that want a route: of pools that are announced. */
	struct service_address routes[SERVICE_FAMILIES_MAX];
	size_t n_routes;
	size_t n_peers; /* established */
	size_t n_told; /* peers that have a route */
	struct str text; /* of the step being made */
};

/* Writes the members of "steps" and fills the counters. */
void explain_steps(struct explain *e);

#endif
