/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger: what happened to which address, one row per lease operation; the
 * newest million of them.
 */
#ifndef EIPD_STORE_LEDGER_H
#define EIPD_STORE_LEDGER_H

#include <sqlite3.h>

#include "base/err.h"
#include "store/store.h"

extern const char ledger_insert_sql[];
/* Deletes what is too old, the oldest first, at most ?1 rows: with each
 * addition a few, so that it never takes long. */
extern const char ledger_prune_sql[];

ATTR_NODISCARD int ledger_add(sqlite3 *db, const char *path,
    sqlite3_stmt *insert, const struct lease_op *op, struct err *err);

struct ledger_query {
	const char *address; /* NULL: any, as the others */
	const char *ns;
	const char *name;
	size_t limit;
};

ATTR_NODISCARD int ledger_read(sqlite3 *db, const char *path,
    const struct ledger_query *query,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg,
    struct err *err);

#endif
