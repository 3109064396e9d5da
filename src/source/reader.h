/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader: one reading after the other of a directory of manifests.
 *
 * Goes in steps of one document, so that a large directory does not hold up
 * the loop.  Remembers from one reading to the next which object stood in
 * which file: what a file held stays in force while the file cannot be read.
 */
#ifndef EIPD_SOURCE_READER_H
#define EIPD_SOURCE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "conf/tree.h"
#include "source/decode.h"
#include "source/sink.h"

struct reader_entry;

struct reader {
	const struct sink *sink;
	const char *cluster;
	enum decode_mode mode;
	char *dir;
	VEC(char *) names; /* sorted */
	size_t next; /* of `names` */
	char *path; /* of the file in `text`, NULL: none is open */
	struct str text;
	struct tree_part rest;
	struct reader_entry *entries;
	uint64_t generation;
	VEC(char *) broken; /* paths of which a part has no identity */
};

void reader_init(struct reader *r, const char *dir, const char *cluster,
    enum decode_mode mode, const struct sink *sink);
void reader_fini(struct reader *r);

/* Begins a reading, also in the middle of one.  If the directory cannot be
 * read nothing is delivered. */
ATTR_NODISCARD int reader_begin(struct reader *r, struct err *err);
/* Reads one document; false if the reading is at its end. */
bool reader_step(struct reader *r);

/* True if a file of that name is read. */
bool reader_wants(const char *name);

#endif
