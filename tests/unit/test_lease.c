/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_lease: the table of leases against a plain array of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "model/lease.h"

static struct lease_op
op_of(enum lease_op_kind kind, const char *address, const char *name,
    const char *pool)
{
	struct lease_op op = {
		.kind = kind,
		.lease = { .cluster = "c",
		    .ns = "ns",
		    .name = name,
		    .uid = "u",
		    .pool = pool,
		    .is_held = true },
		.at = 5,
	};

	assert_int_equal(addr_parse(address, &op.lease.address), 0);
	return op;
}

static void
apply(struct lease_table *t, enum lease_op_kind kind, const char *address,
    const char *name, const char *pool)
{
	struct lease_op op = op_of(kind, address, name, pool);

	lease_table_apply(t, &op);
}

static void
add_lease(struct str *out, const struct lease *l)
{
	char a[ADDR_TEXT_B];

	str_printf(out, "%s%s=%s/%s@%s", out->n ? " " : "",
	    addr_text(&l->address, a), l->ns, l->name, l->pool);
}

static void
assert_all(const struct lease_table *t, const char *want)
{
	struct str got = { 0 };
	size_t n;
	const struct lease **v = lease_table_list(t, &n);

	for (size_t i = 0; i < n; i++)
		add_lease(&got, v[i]);
	assert_string_equal(str_get(&got), want);
	str_fini(&got);
	free(v);
}

static void
assert_chains(const struct lease_table *t, const char *address,
    const char *name, const char *want_address, const char *want_service)
{
	struct str got = { 0 };
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	for (const struct lease *l = lease_of_address(t, &a); l;
	     l = lease_next_of_address(l))
		str_printf(&got, "%s ", l->name);
	assert_string_equal(str_get(&got), want_address);
	str_clear(&got);
	for (const struct lease *l = lease_of_service(t, "c", "ns", name); l;
	     l = lease_next_of_service(l)) {
		char text[ADDR_TEXT_B];

		str_printf(&got, "%s ", addr_text(&l->address, text));
	}
	assert_string_equal(str_get(&got), want_service);
	str_fini(&got);
}

static size_t
pool_count(const struct lease_table *t, const char *pool)
{
	size_t n = 0;

	for (const struct lease *l = lease_of_pool(t, pool); l;
	     l = lease_next_of_pool(l)) {
		assert_string_equal(l->pool, pool);
		n++;
	}
	return n;
}

static void
test_chains(void **state)
{
	struct lease_table *t = lease_table_new();

	(void)state;
	assert_all(t, "");
	apply(t, LEASE_OP_PUT, "2001:db8::1", "b", "p6");
	apply(t, LEASE_OP_PUT, "192.0.2.10", "b", "p4");
	apply(t, LEASE_OP_PUT, "192.0.2.9", "b", "p4");
	apply(t, LEASE_OP_PUT, "192.0.2.9", "c", "p4");
	apply(t, LEASE_OP_PUT, "192.0.2.9", "a", "p4");
	assert_all(t,
	    "192.0.2.9=ns/a@p4 192.0.2.9=ns/b@p4 192.0.2.9=ns/c@p4 "
	    "192.0.2.10=ns/b@p4 2001:db8::1=ns/b@p6");
	assert_chains(t, "192.0.2.9", "b", "a b c ",
	    "192.0.2.9 192.0.2.10 2001:db8::1 ");
	assert_int_equal(pool_count(t, "p4"), 4);
	apply(t, LEASE_OP_PUT, "192.0.2.9", "b", "p9"); /* changes pool */
	assert_int_equal(pool_count(t, "p4"), 3);
	assert_int_equal(pool_count(t, "p9"), 1);
	apply(t, LEASE_OP_DELETE, "192.0.2.9", "b", "");
	apply(t, LEASE_OP_DELETE, "192.0.2.9", "b", "");
	apply(t, LEASE_OP_DELETE, "192.0.2.77", "b", "");
	assert_int_equal(pool_count(t, "p9"), 0);
	assert_chains(t, "192.0.2.9", "b", "a c ", "192.0.2.10 2001:db8::1 ");
	assert_chains(t, "192.0.2.1", "z", "", "");
	lease_table_free(t);
	lease_table_free(NULL);
}

/* Planning copies a row, changes it and puts it back: the strings of the
 * operation are the row's own. */
static void
test_own_strings(void **state)
{
	struct lease_table *t = lease_table_new();
	struct lease_op op = { .kind = LEASE_OP_PUT };
	const struct lease *l;

	(void)state;
	apply(t, LEASE_OP_PUT, "192.0.2.9", "a", "p");
	l = lease_of_service(t, "c", "ns", "a");
	op.lease = *l;
	op.lease.is_held = false;
	op.lease.sticky_until = 99;
	lease_table_apply(t, &op);
	assert_ptr_equal(lease_of_service(t, "c", "ns", "a"), l);
	assert_string_equal(l->uid, "u");
	assert_false(l->is_held);
	op.lease = *l;
	op.kind = LEASE_OP_DELETE;
	lease_table_apply(t, &op);
	assert_all(t, "");
	lease_table_free(t);
}

static const struct state_case {
	bool is_held;
	wall_t quarantine;
	wall_t sticky;
	wall_t now;
	const char *want;
} states[] = {
	{ true, 0, 0, 100, "held" },
	{ false, 100, 200, 99, "quarantined" },
	{ false, 100, 200, 100, "sticky" },
	{ false, 100, 200, 199, "sticky" },
	{ false, 100, 200, 200, "expired" },
	{ false, 0, 0, 0, "expired" },
};

static void
test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		const struct state_case *c = &states[i];
		struct lease l = { .is_held = c->is_held,
			.quarantine_until = c->quarantine,
			.sticky_until = c->sticky };

		assert_string_equal(lease_state_name(lease_state(&l, c->now)),
		    c->want);
	}
}

static void
test_reservations(void **state)
{
	struct lease_table *t = lease_table_new();
	const struct reservation *r;
	const struct reservation **v;
	struct addr a;
	size_t n;

	(void)state;
	apply(t, LEASE_OP_RESERVE, "192.0.2.20", "a", "p");
	apply(t, LEASE_OP_RESERVE, "192.0.2.3", "a", "p");
	apply(t, LEASE_OP_RESERVE, "2001:db8::1", "a", "p");
	apply(t, LEASE_OP_RESERVE, "192.0.2.2", "b", "p");
	r = reservation_of_service(t, "ns", "a", "p", FAMILY_IPV4);
	assert_int_equal(r->address.b[3], 3);
	assert_int_equal(r->since, 5);
	r = reservation_of_service(t, "ns", "a", "p", FAMILY_IPV6);
	assert_int_equal(r->address.family, FAMILY_IPV6);
	assert_null(reservation_of_service(t, "ns", "a", "q", FAMILY_IPV4));
	assert_null(reservation_of_service(t, "x", "a", "p", FAMILY_IPV4));
	assert_int_equal(addr_parse("192.0.2.20", &a), 0);
	assert_string_equal(reservation_of_address(t, &a)->name, "a");
	apply(t, LEASE_OP_RESERVE, "192.0.2.20", "other", "p");
	assert_string_equal(reservation_of_address(t, &a)->name, "other");
	v = reservation_list(t, &n);
	assert_int_equal(n, 4);
	assert_int_equal(v[0]->address.b[3], 2);
	assert_int_equal(v[3]->address.family, FAMILY_IPV6);
	free(v);
	apply(t, LEASE_OP_UNRESERVE, "192.0.2.20", "", "");
	apply(t, LEASE_OP_UNRESERVE, "192.0.2.20", "", "");
	assert_null(reservation_of_address(t, &a));
	lease_table_free(t);
}

/* Random operations on a few keys against an array; a fixed seed. */
static void
test_random(void **state)
{
	enum {
		ADDRESSES = 8,
		NAMES = 8,
		STEPS = 20000
	};
	static bool is_there[ADDRESSES][NAMES];
	struct lease_table *t = lease_table_new();
	uint32_t seed = 1;
	size_t in_chains = 0;
	size_t total = 0;
	size_t n;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		char address[32];
		char name[8];
		char pool[8];
		size_t a = (seed = seed * 1664525 + 1013904223) >> 29;
		size_t b = (seed = seed * 1664525 + 1013904223) >> 29;
		bool is_put = (seed = seed * 1664525 + 1013904223) >> 31;

		snprintf(address, sizeof(address), "10.0.0.%zu", a);
		snprintf(name, sizeof(name), "n%zu", b);
		snprintf(pool, sizeof(pool), "p%u", seed >> 20 & 3);
		apply(t, is_put ? LEASE_OP_PUT : LEASE_OP_DELETE, address, name,
		    pool);
		is_there[a][b] = is_put;
	}
	for (size_t a = 0; a < ADDRESSES; a++)
		for (size_t b = 0; b < NAMES; b++)
			total += is_there[a][b];
	for (size_t p = 0; p < 4; p++) {
		char pool[8];

		snprintf(pool, sizeof(pool), "p%zu", p);
		in_chains += pool_count(t, pool);
	}
	assert_int_equal(in_chains, total);
	free(lease_table_list(t, &n));
	assert_int_equal(n, total);
	lease_table_free(t);
}

/* All of them on one address, in order. */
static void
test_many_on_one_address(void **state)
{
	struct lease_table *t = lease_table_new();
	char name[16];
	size_t n;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%05d", i);
		apply(t, LEASE_OP_PUT, "192.0.2.1", name, "p");
	}
	free(lease_table_list(t, &n));
	assert_int_equal(n, 20000);
	lease_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_own_strings),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_reservations),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_many_on_one_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
