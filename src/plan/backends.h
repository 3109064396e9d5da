/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backends: where the packets of each (address, protocol, port) go.
 */
#ifndef EIPD_PLAN_BACKENDS_H
#define EIPD_PLAN_BACKENDS_H

#include "plan/plan.h"

/* Any node can take packets of a Service with externalTrafficPolicy Cluster
 * and spreads them on: 32 of them, chosen by rendezvous hash, lose a 32nd of
 * the flows with a node and fill 256 slots.  More would fill 1,024, which is
 * felt with many Services: in kernel memory and at each start.  Where each
 * backend counts (Local, endpoints) as many are taken as slots can tell
 * apart. */
enum {
	BACKENDS_CLUSTER_MAX = 32,
	BACKENDS_PER_FRONTEND_MAX = 128
};

/* Node sets by cluster and family. */
struct node_cache;
struct node_cache *node_cache_new(void);
void node_cache_free(struct node_cache *cache);

/* Fills frontends, is_fail_open, is_degraded and has_backends for
 * decision->addrs. */
void backends_choose(const struct plan_input *in, struct node_cache *nodes,
    const struct service *service, struct forwarding forwarding,
    struct decision *decision);

/* Why a node gets no traffic at all; NULL if it may (its probe decides
 * then). */
const char *backends_node_exclusion(const struct node *node);

/* False: no change of that node can change the backends that were chosen. */
bool backends_may_use(const struct decision *decision, const char *ns,
    const char *name, const char *node);

#endif
