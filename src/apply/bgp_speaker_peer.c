/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_peer: carries out what a peer's session decides.
 */
#include "apply/bgp_speaker_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"

/* The model shows these states under the same numbers. */
_Static_assert((int)BGP_STATE_ESTABLISHED == (int)BGP_FSM_STATE_ESTABLISHED,
    "same order");
_Static_assert((int)BGP_STATE__COUNT == (int)BGP_FSM_STATE__COUNT,
    "same states");

enum {
	TIMERS_MAX = 8,
	PASSWORD_RETRY_US = MONO_S
};

static void
send_message(struct speaker_conn *c, const struct bgp_do *d)
{
	uint8_t buf[BGP_MSG_MAX_B];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct speaker_peer *p = c->peer;
	bool is_last = d->kind == BGP_DO_SEND_NOTIFICATION;

	if (d->kind == BGP_DO_SEND_OPEN) {
		struct bgp_open open =
		    bgp_session_open(&p->session, loop_now(p->speaker->loop));

		bgp_open_encode(&w, &open);
	} else if (is_last) {
		bgp_notification_encode(&w, &d->notification);
		p->notifications_out++;
	} else {
		bgp_keepalive_encode(&w);
	}
	speaker_conn_send(c, buf, w.n, is_last);
}

static struct addr
next_hop(const struct speaker_peer *p, const struct addr *local,
    enum family family)
{
	struct addr found = { 0 };

	/* 169.254.0.0/16 is what some number such links with. */
	if (local->family == family &&
	    (family == FAMILY_IPV4 || !addr_is_link_local(local)))
		return *local;
	if (family == FAMILY_IPV6 && addr_is_set(&p->conf.next_hop_ipv6))
		return p->conf.next_hop_ipv6;
	sock_addr_beside(local, family, &found);
	return found;
}

/* An address may come to the interface later. */
static void
update_next_hops(struct speaker_peer *p)
{
	unsigned int slot = bgp_session_slot(&p->session);
	unsigned int families;

	if (!p->out)
		return;
	families = bgp_out_export(p->out)->families;
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		struct addr hop = next_hop(p, &p->conn[slot].local, f);

		if (families & BGP_FAMILY(f) && addr_is_set(&hop))
			bgp_out_set_next_hop(p->out, f, &hop);
	}
	bgp_speaker_schedule(p->speaker);
}

static bool
lacks_next_hop(const struct speaker_peer *p)
{
	const struct bgp_export *export = bgp_out_export(p->out);

	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++)
		if (export->families & BGP_FAMILY(f) &&
		    !addr_is_set(&export->next_hop[f]))
			return true;
	return false;
}

static void
session_up(struct speaker_peer *p, unsigned int slot)
{
	const struct bgp_agreed *agreed = &p->session.conn[slot].agreed;
	struct bgp_export export = {
		.local_as = p->conf.local_as,
		.is_ibgp = p->conf.local_as == p->conf.peer_as,
		.as4 = agreed->as4,
		.enhanced_refresh = agreed->enhanced_refresh,
		.families = agreed->families,
	};

	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++)
		if (agreed->families & BGP_FAMILY(f))
			export.next_hop[f] =
			    next_hop(p, &p->conn[slot].local, f);
	p->logged[0] = '\0';
	p->out = bgp_out_new(p->speaker->rib, &export);
	if (!p->out)
		log_err("bgp peer %s: more than %d sessions, it gets no routes",
		    p->name, (int)BGP_RIB_PEERS_MAX);
	bgp_speaker_schedule(p->speaker);
}

static void
session_down(struct speaker_peer *p)
{
	if (!p->out)
		return;
	p->updates_out += bgp_out_updates(p->out);
	bgp_out_free(p->out);
	p->out = NULL;
}

/* A new password is for the listeners, too. */
static bool
reread_password(struct speaker_peer *p)
{
	char *password = NULL;

	if (!p->conf.password_file)
		return true;
	if (!speaker_password_read(p->conf.password_file, &password,
		p->dial_error))
		return false;
	if (!str_eq(password, p->conf.password)) {
		log_notice("bgp peer %s: password file has changed", p->name);
		speaker_listen_password(p->speaker, &p->conf.address, NULL);
		speaker_listen_password(p->speaker, &p->conf.address, password);
		free(p->conf.password);
		p->conf.password = password;
		return true;
	}
	explicit_bzero(password, strlen(password));
	free(password);
	return true;
}

/* Who dials reads it then; who waits for the peer has to look now and then:
 * with the old one the kernel drops what the peer sends, without a word. */
static bool
awaits_new_password(const struct speaker_peer *p)
{
	return p->conf.is_passive && p->conf.password_file &&
	    p->session.is_started && p->shown == BGP_FSM_STATE_ACTIVE;
}

static void
dial(struct speaker_peer *p, unsigned int slot)
{
	struct err err = { 0 };
	struct sock_peer to;
	int fd;

	if (!reread_password(p))
		return;
	to = speaker_conn_sock(p);
	fd = sock_dial(&to, &err);
	if (fd < 0) {
		snprintf(p->dial_error, sizeof(p->dial_error), "%.*s",
		    (int)sizeof(p->dial_error) - 1, err.text);
		return;
	}
	speaker_conn_open(&p->conn[slot], fd, true);
}

/* Dials that go on and on are not worth a line each; why they fail is. */
static void
log_change(struct speaker_peer *p, const struct bgp_do *d)
{
	enum log_level level =
	    d->from <= BGP_FSM_STATE_ACTIVE && d->to <= BGP_FSM_STATE_ACTIVE
	    ? LOG_LEVEL_DEBUG
	    : LOG_LEVEL_NOTICE;

	log_line(level, "bgp peer %s: %s -> %s cause=\"%s\" opened-by=%s",
	    p->name, bgp_state_name((enum bgp_state)d->from),
	    bgp_state_name((enum bgp_state)d->to), bgp_event_name(d->cause),
	    p->session.conn[d->slot].is_incoming ? "peer" : "us");
}

static void
carry_out(struct speaker_peer *p, const struct bgp_do *d)
{
	struct speaker_conn *c = &p->conn[d->slot];

	switch (d->kind) {
	case BGP_DO_DIAL:
		dial(p, d->slot);
		break;
	case BGP_DO_SEND_KEEPALIVE:
		if (p->out && lacks_next_hop(p))
			update_next_hops(p);
		send_message(c, d);
		break;
	case BGP_DO_SEND_OPEN:
	case BGP_DO_SEND_NOTIFICATION:
		send_message(c, d);
		break;
	case BGP_DO_CLOSE:
		speaker_conn_close(c);
		break;
	case BGP_DO_UP:
		session_up(p, d->slot);
		break;
	case BGP_DO_DOWN:
		session_down(p);
		break;
	case BGP_DO_RESEND:
		if (p->out)
			bgp_out_refresh(p->out, d->family);
		bgp_speaker_schedule(p->speaker);
		break;
	case BGP_DO_LOG:
		log_change(p, d);
		break;
	}
}

static void
arm_timer(struct speaker_peer *p)
{
	mono_t now = loop_now(p->speaker->loop);
	enum bgp_timer timer;
	unsigned int slot;
	mono_t when;

	if (p->conf.awaits_password || awaits_new_password(p))
		loop_timer_arm(p->timer, PASSWORD_RETRY_US);
	else if (!bgp_session_next_timer(&p->session, &when, &slot, &timer))
		loop_timer_disarm(p->timer);
	else
		loop_timer_arm(p->timer, when > now ? when - now : 0);
}

static void
note_change(struct speaker_peer *p)
{
	unsigned int slot = bgp_session_slot(&p->session);
	enum bgp_fsm_state state = p->session.conn[slot].state;
	const char *error = p->session.last_error;

	if (state != p->shown) {
		p->shown = state;
		p->since = loop_now(p->speaker->loop);
		p->since_wall = clock_wall();
		p->has_news = true;
		bgp_speaker_schedule(p->speaker);
	}
	if (error[0] && state != BGP_FSM_STATE_ESTABLISHED &&
	    strncmp(p->logged, error, sizeof(p->logged) - 1) != 0) {
		snprintf(p->logged, sizeof(p->logged), "%.*s",
		    (int)sizeof(p->logged) - 1, error);
		log_warn("bgp peer %s: %s", p->name, error);
		p->has_news = true;
		bgp_speaker_schedule(p->speaker);
	}
	speaker_peer_refresh_message(p);
}

static void
run(struct speaker_peer *p, const struct bgp_todo *todo)
{
	for (size_t i = 0; i < todo->n; i++)
		carry_out(p, &todo->v[i]);
}

/* A dial that fails at once is told after the list is done, not inside. */
void
speaker_peer_event(struct speaker_peer *p, unsigned int slot,
    struct bgp_event *ev)
{
	char text[SPEAKER_MESSAGE_B];
	struct bgp_todo todo = { 0 };

	ev->now = loop_now(p->speaker->loop);
	ev->random = clock_random();
	bgp_session_step(&p->session, slot, ev, &todo);
	run(p, &todo);
	if (p->dial_error[0]) {
		struct bgp_event failed = { .kind = BGP_EVENT_TCP_FAILED,
			.now = ev->now,
			.random = ev->random,
			.text = text };

		memcpy(text, p->dial_error, sizeof(text));
		p->dial_error[0] = '\0';
		todo.n = 0;
		bgp_session_step(&p->session, BGP_SLOT_DIAL, &failed, &todo);
		run(p, &todo);
	}
	note_change(p);
	arm_timer(p);
}

void
speaker_peer_received(struct speaker_peer *p, unsigned int slot,
    const struct bgp_rx *rx)
{
	static const enum bgp_event_kind kinds[] = {
		[BGP_RX_OPEN] = BGP_EVENT_RX_OPEN,
		[BGP_RX_UPDATE] = BGP_EVENT_RX_UPDATE,
		[BGP_RX_NOTIFICATION] = BGP_EVENT_RX_NOTIFICATION,
		[BGP_RX_KEEPALIVE] = BGP_EVENT_RX_KEEPALIVE,
		[BGP_RX_REFRESH] = BGP_EVENT_RX_REFRESH,
		[BGP_RX_ERROR] = BGP_EVENT_RX_ERROR,
	};
	struct bgp_event ev = { .kind = kinds[rx->kind],
		.open = &rx->open,
		.notification = &rx->notification,
		.refresh = &rx->refresh };

	p->updates_in += rx->kind == BGP_RX_UPDATE;
	p->notifications_in += rx->kind == BGP_RX_NOTIFICATION;
	if (rx->kind == BGP_RX_UPDATE && rx->update.verdict == BGP_UPDATE_ODD)
		log_info("bgp peer %s: malformed UPDATE, its routes do not "
			 "count (RFC 7606)",
		    p->name);
	speaker_peer_event(p, slot, &ev);
}

void
speaker_peer_accept(struct speaker_peer *p, int fd)
{
	struct bgp_event ev = { .kind = BGP_EVENT_TCP_UP,
		.now = loop_now(p->speaker->loop),
		.random = clock_random() };
	struct sock_peer from = speaker_conn_sock(p);
	struct bgp_todo todo = { 0 };
	struct err err = { 0 };
	int slot;

	if (sock_tune(fd, &from, &err) < 0) {
		log_err("bgp peer %s: %s", p->name, err.text);
		sock_close(fd);
		return;
	}
	slot = bgp_session_accept(&p->session, &ev, &todo);
	run(p, &todo);
	if (slot < 0) {
		sock_close(fd);
		return;
	}
	speaker_conn_open(&p->conn[slot], fd, false);
	speaker_peer_event(p, (unsigned int)slot, &ev);
}

static void
set_blocked(struct speaker_peer *p, const char *why)
{
	if (strcmp(p->blocked, why) == 0)
		return;
	if (why[0])
		log_err("bgp peer %s: %s", p->name, why);
	snprintf(p->blocked, sizeof(p->blocked), "%s", why);
	p->has_news = true;
	bgp_speaker_schedule(p->speaker);
}

static void
retry_password(struct speaker_peer *p)
{
	char why[SPEAKER_MESSAGE_B] = "";

	p->conf.awaits_password = !speaker_password_read(p->conf.password_file,
	    &p->conf.password, why);
	set_blocked(p, why);
	speaker_peer_start(p);
}

static void
look_for_password(struct speaker_peer *p)
{
	if (!reread_password(p))
		snprintf(p->session.last_error, sizeof(p->session.last_error),
		    "%s", p->dial_error);
	p->dial_error[0] = '\0';
	note_change(p);
}

/* The hold timer is judged after the socket was read: what the peer said may
 * have waited there while we were busy. */
static void
on_timer(void *arg)
{
	struct speaker_peer *p = arg;

	if (p->conf.awaits_password)
		retry_password(p);
	else if (awaits_new_password(p))
		look_for_password(p);
	for (unsigned int i = 0; i < TIMERS_MAX; i++) {
		struct bgp_event ev = { 0 };
		enum bgp_timer timer;
		unsigned int slot;
		mono_t when;

		if (!bgp_session_next_timer(&p->session, &when, &slot,
			&timer) ||
		    when > loop_now(p->speaker->loop))
			break;
		if (timer == BGP_TIMER_HOLD) {
			speaker_conn_read(&p->conn[slot]);
			if (p->session.conn[slot].deadline[timer] != when)
				continue;
		}
		ev.kind = (enum bgp_event_kind)timer;
		speaker_peer_event(p, slot, &ev);
	}
	arm_timer(p);
}

struct speaker_peer *
speaker_peer_new(struct bgp_speaker *sp, const char *name)
{
	struct speaker_peer *p = mem_new(struct speaker_peer);

	p->speaker = sp;
	p->name = mem_strdup(name);
	p->since = loop_now(sp->loop);
	p->since_wall = clock_wall();
	p->has_news = true;
	p->timer = loop_timer_new(sp->loop, on_timer, p);
	for (unsigned int i = 0; i < BGP_SLOTS; i++) {
		p->conn[i].peer = p;
		p->conn[i].slot = i;
		p->conn[i].fd = -1;
	}
	return p;
}

void
speaker_peer_free(struct speaker_peer *p)
{
	speaker_peer_drop(p);
	loop_timer_free(p->timer);
	speaker_peer_conf_fini(&p->conf);
	free(p->name);
	free(p);
}

bool
speaker_peer_is_running(const struct speaker_peer *p)
{
	return p->session.is_started;
}

static void
fill_session_conf(struct speaker_peer *p)
{
	const struct speaker_peer_conf *conf = &p->conf;
	struct wire_reader id = wire_reader(conf->router_id.b, 4);

	p->session.conf = (struct bgp_session_conf){
		.local_as = conf->local_as,
		.peer_as = conf->peer_as,
		.id = wire_get_u32(&id),
		.hold_s = conf->hold_s,
		.keepalive_s = conf->keepalive_s,
		.connect_retry_s = conf->connect_retry_s,
		.is_passive = conf->is_passive,
		.families = conf->families,
		.graceful_restart = conf->graceful_restart,
		.restart_s = conf->restart_s,
		.restarting_until = p->speaker->born + conf->restart_s * MONO_S,
	};
}

void
speaker_peer_start(struct speaker_peer *p)
{
	struct bgp_event ev = { .kind = BGP_EVENT_START };

	if (!p->speaker->is_started || p->session.is_started || p->blocked[0] ||
	    p->conf.is_admin_down || p->conf.is_cni)
		return;
	fill_session_conf(p);
	if (p->conf.password)
		speaker_listen_password(p->speaker, &p->conf.address,
		    p->conf.password);
	speaker_peer_event(p, BGP_SLOT_DIAL, &ev);
}

static void
stop(struct speaker_peer *p, const struct bgp_notification *n)
{
	struct bgp_event ev = { .kind = BGP_EVENT_STOP, .notification = n };

	if (!p->session.is_started)
		return;
	if (p->conf.password)
		speaker_listen_password(p->speaker, &p->conf.address, NULL);
	speaker_peer_event(p, BGP_SLOT_DIAL, &ev);
}

void
speaker_peer_stop(struct speaker_peer *p, enum bgp_cease why, const char *text)
{
	struct bgp_notification n;

	bgp_notification_cease(&n, why, text);
	stop(p, &n);
}

void
speaker_peer_drop(struct speaker_peer *p)
{
	stop(p, NULL);
}

static bool
can_run(const struct speaker_peer_conf *conf, const char *blocked)
{
	return !blocked[0] && !conf->is_admin_down && !conf->is_cni;
}

/* A session does not end because its password's file is gone for a while. */
static bool
keep_password(struct speaker_peer *p, struct speaker_peer_conf *conf,
    const char *why)
{
	if (!conf->awaits_password || !p->session.is_started ||
	    !str_eq(p->conf.password_file, conf->password_file))
		return false;
	log_err("bgp peer %s: %s; the password as it was stays in force",
	    p->name, why);
	conf->password = mem_strdup(p->conf.password);
	conf->awaits_password = false;
	return true;
}

void
speaker_peer_configure(struct speaker_peer *p, struct speaker_peer_conf *conf,
    const char *blocked)
{
	bool was_passive = p->conf.is_passive;
	bool is_restart;

	if (keep_password(p, conf, blocked))
		blocked = "";
	is_restart = speaker_peer_conf_needs_restart(&p->conf, conf);
	if (!can_run(conf, blocked))
		speaker_peer_stop(p, BGP_CEASE_SHUTDOWN,
		    conf->is_admin_down ? "adminDown" : NULL);
	else if (is_restart)
		speaker_peer_stop(p, BGP_CEASE_CONFIG_CHANGE, NULL);
	if (is_restart)
		p->session.last_error[0] = '\0';
	speaker_peer_conf_fini(&p->conf);
	p->conf = *conf;
	*conf = (struct speaker_peer_conf){ 0 };
	set_blocked(p, blocked);
	p->has_news = true;
	bgp_speaker_schedule(p->speaker);
	if (!p->session.is_started) {
		speaker_peer_start(p);
	} else {
		struct bgp_event ev = { .kind = BGP_EVENT_START };

		fill_session_conf(p);
		update_next_hops(p);
		if (was_passive && !p->conf.is_passive)
			speaker_peer_event(p, BGP_SLOT_DIAL, &ev);
	}
	arm_timer(p);
	speaker_peer_refresh_message(p);
}
