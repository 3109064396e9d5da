/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remembered: the objects of the cluster that a start without its API server
 * needs.
 */
#ifndef EIPD_STORE_REMEMBERED_H
#define EIPD_STORE_REMEMBERED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/object.h"

/* Inside the caller's transaction: the rows of `kind` become `objects`, which
 * are in order of name.  `*is_changed`: there was something to write. */
ATTR_NODISCARD int remembered_write(sqlite3 *db, const char *path,
    enum object_kind kind, uint64_t server, const struct object *const *objects,
    size_t n, bool *is_changed, struct err *err);

ATTR_NODISCARD int remembered_read(sqlite3 *db, const char *path,
    enum object_kind kind, uint64_t server,
    void (*fn)(void *arg, const char *manifest), void *arg, struct err *err);

#endif
