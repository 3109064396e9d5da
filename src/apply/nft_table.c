/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_table.h"

#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "apply/nft_rule.h"
#include "base/str.h"

/* nft's numbers of data types, for its listing; 6 bits each in a
 * concatenation. */
enum {
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PROTOCOL = 12,
	TYPE_PORT = 13,
	TYPE_MARK = 19,
	TYPE_BITS = 6,
};
#define TYPE_VERDICT 0xffffff00u

/* Also nft's: without it nft shows and adds marks with octets swapped. */
enum {
	BYTEORDER_HOST = 1,
	BYTEORDER_NETWORK = 2
};

enum {
	CT_STATE_INVALID = 1,
	CT_STATE_ESTABLISHED = 2,
	CT_STATE_RELATED = 4,
	CT_STATE_NEW = 8,
};

/* Before docker and kube-proxy (-100), whose rules take any local address. */
enum {
	PRIO_PRE = -110,
	PRIO_NAT_DST = -105,
	PRIO_FORWARD = -10,
	PRIO_LOCAL = -10,
	PRIO_NAT_SRC = 95,
};

enum {
	DISPATCH_SIZE = 8192
};

struct set_spec {
	const char *name;
	uint32_t key_type;
	uint32_t key_len;
	uint32_t data_type; /* 0: a set, or of counters */
	uint32_t data_len;
	uint32_t size;
	bool is_counter; /* a map to counters */
};

struct chain_spec {
	const char *name;
	const char *type; /* NULL: no base chain */
	uint32_t hook;
	int32_t prio;
};

static const struct chain_spec chain_specs[] = {
	{ "pre", "filter", NF_INET_PRE_ROUTING, PRIO_PRE },
	{ "nat_pre", "nat", NF_INET_PRE_ROUTING, PRIO_NAT_DST },
	{ "local", "filter", NF_INET_LOCAL_IN, PRIO_LOCAL },
	{ "forward", "filter", NF_INET_FORWARD, PRIO_FORWARD },
	{ "nat_out", "nat", NF_INET_LOCAL_OUT, PRIO_NAT_DST },
	{ "nat_post", "nat", NF_INET_POST_ROUTING, PRIO_NAT_SRC },
	{ "nope", NULL, 0, 0 },
	{ "in4", NULL, 0, 0 },
	{ "in6", NULL, 0, 0 },
	{ "nat4", NULL, 0, 0 },
	{ "nat6", NULL, 0, 0 },
	{ "out4", NULL, 0, 0 },
	{ "out6", NULL, 0, 0 },
	{ "local4", NULL, 0, 0 },
	{ "local6", NULL, 0, 0 },
};

/* Names of everything that exists once per family. */
static const struct names {
	const char *eip, *svc, *be, *disp, *acct, *conn;
	const char *in, *nat, *out, *local;
} names[2] = {
	{ "eip4", "svc4", "be4", "disp4", "acct4", "conn4", "in4", "nat4",
	    "out4", "local4" },
	{ "eip6", "svc6", "be6", "disp6", "acct6", "conn6", "in6", "nat6",
	    "out6", "local6" },
};

const enum ruleset_set nft_table_base_sets[NFT_TABLE_BASE_SETS] = {
	RULESET_SET_EIP, RULESET_SET_SVC, RULESET_SET_DIRECT, RULESET_SET_ACCT,
	RULESET_SET_CONN
};

void
nft_shape_fini(struct nft_shape *shape)
{
	vec_fini(&shape->chains);
	vec_fini(&shape->sets);
}

uint64_t
nft_chain_digest(uint32_t hook, int32_t prio, uint32_t policy)
{
	/* Not 0, which the 0 of another's rule would not change. */
	uint64_t digest = nft_mix(1, &hook, sizeof(hook));

	digest = nft_mix(digest, &prio, sizeof(prio));
	return nft_mix(digest, &policy, sizeof(policy));
}

struct nft_chain_shape *
nft_shape_chain(struct nft_shape *shape, const char *name)
{
	struct nft_chain_shape *chain;

	VEC_FOREACH (chain, &shape->chains) {
		if (strcmp(chain->name, name) == 0)
			return chain;
	}
	return NULL;
}

struct nft_set_shape *
nft_shape_set(struct nft_shape *shape, const char *name)
{
	struct nft_set_shape *set;

	VEC_FOREACH (set, &shape->sets) {
		if (strcmp(set->name, name) == 0)
			return set;
	}
	return NULL;
}

static void
make_table(struct nft_batch *batch)
{
	struct nftnl_table *table = nft_must(nftnl_table_alloc());
	struct nftnl_udata_buf *udata = nft_must(nftnl_udata_buf_alloc(256));
	struct nlmsghdr *h;

	nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE);
	nftnl_udata_put_strz(udata, NFTNL_UDATA_TABLE_COMMENT, NFT_LAYOUT);
	nftnl_table_set_data(table, NFTNL_TABLE_USERDATA,
	    nftnl_udata_buf_data(udata), nftnl_udata_buf_len(udata));
	h = nft_batch_open(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nftnl_table_nlmsg_build_payload(h, table);
	nft_batch_close(batch, h);
	nftnl_udata_buf_free(udata);
	nftnl_table_free(table);
}

void
nft_table_delete(struct nft_batch *batch)
{
	struct nlmsghdr *h = nft_batch_open(batch, NFT_MSG_DELTABLE, 0);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE);
	nft_batch_close(batch, h);
}

static void
make_chain(struct nft_batch *batch, const struct chain_spec *spec,
    struct nft_shape *shape)
{
	struct nftnl_chain *chain = nft_must(nftnl_chain_alloc());
	struct nlmsghdr *h;

	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, spec->name);
	if (spec->type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, spec->type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, spec->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, spec->prio);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	h = nft_batch_open(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nftnl_chain_nlmsg_build_payload(h, chain);
	nft_batch_close(batch, h);
	nftnl_chain_free(chain);
	if (shape) {
		struct nft_chain_shape made = {
			.digest = nft_chain_digest(spec->hook, spec->prio,
			    spec->type ? NF_ACCEPT : 0),
		};

		snprintf(made.name, sizeof(made.name), "%s", spec->name);
		vec_push(&shape->chains, made);
	}
}

static struct nftnl_set *
new_set(const struct set_spec *spec)
{
	struct nftnl_set *set = nft_must(nftnl_set_alloc());
	struct nftnl_udata_buf *udata = nft_must(nftnl_udata_buf_alloc(64));

	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, spec->name);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS,
	    spec->data_type	   ? NFT_SET_MAP
		: spec->is_counter ? NFT_SET_OBJECT
				   : 0);
	if (spec->is_counter)
		nftnl_set_set_u32(set, NFTNL_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, spec->key_type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, spec->key_len);
	/* A size selects the hash that never has to grow. */
	nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, spec->size);
	nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER,
	    (spec->key_type & ((1 << TYPE_BITS) - 1)) == TYPE_MARK
		? BYTEORDER_HOST
		: BYTEORDER_NETWORK);
	if (spec->data_type) {
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, spec->data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, spec->data_len);
		nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATABYTEORDER,
		    spec->data_type == TYPE_MARK ? BYTEORDER_HOST
						 : BYTEORDER_NETWORK);
	}
	nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata),
	    nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
	return set;
}

static void
make_set(struct nft_batch *batch, const struct set_spec *spec,
    struct nft_shape *shape)
{
	struct nftnl_set *set = new_set(spec);
	struct nlmsghdr *h =
	    nft_batch_open(batch, NFT_MSG_NEWSET, NLM_F_CREATE);

	/* Any number that is its own within the batch. */
	nftnl_set_set_u32(set, NFTNL_SET_ID, h->nlmsg_seq);
	nftnl_set_nlmsg_build_payload(h, set);
	nft_batch_close(batch, h);
	nftnl_set_free(set);
	if (shape) {
		struct nft_set_shape made = { .key_len = spec->key_len,
			.data_len = spec->data_len,
			.size = spec->size };

		snprintf(made.name, sizeof(made.name), "%s", spec->name);
		vec_push(&shape->sets, made);
	}
}

static struct nft_rule
begin(struct nft_batch *batch, struct nft_shape *shape, const char *chain,
    bool is_v6)
{
	struct nft_rule rule = nft_rule_begin(batch, chain, is_v6);

	if (shape)
		rule.chain_digest = &nft_shape_chain(shape, chain)->digest;
	return rule;
}

/* Sizes, types and names of the base sets; `v6` 0 or 1. */
static struct set_spec
base_spec(enum ruleset_set set, unsigned int v6, uint32_t size)
{
	uint32_t addr_type = v6 ? TYPE_IPV6 : TYPE_IPV4;
	uint32_t addr_len = v6 ? 16 : 4;
	uint32_t addr_port = addr_type << TYPE_BITS | TYPE_PORT;
	struct set_spec spec = { .key_type = addr_type << 2 * TYPE_BITS |
		    TYPE_PROTOCOL << TYPE_BITS | TYPE_PORT,
		.key_len = addr_len + 8,
		.size = size };

	switch (set) {
	case RULESET_SET_SVC:
		spec.name = names[v6].svc;
		spec.data_type = TYPE_MARK;
		spec.data_len = 4;
		return spec;
	case RULESET_SET_ACCT:
	case RULESET_SET_CONN:
		spec.name =
		    set == RULESET_SET_ACCT ? names[v6].acct : names[v6].conn;
		spec.is_counter = true;
		return spec;
	case RULESET_SET_DIRECT:
		return (struct set_spec){ names[v6].be, TYPE_MARK, 4, addr_port,
			addr_len + 4, size, false };
	case RULESET_SET_EIP:
	case RULESET_SET_COUNTER:
	case RULESET_SET_BACKENDS:
	case RULESET_SET_SLOTS:
	case RULESET_SET_SHARD:
	case RULESET_SET__COUNT:
		break;
	}
	return (struct set_spec){ names[v6].eip, addr_type, addr_len, 0, 0,
		size, false };
}

void
nft_table_grow(struct nft_batch *batch, enum ruleset_set set,
    unsigned int family, uint32_t size)
{
	struct set_spec spec = base_spec(set, family == FAMILY_IPV6, size);

	make_set(batch, &spec, NULL);
}

static void
make_sets(struct nft_batch *batch, const struct nft_table_sizes *sizes,
    struct nft_shape *shape, unsigned int v6)
{
	struct set_spec dispatch = { names[v6].disp, TYPE_MARK, 4, TYPE_VERDICT,
		0, DISPATCH_SIZE, false };

	for (size_t i = 0; i < NFT_TABLE_BASE_SETS; i++) {
		enum ruleset_set set = nft_table_base_sets[i];
		struct set_spec spec = base_spec(set, v6, sizes->of[set][v6]);

		make_set(batch, &spec, shape);
	}
	make_set(batch, &dispatch, shape);
}

/* What every base chain begins with: first packets to our addresses only. */
static void
make_entry(struct nft_batch *batch, struct nft_shape *shape, const char *chain,
    int verdict, const char *to, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, chain, is_v6);

	nft_rule_family(&rule);
	nft_rule_daddr_in(&rule, names[is_v6].eip);
	nft_rule_verdict(&rule, verdict, to);
	nft_rule_end(&rule);
}

/* A transaction may come between two lookups of one packet: what the first
 * found is gone for the second.  It then starts again, with what is there
 * now. */
static void
make_entries(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	const struct names *n = &names[is_v6];

	make_entry(batch, shape, "pre", NFT_GOTO, n->in, is_v6);
	make_entry(batch, shape, "nat_pre", NFT_JUMP, n->nat, is_v6);
	make_entry(batch, shape, "nat_pre", NFT_GOTO, n->out, is_v6);
	make_entry(batch, shape, "nat_out", NFT_JUMP, n->out, is_v6);
	make_entry(batch, shape, "nat_out", NFT_GOTO, n->out, is_v6);
	make_entry(batch, shape, "local", NFT_GOTO, n->local, is_v6);
}

static void
make_svc_mark(struct nft_batch *batch, struct nft_shape *shape,
    const char *chain, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, chain, is_v6);

	nft_rule_clear_ct_mark(&rule);
	nft_rule_end(&rule);
	rule = begin(batch, shape, chain, is_v6);
	nft_rule_family(&rule);
	nft_rule_svc_mark(&rule, names[is_v6].svc);
	nft_rule_end(&rule);
}

static void
make_in(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	const char *chain = names[is_v6].in;
	struct nft_rule rule = begin(batch, shape, chain, is_v6);

	nft_rule_icmp(&rule, true); /* the local route answers */
	nft_rule_verdict(&rule, NF_ACCEPT, NULL);
	nft_rule_end(&rule);
	/* Or the local stack would reset connections that are alive. */
	rule = begin(batch, shape, chain, is_v6);
	nft_rule_ct_state(&rule, CT_STATE_INVALID);
	nft_rule_verdict(&rule, NF_DROP, NULL);
	nft_rule_end(&rule);
	make_svc_mark(batch, shape, chain, is_v6);
	/* Before Linux 6.17 a lookup may miss what is just being replaced. */
	rule = begin(batch, shape, chain, is_v6);
	nft_rule_family(&rule);
	nft_rule_ct_mark(&rule, RULESET_MARK_OURS, true);
	nft_rule_svc_mark(&rule, names[is_v6].svc);
	nft_rule_end(&rule);
	rule = begin(batch, shape, chain, is_v6);
	nft_rule_ct_mark(&rule, RULESET_MARK_CLASS, true);
	nft_rule_verdict(&rule, NFT_GOTO, "nope");
	nft_rule_end(&rule);
}

static void
make_nat(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, names[is_v6].nat, is_v6);

	nft_rule_dispatch(&rule, RULESET_MARK_SHARD, names[is_v6].disp);
	nft_rule_end(&rule);
	rule = begin(batch, shape, names[is_v6].nat, is_v6);
	nft_rule_family(&rule);
	nft_rule_dnat(&rule, names[is_v6].be);
	nft_rule_end(&rule);
	/* Connections of this host, and whatever starts again. */
	make_svc_mark(batch, shape, names[is_v6].out, is_v6);
	rule = begin(batch, shape, names[is_v6].out, is_v6);
	nft_rule_verdict(&rule, NFT_GOTO, names[is_v6].nat);
	nft_rule_end(&rule);
	/* No listener of this host is reachable at our addresses. */
	rule = begin(batch, shape, names[is_v6].local, is_v6);
	nft_rule_icmp(&rule, false);
	nft_rule_verdict(&rule, NFT_GOTO, "nope");
	nft_rule_end(&rule);
}

/* A backend that sees the client on its own link would answer it directly. */
static void
make_hairpin(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, "forward", is_v6);

	nft_rule_family(&rule);
	nft_rule_ct_state(&rule, CT_STATE_NEW);
	nft_rule_ct_status(&rule, IPS_DST_NAT);
	nft_rule_original_daddr_in(&rule, names[is_v6].eip);
	nft_rule_is_hairpin(&rule);
	nft_rule_set_ct_mark_bit(&rule, RULESET_MARK_MASQUERADE);
	nft_rule_end(&rule);
}

/* Packets both ways; connections by their first packet, which is the only
 * one that a nat chain sees, once nothing keeps it from being sent. */
static void
make_count(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, "forward", is_v6);

	nft_rule_family(&rule);
	nft_rule_ct_mark(&rule, RULESET_MARK_OURS, false);
	nft_rule_count_by(&rule, names[is_v6].acct);
	nft_rule_end(&rule);
	rule = begin(batch, shape, "nat_post", is_v6);
	nft_rule_family(&rule);
	nft_rule_ct_status(&rule, IPS_DST_NAT);
	nft_rule_ct_mark(&rule, RULESET_MARK_OURS, false);
	nft_rule_count_by(&rule, names[is_v6].conn);
	nft_rule_end(&rule);
}

static void
make_masquerade(struct nft_batch *batch, struct nft_shape *shape, bool is_v6)
{
	struct nft_rule rule = begin(batch, shape, "nat_post", is_v6);

	nft_rule_family(&rule);
	nft_rule_ct_status(&rule, IPS_DST_NAT);
	nft_rule_original_daddr_in(&rule, names[is_v6].eip);
	nft_rule_ct_mark(&rule, RULESET_MARK_MASQUERADE, false);
	nft_rule_masquerade(&rule);
	nft_rule_end(&rule);
}

static void
make_common(struct nft_batch *batch, struct nft_shape *shape)
{
	static const char *const first[] = { "pre", "local" };
	struct nft_rule rule;

	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		rule = begin(batch, shape, first[i], false);
		nft_rule_ct_state(&rule,
		    CT_STATE_ESTABLISHED | CT_STATE_RELATED);
		nft_rule_verdict(&rule, NF_ACCEPT, NULL);
		nft_rule_end(&rule);
	}
	rule = begin(batch, shape, "nope", false);
	nft_rule_l4proto(&rule, IPPROTO_TCP, true);
	nft_rule_counter(&rule);
	nft_rule_reject_tcp(&rule);
	nft_rule_end(&rule);
	rule = begin(batch, shape, "nope", false);
	nft_rule_counter(&rule);
	nft_rule_reject_port(&rule);
	nft_rule_end(&rule);
}

void
nft_table_make(struct nft_batch *batch, const struct nft_table_sizes *sizes,
    struct nft_shape *shape)
{
	make_table(batch);
	for (unsigned int v6 = 0; v6 < 2; v6++)
		make_sets(batch, sizes, shape, v6);
	for (size_t i = 0; i < ARRAY_LEN(chain_specs); i++)
		make_chain(batch, &chain_specs[i], shape);
	make_common(batch, shape);
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		make_entries(batch, shape, v6);
		make_in(batch, shape, v6);
		make_nat(batch, shape, v6);
		make_hairpin(batch, shape, v6);
		make_count(batch, shape, v6);
		make_masquerade(batch, shape, v6);
	}
}

void
nft_table_set_name(enum ruleset_set set, unsigned int family,
    unsigned int class, unsigned int shard, char out[NFT_NAME_B])
{
	unsigned int v6 = family == FAMILY_IPV6;

	switch (set) {
	case RULESET_SET_BACKENDS:
		snprintf(out, NFT_NAME_B, "%s_%u_%u", names[v6].be, class,
		    shard);
		return;
	case RULESET_SET_SLOTS:
		snprintf(out, NFT_NAME_B, "slots_%u_%u", class, shard);
		return;
	case RULESET_SET_EIP:
		snprintf(out, NFT_NAME_B, "%s", names[v6].eip);
		return;
	case RULESET_SET_SVC:
		snprintf(out, NFT_NAME_B, "%s", names[v6].svc);
		return;
	case RULESET_SET_DIRECT:
		snprintf(out, NFT_NAME_B, "%s", names[v6].be);
		return;
	case RULESET_SET_SHARD:
		snprintf(out, NFT_NAME_B, "%s", names[v6].disp);
		return;
	case RULESET_SET_ACCT:
		snprintf(out, NFT_NAME_B, "%s", names[v6].acct);
		return;
	case RULESET_SET_CONN:
		snprintf(out, NFT_NAME_B, "%s", names[v6].conn);
		return;
	case RULESET_SET_COUNTER:
	case RULESET_SET__COUNT:
		break;
	}
	out[0] = '\0';
}

static const char *const counter_suffixes[RULESET_COUNTER__COUNT] = {
	[RULESET_COUNTER_ACCT] = "/packets",
	[RULESET_COUNTER_CONN] = "/connections"
};

void
nft_table_counter_name(unsigned int kind, const char *key,
    char out[NFT_OBJECT_NAME_B])
{
	snprintf(out, NFT_OBJECT_NAME_B, "%s%s", key, counter_suffixes[kind]);
}

unsigned int
nft_table_parse_counter(const char *name, char key[NFT_OBJECT_NAME_B])
{
	const char *suffix = strrchr(name, '/');
	size_t n = suffix ? (size_t)(suffix - name) : NFT_OBJECT_NAME_B;
	unsigned int kind = 0;

	if (n >= NFT_OBJECT_NAME_B)
		return RULESET_COUNTER__COUNT;
	while (kind < RULESET_COUNTER__COUNT &&
	    strcmp(suffix, counter_suffixes[kind]) != 0)
		kind++;
	memcpy(key, name, n);
	key[n] = '\0';
	return kind;
}

static void
put_count(struct nlmsghdr *h, const struct ruleset_op *op)
{
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_OBJ_DATA);
	struct ruleset_count count;

	memcpy(&count, op->data, sizeof(count));
	mnl_attr_put_u64(h, NFTA_COUNTER_BYTES, htobe64(count.bytes));
	mnl_attr_put_u64(h, NFTA_COUNTER_PACKETS, htobe64(count.packets));
	mnl_attr_nest_end(h, data);
}

void
nft_table_put_counter(struct nft_batch *batch, const struct ruleset_op *op)
{
	struct nlmsghdr *h = nft_batch_open(batch,
	    op->is_delete ? NFT_MSG_DELOBJ : NFT_MSG_NEWOBJ,
	    op->is_delete ? 0 : NLM_F_CREATE);
	char name[NFT_OBJECT_NAME_B];

	nft_table_counter_name(op->key[0], op->comment, name);
	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	if (!op->is_delete)
		put_count(h, op);
	nft_batch_close(batch, h);
	batch->n_elements++;
}

bool
nft_table_parse_shard(const char *name, unsigned int *out_class,
    unsigned int *out_shard)
{
	const char *number = strrchr(name, '_');
	uint64_t shard;

	if (!number || !str_starts_with(name, "slots_") ||
	    str_to_u64(number + 1, RULESET_SHARDS_MAX - 1, &shard) < 0)
		return false;
	for (unsigned int class = 0; class < SLOTS_CLASS__COUNT; class ++) {
		char again[NFT_NAME_B];

		if (slots_count(class) == 0)
			continue;
		nft_table_set_name(RULESET_SET_SLOTS, FAMILY_NONE, class,
		    (unsigned int)shard, again);
		if (strcmp(again, name) != 0)
			continue;
		*out_class = class;
		*out_shard = (unsigned int)shard;
		return true;
	}
	return false;
}

void
nft_table_make_shard(struct nft_batch *batch, unsigned int class,
    unsigned int shard, struct nft_shape *shape)
{
	uint32_t per_shard = (uint32_t)slots_per_shard(class);
	uint32_t n_slots = (uint32_t)slots_count(class);
	uint32_t key =
	    class << RULESET_MARK_CLASS_SHIFT | shard * RULESET_SHARD_NUMBERS;
	char slots[NFT_NAME_B];
	struct set_spec spec = { slots, TYPE_MARK << TYPE_BITS | TYPE_MARK, 8,
		TYPE_MARK, 4, per_shard * n_slots, false };

	nft_table_set_name(RULESET_SET_SLOTS, 0, class, shard, slots);
	make_set(batch, &spec, shape);
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		char be[NFT_NAME_B];
		char chain[NFT_NAME_B];
		struct chain_spec chain_spec = { chain, NULL, 0, 0 };
		struct nft_element element = { .set = names[v6].disp,
			.key = &key,
			.key_len = sizeof(key),
			.chain = chain };
		struct nft_rule rule;

		/* The rule for classes bounds how many backends there are. */
		spec = base_spec(RULESET_SET_DIRECT, v6,
		    per_shard * MIN(n_slots / 4, SLOTS_BACKENDS_MAX));
		nft_table_set_name(RULESET_SET_BACKENDS,
		    v6 ? FAMILY_IPV6 : FAMILY_IPV4, class, shard, be);
		spec.name = be;
		make_set(batch, &spec, shape);
		snprintf(chain, sizeof(chain), "s%c_%u_%u", v6 ? '6' : '4',
		    class, shard);
		make_chain(batch, &chain_spec, shape);
		rule = begin(batch, shape, chain, v6);
		nft_rule_family(&rule);
		nft_rule_pick_slot(&rule, slots, n_slots, NFT_HASH_SEED);
		nft_rule_end(&rule);
		rule = begin(batch, shape, chain, v6);
		nft_rule_family(&rule);
		nft_rule_dnat(&rule, be);
		nft_rule_end(&rule);
		nft_batch_element(batch, NFT_MSG_NEWSETELEM, &element);
	}
}
