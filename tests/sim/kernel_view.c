/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_view: the table as the checks want to see it, through the daemon's
 * own reader.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "apply/nft_read.h"
#include "net/nl.h"
#include "sim.h"

static struct kernel_frontends frontends;
static uint64_t known = UINT64_MAX; /* kernel_changes then */

static void
on_frontend(void *arg, const struct ruleset_op *op)
{
	enum family family = (enum family)op->family;
	size_t addr_b = family == FAMILY_IPV6 ? 16 : 4;
	struct kernel_frontend f = { .addr = addr_from_bytes(family, op->key),
		.protocol = op->key[addr_b] };
	uint16_t port;

	(void)arg;
	memcpy(&port, op->key + addr_b + 4, sizeof(port));
	f.port = ntohs(port);
	memcpy(&f.mark, op->data, sizeof(f.mark));
	snprintf(f.service, sizeof(f.service), "%s",
	    op->comment ? op->comment : "");
	vec_push(&frontends.v, f);
}

static void
each_element(enum ruleset_set set, ruleset_op_fn fn, void *arg)
{
	struct err err = { 0 };
	struct nl *nl;

	if (nl_open(NETLINK_NETFILTER, &nl, &err) < 0)
		abort();
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		struct ruleset_op like = { .set = set, .family = (uint8_t)f };

		while (nft_read_elements(nl, &like, fn, arg) == -EINTR)
			;
	}
	nl_close(nl);
}

const struct kernel_frontends *
kernel_frontends(void)
{
	if (known != kernel_changes) {
		vec_clear(&frontends.v);
		each_element(RULESET_SET_SVC, on_frontend, NULL);
		known = kernel_changes;
	}
	return &frontends;
}

struct search {
	const struct addr *addr;
	bool is_found;
};

static void
on_address(void *arg, const struct ruleset_op *op)
{
	struct search *search = arg;
	struct addr addr = addr_from_bytes((enum family)op->family, op->key);

	search->is_found |= addr_eq(&addr, search->addr);
}

bool
kernel_has_address(const struct addr *addr)
{
	struct search search = { .addr = addr };

	each_element(RULESET_SET_EIP, on_address, &search);
	return search.is_found;
}

/* The C library's asks the machine; the kernel here has lo, and nothing else. */
unsigned int
if_nametoindex(const char *name)
{
	return name != NULL;
}
