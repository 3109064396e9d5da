/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_flow: conntrack of the kernel's model, and clients that never stop
 * talking: some of each frontend have a flow all the time, to where the table
 * led the first packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "apply/nft_table.h"
#include "kernel_impl.h"
#include "net/nl.h"
#include "plan/slots.h"
#include "sim.h"

enum {
	CLIENTS = 3, /* of a frontend; that of TCP by number 1 gets no answer */
	ENTRY_B = 512,
	DUMP_STEP = 5,
};

struct flow {
	struct kernel_flow f;
	unsigned int client;
	uint32_t id;
	bool is_doomed; /* its frontend was gone since */
};

static VEC(struct flow) flows; /* by id */
static uint32_t last_id;
static bool is_quiet; /* everybody has a flow who can */
static struct {
	int code;
	unsigned int times;
} refusal;

/* ---- clients ---- */

static bool
find_u32(const char *set, const void *key, size_t key_b, uint32_t *out)
{
	return kernel_find_data(set, key, key_b, out, sizeof(*out));
}

/* What the rules do with the first packet; false: they refuse it. */
static bool
lead(const struct kernel_frontend *to, unsigned int client, struct flow *flow)
{
	enum family family = (enum family)to->addr.family;
	size_t addr_b = addr_len_b(&to->addr);
	unsigned int class =
	    (to->mark & RULESET_MARK_CLASS) >> RULESET_MARK_CLASS_SHIFT;
	unsigned int shard =
	    (to->mark & RULESET_MARK_NUMBER) / RULESET_SHARD_NUMBERS;
	enum ruleset_set set = RULESET_SET_DIRECT;
	char name[NFT_NAME_B];
	uint8_t data[20];

	flow->f.mark = to->mark;
	if (slots_count(class) > 0) {
		uint32_t n = (uint32_t)slots_count(class);
		uint32_t key[2] = { to->mark,
			(client * 2654435761u + to->port) % n };

		nft_table_set_name(RULESET_SET_SLOTS, family, class, shard,
		    name);
		if (!find_u32(name, key, sizeof(key), &flow->f.mark))
			return false;
		set = RULESET_SET_BACKENDS;
	}
	nft_table_set_name(set, family, class, shard, name);
	if (!kernel_find_data(name, &flow->f.mark, sizeof(flow->f.mark), data,
		addr_b + 2))
		return false;
	flow->f.backend = addr_from_bytes(family, data);
	flow->f.backend_port = (uint16_t)(data[addr_b] << 8 | data[addr_b + 1]);
	return true;
}

static struct flow *
find_flow(const struct kernel_frontend *to, unsigned int client)
{
	struct flow *flow;

	VEC_FOREACH (flow, &flows)
		if (flow->client == client && flow->f.to.port == to->port &&
		    flow->f.to.protocol == to->protocol &&
		    addr_eq(&flow->f.to.addr, &to->addr))
			return flow;
	return NULL;
}

void
kernel_talk(void)
{
	const struct kernel_frontends *all = kernel_frontends();

	for (size_t i = 0; !is_quiet && i < all->v.n; i++)
		for (unsigned int client = 0; client < CLIENTS; client++) {
			const struct kernel_frontend *to = &all->v.v[i];
			struct flow flow = { .client = client,
				.f.to = *to,
				.f.is_replied = client != 1 ||
				    to->protocol != IP_PROTOCOL_TCP };

			if (find_flow(to, client) || !lead(to, client, &flow))
				continue;
			flow.id = ++last_id;
			vec_push(&flows, flow);
		}
	is_quiet = true;
}

const struct kernel_frontend *
kernel_find_frontend(const struct kernel_frontend *like)
{
	const struct kernel_frontends *all = kernel_frontends();

	for (size_t i = 0; i < all->v.n; i++)
		if (all->v.v[i].port == like->port &&
		    all->v.v[i].protocol == like->protocol &&
		    addr_eq(&all->v.v[i].addr, &like->addr))
			return &all->v.v[i];
	return NULL;
}

void
kernel_flows_follow(void)
{
	struct flow *flow;

	VEC_FOREACH (flow, &flows) {
		const struct kernel_frontend *to =
		    kernel_find_frontend(&flow->f.to);

		if (!to || strcmp(to->service, flow->f.to.service) != 0)
			flow->is_doomed = true;
	}
	is_quiet = false;
}

void
kernel_each_flow(void (*fn)(void *arg, const struct kernel_flow *flow),
    void *arg)
{
	struct flow *flow;

	VEC_FOREACH (flow, &flows)
		fn(arg, &flow->f);
}

void
kernel_refuse_flows(int code, unsigned int times)
{
	refusal.code = code;
	refusal.times = times;
}

/* ---- conntrack ---- */

static void
put_addr(struct nlmsghdr *h, const struct addr *addr, bool is_source)
{
	bool is_v6 = addr->family == FAMILY_IPV6;
	uint16_t v4 = is_source ? CTA_IP_V4_SRC : CTA_IP_V4_DST;
	uint16_t v6 = is_source ? CTA_IP_V6_SRC : CTA_IP_V6_DST;

	mnl_attr_put(h, is_v6 ? v6 : v4, addr_len_b(addr), addr->b);
}

static void
put_tuple(struct nlmsghdr *h, uint16_t type, const struct flow *flow)
{
	uint8_t b[16] = { 10, 200, 0, (uint8_t)flow->client };
	struct addr client =
	    addr_from_bytes((enum family)flow->f.to.addr.family, b);
	uint16_t client_port = (uint16_t)(40000 + flow->client);
	bool is_reply = type == CTA_TUPLE_REPLY;
	struct nlattr *tuple = mnl_attr_nest_start(h, type);
	struct nlattr *part = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	put_addr(h, is_reply ? &flow->f.backend : &client, true);
	put_addr(h, is_reply ? &client : &flow->f.to.addr, false);
	mnl_attr_nest_end(h, part);
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, flow->f.to.protocol);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT,
	    htons(is_reply ? flow->f.backend_port : client_port));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT,
	    htons(is_reply ? client_port : flow->f.to.port));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
}

static uint32_t
status_of(const struct flow *flow)
{
	return IPS_CONFIRMED | IPS_DST_NAT |
	    (flow->f.is_replied ? IPS_SEEN_REPLY : 0);
}

static void
forget(size_t i)
{
	const struct flow *flow = &flows.v[i];
	char text[ADDR_TEXT_B];

	if (flow->f.to.protocol == IP_PROTOCOL_TCP && flow->f.is_replied &&
	    !flow->is_doomed)
		sim_violation("2: a connection to %s port %u is forgotten",
		    addr_text(&flow->f.to.addr, text), flow->f.to.port);
	vec_remove(&flows, i);
	is_quiet = false;
}

struct entry {
	_Alignas(struct nlmsghdr) uint8_t buf[ENTRY_B];
};

static struct nlmsghdr *
begin(struct entry *entry, const struct flow *flow)
{
	struct nlmsghdr *h;
	struct nfgenmsg *nfg;

	*entry = (struct entry){ { 0 } }; /* padding is compared */
	h = mnl_nlmsg_put_header(entry->buf);
	nfg = mnl_nlmsg_put_extra_header(h, sizeof(*nfg));
	nfg->nfgen_family =
	    flow->f.to.addr.family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
	return h;
}

static bool
has_tuple(const struct flow *flow, const struct nlattr *tuple)
{
	const struct nlattr *attrs[CTA_MAX + 1];
	struct entry entry;
	struct nlmsghdr *h = begin(&entry, flow);

	put_tuple(h, CTA_TUPLE_ORIG, flow);
	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	return mnl_attr_get_payload_len(attrs[CTA_TUPLE_ORIG]) ==
	    mnl_attr_get_payload_len(tuple) &&
	    memcmp(mnl_attr_get_payload(attrs[CTA_TUPLE_ORIG]),
		mnl_attr_get_payload(tuple),
		mnl_attr_get_payload_len(tuple)) == 0;
}

static uint32_t
get_be32(const struct nlattr *attr)
{
	uint32_t v = 0;

	(void)nl_get(attr, &v, sizeof(v));
	return ntohl(v);
}

static int delete (const struct nlmsghdr *h)
{
	const struct nlattr *attrs[CTA_MAX + 1];
	bool is_found = false;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	for (size_t i = flows.n; i-- > 0;) {
		const struct flow *flow = &flows.v[i];
		uint32_t mask = get_be32(attrs[CTA_MARK_MASK]);
		uint32_t status_mask = get_be32(attrs[CTA_STATUS_MASK]);

		if (attrs[CTA_TUPLE_ORIG]
			? !has_tuple(flow, attrs[CTA_TUPLE_ORIG])
			: (flow->f.mark & mask) != get_be32(attrs[CTA_MARK]) ||
			    (status_of(flow) & status_mask) !=
				get_be32(attrs[CTA_STATUS]))
			continue;
		forget(i);
		is_found = true;
	}
	return is_found || !attrs[CTA_TUPLE_ORIG] ? 0 : -ENOENT;
}

int
kernel_ask_flows(const struct nlmsghdr *h, nl_fn fn, void *arg)
{
	struct entry entry;
	struct nlmsghdr *out;

	if (refusal.times) {
		refusal.times--;
		return refusal.code;
	}
	if ((h->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE)
		return delete (h);
	out = begin(&entry, &(struct flow){ 0 });
	mnl_attr_put_u32(out, CTA_STATS_GLOBAL_ENTRIES,
	    htonl((uint32_t)flows.n));
	return fn(arg, out);
}

int
kernel_dump_flows(uint32_t *after, nl_fn fn, void *arg)
{
	unsigned int n = 0;

	if (refusal.times) {
		refusal.times--;
		return refusal.code;
	}
	for (size_t i = 0; i < flows.n; i++) {
		struct flow flow = flows.v[i];
		struct entry entry;
		struct nlmsghdr *out = begin(&entry, &flow);
		size_t before = flows.n;
		int rc;

		if (flow.id <= *after)
			continue;
		if (n++ == DUMP_STEP)
			return 1;
		put_tuple(out, CTA_TUPLE_ORIG, &flow);
		put_tuple(out, CTA_TUPLE_REPLY, &flow);
		mnl_attr_put_u32(out, CTA_STATUS, htonl(status_of(&flow)));
		mnl_attr_put_u32(out, CTA_MARK, htonl(flow.f.mark));
		*after = flow.id;
		rc = fn(arg, out);
		if (rc < 0)
			return rc;
		i -= before - flows.n; /* forgotten meanwhile */
	}
	return 0;
}
