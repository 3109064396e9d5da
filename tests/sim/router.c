/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router: net/sock.h in front of BGP neighbours that learn our routes, keep
 * them for a while when the session breaks (RFC 4724), and come and go.
 *
 * The last one waits to be dialled by nobody: it dials; the others may do so
 * besides, and connections collide (RFC 4271, 6.8).
 *
 * What is written arrives at once; what they say is read in pieces.  UPDATEs
 * are read here with code of our own, not with the daemon's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/msg.h"
#include "net/sock.h"
#include "sim.h"
#include "sys/loop.h"

#define LATENCY_MAX_US (20 * MONO_MS)
#define KEEPALIVE_US (20 * MONO_S)
#define RESTART_US (120 * MONO_S)

enum {
	ROUTER_AS = 64500,
	HOLD_S = 90,
	FD_BASE = 1000,
	LISTENER = FD_BASE - FAMILY_IPV4,
	RX_B = 1 << 16,
	ATTR_MP_REACH = 14,
	ATTR_MP_UNREACH = 15,
};

struct route {
	struct addr addr;
	bool is_stale;
};

struct conn {
	int fd;
	unsigned int router;
	bool is_dialled; /* by the router */
	bool is_waiting; /* to be accepted */
	bool is_connected;
	bool is_refused;
	bool is_closed; /* by the router */
	bool is_gone; /* by the daemon: the descriptor is free */
	bool is_up; /* the daemon's OPEN was answered */
	bool is_established;
	bool is_told; /* routes, or that there are none */
	bool is_restartable; /* it said so in its OPEN */
	bool was_notified;
	uint8_t *rx;
	size_t rx_n;
	struct str tx;
	mono_t next_keepalive;
};

static struct router {
	struct addr addr;
	bool is_up;
	bool is_helper;
	VEC(struct route) routes;
	mono_t stale_until;
} routers[ROUTERS];
static VEC(struct conn *) conns; /* never freed */
static bool is_listening;
static uint64_t updates;

/* ---- routes ---- */

static struct route *
find_route(struct router *r, const struct addr *addr)
{
	for (size_t i = 0; i < r->routes.n; i++)
		if (addr_eq(&r->routes.v[i].addr, addr))
			return &r->routes.v[i];
	return NULL;
}

/* By End-of-RIB. */
static void
end_restart(struct router *r, enum family family)
{
	for (size_t i = r->routes.n; i-- > 0;) {
		struct addr addr = r->routes.v[i].addr;

		if (addr.family != family || !r->routes.v[i].is_stale)
			continue;
		vec_remove(&r->routes, i);
		check_forgotten(&addr);
	}
}

static void
drop_routes(struct router *r, bool is_stale_only)
{
	for (size_t i = r->routes.n; i-- > 0;)
		if (!is_stale_only || r->routes.v[i].is_stale)
			vec_remove(&r->routes, i);
}

static void
take_prefix(struct router *r, const struct addr *addr, bool is_reach)
{
	struct route *route = find_route(r, addr);

	if (!is_reach) {
		if (route)
			vec_remove(&r->routes, (size_t)(route - r->routes.v));
		return;
	}
	if (route)
		route->is_stale = false;
	else
		vec_push(&r->routes, (struct route){ .addr = *addr });
	check_announced(addr);
}

/* Host prefixes only: eipd announces nothing else. */
static void
take_prefixes(struct router *r, enum family family, const uint8_t *p, size_t n,
    bool is_reach)
{
	size_t addr_b = family == FAMILY_IPV6 ? 16 : 4;

	while (n > addr_b) {
		struct addr addr = addr_from_bytes(family, p + 1);

		if (*p != addr_b * 8)
			sim_violation("an UPDATE has a prefix of %u bits", *p);
		take_prefix(r, &addr, is_reach);
		p += 1 + addr_b;
		n -= 1 + addr_b;
	}
	if (n)
		sim_violation("an UPDATE ends inside a prefix");
}

static size_t
get_u16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static void
take_update(struct router *r, const uint8_t *p, size_t n)
{
	size_t withdrawn_b = get_u16(p + BGP_HEADER_B);
	const uint8_t *attr = p + BGP_HEADER_B + 2 + withdrawn_b + 2;
	const uint8_t *nlri = attr + get_u16(attr - 2);

	updates++;
	take_prefixes(r, FAMILY_IPV4, p + BGP_HEADER_B + 2, withdrawn_b, false);
	if (withdrawn_b == 0 && attr == p + n)
		end_restart(r, FAMILY_IPV4); /* End-of-RIB */
	while (attr < nlri) {
		bool is_long = attr[0] & 0x10;
		size_t len = is_long ? get_u16(attr + 2) : attr[2];
		const uint8_t *v = attr + (is_long ? 4 : 3);
		size_t skip = attr[1] == ATTR_MP_REACH ? 5u + v[3] : 3;

		if (attr[1] == ATTR_MP_REACH || attr[1] == ATTR_MP_UNREACH) {
			take_prefixes(r, FAMILY_IPV6, v + skip, len - skip,
			    attr[1] == ATTR_MP_REACH);
			if (len == skip)
				end_restart(r, FAMILY_IPV6);
		}
		attr = v + len;
	}
	take_prefixes(r, FAMILY_IPV4, nlri, (size_t)(p + n - nlri), true);
}

/* ---- sessions ---- */

static void
say(struct conn *c, const struct wire_writer *w, const uint8_t *buf)
{
	str_add_n(&c->tx, (const char *)buf, w->n);
}

static void
say_open(struct conn *c)
{
	const struct router *r = &routers[c->router];
	unsigned int both = BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6);
	struct bgp_open open = { .version = BGP_VERSION,
		.my_as = ROUTER_AS,
		.hold_s = HOLD_S,
		.id = 0x0a000001 + c->router,
		.caps = { .has_families = true,
		    .families = both,
		    .route_refresh = true,
		    .as4 = true,
		    .as = ROUTER_AS,
		    .graceful_restart = r->is_helper,
		    .restart_s = RESTART_US / MONO_S,
		    .gr_families = both,
		    .gr_forwarding = both } };
	uint8_t buf[BGP_MSG_MAX_B];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	bgp_open_encode(&w, &open);
	say(c, &w, buf);
}

static void
say_keepalive(struct conn *c)
{
	uint8_t buf[BGP_MSG_MAX_B];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	bgp_keepalive_encode(&w);
	say(c, &w, buf);
	c->next_keepalive = sim_now() + KEEPALIVE_US;
}

/* The session is over for the router, whoever ended it. */
static void
session_lost(struct conn *c)
{
	struct router *r = &routers[c->router];

	if (!c->is_established)
		return;
	c->is_established = false;
	c->is_up = false;
	if (!c->is_restartable || c->was_notified || !r->is_up) {
		drop_routes(r, false);
		return;
	}
	for (size_t i = 0; i < r->routes.n; i++)
		r->routes.v[i].is_stale = true;
	r->stale_until = sim_now() + RESTART_US;
}

static void
hang_up(struct conn *c)
{
	c->is_closed = true;
	session_lost(c);
}

/* Another open connection with the same router; NULL: none is. */
static struct conn *
find_other(const struct conn *c)
{
	for (size_t i = 0; i < conns.n; i++) {
		struct conn *other = conns.v[i];

		if (other != c && other->router == c->router && other->is_up &&
		    !other->is_closed && !other->was_notified)
			return other;
	}
	return NULL;
}

/* Of two that know each other, it is left to eipd to end one.  It has the
 * higher identifier, so what it dialled stays. */
static void
check_collision(const struct conn *ended, const uint8_t *notification)
{
	const struct conn *other = find_other(ended);

	if (notification[BGP_HEADER_B] == BGP_ERR_CEASE &&
	    notification[BGP_HEADER_B + 1] == BGP_CEASE_COLLISION && other &&
	    !other->is_established && other->is_dialled && !ended->is_dialled)
		sim_violation("4: of two connections with tor%u the wrong one "
			      "is ended",
		    ended->router);
}

static void
on_confirm(void *arg)
{
	struct conn *c = arg;

	if (!c->is_closed)
		say_keepalive(c);
}

static void
on_open(void *arg)
{
	struct conn *c = arg;

	if (c->is_closed)
		return;
	c->is_up = true;
	say_open(c);
	sim_after(sim_random(LATENCY_MAX_US), on_confirm, c);
}

static void
take_open(struct conn *c, const uint8_t *p, size_t n)
{
	struct bgp_notification why;
	struct bgp_open open;

	if (bgp_open_decode(p, n, &open, &why) < 0) {
		sim_violation("the OPEN cannot be read");
		return;
	}
	if (find_other(c) && find_other(c)->is_established) {
		hang_up(c);
		return;
	}
	c->is_restartable =
	    open.caps.graceful_restart && routers[c->router].is_helper;
	sim_after(sim_random(LATENCY_MAX_US), on_open, c);
}

static void
take_message(struct conn *c, const uint8_t *p, size_t n)
{
	struct router *r = &routers[c->router];

	switch (bgp_msg_type(p)) {
	case BGP_MSG_OPEN:
		take_open(c, p, n);
		break;
	case BGP_MSG_KEEPALIVE:
		c->is_established = c->is_up;
		if (find_other(c) && find_other(c)->is_established)
			sim_violation("4: two sessions with tor%u", c->router);
		break;
	case BGP_MSG_UPDATE:
		if (!c->is_established)
			sim_violation("an UPDATE before the session is up");
		take_update(r, p, n);
		c->is_told = true;
		break;
	case BGP_MSG_NOTIFICATION:
		c->was_notified = true;
		check_collision(c, p);
		break;
	case BGP_MSG_ROUTE_REFRESH:
		break;
	}
}

static void
take_octets(struct conn *c)
{
	size_t at = 0;

	for (;;) {
		struct bgp_notification why;
		int n = bgp_msg_frame(c->rx + at, c->rx_n - at, &why);

		if (n < 0)
			sim_violation("octets that are no BGP message");
		if (n <= 0)
			break;
		take_message(c, c->rx + at, (size_t)n);
		at += (size_t)n;
	}
	memmove(c->rx, c->rx + at, c->rx_n - at);
	c->rx_n -= at;
}

/* ---- net/sock.h ---- */

static struct conn *
conn_of(int fd)
{
	size_t i = (size_t)(fd - FD_BASE);

	if (i >= conns.n)
		abort();
	return conns.v[i];
}

static struct conn *
find_waiting(void)
{
	for (size_t i = 0; i < conns.n; i++)
		if (conns.v[i]->is_waiting && !conns.v[i]->is_closed)
			return conns.v[i];
	return NULL;
}

static struct conn *
add_conn(unsigned int router)
{
	struct conn *c = mem_new(struct conn);

	c->fd = FD_BASE + (int)conns.n;
	c->router = router;
	c->rx = mem_alloc(RX_B);
	vec_push(&conns, c);
	return c;
}

unsigned int
router_ready(int fd)
{
	const struct conn *c;

	if (fd < FD_BASE)
		return fd == LISTENER && find_waiting() ? LOOP_READ : 0;
	c = conn_of(fd);
	if (!c->is_connected && !c->is_refused)
		return 0;
	return LOOP_WRITE | (c->tx.n || c->is_closed ? LOOP_READ : 0);
}

static void
on_dial(void *arg)
{
	unsigned int i = (unsigned int)((struct router *)arg - routers);
	struct conn *c;

	if (!is_listening || !routers[i].is_up || router_is_established(i))
		return;
	for (size_t j = 0; j < conns.n; j++)
		if (conns.v[j]->router == i && conns.v[j]->is_dialled &&
		    !conns.v[j]->is_closed)
			return;
	c = add_conn(i);
	c->is_dialled = true;
	c->is_waiting = true;
	c->is_connected = true;
}

static void
on_connect(void *arg)
{
	struct conn *c = arg;

	if (c->is_gone)
		return;
	c->is_connected = routers[c->router].is_up;
	c->is_refused = !c->is_connected;
	if (sim_random(4) == 0)
		sim_after(sim_random(LATENCY_MAX_US), on_dial,
		    &routers[c->router]);
}

int
sock_dial(const struct sock_peer *peer, struct err *err)
{
	for (unsigned int i = 0; i < ROUTERS; i++) {
		struct conn *c;

		if (!addr_eq(&routers[i].addr, &peer->addr))
			continue;
		c = add_conn(i);
		sim_after(sim_random(LATENCY_MAX_US), on_connect, c);
		return c->fd;
	}
	return err_set(err, -ENETUNREACH, "no such router");
}

int
sock_dial_result(int fd)
{
	return conn_of(fd)->is_connected ? 0 : -ECONNREFUSED;
}

int
sock_read(int fd, void *buf, size_t n)
{
	struct conn *c = conn_of(fd);
	size_t some = c->tx.n ? 1 + sim_random((uint32_t)c->tx.n) : 0;

	some = MIN(some, n);
	if (!some)
		return c->is_closed ? 0 : -EAGAIN;
	memcpy(buf, c->tx.s, some);
	memmove(c->tx.s, c->tx.s + some, c->tx.n - some);
	c->tx.n -= some;
	return (int)some;
}

int
sock_write(int fd, const void *buf, size_t n)
{
	struct conn *c = conn_of(fd);
	size_t some = MIN(n, RX_B - c->rx_n);

	if (c->is_closed)
		return -EPIPE;
	if (sim_random(4) == 0)
		some = 1 + sim_random((uint32_t)some);
	sim_operation("before octets to a router");
	memcpy(c->rx + c->rx_n, buf, some);
	c->rx_n += some;
	take_octets(c);
	sim_operation("after octets to a router");
	return (int)some;
}

void
sock_shutdown(int fd)
{
	hang_up(conn_of(fd));
}

void
sock_close(int fd)
{
	struct conn *c;

	if (fd == LISTENER)
		is_listening = false;
	if (fd < FD_BASE)
		return;
	c = conn_of(fd);
	hang_up(c);
	c->is_gone = true;
	str_fini(&c->tx);
	free(c->rx);
	c->rx = NULL;
}

int
sock_listen(const struct addr *addr, uint16_t port, struct err *err)
{
	(void)port;
	(void)err;
	is_listening |= addr->family == FAMILY_IPV4;
	return FD_BASE - (int)addr->family;
}

int
sock_accept(int listener, struct addr *peer, struct addr *local)
{
	struct conn *c = listener == LISTENER ? find_waiting() : NULL;

	if (!c)
		return -EAGAIN;
	c->is_waiting = false;
	*peer = routers[c->router].addr;
	*local = sock_local_addr(c->fd);
	return c->fd;
}

int
sock_tune(int fd, const struct sock_peer *peer, struct err *err)
{
	(void)fd;
	(void)peer;
	(void)err;
	return 0;
}

int
sock_listen_password(int listener, const struct addr *addr,
    const char *password)
{
	(void)listener;
	(void)addr;
	(void)password;
	return 0;
}

struct addr
sock_local_addr(int fd)
{
	struct addr local;

	(void)fd;
	if (addr_parse("10.9.0.100", &local) < 0)
		abort();
	return local;
}

bool
sock_addr_beside(const struct addr *neighbour, enum family family,
    struct addr *out)
{
	(void)neighbour;
	return addr_parse(family == FAMILY_IPV6 ? "fd00::100" : "10.9.0.100",
		   out) == 0;
}

bool
sock_first_ipv4(struct addr *out)
{
	return addr_parse("10.9.0.100", out) == 0;
}

/* ---- time, and what the story does ---- */

static void
on_tick(void *arg)
{
	sim_after(MONO_S, on_tick, arg);
	on_dial(&routers[ROUTER_PASSIVE]);
	for (unsigned int i = 0; i < ROUTERS; i++)
		if (routers[i].stale_until &&
		    sim_now() > routers[i].stale_until) {
			drop_routes(&routers[i], true);
			routers[i].stale_until = 0;
		}
	for (size_t i = 0; i < conns.n; i++)
		if (!conns.v[i]->is_closed && conns.v[i]->is_up &&
		    sim_now() >= conns.v[i]->next_keepalive)
			say_keepalive(conns.v[i]);
}

void
router_init(void)
{
	for (unsigned int i = 0; i < ROUTERS; i++) {
		char text[ADDR_TEXT_B];

		router_text(i, text);
		if (addr_parse(text, &routers[i].addr) < 0)
			abort();
		routers[i].is_up = true;
		routers[i].is_helper = i > 0;
	}
	on_tick(NULL);
}

void
router_text(unsigned int i, char out[ADDR_TEXT_B])
{
	snprintf(out, ADDR_TEXT_B, "10.9.0.%u", i + 1);
}

void
router_flap(unsigned int i)
{
	for (size_t j = 0; j < conns.n; j++)
		if (conns.v[j]->router == i && !conns.v[j]->is_closed)
			hang_up(conns.v[j]);
}

void
router_set_up(unsigned int i, bool is_up)
{
	routers[i].is_up = is_up;
	if (!is_up)
		router_flap(i);
}

void
router_set_helper(unsigned int i, bool is_helper)
{
	routers[i].is_helper = is_helper;
}

void
router_heal(void)
{
	for (unsigned int i = 0; i < ROUTERS; i++)
		routers[i].is_up = true;
}

void
router_forget_client(void)
{
	is_listening = false;
	for (size_t i = 0; i < conns.n; i++)
		sock_close(FD_BASE + (int)i);
}

static const struct conn *
session(unsigned int i)
{
	for (size_t j = 0; j < conns.n; j++)
		if (conns.v[j]->router == i && conns.v[j]->is_established &&
		    conns.v[j]->is_told && !conns.v[j]->is_closed)
			return conns.v[j];
	return NULL;
}

bool
router_is_established(unsigned int i)
{
	return session(i) != NULL;
}

bool
router_has_route(unsigned int i, const struct addr *addr)
{
	return find_route(&routers[i], addr) != NULL;
}

void
router_each_route(unsigned int i,
    void (*fn)(void *arg, const struct addr *addr, bool is_stale), void *arg)
{
	for (size_t j = 0; j < routers[i].routes.n; j++)
		fn(arg, &routers[i].routes.v[j].addr,
		    routers[i].routes.v[j].is_stale);
}

uint64_t
router_updates(void)
{
	return updates;
}
