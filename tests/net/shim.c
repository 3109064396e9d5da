/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim: a kernel that refuses, forgets and interrupts, a disk that fails, and a
 * clock that jumps.
 *
 * Preloaded into eipd.  The file $EIPD_SHIM, mapped and shared with the test,
 * says what is spoiled; a count goes down with each time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum batch_mode {
	BATCH_NOT_SENT = 1, /* sendto() fails */
	BATCH_REFUSED, /* the kernel's answer says so */
	BATCH_UNANSWERED, /* it is carried out, but reading the answer fails */
};

struct control {
	int64_t clock_us;
	int32_t batch_mode;
	int32_t batch_errno;
	int32_t batches;
	int32_t dumps; /* that something else interrupts */
	int32_t disk_errno; /* of all that SQLite writes or opens for that */
	int32_t nf_errno; /* there is no nf_tables: what the kernel says then */
	int32_t ct_errno; /* likewise conntrack, to whoever asks for it */
	int32_t disk_failures; /* counted up */
};

static int answer_fd = -1; /* whose next answer is not the kernel's */
static int is_answer_lost;
static int answer_errno;
static struct nlmsghdr answer_to;

static struct control *
control(void)
{
	static struct control *c;
	int fd;

	if (c)
		return c;
	fd = open(getenv("EIPD_SHIM"), O_RDWR | O_CLOEXEC);
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		abort();
	close(fd);
	return c;
}

/* Not by dlsym(), which allocates: a sanitizer's allocator asks for the time
 * before it is ready. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += (time_t)(control()->clock_us / 1000000);
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

static int
disk_failure(void)
{
	struct control *c = control();

	if (c->disk_errno)
		c->disk_failures++;
	return c->disk_errno;
}

/* Only SQLite uses these two with 64 in their names. */
int
open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	if ((flags & O_ACCMODE) != O_RDONLY) {
		errno = disk_failure();
		if (errno)
			return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	errno = disk_failure();
	return errno ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}

int
socket(int domain, int type, int protocol)
{
	if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER &&
	    control()->nf_errno == EPROTONOSUPPORT) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, domain, type, protocol);
}

ssize_t
sendto(int fd, const void *data, size_t size, int flags,
    const struct sockaddr *to, socklen_t len)
{
	static ssize_t (*real)(int, const void *, size_t, int,
	    const struct sockaddr *, socklen_t);
	const struct nlmsghdr *h = data;
	struct control *c = control();
	int is_netlink = to && to->sa_family == AF_NETLINK;
	int is_batch = is_netlink && h->nlmsg_type == NFNL_MSG_BATCH_BEGIN;
	int code = 0;

	if (!real)
		real = dlsym(RTLD_NEXT, "sendto");
	if (is_netlink &&
	    h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN))
		code = c->nf_errno;
	if (is_netlink && h->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK)
		code = c->ct_errno;
	if (code) {
		answer_fd = fd;
		answer_errno = code;
		answer_to = *h;
		is_answer_lost = 0;
		return (ssize_t)size;
	}
	if (!is_batch || c->batches <= 0)
		return real(fd, data, size, flags, to, len);
	c->batches--;
	if (c->batch_mode == BATCH_NOT_SENT) {
		errno = c->batch_errno;
		return -1;
	}
	answer_fd = fd;
	answer_errno = c->batch_errno;
	is_answer_lost = c->batch_mode == BATCH_UNANSWERED;
	memcpy(&answer_to, (const char *)data + NLMSG_ALIGN(h->nlmsg_len),
	    sizeof(answer_to));
	if (is_answer_lost)
		return real(fd, data, size, flags, to, len);
	return (ssize_t)size;
}

static ssize_t
answer(void *data, struct sockaddr *from, socklen_t *len)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = { .h = { .nlmsg_len = sizeof(m),
		    .nlmsg_type = NLMSG_ERROR,
		    .nlmsg_seq = answer_to.nlmsg_seq },
		.e = { .error = -answer_errno, .msg = answer_to } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	answer_fd = -1;
	if (is_answer_lost) {
		errno = answer_errno;
		return -1;
	}
	memcpy(data, &m, sizeof(m));
	memcpy(from, &kernel, sizeof(kernel));
	*len = sizeof(kernel);
	return sizeof(m);
}

ssize_t
recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from,
    socklen_t *len)
{
	static ssize_t (
	    *real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	struct control *c = control();
	struct nlmsghdr *h = data;
	ssize_t n;

	if (!real)
		real = dlsym(RTLD_NEXT, "recvfrom");
	if (fd == answer_fd)
		return answer(data, from, len);
	n = real(fd, data, size, flags, from, len);
	if (n < (ssize_t)sizeof(*h) || !from || from->sa_family != AF_NETLINK)
		return n;
	if (h->nlmsg_flags & NLM_F_MULTI && c->dumps > 0) {
		c->dumps--;
		h->nlmsg_flags |= NLM_F_DUMP_INTR;
	}
	return n;
}
