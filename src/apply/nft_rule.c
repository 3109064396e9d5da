/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_rule.h"

#include <netinet/in.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

static const uint32_t zero;

static struct nftnl_expr *
expr(struct nft_rule *rule, const char *name)
{
	struct nftnl_expr *e = nft_must(nftnl_expr_alloc(name));

	nftnl_rule_add_expr(rule->r, e);
	return e;
}

struct nft_rule
nft_rule_begin(struct nft_batch *batch, const char *chain, bool is_v6)
{
	struct nft_rule rule = { .batch = batch,
		.r = nft_must(nftnl_rule_alloc()),
		.is_v6 = is_v6 };

	nftnl_rule_set_str(rule.r, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(rule.r, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_set_u32(rule.r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	return rule;
}

void
nft_rule_end(struct nft_rule *rule)
{
	struct nlmsghdr *h = nft_batch_open(rule->batch, NFT_MSG_NEWRULE,
	    NLM_F_CREATE | NLM_F_APPEND);
	uint8_t *body = mnl_nlmsg_get_payload_tail(h);
	uint8_t userdata[2 + sizeof(uint64_t)] = { NFT_RULE_DIGEST_TYPE,
		sizeof(uint64_t) };
	uint64_t digest;

	/* Not every library clears what it pads with. */
	memset(body, 0, NFT_OBJECT_MAX_B - h->nlmsg_len);
	nftnl_rule_nlmsg_build_payload(h, rule->r);
	digest = nft_mix(0, body,
	    (size_t)((uint8_t *)mnl_nlmsg_get_payload_tail(h) - body));
	memcpy(userdata + 2, &digest, sizeof(digest));
	mnl_attr_put(h, NFTA_RULE_USERDATA, sizeof(userdata), userdata);
	if (rule->chain_digest)
		*rule->chain_digest =
		    nft_mix(*rule->chain_digest, &digest, sizeof(digest));
	nft_batch_close(rule->batch, h);
	nftnl_rule_free(rule->r);
}

static void
payload(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
    uint32_t reg)
{
	struct nftnl_expr *e = expr(rule, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void
meta(struct nft_rule *rule, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = expr(rule, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

static void
ct_get(struct nft_rule *rule, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = expr(rule, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, reg);
}

/* Of the flow's first packet, as it came. */
static void
ct_get_original(struct nft_rule *rule, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = expr(rule, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, reg);
	nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
}

static void
ct_set_mark(struct nft_rule *rule, uint32_t reg)
{
	struct nftnl_expr *e = expr(rule, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, reg);
}

static void
cmp(struct nft_rule *rule, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = expr(rule, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void
bitwise(struct nft_rule *rule, uint32_t mask, uint32_t xor)
{
	struct nftnl_expr *e = expr(rule, "bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &xor, sizeof(xor));
}

/* Of a set: no result. */
enum {
	NO_DREG = -1
};

static void
lookup(struct nft_rule *rule, const char *set, uint32_t sreg, int dreg)
{
	struct nftnl_expr *e = expr(rule, "lookup");

	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, sreg);
	if (dreg != NO_DREG)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, (uint32_t)dreg);
}

/* Registers of four octets that an address takes. */
static uint32_t
addr_regs(const struct nft_rule *rule)
{
	return rule->is_v6 ? 4 : 1;
}

static void
saddr(struct nft_rule *rule, uint32_t reg)
{
	payload(rule, NFT_PAYLOAD_NETWORK_HEADER, rule->is_v6 ? 8 : 12,
	    addr_regs(rule) * 4, reg);
}

static void
daddr(struct nft_rule *rule, uint32_t reg)
{
	payload(rule, NFT_PAYLOAD_NETWORK_HEADER, rule->is_v6 ? 24 : 16,
	    addr_regs(rule) * 4, reg);
}

void
nft_rule_family(struct nft_rule *rule)
{
	uint8_t family = rule->is_v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	meta(rule, NFT_META_NFPROTO, NFT_REG_1);
	cmp(rule, NFT_CMP_EQ, &family, sizeof(family));
}

void
nft_rule_l4proto(struct nft_rule *rule, uint8_t protocol, bool is_equal)
{
	meta(rule, NFT_META_L4PROTO, NFT_REG_1);
	cmp(rule, is_equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &protocol,
	    sizeof(protocol));
}

void
nft_rule_icmp(struct nft_rule *rule, bool is_equal)
{
	nft_rule_l4proto(rule, rule->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
	    is_equal);
}

static void
any_bit(struct nft_rule *rule, uint32_t key, uint32_t bits, uint32_t op)
{
	ct_get(rule, key, NFT_REG_1);
	bitwise(rule, bits, 0);
	cmp(rule, op, &zero, sizeof(zero));
}

void
nft_rule_ct_state(struct nft_rule *rule, uint32_t bits)
{
	any_bit(rule, NFT_CT_STATE, bits, NFT_CMP_NEQ);
}

void
nft_rule_ct_status(struct nft_rule *rule, uint32_t bits)
{
	any_bit(rule, NFT_CT_STATUS, bits, NFT_CMP_NEQ);
}

void
nft_rule_ct_mark(struct nft_rule *rule, uint32_t mask, bool is_zero)
{
	any_bit(rule, NFT_CT_MARK, mask, is_zero ? NFT_CMP_EQ : NFT_CMP_NEQ);
}

void
nft_rule_daddr_in(struct nft_rule *rule, const char *set)
{
	daddr(rule, NFT_REG_1);
	lookup(rule, set, NFT_REG_1, NO_DREG);
}

static void
original_daddr(struct nft_rule *rule, uint32_t reg)
{
	ct_get_original(rule, rule->is_v6 ? NFT_CT_DST_IP6 : NFT_CT_DST_IP,
	    reg);
}

void
nft_rule_count_by(struct nft_rule *rule, const char *map)
{
	uint32_t reg = NFT_REG32_00 + addr_regs(rule);
	struct nftnl_expr *e;

	original_daddr(rule, NFT_REG32_00);
	ct_get(rule, NFT_CT_PROTOCOL, reg);
	ct_get_original(rule, NFT_CT_PROTO_DST, reg + 1);
	e = expr(rule, "objref");
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG32_00);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_SET_NAME, map);
}

void
nft_rule_original_daddr_in(struct nft_rule *rule, const char *set)
{
	original_daddr(rule, NFT_REG_1);
	lookup(rule, set, NFT_REG_1, NO_DREG);
}

void
nft_rule_is_hairpin(struct nft_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "fib");
	uint8_t yes = 1;

	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS,
	    NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	cmp(rule, NFT_CMP_EQ, &yes, sizeof(yes));
}

void
nft_rule_clear_ct_mark(struct nft_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &zero, sizeof(zero));
	ct_set_mark(rule, NFT_REG_1);
}

void
nft_rule_set_ct_mark_bit(struct nft_rule *rule, uint32_t bit)
{
	ct_get(rule, NFT_CT_MARK, NFT_REG_1);
	bitwise(rule, ~bit, bit);
	ct_set_mark(rule, NFT_REG_1);
}

void
nft_rule_svc_mark(struct nft_rule *rule, const char *map)
{
	uint32_t reg = NFT_REG32_00 + addr_regs(rule);

	daddr(rule, NFT_REG32_00);
	meta(rule, NFT_META_L4PROTO, reg);
	payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
	lookup(rule, map, NFT_REG32_00, NFT_REG32_00);
	ct_set_mark(rule, NFT_REG32_00);
}

void
nft_rule_pick_slot(struct nft_rule *rule, const char *map, uint32_t n_slots,
    uint32_t seed)
{
	struct nftnl_expr *e;

	ct_get(rule, NFT_CT_MARK, NFT_REG32_00);
	saddr(rule, NFT_REG32_08);
	payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2,
	    NFT_REG32_08 + addr_regs(rule));
	e = expr(rule, "hash");
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_SREG, NFT_REG32_08);
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_DREG, NFT_REG32_01);
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_LEN, (addr_regs(rule) + 1) * 4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_MODULUS, n_slots);
	nftnl_expr_set_u32(e, NFTNL_EXPR_HASH_SEED, seed);
	lookup(rule, map, NFT_REG32_00, NFT_REG32_00);
	ct_set_mark(rule, NFT_REG32_00);
}

void
nft_rule_dispatch(struct nft_rule *rule, uint32_t mask, const char *map)
{
	ct_get(rule, NFT_CT_MARK, NFT_REG_1);
	bitwise(rule, mask, 0);
	lookup(rule, map, NFT_REG_1, NFT_REG_VERDICT);
}

void
nft_rule_dnat(struct nft_rule *rule, const char *map)
{
	struct nftnl_expr *e;

	ct_get(rule, NFT_CT_MARK, NFT_REG_1);
	lookup(rule, map, NFT_REG_1, NFT_REG_1);
	e = expr(rule, "nat");
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY,
	    rule->is_v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN,
	    NFT_REG32_00 + addr_regs(rule));
}

void
nft_rule_verdict(struct nft_rule *rule, int verdict, const char *chain)
{
	struct nftnl_expr *e = expr(rule, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void
nft_rule_counter(struct nft_rule *rule)
{
	(void)expr(rule, "counter");
}

void
nft_rule_reject_tcp(struct nft_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "reject");

	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
}

void
nft_rule_reject_port(struct nft_rule *rule)
{
	struct nftnl_expr *e = expr(rule, "reject");

	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE,
	    NFT_REJECT_ICMPX_PORT_UNREACH);
}

void
nft_rule_masquerade(struct nft_rule *rule)
{
	(void)expr(rule, "masq");
}
