/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rib: wanted routes, and what each peer still has to be told.
 *
 * Pure.  One table of prefixes for all peers.  Routes with equal attributes
 * form a group, ordered by the moment of their last change, and a peer knows
 * up to which moment it has been told: it walks each group back from the
 * newest route.  So nothing is queued per peer and route; all that a route
 * holds of a peer is one bit, "has been sent".  A walk can stop at any message
 * and go on later.
 */
#ifndef EIPD_BGP_RIB_H
#define EIPD_BGP_RIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "bgp/update.h"

enum {
	BGP_RIB_PEERS_MAX = 128
};

struct bgp_rib;
struct bgp_out; /* one established session's view */

struct bgp_rib *bgp_rib_new(void);
void bgp_rib_free(struct bgp_rib *rib); /* no bgp_out may be left */

/* False: nothing changes. */
bool bgp_rib_announce(struct bgp_rib *rib, const struct prefix *prefix,
    const struct bgp_attrs *attrs);
bool bgp_rib_withdraw(struct bgp_rib *rib, const struct prefix *prefix);
size_t bgp_rib_count(const struct bgp_rib *rib); /* wanted */

/* NULL: BGP_RIB_PEERS_MAX sessions exist. */
struct bgp_out *bgp_out_new(struct bgp_rib *rib,
    const struct bgp_export *export);
void bgp_out_free(struct bgp_out *out); /* NULL is fine */

/* Puts whole messages into `buf` and returns their length; 0: the peer knows
 * everything, or fewer than BGP_MSG_MAX_B octets of room are left. */
size_t bgp_out_fill(struct bgp_out *out, uint8_t *buf, size_t cap_b);
bool bgp_out_is_pending(const struct bgp_out *out);

/* Tells all of one family again (RFC 2918). */
void bgp_out_refresh(struct bgp_out *out, enum family family);
/* A new next hop; all of that family is told again. */
void bgp_out_set_next_hop(struct bgp_out *out, enum family family,
    const struct addr *next_hop);

const struct bgp_export *bgp_out_export(const struct bgp_out *out);
size_t bgp_out_count(const struct bgp_out *out); /* sent and not withdrawn */
uint64_t bgp_out_updates(const struct bgp_out *out); /* messages made */
bool bgp_out_is_end_of_rib_sent(const struct bgp_out *out);
/* Its Adj-RIB-Out, in no order. */
void bgp_out_each(const struct bgp_out *out,
    void (*fn)(void *arg, const struct prefix *prefix,
	const struct bgp_attrs *attrs),
    void *arg);

#endif
