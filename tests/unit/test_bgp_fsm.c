/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session: every state with every event, collisions, back-off, OPENs that
 * do not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bgp/fsm.h"

enum {
	OUR_AS = 65001,
	PEER_AS = 65000,
	OUR_ID = 10,
	PEER_ID = 20
};

struct bench {
	struct bgp_session s;
	struct bgp_todo todo;
	struct bgp_open open; /* the peer's */
	struct bgp_notification note;
	struct bgp_refresh refresh;
	mono_t now;
};

static void
bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->now = 1000 * MONO_S;
	b->s.conf = (struct bgp_session_conf){ .local_as = OUR_AS,
		.peer_as = PEER_AS,
		.id = OUR_ID,
		.hold_s = 90,
		.connect_retry_s = 5,
		.families = BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6),
		.graceful_restart = true,
		.restart_s = 120 };
	b->open = (struct bgp_open){ .version = 4,
		.my_as = PEER_AS,
		.hold_s = 30,
		.id = PEER_ID,
		.caps = { .has_families = true,
		    .families = BGP_FAMILY(FAMILY_IPV4),
		    .route_refresh = true,
		    .as4 = true,
		    .as = PEER_AS,
		    .graceful_restart = true } };
	b->refresh.family = FAMILY_IPV4;
	bgp_notification_cease(&b->note, BGP_CEASE_RESET, NULL);
}

static void
event(struct bench *b, unsigned int slot, enum bgp_event_kind kind)
{
	const struct bgp_event ev = { .kind = kind,
		.now = b->now,
		.open = &b->open,
		.notification = &b->note,
		.refresh = &b->refresh };

	b->todo.n = 0;
	bgp_session_step(&b->s, slot, &ev, &b->todo);
}

static const struct bgp_do *
done(const struct bench *b, enum bgp_do_kind kind)
{
	for (size_t i = 0; i < b->todo.n; i++)
		if (b->todo.v[i].kind == kind)
			return &b->todo.v[i];
	return NULL;
}

/* As done(), but it must be there. */
static const struct bgp_do *
surely_done(const struct bench *b, enum bgp_do_kind kind)
{
	static const struct bgp_do nothing;
	const struct bgp_do *d = done(b, kind);

	assert_non_null(d);
	return d ? d : &nothing;
}

static void
reach(struct bench *b, enum bgp_fsm_state state)
{
	static const enum bgp_event_kind path[][5] = {
		[BGP_FSM_STATE_IDLE] = { BGP_EVENT__COUNT },
		[BGP_FSM_STATE_CONNECT] = { BGP_EVENT_START, BGP_EVENT__COUNT },
		[BGP_FSM_STATE_ACTIVE] = { BGP_EVENT_START,
		    BGP_EVENT_TCP_FAILED, BGP_EVENT__COUNT },
		[BGP_FSM_STATE_OPEN_SENT] = { BGP_EVENT_START, BGP_EVENT_TCP_UP,
		    BGP_EVENT__COUNT },
		[BGP_FSM_STATE_OPEN_CONFIRM] = { BGP_EVENT_START,
		    BGP_EVENT_TCP_UP, BGP_EVENT_RX_OPEN, BGP_EVENT__COUNT },
		[BGP_FSM_STATE_ESTABLISHED] = { BGP_EVENT_START,
		    BGP_EVENT_TCP_UP, BGP_EVENT_RX_OPEN, BGP_EVENT_RX_KEEPALIVE,
		    BGP_EVENT__COUNT },
	};

	for (size_t i = 0; path[state][i] != BGP_EVENT__COUNT; i++)
		event(b, BGP_SLOT_DIAL, path[state][i]);
	assert_int_equal(b->s.conn[0].state, state);
}

/* One letter for the next state per event, in the order of the enum: I C A,
 * S OpenSent, O OpenConfirm, E. */
static const char letters[] = "ICASOE";
static const char *const want_next[BGP_FSM_STATE__COUNT] = {
	[BGP_FSM_STATE_IDLE] = "ICIICISIIIIIIII",
	[BGP_FSM_STATE_CONNECT] = "CIIICISAAIIIIII",
	[BGP_FSM_STATE_ACTIVE] = "CAAACISAAAAAAAA",
	[BGP_FSM_STATE_OPEN_SENT] = "SSISSISIIOIIIII",
	[BGP_FSM_STATE_OPEN_CONFIRM] = "OOIOOIOIIIIEIII",
	[BGP_FSM_STATE_ESTABLISHED] = "EEIEEIEIIIEEIEI",
};

/* What RFC 6608 wants to follow 5/x: the type of the message. */
static const uint8_t message_types[BGP_EVENT__COUNT] = {
	[BGP_EVENT_RX_OPEN] = 1,
	[BGP_EVENT_RX_UPDATE] = 2,
	[BGP_EVENT_RX_KEEPALIVE] = 4,
	[BGP_EVENT_RX_REFRESH] = 5,
};

/* The NOTIFICATION that must be sent, code * 16 + subcode; 0: none. */
static unsigned int
want_note(enum bgp_fsm_state state, enum bgp_event_kind kind)
{
	if (state < BGP_FSM_STATE_OPEN_SENT)
		return 0;
	if (kind == BGP_EVENT_HOLD_TIMER)
		return 0x40;
	if (kind == BGP_EVENT_STOP || kind == BGP_EVENT_RX_ERROR)
		return 0x64; /* the one of the bench */
	if (state == BGP_FSM_STATE_OPEN_SENT)
		return kind == BGP_EVENT_RX_UPDATE ||
			kind == BGP_EVENT_RX_KEEPALIVE ||
			kind == BGP_EVENT_RX_REFRESH
		    ? 0x51
		    : 0;
	if (state == BGP_FSM_STATE_OPEN_CONFIRM)
		return kind == BGP_EVENT_RX_UPDATE ||
			kind == BGP_EVENT_RX_OPEN ||
			kind == BGP_EVENT_RX_REFRESH
		    ? 0x52
		    : 0;
	return kind == BGP_EVENT_RX_OPEN ? 0x53 : 0;
}

static void
check_pair(enum bgp_fsm_state state, enum bgp_event_kind kind)
{
	enum bgp_fsm_state next;
	const struct bgp_do *d;
	unsigned int note;
	struct bench b;

	bench_init(&b);
	reach(&b, state);
	event(&b, BGP_SLOT_DIAL, kind);
	next = b.s.conn[0].state;
	if (letters[next] != want_next[state][kind])
		fail_msg("state %u event %s: got %c want %c",
		    (unsigned int)state, bgp_event_name(kind), letters[next],
		    want_next[state][kind]);
	d = done(&b, BGP_DO_SEND_NOTIFICATION);
	note = d ? d->notification.code * 16u + d->notification.sub : 0;
	if (note != want_note(state, kind))
		fail_msg("state %u event %s: NOTIFICATION %x",
		    (unsigned int)state, bgp_event_name(kind), note);
	if (d && d->notification.code == BGP_ERR_FSM) {
		assert_int_equal(d->notification.n_data, 1);
		assert_int_equal(d->notification.data[0], message_types[kind]);
	}
	/* Up and down come in pairs, and what ends is closed. */
	assert_int_equal(!!done(&b, BGP_DO_DOWN),
	    state == BGP_FSM_STATE_ESTABLISHED && next != state);
	assert_int_equal(!!done(&b, BGP_DO_UP),
	    next == BGP_FSM_STATE_ESTABLISHED && next != state);
	if (state >= BGP_FSM_STATE_OPEN_SENT && next == BGP_FSM_STATE_IDLE)
		assert_non_null(done(&b, BGP_DO_CLOSE));
	/* A session that wants to be up always waits for something. */
	if (b.s.is_started) {
		mono_t when;
		unsigned int slot;
		enum bgp_timer timer;

		assert_true(bgp_session_next_timer(&b.s, &when, &slot, &timer));
	}
}

static void
test_every_pair(void **state)
{
	(void)state;
	for (enum bgp_fsm_state s = 0; s < BGP_FSM_STATE__COUNT; s++) {
		assert_int_equal(strlen(want_next[s]), BGP_EVENT__COUNT);
		for (enum bgp_event_kind k = 0; k < BGP_EVENT__COUNT; k++)
			check_pair(s, k);
	}
}

/* The rule of RFC 4271 6.8 said once more, in other words. */
static enum bgp_collision
expected(const struct bgp_collision_facts *f)
{
	bool is_ours_kept;
	bool is_new_ours = !f->is_new_incoming;

	if (f->old_state < BGP_FSM_STATE_OPEN_CONFIRM)
		return BGP_COLLISION_NONE;
	if (f->old_state == BGP_FSM_STATE_ESTABLISHED)
		return f->is_new_incoming && f->is_old_graceful &&
			f->is_old_settled
		    ? BGP_COLLISION_REPLACE_OLD
		    : BGP_COLLISION_CLOSE_NEW;
	if (f->is_new_incoming == f->is_old_incoming)
		return BGP_COLLISION_CLOSE_OLD;
	is_ours_kept = f->our_id > f->peer_id ||
	    (f->our_id == f->peer_id && f->our_as > f->peer_as);
	return is_ours_kept == is_new_ours ? BGP_COLLISION_CLOSE_OLD
					   : BGP_COLLISION_CLOSE_NEW;
}

static void
test_collision_truth_table(void **state)
{
	static const uint32_t ids[][2] = { { 1, 2 }, { 2, 1 },
		{ 0x7fffffff, 0x80000000 }, { 0x80000000, 0x7fffffff },
		{ 5, 5 } };

	(void)state;
	for (unsigned int i = 0; i < 6 * 16 * 5 * 2; i++) {
		unsigned int bits = i / 6 % 16;
		struct bgp_collision_facts f = {
			.old_state = (enum bgp_fsm_state)(i % 6),
			.is_new_incoming = bits & 1,
			.is_old_incoming = bits & 2,
			.is_old_graceful = bits & 4,
			.is_old_settled = bits & 8,
			.our_id = ids[i / 96 % 5][0],
			.peer_id = ids[i / 96 % 5][1],
			.our_as = i / 480 ? 1 : 2,
			.peer_as = i / 480 ? 2 : 1,
		};

		assert_int_equal(bgp_collision_resolve(&f), expected(&f));
	}
}

/* Two of us dial each other: both ends must keep the same connection. */
static void
test_both_ends_agree(void **state)
{
	static const uint32_t ids[][2] = { { 1, 2 }, { 2, 1 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		/* Connection X is dialled by A, Y by B; X got its OPEN first
		 * on both sides. */
		const struct bgp_collision_facts a = {
			.old_state = BGP_FSM_STATE_OPEN_CONFIRM,
			.is_old_incoming = false,
			.is_new_incoming = true,
			.our_id = ids[i][0],
			.peer_id = ids[i][1],
		};
		const struct bgp_collision_facts b = {
			.old_state = BGP_FSM_STATE_OPEN_CONFIRM,
			.is_old_incoming = true,
			.is_new_incoming = false,
			.our_id = ids[i][1],
			.peer_id = ids[i][0],
		};

		assert_int_equal(bgp_collision_resolve(&a),
		    bgp_collision_resolve(&b));
	}
}

static int
accept_one(struct bench *b)
{
	const struct bgp_event ev = { .kind = BGP_EVENT_TCP_UP, .now = b->now };

	b->todo.n = 0;
	return bgp_session_accept(&b->s, &ev, &b->todo);
}

static void
test_collision_in_the_session(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b); /* the peer has the higher id: its dial wins */
	reach(&b, BGP_FSM_STATE_OPEN_CONFIRM);
	assert_int_equal(accept_one(&b), BGP_SLOT_ACCEPT);
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_TCP_UP);
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_RX_OPEN);
	assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_IDLE);
	assert_int_equal(b.s.conn[1].state, BGP_FSM_STATE_OPEN_CONFIRM);
	assert_int_equal(surely_done(&b, BGP_DO_SEND_NOTIFICATION)->slot, 0);
	assert_int_equal(surely_done(&b, BGP_DO_SEND_NOTIFICATION)
			     ->notification.sub,
	    BGP_CEASE_COLLISION);
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_RX_KEEPALIVE);
	assert_int_equal(bgp_session_slot(&b.s), BGP_SLOT_ACCEPT);
	assert_int_equal(b.s.failures, 0);
}

static void
test_restarted_peer_replaces(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	reach(&b, BGP_FSM_STATE_ESTABLISHED);
	b.now += 60 * MONO_S;
	assert_int_equal(accept_one(&b), BGP_SLOT_ACCEPT);
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_TCP_UP);
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_RX_OPEN);
	assert_non_null(done(&b, BGP_DO_DOWN));
	assert_null(done(&b, BGP_DO_SEND_NOTIFICATION));
	assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_IDLE);
	/* And again, now that the other slot holds the session. */
	event(&b, BGP_SLOT_ACCEPT, BGP_EVENT_RX_KEEPALIVE);
	b.now += 60 * MONO_S;
	assert_int_equal(accept_one(&b), BGP_SLOT_DIAL);
	event(&b, BGP_SLOT_DIAL, BGP_EVENT_TCP_UP);
	event(&b, BGP_SLOT_DIAL, BGP_EVENT_RX_OPEN);
	assert_int_equal(b.s.conn[1].state, BGP_FSM_STATE_IDLE);
	assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_OPEN_CONFIRM);
}

static void
test_back_off(void **state)
{
	static const unsigned int want_s[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct bench b;

	(void)state;
	bench_init(&b);
	event(&b, 0, BGP_EVENT_START);
	for (size_t i = 0; i < ARRAY_LEN(want_s); i++) {
		event(&b, 0, BGP_EVENT_TCP_UP);
		event(&b, 0, BGP_EVENT_RX_NOTIFICATION);
		assert_int_equal(b.s.conn[0].deadline[BGP_TIMER_IDLE] - b.now,
		    want_s[i] * MONO_S);
		assert_int_equal(accept_one(&b), i < 3 ? 1 : -1);
		event(&b, 0, BGP_EVENT_IDLE_TIMER);
		assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_CONNECT);
	}
	/* One hold time of life and all is forgotten. */
	event(&b, 0, BGP_EVENT_TCP_UP);
	event(&b, 0, BGP_EVENT_RX_OPEN);
	event(&b, 0, BGP_EVENT_RX_KEEPALIVE);
	b.now += 30 * MONO_S;
	event(&b, 0, BGP_EVENT_TCP_DOWN);
	assert_int_equal(b.s.failures, 1);
	/* Without a hold time it has to live for the one we wanted. */
	b.open.hold_s = 0;
	for (unsigned int i = 2; i <= 3; i++) {
		event(&b, 0, BGP_EVENT_IDLE_TIMER);
		event(&b, 0, BGP_EVENT_TCP_UP);
		event(&b, 0, BGP_EVENT_RX_OPEN);
		event(&b, 0, BGP_EVENT_RX_KEEPALIVE);
		b.now += 89 * MONO_S;
		event(&b, 0, BGP_EVENT_TCP_DOWN);
		assert_int_equal(b.s.failures, i);
	}
}

static void
test_unsupported_capabilities(void **state)
{
	struct bench b;
	struct bgp_open ours;

	(void)state;
	bench_init(&b);
	reach(&b, BGP_FSM_STATE_OPEN_SENT);
	assert_true(bgp_session_open(&b.s, b.now).caps.graceful_restart);
	bgp_notification_set(&b.note, BGP_ERR_OPEN, BGP_OPEN_BAD_CAPABILITY,
	    NULL, 0);
	event(&b, 0, BGP_EVENT_RX_NOTIFICATION);
	ours = bgp_session_open(&b.s, b.now);
	assert_false(ours.caps.graceful_restart || ours.caps.route_refresh);
	assert_true(ours.caps.as4);
	event(&b, 0, BGP_EVENT_IDLE_TIMER);
	event(&b, 0, BGP_EVENT_TCP_UP);
	event(&b, 0, BGP_EVENT_RX_NOTIFICATION);
	ours = bgp_session_open(&b.s, b.now);
	assert_false(ours.caps.as4 || ours.caps.has_families);
}

static const struct open_case {
	const char *name;
	struct bgp_open open;
	unsigned int want; /* code * 16 + subcode */
	const char *error;
} open_cases[] = {
	{ "wrong AS", { .my_as = 7, .hold_s = 90, .id = 1 }, 0x22,
	    "sent OPEN Message Error/Bad Peer AS: peer says AS 7, configured "
	    "65000" },
	{ "AS 0", { .my_as = 0, .hold_s = 90, .id = 1 }, 0x22, NULL },
	{ "no id", { .my_as = PEER_AS, .hold_s = 90, .id = 0 }, 0x23, NULL },
	{ "hold 1", { .my_as = PEER_AS, .hold_s = 1, .id = 1 }, 0x26, NULL },
	{ "hold 2", { .my_as = PEER_AS, .hold_s = 2, .id = 1 }, 0x26, NULL },
	{ "no family in common",
	    { .my_as = PEER_AS,
		.hold_s = 90,
		.id = 1,
		.caps = { .has_families = true } },
	    0x27, NULL },
	{ "same id in another AS", /* RFC 6286 */
	    { .my_as = PEER_AS, .hold_s = 90, .id = OUR_ID }, 0, NULL },
	{ "no keepalives", { .my_as = PEER_AS, .hold_s = 0, .id = 1 }, 0,
	    NULL },
};

static void
test_opens(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open_cases); i++) {
		const struct open_case *c = &open_cases[i];
		const struct bgp_do *d;
		struct bench b;

		bench_init(&b);
		reach(&b, BGP_FSM_STATE_OPEN_SENT);
		b.open = c->open;
		event(&b, 0, BGP_EVENT_RX_OPEN);
		d = done(&b, BGP_DO_SEND_NOTIFICATION);
		if ((d ? d->notification.code * 16u + d->notification.sub
		       : 0) != c->want)
			fail_msg("%s", c->name);
		if (c->error)
			assert_string_equal(b.s.last_error, c->error);
		if (!c->want)
			assert_int_equal(b.s.conn[0].state,
			    BGP_FSM_STATE_OPEN_CONFIRM);
		if (!c->open.hold_s)
			assert_int_equal(b.s.conn[0].deadline[BGP_TIMER_HOLD],
			    0);
	}
}

static void
test_timers_and_restart_bit(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.s.conf.restarting_until = b.now + 120 * MONO_S;
	assert_true(bgp_session_open(&b.s, b.now).caps.is_restarting);
	b.now += 121 * MONO_S;
	assert_false(bgp_session_open(&b.s, b.now).caps.is_restarting);
	reach(&b, BGP_FSM_STATE_ESTABLISHED);
	assert_int_equal(b.s.conn[0].hold_s, 30);
	assert_int_equal(b.s.conn[0].deadline[BGP_TIMER_HOLD] - b.now,
	    30 * MONO_S);
	assert_int_equal(b.s.conn[0].deadline[BGP_TIMER_KEEPALIVE] - b.now,
	    10 * MONO_S);
	event(&b, 0, BGP_EVENT_RX_REFRESH);
	assert_int_equal(surely_done(&b, BGP_DO_RESEND)->family, FAMILY_IPV4);
	b.refresh.family = FAMILY_IPV6; /* not agreed */
	event(&b, 0, BGP_EVENT_RX_REFRESH);
	assert_null(done(&b, BGP_DO_RESEND));
}

static void
test_passive(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.s.conf.is_passive = true;
	event(&b, 0, BGP_EVENT_START);
	assert_null(done(&b, BGP_DO_DIAL));
	assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_ACTIVE);
	assert_int_equal(accept_one(&b), BGP_SLOT_ACCEPT);
	event(&b, 1, BGP_EVENT_TCP_UP);
	event(&b, 1, BGP_EVENT_RX_OPEN);
	event(&b, 1, BGP_EVENT_RX_KEEPALIVE);
	assert_int_equal(b.s.conn[1].state, BGP_FSM_STATE_ESTABLISHED);
	event(&b, 1, BGP_EVENT_TCP_DOWN);
	event(&b, 0, BGP_EVENT_IDLE_TIMER);
	assert_int_equal(b.s.conn[0].state, BGP_FSM_STATE_ACTIVE);
	event(&b, 0, BGP_EVENT_STOP);
	assert_int_equal(accept_one(&b), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_collision_truth_table),
		cmocka_unit_test(test_both_ends_agree),
		cmocka_unit_test(test_collision_in_the_session),
		cmocka_unit_test(test_restarted_peer_replaces),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_unsupported_capabilities),
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_timers_and_restart_bit),
		cmocka_unit_test(test_passive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
