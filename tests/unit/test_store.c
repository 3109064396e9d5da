/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_store: the database under everything that can happen to its file.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "store/migrations.h"
#include "store/store.h"

enum {
	NOW = 1790000000,
	ANYONE = 65534
};

struct fixture {
	char dir[64];
	char path[96];
	struct store *store;
	struct lease_table *table;
	struct err err;
	bool was_lost;
};

static void
run(const char *fmt, const char *arg)
{
	char command[512];

	snprintf(command, sizeof(command), "%s %s", fmt, arg);
	assert_int_equal(system(command), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/eipd-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/eipd.db", f->dir);
	f->store = store_new(f->path);
	f->table = lease_table_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	lease_table_free(f->table);
	run("rm -rf", f->dir);
	free(f);
	return 0;
}

static int
open_again(struct fixture *f)
{
	store_free(f->store);
	lease_table_free(f->table);
	f->store = store_new(f->path);
	f->table = lease_table_new();
	return store_open(f->store, f->table, NOW, &f->was_lost, &f->err);
}

static struct lease_op
op_of(enum lease_op_kind kind, const char *address, const char *name)
{
	struct lease_op op = {
		.kind = kind,
		.lease = { .cluster = "kubernetes",
		    .ns = "shop",
		    .name = name,
		    .uid = "u-1",
		    .pool = "web",
		    .is_held = true,
		    .since = NOW },
		.event = "allocated",
		.reason = "",
		.at = NOW,
	};

	assert_int_equal(addr_parse(address, &op.lease.address), 0);
	return op;
}

static int
put(struct fixture *f, const char *address, const char *name)
{
	struct lease_op op = op_of(LEASE_OP_PUT, address, name);

	return store_apply(f->store, &op, 1, &f->err);
}

static size_t
count(const struct fixture *f)
{
	size_t n;

	free(lease_table_list(f->table, &n));
	return n;
}

static void
add_event(void *arg, const struct ledger_entry *e)
{
	str_printf(arg, "%s%s %s/%s", ((struct str *)arg)->n ? ", " : "",
	    e->address, e->ns, e->name);
}

static void
assert_history(struct fixture *f, const char *address, const char *ns,
    const char *name, size_t limit, const char *want)
{
	struct str got = { 0 };

	assert_int_equal(store_history(f->store, address, ns, name, limit,
			     add_event, &got, &f->err),
	    0);
	assert_string_equal(str_get(&got), want);
	str_fini(&got);
}

static void
assert_open(struct fixture *f, bool was_lost, size_t n)
{
	int rc;

	f->err = (struct err){ 0 };
	rc = open_again(f);
	if (rc < 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(f->err.text[0] != '\0', was_lost);
	assert_true(store_is_open(f->store));
	assert_false(store_is_lost(f->store));
	assert_int_equal(f->was_lost, was_lost);
	assert_int_equal(count(f), n);
}

static void
assert_text(const struct fixture *f, const char *part)
{
	if (!strstr(f->err.text, part))
		fail_msg("\"%s\" not in \"%s\"", part, f->err.text);
}

static bool
has_file(const struct fixture *f, const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", f->path, suffix);
	return access(name, F_OK) == 0;
}

static void
write_at(const struct fixture *f, off_t at, const char *data, size_t n)
{
	int fd = open(f->path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, n, at), n);
	close(fd);
}

static void
exec_sql(const struct fixture *f, const char *sql, int want)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), want);
	sqlite3_close(db);
}

static void
test_round_trip(void **state)
{
	struct fixture *f = *state;
	struct lease_op ops[5];
	const struct reservation *r;
	const struct lease *l;

	assert_open(f, false, 0);
	ops[0] = op_of(LEASE_OP_PUT, "192.0.2.1", "a");
	ops[1] = op_of(LEASE_OP_PUT, "2001:db8::1", "a");
	ops[2] = op_of(LEASE_OP_PUT, "192.0.2.2", "b");
	ops[2].lease.is_held = false;
	ops[2].lease.quarantine_until = NOW + 10;
	ops[2].lease.sticky_until = NOW + 20;
	ops[3] = op_of(LEASE_OP_RESERVE, "192.0.2.9", "c");
	ops[4] = op_of(LEASE_OP_RESERVE, "192.0.2.8", "c");
	assert_int_equal(store_apply(f->store, ops, 5, &f->err), 0);
	assert_int_equal(store_stats(f->store)->commits, 1);
	assert_open(f, false, 3);
	l = lease_of_service(f->table, "kubernetes", "shop", "b");
	assert_non_null(l);
	assert_string_equal(l->uid, "u-1");
	assert_string_equal(l->pool, "web");
	assert_int_equal(l->since, NOW);
	assert_int_equal(lease_state(l, NOW + 5), LEASE_QUARANTINED);
	assert_int_equal(lease_state(l, NOW + 10), LEASE_STICKY);
	assert_int_equal(lease_state(l, NOW + 20), LEASE_EXPIRED);
	r = reservation_of_service(f->table, "shop", "c", "web", FAMILY_IPV4);
	assert_non_null(r);
	assert_int_equal(r->address.b[3], 8);
	assert_int_equal(r->since, NOW);
	ops[0].kind = LEASE_OP_DELETE;
	ops[1] = op_of(LEASE_OP_UNRESERVE, "192.0.2.8", "c");
	assert_int_equal(store_apply(f->store, ops, 2, &f->err), 0);
	assert_open(f, false, 2);
	r = reservation_of_service(f->table, "shop", "c", "web", FAMILY_IPV4);
	assert_int_equal(r->address.b[3], 9);
}

static void
test_history(void **state)
{
	struct fixture *f = *state;

	assert_open(f, false, 0);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	assert_int_equal(put(f, "2001:db8::1", "b"), 0);
	assert_int_equal(put(f, "192.0.2.1", "c"), 0);
	assert_history(f, NULL, NULL, NULL, 10,
	    "192.0.2.1 shop/a, 2001:db8::1 shop/b, 192.0.2.1 shop/c");
	assert_history(f, NULL, NULL, NULL, 2,
	    "2001:db8::1 shop/b, 192.0.2.1 shop/c");
	assert_history(f, "192.0.2.1", NULL, NULL, SIZE_MAX,
	    "192.0.2.1 shop/a, 192.0.2.1 shop/c");
	assert_history(f, "2001:DB8:0::1", NULL, NULL, 9, "2001:db8::1 shop/b");
	assert_history(f, NULL, "shop", "b", 9, "2001:db8::1 shop/b");
	assert_history(f, "192.0.2.1", "shop", "b", 9, "");
	assert_history(f, "x' OR 1", NULL, NULL, 9, "");
	exec_sql(f, "DELETE FROM ledger", SQLITE_CONSTRAINT);
	exec_sql(f, "UPDATE ledger SET reason = 'x'", SQLITE_CONSTRAINT);
}

/* The newest million stay; of what is older, two rows go with each one that
 * comes. */
static void
test_history_ends(void **state)
{
	struct fixture *f = *state;

	assert_open(f, false, 0);
	exec_sql(f,
	    "WITH n(id) AS (VALUES (1), (2), (3), (4), (5), (1000003))"
	    " INSERT INTO ledger SELECT id, 0, '', '10.0.0.' || id, '', 'n',"
	    " 's', '', '', '' FROM n",
	    SQLITE_OK);
	exec_sql(f, "DELETE FROM ledger WHERE id = 4", SQLITE_CONSTRAINT);
	exec_sql(f, "DELETE FROM ledger WHERE id = 3", SQLITE_OK);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	assert_history(f, NULL, "n", "s", 9,
	    "10.0.0.4 n/s, 10.0.0.5 n/s, 10.0.0.1000003 n/s");
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	assert_history(f, NULL, "n", "s", 9, "10.0.0.1000003 n/s");
}

static void
test_settings(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(store_get(f->store, "withdrawn"), "");
	assert_int_equal(store_set(f->store, "withdrawn", "true", &f->err),
	    -EAGAIN);
	assert_open(f, false, 0);
	assert_string_equal(store_get(f->store, "withdrawn"), "");
	assert_int_equal(store_set(f->store, "withdrawn", "true", &f->err), 0);
	assert_open(f, false, 0);
	assert_string_equal(store_get(f->store, "withdrawn"), "true");
}

/* One bad operation among good ones: none of them happened. */
static void
test_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct lease_op ops[2];

	assert_open(f, false, 0);
	exec_sql(f,
	    "CREATE TRIGGER t BEFORE INSERT ON ledger WHEN new.name = 'bad'"
	    " BEGIN SELECT raise(ABORT, 'no'); END",
	    SQLITE_OK);
	ops[0] = op_of(LEASE_OP_PUT, "192.0.2.1", "good");
	ops[1] = op_of(LEASE_OP_PUT, "192.0.2.2", "bad");
	assert_true(store_apply(f->store, ops, 2, &f->err) < 0);
	assert_text(f, f->path);
	assert_open(f, false, 0);
	assert_history(f, NULL, NULL, NULL, 9, "");
}

static void
test_locked(void **state)
{
	struct fixture *f = *state;
	struct store *second = store_new(f->path);
	sqlite3 *db = NULL;
	bool was_lost;

	assert_open(f, false, 0);
	assert_int_equal(store_open(second, NULL, NOW, &was_lost, &f->err),
	    -EBUSY);
	assert_text(f, "another eipd's");
	store_free(second);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(put(f, "192.0.2.1", "a"), -EBUSY);
	assert_text(f, "locked by another process");
	assert_true(store_is_open(f->store));
	sqlite3_close(db);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	assert_open(f, false, 1);
}

static const struct damage_case {
	const char *name;
	off_t at; /* where to write, */
	const char *data; /* what; NULL: cut there */
} damages[] = {
	{ "no database at all", 0, "this is a text file, not SQLite" },
	{ "header page", 100, "\xff\xff\xff\xff\xff\xff\xff\xff" },
	{ "a page of a table", 4096, "\xff\xff\xff\xff\xff\xff\xff\xff" },
	{ "cut in the middle", 6000, NULL },
	{ "cut to less than a header", 50, NULL },
};

static void
test_damaged(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		const struct damage_case *c = &damages[i];
		char aside[160];

		print_message("%s\n", c->name);
		assert_int_equal(open_again(f), 0);
		assert_int_equal(put(f, "192.0.2.1", "a"), 0);
		store_free(f->store); /* merges the -wal */
		f->store = NULL;
		if (c->data)
			write_at(f, c->at, c->data, strlen(c->data));
		else
			assert_int_equal(truncate(f->path, c->at), 0);
		assert_open(f, true, 0);
		assert_true(has_file(f, ".corrupt-20260921T141320Z"));
		assert_int_equal(put(f, "192.0.2.1", "a"), 0);
		assert_open(f, false, 1);
		snprintf(aside, sizeof(aside), "%s*", f->path);
		store_free(f->store);
		f->store = NULL;
		run("rm -f", aside);
	}
}

static void
test_empty_and_twice_aside(void **state)
{
	struct fixture *f = *state;

	write_at(f, 0, "xyzzy", 5);
	assert_open(f, true, 0);
	store_free(f->store);
	f->store = NULL;
	write_at(f, 0, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 30);
	assert_open(f, true, 0);
	assert_true(has_file(f, ".corrupt-20260921T141320Z"));
	assert_true(has_file(f, ".corrupt-20260921T141320Z-2"));
	store_free(f->store);
	f->store = NULL;
	assert_int_equal(truncate(f->path, 0), 0);
	assert_open(f, true, 0);
}

static void
test_missing_table(void **state)
{
	struct fixture *f = *state;

	assert_open(f, false, 0);
	exec_sql(f, "DROP TABLE lease", SQLITE_OK);
	assert_open(f, true, 0);
}

static void
test_newer(void **state)
{
	struct fixture *f = *state;
	char sql[64];

	assert_open(f, false, 0);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	exec_sql(f, "PRAGMA user_version = 99", SQLITE_OK);
	assert_int_equal(open_again(f), -ENOTSUP);
	assert_text(f, "schema 99, this eipd knows up to ");
	assert_text(f, "install a newer eipd");
	assert_int_equal(count(f), 0);
	assert_false(store_is_open(f->store));
	assert_string_equal(store_get(f->store, "x"), "");
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %zu",
	    store_n_migrations);
	exec_sql(f, sql, SQLITE_OK);
	assert_open(f, false, 1);
}

static void
test_foreign(void **state)
{
	struct fixture *f = *state;

	exec_sql(f, "CREATE TABLE photos (x)", SQLITE_OK);
	assert_int_equal(open_again(f), -EINVAL);
	assert_text(f, "another program's database");
	exec_sql(f, "INSERT INTO photos VALUES (1)", SQLITE_OK);
}

static void
test_bad_places(void **state)
{
	struct fixture *f = *state;
	char good[96];

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(open_again(f), -EISDIR);
	assert_text(f, "is a directory; set database: to a file");
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(open_again(f), -EINVAL);
	assert_int_equal(unlink(f->path), 0);
	memcpy(good, f->path, sizeof(good));
	snprintf(f->path, sizeof(f->path), "%s/none/eipd.db", f->dir);
	assert_int_equal(open_again(f), -ENOENT);
	assert_text(f, "create it, writable for uid");
	f->path[0] = '\0';
	assert_int_equal(open_again(f), -EINVAL);
	memcpy(f->path, good, sizeof(good));
	assert_open(f, false, 0);
}

/* Runs `fn` as nobody: permissions do not stop root. */
static void
as_anyone(struct fixture *f, void (*fn)(struct fixture *f))
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		fn(f);
		return;
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresuid(ANYONE, ANYONE, ANYONE) < 0)
			_exit(2);
		fn(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
open_read_only(struct fixture *f)
{
	struct lease_table *table = lease_table_new();
	struct store *store = store_new(f->path);
	bool was_lost = false;
	int rc = store_open(store, table, NOW, &was_lost, &f->err);

	if (rc != -EACCES || was_lost || !strstr(f->err.text, "mode")) {
		fprintf(stderr, "%d %s\n", rc, f->err.text);
		_exit(1);
	}
	store_free(store);
	lease_table_free(table);
}

static void
test_read_only(void **state)
{
	struct fixture *f = *state;

	assert_open(f, false, 0);
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(chmod(f->dir, 0777), 0);
	as_anyone(f, open_read_only);
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	as_anyone(f, open_read_only);
	assert_int_equal(chmod(f->dir, 0700), 0);
}

static void
fill_disk(const char *path)
{
	static const char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	close(fd);
}

static void
test_full_disk(void **state)
{
	struct fixture *f = *state;
	char filler[80];
	char name[32];
	int code = 0;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f->dir, "tmpfs", 0, "size=512k") < 0)
		skip();
	snprintf(filler, sizeof(filler), "%s/filler", f->dir);
	assert_open(f, false, 0);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	fill_disk(filler);
	for (int i = 0; i < 500 && code == 0; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		code = put(f, "192.0.2.2", name);
	}
	assert_int_equal(code, -ENOSPC);
	assert_text(f, "no space left on its disk; free some");
	assert_true(store_is_open(f->store));
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(put(f, "192.0.2.3", "c"), 0);
	assert_int_equal(open_again(f), 0);
	assert_null(lease_of_service(f->table, "kubernetes", "shop", name));
	assert_non_null(lease_of_service(f->table, "kubernetes", "shop", "c"));
	store_free(f->store);
	f->store = NULL;
	assert_int_equal(umount(f->dir), 0);
}

static void
test_disappears(void **state)
{
	static const char *const suffixes[] = { "", "-wal" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char name[128];

		assert_int_equal(open_again(f), 0);
		assert_int_equal(put(f, "192.0.2.1", "a"), 0);
		assert_false(store_is_lost(f->store));
		snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
		assert_int_equal(unlink(name), 0);
		assert_true(store_is_lost(f->store));
		assert_int_equal(put(f, "192.0.2.2", "b"), -EIO);
		assert_text(f, "was replaced or removed");
		assert_false(store_is_open(f->store));
		assert_true(store_is_lost(f->store));
	}
}

static void
test_removed_then_opened(void **state)
{
	struct fixture *f = *state;
	struct lease_table *table = lease_table_new();

	assert_open(f, false, 0);
	assert_int_equal(unlink(f->path), 0);
	assert_true(put(f, "192.0.2.2", "b") < 0);
	assert_int_equal(store_open(f->store, table, NOW, &f->was_lost,
			     &f->err),
	    0);
	assert_true(f->was_lost);
	assert_false(store_is_lost(f->store));
	lease_table_free(table);
	assert_int_equal(put(f, "192.0.2.2", "b"), 0);
	assert_open(f, false, 1);
}

static void
test_replaced(void **state)
{
	struct fixture *f = *state;
	char copy[128];
	char command[300];

	assert_open(f, false, 0);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	store_free(f->store);
	f->store = NULL;
	snprintf(copy, sizeof(copy), "%s.copy", f->path);
	snprintf(command, sizeof(command), "%s %s", f->path, copy);
	run("cp", command);
	assert_open(f, false, 1);
	assert_int_equal(put(f, "192.0.2.2", "b"), 0);
	assert_int_equal(rename(copy, f->path), 0);
	assert_true(store_is_lost(f->store));
	assert_int_equal(put(f, "192.0.2.3", "c"), -EIO);
}

/* A row that somebody wrote by hand does not stop the others. */
static void
test_nonsense_row(void **state)
{
	struct fixture *f = *state;

	assert_open(f, false, 0);
	assert_int_equal(put(f, "192.0.2.1", "a"), 0);
	exec_sql(f,
	    "INSERT INTO lease VALUES ('x', '', '', '', '', '', 0, 1, 0, 0, 0)",
	    SQLITE_OK);
	assert_open(f, false, 1);
}

static void
test_many(void **state)
{
	enum {
		N = 10000
	};
	struct fixture *f = *state;
	struct lease_op *ops = calloc(N, sizeof(*ops));
	char(*names)[16] = calloc(N, sizeof(*names));
	struct addr base;

	assert_int_equal(addr_parse("10.0.0.0", &base), 0);
	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "svc-%zu", i);
		ops[i] = op_of(LEASE_OP_PUT, "10.0.0.0", names[i]);
		assert_true(addr_add(&base, i / 2, &ops[i].lease.address));
	}
	assert_open(f, false, 0);
	assert_int_equal(store_apply(f->store, ops, N, &f->err), 0);
	assert_open(f, false, N);
	free(ops);
	free(names);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_history),
		TEST(test_history_ends),
		TEST(test_settings),
		TEST(test_all_or_nothing),
		TEST(test_locked),
		TEST(test_damaged),
		TEST(test_empty_and_twice_aside),
		TEST(test_missing_table),
		TEST(test_newer),
		TEST(test_foreign),
		TEST(test_bad_places),
		TEST(test_read_only),
		TEST(test_full_disk),
		TEST(test_disappears),
		TEST(test_removed_then_opened),
		TEST(test_replaced),
		TEST(test_nonsense_row),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
