/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_bgp: octets of a hostile peer through the stream decoder into a session,
 * with timers, lost connections and second connections in between.
 *
 * Input: records of one octet of command, one of length and that many octets
 * of the stream.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bgp/fsm.h"
#include "bgp/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

struct fuzz {
	struct bgp_session s;
	struct bgp_stream *rx[BGP_SLOTS];
	bool is_open[BGP_SLOTS]; /* as the to-do lists say */
	bool is_up;
	mono_t now;
};

static void
carry_out(struct fuzz *f, const struct bgp_todo *todo)
{
	uint8_t buf[BGP_MSG_MAX_B];
	char text[BGP_NOTIFICATION_TEXT_B];

	for (size_t i = 0; i < todo->n; i++) {
		const struct bgp_do *d = &todo->v[i];
		struct wire_writer w = wire_writer(buf, sizeof(buf));
		struct bgp_open open;

		assert(d->slot < BGP_SLOTS);
		switch (d->kind) {
		case BGP_DO_SEND_OPEN:
			open = bgp_session_open(&f->s, f->now);
			bgp_open_encode(&w, &open);
			break;
		case BGP_DO_SEND_NOTIFICATION:
			bgp_notification_encode(&w, &d->notification);
			bgp_notification_text(&d->notification, text);
			break;
		case BGP_DO_CLOSE:
			f->is_open[d->slot] = false;
			break;
		case BGP_DO_UP:
			assert(!f->is_up);
			f->is_up = true;
			break;
		case BGP_DO_DOWN:
			assert(f->is_up);
			f->is_up = false;
			break;
		case BGP_DO_DIAL:
		case BGP_DO_SEND_KEEPALIVE:
		case BGP_DO_RESEND:
		case BGP_DO_LOG:
			break;
		}
		assert(!w.failed);
	}
}

static void
step(struct fuzz *f, unsigned int slot, struct bgp_event *ev)
{
	struct bgp_todo todo = { 0 };

	ev->now = f->now;
	ev->random = (uint32_t)f->now;
	bgp_session_step(&f->s, slot, ev, &todo);
	carry_out(f, &todo);
	assert(f->is_up ==
	    (f->s.conn[0].state == BGP_FSM_STATE_ESTABLISHED ||
		f->s.conn[1].state == BGP_FSM_STATE_ESTABLISHED));
	for (unsigned int i = 0; i < BGP_SLOTS; i++)
		if (f->is_open[i])
			assert(f->s.conn[i].state >= BGP_FSM_STATE_CONNECT);
}

static void
open_stream(struct fuzz *f, unsigned int slot)
{
	f->is_open[slot] = true;
	memset(f->rx[slot], 0, sizeof(*f->rx[slot]));
}

static void
accept_one(struct fuzz *f)
{
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_UP, .now = f->now };
	struct bgp_todo todo = { 0 };
	int slot = bgp_session_accept(&f->s, &ev, &todo);

	carry_out(f, &todo);
	if (slot < 0)
		return;
	open_stream(f, (unsigned int)slot);
	step(f, (unsigned int)slot, &ev);
}

static void
dialled(struct fuzz *f)
{
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_UP };

	if (f->s.conn[BGP_SLOT_DIAL].state != BGP_FSM_STATE_CONNECT)
		return;
	open_stream(f, BGP_SLOT_DIAL);
	step(f, BGP_SLOT_DIAL, &ev);
}

static void
wait_for_timer(struct fuzz *f)
{
	enum bgp_timer timer;
	unsigned int slot;
	struct bgp_event ev = { 0 };
	mono_t when;

	if (!bgp_session_next_timer(&f->s, &when, &slot, &timer))
		return;
	f->now = when > f->now ? when : f->now;
	ev.kind = (enum bgp_event_kind)timer;
	step(f, slot, &ev);
	assert(f->s.conn[slot].deadline[timer] != when);
}

static void
receive(struct fuzz *f, unsigned int slot, const uint8_t *data, size_t n)
{
	static const enum bgp_event_kind kinds[] = { BGP_EVENT_RX_OPEN,
		BGP_EVENT_RX_UPDATE, BGP_EVENT_RX_NOTIFICATION,
		BGP_EVENT_RX_KEEPALIVE, BGP_EVENT_RX_REFRESH,
		BGP_EVENT_RX_ERROR };
	struct bgp_rx rx;
	size_t room;
	uint8_t *p;

	if (!f->is_open[slot])
		return;
	p = bgp_stream_room(f->rx[slot], &room);
	assert(room >= n);
	memcpy(p, data, n);
	bgp_stream_add(f->rx[slot], n);
	while (f->is_open[slot] && bgp_stream_next(f->rx[slot], &rx)) {
		struct bgp_event ev = { .kind = kinds[rx.kind],
			.open = &rx.open,
			.notification = &rx.notification,
			.refresh = &rx.refresh };

		step(f, slot, &ev);
		if (rx.kind == BGP_RX_ERROR)
			assert(!f->is_open[slot]);
	}
}

static void
command(struct fuzz *f, uint8_t code, const uint8_t *data, size_t n)
{
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_DOWN };
	unsigned int slot = code >> 7;

	switch (code & 7) {
	case 0:
		dialled(f);
		break;
	case 1:
		accept_one(f);
		break;
	case 2:
		wait_for_timer(f);
		break;
	case 3:
		if (f->is_open[slot])
			step(f, slot, &ev);
		break;
	default:
		break;
	}
	receive(f, slot, data, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct bgp_event ev = { .kind = BGP_EVENT_START };
	struct fuzz f = { .now = MONO_S };

	f.s.conf = (struct bgp_session_conf){ .local_as = 65001,
		.peer_as = 65000,
		.id = 10,
		.hold_s = 90,
		.connect_retry_s = 5,
		.families = BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6),
		.graceful_restart = true,
		.restart_s = 120 };
	for (unsigned int i = 0; i < BGP_SLOTS; i++)
		f.rx[i] = mem_new(struct bgp_stream);
	step(&f, BGP_SLOT_DIAL, &ev);
	while (size_b >= 2) {
		size_t n = data[1];

		if (n > size_b - 2)
			n = size_b - 2;
		command(&f, data[0], data + 2, n);
		data += n + 2;
		size_b -= n + 2;
	}
	for (unsigned int i = 0; i < BGP_SLOTS; i++)
		free(f.rx[i]);
	return 0;
}
