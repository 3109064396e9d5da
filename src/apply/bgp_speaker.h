/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker: the shell around bgp/: sockets, timers, peers, routes.
 *
 * It is told which peers should exist and which prefixes should be announced;
 * it works out the difference itself.  A change of one peer never touches
 * another peer's session.
 */
#ifndef EIPD_APPLY_BGP_SPEAKER_H
#define EIPD_APPLY_BGP_SPEAKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/bgp.h"

struct bgp_speaker;
struct loop;

/* In force: the BgpConf named `default`, else eipd.conf `bgp`. */
struct bgp_global {
	uint32_t as; /* 0: not known, sessions stay Idle and say so */
	struct addr router_id; /* FAMILY_NONE: first IPv4 of the box */
	struct {
		struct addr addr;
		uint16_t port;
	} listen[16];
	size_t n_listen;
	struct bgp_graceful_restart graceful_restart;
};

struct bgp_speaker_hooks {
	/* A session went up or down, or its message changed. */
	void (*on_peer)(void *arg, const struct peer_status *peer);
	void *arg;
};

struct bgp_speaker *bgp_speaker_new(struct loop *loop,
    const struct bgp_speaker_hooks *hooks);

/* Closes without a NOTIFICATION when `keep_routes`, so that a peer with
 * graceful restart keeps forwarding; else Cease / Administrative Shutdown. */
void bgp_speaker_free(struct bgp_speaker *speaker, bool keep_routes);

/* The whole wanted configuration; copies what it needs. */
void bgp_speaker_configure(struct bgp_speaker *speaker,
    const struct bgp_global *global, const struct bgp_peer *const *peers,
    size_t n_peers);

/* Wanted routes; repeated calls are harmless.  What changed within one turn
 * of the loop leaves as one flush at its end. */
void bgp_speaker_announce(struct bgp_speaker *speaker,
    const struct prefix *prefix);
void bgp_speaker_withdraw(struct bgp_speaker *speaker,
    const struct prefix *prefix);

/* What was withdrawn leaves now, not at the end of the turn: the kernel is
 * about to forget it. */
void bgp_speaker_flush(struct bgp_speaker *speaker);

/* The initial routes are known: sessions may open and send End-of-RIB.
 * Before this call nothing is dialled or accepted. */
void bgp_speaker_start(struct bgp_speaker *speaker);

/* In order of name; strings are borrowed for the duration of the call. */
void bgp_speaker_each_peer(const struct bgp_speaker *speaker,
    void (*fn)(void *arg, const struct peer_status *peer), void *arg);
/* Adj-RIB-Out of `peer` (NULL: of all). */
void bgp_speaker_each_route(const struct bgp_speaker *speaker, const char *peer,
    void (*fn)(void *arg, const struct route_status *route), void *arg);
/* In force: configured, or the first IPv4 address of the box; FAMILY_NONE if
 * it has none. */
struct addr bgp_speaker_router_id(struct bgp_speaker *speaker);
/* What a user must know and is not a peer's: "cannot listen on ..."; ""
 * when all is well. */
const char *bgp_speaker_problem(const struct bgp_speaker *speaker);

#endif
