/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: which addresses a pool offers, without ever listing them: an IPv6
 * pool may have more than could be counted.
 */
#include "model/pool.h"

#include "base/attr.h"

static const char *const protocol_names[] = {
	[POOL_PROTOCOL_BGP] = "bgp",
	[POOL_PROTOCOL_LAYER2] = "layer2",
	[POOL_PROTOCOL_VIP] = "vip",
	[POOL_PROTOCOL_PASSIVE] = "passive",
};

const char *
pool_protocol_name(enum pool_protocol protocol)
{
	return protocol_names[protocol];
}

bool
pool_protocol_is_served(enum pool_protocol protocol)
{
	return protocol == POOL_PROTOCOL_BGP ||
	    protocol == POOL_PROTOCOL_PASSIVE;
}

enum pool_protocol
pool_serves_as(const struct pool *pool)
{
	if (pool->is_cni && pool->protocol == POOL_PROTOCOL_BGP)
		return POOL_PROTOCOL_PASSIVE;
	return pool->protocol;
}

/* The .0 and .255 that some old client stacks refuse to talk to.  IPv6 knows
 * no such addresses. */
static bool
is_buggy(const struct pool *pool, const struct addr *a)
{
	return pool->avoid_buggy_ips && a->family == FAMILY_IPV4 &&
	    (a->b[3] == 0 || a->b[3] == 255);
}

/* The first of the sorted ranges that does not end before `a`. */
static size_t
range_at(const struct addr_range *v, size_t n, const struct addr *a)
{
	size_t low = 0;
	size_t high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr_cmp(&v[mid].last, a) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct addr_range *
range_of(const struct addr_range *v, size_t n, const struct addr *a)
{
	size_t i = range_at(v, n, a);

	return i < n && addr_range_contains(&v[i], a) ? &v[i] : NULL;
}

bool
pool_spans(const struct pool *pool, const struct addr *addr)
{
	return range_of(pool->ranges, pool->n_ranges, addr);
}

bool
pool_offers(const struct pool *pool, const struct addr *addr)
{
	return pool_spans(pool, addr) && !is_buggy(pool, addr) &&
	    !range_of(pool->excluded, pool->n_excluded, addr);
}

bool
pool_has_family(const struct pool *pool, enum family family)
{
	for (size_t i = 0; i < pool->n_ranges; i++) {
		if (pool->ranges[i].first.family == family)
			return true;
	}
	return false;
}

/* The lowest offered address of `range` that is >= `at`. */
static bool
next_in_range(const struct pool *pool, const struct addr_range *range,
    struct addr at, struct addr *out)
{
	for (;;) {
		const struct addr_range *hole;

		if (addr_cmp(&at, &range->last) > 0)
			return false;
		hole = range_of(pool->excluded, pool->n_excluded, &at);
		if (!hole && !is_buggy(pool, &at))
			break;
		if (!addr_add(hole ? &hole->last : &at, 1, &at))
			return false;
	}
	*out = at;
	return true;
}

bool
pool_next(const struct pool *pool, enum family family, const struct addr *from,
    struct addr *out)
{
	size_t i = from ? range_at(pool->ranges, pool->n_ranges, from) : 0;

	for (; i < pool->n_ranges; i++) {
		const struct addr_range *r = &pool->ranges[i];
		struct addr at = r->first;

		if (r->first.family != family)
			continue;
		if (from && addr_cmp(from, &at) > 0)
			at = *from;
		if (next_in_range(pool, r, at, out))
			return true;
	}
	return false;
}

/* Buggy addresses below the IPv4 address with number `n`. */
static uint64_t
buggy_below(uint64_t n)
{
	return n / 256 * 2 + (n % 256 > 0);
}

static uint64_t
v4_number(const struct addr *a)
{
	return (uint64_t)a->b[0] << 24 | (uint64_t)a->b[1] << 16 |
	    (uint64_t)a->b[2] << 8 | a->b[3];
}

/* Addresses of a stretch without holes. */
static uint64_t
stretch_size(const struct pool *pool, const struct addr *first,
    const struct addr *last)
{
	struct addr_range r = { .first = *first, .last = *last };
	uint64_t n = addr_range_size(&r);

	if (!pool->avoid_buggy_ips || first->family != FAMILY_IPV4)
		return n;
	return n -
	    (buggy_below(v4_number(last) + 1) - buggy_below(v4_number(first)));
}

static uint64_t
add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The address before `a`, which is not the lowest of its family. */
static struct addr
addr_before(const struct addr *a)
{
	struct addr b = *a;
	size_t i = addr_len_b(a);

	while (i-- > 0 && b.b[i]-- == 0)
		;
	return b;
}

static uint64_t
range_size(const struct pool *pool, const struct addr_range *range)
{
	struct addr at = range->first;
	uint64_t n = 0;

	for (size_t i = range_at(pool->excluded, pool->n_excluded, &at);
	     i < pool->n_excluded; i++) {
		const struct addr_range *hole = &pool->excluded[i];

		if (addr_cmp(&hole->first, &range->last) > 0)
			break;
		if (addr_cmp(&hole->first, &at) > 0) {
			struct addr end = addr_before(&hole->first);

			n = add_capped(n, stretch_size(pool, &at, &end));
		}
		if (!addr_add(&hole->last, 1, &at))
			return n;
	}
	if (addr_cmp(&at, &range->last) <= 0)
		n = add_capped(n, stretch_size(pool, &at, &range->last));
	return n;
}

uint64_t
pool_size(const struct pool *pool)
{
	uint64_t n = 0;

	for (size_t i = 0; i < pool->n_ranges; i++)
		n = add_capped(n, range_size(pool, &pool->ranges[i]));
	return n;
}

bool
pool_is_bound(const struct pool *pool)
{
	return pool->n_namespaces > 0 || pool->has_namespace_selector ||
	    pool->has_service_selector;
}
