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
};

struct request {
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_B];
};

int
conntrack_new(struct conntrack **out, struct err *err)
{
	struct conntrack *conntrack = mem_new(struct conntrack);
	int rc = nl_open(NETLINK_NETFILTER, &conntrack->nl, err);

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
	for (size_t i = 0; i < n; i++)
		vec_push(&conntrack->queue, flushes[i]);
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

/* What one walk of the kernel over its table will take: by its entries, and by
 * its buckets, whose number is not to be had in a network namespace. */
static int64_t
walk_us(struct conntrack *conntrack)
{
	struct request req;
	uint32_t n_entries = UINT32_MAX;
	int rc = nl_request(conntrack->nl,
	    request(&req, IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC), on_stats,
	    &n_entries);

	if (rc < 0)
		return INT64_MAX;
	return MAX(conntrack->walk_us,
	    WALK_BASE_US + (int64_t)n_entries * WALK_NS_PER_ENTRY / 1000);
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

	return bsearch(&key, conntrack->running.v, conntrack->running.n,
		   sizeof(key), cmp_flush) != NULL;
}

static bool
is_to_go(const struct conntrack *conntrack, uint32_t mark, bool is_replied)
{
	static const uint32_t masks[] = { RULESET_FLUSH_BACKEND,
		RULESET_FLUSH_FRONTEND };

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		if (has_flush(conntrack, mark, masks[i], false) ||
		    (!is_replied && has_flush(conntrack, mark, masks[i], true)))
			return true;
	}
	return false;
}

static int
on_entry(void *arg, const struct nlmsghdr *h)
{
	struct conntrack *conntrack = arg;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[CTA_MAX + 1];
	struct request req;
	struct nlmsghdr *out;
	uint32_t mark;
	uint32_t status = 0;

	nl_parse(h, sizeof(*nfg), attrs, ARRAY_LEN(attrs));
	if (!nl_get(attrs[CTA_MARK], &mark, sizeof(mark)) ||
	    !attrs[CTA_TUPLE_ORIG])
		return 0;
	(void)nl_get(attrs[CTA_STATUS], &status, sizeof(status));
	if (!is_to_go(conntrack, ntohl(mark),
		(ntohl(status) & IPS_SEEN_REPLY) != 0))
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
	if (conntrack->is_pass)
		log_debug("conntrack: pass done flushes=%zu deleted=%zu",
		    conntrack->running.n, conntrack->n_deleted);
	/* Measured again in the end, should it have been a slow moment. */
	if (conntrack->is_pass)
		conntrack->walk_us -= conntrack->walk_us / 4;
	conntrack->n_deleted = 0;
	vec_clear(&conntrack->running);
	conntrack->is_pass = false;
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

bool
conntrack_step(struct conntrack *conntrack, int64_t budget_us,
    struct ruleset *rs)
{
	int64_t each_us;
	int rc;

	if (conntrack->running.n == 0) {
		if (conntrack->queue.n == 0)
			return false;
		for (size_t i = 0; i < conntrack->queue.n; i++)
			vec_push(&conntrack->running, conntrack->queue.v[i]);
		vec_clear(&conntrack->queue);
	}
	if (conntrack->is_pass) {
		rc = step_pass(conntrack, budget_us);
	} else {
		each_us = walk_us(conntrack);
		/* A pass costs as much as a few walks. */
		if (each_us <= WALK_MAX_US &&
		    (conntrack->at > 0 || conntrack->running.n <= 4 ||
			each_us * (int64_t)conntrack->running.n <= budget_us))
			rc = step_masked(conntrack, budget_us, each_us);
		else
			rc = start_pass(conntrack) == 0
			    ? step_pass(conntrack, budget_us)
			    : -EIO;
	}
	if (rc < 0)
		log_warn("conntrack: %zu flushes not done, old flows may keep "
			 "a backend that is gone: %s",
		    conntrack->running.n, strerror(-rc));
	if (rc <= 0)
		finish(conntrack, rs);
	return conntrack->queue.n > 0 || conntrack->running.n > 0;
}
