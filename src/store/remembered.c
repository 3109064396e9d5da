/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/remembered.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "store/db.h"

/* One row to be written: put if it has an object, else deleted. */
struct change {
	const struct object *object;
	char *name;
};

struct changes {
	VEC(struct change) v;
};

static void
put(struct changes *changes, const struct object *o)
{
	vec_push(&changes->v, (struct change){ .object = o });
}

/* Rows and objects are both in order of name. */
static int
compare(sqlite3 *db, const char *path, enum object_kind kind, uint64_t server,
    const struct object *const *objects, size_t n, struct changes *changes,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	size_t i = 0;
	int rc;
	int code = db_prepare(db, path,
	    "SELECT name, server, manifest FROM object WHERE kind = ?1"
	    " ORDER BY name",
	    &stmt, err);

	if (code < 0)
		return code;
	db_bind_text(stmt, 1, object_kind_name(kind));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = db_column_text(stmt, 0);

		while (i < n && strcmp(objects[i]->name, name) < 0)
			put(changes, objects[i++]);
		if (i == n || strcmp(objects[i]->name, name) != 0) {
			vec_push(&changes->v,
			    (struct change){ .name = mem_strdup(name) });
			continue;
		}
		if ((uint64_t)sqlite3_column_int64(stmt, 1) != server ||
		    strcmp(db_column_text(stmt, 2), objects[i]->manifest) != 0)
			put(changes, objects[i]);
		i++;
	}
	while (i < n)
		put(changes, objects[i++]);
	if (rc != SQLITE_DONE)
		code = db_error(db, path, rc, err);
	sqlite3_finalize(stmt);
	return code;
}

static int
write_changes(sqlite3 *db, const char *path, enum object_kind kind,
    uint64_t server, const struct changes *changes, struct err *err)
{
	sqlite3_stmt *put_row = NULL;
	sqlite3_stmt *delete_row = NULL;
	const struct change *c;
	int code = db_prepare(db, path,
	    "INSERT OR REPLACE INTO object (kind, name, server, manifest)"
	    " VALUES (?1, ?2, ?3, ?4)",
	    &put_row, err);

	if (code == 0)
		code = db_prepare(db, path,
		    "DELETE FROM object WHERE kind = ?1 AND name = ?2",
		    &delete_row, err);
	VEC_FOREACH (c, &changes->v) {
		sqlite3_stmt *stmt = c->object ? put_row : delete_row;

		if (code < 0)
			break;
		db_bind_text(stmt, 1, object_kind_name(kind));
		db_bind_text(stmt, 2, c->object ? c->object->name : c->name);
		if (c->object) {
			sqlite3_bind_int64(stmt, 3, (sqlite3_int64)server);
			db_bind_text(stmt, 4, c->object->manifest);
		}
		code = db_step(db, path, stmt, err);
	}
	sqlite3_finalize(put_row);
	sqlite3_finalize(delete_row);
	return code;
}

int
remembered_write(sqlite3 *db, const char *path, enum object_kind kind,
    uint64_t server, const struct object *const *objects, size_t n,
    bool *is_changed, struct err *err)
{
	struct changes changes = { 0 };
	struct change *c;
	int code = compare(db, path, kind, server, objects, n, &changes, err);

	*is_changed = changes.v.n > 0;
	if (code == 0 && changes.v.n)
		code = write_changes(db, path, kind, server, &changes, err);
	VEC_FOREACH (c, &changes.v)
		free(c->name);
	vec_fini(&changes.v);
	return code;
}

int
remembered_read(sqlite3 *db, const char *path, enum object_kind kind,
    uint64_t server, void (*fn)(void *arg, const char *manifest), void *arg,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;
	int code = db_prepare(db, path,
	    "SELECT manifest FROM object WHERE kind = ?1 AND server = ?2"
	    " ORDER BY name",
	    &stmt, err);

	if (code < 0)
		return code;
	db_bind_text(stmt, 1, object_kind_name(kind));
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)server);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		fn(arg, db_column_text(stmt, 0));
	if (rc != SQLITE_DONE)
		code = db_error(db, path, rc, err);
	sqlite3_finalize(stmt);
	return code;
}
