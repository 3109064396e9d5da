/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/vec.h"

enum {
	NAME_B = 64,
	PATH_B = 256,
	SECTOR_B = 512
};

enum op_kind {
	OP_WRITE,
	OP_TRUNCATE,
	OP_SYNC,
	OP_CREATE,
	OP_REMOVE,
	OP_RENAME,
	OP_SYNC_FOLDER,
	OP_PROMISE,
};

struct op {
	enum op_kind kind;
	size_t inode; /* of WRITE, TRUNCATE, SYNC, CREATE, REMOVE, RENAME */
	size_t at_b;
	size_t size_b;
	uint8_t *data;
	char name[NAME_B]; /* of CREATE, RENAME: the new one */
};

struct inode {
	char live[NAME_B]; /* its name while recorded; "": removed */
	char first[NAME_B]; /* when that began; "": not made yet */
	uint8_t *data;
	size_t size_b;
	VEC(const struct op *) pending; /* not synced */
};

struct disk {
	VEC(struct inode) inodes;
	VEC(struct op) ops;
	VEC(const struct op *) folder; /* its changes so far, */
	size_t n_synced; /* and how many of them are durable */
	size_t at;
};

static struct disk *recording;
static char recorded_folder[PATH_B];

uint64_t
disk_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* Recording. */

static bool
is_recorded(const char *path)
{
	size_t n = strlen(recorded_folder);

	return recording && path && strncmp(path, recorded_folder, n) == 0 &&
	    path[n] == '/';
}

static void
copy_name(char to[NAME_B], const char *path)
{
	const char *slash = strrchr(path, '/');

	assert_true(
	    snprintf(to, NAME_B, "%s", slash ? slash + 1 : path) < NAME_B);
}

static struct op *
record(enum op_kind kind, size_t inode)
{
	vec_push(&recording->ops, (struct op){ .kind = kind, .inode = inode });
	return &recording->ops.v[recording->ops.n - 1];
}

/* SIZE_MAX: no such file. */
static size_t
find_inode(const char *path)
{
	char name[NAME_B];

	copy_name(name, path);
	for (size_t i = 0; i < recording->inodes.n; i++)
		if (strcmp(recording->inodes.v[i].live, name) == 0)
			return i;
	return SIZE_MAX;
}

static size_t
find_or_create(const char *path)
{
	size_t i = find_inode(path);
	struct inode inode = { 0 };

	if (i != SIZE_MAX)
		return i;
	copy_name(inode.live, path);
	vec_push(&recording->inodes, inode);
	i = recording->inodes.n - 1;
	copy_name(record(OP_CREATE, i)->name, path);
	return i;
}

static void
record_remove(const char *path)
{
	size_t i = is_recorded(path) ? find_inode(path) : SIZE_MAX;

	if (i == SIZE_MAX)
		return;
	record(OP_REMOVE, i);
	recording->inodes.v[i].live[0] = '\0';
}

static void
record_sync_folder(void)
{
	if (recording)
		record(OP_SYNC_FOLDER, SIZE_MAX);
}

/* The calls of store/: see --wrap in Makefile.inc. */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_fsync(int fd);

int
__wrap_rename(const char *from, const char *to)
{
	int rc = __real_rename(from, to);
	size_t i = rc == 0 && is_recorded(from) ? find_inode(from) : SIZE_MAX;
	size_t old;

	if (i == SIZE_MAX)
		return rc;
	old = find_inode(to);
	if (old != SIZE_MAX)
		recording->inodes.v[old].live[0] = '\0';
	copy_name(record(OP_RENAME, i)->name, to);
	copy_name(recording->inodes.v[i].live, to);
	return rc;
}

int
__wrap_unlink(const char *path)
{
	int rc = __real_unlink(path);

	if (rc == 0)
		record_remove(path);
	return rc;
}

/* store/ itself syncs nothing but folders. */
int
__wrap_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	record_sync_folder();
	return 0;
}

/* The VFS. */

struct file {
	sqlite3_file base;
	size_t inode; /* SIZE_MAX: not recorded */
	bool is_folder_due; /* as in SQLite's own: see file_sync() */
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *
real_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static struct file *
file_of(sqlite3_file *f)
{
	return (struct file *)f;
}

static sqlite3_file *
real_of(sqlite3_file *f)
{
	return file_of(f)->real;
}

static bool
is_file_recorded(sqlite3_file *f)
{
	return recording && file_of(f)->inode != SIZE_MAX;
}

static int
file_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int
file_read(sqlite3_file *f, void *data, int size_b, sqlite3_int64 at_b)
{
	return real_of(f)->pMethods->xRead(real_of(f), data, size_b, at_b);
}

static int
file_write(sqlite3_file *f, const void *data, int size_b, sqlite3_int64 at_b)
{
	if (is_file_recorded(f)) {
		struct op *op = record(OP_WRITE, file_of(f)->inode);

		op->at_b = (size_t)at_b;
		op->size_b = (size_t)size_b;
		op->data = mem_dup(data, op->size_b);
	}
	return real_of(f)->pMethods->xWrite(real_of(f), data, size_b, at_b);
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size_b)
{
	if (is_file_recorded(f))
		record(OP_TRUNCATE, file_of(f)->inode)->at_b = (size_t)size_b;
	return real_of(f)->pMethods->xTruncate(real_of(f), size_b);
}

/* Never for real: the machine stays on.  SQLite's own syncs the folder with
 * the first sync of a journal that it made. */
static int
file_sync(sqlite3_file *f, int flags)
{
	(void)flags;
	if (is_file_recorded(f)) {
		record(OP_SYNC, file_of(f)->inode);
		if (file_of(f)->is_folder_due)
			record_sync_folder();
	}
	file_of(f)->is_folder_due = false;
	return SQLITE_OK;
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *size_b)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size_b);
}

static int
file_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int
file_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int
file_check_lock(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int
file_sector_size(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int
file_characteristics(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int
file_shm_map(sqlite3_file *f, int page, int size_b, int extend,
    void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size_b, extend,
	    out);
}

static int
file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void
file_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int
file_shm_unmap(sqlite3_file *f, int is_last)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), is_last);
}

/* Version 2: without mapped files, which would be written unseen. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags,
    int *out_flags)
{
	const int journals = SQLITE_OPEN_MAIN_JOURNAL |
	    SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
	struct file *file = file_of(f);
	int rc;

	*file = (struct file){ .inode = SIZE_MAX,
		.real = (sqlite3_file *)(file + 1) };
	rc = real_vfs(vfs)->xOpen(real_vfs(vfs), path, file->real, flags,
	    out_flags);
	if (rc != SQLITE_OK)
		return rc;
	file->base.pMethods = &file_methods;
	if (!is_recorded(path))
		return rc;
	file->inode = find_or_create(path);
	file->is_folder_due =
	    (flags & SQLITE_OPEN_CREATE) && (flags & journals);
	return rc;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int is_synced)
{
	int rc = real_vfs(vfs)->xDelete(real_vfs(vfs), path, 0);

	if (rc == SQLITE_OK && is_recorded(path)) {
		record_remove(path);
		if (is_synced)
			record_sync_folder();
	}
	return rc;
}

void
disk_register(void)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	vfs = *real;
	vfs.pNext = NULL;
	vfs.zName = "disk";
	vfs.pAppData = real;
	vfs.szOsFile += (int)sizeof(struct file);
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* What is there, into a new inode. */
static void
read_inode(struct disk *disk, const char *folder, const char *name)
{
	struct inode inode = { 0 };
	char path[PATH_B];
	struct stat st;
	int fd;

	copy_name(inode.live, name);
	copy_name(inode.first, name);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	inode.size_b = (size_t)st.st_size;
	inode.data = mem_alloc(inode.size_b + 1);
	assert_int_equal(read(fd, inode.data, inode.size_b), inode.size_b);
	close(fd);
	vec_push(&disk->inodes, inode);
}

void
disk_record(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	assert_non_null(dir);
	recording = mem_new(struct disk);
	snprintf(recorded_folder, sizeof(recorded_folder), "%s", folder);
	while ((e = readdir(dir)))
		if (e->d_type == DT_REG)
			read_inode(recording, folder, e->d_name);
	closedir(dir);
}

void
disk_promise(void)
{
	record(OP_PROMISE, SIZE_MAX);
}

struct disk *
disk_take(void)
{
	struct disk *disk = recording;

	recording = NULL;
	return disk;
}

void
disk_free(struct disk *disk)
{
	struct inode *i;
	struct op *op;

	if (!disk)
		return;
	VEC_FOREACH (i, &disk->inodes) {
		free(i->data);
		vec_fini(&i->pending);
	}
	VEC_FOREACH (op, &disk->ops)
		free(op->data);
	vec_fini(&disk->inodes);
	vec_fini(&disk->ops);
	vec_fini(&disk->folder);
	free(disk);
}

/* Going through the record. */

/* Contents of a file, while operations are carried out on them. */
static void
resize(struct inode *f, size_t size_b)
{
	f->data = mem_resize(f->data, size_b + 1, 1);
	if (size_b > f->size_b)
		memset(f->data + f->size_b, 0, size_b - f->size_b);
	f->size_b = size_b;
}

static void
put(struct inode *f, const struct op *op, size_t from_b, size_t size_b)
{
	size_t end_b = op->at_b + from_b + size_b;

	if (end_b > f->size_b)
		resize(f, end_b);
	memcpy(f->data + op->at_b + from_b, op->data + from_b, size_b);
}

static void
apply(struct inode *f, const struct op *op)
{
	if (op->kind == OP_TRUNCATE)
		resize(f, op->at_b);
	else
		put(f, op, 0, op->size_b);
}

/* Each sector with even chances; a short write is one sector. */
static void
apply_torn(struct inode *f, const struct op *op, uint64_t *seed)
{
	if (op->kind == OP_TRUNCATE)
		return;
	for (size_t at = 0; at < op->size_b; at += SECTOR_B)
		if (disk_random(seed) & 1)
			put(f, op, at,
			    op->size_b - at < SECTOR_B ? op->size_b - at
						       : SECTOR_B);
}

/* The names after `n` changes of the folder. */
static void
find_names(const struct disk *disk, size_t n, char (*names)[NAME_B])
{
	for (size_t i = 0; i < disk->inodes.n; i++)
		memcpy(names[i], disk->inodes.v[i].first, NAME_B);
	for (size_t k = 0; k < n; k++) {
		const struct op *op = disk->folder.v[k];

		for (size_t i = 0; i < disk->inodes.n; i++)
			if (strcmp(names[i], op->name) == 0)
				names[i][0] = '\0';
		memcpy(names[op->inode], op->name, NAME_B);
	}
}

enum disk_step
disk_advance(struct disk *disk)
{
	const struct op *op;
	const struct op **p;
	struct inode *f;

	if (disk->at == disk->ops.n)
		return DISK_END;
	op = &disk->ops.v[disk->at++];
	f = op->inode == SIZE_MAX ? NULL : &disk->inodes.v[op->inode];
	switch (op->kind) {
	case OP_WRITE:
	case OP_TRUNCATE:
		vec_push(&f->pending, op);
		return DISK_WRITE;
	case OP_SYNC:
		VEC_FOREACH (p, &f->pending)
			apply(f, *p);
		vec_clear(&f->pending);
		return DISK_OTHER;
	case OP_CREATE:
	case OP_REMOVE:
	case OP_RENAME:
		vec_push(&disk->folder, op);
		return DISK_OTHER;
	case OP_SYNC_FOLDER:
		disk->n_synced = disk->folder.n;
		return DISK_OTHER;
	case OP_PROMISE:
		break;
	}
	return DISK_PROMISE;
}

static void
apply_cut(const struct disk *disk, struct inode *f, const struct op *op,
    enum disk_cut cut, uint64_t *seed)
{
	bool is_last = op == &disk->ops.v[disk->at - 1];
	unsigned int dice = disk_random(seed) % 8;

	if (cut == DISK_CUT_ALL || (cut == DISK_CUT_TORN && !is_last) ||
	    (cut == DISK_CUT_SOME && dice < 4))
		apply(f, op);
	else if (cut == DISK_CUT_TORN || (cut == DISK_CUT_SOME && dice == 4))
		apply_torn(f, op, seed);
}

/* How many of the changes of the folder are kept. */
static size_t
count_kept(const struct disk *disk, enum disk_cut cut, uint64_t *seed)
{
	size_t n_pending = disk->folder.n - disk->n_synced;

	if (cut == DISK_CUT_NONE)
		return disk->n_synced;
	if (cut == DISK_CUT_SOME)
		return disk->n_synced + disk_random(seed) % (n_pending + 1);
	return disk->folder.n;
}

static void
write_file(const struct inode *f, const char *folder, const char *name)
{
	char path[PATH_B];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->data, f->size_b), f->size_b);
	close(fd);
}

void
disk_write(const struct disk *disk, enum disk_cut cut, uint64_t *seed,
    const char *folder)
{
	char(*names)[NAME_B] = mem_alloc(disk->inodes.n * NAME_B + 1);
	const struct op **p;

	find_names(disk, count_kept(disk, cut, seed), names);
	for (size_t i = 0; i < disk->inodes.n; i++) {
		struct inode f = disk->inodes.v[i];

		if (!*names[i])
			continue;
		f.data = mem_dup(f.data, f.size_b);
		VEC_FOREACH (p, &disk->inodes.v[i].pending)
			apply_cut(disk, &f, *p, cut, seed);
		write_file(&f, folder, names[i]);
		free(f.data);
	}
	free(names);
}
