/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pool: the arithmetic of pools against plain enumeration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "model/pool.h"

enum {
	ROUNDS = 400,
	SPACE = 1500,
	RANGES = 4
};

static struct addr
nth(enum family family, uint64_t n)
{
	struct addr base;
	struct addr a;

	assert_int_equal(addr_parse(family == FAMILY_IPV4 ? "10.0.0.0"
							  : "2001:db8::",
			     &base),
	    0);
	assert_true(addr_add(&base, n, &a));
	return a;
}

static uint64_t seed = 1;

static uint64_t
pick(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (seed >> 33) % below;
}

/* Sorted, disjoint stretches of 0 .. SPACE-1, each family by itself. */
static size_t
some_ranges(struct addr_range *out)
{
	size_t n = 0;

	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		uint64_t at = pick(300);

		for (int i = 0; i < RANGES && at < SPACE - 1; i++) {
			uint64_t end = at + pick(400);

			end = MIN(end, (uint64_t)SPACE - 1);
			if (pick(4)) {
				out[n].first = nth(f, at);
				out[n++].last = nth(f, end);
			}
			at = end + 1 + pick(100);
		}
	}
	return n;
}

static bool
is_in(const struct addr_range *v, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_range_contains(&v[i], a))
			return true;
	}
	return false;
}

static bool
expected(const struct pool *p, const struct addr *a)
{
	bool is_buggy = p->avoid_buggy_ips && a->family == FAMILY_IPV4 &&
	    (a->b[3] == 0 || a->b[3] == 255);

	return is_in(p->ranges, p->n_ranges, a) && !is_buggy &&
	    !is_in(p->excluded, p->n_excluded, a);
}

static uint64_t
check_family(const struct pool *p, enum family family)
{
	uint64_t n = 0;
	struct addr next;
	struct addr got;
	bool has_next = false;

	for (uint64_t i = SPACE; i-- > 0;) {
		struct addr a = nth(family, i);
		bool is_offered = expected(p, &a);

		assert_int_equal(pool_offers(p, &a), is_offered);
		n += is_offered;
		if (is_offered) {
			next = a;
			has_next = true;
		}
		assert_int_equal(pool_next(p, family, &a, &got), has_next);
		if (has_next)
			assert_true(addr_eq(&got, &next));
	}
	assert_int_equal(pool_next(p, family, NULL, &got), has_next);
	if (has_next)
		assert_true(addr_eq(&got, &next));
	return n;
}

static void
test_against_enumeration(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct addr_range ranges[2 * RANGES];
		struct addr_range holes[2 * RANGES];
		struct pool p = {
			.ranges = ranges,
			.excluded = holes,
			.avoid_buggy_ips = pick(2),
		};

		p.n_ranges = some_ranges(ranges);
		p.n_excluded = some_ranges(holes);
		assert_int_equal(pool_size(&p),
		    check_family(&p, FAMILY_IPV4) +
			check_family(&p, FAMILY_IPV6));
	}
}

static const struct size_case {
	const char *range;
	const char *hole;
	bool avoid_buggy;
	uint64_t size;
	const char *first;
} sizes[] = {
	{ "192.0.2.0/24", NULL, false, 256, "192.0.2.0" },
	{ "192.0.2.0/24", NULL, true, 254, "192.0.2.1" },
	{ "192.0.2.255", NULL, true, 0, NULL },
	{ "192.0.2.0/24", "192.0.0.0/16", false, 0, NULL },
	{ "0.0.0.0/0", NULL, false, UINT64_C(1) << 32, "0.0.0.0" },
	{ "0.0.0.0/0", NULL, true, UINT64_C(254) << 24, "0.0.0.1" },
	{ "255.255.255.0/24", "255.255.255.255", false, 255, "255.255.255.0" },
	{ "2001:db8::/64", NULL, true, UINT64_MAX, "2001:db8::" },
	{ "2001:db8::/65", NULL, false, UINT64_C(1) << 63, "2001:db8::" },
	{ "::/0", "::", false, UINT64_MAX, "::1" },
	{ "::/0", "::/1", false, UINT64_MAX, "8000::" },
	{ "::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, 1,
	    "::" },
};

static void
test_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct size_case *c = &sizes[i];
		struct addr_range range;
		struct addr_range hole;
		struct pool p = { .ranges = &range,
			.n_ranges = 1,
			.excluded = &hole,
			.n_excluded = c->hole != NULL,
			.avoid_buggy_ips = c->avoid_buggy };
		char text[ADDR_TEXT_B];
		struct addr a;

		assert_int_equal(addr_range_parse(c->range, &range, NULL), 0);
		if (c->hole)
			assert_int_equal(addr_range_parse(c->hole, &hole, NULL),
			    0);
		assert_int_equal(pool_size(&p), c->size);
		assert_int_equal(pool_next(&p, range.first.family, NULL, &a),
		    c->first != NULL);
		if (c->first)
			assert_string_equal(addr_text(&a, text), c->first);
		assert_true(pool_has_family(&p, range.first.family));
	}
}

static void
test_binding(void **state)
{
	struct pool p = { 0 };

	(void)state;
	assert_false(pool_is_bound(&p));
	p.n_namespaces = 1;
	assert_true(pool_is_bound(&p));
	p = (struct pool){ .has_namespace_selector = true };
	assert_true(pool_is_bound(&p));
	p = (struct pool){ .has_service_selector = true };
	assert_true(pool_is_bound(&p));
	assert_string_equal(pool_protocol_name(POOL_PROTOCOL_PASSIVE),
	    "passive");
}

static void
test_left_to_the_cni(void **state)
{
	struct pool p = { .is_cni = true };

	(void)state;
	assert_int_equal(pool_serves_as(&p), POOL_PROTOCOL_PASSIVE);
	p.protocol = POOL_PROTOCOL_LAYER2;
	assert_int_equal(pool_serves_as(&p), POOL_PROTOCOL_LAYER2);
	p = (struct pool){ 0 };
	assert_int_equal(pool_serves_as(&p), POOL_PROTOCOL_BGP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_enumeration),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_left_to_the_cni),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
