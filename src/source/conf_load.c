/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_load: eipd.conf from its file.  Not in conf/, which does no I/O. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "sys/denied.h"

/* Anything larger is given to conf_parse(), too, which refuses it. */
enum {
	READ_MAX_B = (1 << 20) + 1
};

static int
read_all(int fd, struct str *text)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		str_add_n(text, buf, (size_t)n);
		if (text->n >= READ_MAX_B)
			return 0;
	}
	return n < 0 ? -errno : 0;
}

static const char *
remedy(int code)
{
	switch (-code) {
	case ENOENT:
		return "; create it or name another with -c";
	case EINVAL:
		return "; it must be a file, not a pipe or a device";
	case EACCES:
		return "; make it readable for this user";
	default:
		return "";
	}
}

int
conf_load(const char *path, struct conf *out,
    void (*on_error)(void *arg, const struct err *err), void *arg)
{
	/* O_NONBLOCK: a FIFO must not hold the process up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct str text = { 0 };
	struct stat st;
	struct err err;
	int rc;

	if (fd < 0)
		rc = -errno;
	else if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else
		rc = read_all(fd, &text);
	if (rc < 0) {
		err_set(&err, rc, "%s%s", strerror(-rc),
		    denied_remedy(rc, path, remedy(rc)));
		if (on_error)
			on_error(arg, &err);
	} else {
		rc = conf_parse(str_get(&text), text.n, out, on_error, arg);
	}
	str_fini(&text);
	if (fd >= 0)
		close(fd);
	return rc;
}
