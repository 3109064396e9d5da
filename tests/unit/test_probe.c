/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_probe: probes against a server on the loopback, in this process.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "net/tcp_get.h"
#include "source/probe.h"
#include "sys/loop.h"

enum {
	DEADLINE_S = 60 /* of a loaded machine */
};

/* Answers every request with `answer`: NULL says nothing, "" closes. */
struct server {
	struct loop *loop;
	struct loop_fd *lfd;
	int fd;
	uint16_t port;
	const char *answer;
	unsigned int n;
	unsigned int stop_at; /* ends the loop when so many came */
	int held[600]; /* every connection, until the end */
	size_t n_held;
};

static void
on_connection(void *arg, unsigned int ready)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);

	(void)ready;
	if (fd < 0)
		return;
	if (++s->n == s->stop_at)
		loop_stop(s->loop);
	assert_true(s->n_held < ARRAY_LEN(s->held));
	s->held[s->n_held++] = fd;
	if (!s->answer)
		return;
	if (*s->answer)
		(void)send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

static void
server_open(struct server *s, struct loop *loop, int family)
{
	struct sockaddr_storage sa = { .ss_family = (sa_family_t)family };
	socklen_t sa_b = family == AF_INET ? sizeof(struct sockaddr_in)
					   : sizeof(struct sockaddr_in6);
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };

	*s = (struct server){ .loop = loop, .answer = "" };
	memcpy(&sa, family == AF_INET ? (void *)&in4 : (void *)&in6, sa_b);
	s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(s->fd, (struct sockaddr *)&sa, sa_b) < 0 ||
	    listen(s->fd, 1024) < 0) {
		close(s->fd);
		skip(); /* no such family here */
	}
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sa, &sa_b), 0);
	memcpy(&in4, &sa, sizeof(in4)); /* the port is at one place */
	s->port = ntohs(in4.sin_port);
	s->lfd = loop_fd_new(loop, s->fd, on_connection, s);
	loop_fd_want(s->lfd, LOOP_READ);
}

static void
server_close(struct server *s)
{
	loop_fd_free(s->lfd);
	close(s->fd);
	for (size_t i = 0; i < s->n_held; i++)
		close(s->held[i]);
}

struct fixture {
	struct loop *loop;
	struct loop_timer *deadline;
	struct server server;
	struct probe *probe;
	struct probe_conf conf;
	struct str changes;
	const char *until; /* stop once the changes read so */
};

static void
on_deadline(void *arg)
{
	struct fixture *f = arg;

	print_error("deadline: %s\n", str_get(&f->changes));
	f->until = NULL;
	loop_stop(f->loop);
}

static void
on_change(void *arg, const char *cluster, const char *node,
    enum probe_state state)
{
	static const char *const names[] = { "unknown", "up", "down" };
	struct fixture *f = arg;

	str_printf(&f->changes, "%s/%s=%s ", cluster, node, names[state]);
	if (f->until && str_eq(str_get(&f->changes), f->until))
		loop_stop(f->loop);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->loop = loop_new();
	f->deadline = loop_timer_new(f->loop, on_deadline, f);
	f->probe = probe_new(f->loop, on_change, f);
	server_open(&f->server, f->loop, AF_INET);
	f->conf = (struct probe_conf){
		.is_on = true,
		.port = f->server.port,
		.path = "/healthz",
		.interval_us = 20 * MONO_MS,
		.timeout_us = 500 * MONO_MS,
		.fall = 2,
		.rise = 1,
	};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	probe_free(f->probe);
	server_close(&f->server);
	loop_timer_free(f->deadline);
	loop_free(f->loop);
	str_fini(&f->changes);
	free(f);
	return 0;
}

static void
run_until(struct fixture *f, const char *changes)
{
	f->until = changes;
	loop_timer_arm(f->deadline, DEADLINE_S * MONO_S);
	loop_run(f->loop);
	loop_timer_disarm(f->deadline);
	assert_string_equal(str_get(&f->changes), changes);
}

static void
probe_loopback(struct fixture *f, const char *node)
{
	struct addr a;

	assert_int_equal(addr_parse("127.0.0.1", &a), 0);
	probe_set(f->probe, "c", node, &a);
}

static void
assert_error(struct fixture *f, const char *want)
{
	struct probe_status status;

	assert_true(probe_get(f->probe, "c", "n1", &status));
	assert_string_equal(status.error, want);
}

static const struct failure_case {
	const char *answer;
	const char *error;
} failures[] = {
	{ "HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP 503" },
	{ "HTTP/1.0 404 Not Found\r\n\r\n", "HTTP 404" },
	{ "HTTP/1.1 302 Found\r\n\r\n", "HTTP 302" },
	{ "SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP" },
	{ "HTTP/1.1 2x0 OK\r\n", "the answer is not HTTP" },
	{ "HTTP/1.1", "the answer is not HTTP" },
	{ "", "closed without an answer" },
};

static void
test_failures(void **state)
{
	struct fixture *f = *state;

	probe_configure(f->probe, &f->conf);
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		f->server.answer = failures[i].answer;
		probe_loopback(f, "n1");
		run_until(f, "c/n1=down ");
		assert_error(f, failures[i].error);
		probe_remove(f->probe, "c", "n1");
		str_clear(&f->changes);
	}
}

static void
test_up_down_up(void **state)
{
	struct fixture *f = *state;
	struct probe_status status;

	probe_configure(f->probe, &f->conf);
	f->server.answer = "HTTP/1.1 200 OK\r\n\r\n";
	probe_loopback(f, "n1");
	assert_true(probe_get(f->probe, "c", "n1", &status));
	assert_int_equal(status.state, PROBE_UNKNOWN);
	run_until(f, "c/n1=up ");
	assert_error(f, "");
	f->server.answer = "HTTP/1.1 503 No\r\n\r\n";
	run_until(f, "c/n1=up c/n1=down ");
	assert_error(f, "HTTP 503");
	f->server.answer = "HTTP/1.1 200 OK\r\n\r\n";
	run_until(f, "c/n1=up c/n1=down c/n1=up ");
	assert_error(f, "");
	assert_false(probe_get(f->probe, "c", "n2", &status));
	assert_false(probe_get(f->probe, "", "cn1", &status));
	/* Switched off: nothing is known any more. */
	f->conf.is_on = false;
	probe_configure(f->probe, &f->conf);
	assert_string_equal(str_get(&f->changes),
	    "c/n1=up c/n1=down c/n1=up c/n1=unknown ");
}

/* One failure is not a fall, and counts anew after each success. */
static void
test_fall_counts(void **state)
{
	struct fixture *f = *state;
	unsigned int before;

	f->conf.fall = 5;
	f->conf.rise = 3;
	probe_configure(f->probe, &f->conf);
	f->server.answer = "HTTP/1.1 204 \r\n\r\n";
	probe_loopback(f, "n1");
	run_until(f, "c/n1=up ");
	assert_true(f->server.n >= 3);
	before = f->server.n;
	f->server.answer = "";
	run_until(f, "c/n1=up c/n1=down ");
	assert_true(f->server.n - before >= 5);
}

static void
test_refused_and_timeout(void **state)
{
	struct fixture *f = *state;

	f->conf.port = 1; /* nobody listens there */
	probe_configure(f->probe, &f->conf);
	probe_loopback(f, "n1");
	run_until(f, "c/n1=down ");
	assert_error(f, "connection refused");
	f->conf.port = f->server.port;
	f->conf.timeout_us = 50 * MONO_MS;
	f->server.answer = NULL;
	probe_configure(f->probe, &f->conf);
	probe_remove(f->probe, "c", "n1");
	probe_loopback(f, "n1");
	run_until(f, "c/n1=down c/n1=down ");
	assert_error(f, "timeout after 50ms");
}

static void
test_address_changes(void **state)
{
	struct fixture *f = *state;
	struct addr a;

	probe_configure(f->probe, &f->conf);
	f->server.answer = "HTTP/1.1 200 OK\r\n\r\n";
	probe_loopback(f, "n1");
	run_until(f, "c/n1=up ");
	probe_loopback(f, "n1"); /* the same: nothing happens */
	assert_int_equal(addr_parse("127.0.0.2", &a), 0);
	probe_set(f->probe, "c", "n1", &a);
	run_until(f, "c/n1=up c/n1=unknown c/n1=down ");
	assert_error(f, "connection refused");
}

static void
test_ipv6(void **state)
{
	struct fixture *f = *state;
	struct server s;
	struct addr a;

	server_open(&s, f->loop, AF_INET6);
	s.answer = "HTTP/1.1 200 OK\r\n\r\n";
	f->conf.port = s.port;
	probe_configure(f->probe, &f->conf);
	assert_int_equal(addr_parse("::1", &a), 0);
	probe_set(f->probe, "c", "n6", &a);
	run_until(f, "c/n6=up ");
	probe_remove(f->probe, "c", "n6");
	server_close(&s);
}

static void
count_change(void *arg, const char *cluster, const char *node,
    enum probe_state state)
{
	struct fixture *f = arg;

	(void)cluster;
	(void)node;
	(void)state;
	str_add(&f->changes, "x");
	if (f->changes.n == 2000)
		loop_stop(f->loop);
}

/* More targets than may be in flight, all of them silent: never more than
 * 512 connections at a time, and each gets its turn. */
static void
test_in_flight(void **state)
{
	struct fixture *f = *state;
	char node[16];

	probe_free(f->probe);
	f->probe = probe_new(f->loop, count_change, f);
	f->conf.fall = 1;
	f->conf.port = 1;
	f->conf.interval_us = MONO_MS;
	probe_configure(f->probe, &f->conf);
	for (int i = 0; i < 2000; i++) {
		snprintf(node, sizeof(node), "n%d", i);
		probe_loopback(f, node);
	}
	loop_timer_arm(f->deadline, DEADLINE_S * MONO_S);
	loop_run(f->loop);
	loop_timer_disarm(f->deadline);
	assert_int_equal(f->changes.n, 2000);
	/* Silent ones next; let the waiting queue fill, then remove. */
	f->conf.port = f->server.port;
	f->conf.timeout_us = DEADLINE_S * MONO_S;
	f->server.answer = NULL;
	probe_configure(f->probe, &f->conf);
	f->server.stop_at = 512;
	loop_timer_arm(f->deadline, DEADLINE_S * MONO_S);
	loop_run(f->loop);
	assert_int_equal(f->server.n, 512);
	/* Time for one too many. */
	loop_timer_arm(f->deadline, 200 * MONO_MS);
	loop_run(f->loop);
	assert_int_equal(f->server.n, 512);
	for (int i = 0; i < 2000; i += 2) {
		snprintf(node, sizeof(node), "n%d", i);
		probe_remove(f->probe, "c", node);
	}
}

struct once {
	struct loop *loop;
	int status;
	char error[96];
	unsigned int calls;
};

static void
on_once(void *arg, int status, const char *error)
{
	struct once *o = arg;

	o->status = status;
	o->calls++;
	snprintf(o->error, sizeof(o->error), "%s", error);
	loop_stop(o->loop);
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
test_tcp_get(void **state)
{
	struct fixture *f = *state;
	struct once o = { .loop = f->loop };
	struct tcp_get_conf conf = { .port = f->server.port,
		.path = "/x",
		.timeout_us = MONO_S };
	struct loop_timer *timer = loop_timer_new(f->loop, stop, f->loop);
	struct tcp_get *get;

	/* An address of no family, and one without a route: told later. */
	conf.addr = (struct addr){ 0 };
	tcp_get_new(f->loop, &conf, on_once, &o);
	assert_int_equal(o.calls, 0);
	loop_run(f->loop);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.status, 0);
	assert_true(o.error[0] != '\0');
	/* Cancelled: never told. */
	assert_int_equal(addr_parse("127.0.0.1", &conf.addr), 0);
	get = tcp_get_new(f->loop, &conf, on_once, &o);
	tcp_get_cancel(get);
	loop_timer_arm(timer, 20 * MONO_MS);
	loop_run(f->loop);
	assert_int_equal(o.calls, 1);
	loop_timer_free(timer);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failures),
		TEST(test_up_down_up),
		TEST(test_fall_counts),
		TEST(test_refused_and_timeout),
		TEST(test_address_changes),
		TEST(test_ipv6),
		TEST(test_in_flight),
		TEST(test_tcp_get),
	};

	struct rlimit files;

	/* Both ends of every connection are in this process. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
