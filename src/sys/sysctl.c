/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* First character, 0 if there is none. */
static char
read_first(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c;
}

int
sysctl_check_forwarding(enum family family, struct err *err)
{
	bool is_ipv4 = family == FAMILY_IPV4;
	const char *path = is_ipv4 ? "/proc/sys/net/ipv4/ip_forward"
				   : "/proc/sys/net/ipv6/conf/all/forwarding";
	const char *name =
	    is_ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";

	if (read_first(path) != '0')
		return 0;
	return err_set(err, -ENOTCONN,
	    "the kernel forwards no %s packets: %s is 0, set it to 1",
	    family_name(family), name);
}
