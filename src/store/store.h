/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: leases, reservations, the ledger and remembered objects in SQLite.
 *
 * WAL, synchronous FULL, readable by nobody else.  A database that cannot be used never ends the
 * process: every call says so and the caller retries.
 */
#ifndef EIPD_STORE_STORE_H
#define EIPD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/lease.h"
#include "model/object.h"

struct store;

struct store_stats {
	uint64_t commits;
	int64_t last_commit_us;
};

/* Remembers the path only; never fails. */
struct store *store_new(const char *path);
void store_free(struct store *store);

/* Opens, checks integrity, migrates (see migrate_run()),
 * and adds its rows to `table`, which stays as it is on failure.  May be
 * called again, after a failure or when store_is_lost().  A corrupt file is
 * set aside as PATH.corrupt-TIME and a new one begun: `*was_lost` is then
 * true, `table` empty, and `err` tells where the old one is; so also when the
 * file was found empty, or was removed since it was last open.  Errors name
 * the file and the remedy: -EIO, -EROFS, -EACCES, -ENOENT (directory),
 * -ENOSPC, -EBUSY, -EISDIR, -EINVAL (not ours), -ENOTSUP (schema newer than
 * this program). */
ATTR_NODISCARD int store_open(struct store *store, struct lease_table *table,
    wall_t now, bool *was_lost, struct err *err);
bool store_is_open(const struct store *store);

/* All in one transaction, durable when it returns: rows and ledger.  On
 * failure nothing of it happened; an error that will not pass by itself (not
 * -ENOSPC, -EBUSY, -ENOMEM) closes the store (store_is_open() turns false).
 * -EAGAIN if it is not open. */
ATTR_NODISCARD int store_apply(struct store *store, const struct lease_op *ops,
    size_t n, struct err *err);

/* A small named value, for what must survive a restart ("withdrawn"). */
ATTR_NODISCARD int store_set(struct store *store, const char *name,
    const char *value, struct err *err);
/* "" if absent; borrowed until the next call. */
const char *store_get(struct store *store, const char *name);

/* What is remembered of `kind` becomes `objects` (in order of name, each with
 * its manifest), as seen at the API server `server`.  Writes what differs,
 * nothing if nothing does. */
ATTR_NODISCARD int store_remember(struct store *store, enum object_kind kind,
    uint64_t server, const struct object *const *objects, size_t n,
    struct err *err);
/* The manifests of `kind` that are remembered of that server. */
ATTR_NODISCARD int store_recall(struct store *store, enum object_kind kind,
    uint64_t server, void (*fn)(void *arg, const char *manifest), void *arg,
    struct err *err);

struct ledger_entry {
	wall_t time;
	const char *event;
	const char *address;
	const char *cluster;
	const char *ns;
	const char *name;
	const char *uid;
	const char *pool;
	const char *reason;
};

/* Oldest first; `address` or `ns` and `name` narrow it, NULL means any; at
 * most the newest `limit`. */
ATTR_NODISCARD int store_history(struct store *store, const char *address,
    const char *ns, const char *name, size_t limit,
    void (*fn)(void *arg, const struct ledger_entry *entry), void *arg,
    struct err *err);

/* True if the file was replaced, removed or went bad under us, until it is
 * opened again. */
bool store_is_lost(struct store *store);

const struct store_stats *store_stats(const struct store *store);

#endif
