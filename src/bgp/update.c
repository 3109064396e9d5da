/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/update.h"

#include <assert.h>
#include <string.h>

#include "bgp/msg.h"

enum {
	ATTR_ORIGIN = 1,
	ATTR_AS_PATH = 2,
	ATTR_NEXT_HOP = 3,
	ATTR_LOCAL_PREF = 5,
	ATTR_MP_REACH = 14,
	ATTR_MP_UNREACH = 15,
	ATTR_AS4_PATH = 17,

	FLAG_OPTIONAL = 0x80,
	FLAG_TRANSITIVE = 0x40,
	FLAG_EXTENDED = 0x10,

	AS_SEQUENCE = 2,
	SAFI_UNICAST = 1,
};

/* What one pass over the attributes found. */
struct scan {
	struct bgp_update *out;
	bool seen[256];
	enum family mp_unreach_empty;
};

static int
fatal(struct bgp_update *out, struct bgp_notification *err, uint8_t sub)
{
	out->verdict = BGP_UPDATE_FATAL;
	bgp_notification_set(err, BGP_ERR_UPDATE, sub, NULL, 0);
	return -1;
}

static void
odd(struct bgp_update *out)
{
	if (out->verdict == BGP_UPDATE_GOOD)
		out->verdict = BGP_UPDATE_ODD;
}

/* Number of prefixes, -1 when they are malformed. */
static int
count_prefixes(struct wire_reader *r, unsigned int max_bits)
{
	int n = 0;

	while (r->left_b) {
		unsigned int bits = wire_get_u8(r);

		wire_get_bytes(r, (bits + 7) / 8);
		if (bits > max_bits || r->failed)
			return -1;
		n++;
	}
	return n;
}

/* RFC 4271 6.3: the answer carries the whole attribute. */
static int
fatal_attr(struct bgp_update *out, struct bgp_notification *err,
    const struct wire_reader *attr)
{
	out->verdict = BGP_UPDATE_FATAL;
	bgp_notification_set(err, BGP_ERR_UPDATE, BGP_UPDATE_OPTIONAL, attr->p,
	    attr->left_b);
	return -1;
}

/* RFC 7606 5.3: prefixes that cannot be found cannot be withdrawn. */
static int
check_mp(struct scan *scan, uint8_t type, struct wire_reader *r,
    const struct wire_reader *attr, struct bgp_notification *err)
{
	uint16_t afi = wire_get_u16(r);
	enum family family = bgp_family(afi, wire_get_u8(r));
	bool is_empty;
	int n;

	if (type == ATTR_MP_REACH) {
		wire_get_bytes(r, wire_get_u8(r));
		wire_get_u8(r);
	}
	if (r->failed)
		return fatal_attr(scan->out, err, attr);
	is_empty = !r->left_b;
	if (family == FAMILY_NONE)
		return 0; /* not negotiated, not ours to judge */
	n = count_prefixes(r, family == FAMILY_IPV6 ? 128 : 32);
	if (n < 0)
		return fatal_attr(scan->out, err, attr);
	if (type == ATTR_MP_REACH)
		scan->out->n_reach += (uint32_t)n;
	else
		scan->out->n_unreach += (uint32_t)n;
	if (type == ATTR_MP_UNREACH && is_empty)
		scan->mp_unreach_empty = family;
	return 0;
}

/* Well-known and fixed-length ones, by what RFC 7606 section 7 expects. */
static const struct {
	uint8_t flags;
	uint8_t len_b; /* 0: any */
} known[] = {
	[ATTR_ORIGIN] = { FLAG_TRANSITIVE, 1 },
	[ATTR_AS_PATH] = { FLAG_TRANSITIVE, 0 },
	[ATTR_NEXT_HOP] = { FLAG_TRANSITIVE, 4 },
	[4] = { FLAG_OPTIONAL, 4 }, /* MULTI_EXIT_DISC */
	[ATTR_LOCAL_PREF] = { FLAG_TRANSITIVE, 4 },
};

static void
check_known(struct scan *scan, uint8_t flags, uint8_t type,
    const struct wire_reader *r)
{
	uint8_t want;

	if (type >= ARRAY_LEN(known) || !known[type].flags)
		return;
	want = known[type].flags;
	if ((flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE)) != want ||
	    (known[type].len_b && r->left_b != known[type].len_b) ||
	    (type == ATTR_ORIGIN && r->left_b && r->p[0] > 2))
		odd(scan->out);
}

static int
check_attr(struct scan *scan, struct wire_reader *attrs,
    struct bgp_notification *err)
{
	struct wire_reader attr = *attrs;
	uint8_t flags = wire_get_u8(attrs);
	uint8_t type = wire_get_u8(attrs);
	size_t len =
	    flags & FLAG_EXTENDED ? wire_get_u16(attrs) : wire_get_u8(attrs);
	struct wire_reader r = wire_get_sub(attrs, len);
	bool is_mp = type == ATTR_MP_REACH || type == ATTR_MP_UNREACH;

	if (attrs->failed) {
		odd(scan->out); /* RFC 7606 4: overrun */
		attrs->left_b = 0;
		return 0;
	}
	attr.left_b -= attrs->left_b;
	if (scan->seen[type]) /* RFC 7606 3 (g) */
		return is_mp ? fatal(scan->out, err, BGP_UPDATE_MALFORMED) : 0;
	scan->seen[type] = true;
	if (is_mp)
		return check_mp(scan, type, &r, &attr, err);
	check_known(scan, flags, type, &r);
	return 0;
}

static void
check_missing(struct scan *scan, uint32_t n_classic)
{
	if (!scan->out->n_reach)
		return;
	if (!scan->seen[ATTR_ORIGIN] || !scan->seen[ATTR_AS_PATH] ||
	    (n_classic && !scan->seen[ATTR_NEXT_HOP]))
		odd(scan->out);
}

void
bgp_update_check(const uint8_t *msg, size_t n, struct bgp_update *out,
    struct bgp_notification *err)
{
	struct wire_reader r =
	    wire_reader(msg + BGP_HEADER_B, n - BGP_HEADER_B);
	struct wire_reader withdrawn = wire_get_sub(&r, wire_get_u16(&r));
	struct wire_reader attrs = wire_get_sub(&r, wire_get_u16(&r));
	struct scan scan = { .out = out };
	bool has_attrs = attrs.left_b;
	int n_withdrawn;
	int n_classic;

	*out = (struct bgp_update){ 0 };
	if (r.failed) {
		fatal(out, err, BGP_UPDATE_MALFORMED);
		return;
	}
	n_withdrawn = count_prefixes(&withdrawn, 32);
	n_classic = count_prefixes(&r, 32);
	if (n_withdrawn < 0 || n_classic < 0) {
		fatal(out, err, BGP_UPDATE_BAD_NETWORK);
		return;
	}
	out->n_unreach = (uint32_t)n_withdrawn;
	out->n_reach = (uint32_t)n_classic;
	while (attrs.left_b)
		if (check_attr(&scan, &attrs, err) < 0)
			return;
	check_missing(&scan, (uint32_t)n_classic);
	if (out->n_reach || out->n_unreach || out->verdict != BGP_UPDATE_GOOD)
		return;
	out->end_of_rib = has_attrs ? scan.mp_unreach_empty : FAMILY_IPV4;
}

static void
put_attr(struct wire_writer *w, uint8_t flags, uint8_t type, uint8_t len_b)
{
	wire_put_u8(w, flags);
	wire_put_u8(w, type);
	wire_put_u8(w, len_b);
}

static void
put_as_path(struct wire_writer *w, const struct bgp_export *export)
{
	if (export->is_ibgp) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_AS_PATH, 0);
		return;
	}
	put_attr(w, FLAG_TRANSITIVE, ATTR_AS_PATH, export->as4 ? 6 : 4);
	wire_put_u8(w, AS_SEQUENCE);
	wire_put_u8(w, 1);
	if (export->as4)
		wire_put_u32(w, export->local_as);
	else
		wire_put_u16(w,
		    (uint16_t)(export->local_as > UINT16_MAX
			    ? BGP_AS_TRANS
			    : export->local_as));
}

/* RFC 6793 4.2.2: an old peer carries the real number along. */
static void
put_as4_path(struct wire_writer *w, const struct bgp_export *export)
{
	if (export->is_ibgp || export->as4 || export->local_as <= UINT16_MAX)
		return;
	put_attr(w, FLAG_OPTIONAL | FLAG_TRANSITIVE, ATTR_AS4_PATH, 6);
	wire_put_u8(w, AS_SEQUENCE);
	wire_put_u8(w, 1);
	wire_put_u32(w, export->local_as);
}

/* MP_REACH_NLRI or MP_UNREACH_NLRI, with the length filled in at the end. */
static void
begin_mp(struct bgp_update_writer *u, uint8_t type, const struct addr *next_hop)
{
	struct wire_writer *w = &u->w;

	wire_put_u8(w, FLAG_OPTIONAL | FLAG_EXTENDED);
	wire_put_u8(w, type);
	u->mark = w->n;
	wire_put_u16(w, 0);
	wire_put_u16(w, bgp_afi(u->family));
	wire_put_u8(w, SAFI_UNICAST);
	if (!next_hop)
		return;
	wire_put_u8(w, (uint8_t)addr_len_b(next_hop));
	wire_put_bytes(w, next_hop->b, addr_len_b(next_hop));
	wire_put_u8(w, 0);
}

static void
put_attrs(struct wire_writer *w, const struct bgp_attrs *attrs,
    const struct bgp_export *export, enum family family)
{
	const struct addr *next_hop = &export->next_hop[family];

	put_attr(w, FLAG_TRANSITIVE, ATTR_ORIGIN, 1);
	wire_put_u8(w, attrs->origin);
	put_as_path(w, export);
	if (family == FAMILY_IPV4) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_NEXT_HOP, 4);
		wire_put_bytes(w, next_hop->b, 4);
	}
	if (export->is_ibgp) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_LOCAL_PREF, 4);
		wire_put_u32(w, attrs->local_pref);
	}
	put_as4_path(w, export);
}

void
bgp_update_begin(struct bgp_update_writer *u, void *buf, enum family family,
    const struct bgp_attrs *attrs, const struct bgp_export *export)
{
	bool is_mp = family != FAMILY_IPV4;

	*u = (struct bgp_update_writer){ .family = family,
		.is_withdraw = !attrs };
	u->w = wire_writer(buf, BGP_MSG_MAX_B);
	bgp_msg_begin(&u->w, BGP_MSG_UPDATE);
	u->mark = u->w.n; /* withdrawn routes length */
	wire_put_u16(&u->w, 0);
	if (!attrs && !is_mp)
		return;
	u->attrs = u->w.n;
	wire_put_u16(&u->w, 0);
	if (is_mp && attrs) {
		struct wire_writer tail = wire_writer(u->tail, sizeof(u->tail));

		put_attrs(&tail, attrs, export, family);
		assert(!tail.failed);
		u->n_tail = tail.n;
		begin_mp(u, ATTR_MP_REACH, &export->next_hop[family]);
	} else if (is_mp) {
		begin_mp(u, ATTR_MP_UNREACH, NULL);
	} else {
		put_attrs(&u->w, attrs, export, family);
		wire_set_u16(&u->w, u->attrs,
		    (uint16_t)(u->w.n - u->attrs - 2));
	}
}

bool
bgp_update_add(struct bgp_update_writer *u, const struct prefix *prefix)
{
	size_t n = (prefix->len + 7u) / 8;
	size_t reserved = u->n_tail;

	if (!u->attrs)
		reserved += 2; /* the attributes' length is still to come */
	if (u->w.n + 1 + n + reserved > u->w.cap_b)
		return false;
	u->w.p[u->w.n] = prefix->len;
	memcpy(u->w.p + u->w.n + 1, prefix->addr.b, n);
	u->w.n += 1 + n;
	return true;
}

size_t
bgp_update_end(struct bgp_update_writer *u)
{
	struct wire_writer *w = &u->w;

	if (u->family != FAMILY_IPV4) {
		wire_set_u16(w, u->mark, (uint16_t)(w->n - u->mark - 2));
		wire_put_bytes(w, u->tail, u->n_tail);
		wire_set_u16(w, u->attrs, (uint16_t)(w->n - u->attrs - 2));
	} else if (u->is_withdraw) {
		wire_set_u16(w, u->mark, (uint16_t)(w->n - u->mark - 2));
		wire_put_u16(w, 0);
	}
	bgp_msg_end(w, 0);
	assert(!w->failed);
	return w->n;
}
