/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update: UPDATE messages: writing ours, judging the peer's.
 *
 * Pure.  Nothing is imported, so a received UPDATE is only counted; what
 * RFC 7606 answers with treat-as-withdraw or attribute discard costs us
 * nothing and the session lives.
 */
#ifndef EIPD_BGP_UPDATE_H
#define EIPD_BGP_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/wire.h"
#include "bgp/notify.h"

/* Attributes of a route as we want them; equal ones are stored once. */
struct bgp_attrs {
	uint8_t origin; /* 0 IGP, 1 EGP, 2 INCOMPLETE */
	uint32_t local_pref; /* told to iBGP peers only */
};

/* How routes look on one session. */
struct bgp_export {
	uint32_t local_as;
	bool is_ibgp;
	bool as4;
	bool enhanced_refresh;
	unsigned int families; /* BGP_FAMILY() */
	struct addr next_hop[FAMILY_IPV6 + 1]; /* by family; unset: no routes */
};

enum bgp_update_verdict {
	BGP_UPDATE_GOOD,
	BGP_UPDATE_ODD, /* its routes would be treated as withdrawn */
	BGP_UPDATE_FATAL, /* where its routes are cannot be known */
};

struct bgp_update {
	enum bgp_update_verdict verdict;
	uint32_t n_reach;
	uint32_t n_unreach;
	enum family end_of_rib; /* FAMILY_NONE: it is not one */
};

/* Judges a whole framed UPDATE; `err` is filled for BGP_UPDATE_FATAL. */
void bgp_update_check(const uint8_t *msg, size_t n, struct bgp_update *out,
    struct bgp_notification *err);

/* Writing: begin, prefixes while there is room, end.  One message holds
 * prefixes of one family with one set of attributes. */
struct bgp_update_writer {
	struct wire_writer w; /* of this message only */
	enum family family;
	bool is_withdraw;
	size_t mark; /* where the length that counts the prefixes is */
	size_t attrs; /* where the length of all attributes is; 0: not yet */
	/* RFC 7606 5.1 wants MP_REACH_NLRI, which grows, to come first: the
	 * other attributes wait here for the end. */
	uint8_t tail[64];
	size_t n_tail;
};

/* `attrs` NULL: withdraws.  `buf` holds BGP_MSG_MAX_B. */
void bgp_update_begin(struct bgp_update_writer *u, void *buf,
    enum family family, const struct bgp_attrs *attrs,
    const struct bgp_export *export);
/* False (and nothing written) when the message is full. */
bool bgp_update_add(struct bgp_update_writer *u, const struct prefix *prefix);
/* Length of the finished message. */
size_t bgp_update_end(struct bgp_update_writer *u);

#endif
