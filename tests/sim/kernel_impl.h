/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_impl: what the files of the kernel share.
 */
#ifndef EIPD_TESTS_KERNEL_IMPL_H
#define EIPD_TESTS_KERNEL_IMPL_H

#include "net/nl.h"

enum {
	KERNEL_LO = 1, /* the interface that local routes go through */
};

int kernel_change_routes(const struct nl_buf *buf, struct nl_refusal *first,
    void (*fn)(void *arg, uint32_t seq, int code), void *arg);
int kernel_dump_routes(const struct nlmsghdr *h, nl_fn fn, void *arg);

#endif
