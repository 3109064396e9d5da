/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/migrate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"
#include "store/file.h"

static int
copy_pages(sqlite3 *from, sqlite3 *to, const char *path, struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!backup)
		return db_error(to, path, sqlite3_errcode(to), err);
	rc = sqlite3_backup_step(backup, -1);
	sqlite3_backup_finish(backup);
	return rc == SQLITE_DONE ? 0 : db_error(to, path, rc, err);
}

static void
backup_name(char name[FILE_PATH_B], const char *path, int version)
{
	snprintf(name, FILE_PATH_B, "%s.bak-%d", path, version);
}

/* Written beside and renamed, so that a backup with its final name is whole;
 * on the disk before what it is a backup of changes. */
static int
backup(sqlite3 *db, const char *path, int version, struct err *err)
{
	char name[FILE_PATH_B];
	char temporary[FILE_PATH_B + 4];
	sqlite3 *to = NULL;
	int code;
	int rc;

	backup_name(name, path, version);
	snprintf(temporary, sizeof(temporary), "%s.new", name);
	(void)unlink(temporary);
	rc = sqlite3_open_v2(temporary, &to,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	    NULL);
	code = rc == SQLITE_OK ? file_make_private(temporary, err)
			       : db_error(to, temporary, rc, err);
	if (code == 0)
		code = copy_pages(db, to, temporary, err);
	sqlite3_close_v2(to);
	if (code == 0 && rename(temporary, name) < 0)
		code = err_set(err, -errno, "%.240s: %s; make room for it",
		    name, strerror(errno));
	if (code == 0) {
		file_sync_directory(name);
		return 0;
	}
	(void)unlink(temporary);
	err_prefix(err, "backup before the change of schema");
	return code;
}

static int
step(sqlite3 *db, const char *path, const struct migration *m, struct err *err)
{
	char sql[96];
	int code;

	code = db_exec(db, path, "BEGIN IMMEDIATE", err);
	if (code < 0)
		return code;
	code = db_exec(db, path, m->sql, err);
	if (code < 0)
		goto fail;
	snprintf(sql, sizeof(sql),
	    "PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT",
	    m->version, MIGRATE_APPLICATION_ID);
	code = db_exec(db, path, sql, err);
	if (code < 0)
		goto fail;
	return 0;
fail:
	db_rollback(db);
	err_prefix(err, "change to schema %d", m->version);
	return code;
}

/* A file of another program is left alone, not set aside as damaged. */
static int
check_owner(sqlite3 *db, const char *path, struct err *err)
{
	sqlite3_int64 id;
	sqlite3_int64 n;
	int code;

	code = db_get_int(db, path, "PRAGMA application_id", &id, err);
	if (code < 0 || id == MIGRATE_APPLICATION_ID)
		return code;
	code =
	    db_get_int(db, path, "SELECT count(*) FROM sqlite_schema", &n, err);
	if (code < 0)
		return code;
	if (n > 0 || id != 0)
		return err_set(err, -EINVAL,
		    "%.240s is another program's database; set database: to another file",
		    path);
	return 0;
}

static int
too_new(const char *path, sqlite3_int64 have, int newest, struct err *err)
{
	char name[FILE_PATH_B];
	bool has_backup;

	backup_name(name, path, newest);
	has_backup = access(name, F_OK) == 0;
	return err_set(err, -ENOTSUP,
	    "database %.160s has schema %lld, this eipd knows up to %d; install a newer eipd%s%.160s%s",
	    path, (long long)have, newest, has_backup ? " or put " : "",
	    has_backup ? name : "", has_backup ? " in its place" : "");
}

int
migrate_run(sqlite3 *db, const char *path, const struct migration *v, size_t n,
    struct err *err)
{
	int newest = n ? v[n - 1].version : 0;
	sqlite3_int64 have;
	bool is_new;
	int code;

	code = db_get_int(db, path, "PRAGMA user_version", &have, err);
	if (code < 0)
		return code;
	if (have > newest)
		return too_new(path, have, newest, err);
	code = check_owner(db, path, err);
	if (code < 0)
		return code;
	is_new = have == 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i].version <= have)
			continue;
		if (!is_new)
			code = backup(db, path, (int)have, err);
		if (code == 0)
			code = step(db, path, &v[i], err);
		if (code < 0)
			return code;
		have = v[i].version;
	}
	return 0;
}
