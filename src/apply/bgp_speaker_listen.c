/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_listen: listening sockets.  One that cannot be opened is tried
 * again; sessions that we dial do not need it.
 */
#include "apply/bgp_speaker_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/log.h"
#include "sys/loop.h"

enum {
	RETRY_US = 5 * MONO_S,
	ACCEPT_MAX = 16
};

static void
update_problem(struct bgp_speaker *sp)
{
	size_t at = 0;

	sp->problem[0] = '\0';
	for (size_t i = 0; i < sp->listeners.n; i++) {
		const struct speaker_listener *l = sp->listeners.v[i];

		if (!l->error[0] || at >= sizeof(sp->problem) - 1)
			continue;
		at += (size_t)snprintf(sp->problem + at,
		    sizeof(sp->problem) - at, "%s%s", at ? "; " : "", l->error);
	}
}

static struct speaker_peer *
find_peer(struct bgp_speaker *sp, const struct addr *peer,
    const struct addr *local)
{
	for (size_t i = 0; i < sp->peers.n; i++) {
		struct speaker_peer *p = sp->peers.v[i];

		if (!speaker_peer_is_running(p) ||
		    !addr_eq(&p->conf.address, peer))
			continue;
		if (addr_is_set(&p->conf.local_address) &&
		    !addr_eq(&p->conf.local_address, local))
			continue;
		return p;
	}
	return NULL;
}

static void
take(struct bgp_speaker *sp, int fd, const struct addr *peer,
    const struct addr *local)
{
	struct speaker_peer *p = find_peer(sp, peer, local);
	char text[ADDR_TEXT_B];

	if (p) {
		speaker_peer_accept(p, fd);
		return;
	}
	log_info("bgp listener: connection from %s refused, it is no peer",
	    addr_text(peer, text));
	sock_close(fd);
}

static void
on_ready(void *arg, unsigned int ready)
{
	struct speaker_listener *l = arg;
	struct addr peer;
	struct addr local;

	(void)ready;
	for (unsigned int i = 0; i < ACCEPT_MAX; i++) {
		int fd = sock_accept(l->fd, &peer, &local);

		if (fd == -EAGAIN)
			return;
		if (fd >= 0) {
			take(l->speaker, fd, &peer, &local);
			continue;
		}
		if (!err_is_exhausted(fd))
			continue;
		/* It stays readable: look again later instead of spinning. */
		log_err("bgp listener: cannot accept: %s", strerror(-fd));
		loop_fd_want(l->lfd, 0);
		loop_timer_arm(l->speaker->listen_timer, RETRY_US);
		return;
	}
}

static void
set_passwords(struct speaker_listener *l)
{
	for (size_t i = 0; i < l->speaker->peers.n; i++) {
		const struct speaker_peer *p = l->speaker->peers.v[i];

		if (speaker_peer_is_running(p) && p->conf.password &&
		    p->conf.address.family == l->addr.family)
			(void)sock_listen_password(l->fd, &p->conf.address,
			    p->conf.password);
	}
}

static void
listener_open(struct speaker_listener *l)
{
	const char *remedy = "";
	char before[SPEAKER_MESSAGE_B];
	char addr[ADDR_TEXT_B];
	struct err err = { 0 };

	memcpy(before, l->error, sizeof(before));
	l->fd = sock_listen(&l->addr, l->port, &err);
	if (l->fd >= 0) {
		if (before[0])
			log_notice("bgp listener: listens on %s port %u now",
			    addr_text(&l->addr, addr), l->port);
		l->error[0] = '\0';
		set_passwords(l);
		l->lfd = loop_fd_new(l->speaker->loop, l->fd, on_ready, l);
		loop_fd_want(l->lfd, LOOP_READ);
		return;
	}
	l->fd = -1;
	if (err.code == -EADDRINUSE)
		remedy = " (another BGP daemon runs here: stop it or set "
			 "another listen port)";
	else if (err.code == -EACCES)
		remedy = " (needs CAP_NET_BIND_SERVICE, or a listen port "
			 "above 1023)";
	snprintf(l->error, sizeof(l->error),
	    "%.150s%s; peers cannot connect to us, we still connect to them",
	    err.text, remedy);
	if (strcmp(before, l->error) != 0)
		log_err("bgp listener: %s", l->error);
	loop_timer_arm(l->speaker->listen_timer, RETRY_US);
}

static void
listener_free(struct speaker_listener *l)
{
	if (l->lfd) {
		loop_fd_want(l->lfd, 0);
		vec_push(&l->speaker->dead_fds, l->lfd);
		bgp_speaker_schedule(l->speaker);
	}
	if (l->fd >= 0)
		sock_close(l->fd);
	free(l);
}

static bool
is_wanted(const struct bgp_speaker *sp, const struct speaker_listener *l)
{
	for (size_t i = 0; i < sp->global.n_listen; i++)
		if (sp->global.listen[i].port == l->port &&
		    addr_eq(&sp->global.listen[i].addr, &l->addr))
			return true;
	return false;
}

static bool
is_there(const struct bgp_speaker *sp, const struct addr *addr, uint16_t port)
{
	for (size_t i = 0; i < sp->listeners.n; i++)
		if (sp->listeners.v[i]->port == port &&
		    addr_eq(&sp->listeners.v[i]->addr, addr))
			return true;
	return false;
}

void
speaker_listen_configure(struct bgp_speaker *sp)
{
	size_t kept = 0;

	if (!sp->is_started)
		return;
	for (size_t i = 0; i < sp->listeners.n; i++) {
		struct speaker_listener *l = sp->listeners.v[i];

		if (is_wanted(sp, l))
			sp->listeners.v[kept++] = l;
		else
			listener_free(l);
	}
	sp->listeners.n = kept;
	for (size_t i = 0; i < sp->global.n_listen; i++) {
		struct speaker_listener *l;

		if (is_there(sp, &sp->global.listen[i].addr,
			sp->global.listen[i].port))
			continue;
		l = mem_new(struct speaker_listener);
		l->speaker = sp;
		l->addr = sp->global.listen[i].addr;
		l->port = sp->global.listen[i].port;
		vec_push(&sp->listeners, l);
		listener_open(l);
	}
	update_problem(sp);
}

void
speaker_listen_on_timer(void *arg)
{
	struct bgp_speaker *sp = arg;

	for (size_t i = 0; i < sp->listeners.n; i++) {
		struct speaker_listener *l = sp->listeners.v[i];

		if (l->fd < 0)
			listener_open(l);
		else
			loop_fd_want(l->lfd, LOOP_READ);
	}
	update_problem(sp);
}

void
speaker_listen_free_all(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->listeners.n; i++)
		listener_free(sp->listeners.v[i]);
	vec_fini(&sp->listeners);
}

void
speaker_listen_passwords(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->listeners.n; i++)
		if (sp->listeners.v[i]->fd >= 0)
			set_passwords(sp->listeners.v[i]);
}

void
speaker_listen_password(struct bgp_speaker *sp, const struct addr *addr,
    const char *password)
{
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < sp->listeners.n; i++) {
		const struct speaker_listener *l = sp->listeners.v[i];
		int rc;

		if (l->fd < 0 || l->addr.family != addr->family)
			continue;
		rc = sock_listen_password(l->fd, addr, password);
		if (rc < 0)
			log_err("bgp listener: TCP-MD5 password for %s not "
				"set: %s",
			    addr_text(addr, text), strerror(-rc));
	}
}
