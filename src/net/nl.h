/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl: a netlink socket: requests, dumps and batches.
 *
 * The kernel answers a request before sendmsg(2) returns, so nothing here
 * waits for anything but the kernel's own work; a receive timeout guards the
 * loop all the same.  Messages are built with libmnl or libnftnl.
 */
#ifndef EIPD_NET_NL_H
#define EIPD_NET_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct nlattr;
struct nlmsghdr;
struct nl;

/* A buffer for messages; a zeroed one is empty. */
struct nl_buf {
	uint8_t *p;
	size_t n;
	size_t cap_b;
};

/* The first refusal of a batch. */
struct nl_refusal {
	int code; /* negative errno, 0: none */
	uint16_t type; /* of the message refused */
	uint32_t seq; /* 0: the batch as a whole */
	char text[128]; /* the kernel's own words, "" if none */
};

/* Stops at the first negative result, which the caller gets. */
typedef int (*nl_fn)(void *arg, const struct nlmsghdr *h);

/* `bus` as in socket(2): NETLINK_NETFILTER, NETLINK_ROUTE. */
ATTR_NODISCARD int nl_open(int bus, struct nl **out, struct err *err);
void nl_close(struct nl *nl); /* NULL is fine */
uint32_t nl_next_seq(struct nl *nl);
/* Octets that one batch may have. */
size_t nl_batch_max_b(const struct nl *nl);

/* Room for `want_b` octets behind what is there. */
void *nl_buf_reserve(struct nl_buf *buf, size_t want_b);
void nl_buf_fini(struct nl_buf *buf);

/* The attributes behind the message's own header of `header_b` octets, or
 * inside `attr` (may be NULL), by type; NULL where there is none. */
void nl_parse(const struct nlmsghdr *h, size_t header_b,
    const struct nlattr **out, size_t n);
void nl_parse_nested(const struct nlattr *attr, const struct nlattr **out,
    size_t n);
/* The attribute after `prev` (NULL: the first) inside `attr`, NULL at the
 * end. */
const struct nlattr *nl_next_nested(const struct nlattr *attr,
    const struct nlattr *prev);
/* False if there is no attribute or it is shorter. */
bool nl_get(const struct nlattr *attr, void *out, size_t size_b);

/* One request; `fn` (may be NULL) gets the answers.  Asks for an
 * acknowledgement itself.  Negative errno as the kernel gave it. */
ATTR_NODISCARD int nl_request(struct nl *nl, struct nlmsghdr *h, nl_fn fn,
    void *arg);

/* The messages of `buf` in one system call, none of which asks for an
 * acknowledgement; `fn` (may be NULL) is told of each refusal.  -ENOBUFS if
 * refusals were lost.  0 only if there was none. */
ATTR_NODISCARD int nl_send_batch(struct nl *nl, const struct nl_buf *buf,
    struct nl_refusal *first, void (*fn)(void *arg, uint32_t seq, int code),
    void *arg);

/* All of a dump; -EINTR if it changed under it: ask again. */
ATTR_NODISCARD int nl_dump(struct nl *nl, struct nlmsghdr *h, nl_fn fn,
    void *arg);
/* The same in steps: 1 while there is more, 0 at the end. */
ATTR_NODISCARD int nl_dump_start(struct nl *nl, struct nlmsghdr *h);
ATTR_NODISCARD int nl_dump_step(struct nl *nl, nl_fn fn, void *arg);

#endif
