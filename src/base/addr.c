/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *
family_name(enum family family)
{
	switch (family) {
	case FAMILY_IPV4:
		return "IPv4";
	case FAMILY_IPV6:
		return "IPv6";
	case FAMILY_NONE:
		break;
	}
	return "none";
}

size_t
addr_len_b(const struct addr *a)
{
	return a->family == FAMILY_IPV4 ? 4 : 16;
}

unsigned int
addr_bits(const struct addr *a)
{
	return a->family == FAMILY_IPV4 ? 32 : 128;
}

struct addr
addr_from_bytes(enum family family, const void *bytes)
{
	struct addr a = { .family = (uint8_t)family };

	memcpy(a.b, bytes, addr_len_b(&a));
	return a;
}

/* inet_pton refuses leading zeros; objects written years ago have them. */
static int
parse_v4(const char *s, struct addr *out)
{
	struct addr a = { .family = FAMILY_IPV4 };

	for (int i = 0; i < 4; i++) {
		unsigned int v = 0;
		int digits = 0;

		for (; *s >= '0' && *s <= '9'; s++, digits++) {
			v = v * 10 + (unsigned int)(*s - '0');
			if (v > 255)
				return -EINVAL;
		}
		if (digits == 0 || digits > 10 || *s != (i < 3 ? '.' : '\0'))
			return -EINVAL;
		s++;
		a.b[i] = (uint8_t)v;
	}
	*out = a;
	return 0;
}

int
addr_parse(const char *s, struct addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr a = { .family = FAMILY_IPV6 };

	if (!strchr(s, ':'))
		return parse_v4(s, out);
	if (inet_pton(AF_INET6, s, a.b) != 1)
		return -EINVAL;
	if (memcmp(a.b, mapped, sizeof(mapped)) == 0)
		a = addr_from_bytes(FAMILY_IPV4, a.b + 12);
	*out = a;
	return 0;
}

const char *
addr_text(const struct addr *a, char out[ADDR_TEXT_B])
{
	if (a->family == FAMILY_NONE)
		snprintf(out, ADDR_TEXT_B, "none");
	else
		inet_ntop(a->family == FAMILY_IPV4 ? AF_INET : AF_INET6, a->b,
		    out, ADDR_TEXT_B);
	return out;
}

const char *
prefix_text(const struct prefix *p, char out[PREFIX_TEXT_B])
{
	char a[ADDR_TEXT_B];

	snprintf(out, PREFIX_TEXT_B, "%s/%u", addr_text(&p->addr, a), p->len);
	return out;
}

int
addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

bool
addr_is_set(const struct addr *a)
{
	return a->family != FAMILY_NONE;
}

bool
addr_is_link_local(const struct addr *a)
{
	if (a->family == FAMILY_IPV4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->family == FAMILY_IPV6 && a->b[0] == 0xfe &&
	    (a->b[1] & 0xc0) == 0x80;
}

bool
addr_is_unspecified(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, sizeof(zero)) == 0;
}

bool
addr_add(const struct addr *a, uint64_t n, struct addr *out)
{
	struct addr sum = *a;
	unsigned int carry = 0;

	for (size_t i = addr_len_b(a); i-- > 0;) {
		carry += sum.b[i] + (unsigned int)(n & 0xff);
		sum.b[i] = (uint8_t)carry;
		carry >>= 8;
		n >>= 8;
	}
	if (n || carry)
		return false;
	*out = sum;
	return true;
}

uint64_t
addr_distance(const struct addr *a, const struct addr *b)
{
	uint64_t d = 0;
	size_t len_b = addr_len_b(a);
	struct addr diff = { 0 };
	int borrow = 0;

	assert(a->family == b->family);
	for (size_t i = len_b; i-- > 0;) {
		int v = b->b[i] - a->b[i] - borrow;

		borrow = v < 0;
		diff.b[i] = (uint8_t)v;
	}
	for (size_t i = 0; i < len_b; i++) {
		if (d >> 56)
			return UINT64_MAX;
		d = d << 8 | diff.b[i];
	}
	return d;
}

struct prefix
prefix_host(const struct addr *a)
{
	return (struct prefix){ .addr = *a, .len = (uint8_t)addr_bits(a) };
}

static void
mask_host_bits(struct addr *a, unsigned int len, uint8_t fill)
{
	for (unsigned int i = len; i < addr_bits(a); i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		a->b[i / 8] =
		    (uint8_t)(fill ? a->b[i / 8] | bit : a->b[i / 8] & ~bit);
	}
}

int
prefix_parse(const char *s, struct prefix *out)
{
	char text[ADDR_TEXT_B];
	const char *slash = strchr(s, '/');
	struct prefix p;
	uint64_t len;
	size_t n = slash ? (size_t)(slash - s) : strlen(s);

	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (addr_parse(text, &p.addr) < 0)
		return -EINVAL;
	len = addr_bits(&p.addr);
	if (slash && str_to_u64(slash + 1, len, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	mask_host_bits(&p.addr, p.len, 0);
	*out = p;
	return 0;
}

int
prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int c = addr_cmp(&a->addr, &b->addr);

	return c ? c : (int)a->len - (int)b->len;
}

static int
range_of_two(const char *s, const char *dash, struct addr_range *out,
    struct err *err)
{
	char text[ADDR_TEXT_B];
	size_t n = (size_t)(dash - s);
	struct addr_range r;

	if (n >= sizeof(text))
		return err_set(err, -EINVAL, "\"%.64s\" is no address range",
		    s);
	memcpy(text, s, n);
	text[n] = '\0';
	if (addr_parse(text, &r.first) < 0 || addr_parse(dash + 1, &r.last) < 0)
		return err_set(err, -EINVAL,
		    "\"%.64s\" is no address range; write first-last", s);
	if (r.first.family != r.last.family)
		return err_set(err, -EINVAL,
		    "range \"%.96s\" mixes IPv4 and IPv6", s);
	if (addr_cmp(&r.first, &r.last) > 0)
		return err_set(err, -EINVAL,
		    "range \"%.96s\" ends before it begins", s);
	*out = r;
	return 0;
}

int
addr_range_parse(const char *s, struct addr_range *out, struct err *err)
{
	const char *dash = strchr(s, '-');
	struct prefix p;

	if (dash)
		return range_of_two(s, dash, out, err);
	if (prefix_parse(s, &p) < 0)
		return err_set(err, -EINVAL,
		    "\"%.64s\" is no address; write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9",
		    s);
	out->first = p.addr;
	out->last = p.addr;
	mask_host_bits(&out->last, p.len, 1);
	return 0;
}

bool
addr_range_contains(const struct addr_range *r, const struct addr *a)
{
	return a->family == r->first.family && addr_cmp(&r->first, a) <= 0 &&
	    addr_cmp(a, &r->last) <= 0;
}

bool
addr_range_overlaps(const struct addr_range *a, const struct addr_range *b)
{
	return a->first.family == b->first.family &&
	    addr_cmp(&a->first, &b->last) <= 0 &&
	    addr_cmp(&b->first, &a->last) <= 0;
}

uint64_t
addr_range_size(const struct addr_range *r)
{
	uint64_t d = addr_distance(&r->first, &r->last);

	return d == UINT64_MAX ? d : d + 1;
}
