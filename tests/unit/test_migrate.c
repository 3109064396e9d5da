/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_migrate: one schema to the next, with a backup of what was before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/migrate.h"

struct fixture {
	char dir[64];
	char path[96];
	sqlite3 *db;
	struct err err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/eipd-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/eipd.db", f->dir);
	assert_int_equal(sqlite3_open(f->path, &f->db), SQLITE_OK);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	sqlite3_close(f->db);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static bool
has_file(const struct fixture *f, const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", f->path, suffix);
	return access(name, F_OK) == 0;
}

static void
assert_sql(sqlite3 *db, const char *sql, int want)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), want);
}

static void
test_migration(void **state)
{
	static const struct migration v[] = {
		{ 1, "CREATE TABLE lease (a TEXT) STRICT" },
		{ 2, "ALTER TABLE lease ADD COLUMN b TEXT" },
		{ 3, "CREATE TABLE x (y); syntax error" },
	};
	struct fixture *f = *state;
	sqlite3 *backup = NULL;

	assert_int_equal(migrate_run(f->db, f->path, v, 1, &f->err), 0);
	assert_sql(f->db, "INSERT INTO lease VALUES ('one')", SQLITE_OK);
	assert_false(has_file(f, ".bak-0"));
	assert_int_equal(migrate_run(f->db, f->path, v, 2, &f->err), 0);
	assert_true(has_file(f, ".bak-1"));
	assert_false(has_file(f, ".bak-1.new"));
	assert_int_equal(migrate_run(f->db, f->path, v, 2, &f->err), 0);
	assert_false(has_file(f, ".bak-2"));
	/* A migration that fails leaves the schema before it. */
	assert_true(migrate_run(f->db, f->path, v, 3, &f->err) < 0);
	assert_non_null(strstr(f->err.text, "change to schema 3"));
	assert_sql(f->db, "SELECT y FROM x", SQLITE_ERROR);
	assert_int_equal(migrate_run(f->db, f->path, v, 2, &f->err), 0);
	assert_int_equal(migrate_run(f->db, f->path, v, 1, &f->err), -ENOTSUP);
	assert_non_null(strstr(f->err.text, ".bak-1 in its place"));
	strcat(f->path, ".bak-1");
	assert_int_equal(sqlite3_open(f->path, &backup), SQLITE_OK);
	assert_sql(backup, "SELECT a FROM lease WHERE a = 'one'", SQLITE_OK);
	assert_sql(backup, "SELECT b FROM lease", SQLITE_ERROR);
	sqlite3_close(backup);
}

static void
test_new(void **state)
{
	static const struct migration v[] = {
		{ 1, "CREATE TABLE lease (a TEXT) STRICT" },
		{ 2, "ALTER TABLE lease ADD COLUMN b TEXT" },
	};
	struct fixture *f = *state;

	assert_int_equal(migrate_run(f->db, f->path, v, 2, &f->err), 0);
	assert_false(has_file(f, ".bak-1"));
	assert_int_equal(migrate_run(f->db, f->path, v, 1, &f->err), -ENOTSUP);
	assert_non_null(strstr(f->err.text, "install a newer eipd"));
	assert_null(strstr(f->err.text, "in its place"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migration, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
