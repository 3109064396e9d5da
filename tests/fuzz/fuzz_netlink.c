/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_netlink: a kernel that answers what it likes, to a start, a commit, the
 * flush of flows and a second reading.
 *
 * Input: datagrams, each behind its length in two octets (low one first).
 * Sequence numbers are put right, or nothing would be looked at.  When the
 * input is used up, every request is acknowledged and every dump is empty.
 * Linked with --wrap for the two calls below.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "apply/nft.h"
#include "base/attr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);
ssize_t __wrap_sendto(int fd, const void *data, size_t size_b, int flags,
    const struct sockaddr *to, socklen_t to_b);
ssize_t __wrap_recvfrom(int fd, void *out, size_t cap_b, int flags,
    struct sockaddr *from, socklen_t *from_b);

enum {
	/* A dump that never ends is not what is looked for. */
	RECEIVES_MAX = 20000,
	FLUSH_US = 1000,
};

static const uint8_t *input;
static size_t left_b;
static uint32_t seq; /* of the last message sent */
static int n_receives;

ssize_t
__wrap_sendto(int fd, const void *data, size_t size_b, int flags,
    const struct sockaddr *to, socklen_t to_b)
{
	const uint8_t *p = data;
	size_t at = 0;

	(void)fd;
	(void)flags;
	(void)to;
	(void)to_b;
	while (at + sizeof(struct nlmsghdr) <= size_b) {
		struct nlmsghdr h;

		memcpy(&h, p + at, sizeof(h));
		seq = h.nlmsg_seq;
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	return (ssize_t)size_b;
}

/* A dump takes an acknowledgement for its end too. */
static size_t
acknowledge(void *out)
{
	struct nlmsgerr *e;
	struct nlmsghdr *h = mnl_nlmsg_put_header(out);

	h->nlmsg_type = n_receives % 2 ? NLMSG_DONE : NLMSG_ERROR;
	h->nlmsg_seq = seq;
	e = mnl_nlmsg_put_extra_header(h, sizeof(*e));
	e->error = n_receives > RECEIVES_MAX ? -EIO : 0;
	return h->nlmsg_len;
}

static void
put_sequence_right(uint8_t *out, size_t size_b)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= size_b) {
		struct nlmsghdr h;

		memcpy(&h, out + at, sizeof(h));
		h.nlmsg_seq = seq;
		memcpy(out + at, &h, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > size_b - at)
			return;
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
}

ssize_t
__wrap_recvfrom(int fd, void *out, size_t cap_b, int flags,
    struct sockaddr *from, socklen_t *from_b)
{
	size_t size_b;

	(void)fd;
	(void)from;
	(void)from_b;
	if (flags & MSG_DONTWAIT) {
		errno = EAGAIN;
		return -1;
	}
	if (++n_receives > RECEIVES_MAX || left_b < 2)
		return (ssize_t)acknowledge(out);
	size_b = MIN(input[0] | (size_t)input[1] << 8, left_b - 2);
	size_b = MIN(size_b, cap_b);
	memcpy(out, input + 2, size_b);
	put_sequence_right(out, size_b);
	input += 2 + size_b;
	left_b -= 2 + size_b;
	return (ssize_t)size_b;
}

static void
stage_one(struct nft *nft)
{
	static const uint8_t eip[] = { 192, 0, 2, 1 };
	static const uint8_t node[] = { 10, 0, 0, 1 };
	const struct backend backend = {
		.addr = addr_from_bytes(FAMILY_IPV4, node),
		.port = 30080,
		.weight = 1,
		.node = "",
		.state = BACKEND_ACTIVE,
	};
	const struct frontend frontend = {
		.addr = addr_from_bytes(FAMILY_IPV4, eip),
		.protocol = IPPROTO_TCP,
		.port = 80,
		.backends = &backend,
		.n_backends = 1,
		.n_usable = 1,
	};
	struct err err;

	(void)!nft_stage(nft, "kubernetes/default/web", &frontend, 1, &err);
}

static void
on_service(void *arg, const char *key, const struct frontend *frontends,
    size_t n)
{
	size_t *sum = arg;

	*sum += strlen(key);
	for (size_t i = 0; i < n; i++)
		*sum += frontends[i].n_backends;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct nft *nft = nft_new();
	struct err err;
	size_t sum = 0;

	input = data;
	left_b = size_b;
	n_receives = 0;
	if (nft_load(nft, &err) == 0)
		nft_each_service(nft, on_service, &sum);
	stage_one(nft);
	(void)!nft_commit(nft, &err);
	(void)nft_flush_flows(nft, FLUSH_US, true);
	(void)nft_is_foreign_change(nft);
	(void)!nft_load(nft, &err);
	(void)!nft_commit(nft, &err);
	nft_free(nft);
	return 0;
}
