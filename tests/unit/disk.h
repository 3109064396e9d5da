/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk: what a power cut may leave of the files that SQLite and store/ wrote.
 *
 * A VFS above SQLite's own records each write, truncation, sync and change of
 * the folder; the program is linked with --wrap for the calls of store/.  The
 * record is then gone through operation by operation, and the disk of that
 * moment written out.
 *
 * The model: a sync makes the file's contents durable, a sync of the folder
 * its names.  Of the writes since, each reached the disk or not, or with some
 * of its sectors; of the changes of the folder, those up to any one of them.
 */
#ifndef EIPD_TESTS_DISK_H
#define EIPD_TESTS_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the recording VFS SQLite's default; once. */
void disk_register(void);

/* Records what happens in `folder`, from its present contents on. */
void disk_record(const char *folder);
/* Marks that what was written so far has been reported as done. */
void disk_promise(void);

struct disk;

/* Ends the recording; the disk is as it was when that began. */
struct disk *disk_take(void);
void disk_free(struct disk *disk);

enum disk_step {
	DISK_END,
	DISK_WRITE,
	DISK_OTHER,
	DISK_PROMISE,
};

/* Carries the next operation of the record out. */
enum disk_step disk_advance(struct disk *disk);

/* Of what is not synced the disk keeps */
enum disk_cut {
	DISK_CUT_NONE,
	DISK_CUT_SOME, /* each write with even chances, some torn */
	DISK_CUT_TORN, /* all, but of the last write only some sectors */
	DISK_CUT_ALL,
};

/* Writes the files as they are after a power cut now into `folder`, which is
 * empty. */
void disk_write(const struct disk *disk, enum disk_cut cut, uint64_t *seed,
    const char *folder);

/* The next of a series that `*seed` begins. */
uint64_t disk_random(uint64_t *seed);

#endif
