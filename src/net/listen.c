/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

/* A full backlog refuses a unix client at once instead of letting it wait. */
enum {
	BACKLOG = SOMAXCONN
};

static socklen_t
fill_sockaddr(const struct addr *addr, uint16_t port,
    struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (addr->family == FAMILY_IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr->b, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr->b, 16);
	return sizeof(*in6);
}

int
listen_tcp(const struct addr *addr, uint16_t port, int *out, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t ss_b = fill_sockaddr(addr, port, &ss);
	char text[ADDR_TEXT_B];
	int on = 1;
	int fd;
	int rc;

	fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* "0.0.0.0" and "[::]" side by side. */
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, ss_b) < 0 ||
	    listen(fd, BACKLOG) < 0)
		goto fail;
	*out = fd;
	return 0;
fail:
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return err_set(err, rc,
	    "http.listen: cannot listen on %s port %u: %s; free the address "
	    "or change http.listen",
	    addr_text(addr, text), port, strerror(-rc));
}

/* 0: the name is free now. */
static int
remove_stale(const char *path, const struct sockaddr_un *un, struct err *err)
{
	struct stat st;
	int fd;
	int rc;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
		    "control.socket: %s exists and is not a socket; remove "
		    "it or choose another path",
		    path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "control.socket: socket: %s",
		    strerror(errno));
	/* EAGAIN: its backlog is full, so somebody is there. */
	rc = connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno
								       : 0;
	close(fd);
	if (rc == 0 || rc == -EAGAIN)
		return err_set(err, -EADDRINUSE,
		    "control.socket: another process answers on %s; stop it "
		    "or choose another path",
		    path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno,
		    "control.socket: cannot remove the stale %s: %s", path,
		    strerror(errno));
	return 0;
}

static int
check_directory(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	char *dir;
	int rc = 0;

	if (!slash || slash == path)
		return 0;
	dir = mem_strndup(path, (size_t)(slash - path));
	if (stat(dir, &st) < 0)
		rc = err_set(err, -errno,
		    "control.socket: directory %s: %s; create it or change "
		    "control.socket",
		    dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		rc = err_set(err, -ENOTDIR,
		    "control.socket: %s is not a directory; change "
		    "control.socket",
		    dir);
	free(dir);
	return rc;
}

static int
bind_unix(const char *path, const struct sockaddr_un *un, int *out,
    struct err *err)
{
	mode_t mask;
	int fd;
	int rc;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto fail;
	/* Never more open than 0660, not even for a moment. */
	mask = umask(0117);
	rc = bind(fd, (const struct sockaddr *)un, sizeof(*un));
	umask(mask);
	if (rc < 0)
		goto fail;
	if (listen(fd, BACKLOG) < 0) {
		rc = errno;
		unlink(path);
		errno = rc;
		goto fail;
	}
	*out = fd;
	return 0;
fail:
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return err_set(err, rc,
	    "control.socket: cannot listen on %s: %s; make its directory "
	    "writable for eipd or change control.socket",
	    path, strerror(-rc));
}

int
listen_unix(const char *path, int *out, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int rc;

	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(err, -ENAMETOOLONG,
		    "control.socket: %s is longer than %zu characters", path,
		    sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path, strlen(path) + 1);
	rc = check_directory(path, err);
	if (rc < 0)
		return rc;
	rc = remove_stale(path, &un, err);
	if (rc < 0)
		return rc;
	return bind_unix(path, &un, out, err);
}

int
listen_unix_group(const char *path, const char *group, struct err *err)
{
	bool is_named = group && *group;
	const struct group *gr = is_named ? getgrnam(group) : NULL;

	if (is_named && !gr)
		return err_set(err, -ENOENT,
		    "control.group: there is no group %s; create it or change "
		    "control.group, then reload",
		    group);
	if (lchown(path, (uid_t)-1, gr ? gr->gr_gid : getegid()) < 0)
		return err_set(err, -errno,
		    "control.group: cannot give %s to group %s: %s; make eipd "
		    "a member of it or change control.group, then reload",
		    path, is_named ? group : "of eipd", strerror(errno));
	return 0;
}
