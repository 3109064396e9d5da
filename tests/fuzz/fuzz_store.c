/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_store: a database whose rows somebody else wrote.
 *
 * Input: rows, each one octet for the table and then its columns: a text
 * behind its length in one octet, a number in eight.  The schema's types hold,
 * its checks do not.
 */
#include <ftw.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

static const struct table {
	const char *insert;
	const char *columns; /* t: text, i: integer */
} tables[] = {
	{ "INSERT OR IGNORE INTO lease (address, cluster, namespace, name, "
	  "uid, pool, passive, held, since, quarantine_until, sticky_until) "
	  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    "ttttttiiiii" },
	{ "INSERT OR IGNORE INTO reservation (address, pool, namespace, name, "
	  "since) VALUES (?, ?, ?, ?, ?)",
	    "tttti" },
	{ "INSERT OR IGNORE INTO ledger (time, event, address, cluster, "
	  "namespace, name, uid, pool, reason) "
	  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    "itttttttt" },
	{ "INSERT OR IGNORE INTO setting (name, value) VALUES (?, ?)", "tt" },
};

static char folder[] = "/dev/shm/fuzz-store-XXXXXX";
static char path[sizeof(folder) + sizeof("/eipd.db")];

static int
remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(name);
}

/* The database, what SQLite keeps beside it, and backups of migrations. */
static void
remove_files(void)
{
	enum {
		FDS = 4
	};

	nftw(folder, remove_one, FDS, FTW_DEPTH | FTW_PHYS);
}

static void
must(bool is_true)
{
	if (!is_true)
		abort();
}

/* The schema, once. */
static void
make_database(void)
{
	struct lease_table *leases = lease_table_new();
	struct store *store;
	struct err err;
	bool was_lost;

	must(mkdtemp(folder) != NULL);
	atexit(remove_files);
	snprintf(path, sizeof(path), "%s/eipd.db", folder);
	store = store_new(path);
	must(store_open(store, leases, 1, &was_lost, &err) == 0);
	store_free(store);
	lease_table_free(leases);
}

static const uint8_t *
take(const uint8_t **p, size_t *left_b, size_t want_b)
{
	const uint8_t *taken = *p;

	if (*left_b < want_b)
		return NULL;
	*p += want_b;
	*left_b -= want_b;
	return taken;
}

static bool
bind_column(sqlite3_stmt *stmt, int at, char type, const uint8_t **p,
    size_t *left_b)
{
	const uint8_t *text_b = type == 't' ? take(p, left_b, 1) : NULL;
	const uint8_t *v;
	sqlite3_int64 number;

	if (type == 't') {
		v = text_b ? take(p, left_b, *text_b) : NULL;
		return v &&
		    sqlite3_bind_text(stmt, at, (const char *)v, *text_b,
			SQLITE_STATIC) == SQLITE_OK;
	}
	v = take(p, left_b, sizeof(number));
	if (!v)
		return false;
	memcpy(&number, v, sizeof(number));
	return sqlite3_bind_int64(stmt, at, number) == SQLITE_OK;
}

static bool
insert_row(sqlite3 *db, const uint8_t **p, size_t *left_b)
{
	const uint8_t *kind = take(p, left_b, 1);
	const struct table *table;
	sqlite3_stmt *stmt;
	bool is_whole = true;

	if (!kind)
		return false;
	table = &tables[*kind % ARRAY_LEN(tables)];
	must(sqlite3_prepare_v2(db, table->insert, -1, &stmt, NULL) ==
	    SQLITE_OK);
	for (int i = 0; is_whole && table->columns[i]; i++)
		is_whole =
		    bind_column(stmt, i + 1, table->columns[i], p, left_b);
	if (is_whole)
		(void)sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return is_whole;
}

static void
fill(const uint8_t *data, size_t size_b)
{
	sqlite3 *db;

	must(sqlite3_open(path, &db) == SQLITE_OK);
	must(sqlite3_exec(db,
		 "PRAGMA ignore_check_constraints = on;"
		 "DROP TRIGGER IF EXISTS ledger_no_delete;"
		 "BEGIN; DELETE FROM lease; DELETE FROM reservation;"
		 "DELETE FROM ledger; DELETE FROM setting;",
		 NULL, NULL, NULL) == SQLITE_OK);
	while (insert_row(db, &data, &size_b))
		;
	must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
	must(sqlite3_close(db) == SQLITE_OK);
}

static void
on_entry(void *arg, const struct ledger_entry *e)
{
	size_t *sum = arg;

	*sum += strlen(e->event) + strlen(e->address) + strlen(e->cluster) +
	    strlen(e->ns) + strlen(e->name) + strlen(e->uid) + strlen(e->pool) +
	    strlen(e->reason);
}

/* A lease taken in can be written back and given up. */
static void
write_back(struct store *store, const struct lease *lease)
{
	struct lease_op ops[] = {
		{ .kind = LEASE_OP_PUT, .lease = *lease, .event = "adopted" },
		{ .kind = LEASE_OP_DELETE,
		    .lease = *lease,
		    .event = "expired" },
	};
	struct err err;

	ops[0].reason = "";
	ops[1].reason = "";
	(void)!store_apply(store, ops, ARRAY_LEN(ops), &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct lease_table *leases = lease_table_new();
	struct addr addr;
	struct store *store;
	struct err err;
	bool was_lost;
	size_t sum = 0;

	if (!*path)
		make_database();
	fill(data, size_b);
	store = store_new(path);
	if (store_open(store, leases, 1, &was_lost, &err) == 0) {
		sum += strlen(store_get(store, "withdrawn"));
		(void)!store_history(store, NULL, NULL, NULL, 100, on_entry,
		    &sum, &err);
		if (addr_parse("192.0.2.1", &addr) == 0 &&
		    lease_of_address(leases, &addr))
			write_back(store, lease_of_address(leases, &addr));
	}
	store_free(store);
	lease_table_free(leases);
	return 0;
}
