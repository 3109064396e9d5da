/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sink: where every source delivers facts; implemented by daemon/.
 */
#ifndef EIPD_SOURCE_SINK_H
#define EIPD_SOURCE_SINK_H

#include "base/err.h"
#include "model/object.h"

struct sink {
	/* Added or modified; takes `object`. */
	void (*put)(void *arg, struct object *object);
	void (*gone)(void *arg, enum object_kind kind, const char *cluster,
	    const char *ns, const char *name);
	/* An item that cannot be used: its last good version stays in force.
	 * `name` may be "" if not even that could be read.  `where` is
	 * "FILE" or the API path; err->line and column for files. */
	void (*refused)(void *arg, enum object_kind kind, const char *cluster,
	    const char *ns, const char *name, const char *where,
	    const struct err *err);
	/* A full listing of (cluster, kind): what was neither put nor refused
	 * between the two no longer exists.  An aborted listing begins again
	 * without an end. */
	void (
	    *list_begin)(void *arg, enum object_kind kind, const char *cluster);
	void (*list_end)(void *arg, enum object_kind kind, const char *cluster);
	void *arg;
};

#endif
