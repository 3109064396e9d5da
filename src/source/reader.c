/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/table.h"
#include "sys/denied.h"

enum {
	FILES_MAX = 10000
};

/* An object of the present or the last reading. */
struct reader_entry {
	char *key; /* "KIND/NAMESPACE/NAME" */
	enum object_kind kind;
	char *ns;
	char *name;
	char *path;
	unsigned int line;
	unsigned int column;
	uint64_t generation;
	UT_hash_handle hh;
};

static void
entry_free(struct reader_entry *e)
{
	free(e->key);
	free(e->ns);
	free(e->name);
	free(e->path);
	free(e);
}

static void
entry_remove(struct reader *r, struct reader_entry *e)
{
	HASH_DEL(r->entries, e);
	entry_free(e);
}

static struct reader_entry *
entry_get(struct reader *r, const struct decode_identity *id)
{
	struct reader_entry *e = NULL;
	char key[sizeof(id->ns) + sizeof(id->name) + 32];

	snprintf(key, sizeof(key), "%s/%s/%s", object_kind_name(id->kind),
	    id->ns, id->name);
	HASH_FIND_STR(r->entries, key, e);
	if (e)
		return e;
	e = mem_new(struct reader_entry);
	e->key = mem_strdup(key);
	e->kind = id->kind;
	e->ns = mem_strdup(id->ns);
	e->name = mem_strdup(id->name);
	HASH_ADD_KEYPTR(hh, r->entries, e->key, strlen(e->key), e);
	return e;
}

void
reader_init(struct reader *r, const char *dir, const char *cluster,
    enum decode_mode mode, const struct sink *sink)
{
	size_t n = strlen(dir);

	*r = (struct reader){ .sink = sink, .cluster = cluster, .mode = mode };
	while (n > 1 && dir[n - 1] == '/')
		n--;
	r->dir = mem_strndup(dir, n);
}

static void
close_file(struct reader *r)
{
	free(r->path);
	r->path = NULL;
	str_fini(&r->text);
	r->rest = (struct tree_part){ 0 };
}

static void
reset(struct reader *r)
{
	char **s;

	close_file(r);
	VEC_FOREACH (s, &r->names)
		free(*s);
	vec_fini(&r->names);
	VEC_FOREACH (s, &r->broken)
		free(*s);
	vec_fini(&r->broken);
	r->next = 0;
}

void
reader_fini(struct reader *r)
{
	struct reader_entry *e = NULL;
	struct reader_entry *next = NULL;

	HASH_ITER(hh, r->entries, e, next)
	entry_remove(r, e);
	reset(r);
	free(r->dir);
	*r = (struct reader){ 0 };
}

bool
reader_wants(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot &&
	    (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 ||
		strcmp(dot, ".json") == 0);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *
remedy(const struct reader *r, int code)
{
	if (code != ENOENT)
		return denied_reading(-code, r->dir);
	return r->mode == DECODE_FILE
	    ? "; create it or set objects: to another directory"
	    : "; name another with --cluster";
}

static int
list_directory(struct reader *r, struct err *err)
{
	DIR *dir = opendir(r->dir);
	const struct dirent *de;
	int code = errno;

	if (!dir)
		return err_set(err, -code, "%s%s", strerror(code),
		    remedy(r, code));
	while ((de = readdir(dir)) && r->names.n < FILES_MAX) {
		if (reader_wants(de->d_name))
			vec_push(&r->names, mem_strdup(de->d_name));
	}
	closedir(dir);
	if (de)
		return err_set(err, -E2BIG,
		    "more than %d files; put more objects into each",
		    FILES_MAX);
	vec_sort(&r->names, by_name);
	return 0;
}

int
reader_begin(struct reader *r, struct err *err)
{
	int rc;

	reset(r);
	rc = list_directory(r, err);
	if (rc < 0) {
		reset(r);
		return rc;
	}
	r->generation++;
	for (int kind = 0; kind < OBJECT__COUNT; kind++)
		r->sink->list_begin(r->sink->arg, kind, r->cluster);
	return 0;
}

static void
refuse(struct reader *r, const struct decode_identity *id,
    const struct err *err)
{
	r->sink->refused(r->sink->arg, id->kind, r->cluster, id->ns, id->name,
	    r->path, err);
}

static bool
is_identified(const struct decode_identity *id)
{
	return id->kind != OBJECT__COUNT && id->name[0];
}

/* Nobody knows which object this was meant to be: all that the file held
 * the last time stays. */
static void
mark_broken(struct reader *r)
{
	if (r->broken.n == 0 ||
	    strcmp(r->broken.v[r->broken.n - 1], r->path) != 0)
		vec_push(&r->broken, mem_strdup(r->path));
}

/* False (and told) if the object was given before in this reading. */
static bool
claim(struct reader *r, const struct tree *t, const struct decode_identity *id)
{
	struct reader_entry *e = entry_get(r, id);
	struct err err;

	if (e->generation == r->generation) {
		tree_err(t, &err,
		    "%s %s%s%s is already given at %s:%u:%u, which stays; remove one of them",
		    object_kind_name(id->kind), id->ns, *id->ns ? "/" : "",
		    id->name, e->path, e->line, e->column);
		refuse(r, id, &err);
		return false;
	}
	e->generation = r->generation;
	free(e->path);
	e->path = mem_strdup(r->path);
	e->line = t->line;
	e->column = t->column;
	return true;
}

static void
read_object(struct reader *r, const struct tree *t,
    const enum object_kind *kind)
{
	struct decode_identity id;
	struct object *o = NULL;
	struct err err;
	int rc = decode_object(t, kind, r->cluster, r->mode, &o, &id, &err);

	if (is_identified(&id) && !claim(r, t, &id)) {
		object_free(o);
		return;
	}
	if (rc < 0) {
		if (!is_identified(&id))
			mark_broken(r);
		refuse(r, &id, &err);
		return;
	}
	o->origin =
	    arena_printf(&o->arena, "%s:%u:%u", r->path, t->line, t->column);
	r->sink->put(r->sink->arg, o);
}

/* "List", or "ServiceList" and the like whose items need no kind.  NULL: no
 * list. */
static const struct tree *
items_of(const struct tree *doc, enum object_kind *kind, bool *has_kind)
{
	const struct tree *t = tree_get(doc, "kind");
	const struct tree *items = tree_get(doc, "items");
	size_t n;

	*has_kind = false;
	if (!t || t->kind != TREE_SCALAR || !items || items->kind != TREE_SEQ)
		return NULL;
	n = strlen(t->text);
	if (n < 4 || strcmp(t->text + n - 4, "List") != 0)
		return NULL;
	for (int k = 0; k < OBJECT__COUNT; k++) {
		const char *name = object_kind_name(k);

		if (strlen(name) != n - 4 || strncmp(name, t->text, n - 4) != 0)
			continue;
		*kind = k;
		*has_kind = true;
	}
	return items;
}

static void
read_document(struct reader *r, const struct tree *doc)
{
	enum object_kind kind;
	bool has_kind;
	const struct tree *items = items_of(doc, &kind, &has_kind);

	if (!items) {
		read_object(r, doc, NULL);
		return;
	}
	for (const struct tree *t = items->first; t; t = t->next)
		read_object(r, t,
		    has_kind && !tree_get(t, "kind") ? &kind : NULL);
}

struct complaints {
	VEC(struct err) v;
};

static void
keep_error(void *arg, const struct err *err)
{
	struct complaints *c = arg;

	vec_push(&c->v, *err);
}

/* A document with errors is not used, but what can be read of it may tell
 * whose last good version has to stay. */
static void
refuse_document(struct reader *r, const struct tree *doc,
    struct complaints *complaints)
{
	struct decode_identity id = { .kind = OBJECT__COUNT };
	struct err ignored;
	const struct err *e;

	if (doc && decode_identity(doc, NULL, r->mode, &id, &ignored) < 0 &&
	    !is_identified(&id))
		id = (struct decode_identity){ .kind = OBJECT__COUNT };
	if (!is_identified(&id))
		mark_broken(r);
	else if (!claim(r, doc, &id))
		return;
	VEC_FOREACH (e, &complaints->v)
		refuse(r, &id, e);
}

static void
read_part(struct reader *r, const struct tree_part *part)
{
	struct complaints complaints = { 0 };
	struct arena arena = { 0 };
	const struct tree *doc;

	if (tree_read(part, &arena, &doc, keep_error, &complaints))
		refuse_document(r, doc, &complaints);
	else if (doc)
		read_document(r, doc);
	vec_fini(&complaints.v);
	arena_fini(&arena);
}

/* O_NONBLOCK: a FIFO must not hold the loop up. */
static int
load(const char *path, struct str *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char buf[4096];
	struct stat st;
	ssize_t n = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EBADF;
	while (rc == 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		str_add_n(out, buf, (size_t)n);
		if (out->n > TREE_SIZE_MAX_B)
			rc = -EFBIG;
	}
	if (n < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void
open_file(struct reader *r, const char *name)
{
	struct decode_identity nobody = { .kind = OBJECT__COUNT };
	struct str path = { 0 };
	struct err err;
	int rc;

	str_printf(&path, "%s/%s", r->dir, name);
	r->path = str_steal(&path);
	rc = load(r->path, &r->text);
	if (rc < 0) {
		err_set(&err, rc, "cannot be read: %s%s",
		    rc == -EBADF ? "no regular file" : strerror(-rc),
		    denied_reading(rc, r->path));
		mark_broken(r);
		refuse(r, &nobody, &err);
		close_file(r);
		return;
	}
	r->rest = (struct tree_part){ str_get(&r->text), r->text.n, 1 };
}

static void
keep_entries(struct reader *r, const char *path)
{
	struct err err;
	struct reader_entry *e = NULL;
	struct reader_entry *next = NULL;

	err_set(&err, -EINVAL,
	    "the file has errors; the last good version stays in force");
	HASH_ITER(hh, r->entries, e, next)
	{
		if (e->generation == r->generation ||
		    strcmp(e->path, path) != 0)
			continue;
		e->generation = r->generation;
		r->sink->refused(r->sink->arg, e->kind, r->cluster, e->ns,
		    e->name, path, &err);
	}
}

static void
finish(struct reader *r)
{
	struct reader_entry *e = NULL;
	struct reader_entry *next = NULL;
	char **path;

	VEC_FOREACH (path, &r->broken)
		keep_entries(r, *path);
	HASH_ITER(hh, r->entries, e, next)
	{
		if (e->generation != r->generation)
			entry_remove(r, e);
	}
	for (int kind = 0; kind < OBJECT__COUNT; kind++)
		r->sink->list_end(r->sink->arg, kind, r->cluster);
	reset(r);
}

bool
reader_step(struct reader *r)
{
	struct tree_part part;

	if (r->path && tree_next_part(&r->rest, &part)) {
		read_part(r, &part);
		return true;
	}
	close_file(r);
	if (r->next < r->names.n) {
		open_file(r, r->names.v[r->next++]);
		return true;
	}
	finish(r);
	return false;
}
