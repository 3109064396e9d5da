/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * database: store/store.h in front of a disk that is a lease table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "store/store.h"

struct store {
	uint64_t file; /* the one it has open; 0: none */
	bool had_data;
	struct store_stats stats;
};

static struct lease_table *disk;
static uint64_t disk_file = 1; /* another number: another file */
static bool is_new_file = true; /* nobody has opened it */
static char withdrawn[16];
static struct {
	uint64_t server;
	VEC(char *) manifests;
} remembered[OBJECT__COUNT];
static enum database_fault fault;
static uint64_t commits;
static bool was_lost_once;

static struct lease_table *
get_disk(void)
{
	if (!disk)
		disk = lease_table_new();
	return disk;
}

const struct lease_table *
database_leases(void)
{
	return get_disk();
}

uint64_t
database_commits(void)
{
	return commits;
}

bool
database_was_lost(void)
{
	return was_lost_once;
}

void
database_forget_loss(void)
{
	was_lost_once = false;
}

enum database_fault
database_fault(void)
{
	return fault;
}

void
database_set_fault(enum database_fault f)
{
	fault = f;
}

bool
database_lose(void)
{
	bool was_withdrawn = *withdrawn != '\0';

	lease_table_free(disk);
	disk = NULL;
	disk_file++;
	is_new_file = true;
	withdrawn[0] = '\0';
	for (int k = 0; k < OBJECT__COUNT; k++)
		vec_clear(&remembered[k].manifests);
	was_lost_once = true;
	return was_withdrawn;
}

struct store *
store_new(const char *path)
{
	(void)path;
	return mem_new(struct store);
}

void
store_free(struct store *store)
{
	free(store);
}

bool
store_is_open(const struct store *store)
{
	return store->file != 0;
}

bool
store_is_lost(struct store *store)
{
	return store->file && store->file != disk_file;
}

const struct store_stats *
store_stats(const struct store *store)
{
	return &store->stats;
}

static void
copy_rows(const struct lease_table *from, struct lease_table *to)
{
	const struct lease **leases;
	const struct reservation **reserved;
	size_t n;

	leases = lease_table_list(from, &n);
	for (size_t i = 0; i < n; i++)
		lease_table_apply(to,
		    &(struct lease_op){ .kind = LEASE_OP_PUT,
			.lease = *leases[i],
			.at = leases[i]->since });
	free(leases);
	reserved = reservation_list(from, &n);
	for (size_t i = 0; i < n; i++)
		lease_table_apply(to,
		    &(struct lease_op){ .kind = LEASE_OP_RESERVE,
			.lease = { .address = reserved[i]->address,
			    .cluster = "",
			    .ns = reserved[i]->ns,
			    .name = reserved[i]->name,
			    .uid = "",
			    .pool = reserved[i]->pool },
			.at = reserved[i]->since });
	free(reserved);
}

int
store_open(struct store *store, struct lease_table *table, wall_t now,
    bool *was_lost, struct err *err)
{
	(void)now;
	store->file = 0;
	sim_operation("opening the database");
	if (fault == DATABASE_AWAY)
		return err_set(err, -EIO, "the database cannot be read");
	if (fault == DATABASE_READ_ONLY)
		return err_set(err, -EROFS, "the database is read-only");
	*was_lost = is_new_file && store->had_data;
	is_new_file = false;
	copy_rows(get_disk(), table);
	store->file = disk_file;
	store->had_data = true;
	return 0;
}

/* As sqlite fails: a full disk passes, anything else closes. */
static int
check_usable(struct store *store, struct err *err)
{
	if (!store->file)
		return err_set(err, -EAGAIN, "the database is not open");
	if (store->file == disk_file && fault == DATABASE_FINE)
		return 0;
	if (store->file == disk_file && fault == DATABASE_FULL)
		return err_set(err, -ENOSPC, "the disk is full");
	store->file = 0;
	if (fault == DATABASE_READ_ONLY)
		return err_set(err, -EROFS, "the database is read-only");
	return err_set(err, -EIO, "the database was removed or is unreadable");
}

int
store_apply(struct store *store, const struct lease_op *ops, size_t n,
    struct err *err)
{
	struct err local;
	int rc;

	sim_operation("before a database transaction");
	rc = check_usable(store, err ? err : &local);
	if (rc < 0 || n == 0)
		return rc;
	commits++;
	store->stats.commits++;
	for (size_t i = 0; i < n; i++) {
		check_lease_op(&ops[i]);
		lease_table_apply(get_disk(), &ops[i]);
	}
	sim_operation("after a database transaction");
	return 0;
}

int
store_set(struct store *store, const char *name, const char *value,
    struct err *err)
{
	int rc;

	(void)name;
	sim_operation("before a setting is written");
	rc = check_usable(store, err);
	if (rc < 0)
		return rc;
	snprintf(withdrawn, sizeof(withdrawn), "%s", value);
	sim_operation("after a setting is written");
	return 0;
}

const char *
store_get(struct store *store, const char *name)
{
	(void)name;
	return store->file ? withdrawn : "";
}

int
store_remember(struct store *store, enum object_kind kind, uint64_t server,
    const struct object *const *objects, size_t n, struct err *err)
{
	int rc;

	sim_operation("before objects are remembered");
	rc = check_usable(store, err);
	if (rc < 0)
		return rc;
	remembered[kind].server = server;
	for (size_t i = 0; i < remembered[kind].manifests.n; i++)
		free(remembered[kind].manifests.v[i]);
	vec_clear(&remembered[kind].manifests);
	for (size_t i = 0; i < n; i++)
		vec_push(&remembered[kind].manifests,
		    mem_strdup(objects[i]->manifest));
	sim_operation("after objects are remembered");
	return 0;
}

int
store_recall(struct store *store, enum object_kind kind, uint64_t server,
    void (*fn)(void *arg, const char *manifest), void *arg, struct err *err)
{
	int rc = check_usable(store, err);

	if (rc < 0 || remembered[kind].server != server)
		return rc;
	for (size_t i = 0; i < remembered[kind].manifests.n; i++)
		fn(arg, remembered[kind].manifests.v[i]);
	return 0;
}

int
store_history(struct store *store, const char *address, const char *ns,
    const char *name, size_t limit,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg,
    struct err *err)
{
	(void)store;
	(void)address;
	(void)ns;
	(void)name;
	(void)limit;
	(void)fn;
	(void)arg;
	return err_set(err, -EAGAIN, "no history here");
}
