/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files: the `objects:` directory as a source, cluster CLUSTER_STATIC.
 *
 * Reads *.yaml *.yml *.json directly in it, in name order, and again whenever
 * inotify reports a change (settled for 50 ms).  An object given twice is
 * refused naming both places; the first stays.
 */
#ifndef EIPD_SOURCE_FILES_H
#define EIPD_SOURCE_FILES_H

#include <stdbool.h>

#include "base/err.h"
#include "source/sink.h"

struct files;
struct loop;

/* One whole reading of `dir` into `sink`: list_begin and list_end for every
 * kind around it.  Offline: no inotify, no loop.  -ENOENT and the like, with
 * the remedy, if the directory cannot be read (then nothing is delivered). */
ATTR_NODISCARD int files_read(const char *dir, const struct sink *sink,
    struct err *err);

/* The same for lists as `kubectl get -o json` prints them, read as the API
 * server's words, as objects of `cluster`. */
ATTR_NODISCARD int files_read_cluster(const char *dir, const char *cluster,
    const struct sink *sink, struct err *err);

/* Reads at once, then watches; a directory that is absent is retried. */
struct files *files_new(struct loop *loop, const char *dir,
    const struct sink *sink);
void files_free(struct files *files);
void files_reload(struct files *files);
/* A reading is under way: what was delivered is a part of it. */
bool files_is_reading(const struct files *files);
/* "" when the directory could be read. */
const char *files_problem(const struct files *files);

#endif
