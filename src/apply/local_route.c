/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/local_route.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"

#include "base/table.h"
#include "net/nl.h"

enum {
	TRIES = 5,
	MESSAGE_B = 128,
	BATCH_ROUTES = 500,
};

struct route {
	struct addr addr;
	bool is_there;
	bool is_wanted;
	bool is_dirty;
	bool was_seen; /* by the comparison that runs */
	TAILQ_ENTRY(route) dirty;
	UT_hash_handle hh;
};

struct local_routes {
	struct nl *nl;
	uint32_t lo;
	struct route *all;
	TAILQ_HEAD(route_list, route) dirty;
};

int
local_routes_new(struct local_routes **out, struct err *err)
{
	struct local_routes *routes;
	unsigned int lo = if_nametoindex("lo");
	struct nl *nl;
	int rc;

	if (lo == 0)
		return err_set(err, -errno,
		    "interface lo: %s; eipd needs it to own addresses",
		    strerror(errno));
	rc = nl_open(NETLINK_ROUTE, &nl, err);
	if (rc < 0)
		return rc;
	routes = mem_new(struct local_routes);
	routes->nl = nl;
	routes->lo = lo;
	TAILQ_INIT(&routes->dirty);
	*out = routes;
	return 0;
}

static void
forget_all(struct local_routes *routes)
{
	struct route *route;
	struct route *next;

	for (route = routes->all; route; route = next) {
		next = route->hh.next;
		HASH_DEL(routes->all, route);
		free(route);
	}
	TAILQ_INIT(&routes->dirty);
}

void
local_routes_free(struct local_routes *routes)
{
	if (!routes)
		return;
	forget_all(routes);
	nl_close(routes->nl);
	free(routes);
}

static struct route *
find(const struct local_routes *routes, const struct addr *addr)
{
	struct route *route;

	HASH_FIND(hh, routes->all, addr, sizeof(*addr), route);
	return route;
}

static struct route *
get(struct local_routes *routes, const struct addr *addr)
{
	struct route *route = find(routes, addr);

	if (route)
		return route;
	route = mem_new(struct route);
	route->addr = *addr;
	HASH_ADD(hh, routes->all, addr, sizeof(route->addr), route);
	return route;
}

static void
update_dirty(struct local_routes *routes, struct route *route)
{
	bool is_dirty = route->is_there != route->is_wanted;

	if (is_dirty && !route->is_dirty)
		TAILQ_INSERT_TAIL(&routes->dirty, route, dirty);
	if (!is_dirty && route->is_dirty)
		TAILQ_REMOVE(&routes->dirty, route, dirty);
	route->is_dirty = is_dirty;
	if (is_dirty || route->is_there)
		return;
	HASH_DEL(routes->all, route);
	free(route);
}

/* Of one address. */
static bool
parse_route(const struct nlmsghdr *h, struct addr *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[RTA_TABLE + 1];
	enum family family;
	uint8_t bytes[16];

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    h->nlmsg_len < mnl_nlmsg_size(sizeof(*rtm)) ||
	    rtm->rtm_type != RTN_LOCAL || rtm->rtm_table != RT_TABLE_LOCAL)
		return false;
	family = rtm->rtm_family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;
	if (rtm->rtm_dst_len != (family == FAMILY_IPV4 ? 32 : 128))
		return false;
	nl_parse(h, sizeof(*rtm), attrs, ARRAY_LEN(attrs));
	if (!nl_get(attrs[RTA_DST], bytes, family == FAMILY_IPV4 ? 4 : 16))
		return false;
	*out = addr_from_bytes(family, bytes);
	return true;
}

static bool
is_ours(const struct nlmsghdr *h, uint32_t lo)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[RTA_TABLE + 1];
	uint32_t oif;

	nl_parse(h, sizeof(*rtm), attrs, ARRAY_LEN(attrs));
	return rtm->rtm_protocol == LOCAL_ROUTE_PROTOCOL &&
	    nl_get(attrs[RTA_OIF], &oif, sizeof(oif)) && oif == lo;
}

/* `protocol` 0: whoever made them. */
static int
dump_family(struct local_routes *routes, uint8_t family, uint8_t protocol,
    nl_fn fn)
{
	int rc = -EINTR;

	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		_Alignas(struct nlmsghdr) uint8_t buf[MESSAGE_B];
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
		struct rtmsg *rtm;

		h->nlmsg_type = RTM_GETROUTE;
		rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
		*rtm = (struct rtmsg){ .rtm_family = family,
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = protocol,
			.rtm_type = RTN_LOCAL };
		rc = nl_dump(routes->nl, h, fn, routes);
	}
	return rc;
}

static int
on_loaded(void *arg, const struct nlmsghdr *h)
{
	struct local_routes *routes = arg;
	struct route *route;
	struct addr addr;

	if (!parse_route(h, &addr) || !is_ours(h, routes->lo))
		return 0;
	route = get(routes, &addr);
	if (!route->is_there)
		route->is_there = true;
	update_dirty(routes, route);
	return 0;
}

int
local_routes_load(struct local_routes *routes, struct err *err)
{
	int rc;

	forget_all(routes);
	rc = dump_family(routes, AF_INET, LOCAL_ROUTE_PROTOCOL, on_loaded);
	/* A host without IPv6 has nothing to read there. */
	if (rc == 0) {
		rc = dump_family(routes, AF_INET6, LOCAL_ROUTE_PROTOCOL,
		    on_loaded);
		if (rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT)
			rc = 0;
	}
	if (rc < 0)
		return err_set(err, rc, "reading local routes: %s",
		    strerror(-rc));
	return 0;
}

void
local_routes_want(struct local_routes *routes, const struct addr *addr,
    bool is_wanted)
{
	struct route *route =
	    is_wanted ? get(routes, addr) : find(routes, addr);

	if (!route)
		return;
	route->is_wanted = is_wanted;
	update_dirty(routes, route);
}

void
local_routes_want_none(struct local_routes *routes)
{
	struct route *route;
	struct route *next;

	for (route = routes->all; route; route = next) {
		next = route->hh.next;
		route->is_wanted = false;
		update_dirty(routes, route);
	}
}

static void
put_message(struct local_routes *routes, struct nl_buf *buf,
    const struct route *route, uint32_t seq)
{
	struct nlmsghdr *h =
	    mnl_nlmsg_put_header(nl_buf_reserve(buf, MESSAGE_B));
	struct rtmsg *rtm;

	h->nlmsg_seq = seq;
	h->nlmsg_type = route->is_wanted ? RTM_NEWROUTE : RTM_DELROUTE;
	h->nlmsg_flags =
	    NLM_F_REQUEST | (route->is_wanted ? NLM_F_CREATE | NLM_F_EXCL : 0);
	rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	*rtm = (struct rtmsg){
		.rtm_family =
		    route->addr.family == FAMILY_IPV4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (uint8_t)addr_bits(&route->addr),
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = LOCAL_ROUTE_PROTOCOL,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL,
	};
	mnl_attr_put(h, RTA_DST, addr_len_b(&route->addr), route->addr.b);
	mnl_attr_put_u32(h, RTA_OIF, routes->lo);
	buf->n += NLMSG_ALIGN(h->nlmsg_len);
}

struct answers {
	struct route *sent[BATCH_ROUTES];
	int code[BATCH_ROUTES];
	size_t n;
	uint32_t first_seq;
};

static void
on_refusal(void *arg, uint32_t seq, int code)
{
	struct answers *answers = arg;
	uint32_t i = seq - answers->first_seq;

	if (i < answers->n)
		answers->code[i] = code;
}

/* EEXIST: the address is the host's own anyway; ESRCH: it is gone. */
static bool
is_fine(const struct route *route, int code)
{
	return code == 0 || code == (route->is_wanted ? -EEXIST : -ESRCH);
}

/* Sends up to `max` of the first dirty ones. */
static int
send_some(struct local_routes *routes, struct answers *answers, size_t max,
    struct err *err)
{
	struct nl_buf buf = { 0 };
	struct nl_refusal first;
	struct route *route;
	int rc;

	answers->n = 0;
	for (route = TAILQ_FIRST(&routes->dirty); route;
	     route = TAILQ_NEXT(route, dirty)) {
		uint32_t seq = nl_next_seq(routes->nl);

		if (answers->n == 0)
			answers->first_seq = seq;
		answers->code[answers->n] = 0;
		answers->sent[answers->n++] = route;
		put_message(routes, &buf, route, seq);
		if (answers->n == max)
			break;
	}
	rc = nl_send_batch(routes->nl, &buf, &first, on_refusal, answers);
	nl_buf_fini(&buf);
	if (rc < 0 && first.seq == 0)
		return err_set(err, rc, "local routes: %s", strerror(-rc));
	return 0;
}

/* What was refused goes to the end, so that it holds up nothing else. */
static int
take_answer(struct local_routes *routes, struct route *route, int code,
    struct err *err)
{
	char text[ADDR_TEXT_B];

	if (is_fine(route, code)) {
		route->is_there = route->is_wanted;
		update_dirty(routes, route);
		return 0;
	}
	TAILQ_REMOVE(&routes->dirty, route, dirty);
	TAILQ_INSERT_TAIL(&routes->dirty, route, dirty);
	return err_set(err, code,
	    "local route %s dev lo: %s; is lo up, and the address family "
	    "enabled?",
	    addr_text(&route->addr, text), strerror(-code));
}

int
local_routes_commit(struct local_routes *routes, struct err *err)
{
	struct answers answers;
	struct route *route;
	size_t n_left = 0;
	int rc = 0;

	for (route = TAILQ_FIRST(&routes->dirty); route;
	     route = TAILQ_NEXT(route, dirty))
		n_left++;
	while (n_left > 0) {
		int sent =
		    send_some(routes, &answers, MIN(n_left, BATCH_ROUTES), err);

		if (sent < 0)
			return sent;
		n_left -= answers.n;
		for (size_t i = 0; i < answers.n; i++) {
			int code = take_answer(routes, answers.sent[i],
			    answers.code[i], rc == 0 ? err : NULL);

			rc = rc < 0 ? rc : code;
		}
	}
	return rc;
}

/* The host's own route will do: with it, ours may have been one too many. */
static int
on_compared(void *arg, const struct nlmsghdr *h)
{
	struct local_routes *routes = arg;
	struct route *route;
	struct addr addr;

	if (!parse_route(h, &addr))
		return 0;
	route = find(routes, &addr);
	if (route)
		route->was_seen = true;
	return 0;
}

bool
local_routes_is_foreign_change(struct local_routes *routes)
{
	for (struct route *route = routes->all; route; route = route->hh.next)
		route->was_seen = false;
	if (dump_family(routes, AF_INET, 0, on_compared) < 0)
		return false;
	if (dump_family(routes, AF_INET6, 0, on_compared) < 0)
		return false;
	for (const struct route *route = routes->all; route;
	     route = route->hh.next) {
		if (route->is_there && !route->was_seen)
			return true;
	}
	return false;
}
