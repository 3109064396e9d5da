/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_base: addresses, strings, vectors, arenas, errors, wire.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/wire.h"

static struct addr
addr_of(const char *s)
{
	struct addr a;

	if (addr_parse(s, &a) < 0)
		fail_msg("%s", s);
	return a;
}

/* ---- addr ---- */

static const struct text_case {
	const char *in;
	const char *want; /* NULL: refused */
} addresses[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "0.0.0.0", "0.0.0.0" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "010.000.002.009", "10.0.2.9" },
	{ "256.0.0.1", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.4.5", NULL },
	{ "1.2.3.", NULL },
	{ "1..2.3", NULL },
	{ ".1.2.3.4", NULL },
	{ "1.2.3.4 ", NULL },
	{ " 1.2.3.4", NULL },
	{ "+1.2.3.4", NULL },
	{ "1.2.3.0x4", NULL },
	{ "99999999999.2.3.4", NULL },
	{ "00000000000001.2.3.4", NULL },
	{ "", NULL },
	{ "localhost", NULL },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
	{ "2001:db8::1:0:0:1", "2001:db8::1:0:0:1" },
	{ "::ffff:192.0.2.7", "192.0.2.7" },
	{ "::ffff:c000:207", "192.0.2.7" },
	{ "fe80::1%eth0", NULL },
	{ "[::1]", NULL },
	{ "1:2", NULL },
	{ ":::", NULL },
	{ "1.2.3.4:80", NULL },
	{ "2001:db8::/32", NULL },
};

static void
test_addr_text(void **state)
{
	char got[ADDR_TEXT_B];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		const struct text_case *c = &addresses[i];
		int rc = addr_parse(c->in, &a);

		if ((rc == 0) != (c->want != NULL))
			fail_msg("\"%s\": %d", c->in, rc);
		if (c->want)
			assert_string_equal(addr_text(&a, got), c->want);
	}
	a = (struct addr){ 0 };
	assert_string_equal(addr_text(&a, got), "none");
	assert_false(addr_is_set(&a));
}

static void
test_addr_order(void **state)
{
	static const char *const sorted[] = { "0.0.0.0", "9.255.255.255",
		"10.0.0.0", "10.0.0.2", "255.255.255.255", "::", "::1",
		"2001:db8::", "2001:db8::ff", "2001:db8::100", "ffff::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
		for (size_t j = 0; j < ARRAY_LEN(sorted); j++) {
			struct addr a = addr_of(sorted[i]);
			struct addr b = addr_of(sorted[j]);
			int c = addr_cmp(&a, &b);

			assert_int_equal((c > 0) - (c < 0),
			    (int)(i > j) - (int)(i < j));
			assert_int_equal(addr_eq(&a, &b), i == j);
		}
}

static const struct add_case {
	const char *from;
	uint64_t n;
	const char *want; /* NULL: beyond the end */
} adds[] = {
	{ "192.0.2.1", 0, "192.0.2.1" },
	{ "192.0.2.255", 1, "192.0.3.0" },
	{ "0.0.0.0", UINT32_MAX, "255.255.255.255" },
	{ "0.0.0.1", UINT32_MAX, NULL },
	{ "255.255.255.255", 1, NULL },
	{ "1.0.0.0", UINT64_MAX, NULL },
	{ "::", UINT64_MAX, "::ffff:ffff:ffff:ffff" },
	{ "::1", UINT64_MAX, "0:0:0:1::" },
	{ "::ff", UINT64_MAX, "::1:0:0:0:fe" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, NULL },
	{ "ffff:ffff:ffff:ffff::1", UINT64_MAX, NULL },
};

static void
test_addr_add(void **state)
{
	char text[ADDR_TEXT_B];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(adds); i++) {
		const struct add_case *c = &adds[i];
		struct addr a = addr_of(c->from);
		struct addr sum = a;

		if (addr_add(&a, c->n, &sum) != (c->want != NULL))
			fail_msg("%s + %" PRIu64, c->from, c->n);
		if (!c->want) {
			assert_true(addr_eq(&a, &sum)); /* untouched */
			continue;
		}
		a = addr_of(c->want);
		if (!addr_eq(&sum, &a))
			fail_msg("%s + %" PRIu64 " = %s", c->from, c->n,
			    addr_text(&sum, text));
		a = addr_of(c->from);
		assert_true(addr_distance(&a, &sum) == c->n);
	}
}

static void
test_addr_kinds(void **state)
{
	struct addr a;

	(void)state;
	a = addr_of("169.254.1.1");
	assert_true(addr_is_link_local(&a));
	a = addr_of("febf::1");
	assert_true(addr_is_link_local(&a));
	a = addr_of("fec0::1");
	assert_false(addr_is_link_local(&a));
	a = addr_of("254.128.0.1"); /* the octets of fe80: */
	assert_false(addr_is_link_local(&a));
	a = addr_of("::");
	assert_true(addr_is_unspecified(&a));
	a = addr_of("0.0.0.0");
	assert_true(addr_is_unspecified(&a));
	assert_string_equal(family_name(FAMILY_IPV6), "IPv6");
}

static const struct text_case prefixes[] = {
	{ "192.0.2.77/24", "192.0.2.0/24" },
	{ "192.0.2.77", "192.0.2.77/32" },
	{ "192.0.2.77/32", "192.0.2.77/32" },
	{ "192.0.2.77/0", "0.0.0.0/0" },
	{ "192.0.2.77/31", "192.0.2.76/31" },
	{ "2001:db8::1/64", "2001:db8::/64" },
	{ "2001:db8::1", "2001:db8::1/128" },
	{ "192.0.2.0/33", NULL },
	{ "2001:db8::/129", NULL },
	{ "192.0.2.0/", NULL },
	{ "192.0.2.0/-1", NULL },
	{ "192.0.2.0/24/24", NULL },
	{ "/24", NULL },
	{ "", NULL },
	{ "192.0.2.0/255.255.255.0", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000/64", NULL },
};

static void
test_prefix(void **state)
{
	char got[PREFIX_TEXT_B];
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		const struct text_case *c = &prefixes[i];
		int rc = prefix_parse(c->in, &p);

		if ((rc == 0) != (c->want != NULL))
			fail_msg("\"%s\": %d", c->in, rc);
		if (c->want)
			assert_string_equal(prefix_text(&p, got), c->want);
	}
}

static const struct range_case {
	const char *in;
	const char *first; /* NULL: refused, */
	const char *last; /* with this in the message */
	uint64_t size;
} ranges[] = {
	{ "192.0.2.0/24", "192.0.2.0", "192.0.2.255", 256 },
	{ "192.0.2.9", "192.0.2.9", "192.0.2.9", 1 },
	{ "192.0.2.9-192.0.3.2", "192.0.2.9", "192.0.3.2", 250 },
	{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255", UINT64_C(1) << 32 },
	{ "2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff",
	    UINT64_MAX },
	{ "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT64_MAX },
	{ "2001:db8::1-2001:db8::1:0", "2001:db8::1", "2001:db8::1:0", 65536 },
	{ "192.0.2.9-192.0.2.8", NULL, "ends before it begins", 0 },
	{ "192.0.2.9-::1", NULL, "mixes", 0 },
	{ "192.0.2.9-", NULL, "no address range", 0 },
	{ "-192.0.2.9", NULL, "no address range", 0 },
	{ "1.1.1.1-2.2.2.2-3.3.3.3", NULL, "no address range", 0 },
	{ "web", NULL, "\"web\" is no address", 0 },
	{ "", NULL, "is no address", 0 },
};

static void
test_range(void **state)
{
	char text[ADDR_TEXT_B];
	struct addr_range r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct range_case *c = &ranges[i];
		struct err err = { 0 };
		int rc = addr_range_parse(c->in, &r, &err);

		if (!c->first) {
			assert_int_equal(rc, -EINVAL);
			if (!strstr(err.text, c->last))
				fail_msg("%s: %s", c->in, err.text);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(addr_text(&r.first, text), c->first);
		assert_string_equal(addr_text(&r.last, text), c->last);
		assert_true(addr_range_size(&r) == c->size);
		assert_true(addr_range_contains(&r, &r.first));
		assert_true(addr_range_contains(&r, &r.last));
		assert_true(addr_range_overlaps(&r, &r));
	}
}

/* ---- str ---- */

static const struct number_case {
	const char *in;
	int rc;
	uint64_t want;
} numbers[] = {
	{ "0", 0, 0 },
	{ "0065535", 0, 65535 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "99999999999999999999999", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "0x1", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
};

static void
test_numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct number_case *c = &numbers[i];

		assert_int_equal(str_to_u64(c->in, UINT64_MAX, &v), c->rc);
		if (c->rc == 0)
			assert_true(v == c->want);
	}
	v = 7;
	assert_int_equal(str_to_u64("256", 255, &v), -ERANGE);
	assert_int_equal(v, 7);
	assert_int_equal(str_to_u64("255", 255, &v), 0);
}

static const struct duration_case {
	const char *in;
	int rc;
	int64_t want_us;
	const char *text;
} durations[] = {
	{ "0", 0, 0, "0s" },
	{ "0s", 0, 0, "0s" },
	{ "500ms", 0, 500000, "500ms" },
	{ "30s", 0, 30000000, "30s" },
	{ "90s", 0, 90000000, "90s" },
	{ "60s", 0, 60000000, "1m" },
	{ "5m", 0, 300000000, "5m" },
	{ "2h", 0, INT64_C(7200000000), "2h" },
	{ "168h", 0, INT64_C(604800000000), "7d" },
	{ "1500ms", 0, 1500000, "1500ms" },
	{ "106751991d", 0, INT64_C(9223372022400000000), "106751991d" },
	{ "106751992d", -ERANGE, 0, NULL },
	{ "9223372036854775807ms", -ERANGE, 0, NULL },
	{ "99999999999999999999s", -ERANGE, 0, NULL },
	{ "5", -EINVAL, 0, NULL },
	{ "", -EINVAL, 0, NULL },
	{ "s", -EINVAL, 0, NULL },
	{ "5 s", -EINVAL, 0, NULL },
	{ "5S", -EINVAL, 0, NULL },
	{ "1h30m", -EINVAL, 0, NULL },
	{ "-5s", -EINVAL, 0, NULL },
	{ "1.5s", -EINVAL, 0, NULL },
	{ "5us", -EINVAL, 0, NULL },
};

static void
test_durations(void **state)
{
	char text[24];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		const struct duration_case *c = &durations[i];
		int rc = str_to_duration(c->in, &us);

		if (rc != c->rc)
			fail_msg("\"%s\": %d", c->in, rc);
		if (rc < 0)
			continue;
		assert_true(us == c->want_us);
		str_duration(us, text);
		assert_string_equal(text, c->text);
		assert_int_equal(str_to_duration(text, &us), 0);
		assert_true(us == c->want_us);
	}
	str_duration(2500, text);
	assert_string_equal(text, "3ms");
	str_duration(1, text);
	assert_string_equal(text, "1ms");
}

static void
test_builder(void **state)
{
	struct str s = { 0 };
	char *stolen;

	(void)state;
	assert_string_equal(str_get(&s), "");
	str_clear(&s);
	str_add(&s, "");
	assert_string_equal(str_get(&s), "");
	for (int i = 0; i < 1000; i++)
		str_printf(&s, "%d,", i % 10);
	assert_int_equal(s.n, 2000);
	assert_int_equal(strlen(s.s), 2000);
	str_add_n(&s, "xyz", 2);
	assert_string_equal(s.s + 1998, "9,xy");
	str_clear(&s);
	str_add_n(&s, "a\0b", 3);
	assert_int_equal(s.n, 3);
	stolen = str_steal(&s);
	assert_memory_equal(stolen, "a\0b", 4);
	free(stolen);
	stolen = str_steal(&s);
	assert_string_equal(stolen, "");
	free(stolen);
	str_fini(&s);
	str_fini(&s);
}

static void
test_nearest(void **state)
{
	static const char *const names[] = { "interval", "timeout", "path" };
	char longest[300];

	(void)state;
	assert_string_equal(str_nearest("intervall", names, ARRAY_LEN(names)),
	    "interval");
	assert_string_equal(str_nearest("tiemout", names, ARRAY_LEN(names)),
	    "timeout");
	assert_string_equal(str_nearest("pth", names, ARRAY_LEN(names)),
	    "path");
	/* Two letters swapped in a word of five. */
	assert_string_equal(str_nearest("nodse", (const char *[]){ "nodes" },
				1),
	    "nodes");
	assert_null(str_nearest("colour", names, ARRAY_LEN(names)));
	assert_null(str_nearest("", names, ARRAY_LEN(names)));
	assert_null(str_nearest("path", names, 0));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(str_nearest(longest, names, ARRAY_LEN(names)));
	longest[70] = '\0';
	assert_null(str_nearest(longest, names, ARRAY_LEN(names)));
	assert_int_equal(str_distance("", "abc"), 3);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_starts_with("abc", ""));
	assert_false(str_starts_with("ab", "abc"));
}

/* ---- vec, arena, err ---- */

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void
test_vec(void **state)
{
	VEC(int) v = { 0 };
	int *it;
	int sum = 0;

	(void)state;
	VEC_FOREACH (it, &v)
		sum++;
	assert_int_equal(sum, 0);
	vec_sort(&v, compare_ints);
	for (int i = 0; i < 100; i++)
		vec_insert(&v, 0, i);
	assert_int_equal(v.v[0], 99);
	vec_sort(&v, compare_ints);
	assert_int_equal(v.v[0], 0);
	vec_remove(&v, 0);
	vec_remove(&v, v.n - 1);
	assert_int_equal(v.n, 98);
	assert_int_equal(v.v[97], 98);
	vec_push(&v, v.v[0]); /* its own element, while it grows */
	vec_insert(&v, v.n, 7);
	assert_int_equal(v.v[99], 7);
	VEC_FOREACH (it, &v)
		sum += *it;
	assert_int_equal(sum, 4851 + 1 + 7);
	while (v.n)
		vec_remove(&v, 0);
	vec_fini(&v);
	vec_fini(&v);
}

static void
test_arena(void **state)
{
	struct arena arena = { 0 };
	unsigned char *big;

	(void)state;
	arena_fini(&arena);
	for (size_t i = 0; i < 3000; i++) {
		unsigned char *p = arena_alloc(&arena, i % 700);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < i % 700; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xa5, i % 700);
	}
	big = arena_alloc(&arena, 1000000);
	assert_int_equal(big[999999], 0);
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_strdup(&arena, "abc"), "abc");
	assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
	assert_memory_equal(arena_strndup(&arena, "a\0bc", 3), "a\0b", 4);
	assert_string_equal(arena_strndup(&arena, NULL, 0), "");
	assert_string_equal(arena_printf(&arena, "%0500d|%s", 1, "x") + 499,
	    "1|x");
	assert_true(arena.total_b > 1000000);
	arena_fini(&arena);
	assert_null(arena.chunk);
}

static void
test_err(void **state)
{
	struct err err = { 0 };
	char text[600];

	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_prefix(NULL, "x"), 0);
	assert_int_equal(err_at(&err, -EINVAL, 3, 5, "bad %s", "key"), -EINVAL);
	assert_int_equal(err_prefix(&err, "file %d", 1), -EINVAL);
	assert_string_equal(err.text, "file 1: bad key");
	assert_int_equal(err.line, 3);
	/* Its own text as an argument. */
	assert_int_equal(err_set(&err, -EIO, "again: %s", err.text), -EIO);
	assert_string_equal(err.text, "again: file 1: bad key");
	assert_int_equal(err.line, 0);
	/* Never cut within a character. */
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(err.text) - 3, "\xe2\x82\xac", 4);
	err_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 3);
	memcpy(text + sizeof(err.text) - 4, "\xe2\x82\xac", 4);
	err_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, "p");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

/* ---- wire ---- */

static void
test_reader(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 9 };
	struct wire_reader r = wire_reader(data, sizeof(data));
	struct wire_reader sub;

	(void)state;
	assert_int_equal(wire_get_u8(&r), 1);
	assert_int_equal(wire_get_u16(&r), 0x0203);
	assert_int_equal(wire_get_u32(&r), 0xfffefdfc);
	assert_int_equal(wire_get_u16(&r), 0);
	assert_true(r.failed);
	assert_int_equal(wire_get_u8(&r), 0); /* though one is left */
	assert_null(wire_get_bytes(&r, 1));
	assert_true(wire_get_sub(&r, 0).failed);
	r = wire_reader(data, sizeof(data));
	sub = wire_get_sub(&r, 3);
	assert_int_equal(r.left_b, 5);
	assert_int_equal(wire_get_u32(&sub), 0);
	assert_true(sub.failed);
	assert_false(r.failed);
	assert_true(wire_get_sub(&r, 6).failed);
	assert_true(r.failed);
	r = wire_reader(NULL, 0);
	wire_get_bytes(&r, 0);
	assert_false(r.failed);
	assert_false(wire_get_sub(&r, 0).failed);
	r = wire_reader(data, 4);
	assert_null(wire_get_bytes(&r, SIZE_MAX));
}

static void
test_writer(void **state)
{
	static const uint8_t want[] = { 0, 7, 1, 2, 3, 4, 5, 'a' };
	uint8_t buf[8];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	wire_put_u16(&w, 0);
	wire_put_u8(&w, 1);
	wire_put_u32(&w, 0x02030405);
	wire_set_u16(&w, 0, 7);
	wire_put_bytes(&w, "a", 1);
	assert_false(w.failed);
	assert_memory_equal(buf, want, sizeof(want));
	wire_put_bytes(&w, NULL, 0);
	assert_false(w.failed);
	wire_put_u8(&w, 9);
	assert_true(w.failed);
	assert_int_equal(w.n, 8);
	wire_set_u8(&w, 0, 0xff); /* does nothing */
	assert_memory_equal(buf, want, sizeof(want));
	w = wire_writer(buf, 3);
	wire_put_u32(&w, 0);
	assert_true(w.failed);
	assert_int_equal(w.n, 0);
	wire_put_u8(&w, 0); /* though it would fit */
	assert_int_equal(w.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_text),
		cmocka_unit_test(test_addr_order),
		cmocka_unit_test(test_addr_add),
		cmocka_unit_test(test_addr_kinds),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_vec),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
