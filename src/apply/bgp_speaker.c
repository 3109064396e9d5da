/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/bgp_speaker.h"

#include <stdio.h>
#include <string.h>

#include "apply/bgp_speaker_impl.h"
#include "sys/loop.h"

enum {
	LOCAL_PREF_DEFAULT = 100
};

/* All routes look alike today. */
static const struct bgp_attrs attrs = { .origin = 0,
	.local_pref = LOCAL_PREF_DEFAULT };

static void
reap(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->dead_fds.n; i++)
		loop_fd_free(sp->dead_fds.v[i]);
	vec_clear(&sp->dead_fds);
	for (size_t i = 0; i < sp->dead_peers.n; i++)
		speaker_peer_free(sp->dead_peers.v[i]);
	vec_clear(&sp->dead_peers);
	if (sp->lingers.n)
		speaker_linger_on_timer(sp);
}

static void
tell_news(struct bgp_speaker *sp)
{
	const char *caps[BGP_CAPS_TEXT_MAX];

	/* The hook may configure us anew, so the length is read each time. */
	for (size_t i = 0; i < sp->peers.n; i++) {
		struct speaker_peer *p = sp->peers.v[i];
		struct peer_status status;

		if (!p->has_news)
			continue;
		p->has_news = false;
		status = speaker_peer_status(p, caps);
		if (sp->hooks.on_peer)
			sp->hooks.on_peer(sp->hooks.arg, &status);
	}
}

void
bgp_speaker_flush(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->peers.n; i++) {
		struct speaker_peer *p = sp->peers.v[i];

		if (p->out && bgp_out_is_pending(p->out))
			speaker_conn_flush(
			    &p->conn[bgp_session_slot(&p->session)]);
	}
}

static void
final_free(struct bgp_speaker *sp)
{
	reap(sp);
	speaker_linger_free_all(sp);
	vec_fini(&sp->dead_fds);
	vec_fini(&sp->dead_peers);
	vec_fini(&sp->peers);
	loop_timer_free(sp->listen_timer);
	loop_timer_free(sp->linger_timer);
	bgp_rib_free(sp->rib);
	free(sp);
}

/* The end of the loop's turn. */
static void
on_turn(void *arg)
{
	struct bgp_speaker *sp = arg;

	sp->is_scheduled = false;
	if (sp->is_freed) {
		final_free(sp);
		return;
	}
	bgp_speaker_flush(sp);
	tell_news(sp);
	reap(sp);
}

void
bgp_speaker_schedule(struct bgp_speaker *sp)
{
	if (sp->is_scheduled)
		return;
	sp->is_scheduled = true;
	loop_defer(sp->loop, on_turn, sp);
}

struct bgp_speaker *
bgp_speaker_new(struct loop *loop, const struct bgp_speaker_hooks *hooks)
{
	struct bgp_speaker *sp = mem_new(struct bgp_speaker);

	sp->loop = loop;
	if (hooks)
		sp->hooks = *hooks;
	sp->rib = bgp_rib_new();
	sp->born = loop_now(loop);
	sp->listen_timer = loop_timer_new(loop, speaker_listen_on_timer, sp);
	sp->linger_timer = loop_timer_new(loop, speaker_linger_on_timer, sp);
	return sp;
}

void
bgp_speaker_free(struct bgp_speaker *sp, bool keep_routes)
{
	if (!sp)
		return;
	for (size_t i = 0; i < sp->peers.n; i++) {
		struct speaker_peer *p = sp->peers.v[i];

		if (keep_routes)
			speaker_peer_drop(p);
		else
			speaker_peer_stop(p, BGP_CEASE_SHUTDOWN,
			    "eipd is stopping");
		vec_push(&sp->dead_peers, p);
	}
	vec_clear(&sp->peers);
	speaker_listen_free_all(sp);
	sp->is_freed = true;
	bgp_speaker_schedule(sp);
}

static struct speaker_peer *
find(const struct bgp_speaker *sp, const char *name, size_t *at)
{
	size_t lo = 0;
	size_t hi = sp->peers.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(sp->peers.v[mid]->name, name);

		if (d == 0) {
			*at = mid;
			return sp->peers.v[mid];
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return NULL;
}

static const struct bgp_peer *
find_wanted(const struct bgp_peer *const *peers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(peers[i]->o.name, name) == 0)
			return peers[i];
	return NULL;
}

static void
remove_unwanted(struct bgp_speaker *sp, const struct bgp_peer *const *peers,
    size_t n_peers)
{
	size_t kept = 0;

	for (size_t i = 0; i < sp->peers.n; i++) {
		struct speaker_peer *p = sp->peers.v[i];

		if (find_wanted(peers, n_peers, p->name)) {
			sp->peers.v[kept++] = p;
			continue;
		}
		speaker_peer_stop(p, BGP_CEASE_DECONFIGURED, NULL);
		vec_push(&sp->dead_peers, p);
		bgp_speaker_schedule(sp);
	}
	sp->peers.n = kept;
}

/* Who else has the address: the one that has the session keeps it, else the
 * first in order of name. */
static const char *
find_owner(const struct bgp_speaker *sp, const struct bgp_peer *const *peers,
    size_t n_peers, const struct bgp_peer *self)
{
	const char *owner = self->o.name;
	bool is_owner_running = false;

	for (size_t i = 0; i < n_peers; i++) {
		const struct bgp_peer *other = peers[i];
		const struct speaker_peer *p;
		bool is_running;
		size_t at;

		if (!addr_eq(&other->address, &self->address) || other->is_cni)
			continue;
		p = find(sp, other->o.name, &at);
		is_running = p && speaker_peer_is_running(p) &&
		    addr_eq(&p->conf.address, &self->address);
		if (is_running < is_owner_running)
			continue;
		if (is_running > is_owner_running ||
		    strcmp(other->o.name, owner) < 0)
			owner = other->o.name;
		is_owner_running = is_running;
	}
	return owner;
}

static void
configure_peer(struct bgp_speaker *sp, const struct bgp_peer *const *peers,
    size_t n_peers, const struct bgp_peer *peer)
{
	const char *owner = find_owner(sp, peers, n_peers, peer);
	char blocked[SPEAKER_MESSAGE_B];
	struct speaker_peer_conf conf;
	struct speaker_peer *p;
	size_t at;

	speaker_peer_resolve(sp, peer, &conf, blocked);
	if (!peer->is_cni && strcmp(owner, peer->o.name) != 0) {
		conf.awaits_password = false;
		snprintf(blocked, sizeof(blocked),
		    "BgpPeer %.200s has the same neighborAddress: remove one "
		    "of them",
		    owner);
	}
	p = find(sp, peer->o.name, &at);
	if (!p) {
		p = speaker_peer_new(sp, peer->o.name);
		vec_insert(&sp->peers, at, p);
	}
	speaker_peer_configure(p, &conf, blocked);
}

void
bgp_speaker_configure(struct bgp_speaker *sp, const struct bgp_global *global,
    const struct bgp_peer *const *peers, size_t n_peers)
{
	sp->global = *global;
	remove_unwanted(sp, peers, n_peers);
	speaker_listen_configure(sp);
	for (size_t i = 0; i < n_peers; i++)
		configure_peer(sp, peers, n_peers, peers[i]);
	speaker_listen_passwords(sp);
}

void
bgp_speaker_announce(struct bgp_speaker *sp, const struct prefix *prefix)
{
	if (bgp_rib_announce(sp->rib, prefix, &attrs))
		bgp_speaker_schedule(sp);
}

void
bgp_speaker_withdraw(struct bgp_speaker *sp, const struct prefix *prefix)
{
	if (bgp_rib_withdraw(sp->rib, prefix))
		bgp_speaker_schedule(sp);
}

void
bgp_speaker_start(struct bgp_speaker *sp)
{
	if (sp->is_started)
		return;
	sp->is_started = true;
	speaker_listen_configure(sp);
	for (size_t i = 0; i < sp->peers.n; i++)
		speaker_peer_start(sp->peers.v[i]);
}

void
bgp_speaker_each_peer(const struct bgp_speaker *sp,
    void (*fn)(void *arg, const struct peer_status *peer), void *arg)
{
	for (size_t i = 0; i < sp->peers.n; i++) {
		const char *caps[BGP_CAPS_TEXT_MAX];
		struct peer_status status =
		    speaker_peer_status(sp->peers.v[i], caps);

		fn(arg, &status);
	}
}

struct each_route {
	const struct speaker_peer *peer;
	void (*fn)(void *arg, const struct route_status *route);
	void *arg;
};

static void
on_route(void *arg, const struct prefix *prefix, const struct bgp_attrs *a)
{
	const struct each_route *e = arg;
	const struct bgp_export *export = bgp_out_export(e->peer->out);
	const struct route_status status = {
		.peer = e->peer->name,
		.prefix = *prefix,
		.next_hop = export->next_hop[prefix->addr.family],
		.local_as = export->is_ibgp ? 0 : export->local_as,
		.has_local_pref = export->is_ibgp,
		.local_pref = a->local_pref,
	};

	e->fn(e->arg, &status);
}

void
bgp_speaker_each_route(const struct bgp_speaker *sp, const char *peer,
    void (*fn)(void *arg, const struct route_status *route), void *arg)
{
	for (size_t i = 0; i < sp->peers.n; i++) {
		const struct speaker_peer *p = sp->peers.v[i];
		struct each_route each = { p, fn, arg };

		if (p->out && (!peer || strcmp(peer, p->name) == 0))
			bgp_out_each(p->out, on_route, &each);
	}
}

const char *
bgp_speaker_problem(const struct bgp_speaker *sp)
{
	return sp->problem;
}
