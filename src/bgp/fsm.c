/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/fsm.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bgp/open_check.h"

enum {
	OPEN_HOLD_S = 240, /* RFC 4271 8.2.2: "a large value" */
	BACKOFF_MAX_S = 60,
	/* After so many failures in a row the peer's own dials are refused
	 * while we hold back. */
	REFUSE_AFTER = 3,
	SETTLED_S = 5,
};

/* What a state function works on. */
struct step {
	struct bgp_session *s;
	struct bgp_conn *c;
	unsigned int slot;
	const struct bgp_event *ev;
	struct bgp_todo *todo;
};

static void abandon(struct bgp_session *s, unsigned int slot,
    const struct bgp_event *ev, struct bgp_todo *todo,
    const struct bgp_notification *n);

static struct bgp_do *
add(struct bgp_todo *todo, enum bgp_do_kind kind, unsigned int slot)
{
	struct bgp_do *d;

	assert(todo->n < BGP_TODO_MAX);
	d = &todo->v[todo->n++];
	*d = (struct bgp_do){ .kind = kind, .slot = slot };
	return d;
}

static void
arm(const struct step *x, enum bgp_timer timer, unsigned int seconds)
{
	x->c->deadline[timer] = seconds ? x->ev->now + seconds * MONO_S : 0;
}

/* Between three quarters and all of it (RFC 4271, 10). */
static void
arm_jittered(const struct step *x, enum bgp_timer timer, unsigned int seconds)
{
	int64_t us = seconds * MONO_S;

	if (us)
		us -= us / 4 * (x->ev->random % 1024) / 1024;
	x->c->deadline[timer] = us ? x->ev->now + us : 0;
}

static void
disarm_all(struct bgp_conn *c)
{
	memset(c->deadline, 0, sizeof(c->deadline));
}

static struct bgp_conn *
other(const struct step *x)
{
	return &x->s->conn[1 - x->slot];
}

static bool
is_past_tcp(const struct bgp_conn *c)
{
	return c->state >= BGP_FSM_STATE_OPEN_SENT;
}

static unsigned int
backoff_s(unsigned int failures)
{
	if (failures > 6)
		return BACKOFF_MAX_S;
	return failures ? MIN(1u << (failures - 1), BACKOFF_MAX_S) : 1;
}

static void
set_error(struct bgp_session *s, const char *verb,
    const struct bgp_notification *n, const char *detail)
{
	char text[BGP_NOTIFICATION_TEXT_B];

	bgp_notification_text(n, text);
	snprintf(s->last_error, sizeof(s->last_error), "%s %s%s%s", verb, text,
	    detail[0] ? ": " : "", detail);
}

/* After a connection that got past TCP has gone: wait, longer each time.  A
 * session that lived for one hold time (ours, if none was agreed) has earned a
 * fresh start. */
static void
hold_back(const struct step *x)
{
	struct bgp_conn *dial = &x->s->conn[BGP_SLOT_DIAL];
	uint16_t hold_s = x->c->hold_s ? x->c->hold_s : x->s->conf.hold_s;
	struct step y = *x;

	if (x->c->state == BGP_FSM_STATE_ESTABLISHED &&
	    x->ev->now - x->c->since >= hold_s * MONO_S) {
		x->s->failures = 0;
		x->s->caps_level = 0;
	}
	x->s->failures++;
	y.c = dial;
	if (dial == x->c || dial->state == BGP_FSM_STATE_IDLE)
		arm_jittered(&y, BGP_TIMER_IDLE, backoff_s(x->s->failures));
}

/* The connection goes; `c->state` is still the old one. */
static enum bgp_fsm_state
close_conn(const struct step *x)
{
	disarm_all(x->c);
	if (x->c->state == BGP_FSM_STATE_ESTABLISHED)
		add(x->todo, BGP_DO_DOWN, x->slot);
	add(x->todo, BGP_DO_CLOSE, x->slot);
	return BGP_FSM_STATE_IDLE;
}

static enum bgp_fsm_state
fail(const struct step *x)
{
	enum bgp_fsm_state next = close_conn(x);

	hold_back(x);
	return next;
}

static enum bgp_fsm_state
refuse(const struct step *x, const struct bgp_notification *n,
    const char *detail)
{
	set_error(x->s, "sent", n, detail);
	add(x->todo, BGP_DO_SEND_NOTIFICATION, x->slot)->notification = *n;
	return fail(x);
}

/* RFC 6608 4: the other operator is told which message it was. */
static enum bgp_fsm_state
refuse_message(const struct step *x, uint8_t sub)
{
	static const uint8_t types[BGP_EVENT__COUNT] = {
		[BGP_EVENT_RX_OPEN] = BGP_MSG_OPEN,
		[BGP_EVENT_RX_UPDATE] = BGP_MSG_UPDATE,
		[BGP_EVENT_RX_KEEPALIVE] = BGP_MSG_KEEPALIVE,
		[BGP_EVENT_RX_REFRESH] = BGP_MSG_ROUTE_REFRESH,
	};
	struct bgp_notification n;

	bgp_notification_set(&n, BGP_ERR_FSM, sub, &types[x->ev->kind], 1);
	return refuse(x, &n, bgp_event_name(x->ev->kind));
}

static enum bgp_fsm_state
hold_expired(const struct step *x)
{
	struct bgp_notification n;
	char detail[64];

	bgp_notification_set(&n, BGP_ERR_HOLD, 0, NULL, 0);
	snprintf(detail, sizeof(detail), "nothing heard for %u s",
	    x->c->peer_id ? (unsigned int)x->c->hold_s : OPEN_HOLD_S);
	return refuse(x, &n, detail);
}

static enum bgp_fsm_state
tcp_down(const struct step *x)
{
	snprintf(x->s->last_error, sizeof(x->s->last_error), "%s",
	    x->ev->text ? x->ev->text : "connection lost");
	return fail(x);
}

static enum bgp_fsm_state
stop(const struct step *x)
{
	if (x->ev->notification) {
		set_error(x->s, "sent", x->ev->notification, "");
		add(x->todo, BGP_DO_SEND_NOTIFICATION, x->slot)->notification =
		    *x->ev->notification;
	}
	return close_conn(x);
}

/* RFC 5492 3: a peer that knows no capabilities gets fewer of them. */
static enum bgp_fsm_state
peer_notified(const struct step *x)
{
	const struct bgp_notification *n = x->ev->notification;
	/* Without any, IPv4 is all that can be agreed. */
	unsigned int levels =
	    x->s->conf.families & BGP_FAMILY(FAMILY_IPV4) ? 3 : 2;

	/* To lose a collision is no failure. */
	if (n->code == BGP_ERR_CEASE && n->sub == BGP_CEASE_COLLISION &&
	    is_past_tcp(other(x)))
		return close_conn(x);
	set_error(x->s, "received", n, "");
	if (x->c->state < BGP_FSM_STATE_ESTABLISHED &&
	    n->code == BGP_ERR_OPEN &&
	    (n->sub == BGP_OPEN_BAD_PARAMETER ||
		n->sub == BGP_OPEN_BAD_CAPABILITY))
		x->s->caps_level = (x->s->caps_level + 1) % levels;
	return fail(x);
}

static enum bgp_fsm_state
dial(const struct step *x)
{
	disarm_all(x->c);
	if (x->s->conf.is_passive)
		return BGP_FSM_STATE_ACTIVE;
	arm_jittered(x, BGP_TIMER_RETRY, x->s->conf.connect_retry_s);
	if (is_past_tcp(other(x)))
		return BGP_FSM_STATE_ACTIVE; /* that one may do */
	x->c->is_incoming = false;
	add(x->todo, BGP_DO_DIAL, x->slot);
	return BGP_FSM_STATE_CONNECT;
}

static enum bgp_fsm_state
connected(const struct step *x)
{
	disarm_all(x->c);
	x->c->peer_id = 0;
	x->s->timeouts = 0;
	add(x->todo, BGP_DO_SEND_OPEN, x->slot);
	arm(x, BGP_TIMER_HOLD, OPEN_HOLD_S);
	return BGP_FSM_STATE_OPEN_SENT;
}

static enum bgp_fsm_state
on_idle(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT_START:
		return x->slot == BGP_SLOT_DIAL ? dial(x) : BGP_FSM_STATE_IDLE;
	case BGP_EVENT_TCP_UP:
		return connected(x);
	case BGP_EVENT_STOP:
		disarm_all(x->c);
		return BGP_FSM_STATE_IDLE;
	case BGP_EVENT_RETRY_TIMER:
	case BGP_EVENT_HOLD_TIMER:
	case BGP_EVENT_KEEPALIVE_TIMER:
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
	case BGP_EVENT_RX_OPEN:
	case BGP_EVENT_RX_UPDATE:
	case BGP_EVENT_RX_KEEPALIVE:
	case BGP_EVENT_RX_NOTIFICATION:
	case BGP_EVENT_RX_REFRESH:
	case BGP_EVENT_RX_ERROR:
	case BGP_EVENT__COUNT:
		break;
	}
	return BGP_FSM_STATE_IDLE;
}

static enum bgp_fsm_state
dial_failed(const struct step *x)
{
	snprintf(x->s->last_error, sizeof(x->s->last_error), "%s",
	    x->ev->text ? x->ev->text : "cannot connect");
	add(x->todo, BGP_DO_CLOSE, x->slot);
	disarm_all(x->c);
	arm_jittered(x, BGP_TIMER_RETRY, x->s->conf.connect_retry_s);
	return BGP_FSM_STATE_ACTIVE;
}

static enum bgp_fsm_state
on_connect(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_START:
		return BGP_FSM_STATE_CONNECT;
	case BGP_EVENT_TCP_UP:
		return connected(x);
	case BGP_EVENT_RETRY_TIMER:
		x->s->timeouts++;
		snprintf(x->s->last_error, sizeof(x->s->last_error),
		    "no answer to our TCP connection");
		add(x->todo, BGP_DO_CLOSE, x->slot);
		return dial(x);
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
		return dial_failed(x);
	case BGP_EVENT_STOP:
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT_HOLD_TIMER:
	case BGP_EVENT_KEEPALIVE_TIMER:
	case BGP_EVENT_RX_OPEN:
	case BGP_EVENT_RX_UPDATE:
	case BGP_EVENT_RX_KEEPALIVE:
	case BGP_EVENT_RX_NOTIFICATION:
	case BGP_EVENT_RX_REFRESH:
	case BGP_EVENT_RX_ERROR:
	case BGP_EVENT__COUNT:
		break;
	}
	return close_conn(x);
}

static enum bgp_fsm_state
on_active(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_START:
	case BGP_EVENT_RETRY_TIMER:
		return dial(x);
	case BGP_EVENT_TCP_UP:
		return connected(x);
	case BGP_EVENT_STOP:
		disarm_all(x->c);
		return BGP_FSM_STATE_IDLE;
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT_HOLD_TIMER:
	case BGP_EVENT_KEEPALIVE_TIMER:
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
	case BGP_EVENT_RX_OPEN:
	case BGP_EVENT_RX_UPDATE:
	case BGP_EVENT_RX_KEEPALIVE:
	case BGP_EVENT_RX_NOTIFICATION:
	case BGP_EVENT_RX_REFRESH:
	case BGP_EVENT_RX_ERROR:
	case BGP_EVENT__COUNT:
		break;
	}
	return BGP_FSM_STATE_ACTIVE; /* there is no connection it could mean */
}

/* Both connections know the peer by now.  False: this one has to go. */
static bool
wins_collision(const struct step *x)
{
	const struct bgp_conn *old = other(x);
	const struct bgp_collision_facts facts = {
		.old_state = old->state,
		.is_new_incoming = x->c->is_incoming,
		.is_old_incoming = old->is_incoming,
		.is_old_graceful = old->agreed.graceful_restart,
		.is_old_settled = x->ev->now - old->since >= SETTLED_S * MONO_S,
		.our_id = x->s->conf.id,
		.peer_id = x->c->peer_id,
		.our_as = x->s->conf.local_as,
		.peer_as = x->s->conf.peer_as,
	};
	struct bgp_notification n;

	bgp_notification_cease(&n, BGP_CEASE_COLLISION, NULL);
	switch (bgp_collision_resolve(&facts)) {
	case BGP_COLLISION_NONE:
		break;
	case BGP_COLLISION_CLOSE_NEW:
		add(x->todo, BGP_DO_SEND_NOTIFICATION, x->slot)->notification =
		    n;
		return false;
	case BGP_COLLISION_CLOSE_OLD:
		abandon(x->s, 1 - x->slot, x->ev, x->todo, &n);
		break;
	case BGP_COLLISION_REPLACE_OLD:
		abandon(x->s, 1 - x->slot, x->ev, x->todo, NULL);
		break;
	}
	return true;
}

static enum bgp_fsm_state
got_open(const struct step *x)
{
	struct bgp_open ours = bgp_session_open(x->s, x->ev->now);
	struct bgp_notification err;
	char detail[160];

	if (bgp_open_check(x->s, x->ev->open, &ours, x->c, &err, detail) < 0)
		return refuse(x, &err, detail);
	if (!wins_collision(x))
		return close_conn(x);
	add(x->todo, BGP_DO_SEND_KEEPALIVE, x->slot);
	arm(x, BGP_TIMER_HOLD, x->c->hold_s);
	arm_jittered(x, BGP_TIMER_KEEPALIVE, x->c->keepalive_s);
	return BGP_FSM_STATE_OPEN_CONFIRM;
}

static enum bgp_fsm_state
on_open_sent(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_RX_OPEN:
		return got_open(x);
	case BGP_EVENT_RX_NOTIFICATION:
		return peer_notified(x);
	case BGP_EVENT_RX_ERROR:
		return refuse(x, x->ev->notification, "");
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
		return tcp_down(x);
	case BGP_EVENT_HOLD_TIMER:
		return hold_expired(x);
	case BGP_EVENT_STOP:
		return stop(x);
	case BGP_EVENT_RX_UPDATE:
	case BGP_EVENT_RX_KEEPALIVE:
	case BGP_EVENT_RX_REFRESH:
		return refuse_message(x, BGP_FSM_OPEN_SENT);
	case BGP_EVENT_START:
	case BGP_EVENT_TCP_UP:
	case BGP_EVENT_RETRY_TIMER:
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT_KEEPALIVE_TIMER:
	case BGP_EVENT__COUNT:
		break;
	}
	return BGP_FSM_STATE_OPEN_SENT;
}

static enum bgp_fsm_state
send_keepalive(const struct step *x)
{
	add(x->todo, BGP_DO_SEND_KEEPALIVE, x->slot);
	arm_jittered(x, BGP_TIMER_KEEPALIVE, x->c->keepalive_s);
	return x->c->state;
}

/* A dial of ours that is still under way is not needed any more; one that
 * got further loses when the peer's OPEN comes. */
static enum bgp_fsm_state
established(const struct step *x)
{
	struct bgp_conn *rest = other(x);

	arm(x, BGP_TIMER_HOLD, x->c->hold_s);
	if (!is_past_tcp(rest))
		abandon(x->s, 1 - x->slot, x->ev, x->todo, NULL);
	add(x->todo, BGP_DO_UP, x->slot);
	return BGP_FSM_STATE_ESTABLISHED;
}

static enum bgp_fsm_state
on_open_confirm(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_RX_KEEPALIVE:
		return established(x);
	case BGP_EVENT_KEEPALIVE_TIMER:
		return send_keepalive(x);
	case BGP_EVENT_RX_NOTIFICATION:
		return peer_notified(x);
	case BGP_EVENT_RX_ERROR:
		return refuse(x, x->ev->notification, "");
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
		return tcp_down(x);
	case BGP_EVENT_HOLD_TIMER:
		return hold_expired(x);
	case BGP_EVENT_STOP:
		return stop(x);
	case BGP_EVENT_RX_OPEN:
	case BGP_EVENT_RX_UPDATE:
	case BGP_EVENT_RX_REFRESH:
		return refuse_message(x, BGP_FSM_OPEN_CONFIRM);
	case BGP_EVENT_START:
	case BGP_EVENT_TCP_UP:
	case BGP_EVENT_RETRY_TIMER:
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT__COUNT:
		break;
	}
	return BGP_FSM_STATE_OPEN_CONFIRM;
}

static void
asked_to_resend(const struct step *x)
{
	const struct bgp_refresh *r = x->ev->refresh;

	if (r->kind != BGP_REFRESH_REQUEST || r->family == FAMILY_NONE ||
	    !x->c->agreed.route_refresh ||
	    !(x->c->agreed.families & BGP_FAMILY(r->family)))
		return;
	add(x->todo, BGP_DO_RESEND, x->slot)->family = r->family;
}

static enum bgp_fsm_state
on_established(const struct step *x)
{
	switch (x->ev->kind) {
	case BGP_EVENT_RX_REFRESH:
		asked_to_resend(x);
		arm(x, BGP_TIMER_HOLD, x->c->hold_s);
		return BGP_FSM_STATE_ESTABLISHED;
	case BGP_EVENT_RX_KEEPALIVE:
	case BGP_EVENT_RX_UPDATE:
		arm(x, BGP_TIMER_HOLD, x->c->hold_s);
		return BGP_FSM_STATE_ESTABLISHED;
	case BGP_EVENT_KEEPALIVE_TIMER:
		return send_keepalive(x);
	case BGP_EVENT_RX_NOTIFICATION:
		return peer_notified(x);
	case BGP_EVENT_RX_ERROR:
		return refuse(x, x->ev->notification, "");
	case BGP_EVENT_TCP_FAILED:
	case BGP_EVENT_TCP_DOWN:
		return tcp_down(x);
	case BGP_EVENT_HOLD_TIMER:
		return hold_expired(x);
	case BGP_EVENT_STOP:
		return stop(x);
	case BGP_EVENT_RX_OPEN:
		return refuse_message(x, BGP_FSM_ESTABLISHED);
	case BGP_EVENT_START:
	case BGP_EVENT_TCP_UP:
	case BGP_EVENT_RETRY_TIMER:
	case BGP_EVENT_IDLE_TIMER:
	case BGP_EVENT__COUNT:
		break;
	}
	return BGP_FSM_STATE_ESTABLISHED;
}

static enum bgp_fsm_state (*const state_fn[])(const struct step *x) = {
	[BGP_FSM_STATE_IDLE] = on_idle,
	[BGP_FSM_STATE_CONNECT] = on_connect,
	[BGP_FSM_STATE_ACTIVE] = on_active,
	[BGP_FSM_STATE_OPEN_SENT] = on_open_sent,
	[BGP_FSM_STATE_OPEN_CONFIRM] = on_open_confirm,
	[BGP_FSM_STATE_ESTABLISHED] = on_established,
};

_Static_assert(ARRAY_LEN(state_fn) == BGP_FSM_STATE__COUNT, "one each");

/* The only writer of a state. */
static void
enter(const struct step *x, enum bgp_fsm_state next)
{
	struct bgp_do *d;

	if (next == x->c->state)
		return;
	d = add(x->todo, BGP_DO_LOG, x->slot);
	d->from = x->c->state;
	d->to = next;
	d->cause = x->ev->kind;
	x->c->state = next;
	x->c->since = x->ev->now;
}

/* Gives up a connection for the sake of another one. */
static void
abandon(struct bgp_session *s, unsigned int slot, const struct bgp_event *ev,
    struct bgp_todo *todo, const struct bgp_notification *n)
{
	const struct step x = { .s = s,
		.c = &s->conn[slot],
		.slot = slot,
		.ev = ev,
		.todo = todo };

	if (n && is_past_tcp(x.c))
		add(todo, BGP_DO_SEND_NOTIFICATION, slot)->notification = *n;
	enter(&x, close_conn(&x));
}

/* Whatever happened: a session that wants to be up never sleeps for good. */
static void
keep_trying(struct bgp_session *s, const struct bgp_event *ev,
    struct bgp_todo *todo)
{
	struct step x = { .s = s,
		.c = &s->conn[BGP_SLOT_DIAL],
		.slot = BGP_SLOT_DIAL,
		.ev = ev,
		.todo = todo };

	if (!s->is_started || x.c->state != BGP_FSM_STATE_IDLE ||
	    x.c->deadline[BGP_TIMER_IDLE] || is_past_tcp(other(&x)))
		return;
	arm_jittered(&x, BGP_TIMER_IDLE, backoff_s(s->failures));
}

void
bgp_session_step(struct bgp_session *s, unsigned int slot,
    const struct bgp_event *ev, struct bgp_todo *todo)
{
	bool is_for_all =
	    ev->kind == BGP_EVENT_START || ev->kind == BGP_EVENT_STOP;

	if (is_for_all)
		s->is_started = ev->kind == BGP_EVENT_START;
	if (ev->kind == BGP_EVENT_STOP) {
		s->failures = 0;
		s->caps_level = 0;
	}
	if (ev->kind < (int)BGP_TIMER__COUNT)
		s->conn[slot].deadline[ev->kind] = 0;
	for (unsigned int i = 0; i < BGP_SLOTS; i++) {
		const struct step x = { .s = s,
			.c = &s->conn[i],
			.slot = i,
			.ev = ev,
			.todo = todo };

		if (is_for_all || i == slot)
			enter(&x, state_fn[x.c->state](&x));
	}
	keep_trying(s, ev, todo);
}

int
bgp_session_accept(struct bgp_session *s, const struct bgp_event *ev,
    struct bgp_todo *todo)
{
	const struct bgp_conn *dial_conn = &s->conn[BGP_SLOT_DIAL];
	unsigned int slot = BGP_SLOT_ACCEPT;
	struct bgp_notification n;

	if (!s->is_started)
		return -1;
	if (dial_conn->deadline[BGP_TIMER_IDLE] && s->failures > REFUSE_AFTER)
		return -1;
	if (s->conn[slot].state == BGP_FSM_STATE_ESTABLISHED)
		slot = BGP_SLOT_DIAL;
	bgp_notification_cease(&n, BGP_CEASE_COLLISION, NULL);
	if (s->conn[slot].state != BGP_FSM_STATE_IDLE)
		abandon(s, slot, ev, todo, &n);
	s->conn[slot].is_incoming = true;
	return (int)slot;
}
