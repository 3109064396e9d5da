/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/msg.h"

#include <string.h>

enum {
	OPEN_MIN_B = 29,
	UPDATE_MIN_B = 23,
	NOTIFICATION_MIN_B = 21,
	REFRESH_MIN_B = 23,
	PARAM_CAPABILITIES = 2,
	PARAM_EXTENDED = 255, /* RFC 9072 */
	AFI_IPV4 = 1,
	AFI_IPV6 = 2,
	SAFI_UNICAST = 1,
};

static const uint8_t marker[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

uint16_t
bgp_afi(enum family family)
{
	return family == FAMILY_IPV6 ? AFI_IPV6 : AFI_IPV4;
}

enum family
bgp_family(uint16_t afi, uint8_t safi)
{
	if (safi != SAFI_UNICAST)
		return FAMILY_NONE;
	if (afi == AFI_IPV4)
		return FAMILY_IPV4;
	return afi == AFI_IPV6 ? FAMILY_IPV6 : FAMILY_NONE;
}

static bool
is_length_right(uint8_t type, size_t n)
{
	switch (type) {
	case BGP_MSG_OPEN:
		return n >= OPEN_MIN_B;
	case BGP_MSG_UPDATE:
		return n >= UPDATE_MIN_B;
	case BGP_MSG_NOTIFICATION:
		return n >= NOTIFICATION_MIN_B;
	case BGP_MSG_KEEPALIVE:
		return n == BGP_HEADER_B;
	default:
		return n >= REFRESH_MIN_B;
	}
}

int
bgp_msg_frame(const uint8_t *p, size_t n, struct bgp_notification *out)
{
	size_t len;

	if (memcmp(p, marker, MIN(n, sizeof(marker))) != 0) {
		bgp_notification_set(out, BGP_ERR_HEADER,
		    BGP_HEADER_NOT_SYNCHRONIZED, NULL, 0);
		return -1;
	}
	if (n < BGP_HEADER_B)
		return 0;
	len = (size_t)p[16] << 8 | p[17];
	if (len < BGP_HEADER_B || len > BGP_MSG_MAX_B)
		goto bad_length;
	if (p[18] < BGP_MSG_OPEN || p[18] > BGP_MSG_ROUTE_REFRESH) {
		bgp_notification_set(out, BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE,
		    p + 18, 1);
		return -1;
	}
	if (!is_length_right(p[18], len))
		goto bad_length;
	return n < len ? 0 : (int)len;

bad_length:
	bgp_notification_set(out, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH, p + 16,
	    2);
	return -1;
}

enum bgp_msg_type
bgp_msg_type(const uint8_t *msg)
{
	return (enum bgp_msg_type)msg[18];
}

static int
open_error(struct bgp_notification *err, uint8_t sub)
{
	bgp_notification_set(err, BGP_ERR_OPEN, sub, NULL, 0);
	return -1;
}

static int
decode_params(struct wire_reader *r, bool is_extended, struct bgp_caps *caps,
    struct bgp_notification *err)
{
	while (r->left_b) {
		uint8_t type = wire_get_u8(r);
		size_t len = is_extended ? wire_get_u16(r) : wire_get_u8(r);
		struct wire_reader param = wire_get_sub(r, len);

		if (r->failed)
			return open_error(err, BGP_OPEN_UNSPECIFIC);
		if (type != PARAM_CAPABILITIES)
			return open_error(err, BGP_OPEN_BAD_PARAMETER);
		if (bgp_caps_decode(&param, caps) < 0)
			return open_error(err, BGP_OPEN_UNSPECIFIC);
	}
	return 0;
}

int
bgp_open_decode(const uint8_t *msg, size_t n, struct bgp_open *out,
    struct bgp_notification *err)
{
	struct wire_reader r =
	    wire_reader(msg + BGP_HEADER_B, n - BGP_HEADER_B);
	struct bgp_open open = { 0 };
	bool is_extended = false;
	size_t params_b;

	open.version = wire_get_u8(&r);
	open.my_as = wire_get_u16(&r);
	open.hold_s = wire_get_u16(&r);
	open.id = wire_get_u32(&r);
	params_b = wire_get_u8(&r);
	if (open.version != BGP_VERSION) {
		static const uint8_t ours[2] = { 0, BGP_VERSION };

		bgp_notification_set(err, BGP_ERR_OPEN, BGP_OPEN_BAD_VERSION,
		    ours, sizeof(ours));
		return -1;
	}
	/* RFC 9072: length 255 (or any but 0) and then type 255. */
	if (params_b && r.left_b >= 3 && r.p[0] == PARAM_EXTENDED) {
		wire_get_u8(&r);
		params_b = wire_get_u16(&r);
		is_extended = true;
	}
	if (r.failed || params_b != r.left_b)
		return open_error(err, BGP_OPEN_UNSPECIFIC);
	if (decode_params(&r, is_extended, &open.caps, err) < 0)
		return -1;
	*out = open;
	return 0;
}

void
bgp_notification_decode(const uint8_t *msg, size_t n,
    struct bgp_notification *out)
{
	struct wire_reader r =
	    wire_reader(msg + BGP_HEADER_B, n - BGP_HEADER_B);
	uint8_t code = wire_get_u8(&r);
	uint8_t sub = wire_get_u8(&r);

	bgp_notification_set(out, code, sub, r.p, r.left_b);
}

void
bgp_refresh_decode(const uint8_t *msg, size_t n, struct bgp_refresh *out)
{
	struct wire_reader r =
	    wire_reader(msg + BGP_HEADER_B, n - BGP_HEADER_B);
	uint16_t afi = wire_get_u16(&r);

	out->kind = wire_get_u8(&r);
	out->family = bgp_family(afi, wire_get_u8(&r));
}

uint32_t
bgp_open_as(const struct bgp_open *open)
{
	return open->caps.as4 ? open->caps.as : open->my_as;
}

size_t
bgp_msg_begin(struct wire_writer *w, enum bgp_msg_type type)
{
	size_t begin = w->n;

	wire_put_bytes(w, marker, sizeof(marker));
	wire_put_u16(w, 0);
	wire_put_u8(w, (uint8_t)type);
	return begin;
}

void
bgp_msg_end(struct wire_writer *w, size_t begin)
{
	if (w->failed)
		return;
	wire_set_u16(w, begin + 16, (uint16_t)(w->n - begin));
}

void
bgp_open_encode(struct wire_writer *w, const struct bgp_open *open)
{
	size_t begin = bgp_msg_begin(w, BGP_MSG_OPEN);
	size_t params;

	wire_put_u8(w, open->version);
	wire_put_u16(w, open->my_as);
	wire_put_u16(w, open->hold_s);
	wire_put_u32(w, open->id);
	params = w->n;
	wire_put_u8(w, 0);
	wire_put_u8(w, PARAM_CAPABILITIES);
	wire_put_u8(w, 0);
	bgp_caps_encode(w, &open->caps);
	if (w->failed)
		return;
	if (w->n == params + 3) {
		w->n = params + 1; /* no capability: no parameter either */
	} else {
		wire_set_u8(w, params, (uint8_t)(w->n - params - 1));
		wire_set_u8(w, params + 2, (uint8_t)(w->n - params - 3));
	}
	bgp_msg_end(w, begin);
}

void
bgp_notification_encode(struct wire_writer *w, const struct bgp_notification *n)
{
	size_t begin = bgp_msg_begin(w, BGP_MSG_NOTIFICATION);

	wire_put_u8(w, n->code);
	wire_put_u8(w, n->sub);
	wire_put_bytes(w, n->data, n->n_data);
	bgp_msg_end(w, begin);
}

void
bgp_keepalive_encode(struct wire_writer *w)
{
	bgp_msg_end(w, bgp_msg_begin(w, BGP_MSG_KEEPALIVE));
}

void
bgp_refresh_encode(struct wire_writer *w, const struct bgp_refresh *r)
{
	size_t begin = bgp_msg_begin(w, BGP_MSG_ROUTE_REFRESH);

	wire_put_u16(w, bgp_afi(r->family));
	wire_put_u8(w, r->kind);
	wire_put_u8(w, SAFI_UNICAST);
	bgp_msg_end(w, begin);
}
