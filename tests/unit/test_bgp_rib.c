/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes and what peers are told: a receiver is played here that applies every
 * UPDATE to a set of its own; the set must become what is wanted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bgp/msg.h"
#include "bgp/rib.h"

enum {
	N = 4096,
	ROOM_B = 64 * 1024
};

/* Routes are numbers: 10.0.x.x or fd00::x. */
struct receiver {
	bool has[FAMILY_IPV6 + 1][N];
	unsigned int origin[FAMILY_IPV6 + 1][N];
	size_t n_messages;
	size_t n_reach;
	size_t n_unreach;
	unsigned int eor; /* BGP_FAMILY() */
	char marks[64]; /* of route refresh, in order */
};

static struct prefix
route(enum family f, unsigned int n)
{
	struct addr a = { .family = (uint8_t)f };

	a.b[0] = f == FAMILY_IPV4 ? 10 : 0xfd;
	a.b[addr_len_b(&a) - 2] = (uint8_t)(n >> 8);
	a.b[addr_len_b(&a) - 1] = (uint8_t)n;
	return prefix_host(&a);
}

static void
apply(struct receiver *rx, struct wire_reader *r, enum family f, bool is_reach,
    unsigned int origin)
{
	size_t len = f == FAMILY_IPV4 ? 4 : 16;

	while (r->left_b) {
		const uint8_t *p;
		unsigned int n;

		assert_int_equal(wire_get_u8(r), len * 8);
		p = wire_get_bytes(r, len);
		assert_non_null(p);
		n = (unsigned int)p[len - 2] << 8 | p[len - 1];
		assert_true(n < N);
		rx->has[f][n] = is_reach;
		rx->origin[f][n] = origin;
		*(is_reach ? &rx->n_reach : &rx->n_unreach) += 1;
	}
}

/* The attributes that matter here; `mp` is the multiprotocol one. */
static unsigned int
read_attrs(struct wire_reader *attrs, struct wire_reader *mp, uint8_t *mp_type)
{
	unsigned int origin = 0;

	while (attrs->left_b) {
		uint8_t flags = wire_get_u8(attrs);
		uint8_t type = wire_get_u8(attrs);
		size_t len =
		    flags & 0x10 ? wire_get_u16(attrs) : wire_get_u8(attrs);
		struct wire_reader a = wire_get_sub(attrs, len);

		if (type == 1)
			origin = wire_get_u8(&a);
		if (type == 14 || type == 15) {
			assert_int_equal(*mp_type, 0);
			*mp = a;
			*mp_type = type;
		}
	}
	assert_false(attrs->failed);
	return origin;
}

static void
receive_update(struct receiver *rx, const uint8_t *msg, size_t n)
{
	struct wire_reader r = wire_reader(msg + 19, n - 19);
	struct wire_reader gone = wire_get_sub(&r, wire_get_u16(&r));
	struct wire_reader attrs = wire_get_sub(&r, wire_get_u16(&r));
	struct wire_reader mp = { 0 };
	uint8_t mp_type = 0;
	unsigned int origin = read_attrs(&attrs, &mp, &mp_type);
	struct bgp_notification err;
	struct bgp_update update;

	bgp_update_check(msg, n, &update, &err);
	assert_int_equal(update.verdict, BGP_UPDATE_GOOD);
	rx->n_messages++;
	/* Never both in one message, so never one prefix in both. */
	assert_false(update.n_reach && update.n_unreach);
	if (update.end_of_rib != FAMILY_NONE) {
		rx->eor |= BGP_FAMILY(update.end_of_rib);
		return;
	}
	apply(rx, &gone, FAMILY_IPV4, false, 0);
	apply(rx, &r, FAMILY_IPV4, true, origin);
	if (!mp_type)
		return;
	wire_get_bytes(&mp, 3);
	if (mp_type == 14)
		wire_get_bytes(&mp, wire_get_u8(&mp) + 1u);
	apply(rx, &mp, FAMILY_IPV6, mp_type == 14, origin);
}

/* One fill with this much room; false: nothing was left to say. */
static bool
pull(struct receiver *rx, struct bgp_out *out, size_t room)
{
	uint8_t *buf = mem_alloc(room);
	size_t n = bgp_out_fill(out, buf, room);
	size_t at = 0;

	while (at < n) {
		struct bgp_notification err;
		int len = bgp_msg_frame(buf + at, n - at, &err);
		size_t k = strlen(rx->marks);

		assert_true(len > 0);
		if (bgp_msg_type(buf + at) == BGP_MSG_ROUTE_REFRESH)
			rx->marks[k] = (char)('0' + buf[at + 21]);
		else
			receive_update(rx, buf + at, (size_t)len);
		at += (size_t)len;
	}
	free(buf);
	return n > 0;
}

static struct bgp_export
export_all(void)
{
	struct bgp_export e = { .local_as = 65001,
		.as4 = true,
		.families = BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6) };

	e.next_hop[FAMILY_IPV4] = route(FAMILY_IPV4, 1).addr;
	e.next_hop[FAMILY_IPV6] = route(FAMILY_IPV6, 1).addr;
	return e;
}

static void
set(struct bgp_rib *rib, enum family f, unsigned int n, int origin)
{
	const struct bgp_attrs a = { .origin = (uint8_t)origin };
	struct prefix p = route(f, n);

	if (origin < 0)
		bgp_rib_withdraw(rib, &p);
	else
		bgp_rib_announce(rib, &p, &a);
}

static const struct packing_case {
	enum family family;
	unsigned int n;
	size_t reach; /* messages, without End-of-RIB */
	size_t unreach;
} packing_cases[] = {
	{ FAMILY_IPV4, 0, 0, 0 },
	{ FAMILY_IPV4, 1, 1, 1 },
	{ FAMILY_IPV4, 810, 1, 1 },
	{ FAMILY_IPV4, 811, 2, 1 },
	{ FAMILY_IPV4, 814, 2, 1 },
	{ FAMILY_IPV4, 815, 2, 2 },
	{ FAMILY_IPV4, 4000, 5, 5 },
	{ FAMILY_IPV6, 1, 1, 1 },
	{ FAMILY_IPV6, 237, 1, 1 },
	{ FAMILY_IPV6, 238, 2, 1 },
	{ FAMILY_IPV6, 4000, 17, 17 },
};

static void
test_packing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packing_cases); i++) {
		const struct packing_case *c = &packing_cases[i];
		struct receiver *rx = mem_new(struct receiver);
		struct bgp_rib *rib = bgp_rib_new();
		const struct bgp_export e = export_all();
		struct bgp_out *out = bgp_out_new(rib, &e);

		for (unsigned int n = 0; n < c->n; n++)
			set(rib, c->family, n, 0);
		assert_true(bgp_out_is_pending(out));
		while (pull(rx, out, ROOM_B))
			;
		assert_int_equal(rx->n_messages, c->reach + 2);
		assert_int_equal(rx->n_reach, c->n);
		assert_int_equal(rx->eor, e.families);
		assert_int_equal(bgp_out_count(out), c->n);
		rx->n_messages = 0;
		for (unsigned int n = 0; n < c->n; n++)
			set(rib, c->family, n, -1);
		while (pull(rx, out, ROOM_B))
			;
		assert_int_equal(rx->n_messages, c->unreach);
		assert_int_equal(rx->n_unreach, c->n);
		assert_int_equal(bgp_out_count(out), 0);
		assert_int_equal(bgp_rib_count(rib), 0);
		bgp_out_free(out);
		bgp_rib_free(rib);
		free(rx);
	}
}

static void
test_no_change_no_message(void **state)
{
	struct receiver *rx = mem_new(struct receiver);
	struct bgp_rib *rib = bgp_rib_new();
	const struct bgp_export e = export_all();
	struct bgp_out *out = bgp_out_new(rib, &e);

	(void)state;
	set(rib, FAMILY_IPV4, 1, 0);
	while (pull(rx, out, ROOM_B))
		;
	set(rib, FAMILY_IPV4, 1, 0);
	set(rib, FAMILY_IPV4, 2, -1); /* never there */
	set(rib, FAMILY_IPV4, 3, 0); /* gone before anybody knew */
	set(rib, FAMILY_IPV4, 3, -1);
	rx->n_messages = 0;
	while (pull(rx, out, ROOM_B))
		;
	assert_int_equal(rx->n_messages, 0);
	assert_false(bgp_out_is_pending(out));
	/* New attributes replace, without a withdrawal. */
	set(rib, FAMILY_IPV4, 1, 2);
	while (pull(rx, out, ROOM_B))
		;
	assert_int_equal(rx->n_messages, 1);
	assert_int_equal(rx->n_unreach, 0);
	assert_int_equal(rx->origin[FAMILY_IPV4][1], 2);
	bgp_out_free(out);
	bgp_rib_free(rib);
	free(rx);
}

static void
test_refresh(void **state)
{
	struct receiver *rx = mem_new(struct receiver);
	struct bgp_rib *rib = bgp_rib_new();
	struct bgp_export e = export_all();
	struct bgp_out *out;

	(void)state;
	e.enhanced_refresh = true;
	out = bgp_out_new(rib, &e);
	set(rib, FAMILY_IPV4, 1, 0);
	set(rib, FAMILY_IPV6, 2, 0);
	while (pull(rx, out, ROOM_B))
		;
	assert_string_equal(rx->marks, "");
	rx->n_reach = 0;
	bgp_out_refresh(out, FAMILY_IPV6);
	while (pull(rx, out, ROOM_B))
		;
	assert_int_equal(rx->n_reach, 1);
	assert_string_equal(rx->marks, "12");
	bgp_out_free(out);
	bgp_rib_free(rib);
	free(rx);
}

static void
test_family_without_next_hop(void **state)
{
	struct receiver *rx = mem_new(struct receiver);
	struct bgp_rib *rib = bgp_rib_new();
	struct bgp_export e = export_all();
	struct addr hop = e.next_hop[FAMILY_IPV6];
	struct bgp_out *out;

	(void)state;
	e.next_hop[FAMILY_IPV6] = (struct addr){ 0 };
	out = bgp_out_new(rib, &e);
	set(rib, FAMILY_IPV4, 1, 0);
	set(rib, FAMILY_IPV6, 2, 0);
	while (pull(rx, out, ROOM_B))
		;
	assert_int_equal(bgp_out_count(out), 1);
	assert_int_equal(rx->eor, e.families);
	bgp_out_set_next_hop(out, FAMILY_IPV6, &hop);
	while (pull(rx, out, ROOM_B))
		;
	assert_true(rx->has[FAMILY_IPV6][2]);
	bgp_out_free(out);
	bgp_rib_free(rib);
	free(rx);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Changes, pulls of one message and sessions that come and go, at random; in
 * the end all receivers hold what is wanted. */
static void
churn(uint32_t seed)
{
	enum {
		PEERS = 3
	};
	struct receiver *rx[PEERS] = { NULL };
	struct bgp_out *out[PEERS] = { NULL };
	struct bgp_rib *rib = bgp_rib_new();
	static int want[FAMILY_IPV6 + 1][N];
	const struct bgp_export e = export_all();

	memset(want, 0xff, sizeof(want));
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int p = next_random(&seed) % PEERS;
		enum family f = FAMILY_IPV4 + next_random(&seed) % 2;
		unsigned int n = next_random(&seed) % N;

		want[f][n] = (int)(next_random(&seed) % 4) - 1;
		set(rib, f, n, want[f][n]);
		if (next_random(&seed) % 2000 == 0 && out[p]) {
			bgp_out_free(out[p]);
			out[p] = NULL;
			free(rx[p]);
			rx[p] = NULL;
		}
		if (!out[p]) {
			out[p] = bgp_out_new(rib, &e);
			rx[p] = mem_new(struct receiver);
		}
		if (next_random(&seed) % 64 == 0)
			bgp_out_refresh(out[p], f);
		if (next_random(&seed) % 4 == 0)
			pull(rx[p], out[p], BGP_MSG_MAX_B);
	}
	for (unsigned int p = 0; p < PEERS; p++) {
		if (!out[p])
			continue;
		while (pull(rx[p], out[p], ROOM_B))
			;
		assert_false(bgp_out_is_pending(out[p]));
		assert_int_equal(bgp_out_count(out[p]), bgp_rib_count(rib));
		for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++)
			for (unsigned int n = 0; n < N; n++) {
				assert_int_equal(rx[p]->has[f][n],
				    want[f][n] >= 0);
				if (want[f][n] >= 0)
					assert_int_equal(rx[p]->origin[f][n],
					    want[f][n]);
			}
		bgp_out_free(out[p]);
		free(rx[p]);
	}
	bgp_rib_free(rib);
}

static void
test_churn(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 8; seed++)
		churn(seed);
}

/* Octets of the path attributes as each kind of session sees them. */
static void
test_attributes(void **state)
{
	static const struct {
		struct bgp_export e;
		uint8_t want[40];
		size_t n;
	} cases[] = {
		{ { .local_as = 65001, .as4 = true },
		    { 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40,
			3, 4, 10, 0, 0, 1 },
		    20 },
		{ { .local_as = 65001 },
		    { 0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xe9, 0x40, 3, 4,
			10, 0, 0, 1 },
		    18 },
		{ { .local_as = 65536 }, /* AS_TRANS, AS4_PATH */
		    { 0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0x5b, 0xa0, 0x40, 3, 4,
			10, 0, 0, 1, 0xc0, 17, 6, 2, 1, 0, 1, 0, 0 },
		    27 },
		{ { .local_as = 65001, .as4 = true, .is_ibgp = true },
		    { 0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 0, 0, 1, 0x40,
			5, 4, 0, 0, 0, 100 },
		    21 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct bgp_attrs attrs = { .local_pref = 100 };
		struct bgp_export e = cases[i].e;
		struct prefix p = route(FAMILY_IPV4, 7);
		struct bgp_update_writer u;
		uint8_t buf[BGP_MSG_MAX_B];
		size_t n;

		e.next_hop[FAMILY_IPV4] = route(FAMILY_IPV4, 1).addr;
		bgp_update_begin(&u, buf, FAMILY_IPV4, &attrs, &e);
		assert_true(bgp_update_add(&u, &p));
		n = bgp_update_end(&u);
		assert_int_equal(n, 23 + cases[i].n + 5);
		assert_int_equal(buf[22], cases[i].n);
		assert_memory_equal(buf + 23, cases[i].want, cases[i].n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packing),
		cmocka_unit_test(test_no_change_no_message),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_family_without_next_hop),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
