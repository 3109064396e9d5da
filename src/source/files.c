/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files: when to read the directory again.
 *
 * inotify watches the directory, its parent (the directory may come, go or be
 * replaced) and what symbolic links in it point to.  Links of links and
 * network file systems escape it, so a cheap fingerprint is compared every
 * few seconds as well.
 */
#include "source/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/reader.h"
#include "sys/log.h"
#include "sys/loop.h"

#define SETTLE_US (50 * MONO_MS)
#define SETTLE_MAX_US (1 * MONO_S) /* with changes that do not end */
#define WRITE_US (1 * MONO_S) /* while someone writes in place */
#define WRITE_MAX_US (10 * MONO_S)
#define SLICE_US (5 * MONO_MS)
#define POLL_US (5 * MONO_S)
#define POLL_BLIND_US (1 * MONO_S)

enum {
	DIR_EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO |
	    IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
	    IN_MOVE_SELF,
	PARENT_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE,
	TARGET_EVENTS = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB |
	    IN_DELETE_SELF | IN_MOVE_SELF,
};

struct files {
	struct loop *loop;
	struct sink sink;
	struct reader reader;
	int fd; /* inotify; -1: none */
	int parent_wd;
	const char *base; /* last component of the directory */
	struct loop_fd *lfd;
	struct loop_timer *settle;
	struct loop_timer *step;
	struct loop_timer *poll;
	mono_t changed; /* first event not yet acted upon; 0: none */
	uint64_t fingerprint;
	struct err problem; /* code 0: none */
};

static int
read_whole(const char *dir, const char *cluster, enum decode_mode mode,
    const struct sink *sink, struct err *err)
{
	struct reader reader;
	int rc;

	reader_init(&reader, dir, cluster, mode, sink);
	rc = reader_begin(&reader, err);
	while (rc == 0 && reader_step(&reader))
		;
	reader_fini(&reader);
	return rc;
}

int
files_read(const char *dir, const struct sink *sink, struct err *err)
{
	return read_whole(dir, CLUSTER_STATIC, DECODE_FILE, sink, err);
}

int
files_read_cluster(const char *dir, const char *cluster,
    const struct sink *sink, struct err *err)
{
	return read_whole(dir, cluster, DECODE_API, sink, err);
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t
stat_hash(const struct stat *st)
{
	uint64_t h = mix(1, st->st_dev);

	h = mix(h, st->st_ino);
	h = mix(h, (uint64_t)st->st_size);
	h = mix(h, (uint64_t)st->st_mtim.tv_sec);
	h = mix(h, (uint64_t)st->st_mtim.tv_nsec);
	h = mix(h, (uint64_t)st->st_ctim.tv_sec);
	return mix(h, (uint64_t)st->st_ctim.tv_nsec);
}

/* Changes when the directory or a file read from it does; in no order. */
static uint64_t
fingerprint(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *de;
	uint64_t sum = 0;
	struct stat st;

	if (!dir)
		return (uint64_t)errno;
	if (fstat(dirfd(dir), &st) == 0)
		sum = mix(st.st_dev, st.st_ino);
	while ((de = readdir(dir))) {
		uint64_t h = str_hash(de->d_name);

		if (!reader_wants(de->d_name))
			continue;
		if (fstatat(dirfd(dir), de->d_name, &st, 0) == 0)
			h = mix(h, stat_hash(&st));
		sum += h;
	}
	closedir(dir);
	return sum;
}

static void
watch_end(struct files *f)
{
	loop_fd_free(f->lfd);
	f->lfd = NULL;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void
watch_links(struct files *f)
{
	const char *dir = f->reader.dir;
	DIR *d = opendir(dir);
	const struct dirent *de;
	struct str path = { 0 };
	struct stat st;

	if (!d)
		return;
	while ((de = readdir(d))) {
		if (!reader_wants(de->d_name) ||
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) <
			0 ||
		    !S_ISLNK(st.st_mode))
			continue;
		str_clear(&path);
		str_printf(&path, "%s/%s", dir, de->d_name);
		inotify_add_watch(f->fd, str_get(&path), TARGET_EVENTS);
	}
	str_fini(&path);
	closedir(d);
}

static void on_inotify(void *arg, unsigned int ready);

/* Anew for every reading: what it has to watch may have changed, and what
 * happens from now on is not missed. */
static void
watch_begin(struct files *f)
{
	const char *dir = f->reader.dir;
	size_t n = (size_t)(f->base - dir);
	char *parent = n ? mem_strndup(dir, n) : mem_strdup(".");

	watch_end(f);
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd < 0) {
		log_warn("files %s: no inotify, polling instead: %s", dir,
		    strerror(errno));
		free(parent);
		return;
	}
	f->parent_wd = inotify_add_watch(f->fd, parent, PARENT_EVENTS);
	free(parent);
	inotify_add_watch(f->fd, dir, DIR_EVENTS | IN_ONLYDIR);
	watch_links(f);
	f->lfd = loop_fd_new(f->loop, f->fd, on_inotify, f);
	loop_fd_want(f->lfd, LOOP_READ);
}

static void
set_problem(struct files *f, const struct err *err)
{
	if (err && strcmp(err->text, f->problem.text) != 0)
		log_warn("files %s: %s; the last good objects stay in force",
		    f->reader.dir, err->text);
	else if (!err && f->problem.code)
		log_notice("files %s: can be read again", f->reader.dir);
	f->problem = err ? *err : (struct err){ 0 };
}

/* False if the directory cannot be read. */
static bool
begin(struct files *f)
{
	struct err err;

	f->changed = 0;
	loop_timer_disarm(f->settle);
	watch_begin(f);
	f->fingerprint = fingerprint(f->reader.dir);
	if (reader_begin(&f->reader, &err) < 0) {
		set_problem(f, &err);
		return false;
	}
	set_problem(f, NULL);
	return true;
}

static void
on_step(void *arg)
{
	struct files *f = arg;
	mono_t until = loop_now(f->loop) + SLICE_US;

	while (reader_step(&f->reader)) {
		if (loop_now(f->loop) < until)
			continue;
		loop_timer_arm(f->step, 0);
		return;
	}
}

static void
on_settle(void *arg)
{
	struct files *f = arg;

	/* Else changes without end would let none come to its own. */
	if (files_is_reading(f))
		loop_timer_arm(f->settle, SETTLE_US);
	else if (begin(f))
		loop_timer_arm(f->step, 0);
}

/* A file that is written in place lacks objects until it is closed. */
static void
changed(struct files *f, bool is_writing)
{
	mono_t settle = is_writing ? WRITE_US : SETTLE_US;
	mono_t most = is_writing ? WRITE_MAX_US : SETTLE_MAX_US;
	mono_t now = loop_now(f->loop);

	if (!f->changed)
		f->changed = now;
	if (!loop_timer_is_armed(f->settle) || now - f->changed < most - settle)
		loop_timer_arm(f->settle, settle);
}

static void
on_inotify(void *arg, unsigned int ready)
{
	struct files *f = arg;
	alignas(struct inotify_event) char buf[4096];
	bool is_writing = false;
	bool is_ours = false;
	ssize_t n;

	(void)ready;
	n = read(f->fd, buf, sizeof(buf));
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		at += (ssize_t)(sizeof(*ev) + ev->len);
		is_ours |= ev->wd != f->parent_wd ||
		    (ev->len && strcmp(ev->name, f->base) == 0);
		is_writing = ev->mask & IN_MODIFY;
	}
	if (is_ours)
		changed(f, is_writing);
}

static void
on_poll(void *arg)
{
	struct files *f = arg;

	if (!f->changed && fingerprint(f->reader.dir) != f->fingerprint)
		changed(f, false);
	loop_timer_arm(f->poll,
	    f->problem.code || f->fd < 0 ? POLL_BLIND_US : POLL_US);
}

struct files *
files_new(struct loop *loop, const char *dir, const struct sink *sink)
{
	struct files *f = mem_new(struct files);
	const char *slash;

	f->loop = loop;
	f->sink = *sink;
	f->fd = -1;
	f->parent_wd = -1;
	f->settle = loop_timer_new(loop, on_settle, f);
	f->step = loop_timer_new(loop, on_step, f);
	f->poll = loop_timer_new(loop, on_poll, f);
	reader_init(&f->reader, dir, CLUSTER_STATIC, DECODE_FILE, &f->sink);
	slash = strrchr(f->reader.dir, '/');
	f->base = slash ? slash + 1 : f->reader.dir;
	if (begin(f)) {
		while (reader_step(&f->reader))
			;
	}
	on_poll(f);
	return f;
}

void
files_free(struct files *files)
{
	if (!files)
		return;
	watch_end(files);
	loop_timer_free(files->settle);
	loop_timer_free(files->step);
	loop_timer_free(files->poll);
	reader_fini(&files->reader);
	free(files);
}

void
files_reload(struct files *files)
{
	on_settle(files);
}

bool
files_is_reading(const struct files *files)
{
	return loop_timer_is_armed(files->step);
}

const char *
files_problem(const struct files *files)
{
	return files->problem.text;
}
