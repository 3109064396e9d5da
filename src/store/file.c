/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/denied.h"

static void
directory_of(const char *path, char out[FILE_PATH_B])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(out, FILE_PATH_B, ".");
	else if (slash == path)
		snprintf(out, FILE_PATH_B, "/");
	else
		snprintf(out, FILE_PATH_B, "%.*s", (int)(slash - path), path);
}

/* SQLite makes files beside the database, so both must be writable. */
static int
check_writable(const char *path, const char *what, struct err *err)
{
	int code;

	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
		return 0;
	code = -errno;
	if (code == -EROFS)
		return err_set(err, code,
		    "%s %.240s is on a read-only file system; mount it writable, or if only the unit makes it so, add ReadWritePaths= (systemctl edit eipd), or set database: to another place",
		    what, path);
	return err_set(err, code,
	    "%s %.240s cannot be written by uid %u: %s; change its owner or mode",
	    what, path, geteuid(), strerror(-code));
}

static int
check_directory(const char *path, struct err *err)
{
	char dir[FILE_PATH_B];
	struct stat st;

	directory_of(path, dir);
	if (stat(dir, &st) < 0) {
		int code = -errno;

		return err_set(err, code,
		    "directory %.240s of the database: %s; create it, writable for uid %u",
		    dir, strerror(-code), geteuid());
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR,
		    "%.240s is no directory; set database: to another place",
		    dir);
	return check_writable(dir, "directory", err);
}

int
file_check(const char *path, struct err *err)
{
	struct stat st;
	int rc;

	/* Longest suffix: ".corrupt-20261121T043800Z-99-wal". */
	if (!*path || strlen(path) > FILE_PATH_B - 64)
		return err_set(err, -EINVAL,
		    "\"%.64s\" is no usable file name; set database: to one",
		    path);
	rc = check_directory(path, err);
	if (rc < 0)
		return rc;
	if (stat(path, &st) < 0) {
		int code = -errno;

		if (code == -ENOENT)
			return 0;
		return err_set(err, code, "database %.240s: %s; check it", path,
		    strerror(-code));
	}
	if (S_ISDIR(st.st_mode))
		return err_set(err, -EISDIR,
		    "database %.240s is a directory; set database: to a file",
		    path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL,
		    "database %.240s is no regular file; set database: to one",
		    path);
	return check_writable(path, "database", err);
}

int
file_make_private(const char *path, struct err *err)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char name[FILE_PATH_B + 8];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (stat(name, &st) < 0 || !(st.st_mode & 0077) ||
		    chmod(name, S_IRUSR | S_IWUSR) == 0)
			continue;
		return err_set(err, -errno,
		    "database %.240s can be read by others and that cannot be changed: %s; give it to uid %u",
		    name, strerror(errno), geteuid());
	}
	return 0;
}

static bool
exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

int
file_lock(const char *path, int *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;

	if (code == 0) {
		*out = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (code == -EWOULDBLOCK)
		return err_set(err, -EBUSY,
		    "database %.240s is another eipd's, which runs; stop that one or set database: to another file",
		    path);
	return err_set(err, code, "database %.240s cannot be locked: %s%s",
	    path, strerror(-code), denied_remedy(code, path, ""));
}

int64_t
file_size_b(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

struct file_id
file_identify(const char *path, const char *suffix)
{
	char name[FILE_PATH_B];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	if (stat(name, &st) < 0)
		return (struct file_id){ 0 };
	return (struct file_id){ .dev = st.st_dev, .ino = st.st_ino };
}

bool
file_id_same(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

void
file_sync_directory(const char *path)
{
	char dir[FILE_PATH_B];
	int fd;

	directory_of(path, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static void
choose_name(const char *path, wall_t now, char out[FILE_PATH_B])
{
	char stamp[32];
	struct tm tm;
	time_t t = (time_t)now;

	memset(&tm, 0, sizeof(tm));
	gmtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(out, FILE_PATH_B, "%s.corrupt-%s", path, stamp);
	for (int i = 2; i < 100 && exists(out); i++)
		snprintf(out, FILE_PATH_B, "%s.corrupt-%s-%d", path, stamp, i);
}

int
file_set_aside(const char *path, wall_t now, char new_path[FILE_PATH_B],
    struct err *err)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };
	char from[FILE_PATH_B];
	char to[FILE_PATH_B + 8];

	choose_name(path, now, new_path);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		int code;

		snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
		snprintf(to, sizeof(to), "%s%s", new_path, suffixes[i]);
		if (rename(from, to) == 0 || errno == ENOENT)
			continue;
		code = -errno;
		return err_set(err, code,
		    "corrupt database %.160s cannot be moved to %.160s: %s; move it away by hand",
		    from, to, strerror(-code));
	}
	file_sync_directory(path);
	return 0;
}
