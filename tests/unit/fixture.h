/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fixture: a world, leases and a clock for tests of decisions, filled from
 * manifests and shown as one line of text.
 */
#ifndef EIPD_TESTS_FIXTURE_H
#define EIPD_TESTS_FIXTURE_H

#include "base/str.h"
#include "model/lease.h"
#include "model/world.h"
#include "plan/plan.h"

struct fixture {
	struct world *world;
	struct lease_table *leases;
	struct plan_cache *cache;
	struct plan_conf conf;
	wall_t now;
};

void fixture_init(struct fixture *fx);
void fixture_fini(struct fixture *fx);
struct plan_input fixture_input(const struct fixture *fx);

/* YAML documents; aborts the test on an error. */
void fixture_apply(struct fixture *fx, const char *cluster, const char *yaml);
void fixture_remove(struct fixture *fx, enum object_kind kind,
    const char *cluster, const char *ns, const char *name);

/* Plans every Service in order and carries the lease changes out, as a pass
 * of the daemon does: puts at once, releases (of gone ones too) after. */
void fixture_pass(struct fixture *fx);

/* "ns/name=addr(pool)+addr(pool)" or "ns/name!Reason" for each that is ours,
 * in order, separated by blanks; the caller frees it. */
char *fixture_show(struct fixture *fx);
/* Fails the test unless that is what is shown. */
void fixture_expect(struct fixture *fx, const char *want);
/* "addr:port proto -> node:port(state) ..." of one Service, one line each,
 * and "degraded" if it is. */
char *fixture_show_backends(struct fixture *fx, const char *ns,
    const char *name);
/* The message of a refused Service; the caller frees it. */
char *fixture_message(struct fixture *fx, const char *ns, const char *name);

#endif
