/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/vec.h"
#include "net/nl.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
	REQUEST_B = 512,
	WALK_NS_PER_ENTRY = 300,
	WALK_BASE_US = 50,
	/* A walk that fits into this is done at once. */
	WALK_MAX_US = 5000,
	PASS_TRIES = 3,
};

struct conntrack {
	struct nl *nl;
	struct nl *del; /* the other one is in the middle of a dump */
	VEC(struct ruleset_flush) queue;
	VEC(struct ruleset_flush) running;
	size_t at; /* masked deletions: the next one */
	int n_tries;
	size_t n_deleted; /* by the pass; others ended by themselves */
	int64_t walk_us; /* what the last masked deletion took */
	bool is_pass; /* running is sorted and a dump is open */
	bool is_sweep_due;
	struct ruleset *swept_by; /* NULL: the pass is none */
};

struct request {
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_B];
};

int
conntrack_new(struct conntrack **out, struct err *err)
{
	struct conntrack *conntrack = mem_new(struct conntrack);
	int rc = nl_open(NETLINK_NETFILTER, &conntrack->nl, err);

	conntrack->is_sweep_due = true;
	if (rc == 0)
		rc = nl_open(NETLINK_NETFILTER, &conntrack->del, err);
	if (rc < 0) {
		conntrack_free(conntrack);
		return rc;
	}
	*out = conntrack;
	return 0;
}

void
conntrack_free(struct conntrack *conntrack)
{
	if (!conntrack)
		return;
	nl_close(conntrack->nl);
	nl_close(conntrack->del);
	vec_fini(&conntrack->queue);
	vec_fini(&conntrack->running);
	free(conntrack);
}

void
conntrack_queue(struct conntrack *conntrack,
    const struct ruleset_flush *flushes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (flushes[i].mask == RULESET_FLUSH_SWEEP)
			conntrack->is_sweep_due = true;
		else
			vec_push(&conntrack->queue, flushes[i]);
	}
}

void
conntrack_want_sweep(struct conntrack *conntrack)
{
	conntrack->is_sweep_due = true;
}

static struct nlmsghdr *
request(struct request *req, unsigned int type, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(req->buf);
	struct nfgenmsg *nfg;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nfg = mnl_nlmsg_put_extra_header(h, sizeof(*nfg));
	*nfg = (struct nfgenmsg){ .nfgen_family = family,
		.version = NFNETLINK_V0 };
	return h;
}

static int
on_stats(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[CTA_STATS_GLOBAL_MAX + 1];
	uint32_t *out = arg;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (nl_get(attrs[CTA_STATS_GLOBAL_ENTRIES], out, sizeof(*out)))
		*out = ntohl(*out);
	return 0;
}

/* UINT32_MAX: the kernel does not say. */
static uint32_t
count_entries(struct conntrack *conntrack)
{
	struct request req;
	uint32_t n = UINT32_MAX;
	int rc = nl_request(conntrack->nl,
	    request(&req, IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC), on_stats, &n);

	return rc < 0 ? UINT32_MAX : n;
}

/* What one walk of the kernel over its table will take: by its entries, and by
 * its buckets, whose number is not to be had in a network namespace. */
static int64_t
walk_us(struct conntrack *conntrack)
{
	return MAX(conntrack->walk_us,
	    WALK_BASE_US +
		(int64_t)count_entries(conntrack) * WALK_NS_PER_ENTRY / 1000);
}

static int
delete_masked(struct conntrack *conntrack, const struct ruleset_flush *flush)
{
	struct request req;
	struct nlmsghdr *h = request(&req, IPCTNL_MSG_CT_DELETE, AF_UNSPEC);

	mnl_attr_put_u32(h, CTA_MARK, htonl(flush->mark));
	mnl_attr_put_u32(h, CTA_MARK_MASK, htonl(flush->mask));
	if (flush->is_unreplied_only) {
		mnl_attr_put_u32(h, CTA_STATUS, 0);
		mnl_attr_put_u32(h, CTA_STATUS_MASK, htonl(IPS_SEEN_REPLY));
	}
	return nl_request(conntrack->nl, h, NULL, NULL);
}

/* By mask, mark, and whether replied flows go too. */
static int
cmp_flush(const void *va, const void *vb)
{
	const struct ruleset_flush *a = va;
	const struct ruleset_flush *b = vb;

	if (a->mask != b->mask)
		return a->mask < b->mask ? -1 : 1;
	if (a->mark != b->mark)
		return a->mark < b->mark ? -1 : 1;
	return (int)a->is_unreplied_only - (int)b->is_unreplied_only;
}

static bool
has_flush(const struct conntrack *conntrack, uint32_t mark, uint32_t mask,
    bool is_unreplied_only)
{
	struct ruleset_flush key = { .mark = mark & mask,
		.mask = mask,
		.is_unreplied_only = is_unreplied_only };

	return conntrack->running.n > 0 &&
	    bsearch(&key, conntrack->running.v, conntrack->running.n,
		sizeof(key), cmp_flush) != NULL;
}

static bool
is_flushed(const struct conntrack *conntrack, const struct ruleset_flow *flow)
{
	static const uint32_t masks[] = { RULESET_FLUSH_BACKEND,
		RULESET_FLUSH_FRONTEND };

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		if (has_flush(conntrack, flow->mark, masks[i], false) ||
		    (!flow->is_replied &&
			has_flush(conntrack, flow->mark, masks[i], true)))
			return true;
	}
	return false;
}

/* One end of a tuple; false: it has no ports. */
static bool
parse_end(const struct nlattr *tuple, bool is_source, struct addr *addr,
    uint16_t *port, uint8_t *protocol)
{
	const struct nlattr *attrs[CTA_TUPLE_MAX + 1];
	const struct nlattr *ip[CTA_IP_MAX + 1];
	const struct nlattr *proto[CTA_PROTO_MAX + 1];
	uint8_t b[16];

	nl_parse_nested(tuple, attrs, ARRAY_LEN(attrs));
	nl_parse_nested(attrs[CTA_TUPLE_IP], ip, ARRAY_LEN(ip));
	nl_parse_nested(attrs[CTA_TUPLE_PROTO], proto, ARRAY_LEN(proto));
	if (nl_get(ip[is_source ? CTA_IP_V4_SRC : CTA_IP_V4_DST], b, 4))
		*addr = addr_from_bytes(FAMILY_IPV4, b);
	else if (nl_get(ip[is_source ? CTA_IP_V6_SRC : CTA_IP_V6_DST], b, 16))
		*addr = addr_from_bytes(FAMILY_IPV6, b);
	else
		return false;
	if (!nl_get(proto[CTA_PROTO_NUM], protocol, sizeof(*protocol)) ||
	    !nl_get(proto[is_source ? CTA_PROTO_SRC_PORT : CTA_PROTO_DST_PORT],
		port, sizeof(*port)))
		return false;
	*port = ntohs(*port);
	return true;
}

static bool
is_swept(const struct conntrack *conntrack, const struct nlattr **attrs,
    struct ruleset_flow *flow)
{
	return conntrack->swept_by &&
	    parse_end(attrs[CTA_TUPLE_ORIG], false, &flow->frontend,
		&flow->port, &flow->protocol) &&
	    parse_end(attrs[CTA_TUPLE_REPLY], true, &flow->backend,
		&flow->backend_port, &flow->protocol) &&
	    ruleset_judge_flow(conntrack->swept_by, flow);
}

static int
on_entry(void *arg, const struct nlmsghdr *h)
{
	struct conntrack *conntrack = arg;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[CTA_MAX + 1];
	struct ruleset_flow flow = { 0 };
	struct request req;
	struct nlmsghdr *out;
	uint32_t mark = 0; /* is not always told */
	uint32_t status = 0;

	nl_parse(h, sizeof(*nfg), attrs, ARRAY_LEN(attrs));
	if (!attrs[CTA_TUPLE_ORIG])
		return 0;
	(void)nl_get(attrs[CTA_MARK], &mark, sizeof(mark));
	(void)nl_get(attrs[CTA_STATUS], &status, sizeof(status));
	status = ntohl(status);
	flow.mark = ntohl(mark);
	flow.is_replied = (status & IPS_SEEN_REPLY) != 0;
	flow.is_untranslated = !(status & IPS_DST_NAT);
	if (!is_flushed(conntrack, &flow) && !is_swept(conntrack, attrs, &flow))
		return 0;
	out = request(&req, IPCTNL_MSG_CT_DELETE, nfg->nfgen_family);
	mnl_attr_put(out, CTA_TUPLE_ORIG | NLA_F_NESTED,
	    mnl_attr_get_payload_len(attrs[CTA_TUPLE_ORIG]),
	    mnl_attr_get_payload(attrs[CTA_TUPLE_ORIG]));
	if (attrs[CTA_ZONE])
		mnl_attr_put(out, CTA_ZONE,
		    mnl_attr_get_payload_len(attrs[CTA_ZONE]),
		    mnl_attr_get_payload(attrs[CTA_ZONE]));
	if (attrs[CTA_ID])
		mnl_attr_put(out, CTA_ID,
		    mnl_attr_get_payload_len(attrs[CTA_ID]),
		    mnl_attr_get_payload(attrs[CTA_ID]));
	conntrack->n_deleted +=
	    nl_request(conntrack->del, out, NULL, NULL) == 0;
	return 0;
}

static int
start_pass(struct conntrack *conntrack)
{
	struct request req;

	vec_sort(&conntrack->running, cmp_flush);
	conntrack->is_pass = true;
	conntrack->n_tries++;
	return nl_dump_start(conntrack->nl,
	    request(&req, IPCTNL_MSG_CT_GET, AF_UNSPEC));
}

static void
finish(struct conntrack *conntrack, struct ruleset *rs)
{
	const struct ruleset_flush *flush;

	VEC_FOREACH (flush, &conntrack->running) {
		if (flush->frees_number)
			ruleset_free_number(rs, flush->number);
	}
	/* Measured again in the end, should it have been a slow moment. */
	if (conntrack->is_pass)
		conntrack->walk_us -= conntrack->walk_us / 4;
	conntrack->n_deleted = 0;
	vec_clear(&conntrack->running);
	conntrack->is_pass = false;
	conntrack->swept_by = NULL;
	conntrack->at = 0;
	conntrack->n_tries = 0;
}

/* 1: more to do, 0: done. */
static int
step_pass(struct conntrack *conntrack, int64_t budget_us)
{
	mono_t end = clock_mono() + budget_us;
	int rc;

	do {
		rc = nl_dump_step(conntrack->nl, on_entry, conntrack);
	} while (rc > 0 && clock_mono() < end);
	if (rc < 0 && rc != -ETIMEDOUT && conntrack->n_tries < PASS_TRIES)
		return start_pass(conntrack) == 0 ? 1 : rc;
	return rc;
}

static int
step_masked(struct conntrack *conntrack, int64_t budget_us, int64_t each_us)
{
	mono_t end = clock_mono() + budget_us;

	while (conntrack->at < conntrack->running.n) {
		mono_t began = clock_mono();
		int rc = delete_masked(conntrack,
		    &conntrack->running.v[conntrack->at]);

		conntrack->walk_us = clock_mono() - began;
		each_us = MAX(each_us, conntrack->walk_us);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		conntrack->at++;
		if (clock_mono() + each_us > end)
			break;
	}
	return conntrack->at < conntrack->running.n;
}

static bool
is_busy(const struct conntrack *conntrack)
{
	return conntrack->running.n > 0 || conntrack->swept_by;
}

static void
take_queue(struct conntrack *conntrack)
{
	for (size_t i = 0; i < conntrack->queue.n; i++)
		vec_push(&conntrack->running, conntrack->queue.v[i]);
	vec_clear(&conntrack->queue);
}

/* A pass costs as much as a few walks. */
static bool
is_masked_cheaper(const struct conntrack *conntrack, int64_t budget_us,
    int64_t each_us)
{
	return each_us <= WALK_MAX_US &&
	    (conntrack->at > 0 || conntrack->running.n <= 4 ||
		each_us * (int64_t)conntrack->running.n <= budget_us);
}

static int
step(struct conntrack *conntrack, int64_t budget_us)
{
	if (!conntrack->is_pass && !conntrack->swept_by) {
		int64_t each_us = walk_us(conntrack);

		if (is_masked_cheaper(conntrack, budget_us, each_us))
			return step_masked(conntrack, budget_us, each_us);
	}
	if (!conntrack->is_pass && start_pass(conntrack) < 0)
		return -EIO;
	return step_pass(conntrack, budget_us);
}

bool
conntrack_step(struct conntrack *conntrack, int64_t budget_us,
    struct ruleset *rs, bool can_sweep)
{
	int rc;

	if (!is_busy(conntrack)) {
		take_queue(conntrack);
		if (can_sweep && conntrack->is_sweep_due) {
			conntrack->is_sweep_due = false;
			conntrack->swept_by =
			    count_entries(conntrack) > 0 ? rs : NULL;
		}
		if (!is_busy(conntrack))
			return false;
	}
	rc = step(conntrack, budget_us);
	if (rc < 0) {
		log_warn("conntrack: old flows may keep a backend that is "
			 "gone; tried again every second: %s",
		    strerror(-rc));
		conntrack->is_sweep_due = true;
		finish(conntrack, rs);
		return conntrack->queue.n > 0;
	}
	if (rc == 0 && conntrack->is_pass)
		log_debug("conntrack: %s done flushes=%zu deleted=%zu",
		    conntrack->swept_by ? "sweep" : "pass",
		    conntrack->running.n, conntrack->n_deleted);
	if (rc == 0)
		finish(conntrack, rs);
	return conntrack->queue.n > 0 || is_busy(conntrack) ||
	    (can_sweep && conntrack->is_sweep_due);
}
