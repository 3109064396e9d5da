/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps: capabilities of an OPEN (RFC 5492) and what two OPENs agree on.
 *
 * Pure.  Unknown capabilities are ignored, repeated ones are merged.
 */
#ifndef EIPD_BGP_CAPS_H
#define EIPD_BGP_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/wire.h"

/* Sets of families. */
#define BGP_FAMILY(family) (1u << (family))

struct bgp_caps {
	bool has_families; /* any multiprotocol capability was there */
	unsigned int families; /* BGP_FAMILY() of those that we know */
	bool route_refresh;
	bool enhanced_refresh; /* RFC 7313 */
	bool as4; /* RFC 6793 */
	uint32_t as;
	bool graceful_restart; /* RFC 4724 */
	bool is_restarting; /* its R bit */
	uint16_t restart_s;
	unsigned int gr_families; /* in it, forwarding state kept or not */
	unsigned int gr_forwarding; /* with forwarding state kept */
};

/* What both sides said. */
struct bgp_agreed {
	unsigned int families;
	bool as4;
	bool route_refresh;
	bool enhanced_refresh;
	bool graceful_restart; /* the peer can restart, or help us to */
	uint16_t peer_restart_s;
};

/* Adds to `out` what one parameter says; -1 when it is malformed. */
ATTR_NODISCARD int bgp_caps_decode(struct wire_reader *r, struct bgp_caps *out);
void bgp_caps_encode(struct wire_writer *w, const struct bgp_caps *caps);

struct bgp_agreed bgp_caps_agree(const struct bgp_caps *ours,
    const struct bgp_caps *theirs);

enum {
	BGP_CAPS_TEXT_MAX = 8
};

/* Names of what was agreed; returns how many. */
size_t bgp_agreed_text(const struct bgp_agreed *agreed,
    const char *out[BGP_CAPS_TEXT_MAX]);

#endif
