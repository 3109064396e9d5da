/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/caps.h"

#include "bgp/msg.h"

enum {
	CAP_MULTIPROTOCOL = 1,
	CAP_ROUTE_REFRESH = 2,
	CAP_GRACEFUL_RESTART = 64,
	CAP_AS4 = 65,
	CAP_ENHANCED_REFRESH = 70,

	SAFI_UNICAST = 1,
	GR_RESTARTING = 0x8000,
	GR_TIME_MASK = 0x0fff,
	GR_FORWARDING = 0x80,
};

static void
decode_graceful_restart(struct wire_reader *r, struct bgp_caps *out)
{
	uint16_t head = wire_get_u16(r);

	if (r->failed)
		return;
	out->graceful_restart = true;
	out->is_restarting = head & GR_RESTARTING;
	out->restart_s = head & GR_TIME_MASK;
	while (r->left_b >= 4) {
		uint16_t afi = wire_get_u16(r);
		uint8_t safi = wire_get_u8(r);
		uint8_t flags = wire_get_u8(r);
		enum family family = bgp_family(afi, safi);

		if (family == FAMILY_NONE)
			continue;
		out->gr_families |= BGP_FAMILY(family);
		if (flags & GR_FORWARDING)
			out->gr_forwarding |= BGP_FAMILY(family);
	}
}

static void
decode_multiprotocol(struct wire_reader *r, struct bgp_caps *out)
{
	uint16_t afi = wire_get_u16(r);
	enum family family;

	wire_get_u8(r);
	family = bgp_family(afi, wire_get_u8(r));
	if (r->failed)
		return;
	out->has_families = true;
	if (family != FAMILY_NONE)
		out->families |= BGP_FAMILY(family);
}

int
bgp_caps_decode(struct wire_reader *r, struct bgp_caps *out)
{
	while (r->left_b) {
		uint8_t code = wire_get_u8(r);
		struct wire_reader cap = wire_get_sub(r, wire_get_u8(r));

		if (r->failed)
			return -1;
		switch (code) {
		case CAP_MULTIPROTOCOL:
			decode_multiprotocol(&cap, out);
			break;
		case CAP_ROUTE_REFRESH:
			out->route_refresh = true;
			break;
		case CAP_ENHANCED_REFRESH:
			out->enhanced_refresh = true;
			break;
		case CAP_GRACEFUL_RESTART:
			decode_graceful_restart(&cap, out);
			break;
		case CAP_AS4:
			out->as = wire_get_u32(&cap);
			out->as4 = true;
			if (cap.failed)
				return -1;
			break;
		}
	}
	return 0;
}

static void
encode_graceful_restart(struct wire_writer *w, const struct bgp_caps *caps)
{
	size_t at = w->n;

	wire_put_u8(w, CAP_GRACEFUL_RESTART);
	wire_put_u8(w, 0);
	wire_put_u16(w,
	    (uint16_t)((caps->restart_s & GR_TIME_MASK) |
		(caps->is_restarting ? GR_RESTARTING : 0)));
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		uint8_t forwarding = 0;

		if (!(caps->gr_families & BGP_FAMILY(f)))
			continue;
		if (caps->gr_forwarding & BGP_FAMILY(f))
			forwarding = GR_FORWARDING;
		wire_put_u16(w, bgp_afi(f));
		wire_put_u8(w, SAFI_UNICAST);
		wire_put_u8(w, forwarding);
	}
	if (!w->failed)
		wire_set_u8(w, at + 1, (uint8_t)(w->n - at - 2));
}

void
bgp_caps_encode(struct wire_writer *w, const struct bgp_caps *caps)
{
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		if (!(caps->families & BGP_FAMILY(f)))
			continue;
		wire_put_u8(w, CAP_MULTIPROTOCOL);
		wire_put_u8(w, 4);
		wire_put_u16(w, bgp_afi(f));
		wire_put_u8(w, 0);
		wire_put_u8(w, SAFI_UNICAST);
	}
	if (caps->route_refresh) {
		wire_put_u8(w, CAP_ROUTE_REFRESH);
		wire_put_u8(w, 0);
	}
	if (caps->graceful_restart)
		encode_graceful_restart(w, caps);
	if (caps->as4) {
		wire_put_u8(w, CAP_AS4);
		wire_put_u8(w, 4);
		wire_put_u32(w, caps->as);
	}
	if (caps->enhanced_refresh) {
		wire_put_u8(w, CAP_ENHANCED_REFRESH);
		wire_put_u8(w, 0);
	}
}

/* A speaker that names no family means IPv4 unicast (RFC 4760, 8). */
static unsigned int
families(const struct bgp_caps *caps)
{
	return caps->has_families ? caps->families : BGP_FAMILY(FAMILY_IPV4);
}

struct bgp_agreed
bgp_caps_agree(const struct bgp_caps *ours, const struct bgp_caps *theirs)
{
	return (struct bgp_agreed){
		.families = families(ours) & families(theirs),
		.as4 = ours->as4 && theirs->as4,
		.route_refresh = ours->route_refresh && theirs->route_refresh,
		.enhanced_refresh =
		    ours->enhanced_refresh && theirs->enhanced_refresh,
		.graceful_restart =
		    ours->graceful_restart && theirs->graceful_restart,
		.peer_restart_s = theirs->restart_s,
	};
}

size_t
bgp_agreed_text(const struct bgp_agreed *agreed,
    const char *out[BGP_CAPS_TEXT_MAX])
{
	size_t n = 0;

	if (agreed->families & BGP_FAMILY(FAMILY_IPV4))
		out[n++] = "ipv4-unicast";
	if (agreed->families & BGP_FAMILY(FAMILY_IPV6))
		out[n++] = "ipv6-unicast";
	if (agreed->as4)
		out[n++] = "4-octet-as";
	if (agreed->route_refresh)
		out[n++] = "route-refresh";
	if (agreed->enhanced_refresh)
		out[n++] = "enhanced-route-refresh";
	if (agreed->graceful_restart)
		out[n++] = "graceful-restart";
	return n;
}
