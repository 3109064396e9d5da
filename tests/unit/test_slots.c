/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_slots: classes, shares, and how little moves when backends change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "plan/slots.h"

enum {
	MANY = 64
};

static void
make_backends(struct slots_backend *out, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t b[4] = { 10, (uint8_t)seed, 0, (uint8_t)(i + 1) };

		out[i] =
		    (struct slots_backend){ .addr =
						addr_from_bytes(FAMILY_IPV4, b),
			    .port = (uint16_t)(30000 + seed),
			    .weight = 1,
			    .index = (uint8_t)i };
	}
}

static size_t
count(const uint8_t *slots, size_t n_slots, uint8_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < n_slots; i++)
		n += slots[i] == index;
	return n;
}

static void
test_class(void **state)
{
	static const struct {
		const char *name;
		uint16_t weights[4];
		size_t n;
		unsigned int class;
	} cases[] = {
		{ "none", { 0 }, 0, SLOTS_CLASS_NONE },
		{ "one", { 7 }, 1, SLOTS_CLASS_DIRECT },
		{ "two", { 1, 1 }, 2, SLOTS_CLASS_16 },
		{ "two, same weight", { 10, 10 }, 2, SLOTS_CLASS_16 },
		{ "two, common divisor", { 100, 200 }, 2, SLOTS_CLASS_64 },
		{ "three", { 1, 1, 1 }, 3, SLOTS_CLASS_64 },
		{ "weights", { 10, 5, 1 }, 3, SLOTS_CLASS_256 },
		{ "fine weights", { 100, 99 }, 2, SLOTS_CLASS_1024 },
		{ "all 0", { 0, 0 }, 2, SLOTS_CLASS_16 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int class = slots_class(cases[i].weights, cases[i].n);

		if (class != cases[i].class)
			fail_msg("%s: class %u, want %u", cases[i].name, class,
			    cases[i].class);
	}
	for (unsigned int class = 0; class < SLOTS_CLASS__COUNT; class ++) {
		assert_true(slots_per_shard(class) > 0);
		assert_true(
		    slots_per_shard(class) * slots_count(class) <= 32768);
	}
}

static void
test_shares(void **state)
{
	static const struct {
		size_t n;
		size_t n_slots;
	} cases[] = { { 2, 16 }, { 3, 64 }, { 8, 64 }, { 9, 256 }, { 32, 256 },
		{ 33, 1024 }, { 64, 1024 } };
	struct slots_backend backends[MANY];
	uint8_t slots[SLOTS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_backends(backends, cases[i].n, (unsigned int)i);
		slots_fill(backends, cases[i].n, slots, cases[i].n_slots);
		for (size_t j = 0; j < cases[i].n; j++) {
			size_t n =
			    count(slots, cases[i].n_slots, backends[j].index);

			assert_in_range(n, cases[i].n_slots / cases[i].n,
			    cases[i].n_slots / cases[i].n + 1);
		}
	}
}

static void
test_weights(void **state)
{
	struct slots_backend backends[3];
	uint8_t slots[SLOTS_MAX];

	(void)state;
	make_backends(backends, 3, 1);
	backends[0].weight = 3;
	backends[2].weight = 0;
	slots_fill(backends, 3, slots, 64);
	assert_in_range(count(slots, 64, 0), 47, 49);
	assert_in_range(count(slots, 64, 1), 15, 17);
	assert_int_equal(count(slots, 64, 2), 0);
	/* A weight that is lost beside the other still gets something. */
	backends[0].weight = UINT16_MAX;
	slots_fill(backends, 3, slots, 1024);
	assert_int_equal(count(slots, 1024, 1), 1);
}

static void
test_identity_only(void **state)
{
	struct slots_backend backends[5];
	uint8_t a[256];
	uint8_t b[256];

	(void)state;
	make_backends(backends, 5, 3);
	slots_fill(backends, 5, a, 256);
	for (size_t i = 0; i < 5; i++)
		backends[i].index = (uint8_t)(100 + i);
	slots_fill(backends, 5, b, 256);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal(a[i] + 100, b[i]);
}

/* How many slots of other backends move when one of `n` leaves, of `rounds`
 * tables. */
static size_t
moved(size_t n, size_t n_slots, unsigned int rounds)
{
	struct slots_backend backends[MANY];
	uint8_t before[SLOTS_MAX];
	uint8_t after[SLOTS_MAX];
	size_t total = 0;

	for (unsigned int seed = 0; seed < rounds; seed++) {
		size_t gone = seed % n;

		make_backends(backends, n, seed);
		slots_fill(backends, n, before, n_slots);
		memmove(backends + gone, backends + gone + 1,
		    (n - gone - 1) * sizeof(*backends));
		slots_fill(backends, n - 1, after, n_slots);
		for (size_t i = 0; i < n_slots; i++) {
			assert_int_not_equal(after[i], gone);
			total += before[i] != after[i] && before[i] != gone;
		}
	}
	return total;
}

static void
test_disruption(void **state)
{
	static const struct {
		size_t n;
		size_t n_slots;
	} cases[] = { { 3, 64 }, { 4, 64 }, { 8, 64 }, { 16, 256 }, { 32, 256 },
		{ 60, 1024 } };

	(void)state;
	/* Two backends: nobody else's slot can move. */
	assert_int_equal(moved(2, 16, 100), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t total = moved(cases[i].n, cases[i].n_slots, 100);

		/* On average below one in ten. */
		if (total * 10 > cases[i].n_slots * 100)
			fail_msg("%zu backends, %zu slots: %zu moved in 100",
			    cases[i].n, cases[i].n_slots, total);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_identity_only),
		cmocka_unit_test(test_disruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
