/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static const char ready[] = "READY=1";

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_b;
	int64_t watchdog_us; /* 0: none */
	bool is_ready;
	bool owes_ready; /* it is, and the manager could not take it */
};

static void
read_address(struct notify *notify, const char *name)
{
	size_t n = name ? strlen(name) : 0;

	/* Others, as vsock, are a virtual machine's affair. */
	if (n < 2 || (name[0] != '/' && name[0] != '@') ||
	    n >= sizeof(notify->address.sun_path))
		return;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, name, n);
	notify->address_b =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (name[0] == '@')
		notify->address.sun_path[0] = '\0';
	else
		notify->address_b++; /* its NUL */
	notify->fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
read_watchdog(struct notify *notify, const char *usec, const char *pid)
{
	uint64_t us;
	uint64_t whose;

	if (!usec || str_to_u64(usec, INT64_MAX, &us) < 0)
		return;
	if (pid &&
	    (str_to_u64(pid, INT32_MAX, &whose) < 0 ||
		whose != (uint64_t)getpid()))
		return;
	notify->watchdog_us = (int64_t)us;
}

struct notify *
notify_new(void)
{
	struct notify *notify = mem_new(struct notify);

	notify->fd = -1;
	read_address(notify, getenv("NOTIFY_SOCKET"));
	if (notify->fd >= 0)
		read_watchdog(notify, getenv("WATCHDOG_USEC"),
		    getenv("WATCHDOG_PID"));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return notify;
}

void
notify_free(struct notify *notify)
{
	if (!notify)
		return;
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify);
}

/* False: the manager cannot take it now. */
static bool
send_text(const struct notify *notify, const char *text)
{
	return sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
		   (const struct sockaddr *)&notify->address,
		   notify->address_b) >= 0 ||
	    errno != EAGAIN;
}

/* But for readiness, which is told once, what is lost does not matter. */
static void
tell(struct notify *notify, const char *text)
{
	if (notify->fd < 0)
		return;
	if (notify->owes_ready)
		notify->owes_ready = !send_text(notify, ready);
	(void)send_text(notify, text);
}

void
notify_ready(struct notify *notify)
{
	notify->is_ready = true;
	if (notify->fd >= 0)
		notify->owes_ready = !send_text(notify, ready);
}

void
notify_reloading(struct notify *notify, mono_t now)
{
	char text[64];

	if (!notify->is_ready)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    now);
	tell(notify, text);
}

void
notify_reloaded(struct notify *notify)
{
	if (notify->is_ready)
		notify_ready(notify);
}

void
notify_stopping(struct notify *notify)
{
	tell(notify, "STOPPING=1");
}

void
notify_status(struct notify *notify, const char *text)
{
	char line[512];

	/* A further line would be a further variable. */
	snprintf(line, sizeof(line), "STATUS=%.*s", (int)strcspn(text, "\n"),
	    text);
	tell(notify, line);
}

void
notify_watchdog(struct notify *notify)
{
	tell(notify, "WATCHDOG=1");
}

int64_t
notify_watchdog_us(const struct notify *notify)
{
	return notify->watchdog_us / 2;
}
