/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_conn: one TCP connection of a peer: octets to messages to
 * events, and messages to octets.
 */
#include "apply/bgp_speaker_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/loop.h"

enum {
	TURN_B = 256 * 1024, /* sent to one peer before others have a turn */
	LINGER_US = 2 * MONO_S,
};

struct sock_peer
speaker_conn_sock(const struct speaker_peer *p)
{
	return (struct sock_peer){
		.addr = p->conf.address,
		.port = p->conf.remote_port,
		.local = p->conf.local_address,
		.interface = p->conf.interface,
		.password = p->conf.password,
		.ttl = p->conf.ttl,
		.min_ttl = p->conf.min_ttl,
	};
}

static void
watch(struct speaker_conn *c)
{
	size_t n;

	if (c->is_connecting) {
		loop_fd_want(c->lfd, LOOP_WRITE);
		return;
	}
	bgp_sendq_get(c->tx, &n);
	loop_fd_want(c->lfd, n ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void
on_dialled(struct speaker_conn *c)
{
	char text[SPEAKER_MESSAGE_B];
	char addr[ADDR_TEXT_B];
	int rc = sock_dial_result(c->fd);
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_UP };

	c->is_connecting = false;
	if (rc < 0) {
		snprintf(text, sizeof(text), "cannot connect to %s port %u: %s",
		    addr_text(&c->peer->conf.address, addr),
		    c->peer->conf.remote_port, strerror(-rc));
		ev.kind = BGP_EVENT_TCP_FAILED;
		ev.text = text;
	} else {
		c->local = sock_local_addr(c->fd);
		watch(c);
	}
	speaker_peer_event(c->peer, c->slot, &ev);
}

static void
on_ready(void *arg, unsigned int ready)
{
	struct speaker_conn *c = arg;
	unsigned int serial = c->serial;

	if (c->is_connecting) {
		on_dialled(c);
		return;
	}
	if (ready & LOOP_READ)
		speaker_conn_read(c);
	if (ready & LOOP_WRITE && c->serial == serial && c->fd >= 0)
		speaker_conn_flush(c);
}

void
speaker_conn_open(struct speaker_conn *c, int fd, bool is_connecting)
{
	c->serial++;
	c->fd = fd;
	c->is_connecting = is_connecting;
	c->is_notified = false;
	c->local = (struct addr){ 0 };
	if (!is_connecting)
		c->local = sock_local_addr(fd);
	c->rx = mem_new(struct bgp_stream);
	c->tx = mem_new(struct bgp_sendq);
	c->lfd = loop_fd_new(c->peer->speaker->loop, fd, on_ready, c);
	watch(c);
}

static void
on_linger(void *arg, unsigned int ready)
{
	struct speaker_linger *l = arg;
	char sink[4096];
	int n = sock_read(l->fd, sink, sizeof(sink));

	(void)ready;
	if (n > 0 || n == -EAGAIN)
		return;
	loop_fd_want(l->lfd, 0);
	l->until = 0; /* reaped by the turn's end */
	bgp_speaker_schedule(l->speaker);
}

static void
linger(struct bgp_speaker *sp, int fd)
{
	struct speaker_linger *l;

	sock_shutdown(fd);
	if (sp->lingers.n >= SPEAKER_LINGER_MAX) {
		sock_close(fd);
		return;
	}
	l = mem_new(struct speaker_linger);
	l->speaker = sp;
	l->fd = fd;
	l->until = loop_now(sp->loop) + LINGER_US;
	l->lfd = loop_fd_new(sp->loop, fd, on_linger, l);
	loop_fd_want(l->lfd, LOOP_READ);
	vec_push(&sp->lingers, l);
	loop_timer_arm(sp->linger_timer, LINGER_US);
}

/* Takes out what is left, for the reason that lingering has. */
static void
linger_free(struct speaker_linger *l)
{
	char sink[4096];

	for (unsigned int i = 0; i < 16; i++)
		if (sock_read(l->fd, sink, sizeof(sink)) <= 0)
			break;
	loop_fd_free(l->lfd);
	sock_close(l->fd);
	free(l);
}

/* Runs as a timer and at the end of a turn, never inside on_linger(). */
void
speaker_linger_on_timer(void *arg)
{
	struct bgp_speaker *sp = arg;
	mono_t now = loop_now(sp->loop);
	size_t kept = 0;

	for (size_t i = 0; i < sp->lingers.n; i++) {
		struct speaker_linger *l = sp->lingers.v[i];

		if (l->until > now)
			sp->lingers.v[kept++] = l;
		else
			linger_free(l);
	}
	sp->lingers.n = kept;
	if (kept)
		loop_timer_arm(sp->linger_timer, LINGER_US);
}

void
speaker_linger_free_all(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->lingers.n; i++)
		linger_free(sp->lingers.v[i]);
	vec_fini(&sp->lingers);
}

void
speaker_conn_close(struct speaker_conn *c)
{
	struct bgp_speaker *sp = c->peer->speaker;

	if (c->fd < 0)
		return;
	loop_fd_want(c->lfd, 0);
	vec_push(&sp->dead_fds, c->lfd);
	bgp_speaker_schedule(sp);
	if (c->is_notified)
		linger(sp, c->fd);
	else
		sock_close(c->fd);
	c->serial++;
	c->fd = -1;
	c->lfd = NULL;
	c->is_connecting = false;
	free(c->rx);
	free(c->tx);
	c->rx = NULL;
	c->tx = NULL;
}

/* Takes the next UPDATEs when the queue has run low; false: none. */
static bool
refill(struct speaker_conn *c)
{
	struct bgp_out *out = c->peer->out;
	uint8_t *buf;
	size_t room;
	size_t n;

	if (!out || c->is_notified ||
	    c->peer->session.conn[c->slot].state != BGP_FSM_STATE_ESTABLISHED)
		return false;
	buf = bgp_sendq_room(c->tx, &room);
	n = bgp_out_fill(out, buf, room);
	bgp_sendq_add(c->tx, n);
	return n > 0;
}

/* A failure to write is not looked at: reading tells it as well, after what
 * the peer may still have said. */
void
speaker_conn_flush(struct speaker_conn *c)
{
	size_t sent = 0;

	if (c->fd < 0 || c->is_connecting)
		return;
	while (sent < TURN_B) {
		size_t n;
		const uint8_t *p = bgp_sendq_get(c->tx, &n);
		int put;

		if (!n) {
			if (!refill(c))
				break;
			continue;
		}
		put = sock_write(c->fd, p, n);
		if (put == -EAGAIN)
			break;
		if (put < 0)
			put = (int)n;
		bgp_sendq_sent(c->tx, (size_t)put);
		sent += (size_t)put;
	}
	if (sent >= TURN_B)
		refill(c); /* something to wait for */
	watch(c);
}

void
speaker_conn_send(struct speaker_conn *c, const void *msg, size_t n,
    bool is_last)
{
	if (c->fd < 0)
		return;
	if (is_last)
		bgp_sendq_last(c->tx, msg, n);
	else
		bgp_sendq_urgent(c->tx, msg, n);
	c->is_notified |= is_last;
	speaker_conn_flush(c);
}

static void
take_messages(struct speaker_conn *c)
{
	unsigned int serial = c->serial;
	struct bgp_rx rx;

	while (c->serial == serial && bgp_stream_next(c->rx, &rx))
		speaker_peer_received(c->peer, c->slot, &rx);
}

void
speaker_conn_read(struct speaker_conn *c)
{
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_DOWN };
	char text[SPEAKER_MESSAGE_B];
	uint8_t *buf;
	size_t room;
	int n;

	if (c->fd < 0 || c->is_connecting)
		return;
	buf = bgp_stream_room(c->rx, &room);
	n = sock_read(c->fd, buf, room);
	if (n == -EAGAIN)
		return;
	if (n > 0) {
		bgp_stream_add(c->rx, (size_t)n);
		take_messages(c);
		return;
	}
	if (n == 0)
		snprintf(text, sizeof(text),
		    "the peer closed the connection "
		    "without a reason");
	else
		snprintf(text, sizeof(text), "connection lost: %s",
		    strerror(-n));
	ev.text = text;
	speaker_peer_event(c->peer, c->slot, &ev);
}
