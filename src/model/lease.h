/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: who holds or held an address, and the table of all of them.
 *
 * One row per (address, Service).  The table is the process's copy of what
 * the database holds: a change is made there first (store/), then here.
 */
#ifndef EIPD_MODEL_LEASE_H
#define EIPD_MODEL_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/mono.h"

enum lease_state {
	LEASE_HELD,
	LEASE_QUARANTINED, /* only the same Service gets it */
	LEASE_STICKY, /* others get it when nothing free is left */
	LEASE_EXPIRED, /* as good as absent */
};

const char *lease_state_name(enum lease_state state); /* "held", ... */

/* Strings are owned by the table, or borrowed in a struct made by hand. */
struct lease {
	struct addr address;
	const char *cluster;
	const char *ns;
	const char *name;
	const char *uid;
	const char *pool;
	bool is_passive; /* its pool announces nothing */
	bool is_held;
	wall_t since; /* held since, or released at */
	wall_t quarantine_until; /* when not held */
	wall_t sticky_until; /* when not held; >= quarantine_until */
};

struct reservation {
	struct addr address;
	const char *pool;
	const char *ns;
	const char *name;
	wall_t since;
};

enum lease_state lease_state(const struct lease *lease, wall_t now);

/* What a planning pass wants done to the leases: applied to the database in
 * one transaction, then to the table. */
enum lease_op_kind {
	LEASE_OP_PUT, /* insert or replace the row (address, Service) */
	LEASE_OP_DELETE, /* remove the row (address, Service) */
	LEASE_OP_RESERVE,
	LEASE_OP_UNRESERVE,
};

struct lease_op {
	enum lease_op_kind kind;
	struct lease lease; /* PUT, DELETE; for the ledger in every case */
	const char *event; /* ledger: "allocated", "adopted", "released",
		"expired", "reserved", "unreserved", "returned", "shifted" */
	const char *reason; /* ledger; "" if none */
	wall_t at;
};

struct lease_table;

struct lease_table *lease_table_new(void);
void lease_table_free(struct lease_table *table);
void lease_table_apply(struct lease_table *table, const struct lease_op *op);
/* Moves with every change. */
uint64_t lease_table_generation(const struct lease_table *table);

/* Rows of one address, NULL-terminated walk:
 *   for (l = lease_of_address(t, &a); l; l = lease_next_of_address(l)) */
const struct lease *lease_of_address(const struct lease_table *table,
    const struct addr *address);
const struct lease *lease_next_of_address(const struct lease *lease);

/* Rows of one Service, in order of address. */
const struct lease *lease_of_service(const struct lease_table *table,
    const char *cluster, const char *ns, const char *name);
const struct lease *lease_next_of_service(const struct lease *lease);

/* Rows of one pool, in no order. */
const struct lease *lease_of_pool(const struct lease_table *table,
    const char *pool);
const struct lease *lease_next_of_pool(const struct lease *lease);

/* NULL if not reserved. */
const struct reservation *reservation_of_address(const struct lease_table
						     *table,
    const struct addr *address);
const struct reservation *reservation_of_service(const struct lease_table
						     *table,
    const char *ns, const char *name, const char *pool, enum family family);

/* All rows, sorted by address, then Service; the caller frees the array. */
const struct lease **lease_table_list(const struct lease_table *table,
    size_t *n);
const struct reservation **reservation_list(const struct lease_table *table,
    size_t *n);

#endif
