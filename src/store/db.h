/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * db: the few SQLite calls that store/ repeats, with errors as users read
 * them.
 */
#ifndef EIPD_STORE_DB_H
#define EIPD_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"

/* Opens or creates `path` for writing, sets what every connection needs. */
ATTR_NODISCARD int db_open(const char *path, sqlite3 **out, struct err *err);

/* `is_foreign`: the -wal beside the database is not, or may not be, this
 * connection's; it is neither merged nor removed.  NULL is fine. */
void db_close(sqlite3 *db, bool is_foreign);

/* Fills `err` from SQLite's `rc` and the connection; negative errno:
 * -ENOSPC and -EBUSY pass, -EUCLEAN is corruption, others do not pass. */
int db_error(sqlite3 *db, const char *path, int rc, struct err *err);
/* True for codes of db_error() that leave the connection usable. */
bool db_error_passes(int code);

ATTR_NODISCARD int db_exec(sqlite3 *db, const char *path, const char *sql,
    struct err *err);
ATTR_NODISCARD int db_get_int(sqlite3 *db, const char *path, const char *sql,
    sqlite3_int64 *out, struct err *err);
ATTR_NODISCARD int db_prepare(sqlite3 *db, const char *path, const char *sql,
    sqlite3_stmt **out, struct err *err);
/* Runs a statement that gives no rows, and resets it. */
ATTR_NODISCARD int db_step(sqlite3 *db, const char *path, sqlite3_stmt *stmt,
    struct err *err);

/* `s` must live until the statement is reset; NULL is stored as "". */
void db_bind_text(sqlite3_stmt *stmt, int at, const char *s);
/* Never NULL. */
const char *db_column_text(sqlite3_stmt *stmt, int at);

/* -EUCLEAN if the file is damaged. */
ATTR_NODISCARD int db_check(sqlite3 *db, const char *path, struct err *err);

void db_rollback(sqlite3 *db);

#endif
