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

/* Data of the element; false: there is no such element. */
bool kernel_find_data(const char *set, const void *key, size_t key_b, void *out,
    size_t out_b);

int kernel_change_routes(const struct nl_buf *buf, struct nl_refusal *first,
    void (*fn)(void *arg, uint32_t seq, int code), void *arg);
int kernel_dump_routes(const struct nlmsghdr *h, nl_fn fn, void *arg);

int kernel_ask_flows(const struct nlmsghdr *h, nl_fn fn, void *arg);
/* Some entries behind `*after`, which moves on; 1: there are more. */
int kernel_dump_flows(uint32_t *after, nl_fn fn, void *arg);
void kernel_flows_follow(void); /* the table has changed */

#endif
