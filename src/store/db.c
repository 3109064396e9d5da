/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/db.h"

#include <errno.h>
#include <string.h>

#include "store/file.h"
#include "sys/denied.h"

enum {
	/* The loop waits no longer than this for somebody else's lock. */
	BUSY_TIMEOUT_MS = 5,
	/* Up to here the whole file is checked at start, beyond it all but the
	 * ledger: about 100 000 rows, some ten milliseconds. */
	CHECK_WHOLE_PAGES = 8192,
};

static const char settings[] = "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA journal_size_limit = 4194304;"
			       "PRAGMA synchronous = FULL;";

bool
db_error_passes(int code)
{
	return code == -ENOSPC || code == -EBUSY || code == -ENOMEM;
}

static int
io_error(sqlite3 *db, const char *path, struct err *err)
{
	int system = sqlite3_system_errno(db);

	/* SQLite does not keep that of a COMMIT that failed. */
	if (!system)
		system = errno;
	switch (system) {
	case ENOSPC:
	case EDQUOT:
		return err_set(err, -ENOSPC,
		    "database %.240s: no space left on its disk; free some",
		    path);
	case EROFS:
		return err_set(err, -EROFS,
		    "database %.240s: its file system is read-only; mount it writable",
		    path);
	default:
		return err_set(err, -EIO, "database %.240s: %s (%s)%s", path,
		    sqlite3_errmsg(db),
		    system ? strerror(system) : "no system error",
		    denied_remedy(-system, path,
			"; check the disk and the kernel log"));
	}
}

int
db_error(sqlite3 *db, const char *path, int rc, struct err *err)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_set(err, -ENOSPC,
		    "database %.240s: no space left on its disk; free some",
		    path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, -EBUSY,
		    "database %.240s is locked by another process; end that (fuser names it)",
		    path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, -EUCLEAN,
		    "database %.240s is damaged: %s; it will be set aside",
		    path, sqlite3_errmsg(db));
	case SQLITE_READONLY:
	case SQLITE_PERM:
		if (rc == SQLITE_READONLY_DBMOVED)
			return err_set(err, -ESTALE,
			    "database %.240s was moved or removed; it will be opened anew",
			    path);
		return err_set(err, -EROFS,
		    "database %.240s is read-only; change its owner or mode, or mount it writable",
		    path);
	case SQLITE_NOMEM:
		return err_set(err, -ENOMEM,
		    "database %.240s: out of memory; give the process more",
		    path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return io_error(db, path, err);
	default:
		return err_set(err, -EIO,
		    "database %.240s: %s; move it away to begin anew", path,
		    sqlite3_errmsg(db));
	}
}

int
db_exec(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
	int rc;

	errno = 0;
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_error(db, path, rc, err);
}

int
db_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **out,
    struct err *err)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
	    NULL);

	/* Not a mistake of ours: the schema is not what its version says. */
	if (rc == SQLITE_ERROR)
		return err_set(err, -EUCLEAN,
		    "database %.240s is damaged: %s; it will be set aside",
		    path, sqlite3_errmsg(db));
	return rc == SQLITE_OK ? 0 : db_error(db, path, rc, err);
}

int
db_step(sqlite3 *db, const char *path, sqlite3_stmt *stmt, struct err *err)
{
	int code = 0;
	int rc;

	errno = 0;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		code = db_error(db, path, rc, err);
	sqlite3_reset(stmt);
	return code;
}

int
db_get_int(sqlite3 *db, const char *path, const char *sql, sqlite3_int64 *out,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = db_prepare(db, path, sql, &stmt, err);
	int rc;

	if (code < 0)
		return code;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else
		code = db_error(db, path, rc, err);
	sqlite3_finalize(stmt);
	return code;
}

void
db_bind_text(sqlite3_stmt *stmt, int at, const char *s)
{
	sqlite3_bind_text(stmt, at, s ? s : "", -1, SQLITE_STATIC);
}

const char *
db_column_text(sqlite3_stmt *stmt, int at)
{
	/* SQLite's text is unsigned char; a void pointer casts nothing. */
	const void *s = sqlite3_column_text(stmt, at);

	return s ? s : "";
}

static int
check_with(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = db_prepare(db, path, sql, &stmt, err);
	int rc;

	if (code < 0)
		return code;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		code = db_error(db, path, rc, err);
	else if (strcmp(db_column_text(stmt, 0), "ok") != 0)
		code = err_set(err, -EUCLEAN,
		    "database %.200s is damaged: %.160s; it will be set aside",
		    path, db_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return code;
}

int
db_check(sqlite3 *db, const char *path, struct err *err)
{
	static const char *const checks[] = {
		"PRAGMA quick_check(lease)",
		"PRAGMA quick_check(reservation)",
		"PRAGMA quick_check(object)",
		"PRAGMA quick_check(setting)",
	};
	sqlite3_int64 pages;
	int code = db_get_int(db, path, "PRAGMA page_count", &pages, err);

	if (code < 0)
		return code;
	if (pages <= CHECK_WHOLE_PAGES)
		return check_with(db, path, "PRAGMA quick_check(1)", err);
	for (size_t i = 0; i < ARRAY_LEN(checks) && code == 0; i++)
		code = check_with(db, path, checks[i], err);
	return code;
}

static int
use_wal(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code;
	int rc;

	code = db_prepare(db, path, "PRAGMA journal_mode = WAL", &stmt, err);
	if (code < 0)
		return code;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		code = db_error(db, path, rc, err);
	else if (strcmp(db_column_text(stmt, 0), "wal") != 0)
		code = err_set(err, -EIO,
		    "database %.240s: its file system cannot share memory (WAL); set database: to a local one",
		    path);
	sqlite3_finalize(stmt);
	return code;
}

int
db_open(const char *path, sqlite3 **out, struct err *err)
{
	sqlite3 *db = NULL;
	int code;
	int rc;

	rc = sqlite3_open_v2(path, &db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE,
	    NULL);
	if (rc != SQLITE_OK) {
		code = db_error(db, path, rc, err);
		goto fail;
	}
	/* From here on it exists, and holds nothing yet if it is new. */
	code = file_make_private(path, err);
	if (code < 0)
		goto fail;
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	code = db_exec(db, path, settings, err);
	if (code < 0)
		goto fail;
	code = use_wal(db, path, err);
	if (code < 0)
		goto fail;
	*out = db;
	return 0;
fail:
	db_close(db, true);
	return code;
}

void
db_close(sqlite3 *db, bool is_foreign)
{
	if (!db)
		return;
	if (is_foreign)
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
		    NULL);
	sqlite3_close_v2(db);
}

void
db_rollback(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}
