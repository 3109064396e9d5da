/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrate: brings a database to the schema of this program.
 *
 * user_version is the number of the last migration; each runs in a
 * transaction of its own, after a backup PATH.bak-VERSION unless the database
 * is new.
 */
#ifndef EIPD_STORE_MIGRATE_H
#define EIPD_STORE_MIGRATE_H

#include <sqlite3.h>

#include "base/err.h"
#include "store/migrations.h"

/* "eipd", in the header of our files. */
#define MIGRATE_APPLICATION_ID 0x65697064

/* -ENOTSUP if the schema is newer than the last of `v`, -EINVAL if the file
 * is another program's. */
ATTR_NODISCARD int migrate_run(sqlite3 *db, const char *path,
    const struct migration *v, size_t n, struct err *err);

#endif
