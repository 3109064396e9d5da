/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg: framing and codec of BGP messages (RFC 4271 section 4, 2918, 7313).
 *
 * Pure.  Decoders never read past what they are given; an error comes out as
 * the NOTIFICATION that answers it.
 */
#ifndef EIPD_BGP_MSG_H
#define EIPD_BGP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/wire.h"
#include "bgp/caps.h"
#include "bgp/notify.h"

enum {
	BGP_HEADER_B = 19,
	BGP_MSG_MAX_B = 4096,
	BGP_VERSION = 4,
	BGP_AS_TRANS = 23456,
};

enum bgp_msg_type {
	BGP_MSG_OPEN = 1,
	BGP_MSG_UPDATE,
	BGP_MSG_NOTIFICATION,
	BGP_MSG_KEEPALIVE,
	BGP_MSG_ROUTE_REFRESH,
};

struct bgp_open {
	uint8_t version;
	uint16_t my_as; /* as on the wire; caps.as may say more */
	uint16_t hold_s;
	uint32_t id;
	struct bgp_caps caps;
};

/* RFC 7313: what octet 3 of a ROUTE-REFRESH says. */
enum bgp_refresh_kind {
	BGP_REFRESH_REQUEST,
	BGP_REFRESH_BEGIN,
	BGP_REFRESH_END,
};

struct bgp_refresh {
	enum family family; /* FAMILY_NONE: one that we do not know */
	uint8_t kind;
};

/* Length of the message that begins at `p`, 0 while it cannot be known yet or
 * is not complete, -1 and `out` for a bad header. */
ATTR_NODISCARD int bgp_msg_frame(const uint8_t *p, size_t n,
    struct bgp_notification *out);
enum bgp_msg_type bgp_msg_type(const uint8_t *msg);

/* These take a whole framed message of the right type.  0, or -1 and the
 * answer in `err`. */
ATTR_NODISCARD int bgp_open_decode(const uint8_t *msg, size_t n,
    struct bgp_open *out, struct bgp_notification *err);
void bgp_notification_decode(const uint8_t *msg, size_t n,
    struct bgp_notification *out);
void bgp_refresh_decode(const uint8_t *msg, size_t n, struct bgp_refresh *out);

/* The AS number that an OPEN really means. */
uint32_t bgp_open_as(const struct bgp_open *open);

/* `w` needs room for BGP_MSG_MAX_B at most; it fails as wire_writer does. */
void bgp_open_encode(struct wire_writer *w, const struct bgp_open *open);
void bgp_notification_encode(struct wire_writer *w,
    const struct bgp_notification *n);
void bgp_keepalive_encode(struct wire_writer *w);
void bgp_refresh_encode(struct wire_writer *w, const struct bgp_refresh *r);

/* For messages put together piece by piece: returns where the message
 * begins; end fills in its length. */
size_t bgp_msg_begin(struct wire_writer *w, enum bgp_msg_type type);
void bgp_msg_end(struct wire_writer *w, size_t begin);

/* AFI of a family (SAFI is always unicast), and back. */
uint16_t bgp_afi(enum family family);
enum family bgp_family(uint16_t afi, uint8_t safi);

#endif
