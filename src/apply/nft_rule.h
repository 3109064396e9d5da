/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_rule: rules, phrase by phrase.
 *
 * Every function appends the expressions of one nft phrase; nft_rule_end()
 * puts the rule into the batch.  A rule reads only registers that it set:
 * newer kernels insist.
 */
#ifndef EIPD_APPLY_NFT_RULE_H
#define EIPD_APPLY_NFT_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "apply/nft_batch.h"

struct nftnl_rule;

struct nft_rule {
	struct nft_batch *batch;
	struct nftnl_rule *r;
	bool is_v6;
	uint64_t *chain_digest; /* goes on with this rule; NULL: nobody asks */
};

/* In the userdata of each rule, of a type that nft does not know: the hash of
 * its message without it. */
enum {
	NFT_RULE_DIGEST_TYPE = 0xe1
};

struct nft_rule nft_rule_begin(struct nft_batch *batch, const char *chain,
    bool is_v6);
void nft_rule_end(struct nft_rule *rule);

/* meta nfproto ipv4 (ipv6): needed in `inet` before any address. */
void nft_rule_family(struct nft_rule *rule);
void nft_rule_l4proto(struct nft_rule *rule, uint8_t protocol, bool is_equal);
void nft_rule_icmp(struct nft_rule *rule, bool is_equal);
/* ct state (NF_CT_STATE bits), ct status (IPS bits): any of them. */
void nft_rule_ct_state(struct nft_rule *rule, uint32_t bits);
void nft_rule_ct_status(struct nft_rule *rule, uint32_t bits);
/* ct mark & mask == 0, or != 0. */
void nft_rule_ct_mark(struct nft_rule *rule, uint32_t mask, bool is_zero);
/* counter name of (original daddr . protocol . dport) in the map */
void nft_rule_count_by(struct nft_rule *rule, const char *map);
void nft_rule_daddr_in(struct nft_rule *rule, const char *set);
void nft_rule_original_daddr_in(struct nft_rule *rule, const char *set);
/* fib daddr . iif oif exists: it leaves where it came in. */
void nft_rule_is_hairpin(struct nft_rule *rule);

void nft_rule_clear_ct_mark(struct nft_rule *rule);
void nft_rule_set_ct_mark_bit(struct nft_rule *rule, uint32_t bit);
/* ct mark set daddr . l4proto . dport map @map */
void nft_rule_svc_mark(struct nft_rule *rule, const char *map);
/* ct mark set ct mark . jhash saddr . sport mod n_slots map @map */
void nft_rule_pick_slot(struct nft_rule *rule, const char *map,
    uint32_t n_slots, uint32_t seed);
/* ct mark & mask vmap @map */
void nft_rule_dispatch(struct nft_rule *rule, uint32_t mask, const char *map);
/* dnat to ct mark map @map */
void nft_rule_dnat(struct nft_rule *rule, const char *map);

void nft_rule_verdict(struct nft_rule *rule, int verdict, const char *chain);
void nft_rule_counter(struct nft_rule *rule);
void nft_rule_reject_tcp(struct nft_rule *rule);
void nft_rule_reject_port(struct nft_rule *rule);
void nft_rule_masquerade(struct nft_rule *rule);

#endif
