/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fsm: one peer's session as a state machine (RFC 4271 section 8).
 *
 * Pure.  A peer has two slots for connections, each with the six states of the
 * RFC; which connection survives when both get far is one function.  Events go
 * in; a list of things to do, in order, comes out.  Timers are deadlines in
 * the slots: the caller waits for the nearest one and says which passed.
 */
#ifndef EIPD_BGP_FSM_H
#define EIPD_BGP_FSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "bgp/caps.h"
#include "bgp/msg.h"
#include "bgp/notify.h"

enum bgp_fsm_state {
	BGP_FSM_STATE_IDLE,
	BGP_FSM_STATE_CONNECT,
	BGP_FSM_STATE_ACTIVE,
	BGP_FSM_STATE_OPEN_SENT,
	BGP_FSM_STATE_OPEN_CONFIRM,
	BGP_FSM_STATE_ESTABLISHED,
	BGP_FSM_STATE__COUNT,
};

enum bgp_timer {
	BGP_TIMER_RETRY, /* ConnectRetryTimer */
	BGP_TIMER_IDLE, /* IdleHoldTimer: back-off after failures */
	BGP_TIMER_HOLD,
	BGP_TIMER_KEEPALIVE,
	BGP_TIMER__COUNT,
};

/* Events 0..3 are the timers of the same number. */
enum bgp_event_kind {
	BGP_EVENT_RETRY_TIMER,
	BGP_EVENT_IDLE_TIMER,
	BGP_EVENT_HOLD_TIMER,
	BGP_EVENT_KEEPALIVE_TIMER,
	BGP_EVENT_START,
	BGP_EVENT_STOP, /* `notification` is the reason that the peer gets */
	BGP_EVENT_TCP_UP,
	BGP_EVENT_TCP_FAILED, /* a dial; `text` says why */
	BGP_EVENT_TCP_DOWN, /* `text` says how */
	BGP_EVENT_RX_OPEN,
	BGP_EVENT_RX_UPDATE,
	BGP_EVENT_RX_KEEPALIVE,
	BGP_EVENT_RX_NOTIFICATION,
	BGP_EVENT_RX_REFRESH,
	BGP_EVENT_RX_ERROR, /* `notification` is the answer */
	BGP_EVENT__COUNT,
};

struct bgp_event {
	enum bgp_event_kind kind;
	mono_t now;
	uint32_t random; /* for jitter */
	const struct bgp_open *open;
	const struct bgp_notification *notification;
	const struct bgp_refresh *refresh;
	const char *text;
};

struct bgp_session_conf {
	uint32_t local_as;
	uint32_t peer_as;
	uint32_t id;
	uint16_t hold_s;
	uint16_t keepalive_s; /* 0: a third of the agreed hold time */
	uint16_t connect_retry_s;
	bool is_passive;
	unsigned int families;
	bool graceful_restart;
	uint16_t restart_s;
	mono_t restarting_until; /* our R bit is set before that moment */
};

enum {
	BGP_SLOTS = 2,
	BGP_SLOT_DIAL = 0,
	BGP_SLOT_ACCEPT = 1
};

struct bgp_conn {
	enum bgp_fsm_state state;
	bool is_incoming;
	mono_t deadline[BGP_TIMER__COUNT]; /* 0: not armed */
	mono_t since; /* of the state */
	uint32_t peer_id; /* 0: no OPEN yet */
	struct bgp_agreed agreed;
	uint16_t hold_s; /* agreed; 0: no keepalives */
	uint16_t keepalive_s;
};

struct bgp_session {
	struct bgp_session_conf conf;
	struct bgp_conn conn[BGP_SLOTS];
	bool is_started;
	unsigned int failures; /* in a row, past the TCP connection */
	unsigned int timeouts; /* dials in a row that nobody answered */
	unsigned int caps_level; /* what we leave out; 0: nothing */
	char last_error[BGP_NOTIFICATION_TEXT_B + 32];
};

enum bgp_do_kind {
	BGP_DO_DIAL,
	BGP_DO_SEND_OPEN, /* bgp_session_open() */
	BGP_DO_SEND_KEEPALIVE,
	BGP_DO_SEND_NOTIFICATION, /* the last thing before CLOSE */
	BGP_DO_CLOSE,
	BGP_DO_UP,
	BGP_DO_DOWN,
	BGP_DO_RESEND, /* family */
	BGP_DO_LOG, /* from, to, cause */
};

struct bgp_do {
	enum bgp_do_kind kind;
	unsigned int slot;
	enum family family;
	enum bgp_fsm_state from, to;
	enum bgp_event_kind cause;
	struct bgp_notification notification;
};

enum {
	BGP_TODO_MAX = 16
};

struct bgp_todo {
	struct bgp_do v[BGP_TODO_MAX];
	size_t n;
};

/* Does what `ev` means for the connection in `slot`.  START and STOP are for
 * the whole session, their slot does not matter. */
void bgp_session_step(struct bgp_session *s, unsigned int slot,
    const struct bgp_event *ev, struct bgp_todo *todo);

/* The slot for a connection that the peer has opened, to be told TCP_UP; what
 * the slot held is given up first.  -1: it is to be closed at once. */
int bgp_session_accept(struct bgp_session *s, const struct bgp_event *ev,
    struct bgp_todo *todo);

/* The OPEN to send at `now`. */
struct bgp_open bgp_session_open(const struct bgp_session *s, mono_t now);

/* The session as one: its most advanced slot. */
unsigned int bgp_session_slot(const struct bgp_session *s);

/* When the next timer passes and which; false: none is armed. */
bool bgp_session_next_timer(const struct bgp_session *s, mono_t *when,
    unsigned int *slot, enum bgp_timer *timer);

/* RFC 4271 6.8, RFC 6286 2.3 and RFC 4724 5. */
enum bgp_collision {
	BGP_COLLISION_NONE,
	BGP_COLLISION_CLOSE_NEW, /* the one that has just got its OPEN */
	BGP_COLLISION_CLOSE_OLD,
	BGP_COLLISION_REPLACE_OLD, /* closed without a word: it restarted */
};

struct bgp_collision_facts {
	enum bgp_fsm_state old_state;
	bool is_new_incoming;
	bool is_old_incoming;
	bool is_old_graceful; /* graceful restart was agreed */
	bool is_old_settled; /* it is no race of two dials any more */
	uint32_t our_id, peer_id;
	uint32_t our_as, peer_as;
};

enum bgp_collision bgp_collision_resolve(const struct bgp_collision_facts *f);

const char *bgp_event_name(enum bgp_event_kind kind);

#endif
