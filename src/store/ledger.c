/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/ledger.h"

#include <stdint.h>
#include <stdio.h>

#include "store/db.h"

const char ledger_insert_sql[] =
    "INSERT INTO ledger (time, event, address, cluster, namespace, name,"
    " uid, pool, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const char ledger_prune_sql[] =
    "DELETE FROM ledger"
    " WHERE id <= (SELECT max(id) FROM ledger) - 1000000"
    " AND id < (SELECT min(id) FROM ledger) + ?1";

int
ledger_add(sqlite3 *db, const char *path, sqlite3_stmt *insert,
    const struct lease_op *op, struct err *err)
{
	char address[ADDR_TEXT_B];

	sqlite3_bind_int64(insert, 1, op->at);
	db_bind_text(insert, 2, op->event);
	db_bind_text(insert, 3, addr_text(&op->lease.address, address));
	db_bind_text(insert, 4, op->lease.cluster);
	db_bind_text(insert, 5, op->lease.ns);
	db_bind_text(insert, 6, op->lease.name);
	db_bind_text(insert, 7, op->lease.uid);
	db_bind_text(insert, 8, op->lease.pool);
	db_bind_text(insert, 9, op->reason);
	return db_step(db, path, insert, err);
}

static void
give(sqlite3_stmt *stmt,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg)
{
	const struct ledger_entry entry = {
		.time = sqlite3_column_int64(stmt, 0),
		.event = db_column_text(stmt, 1),
		.address = db_column_text(stmt, 2),
		.cluster = db_column_text(stmt, 3),
		.ns = db_column_text(stmt, 4),
		.name = db_column_text(stmt, 5),
		.uid = db_column_text(stmt, 6),
		.pool = db_column_text(stmt, 7),
		.reason = db_column_text(stmt, 8),
	};

	fn(arg, &entry);
}

/* The conditions are put together, not "?1 IS NULL OR ...", so that SQLite
 * takes the index. */
int
ledger_read(sqlite3 *db, const char *path, const struct ledger_query *query,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char sql[480];
	int code;
	int rc;

	snprintf(sql, sizeof(sql),
	    "SELECT time, event, address, cluster, namespace, name, uid, pool,"
	    " reason FROM (SELECT * FROM ledger WHERE 1%s%s%s"
	    " ORDER BY id DESC LIMIT ?4) ORDER BY id",
	    query->address ? " AND address = ?1" : "",
	    query->ns ? " AND namespace = ?2" : "",
	    query->name ? " AND name = ?3" : "");
	code = db_prepare(db, path, sql, &stmt, err);
	if (code < 0)
		return code;
	if (query->address)
		db_bind_text(stmt, 1, query->address);
	if (query->ns)
		db_bind_text(stmt, 2, query->ns);
	if (query->name)
		db_bind_text(stmt, 3, query->name);
	sqlite3_bind_int64(stmt, 4,
	    query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		give(stmt, fn, arg);
	if (rc != SQLITE_DONE)
		code = db_error(db, path, rc, err);
	sqlite3_finalize(stmt);
	return code;
}
