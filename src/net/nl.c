/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/nl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "base/mem.h"

enum {
	RX_B = 1 << 16,
	TX_WANTED_B = 64 << 20,
	RX_WANTED_B = 4 << 20,
	RX_TIMEOUT_S = 5,
	/* Of SO_SNDBUF, the rest is the kernel's bookkeeping. */
	TX_SHARE = 2,
};

struct nl {
	struct mnl_socket *sock;
	uint32_t seq;
	uint32_t dump_seq;
	bool dump_is_interrupted;
	size_t batch_max_b;
	uint8_t *rx;
};

static void
set_buffer(int fd, int force, int plain, int size_b)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size_b, sizeof(size_b)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size_b,
		    sizeof(size_b));
}

static void
tune(struct nl *nl)
{
	struct timeval timeout = { .tv_sec = RX_TIMEOUT_S };
	int fd = mnl_socket_get_fd(nl->sock);
	int size_b = 0;
	socklen_t len = sizeof(size_b);
	int one = 1;

	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, TX_WANTED_B);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RX_WANTED_B);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
	    sizeof(timeout));
	/* A refusal says why, and does not carry the whole message back. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	/* Dump filters of rtnetlink work in the kernel. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one,
	    sizeof(one));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size_b, &len) == 0 &&
	    size_b > 0)
		nl->batch_max_b = (size_t)size_b / TX_SHARE;
}

int
nl_open(int bus, struct nl **out, struct err *err)
{
	struct mnl_socket *sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	struct nl *nl;

	if (!sock)
		return err_set(err, -errno, "netlink socket (bus %d): %s; %s",
		    bus, strerror(errno),
		    errno == EPROTONOSUPPORT ? "load the module nfnetlink"
					     : "allow AF_NETLINK");
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int rc = -errno;

		mnl_socket_close(sock);
		return err_set(err, rc, "netlink socket (bus %d): bind: %s",
		    bus, strerror(-rc));
	}
	nl = mem_new(struct nl);
	nl->sock = sock;
	nl->batch_max_b = 64 << 10;
	nl->rx = mem_alloc(RX_B);
	tune(nl);
	*out = nl;
	return 0;
}

void
nl_close(struct nl *nl)
{
	if (!nl)
		return;
	mnl_socket_close(nl->sock);
	free(nl->rx);
	free(nl);
}

uint32_t
nl_next_seq(struct nl *nl)
{
	if (++nl->seq == 0)
		nl->seq = 1;
	return nl->seq;
}

size_t
nl_batch_max_b(const struct nl *nl)
{
	return nl->batch_max_b;
}

static int
send_all(struct nl *nl, const void *data, size_t size_b)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	for (;;) {
		if (sendto(mnl_socket_get_fd(nl->sock), data, size_b, 0,
			(const struct sockaddr *)&kernel, sizeof(kernel)) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Octets received from the kernel; nobody else is listened to. */
static ssize_t
receive(struct nl *nl, int flags)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(mnl_socket_get_fd(nl->sock), nl->rx, RX_B,
		    flags | MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN && !(flags & MSG_DONTWAIT)
			    ? -ETIMEDOUT
			    : -errno;
		if (from.nl_pid != 0)
			continue;
		return n > RX_B ? -EMSGSIZE : n;
	}
}

/* Leftovers of something that failed half way. */
static void
drain(struct nl *nl)
{
	for (;;) {
		ssize_t n = receive(nl, MSG_DONTWAIT);

		if (n < 0 && n != -ENOBUFS && n != -EMSGSIZE)
			return;
	}
}

/* 0 for an acknowledgement. */
static int
error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_len < mnl_nlmsg_size(sizeof(*e)))
		return -EBADMSG;
	return e->error > 0 ? -e->error : e->error;
}

static void
fill_text(const struct nlmsghdr *h, char *out, size_t size_b)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MSG + 1];

	/* With NETLINK_CAP_ACK the attributes follow the header at once. */
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	nl_parse(h, sizeof(struct nlmsgerr), attrs, ARRAY_LEN(attrs));
	if (attrs[NLMSGERR_ATTR_MSG] &&
	    mnl_attr_validate(attrs[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING) ==
		0)
		snprintf(out, size_b, "%s",
		    mnl_attr_get_str(attrs[NLMSGERR_ATTR_MSG]));
}

static const struct nlmsghdr *
first_message(const struct nl *nl)
{
	return (const struct nlmsghdr *)(const void *)nl->rx;
}

/* mnl_nlmsg_ok() takes a length of 2 GiB and more for a negative one. */
static bool
is_message(const struct nlmsghdr *m, int left)
{
	return mnl_nlmsg_ok(m, left) && m->nlmsg_len <= (unsigned int)left;
}

int
nl_request(struct nl *nl, struct nlmsghdr *h, nl_fn fn, void *arg)
{
	uint32_t seq = nl_next_seq(nl);
	int result = 0;
	int rc;

	h->nlmsg_seq = seq;
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	rc = send_all(nl, h, h->nlmsg_len);
	if (rc < 0)
		return rc;
	for (;;) {
		ssize_t n = receive(nl, 0);
		const struct nlmsghdr *m = first_message(nl);
		int left = (int)n;

		if (n < 0) {
			drain(nl);
			return (int)n;
		}
		for (; is_message(m, left); m = mnl_nlmsg_next(m, &left)) {
			if (m->nlmsg_seq != seq)
				continue;
			if (m->nlmsg_type == NLMSG_ERROR) {
				rc = error_of(m);
				return rc < 0 ? rc : result;
			}
			if (fn && result >= 0)
				result = fn(arg, m);
		}
	}
}

static void
note_refusal(struct nl_refusal *first, const struct nlmsghdr *h, int code)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	/* -EINTR and the like end a batch after the one that caused it. */
	if (first->code != 0)
		return;
	first->code = code;
	if (h->nlmsg_len >= mnl_nlmsg_size(sizeof(*e)))
		first->type = e->msg.nlmsg_type;
	first->seq = h->nlmsg_seq;
	fill_text(h, first->text, sizeof(first->text));
}

int
nl_send_batch(struct nl *nl, const struct nl_buf *buf, struct nl_refusal *first,
    void (*fn)(void *arg, uint32_t seq, int code), void *arg)
{
	int rc = send_all(nl, buf->p, buf->n);

	*first = (struct nl_refusal){ .code = rc };
	if (rc < 0)
		return rc;
	for (;;) {
		ssize_t n = receive(nl, MSG_DONTWAIT);
		const struct nlmsghdr *m = first_message(nl);
		int left = (int)n;

		if (n == -EAGAIN)
			return first->code;
		if (n < 0) {
			drain(nl);
			*first = (struct nl_refusal){ .code = (int)n };
			return (int)n;
		}
		for (; is_message(m, left); m = mnl_nlmsg_next(m, &left)) {
			int code;

			if (m->nlmsg_type != NLMSG_ERROR)
				continue;
			code = error_of(m);
			if (code == 0)
				continue;
			note_refusal(first, m, code);
			if (fn)
				fn(arg, m->nlmsg_seq, code);
		}
	}
}

int
nl_dump_start(struct nl *nl, struct nlmsghdr *h)
{
	nl->dump_seq = nl_next_seq(nl);
	nl->dump_is_interrupted = false;
	h->nlmsg_seq = nl->dump_seq;
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	return send_all(nl, h, h->nlmsg_len);
}

static int
dump_end(const struct nl *nl, const struct nlmsghdr *m)
{
	const int *code = mnl_nlmsg_get_payload(m);

	/* The dump function's own failure comes with the end. */
	if (m->nlmsg_len >= mnl_nlmsg_size(sizeof(*code)) && *code < 0)
		return *code;
	return nl->dump_is_interrupted ? -EINTR : 0;
}

int
nl_dump_step(struct nl *nl, nl_fn fn, void *arg)
{
	ssize_t n = receive(nl, 0);
	const struct nlmsghdr *m = first_message(nl);
	int left = (int)n;

	if (n < 0) {
		drain(nl);
		return (int)n;
	}
	for (; is_message(m, left); m = mnl_nlmsg_next(m, &left)) {
		int rc;

		if (m->nlmsg_seq != nl->dump_seq)
			continue;
		if (m->nlmsg_flags & NLM_F_DUMP_INTR)
			nl->dump_is_interrupted = true;
		if (m->nlmsg_type == NLMSG_DONE)
			return dump_end(nl, m);
		if (m->nlmsg_type == NLMSG_ERROR) {
			rc = error_of(m);
			return rc < 0 ? rc : -EBADMSG;
		}
		rc = fn(arg, m);
		if (rc < 0) {
			drain(nl);
			return rc;
		}
	}
	return 1;
}

int
nl_dump(struct nl *nl, struct nlmsghdr *h, nl_fn fn, void *arg)
{
	int rc = nl_dump_start(nl, h);

	if (rc < 0)
		return rc;
	do {
		rc = nl_dump_step(nl, fn, arg);
	} while (rc > 0);
	return rc;
}
