/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/denied.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* By the profile of systemd/apparmor.d, and not only watched by it. */
static bool
is_confined(void)
{
	static const char want[] = "eipd (enforce)";
	char label[sizeof(want)] = "";
	int fd = open("/proc/self/attr/apparmor/current", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	n = read(fd, label, sizeof(label) - 1);
	close(fd);
	return n > 0 && strcmp(label, want) == 0;
}

/* The profile has no say in this question; what it is asked of may have to
 * be made first. */
static bool
is_denied_by_mode(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 &&
	    errno == EACCES;
}

const char *
denied_remedy(int code, const char *path, const char *remedy)
{
	if (code != -EACCES || is_denied_by_mode(path) || !is_confined())
		return remedy;
	return "; its mode permits it, AppArmor does not: allow it in "
	       "/etc/apparmor.d/local/usr.sbin.eipd, then systemctl reload "
	       "apparmor";
}

const char *
denied_reading(int code, const char *path)
{
	if (code == -EACCES &&
	    (str_starts_with(path, "/home/") ||
		str_starts_with(path, "/root/")))
		return "; put it into /etc/eipd, readable for the user eipd "
		       "runs as: its unit hides /home and /root";
	return denied_remedy(code, path,
	    code == -EACCES ? "; make it readable for the user eipd runs as"
			    : "");
}
