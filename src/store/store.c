/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/db.h"
#include "store/file.h"
#include "store/ledger.h"
#include "store/migrate.h"
#include "store/remembered.h"

enum {
	SQLITE_FILE_MIN_B = 512
};

enum stmt {
	STMT_LEASE_PUT,
	STMT_LEASE_DELETE,
	STMT_RESERVE,
	STMT_UNRESERVE,
	STMT_LEDGER,
	STMT_LEDGER_PRUNE,
	STMT_SET,
	STMT_GET,
	STMT_BEGIN,
	STMT_COMMIT,
	STMT__COUNT,
};

static const char *const stmt_sql[] = {
	[STMT_LEASE_PUT] =
	    "INSERT OR REPLACE INTO lease (address, cluster, namespace, name,"
	    " uid, pool, held, since, quarantine_until, sticky_until, passive)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[STMT_LEASE_DELETE] =
	    "DELETE FROM lease WHERE address = ?1 AND cluster = ?2"
	    " AND namespace = ?3 AND name = ?4",
	[STMT_RESERVE] = "INSERT OR REPLACE INTO reservation"
			 " (address, pool, namespace, name, since)"
			 " VALUES (?1, ?2, ?3, ?4, ?5)",
	[STMT_UNRESERVE] = "DELETE FROM reservation WHERE address = ?1",
	[STMT_LEDGER] = ledger_insert_sql,
	[STMT_LEDGER_PRUNE] = ledger_prune_sql,
	[STMT_SET] = "INSERT OR REPLACE INTO setting (name, value)"
		     " VALUES (?1, ?2)",
	[STMT_GET] = "SELECT value FROM setting WHERE name = ?1",
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
};

_Static_assert(ARRAY_LEN(stmt_sql) == STMT__COUNT, "one text each");

struct store {
	char *path;
	sqlite3 *db; /* NULL: not open */
	int lock_fd; /* while it is open */
	sqlite3_stmt *stmts[STMT__COUNT];
	struct file_id id; /* of the file that `db` has open */
	struct file_id wal_id;
	bool had_data; /* was open once: an absent file is then a lost one */
	bool is_damaged; /* closed for that reason */
	char *value; /* of the last store_get() */
	struct store_stats stats;
};

struct store *
store_new(const char *path)
{
	struct store *store = mem_new(struct store);

	store->path = mem_strdup(path);
	return store;
}

static bool
is_moved(const struct store *store)
{
	struct file_id id = file_identify(store->path, "");
	struct file_id wal_id = file_identify(store->path, "-wal");

	return !file_id_same(&id, &store->id) ||
	    !file_id_same(&wal_id, &store->wal_id);
}

static void
finalize(struct store *store)
{
	for (size_t i = 0; i < STMT__COUNT; i++) {
		sqlite3_finalize(store->stmts[i]);
		store->stmts[i] = NULL;
	}
}

static void
close_db(struct store *store)
{
	if (!store->db)
		return;
	finalize(store);
	/* Closing merges and removes the -wal by name: not if that name is
	 * another file's by now. */
	db_close(store->db, is_moved(store));
	close(store->lock_fd);
	store->db = NULL;
}

void
store_free(struct store *store)
{
	if (!store)
		return;
	close_db(store);
	free(store->value);
	free(store->path);
	free(store);
}

bool
store_is_open(const struct store *store)
{
	return store->db != NULL;
}

bool
store_is_lost(struct store *store)
{
	if (!store->db)
		return store->is_damaged;
	return is_moved(store);
}

const struct store_stats *
store_stats(const struct store *store)
{
	return &store->stats;
}

/* Counts a failure and gives up the connection if it would not pass. */
static int
failed(struct store *store, int code)
{
	if (db_error_passes(code)) {
		db_rollback(store->db);
		return code;
	}
	store->is_damaged = code == -EUCLEAN || code == -ESTALE;
	close_db(store);
	return code == -EUCLEAN || code == -ESTALE ? -EIO : code;
}

/* Rows are kept as operations until all could be read: the caller's table
 * changes whole or not at all. */
struct loading {
	struct arena arena;
	VEC(struct lease_op) ops;
};

static void
load_lease(struct loading *l, sqlite3_stmt *stmt)
{
	struct lease_op op = { .kind = LEASE_OP_PUT };

	/* A row that somebody edited into nonsense promises no address. */
	if (addr_parse(db_column_text(stmt, 0), &op.lease.address) < 0)
		return;
	op.lease.cluster = arena_strdup(&l->arena, db_column_text(stmt, 1));
	op.lease.ns = arena_strdup(&l->arena, db_column_text(stmt, 2));
	op.lease.name = arena_strdup(&l->arena, db_column_text(stmt, 3));
	op.lease.uid = arena_strdup(&l->arena, db_column_text(stmt, 4));
	op.lease.pool = arena_strdup(&l->arena, db_column_text(stmt, 5));
	op.lease.is_held = sqlite3_column_int(stmt, 6) != 0;
	op.lease.since = sqlite3_column_int64(stmt, 7);
	op.lease.quarantine_until = sqlite3_column_int64(stmt, 8);
	op.lease.sticky_until = sqlite3_column_int64(stmt, 9);
	op.lease.is_passive = sqlite3_column_int(stmt, 10) != 0;
	vec_push(&l->ops, op);
}

static void
load_reservation(struct loading *l, sqlite3_stmt *stmt)
{
	struct lease_op op = { .kind = LEASE_OP_RESERVE };

	if (addr_parse(db_column_text(stmt, 0), &op.lease.address) < 0)
		return;
	op.lease.pool = arena_strdup(&l->arena, db_column_text(stmt, 1));
	op.lease.ns = arena_strdup(&l->arena, db_column_text(stmt, 2));
	op.lease.name = arena_strdup(&l->arena, db_column_text(stmt, 3));
	op.at = sqlite3_column_int64(stmt, 4);
	vec_push(&l->ops, op);
}

static int
load_rows(sqlite3 *db, const char *path, const char *sql, struct loading *l,
    void (*load)(struct loading *l, sqlite3_stmt *stmt), struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = db_prepare(db, path, sql, &stmt, err);
	int rc;

	if (code < 0)
		return code;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		load(l, stmt);
	if (rc != SQLITE_DONE)
		code = db_error(db, path, rc, err);
	sqlite3_finalize(stmt);
	return code;
}

static int
load_table(sqlite3 *db, const char *path, struct lease_table *table,
    struct err *err)
{
	struct loading l = { 0 };
	struct lease_op *op;
	int code;

	code = load_rows(db, path,
	    "SELECT address, cluster, namespace, name, uid, pool, held, since,"
	    " quarantine_until, sticky_until, passive FROM lease",
	    &l, load_lease, err);
	if (code == 0)
		code = load_rows(db, path,
		    "SELECT address, pool, namespace, name, since"
		    " FROM reservation",
		    &l, load_reservation, err);
	if (code == 0)
		VEC_FOREACH (op, &l.ops)
			lease_table_apply(table, op);
	vec_fini(&l.ops);
	arena_fini(&l.arena);
	return code;
}

/* One attempt with the file that is there; the store stays closed unless it
 * succeeds. */
static int
open_file(struct store *store, struct lease_table *table, struct err *err)
{
	sqlite3 *db = NULL;
	int lock_fd = -1;
	int code = db_open(store->path, &db, err);

	if (code < 0)
		return code;
	code = file_lock(store->path, &lock_fd, err);
	if (code == 0)
		code = migrate_run(db, store->path, store_migrations,
		    store_n_migrations, err);
	if (code == 0)
		code = db_check(db, store->path, err);
	for (size_t i = 0; i < STMT__COUNT && code == 0; i++)
		code = db_prepare(db, store->path, stmt_sql[i],
		    &store->stmts[i], err);
	if (code == 0)
		code = load_table(db, store->path, table, err);
	if (code < 0) {
		finalize(store);
		db_close(db, true);
		if (lock_fd >= 0)
			close(lock_fd);
		return code;
	}
	/* All of it was read, and will not be again. */
	sqlite3_db_release_memory(db);
	store->db = db;
	store->lock_fd = lock_fd;
	store->id = file_identify(store->path, "");
	store->wal_id = file_identify(store->path, "-wal");
	return 0;
}

/* The old file goes out of the way and a new one is begun; `err` tells so. */
static int
begin_anew(struct store *store, struct lease_table *table, wall_t now,
    struct err *err)
{
	char aside[FILE_PATH_B];
	int code = file_set_aside(store->path, now, aside, err);

	if (code == 0)
		code = open_file(store, table, err);
	if (code < 0)
		return code == -EUCLEAN ? -EIO : code;
	err_set(err, 0, "database %.200s was damaged; it is kept as %.200s",
	    store->path, aside);
	return 0;
}

int
store_open(struct store *store, struct lease_table *table, wall_t now,
    bool *was_lost, struct err *err)
{
	int64_t size_b = file_size_b(store->path);
	/* SQLite takes a file without a whole first page for a new one. */
	bool is_cut = size_b >= 0 && size_b < SQLITE_FILE_MIN_B;
	bool is_lost = is_cut || (size_b < 0 && store->had_data);
	int code;

	close_db(store);
	code = file_check(store->path, err);
	if (code == 0)
		code = is_cut && size_b > 0 ? -EUCLEAN
					    : open_file(store, table, err);
	if (code == -EUCLEAN) {
		is_lost = true;
		code = begin_anew(store, table, now, err);
	} else if (code == 0 && is_lost) {
		err_set(err, 0, "database %.200s was empty or removed",
		    store->path);
	}
	if (code < 0) {
		return code;
	}
	store->had_data = true;
	store->is_damaged = false;
	*was_lost = is_lost;
	return 0;
}

static int
put_lease(sqlite3_stmt *stmt, const struct lease *lease, sqlite3 *db,
    const char *path, struct err *err)
{
	char address[ADDR_TEXT_B];

	db_bind_text(stmt, 1, addr_text(&lease->address, address));
	db_bind_text(stmt, 2, lease->cluster);
	db_bind_text(stmt, 3, lease->ns);
	db_bind_text(stmt, 4, lease->name);
	db_bind_text(stmt, 5, lease->uid);
	db_bind_text(stmt, 6, lease->pool);
	sqlite3_bind_int(stmt, 7, lease->is_held);
	sqlite3_bind_int64(stmt, 8, lease->since);
	sqlite3_bind_int64(stmt, 9, lease->quarantine_until);
	sqlite3_bind_int64(stmt, 10, lease->sticky_until);
	sqlite3_bind_int(stmt, 11, lease->is_passive);
	return db_step(db, path, stmt, err);
}

static int
delete_lease(sqlite3_stmt *stmt, const struct lease *lease, sqlite3 *db,
    const char *path, struct err *err)
{
	char address[ADDR_TEXT_B];

	db_bind_text(stmt, 1, addr_text(&lease->address, address));
	db_bind_text(stmt, 2, lease->cluster);
	db_bind_text(stmt, 3, lease->ns);
	db_bind_text(stmt, 4, lease->name);
	return db_step(db, path, stmt, err);
}

static int
reserve(struct store *store, const struct lease_op *op, struct err *err)
{
	sqlite3_stmt *stmt = store->stmts[STMT_RESERVE];
	char address[ADDR_TEXT_B];

	db_bind_text(stmt, 1, addr_text(&op->lease.address, address));
	db_bind_text(stmt, 2, op->lease.pool);
	db_bind_text(stmt, 3, op->lease.ns);
	db_bind_text(stmt, 4, op->lease.name);
	sqlite3_bind_int64(stmt, 5, op->at);
	return db_step(store->db, store->path, stmt, err);
}

static int
unreserve(struct store *store, const struct lease_op *op, struct err *err)
{
	sqlite3_stmt *stmt = store->stmts[STMT_UNRESERVE];
	char address[ADDR_TEXT_B];

	db_bind_text(stmt, 1, addr_text(&op->lease.address, address));
	return db_step(store->db, store->path, stmt, err);
}

static int
apply_op(struct store *store, const struct lease_op *op, struct err *err)
{
	int code = 0;

	switch (op->kind) {
	case LEASE_OP_PUT:
		code = put_lease(store->stmts[STMT_LEASE_PUT], &op->lease,
		    store->db, store->path, err);
		break;
	case LEASE_OP_DELETE:
		code = delete_lease(store->stmts[STMT_LEASE_DELETE], &op->lease,
		    store->db, store->path, err);
		break;
	case LEASE_OP_RESERVE:
		code = reserve(store, op, err);
		break;
	case LEASE_OP_UNRESERVE:
		code = unreserve(store, op, err);
		break;
	}
	if (code < 0)
		return code;
	return ledger_add(store->db, store->path, store->stmts[STMT_LEDGER], op,
	    err);
}

/* What is written to a file that has no name any more is not kept. */
static int
check_usable(struct store *store, struct err *err)
{
	if (!store->db)
		return err_set(err, -EAGAIN,
		    "database %.240s is not open; it is tried again",
		    store->path);
	if (!is_moved(store))
		return 0;
	err_set(err, -EIO,
	    "database %.240s was replaced or removed while in use; it will be opened anew",
	    store->path);
	return failed(store, -ESTALE);
}

/* A duration; sys/clock.c is not for this folder to include. */
static int64_t
stopwatch_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * MONO_S + ts.tv_nsec / 1000;
}

static int
step(struct store *store, enum stmt stmt, struct err *err)
{
	return db_step(store->db, store->path, store->stmts[stmt], err);
}

static int
commit(struct store *store, int64_t began_us, struct err *err)
{
	int code = step(store, STMT_COMMIT, err);

	if (code < 0)
		return code;
	store->stats.commits++;
	store->stats.last_commit_us = stopwatch_us() - began_us;
	return 0;
}

int
store_apply(struct store *store, const struct lease_op *ops, size_t n,
    struct err *err)
{
	int64_t began_us = stopwatch_us();
	struct err local = { 0 };
	int code;

	err = err ? err : &local;
	code = check_usable(store, err);
	if (code < 0 || n == 0)
		return code;
	code = step(store, STMT_BEGIN, err);
	for (size_t i = 0; i < n && code == 0; i++)
		code = apply_op(store, &ops[i], err);
	/* Twice what was added: it catches up. */
	sqlite3_bind_int64(store->stmts[STMT_LEDGER_PRUNE], 1,
	    2 * (sqlite3_int64)n);
	if (code == 0)
		code = step(store, STMT_LEDGER_PRUNE, err);
	if (code == 0)
		code = commit(store, began_us, err);
	return code < 0 ? failed(store, code) : 0;
}

int
store_set(struct store *store, const char *name, const char *value,
    struct err *err)
{
	int64_t began_us = stopwatch_us();
	sqlite3_stmt *stmt;
	int code = check_usable(store, err);

	if (code < 0)
		return code;
	stmt = store->stmts[STMT_SET];
	db_bind_text(stmt, 1, name);
	db_bind_text(stmt, 2, value);
	code = step(store, STMT_BEGIN, err);
	if (code == 0)
		code = db_step(store->db, store->path, stmt, err);
	if (code == 0)
		code = commit(store, began_us, err);
	return code < 0 ? failed(store, code) : 0;
}

const char *
store_get(struct store *store, const char *name)
{
	sqlite3_stmt *stmt = store->stmts[STMT_GET];

	free(store->value);
	store->value = NULL;
	if (!store->db)
		return "";
	db_bind_text(stmt, 1, name);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		store->value = mem_strdup(db_column_text(stmt, 0));
	sqlite3_reset(stmt);
	return store->value ? store->value : "";
}

int
store_remember(struct store *store, enum object_kind kind, uint64_t server,
    const struct object *const *objects, size_t n, struct err *err)
{
	int64_t began_us = stopwatch_us();
	bool is_changed = false;
	int code = check_usable(store, err);

	if (code < 0)
		return code;
	code = step(store, STMT_BEGIN, err);
	if (code == 0)
		code = remembered_write(store->db, store->path, kind, server,
		    objects, n, &is_changed, err);
	if (code == 0 && is_changed)
		code = commit(store, began_us, err);
	else if (code == 0)
		db_rollback(store->db);
	return code < 0 ? failed(store, code) : 0;
}

int
store_recall(struct store *store, enum object_kind kind, uint64_t server,
    void (*fn)(void *arg, const char *manifest), void *arg, struct err *err)
{
	int code = check_usable(store, err);

	if (code < 0)
		return code;
	code =
	    remembered_read(store->db, store->path, kind, server, fn, arg, err);
	return code < 0 ? failed(store, code) : 0;
}

int
store_history(struct store *store, const char *address, const char *ns,
    const char *name, size_t limit,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg,
    struct err *err)
{
	struct ledger_query query = { .address = address,
		.ns = ns,
		.name = name,
		.limit = limit };
	char text[ADDR_TEXT_B];
	struct addr a;
	int code = check_usable(store, err);

	if (code < 0)
		return code;
	if (address && addr_parse(address, &a) == 0)
		query.address = addr_text(&a, text);
	code = ledger_read(store->db, store->path, &query, fn, arg, err);
	return code < 0 ? failed(store, code) : 0;
}
