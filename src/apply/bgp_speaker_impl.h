/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_impl: what the files of the speaker share.
 *
 * The speaker owns peers and listeners; a peer owns a session (pure) and up to
 * two connections (sockets).  Nothing is freed where it may still be on the
 * stack: bgp_speaker_turn() runs at the end of the loop's turn and reaps.
 */
#ifndef EIPD_APPLY_BGP_SPEAKER_IMPL_H
#define EIPD_APPLY_BGP_SPEAKER_IMPL_H

#include "apply/bgp_speaker.h"

#include "base/vec.h"
#include "bgp/fsm.h"
#include "bgp/rib.h"
#include "bgp/sendq.h"
#include "bgp/stream.h"
#include "net/sock.h"

struct loop_fd;
struct loop_timer;
struct speaker_peer;

enum {
	SPEAKER_LINGER_MAX = 64,
	SPEAKER_MESSAGE_B = 320
};

/* Settings of one peer as resolved from BgpPeer and BgpConf. */
struct speaker_peer_conf {
	struct addr address;
	uint32_t peer_as;
	uint32_t local_as;
	struct addr router_id;
	char *password; /* NULL: none */
	char *password_file;
	bool awaits_password; /* all that keeps it from running */
	char *interface;
	bool is_cni;
	bool is_admin_down;
	bool is_passive;
	uint16_t remote_port;
	uint16_t hold_s;
	uint16_t keepalive_s;
	uint16_t connect_retry_s;
	struct addr local_address;
	struct addr next_hop_ipv6;
	uint8_t ttl;
	uint8_t min_ttl;
	unsigned int families;
	bool graceful_restart;
	uint16_t restart_s;
};

struct speaker_conn {
	struct speaker_peer *peer;
	unsigned int slot;
	unsigned int serial; /* of the socket in it */
	int fd; /* -1: none */
	struct loop_fd *lfd;
	bool is_connecting;
	bool is_notified; /* the last message is in `tx` */
	struct addr local;
	struct bgp_stream *rx;
	struct bgp_sendq *tx;
};

struct speaker_peer {
	struct bgp_speaker *speaker;
	char *name;
	struct speaker_peer_conf conf;
	char blocked[SPEAKER_MESSAGE_B]; /* why it cannot run; "": it can */
	struct bgp_session session;
	struct speaker_conn conn[BGP_SLOTS];
	struct loop_timer *timer;
	struct bgp_out *out; /* NULL unless Established */
	mono_t since; /* of the state shown */
	wall_t since_wall;
	enum bgp_fsm_state shown;
	bool has_news; /* for the hook */
	char message[SPEAKER_MESSAGE_B]; /* as last told */
	char logged[SPEAKER_MESSAGE_B]; /* error as last logged */
	char dial_error[SPEAKER_MESSAGE_B]; /* of a dial not yet told */
	uint64_t updates_in;
	uint64_t updates_out; /* of sessions that have ended */
	uint64_t notifications_in;
	uint64_t notifications_out;
};

struct speaker_listener {
	struct bgp_speaker *speaker;
	struct addr addr;
	uint16_t port;
	int fd; /* -1: not open */
	struct loop_fd *lfd;
	char error[SPEAKER_MESSAGE_B];
};

/* A socket whose NOTIFICATION is on its way: closing it with unread data in
 * it would send a reset that overtakes the message. */
struct speaker_linger {
	struct bgp_speaker *speaker;
	int fd;
	struct loop_fd *lfd;
	mono_t until;
};

struct bgp_speaker {
	struct loop *loop;
	struct bgp_speaker_hooks hooks;
	struct bgp_rib *rib;
	mono_t born;
	bool is_started;
	bool is_freed;
	bool is_scheduled; /* bgp_speaker_turn() is going to run */
	struct bgp_global global;
	struct addr auto_router_id;
	VEC(struct speaker_peer *) peers; /* by name */
	VEC(struct speaker_listener *) listeners;
	struct loop_timer *listen_timer;
	char problem[4 * SPEAKER_MESSAGE_B];
	VEC(struct speaker_linger *) lingers;
	struct loop_timer *linger_timer;
	VEC(struct speaker_peer *) dead_peers;
	VEC(struct loop_fd *) dead_fds;
};

/* bgp_speaker.c */
void bgp_speaker_schedule(struct bgp_speaker *sp);

/* bgp_speaker_conf.c */
void speaker_peer_resolve(struct bgp_speaker *sp, const struct bgp_peer *peer,
    struct speaker_peer_conf *out, char blocked[SPEAKER_MESSAGE_B]);
bool speaker_peer_conf_needs_restart(const struct speaker_peer_conf *a,
    const struct speaker_peer_conf *b);
void speaker_peer_conf_fini(struct speaker_peer_conf *conf);
/* The password as it is now; false: `text` says why there is none. */
bool speaker_password_read(const char *path, char **out,
    char text[SPEAKER_MESSAGE_B]);

/* bgp_speaker_peer.c */
struct speaker_peer *speaker_peer_new(struct bgp_speaker *sp, const char *name);
void speaker_peer_free(struct speaker_peer *p);
/* Takes `conf`. */
void speaker_peer_configure(struct speaker_peer *p,
    struct speaker_peer_conf *conf, const char *blocked);
void speaker_peer_start(struct speaker_peer *p);
void speaker_peer_stop(struct speaker_peer *p, enum bgp_cease why,
    const char *text);
void speaker_peer_drop(struct speaker_peer *p); /* without a word */
bool speaker_peer_is_running(const struct speaker_peer *p);
void speaker_peer_event(struct speaker_peer *p, unsigned int slot,
    struct bgp_event *ev);
void speaker_peer_accept(struct speaker_peer *p, int fd);
void speaker_peer_received(struct speaker_peer *p, unsigned int slot,
    const struct bgp_rx *rx);

/* bgp_speaker_status.c */
/* What the user should know; also notes that there is news if it changed. */
void speaker_peer_refresh_message(struct speaker_peer *p);
struct peer_status speaker_peer_status(const struct speaker_peer *p,
    const char *caps[BGP_CAPS_TEXT_MAX]);

/* bgp_speaker_conn.c */
struct sock_peer speaker_conn_sock(const struct speaker_peer *p);
void speaker_conn_open(struct speaker_conn *c, int fd, bool is_connecting);
void speaker_conn_close(struct speaker_conn *c);
void speaker_conn_send(struct speaker_conn *c, const void *msg, size_t n,
    bool is_last);
void speaker_conn_flush(struct speaker_conn *c);
/* Handles what has arrived. */
void speaker_conn_read(struct speaker_conn *c);
void speaker_linger_free_all(struct bgp_speaker *sp);
void speaker_linger_on_timer(void *arg);

/* bgp_speaker_listen.c */
void speaker_listen_configure(struct bgp_speaker *sp);
void speaker_listen_on_timer(void *arg);
void speaker_listen_free_all(struct bgp_speaker *sp);
/* Sets or removes the TCP-MD5 key of an address on every listener. */
void speaker_listen_password(struct bgp_speaker *sp, const struct addr *addr,
    const char *password);
/* Those of all peers, once more: an address may have changed hands. */
void speaker_listen_passwords(struct bgp_speaker *sp);

#endif
