/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_power: the database after a power cut at each moment.
 *
 * What store/ has reported as done is there afterwards, whole: leases, their
 * ledger, settings, remembered objects.  What was under way is there whole or
 * not at all.
 *
 * test_power [ROUNDS [SEED]]; each round begins with what a power cut at the
 * end of the one before left.
 */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/vec.h"
#include "disk.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/store.h"

enum {
	NOW = 1790000000,
	SERVER = 7,
	ADDRESSES = 24,
	OPS_MAX = ADDRESSES,
	TRANSACTIONS = 12, /* between two starts */
	CHECKPOINT_PAGES = 24, /* so that there are some */
	PATH_B = 96
};

static unsigned long rounds = 2;
static uint64_t first_seed = 1;

struct run {
	char folder[64]; /* where it runs, */
	char cut_folder[64]; /* where power cuts are tried */
	struct store *store;
	struct lease_table *table;
	uint64_t seed;
	wall_t now;
	/* What was promised, one after the other; before the first promise
	 * the first holds already. */
	VEC(char *) states;
	bool is_new; /* there was no database before */
	int oldest_backup; /* expected, schema; 0: none is */
	size_t n_cuts;
	char where[64]; /* the one that is tried */
};

static int
set_checkpoint(sqlite3 *db, char **error, const void *api)
{
	(void)error;
	(void)api;
	return sqlite3_wal_autocheckpoint(db, CHECKPOINT_PAGES);
}

static int
setup(void **state)
{
	struct run *r = mem_new(struct run);

	snprintf(r->folder, sizeof(r->folder), "/tmp/eipd-test-XXXXXX");
	snprintf(r->cut_folder, sizeof(r->cut_folder), "%s", r->folder);
	assert_non_null(mkdtemp(r->folder));
	assert_non_null(mkdtemp(r->cut_folder));
	r->seed = first_seed;
	r->now = NOW;
	r->is_new = true;
	*state = r;
	return 0;
}

static void
clear_folder(const char *folder)
{
	char path[PATH_B + 256];
	DIR *dir = opendir(folder);
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_type == DT_REG)
			assert_int_equal(unlink(path), 0);
	}
	closedir(dir);
}

static void
forget_states(struct run *r)
{
	char **s;

	VEC_FOREACH (s, &r->states)
		free(*s);
	vec_clear(&r->states);
}

static int
teardown(void **state)
{
	struct run *r = *state;

	clear_folder(r->folder);
	clear_folder(r->cut_folder);
	assert_int_equal(rmdir(r->folder), 0);
	assert_int_equal(rmdir(r->cut_folder), 0);
	forget_states(r);
	vec_fini(&r->states);
	free(r);
	return 0;
}

/* All that a start would find, as text. */

static void
add_manifest(void *arg, const char *manifest)
{
	str_printf(arg, "Eip of %zu octets, %" PRIx64 "\n", strlen(manifest),
	    str_hash(manifest));
}

static void
add_entry(void *arg, const struct ledger_entry *e)
{
	str_printf(arg, "%" PRId64 " %s %s %s\n", e->time, e->event, e->address,
	    e->name);
}

static void
add_rows(struct str *out, const struct lease_table *table)
{
	char address[ADDR_TEXT_B];
	const struct reservation **reservations;
	const struct lease **leases;
	size_t n;

	leases = lease_table_list(table, &n);
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s %s %s since %" PRId64 "\n",
		    addr_text(&leases[i]->address, address), leases[i]->name,
		    leases[i]->is_held ? "held" : "released", leases[i]->since);
	free(leases);
	reservations = reservation_list(table, &n);
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s for %s\n",
		    addr_text(&reservations[i]->address, address),
		    reservations[i]->name);
	free(reservations);
}

static char *
describe(struct store *store, const struct lease_table *table)
{
	struct str out = { 0 };
	struct err err;

	add_rows(&out, table);
	str_printf(&out, "withdrawn: %s\n", store_get(store, "withdrawn"));
	assert_int_equal(store_recall(store, OBJECT_EIP, SERVER, add_manifest,
			     &out, &err),
	    0);
	assert_int_equal(store_history(store, NULL, NULL, NULL, SIZE_MAX,
			     add_entry, &out, &err),
	    0);
	return str_steal(&out);
}

/* The churn. */

static size_t
dice(struct run *r, size_t n)
{
	return disk_random(&r->seed) % n;
}

static void
promise(struct run *r)
{
	vec_push(&r->states, describe(r->store, r->table));
	disk_promise();
}

static void
start(struct run *r)
{
	char path[PATH_B];
	struct err err;
	bool was_lost;

	snprintf(path, sizeof(path), "%s/eipd.db", r->folder);
	r->store = store_new(path);
	r->table = lease_table_new();
	if (store_open(r->store, r->table, r->now, &was_lost, &err) < 0)
		fail_msg("%s", err.text);
	if (r->states.n == 0)
		vec_push(&r->states, describe(r->store, r->table));
	promise(r);
}

static void
stop(struct run *r)
{
	store_free(r->store);
	lease_table_free(r->table);
}

/* One step of the lease of the address: nobody holds one that is held. */
static struct lease_op
next_op(struct run *r, size_t address)
{
	static const char *const names[] = { "svc-0", "svc-1", "svc-2",
		"svc-3" };
	struct lease_op op = {
		.kind = LEASE_OP_PUT,
		.lease = { .cluster = "kubernetes",
		    .ns = "shop",
		    .name = names[dice(r, ARRAY_LEN(names))],
		    .uid = "u-1",
		    .pool = "web",
		    .is_held = true,
		    .since = r->now },
		.event = "allocated",
		.reason = "",
		.at = r->now++,
	};
	char text[ADDR_TEXT_B];
	const struct lease *l;

	snprintf(text, sizeof(text),
	    address % 2 ? "2001:db8::%zu" : "192.0.2.%zu", address);
	assert_int_equal(addr_parse(text, &op.lease.address), 0);
	for (l = lease_of_address(r->table, &op.lease.address);
	     l && !l->is_held; l = lease_next_of_address(l))
		continue;
	if (l) {
		op.lease.name = names[l->name[4] - '0'];
		op.lease.is_held = false;
		op.lease.quarantine_until = r->now + 60;
		op.lease.sticky_until = r->now + 600;
		op.event = "released";
	} else if (dice(r, 4) == 0) {
		op.kind = LEASE_OP_DELETE + (enum lease_op_kind)dice(r, 3);
		op.event = "told";
	}
	return op;
}

static void
apply_ops(struct run *r, size_t n)
{
	struct lease_op ops[OPS_MAX];
	size_t address = dice(r, ADDRESSES);
	struct err err;

	for (size_t i = 0; i < n; i++)
		ops[i] = next_op(r, (address + i) % ADDRESSES);
	if (store_apply(r->store, ops, n, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < n; i++)
		lease_table_apply(r->table, &ops[i]);
}

static void
remember(struct run *r)
{
	static char text[10000];
	struct object o = { .kind = OBJECT_EIP, .name = "web" };
	const struct object *objects[] = { &o };
	struct err err;

	memset(text, 'a' + (char)dice(r, 26), sizeof(text));
	text[dice(r, sizeof(text))] = '\0';
	o.manifest = text;
	assert_int_equal(store_remember(r->store, OBJECT_EIP, SERVER, objects,
			     dice(r, 2), &err),
	    0);
	text[sizeof(text) - 1] = '\0';
}

static void
churn(struct run *r)
{
	struct err err;

	for (size_t i = 0; i < TRANSACTIONS; i++) {
		switch (dice(r, 8)) {
		case 0:
			remember(r);
			break;
		case 1:
			assert_int_equal(store_set(r->store, "withdrawn",
					     dice(r, 2) ? "true" : "", &err),
			    0);
			break;
		case 2:
			apply_ops(r, OPS_MAX);
			break;
		default:
			apply_ops(r, 1 + dice(r, 3));
		}
		promise(r);
	}
}

/* The power cuts. */

static void
check_backups(const struct run *r, const char *path)
{
	char name[PATH_B + 16];
	sqlite3_int64 schema;
	sqlite3 *db;
	struct err err;

	for (int v = r->oldest_backup; v && v < (int)store_n_migrations; v++) {
		snprintf(name, sizeof(name), "%s.bak-%d", path, v);
		if (access(name, F_OK) < 0)
			fail_msg("%s: no %s", r->where, name);
		assert_int_equal(db_open(name, &db, &err), 0);
		assert_int_equal(db_check(db, name, &err), 0);
		assert_int_equal(db_get_int(db, name, "PRAGMA user_version",
				     &schema, &err),
		    0);
		assert_int_equal(schema, v);
		db_close(db, false);
	}
}

static void
check_state(const struct run *r, size_t n_promised, const char *got)
{
	const char *want = r->states.v[n_promised];

	if (strcmp(got, want) == 0)
		return;
	if (n_promised + 1 < r->states.n &&
	    strcmp(got, r->states.v[n_promised + 1]) == 0)
		return;
	fail_msg("%s: promised:\n%sfound:\n%s", r->where, want, got);
}

/* What is found can also be used. */
static void
recover(struct run *r, size_t n_promised)
{
	struct lease_table *table = lease_table_new();
	struct err err = { 0 };
	char path[PATH_B];
	struct store *store;
	bool was_lost;
	char *got;

	snprintf(path, sizeof(path), "%s/eipd.db", r->cut_folder);
	store = store_new(path);
	if (store_open(store, table, r->now, &was_lost, &err) < 0)
		fail_msg("%s: %s", r->where, err.text);
	if (was_lost && (n_promised || !r->is_new))
		fail_msg("%s: lost: %s", r->where, err.text);
	got = describe(store, table);
	check_state(r, n_promised, got);
	free(got);
	check_backups(r, path);
	assert_int_equal(store_set(store, "withdrawn", "x", &err), 0);
	store_free(store);
	lease_table_free(table);
	clear_folder(r->cut_folder);
	r->n_cuts++;
}

/* At each moment of what was recorded. */
static void
cut_power(struct run *r, struct disk *disk)
{
	size_t n_promised = 0;
	enum disk_step step;

	for (size_t at = 0; (step = disk_advance(disk)) != DISK_END; at++) {
		enum disk_cut first = DISK_CUT_NONE;

		if (step == DISK_PROMISE) {
			n_promised++;
			continue;
		}
		if (step == DISK_WRITE)
			first = DISK_CUT_SOME;
		for (enum disk_cut cut = first; cut <= DISK_CUT_ALL; cut++) {
			snprintf(r->where, sizeof(r->where),
			    "operation %zu, cut %d", at, (int)cut);
			disk_write(disk, cut, &r->seed, r->cut_folder);
			recover(r, n_promised);
		}
	}
}

static void
test_churn(void **state)
{
	struct run *r = *state;

	for (unsigned long i = 0; i < rounds; i++) {
		struct disk *disk;

		print_message("round %lu, seed %" PRIu64 "\n", i, r->seed);
		disk_record(r->folder);
		start(r);
		churn(r);
		stop(r);
		start(r);
		churn(r);
		disk = disk_take();
		stop(r);
		cut_power(r, disk);
		clear_folder(r->folder);
		disk_write(disk, DISK_CUT_SOME, &r->seed, r->folder);
		disk_free(disk);
		forget_states(r);
		r->is_new = false;
	}
	print_message("%zu power cuts\n", r->n_cuts);
}

/* The first start with a database of an older eipd. */
static void
test_older(void **state)
{
	struct run *r = *state;
	char path[PATH_B];
	struct disk *disk;
	struct err err;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/eipd.db", r->folder);
	assert_int_equal(db_open(path, &db, &err), 0);
	assert_int_equal(migrate_run(db, path, store_migrations, 1, &err), 0);
	assert_int_equal(db_exec(db, path,
			     "INSERT INTO lease VALUES ('192.0.2.1', 'k', 'n',"
			     " 's', 'u', 'web', 0, 1, 1, 0, 0)",
			     &err),
	    0);
	db_close(db, false);
	r->is_new = false;
	r->oldest_backup = 1;
	disk_record(r->folder);
	start(r);
	disk = disk_take();
	stop(r);
	cut_power(r, disk);
	disk_free(disk);
	print_message("%zu power cuts\n", r->n_cuts);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_churn),
		TEST(test_older),
	};

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	disk_register();
	sqlite3_auto_extension((void (*)(void))set_checkpoint);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
