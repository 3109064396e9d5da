/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_route: the local routes of the kernel's model.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "apply/local_route.h"
#include "kernel_impl.h"
#include "net/nl.h"
#include "sim.h"

enum {
	ANSWER_B = 256,
};

static VEC(struct addr) routes;

static size_t
route_place(const struct addr *addr)
{
	for (size_t i = 0; i < routes.n; i++)
		if (addr_eq(&routes.v[i], addr))
			return i;
	return routes.n;
}

bool
kernel_has_route(const struct addr *addr)
{
	return route_place(addr) < routes.n;
}

void
kernel_each_route(void (*fn)(void *arg, const struct addr *addr), void *arg)
{
	for (size_t i = 0; i < routes.n; i++)
		fn(arg, &routes.v[i]);
}

static int
change_route(const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[RTA_TABLE + 1];
	struct addr addr;
	size_t at;

	nl_parse(h, sizeof(*rtm), attrs, ARRAY_LEN(attrs));
	addr = addr_from_bytes(rtm->rtm_family == AF_INET ? FAMILY_IPV4
							  : FAMILY_IPV6,
	    mnl_attr_get_payload(attrs[RTA_DST]));
	at = route_place(&addr);
	if (h->nlmsg_type == RTM_NEWROUTE) {
		if (at < routes.n)
			return -EEXIST;
		vec_push(&routes, addr);
		return 0;
	}
	if (at == routes.n)
		return -ESRCH;
	vec_remove(&routes, at);
	return 0;
}

int
kernel_change_routes(const struct nl_buf *buf, struct nl_refusal *first,
    void (*fn)(void *arg, uint32_t seq, int code), void *arg)
{
	const struct nlmsghdr *h = (const void *)buf->p;
	int left = (int)buf->n;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		int code = change_route(h);

		if (code == 0)
			continue;
		if (first->code == 0)
			*first = (struct nl_refusal){ .code = code,
				.type = h->nlmsg_type,
				.seq = h->nlmsg_seq };
		if (fn)
			fn(arg, h->nlmsg_seq, code);
	}
	return first->code;
}

int
kernel_dump_routes(const struct nlmsghdr *h, nl_fn fn, void *arg)
{
	const struct rtmsg *want = mnl_nlmsg_get_payload(h);

	for (size_t i = 0; i < routes.n; i++) {
		const struct addr *addr = &routes.v[i];
		_Alignas(struct nlmsghdr) uint8_t buf[ANSWER_B];
		struct nlmsghdr *out = mnl_nlmsg_put_header(buf);
		struct rtmsg *rtm;
		int rc;

		if ((addr->family == FAMILY_IPV4) !=
		    (want->rtm_family == AF_INET))
			continue;
		out->nlmsg_type = RTM_NEWROUTE;
		rtm = mnl_nlmsg_put_extra_header(out, sizeof(*rtm));
		*rtm = (struct rtmsg){ .rtm_family = want->rtm_family,
			.rtm_dst_len = (uint8_t)addr_bits(addr),
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = LOCAL_ROUTE_PROTOCOL,
			.rtm_type = RTN_LOCAL };
		mnl_attr_put(out, RTA_DST, addr_len_b(addr), addr->b);
		mnl_attr_put_u32(out, RTA_OIF, KERNEL_LO);
		rc = fn(arg, out);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void
kernel_lose_route(uint32_t pick)
{
	if (routes.n)
		vec_remove(&routes, pick % routes.n);
}
