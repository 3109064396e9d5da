/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_bgp ROUTES PEERS ROUNDS: the speaker against octets packed beforehand.
 *
 * Receivers are one process with a socket on loopback for each peer, which
 * reads, and counts the routes.  It lets all sessions become
 * Established at one moment and takes the time until End-of-RIB is there on
 * all, then until the UPDATE of one changed route is.  The sender is the
 * speaker, or for the floor a loop that writes the same messages.
 *
 * Prints by tabs: floor and speaker until all routes are there, then for one
 * change, medians in microseconds; 99th percentile of the speaker's change.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply/bgp_speaker.h"
#include "base/mem.h"
#include "bench.h"
#include "bgp/msg.h"
#include "bgp/update.h"
#include "sys/log.h"
#include "sys/loop.h"

enum {
	PEERS_MAX = 32,
	ROUTES_MAX = 200000,
	CHANGES = 100,
	LOCAL_AS = 64512,
	PEER_AS = 64500,
	HOLD_S = 90,
	READ_B = 256 << 10
};

/* What sender and receiver tell each other. */
struct shared {
	int64_t established_ns;
	int64_t all_ns; /* End-of-RIB on all */
	int64_t changed_ns; /* the sender's, of the change under way */
	int64_t change_ns[CHANGES];
};

struct receiver {
	int fd;
	size_t n; /* octets in buf */
	unsigned int n_updates; /* since they were last asked for */
	unsigned int n_routes;
	bool is_open; /* its OPEN was seen */
	bool is_confirmed; /* its KEEPALIVE */
	bool is_complete; /* its End-of-RIB */
	uint8_t buf[READ_B];
};

/* One run. */
struct run {
	unsigned int n_routes;
	unsigned int n_peers;
	uint16_t port;
	int listeners[PEERS_MAX];
	int done[2]; /* the receiver writes an octet for each thing done */
	struct shared *shared;
};

static struct prefix
route(unsigned int i)
{
	struct addr addr = bench_addr("100.64.0.0", i);

	return prefix_host(&addr);
}

static struct sockaddr_in
peer_address(unsigned int i, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK + 1 + i) } };
}

static void
write_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t put = write(fd, p, n);

		bench_need(put > 0, "socket");
		p += put;
		n -= (size_t)put;
	}
}

static void
send_open(int fd, uint32_t as)
{
	struct bgp_open open = { .version = BGP_VERSION,
		.my_as = (uint16_t)as,
		.hold_s = HOLD_S,
		.id = as,
		.caps = { .has_families = true,
		    .families = BGP_FAMILY(FAMILY_IPV4),
		    .as4 = true,
		    .as = as } };
	uint8_t buf[BGP_MSG_MAX_B];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	bgp_open_encode(&w, &open);
	write_all(fd, buf, w.n);
}

static void
send_keepalive(int fd)
{
	uint8_t buf[BGP_HEADER_B];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	bgp_keepalive_encode(&w);
	write_all(fd, buf, w.n);
}

/* ---- the receiver ---- */

static void
take_message(struct receiver *r, const uint8_t *msg, size_t n)
{
	struct bgp_notification error;
	struct bgp_update update;

	switch (bgp_msg_type(msg)) {
	case BGP_MSG_OPEN:
		r->is_open = true;
		send_open(r->fd, PEER_AS);
		break;
	case BGP_MSG_KEEPALIVE:
		r->is_confirmed = true;
		break;
	case BGP_MSG_UPDATE:
		bgp_update_check(msg, n, &update, &error);
		r->n_routes += update.n_reach;
		r->is_complete |= update.end_of_rib != FAMILY_NONE;
		r->n_updates++;
		break;
	case BGP_MSG_NOTIFICATION:
	case BGP_MSG_ROUTE_REFRESH:
		bench_need(false, "message");
	}
}

/* False at the end of the stream. */
static bool
receive(struct receiver *r)
{
	struct bgp_notification error;
	ssize_t got = read(r->fd, r->buf + r->n, sizeof(r->buf) - r->n);
	size_t at = 0;
	int n;

	if (got <= 0)
		return false;
	r->n += (size_t)got;
	while ((n = bgp_msg_frame(r->buf + at, r->n - at, &error)) > 0) {
		take_message(r, r->buf + at, (size_t)n);
		at += (size_t)n;
	}
	bench_need(n == 0, "framing");
	memmove(r->buf, r->buf + at, r->n - at);
	r->n -= at;
	return true;
}

static void
poll_receivers(struct receiver *const *r, unsigned int n)
{
	struct pollfd fds[PEERS_MAX];

	for (unsigned int i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = r[i]->fd, .events = POLLIN };
	bench_need(poll(fds, n, 60000) > 0, "sender: it went silent");
	for (unsigned int i = 0; i < n; i++)
		if (fds[i].revents && !receive(r[i]))
			_exit(0);
}

static bool
is_confirmed(const struct receiver *r)
{
	return r->is_open && r->is_confirmed;
}

static bool
is_complete(const struct receiver *r)
{
	return r->is_complete;
}

static bool
is_changed(const struct receiver *r)
{
	return r->n_updates > 0;
}

static void
wait_for(struct receiver *const *r, unsigned int n,
    bool (*fn)(const struct receiver *r))
{
	unsigned int i = 0;

	while (i < n) {
		if (fn(r[i]))
			i++;
		else
			poll_receivers(r, n);
	}
}

static void
run_receiver(const struct run *run)
{
	struct receiver *r[PEERS_MAX] = { NULL };
	unsigned int n = run->n_peers;

	for (unsigned int i = 0; i < n; i++) {
		r[i] = mem_new(struct receiver);
		r[i]->fd = accept(run->listeners[i], NULL, NULL);
		bench_need(r[i]->fd >= 0, "accept");
	}
	wait_for(r, n, is_confirmed);
	run->shared->established_ns = bench_now_ns();
	for (unsigned int i = 0; i < n; i++)
		send_keepalive(r[i]->fd);
	wait_for(r, n, is_complete);
	run->shared->all_ns = bench_now_ns();
	for (unsigned int i = 0; i < n; i++) {
		bench_need(r[i]->n_routes == run->n_routes, "routes");
		r[i]->n_updates = 0;
	}
	write_all(run->done[1], "", 1);
	for (unsigned int c = 0; c < CHANGES; c++) {
		wait_for(r, n, is_changed);
		run->shared->change_ns[c] =
		    bench_now_ns() - run->shared->changed_ns;
		for (unsigned int i = 0; i < n; i++)
			r[i]->n_updates = 0;
		write_all(run->done[1], "", 1);
	}
	_exit(0);
}

/* ---- the floor ---- */

struct packed {
	uint8_t *p;
	size_t n;
};

static const struct bgp_attrs route_attrs = { 0 };

static struct packed
pack(unsigned int first, unsigned int n, bool is_announced, bool has_end)
{
	struct bgp_export export = { .local_as = LOCAL_AS,
		.as4 = true,
		.families = BGP_FAMILY(FAMILY_IPV4) };
	const struct bgp_attrs *attrs = is_announced ? &route_attrs : NULL;
	struct packed out = { mem_alloc((n / 512 + 2) * BGP_MSG_MAX_B), 0 };
	struct bgp_update_writer u;

	export.next_hop[FAMILY_IPV4] = bench_addr("127.0.0.1", 0);
	bgp_update_begin(&u, out.p, FAMILY_IPV4, attrs, &export);
	for (unsigned int i = 0; i < n; i++) {
		struct prefix p = route(first + i);

		if (bgp_update_add(&u, &p))
			continue;
		out.n += bgp_update_end(&u);
		bgp_update_begin(&u, out.p + out.n, FAMILY_IPV4, attrs,
		    &export);
		bench_need(bgp_update_add(&u, &p), "message");
	}
	out.n += bgp_update_end(&u);
	if (has_end) {
		bgp_update_begin(&u, out.p + out.n, FAMILY_IPV4, NULL, &export);
		out.n += bgp_update_end(&u);
	}
	return out;
}

/* OPEN and KEEPALIVE go out, the peer's OPEN and KEEPALIVE come in; a socket
 * is written as far as it takes once the latter is there. */
static void
send_packed(const int *fds, unsigned int n, const struct packed *all)
{
	size_t sent[PEERS_MAX] = { 0 };
	bool is_up[PEERS_MAX] = { false };
	unsigned int n_done = 0;

	while (n_done < n) {
		struct pollfd p[PEERS_MAX];

		for (unsigned int i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = fds[i],
				.events = is_up[i] ? POLLOUT : POLLIN };
		for (unsigned int i = 0; i < n; i++)
			if (sent[i] == all->n)
				p[i].fd = -1;
		bench_need(poll(p, n, 60000) > 0, "receiver");
		for (unsigned int i = 0; i < n; i++) {
			uint8_t in[BGP_MSG_MAX_B];
			ssize_t put = 0;

			if (!p[i].revents)
				continue;
			if (!is_up[i]) {
				ssize_t got = read(fds[i], in, sizeof(in));

				bench_need(got > 0, "receiver");
				is_up[i] =
				    bgp_msg_type(in + got - BGP_HEADER_B) ==
				    BGP_MSG_KEEPALIVE;
			}
			if (is_up[i])
				put = send(fds[i], all->p + sent[i],
				    all->n - sent[i], MSG_DONTWAIT);
			if (put > 0)
				sent[i] += (size_t)put;
			n_done += sent[i] == all->n;
		}
	}
}

static void
run_floor(const struct run *run)
{
	struct packed all = pack(0, run->n_routes, true, true);
	struct packed change[2] = { pack(run->n_routes, 1, true, false),
		pack(run->n_routes, 1, false, false) };
	int fds[PEERS_MAX];
	char c;

	for (unsigned int i = 0; i < run->n_peers; i++) {
		struct sockaddr_in sa = peer_address(i, run->port);
		int on = 1;

		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		bench_need(connect(fds[i], (struct sockaddr *)&sa,
			       sizeof(sa)) == 0 &&
			setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on,
			    sizeof(on)) == 0,
		    "connection");
		send_open(fds[i], LOCAL_AS);
		send_keepalive(fds[i]);
	}
	send_packed(fds, run->n_peers, &all);
	for (unsigned int k = 0; k < CHANGES; k++) {
		bench_need(read(run->done[0], &c, 1) == 1, "receiver");
		run->shared->changed_ns = bench_now_ns();
		for (unsigned int i = 0; i < run->n_peers; i++)
			write_all(fds[i], change[k % 2].p, change[k % 2].n);
	}
	bench_need(read(run->done[0], &c, 1) == 1, "receiver");
	_exit(0);
}

/* ---- the speaker ---- */

struct sender {
	const struct run *run;
	struct loop *loop;
	struct bgp_speaker *speaker;
	unsigned int n_done;
};

static void
on_done(void *arg, unsigned int ready)
{
	struct sender *s = arg;
	struct prefix p = route(s->run->n_routes);
	char c;

	(void)ready;
	if (read(s->run->done[0], &c, 1) != 1 || s->n_done == CHANGES) {
		loop_stop(s->loop);
		return;
	}
	s->run->shared->changed_ns = bench_now_ns();
	if (s->n_done++ % 2 == 0)
		bgp_speaker_announce(s->speaker, &p);
	else
		bgp_speaker_withdraw(s->speaker, &p);
}

static void
configure(struct sender *s)
{
	struct bgp_global global = { .as = LOCAL_AS,
		.router_id = bench_addr("192.0.2.1", 0) };
	struct bgp_peer peers[PEERS_MAX] = { 0 };
	const struct bgp_peer *all[PEERS_MAX];
	char names[PEERS_MAX][8];

	for (unsigned int i = 0; i < s->run->n_peers; i++) {
		snprintf(names[i], sizeof(names[i]), "p%u", i);
		peers[i].o.name = names[i];
		peers[i].address = bench_addr("127.0.0.2", i);
		peers[i].peer_as = PEER_AS;
		peers[i].remote_port = s->run->port;
		peers[i].ipv4_unicast = true;
		all[i] = &peers[i];
	}
	bgp_speaker_configure(s->speaker, &global, all, s->run->n_peers);
}

static void
run_speaker(const struct run *run)
{
	struct sender s = { .run = run, .loop = loop_new() };
	struct loop_fd *done = loop_fd_new(s.loop, run->done[0], on_done, &s);

	s.speaker = bgp_speaker_new(s.loop, NULL);
	loop_fd_want(done, LOOP_READ);
	for (unsigned int i = 0; i < run->n_routes; i++) {
		struct prefix p = route(i);

		bgp_speaker_announce(s.speaker, &p);
	}
	configure(&s);
	bgp_speaker_start(s.speaker);
	loop_run(s.loop);
	_exit(0);
}

/* ---- runs ---- */

static void
open_listeners(struct run *run)
{
	for (unsigned int i = 0; i < run->n_peers; i++) {
		struct sockaddr_in sa = peer_address(i, run->port);
		socklen_t len = sizeof(sa);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		bench_need(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
			listen(fd, 1) == 0 &&
			getsockname(fd, (struct sockaddr *)&sa, &len) == 0,
		    "port");
		run->port = ntohs(sa.sin_port);
		run->listeners[i] = fd;
	}
}

static pid_t
start(void (*fn)(const struct run *run), const struct run *run)
{
	pid_t pid = fork();

	bench_need(pid >= 0, "fork");
	if (pid == 0)
		fn(run);
	return pid;
}

static void
measure(struct run run, void (*sender)(const struct run *run),
    struct samples *all, struct samples *change)
{
	pid_t pids[2];
	int status;

	run.port = 0;
	open_listeners(&run);
	bench_need(pipe(run.done) == 0, "pipe");
	pids[0] = start(run_receiver, &run);
	pids[1] = start(sender, &run);
	for (int i = 0; i < 2; i++)
		bench_need(waitpid(pids[i], &status, 0) == pids[i] &&
			status == 0,
		    "run");
	for (unsigned int i = 0; i < run.n_peers; i++)
		close(run.listeners[i]);
	close(run.done[0]);
	close(run.done[1]);
	samples_add(all, run.shared->all_ns - run.shared->established_ns);
	for (unsigned int i = 0; i < CHANGES; i++)
		samples_add(change, run.shared->change_ns[i]);
}

int
main(int argc, char **argv)
{
	struct samples all[2] = { 0 };
	struct samples change[2] = { 0 };
	struct run run = { 0 };
	unsigned int rounds;

	bench_need(argc == 4, "arguments: bench_bgp ROUTES PEERS ROUNDS");
	run.n_routes = bench_number(argv[1], ROUTES_MAX);
	run.n_peers = bench_number(argv[2], PEERS_MAX);
	rounds = bench_number(argv[3], 1000);
	log_init(LOG_LEVEL_ERR);
	run.shared = mmap(NULL, sizeof(*run.shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bench_need(run.shared != MAP_FAILED, "memory");
	for (unsigned int i = 0; i < rounds; i++) {
		measure(run, run_floor, &all[0], &change[0]);
		measure(run, run_speaker, &all[1], &change[1]);
	}
	printf("%.0f\t%.0f\t%.1f\t%.1f\t%.1f\n", samples_us(&all[0], 50),
	    samples_us(&all[1], 50), samples_us(&change[0], 50),
	    samples_us(&change[1], 50), samples_us(&change[1], 99));
	for (int i = 0; i < 2; i++) {
		samples_fini(&all[i]);
		samples_fini(&change[i]);
	}
	return 0;
}
