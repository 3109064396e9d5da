/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/instance.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

static const char name[] = "eipd";

/* Open until the process ends, which is what holds the name. */
static int lock_fd = -1;

static socklen_t
abstract_address(struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(out->sun_path + 1, name, sizeof(name) - 1);
	return (
	    socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
}

/* 0 if it cannot be known (another pid namespace). */
static pid_t
holder(const struct sockaddr_un *address, socklen_t address_b)
{
	struct ucred cred = { 0 };
	socklen_t cred_b = sizeof(cred);
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)address, address_b) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_b) < 0)
		cred.pid = 0;
	close(fd);
	return cred.pid;
}

int
instance_lock(struct err *err)
{
	struct sockaddr_un address;
	socklen_t address_b = abstract_address(&address);
	int code;
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "abstract socket %s: %s", name,
		    strerror(errno));
	/* Nobody accepts: the queue only has to hold those who asked. */
	if (bind(fd, (struct sockaddr *)&address, address_b) == 0 &&
	    listen(fd, SOMAXCONN) == 0) {
		lock_fd = fd;
		return 0;
	}
	code = -errno;
	close(fd);
	if (code == -EADDRINUSE) {
		pid_t pid = holder(&address, address_b);

		if (pid > 0)
			return err_set(err, -EEXIST,
			    "another eipd runs in this network namespace, pid %d; stop that one first",
			    (int)pid);
		return err_set(err, -EEXIST,
		    "another eipd runs in this network namespace; stop that one first");
	}
	return err_set(err, code, "abstract socket %s: %s", name,
	    strerror(-code));
}
