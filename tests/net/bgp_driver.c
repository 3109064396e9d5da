/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_driver: the BGP speaker alone, told what to do line by line on standard
 * input, so that it can be set against real peers without the daemon.
 *
 * global AS ROUTER-ID [ADDRESS PORT]...
 * peer NAME ADDRESS AS [key=value]...   collected until `commit`
 * commit | start | status | routes
 * announce PREFIX [COUNT] | withdraw PREFIX [COUNT]
 * quit stop|keep
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apply/bgp_speaker.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/log.h"
#include "sys/loop.h"

enum {
	PEERS_MAX = 16,
	WORDS_MAX = 32
};

static struct loop *loop;
static struct bgp_speaker *speaker;
static struct bgp_global global;
static struct bgp_peer peers[PEERS_MAX];
static size_t n_peers;

static void
need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bgp_driver: bad %s\n", what);
	exit(2);
}

static struct addr
address(const char *s)
{
	struct addr a = { 0 };

	need(s && addr_parse(s, &a) == 0, "address");
	return a;
}

static uint32_t
number(const char *s)
{
	uint64_t n = 0;

	need(s && str_to_u64(s, UINT32_MAX, &n) == 0, "number");
	return (uint32_t)n;
}

static void
do_global(char **w, size_t n)
{
	global = (struct bgp_global){ 0 };
	need(n >= 3, "global");
	global.as = number(w[1]);
	if (strcmp(w[2], "-") != 0)
		global.router_id = address(w[2]);
	for (size_t i = 3; i + 1 < n; i += 2) {
		global.listen[global.n_listen].addr = address(w[i]);
		global.listen[global.n_listen++].port =
		    (uint16_t)number(w[i + 1]);
	}
}

static void
set_option(struct bgp_peer *p, const char *key, const char *value)
{
	if (strcmp(key, "password") == 0)
		p->password = mem_strdup(value);
	else if (strcmp(key, "password-file") == 0)
		p->password_file = mem_strdup(value);
	else if (strcmp(key, "passive") == 0)
		p->is_passive = number(value);
	else if (strcmp(key, "down") == 0)
		p->is_admin_down = number(value);
	else if (strcmp(key, "hold") == 0)
		p->hold_time_s = (uint16_t)number(value);
	else if (strcmp(key, "port") == 0)
		p->remote_port = (uint16_t)number(value);
	else if (strcmp(key, "local") == 0)
		p->local_address = address(value);
	else if (strcmp(key, "local-as") == 0)
		p->local_as = number(value);
	else if (strcmp(key, "interface") == 0)
		p->bind_interface = mem_strdup(value);
	else if (strcmp(key, "next-hop6") == 0)
		p->next_hop_ipv6 = address(value);
	else if (strcmp(key, "multihop") == 0)
		p->multihop_ttl = (uint8_t)number(value);
	else if (strcmp(key, "gtsm") == 0)
		p->ttl_security = number(value);
	else if (strcmp(key, "ipv4") == 0)
		p->ipv4_unicast = number(value);
	else if (strcmp(key, "ipv6") == 0)
		p->ipv6_unicast = number(value);
	else if (strcmp(key, "restart-time") == 0)
		p->graceful_restart = (struct bgp_graceful_restart){ true,
			number(value) > 0, (uint16_t)number(value) };
	else
		need(false, key);
}

static void
do_peer(char **w, size_t n)
{
	struct bgp_peer *p = &peers[n_peers];

	need(n >= 4 && n_peers < PEERS_MAX, "peer");
	*p = (struct bgp_peer){ 0 };
	p->o.name = mem_strdup(w[1]);
	p->address = address(w[2]);
	p->peer_as = number(w[3]);
	p->ipv4_unicast = true;
	p->ipv6_unicast = true;
	for (size_t i = 4; i < n; i++) {
		char *eq = strchr(w[i], '=');

		need(eq, "option");
		*eq = '\0';
		set_option(p, w[i], eq + 1);
	}
	n_peers++;
}

static void
forget_peers(void)
{
	for (size_t i = 0; i < n_peers; i++) {
		void *owned[] = { (void *)(uintptr_t)peers[i].o.name,
			(void *)(uintptr_t)peers[i].password,
			(void *)(uintptr_t)peers[i].password_file,
			(void *)(uintptr_t)peers[i].bind_interface };

		for (size_t k = 0; k < ARRAY_LEN(owned); k++)
			free(owned[k]);
	}
	n_peers = 0;
}

static void
do_commit(void)
{
	const struct bgp_peer *all[PEERS_MAX];

	for (size_t i = 0; i < n_peers; i++)
		all[i] = &peers[i];
	bgp_speaker_configure(speaker, &global, all, n_peers);
	forget_peers();
}

static void
do_routes(char **w, size_t n, bool is_announce)
{
	struct prefix p;
	uint64_t count = n > 2 ? number(w[2]) : 1;

	need(n >= 2 && prefix_parse(w[1], &p) == 0, "prefix");
	for (uint64_t i = 0; i < count; i++) {
		struct prefix one = p;

		need(addr_add(&p.addr, i, &one.addr), "count");
		if (is_announce)
			bgp_speaker_announce(speaker, &one);
		else
			bgp_speaker_withdraw(speaker, &one);
	}
}

static void
print_peer(void *arg, const struct peer_status *s)
{
	(void)arg;
	printf("peer %s %s advertised=%llu eor=%d updates_in=%llu "
	       "updates_out=%llu caps=",
	    s->name, bgp_state_name(s->state),
	    (unsigned long long)s->advertised, s->is_end_of_rib_sent,
	    (unsigned long long)s->updates_in,
	    (unsigned long long)s->updates_out);
	for (size_t i = 0; i < s->n_capabilities; i++)
		printf("%s%s", i ? "," : "", s->capabilities[i]);
	printf(" error=\"%s\" message=\"%s\"\n", s->last_error, s->message);
}

static void
print_route(void *arg, const struct route_status *r)
{
	char prefix[PREFIX_TEXT_B];
	char hop[ADDR_TEXT_B];

	(void)arg;
	printf("route %s %s via %s\n", r->peer, prefix_text(&r->prefix, prefix),
	    addr_text(&r->next_hop, hop));
}

static void
run_line(char *line)
{
	char *w[WORDS_MAX] = { NULL };
	size_t n = 0;

	for (char *t = strtok(line, " \n"); t && n < WORDS_MAX;
	     t = strtok(NULL, " \n"))
		w[n++] = t;
	if (!n)
		return;
	if (strcmp(w[0], "global") == 0) {
		do_global(w, n);
	} else if (strcmp(w[0], "peer") == 0) {
		do_peer(w, n);
	} else if (strcmp(w[0], "commit") == 0) {
		do_commit();
	} else if (strcmp(w[0], "start") == 0) {
		bgp_speaker_start(speaker);
	} else if (strcmp(w[0], "announce") == 0) {
		do_routes(w, n, true);
	} else if (strcmp(w[0], "withdraw") == 0) {
		do_routes(w, n, false);
	} else if (strcmp(w[0], "status") == 0) {
		bgp_speaker_each_peer(speaker, print_peer, NULL);
		printf("problem \"%s\"\n.\n", bgp_speaker_problem(speaker));
	} else if (strcmp(w[0], "routes") == 0) {
		bgp_speaker_each_route(speaker, NULL, print_route, NULL);
		printf(".\n");
	} else if (strcmp(w[0], "quit") == 0) {
		bgp_speaker_free(speaker, n > 1 && strcmp(w[1], "keep") == 0);
		loop_stop(loop);
	} else {
		need(false, w[0]);
	}
	fflush(stdout);
}

/* Lines come whole and are short: the tests write them with one call. */
static void
on_input(void *arg, unsigned int ready)
{
	static char buf[65536];
	static size_t n;
	ssize_t got = read(STDIN_FILENO, buf + n, sizeof(buf) - 1 - n);
	char *eol;

	(void)arg;
	(void)ready;
	if (got <= 0) {
		loop_stop(loop);
		return;
	}
	n += (size_t)got;
	buf[n] = '\0';
	while ((eol = strchr(buf, '\n'))) {
		char line[1024];
		size_t len = (size_t)(eol - buf) + 1;

		need(len < sizeof(line), "line");
		memcpy(line, buf, len);
		line[len] = '\0';
		memmove(buf, eol + 1, n - len + 1);
		n -= len;
		run_line(line);
	}
}

int
main(void)
{
	struct loop_fd *in;

	log_init(LOG_LEVEL_DEBUG);
	loop = loop_new();
	speaker = bgp_speaker_new(loop, NULL);
	in = loop_fd_new(loop, STDIN_FILENO, on_input, NULL);
	loop_fd_want(in, LOOP_READ);
	loop_run(loop);
	loop_fd_free(in);
	loop_free(loop);
	return 0;
}
