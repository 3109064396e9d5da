/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file: the database as files: may it be used, is it still the same, set it
 * aside.
 *
 * Only file_lock() opens the file, as closing a second descriptor drops
 * SQLite's own POSIX locks: whoever has it closes it after SQLite.
 */
#ifndef EIPD_STORE_FILE_H
#define EIPD_STORE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mono.h"

enum {
	FILE_PATH_B = 1024
};

/* A zeroed one means: no file. */
struct file_id {
	dev_t dev;
	ino_t ino;
};

/* 0 if `path` is, or can become, a database that we may write; the reason
 * with its remedy otherwise. */
ATTR_NODISCARD int file_check(const char *path, struct err *err);

/* For its owner only: the passwords of sessions are in it.  With what SQLite
 * has beside it. */
ATTR_NODISCARD int file_make_private(const char *path, struct err *err);
/* Against another eipd; whoever just looks, as sqlite3 does, is not kept out.
 * A descriptor in `out`, -EBUSY if another one has it. */
ATTR_NODISCARD int file_lock(const char *path, int *out, struct err *err);
/* -1: it does not exist. */
int64_t file_size_b(const char *path);

/* `suffix` is "" or "-wal". */
struct file_id file_identify(const char *path, const char *suffix);
bool file_id_same(const struct file_id *a, const struct file_id *b);

/* Of the file `path`: a rename is only durable once its directory is. */
void file_sync_directory(const char *path);

/* Renames `path` and its -wal and -shm to PATH.corrupt-TIME...; `new_path`
 * tells where. */
ATTR_NODISCARD int file_set_aside(const char *path, wall_t now,
    char new_path[FILE_PATH_B], struct err *err);

#endif
