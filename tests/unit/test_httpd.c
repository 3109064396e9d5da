/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server: its parser by table, and the whole of it over a unix
 * socket in a directory of its own, client and server on one loop.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "ctl/server.h"
#include "ctl_fake.h"
#include "net/httpd_parse.h"
#include "net/listen.h"
#include "sys/clock.h"
#include "sys/loop.h"

/* ---- parser ---- */

static const struct head_case {
	const char *in;
	int rc;
	const char *want; /* method path query flags body */
} heads[] = {
	{ "GET / HTTP/1.1\r\n\r\n", 0, "GET / [] --- 0" },
	{ "GET /a%20b?x=1&y HTTP/1.1\n\n", 0, "GET /a b [x=1&y] --- 0" },
	{ "GET / HTTP/1.0\r\n\r\n", 0, "GET / [] c-- 0" },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0,
	    "GET / [] --- 0" },
	{ "GET / HTTP/1.1\r\ncOnnection:\tClose \r\n\r\n", 0,
	    "GET / [] c-- 0" },
	{ "PUT /x HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 7\r\n"
	  "Expect: 100-continue\r\n\r\n",
	    0, "PUT /x [] -e- 7" },
	{ "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 0,
	    "POST / [] --t 0" },
	{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	    -EINVAL, NULL },
	{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", -EINVAL, NULL },
	{ "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", -EINVAL, NULL },
	{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", -EINVAL, NULL },
	{ "GET / HTTP/1.1\r\nbad name: x\r\n\r\n", -EINVAL, NULL },
	{ "GET / HTTP/1.1\r\n: x\r\n\r\n", -EINVAL, NULL },
	{ "GET / HTTP/2.0\r\n\r\n", -EINVAL, NULL },
	{ "GET /\r\n\r\n", -EINVAL, NULL },
	{ "GET  / HTTP/1.1\r\n\r\n", -EINVAL, NULL },
	{ "GET http://x/ HTTP/1.1\r\n\r\n", -EINVAL, NULL },
	{ "G(T / HTTP/1.1\r\n\r\n", -EINVAL, NULL },
	{ "GET /%0 HTTP/1.1\r\n\r\n", -EINVAL, NULL },
	{ "GET /%00 HTTP/1.1\r\n\r\n", -EINVAL, NULL },
	{ "\r\n\r\n", -EINVAL, NULL },
	{ "\n\n", -EINVAL, NULL },
};

static void
test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		size_t n = strlen(heads[i].in);
		char *buf = mem_strdup(heads[i].in);
		struct httpd_head h;
		char got[200];

		assert_int_equal(httpd_head_length(buf, n), n);
		assert_int_equal(httpd_head_length(buf, n - 1), 0);
		if (httpd_head_parse(buf, n, &h) != heads[i].rc)
			fail_msg("wrong result for %s", heads[i].in);
		if (heads[i].rc == 0) {
			snprintf(got, sizeof(got), "%s %s [%s] %c%c%c %d",
			    h.method, h.path, h.query,
			    h.wants_close ? 'c' : '-',
			    h.wants_continue ? 'e' : '-',
			    h.is_chunked ? 't' : '-', (int)h.body_b);
			assert_string_equal(got, heads[i].want);
		}
		free(buf);
	}
}

static void
test_query(void **state)
{
	static const struct {
		const char *query;
		const char *want;
	} cases[] = {
		{ "name=a", "a" },
		{ "x=1&name=a%2Fb+c&name=no", "a/b c" },
		{ "name=", NULL },
		{ "name", NULL },
		{ "names=a", NULL },
		{ "xname=a", NULL },
		{ "name=%zz&name=b", NULL },
		{ "", NULL },
		{ "&&&", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = httpd_query_get(cases[i].query, "name");

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_true(!got || !*got);
		free(got);
	}
}

/* ---- the server ---- */

struct rig {
	struct loop *loop;
	struct fake *fake;
	struct ctl_server *server;
	struct conf conf;
	char dir[64];
	char path[80];
};

struct client {
	struct rig *rig;
	struct loop_fd *lfd;
	struct loop_timer *deadline;
	int fd;
	struct str out; /* left to send */
	size_t sent;
	struct str in;
	bool is_over;
	bool was_late;
	bool ends; /* closes its writing half once all is sent */
	size_t stop_at; /* octets that are enough; 0: until it closes */
};

static int
setup(void **state)
{
	struct rig *rig = mem_new(struct rig);
	struct err err = { 0 };

	strcpy(rig->dir, "/tmp/eipd-test-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/s", rig->dir);
	rig->loop = loop_new();
	rig->fake = fake_new();
	rig->server = ctl_server_new(rig->loop, fake_state(rig->fake));
	rig->conf.socket = rig->path;
	assert_int_equal(ctl_server_listen(rig->server, &rig->conf, &err), 0);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	ctl_server_free(rig->server);
	loop_free(rig->loop);
	fake_free(rig->fake);
	assert_int_equal(access(rig->path, F_OK), -1);
	rmdir(rig->dir);
	free(rig);
	return 0;
}

static int
dial(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
on_client(void *arg, unsigned int ready)
{
	struct client *c = arg;
	char buf[4096];
	ssize_t n;

	if ((ready & LOOP_WRITE) && c->sent < c->out.n) {
		n = send(c->fd, c->out.s + c->sent, c->out.n - c->sent,
		    MSG_NOSIGNAL);
		c->sent += n > 0 ? (size_t)n : 0;
		if (c->ends && c->sent == c->out.n)
			shutdown(c->fd, SHUT_WR);
	}
	if (ready & LOOP_READ) {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n > 0)
			str_add_n(&c->in, buf, (size_t)n);
		if (n == 0 || (n < 0 && errno != EAGAIN) ||
		    (c->stop_at && c->in.n >= c->stop_at)) {
			c->is_over = true;
			loop_stop(c->rig->loop);
		}
	}
	loop_fd_want(c->lfd,
	    c->is_over		     ? 0
		: c->sent < c->out.n ? LOOP_READ | LOOP_WRITE
				     : LOOP_READ);
}

static void
on_deadline(void *arg)
{
	struct client *c = arg;

	c->was_late = true;
	loop_stop(c->rig->loop);
}

/* Sends `text` and gives what comes back; the caller frees it. */
static char *
converse(struct client c, struct rig *rig, const char *text, size_t n)
{
	c.rig = rig;
	c.fd = dial(rig->path);
	str_add_n(&c.out, text, n);
	c.lfd = loop_fd_new(rig->loop, c.fd, on_client, &c);
	c.deadline = loop_timer_new(rig->loop, on_deadline, &c);
	loop_timer_arm(c.deadline, 20 * MONO_S);
	loop_fd_want(c.lfd, LOOP_READ | LOOP_WRITE);
	loop_run(rig->loop);
	loop_fd_free(c.lfd);
	loop_timer_free(c.deadline);
	close(c.fd);
	str_fini(&c.out);
	if (c.was_late)
		fail_msg("no end after: %s", str_get(&c.in));
	return str_steal(&c.in);
}

static char *
talk(struct rig *rig, const char *text, size_t n, size_t stop_at)
{
	return converse((struct client){ .stop_at = stop_at }, rig, text, n);
}

static char *
talk_text(struct rig *rig, const char *text)
{
	return talk(rig, text, strlen(text), 0);
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

#define CLOSE "Connection: close\r\n\r\n"

static void
test_answers(void **state)
{
	static const struct {
		const char *in;
		const char *want; /* the answer begins so */
	} cases[] = {
		{ "GET /healthz HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n" },
		{ "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
		{ "GET /no HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n" },
		{ "POST /v1/pools HTTP/1.1\r\n" CLOSE,
		    "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ "POST /v1/reload HTTP/1.1\r\nContent-Length: 2\r\n" CLOSE
		  "{}",
		    "HTTP/1.1 200 OK\r\n" },
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "HTTP/1.1 501 Not Implemented\r\n" },
		{ "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
		    "HTTP/1.1 413 Content Too Large\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = talk_text(*state, cases[i].in);

		if (!str_starts_with(got, cases[i].want))
			fail_msg("%s: %s", cases[i].in, got);
		free(got);
	}
}

static void
test_pipeline(void **state)
{
	struct str in = { 0 };
	char *got;

	for (int i = 0; i < 50; i++)
		str_add(&in, "GET /healthz HTTP/1.1\r\n\r\n");
	str_add(&in, "GET /readyz HTTP/1.1\r\n" CLOSE);
	got = talk(*state, in.s, in.n, 0);
	assert_int_equal(count(got, "HTTP/1.1 200 OK"), 51);
	free(got);
	/* As of `printf ... | nc`: no more will come, all is answered. */
	got = converse((struct client){ .ends = true }, *state, in.s, in.n);
	assert_int_equal(count(got, "HTTP/1.1 200 OK"), 51);
	free(got);
	str_fini(&in);
}

/* What follows the head would be taken for the next answer. */
static void
test_head_has_no_body(void **state)
{
	char *got = talk_text(*state,
	    "HEAD /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n" CLOSE);
	char *next = strstr(got, "\r\n\r\n");

	assert_true(str_starts_with(got, "HTTP/1.1 405 "));
	assert_non_null(next);
	assert_true(str_starts_with(next + 4, "HTTP/1.1 200 OK\r\n"));
	free(got);
}

static void
test_large(void **state)
{
	struct str in = { 0 };
	char *got;

	str_add(&in,
	    "POST /v1/reload HTTP/1.1\r\nContent-Length: 1048576\r\n"
	    "Expect: 100-continue\r\n" CLOSE);
	for (int i = 0; i < 1 << 20; i++)
		str_add_n(&in, " ", 1);
	got = talk(*state, in.s, in.n, 0);
	assert_int_equal(count(got, "HTTP/1.1 400 Bad Request"), 1);
	free(got);
	str_clear(&in);
	str_add(&in, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 20000; i++)
		str_add_n(&in, "x", 1);
	got = talk(*state, in.s, in.n, 0);
	assert_true(str_starts_with(got, "HTTP/1.1 431 "));
	free(got);
	str_fini(&in);
}

/* More clients that say nothing than may stay: the oldest make room. */
static void
test_idle_clients(void **state)
{
	enum {
		CLIENTS = 300
	};
	struct rlimit before;
	struct rlimit few;
	struct rig *rig = *state;
	int fds[CLIENTS];
	char byte;
	char *got;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 512; /* a quarter of it for the server's clients */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	ctl_server_free(rig->server);
	rig->server = ctl_server_new(rig->loop, fake_state(rig->fake));
	assert_int_equal(ctl_server_listen(rig->server, &rig->conf, NULL), 0);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = dial(rig->path);
		if (i % 100 != 99)
			continue;
		got = talk_text(rig, "GET /healthz HTTP/1.1\r\n" CLOSE);
		assert_true(str_starts_with(got, "HTTP/1.1 200"));
		free(got);
	}
	assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
	assert_int_equal(recv(fds[CLIENTS - 1], &byte, 1, 0), -1);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	setrlimit(RLIMIT_NOFILE, &before);
}

struct ticker {
	struct ctl_server *server;
	struct loop_timer *timer;
};

static void
on_tick(void *arg)
{
	struct ticker *ticker = arg;

	for (int i = 0; i < 100; i++)
		ctl_server_event(ticker->server, "peer", "tor1", "Established");
	loop_timer_arm(ticker->timer, 100);
}

static void
test_events(void **state)
{
	static const char request[] = "GET /v1/events HTTP/1.1\r\n\r\n";
	static const char line[] = "{\"time\":\"2026-01-02T03:04:05Z\","
				   "\"kind\":\"peer\",\"subject\":\"tor1\","
				   "\"text\":\"Established\"}\n\r\n";
	struct rig *rig = *state;
	struct ticker ticker = { .server = rig->server };
	int lazy = dial(rig->path);
	char buf[4096];
	size_t total = 0;
	ssize_t n;
	char *got;

	assert_int_equal(send(lazy, request, strlen(request), 0),
	    strlen(request));
	ticker.timer = loop_timer_new(rig->loop, on_tick, &ticker);
	loop_timer_arm(ticker.timer, 0);
	got = talk(rig, request, strlen(request), 2 << 20);
	loop_timer_free(ticker.timer);
	assert_true(str_starts_with(got, "HTTP/1.1 200 OK\r\n"));
	snprintf(buf, sizeof(buf), "\r\n\r\n%zx\r\n{", strlen(line) - 2);
	assert_non_null(strstr(got, buf));
	assert_true(count(got, line) > 1000);
	free(got);
	/* One that never reads is cut off, with a bounded rest. */
	while ((n = recv(lazy, buf, sizeof(buf), 0)) > 0)
		total += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(total < 1 << 20);
	close(lazy);
}

struct waiter {
	struct rig *rig;
	struct loop_timer *timer;
	int n_retries;
};

static void
on_wait(void *arg)
{
	struct waiter *waiter = arg;

	fake_set_ready(waiter->rig->fake, ++waiter->n_retries >= 3);
	ctl_server_retry(waiter->rig->server);
	loop_timer_arm(waiter->timer, 10 * MONO_MS);
}

/* An answer that has to wait, for one that stays and one that leaves; what
 * comes behind it on the connection waits too. */
static void
test_wait(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	struct rig *rig = *state;
	struct waiter waiter = { .rig = rig };
	int gone = dial(rig->path);
	char *got;

	fake_set_ready(rig->fake, false);
	assert_int_equal(send(gone, request, strlen(request), 0),
	    strlen(request));
	close(gone);
	waiter.timer = loop_timer_new(rig->loop, on_wait, &waiter);
	loop_timer_arm(waiter.timer, 10 * MONO_MS);
	got = talk_text(rig,
	    "POST /v1/nothing HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
	    "GET /metrics HTTP/1.1\r\n\r\n"
	    "GET /healthz HTTP/1.1\r\n" CLOSE);
	loop_timer_free(waiter.timer);
	assert_true(waiter.n_retries >= 3);
	assert_int_equal(count(got, "HTTP/1.1 "), 3);
	assert_int_equal(count(got, "HTTP/1.1 200 OK"), 2);
	assert_int_equal(count(got, "# EOF\nHTTP/1.1 200 OK"), 1);
	free(got);
}

/* A long list does not keep others waiting; one of its readers leaves. */
static void
test_long_list(void **state)
{
	enum {
		TIMES = 5000
	};
	static const char request[] = "GET /v1/services HTTP/1.1\r\n" CLOSE;
	struct rig *rig = *state;
	int gone = dial(rig->path);
	char octet;
	char *got;

	fake_list_times(rig->fake, TIMES);
	assert_int_equal(send(gone, request, strlen(request), 0),
	    strlen(request));
	got = talk_text(rig, "GET /healthz HTTP/1.1\r\n" CLOSE);
	assert_int_equal(count(got, "HTTP/1.1 200 OK"), 1);
	free(got);
	assert_int_equal(recv(gone, &octet, 1, MSG_DONTWAIT), -1);
	close(gone);
	got = talk_text(rig, request);
	assert_int_equal(count(got, "HTTP/1.1 200 OK"), 1);
	assert_int_equal(count(got, "\"name\":\"api\""), TIMES);
	assert_true(
	    strlen(got) > 2 && strcmp(got + strlen(got) - 3, "]}\n") == 0);
	free(got);
}

/* ---- the socket file ---- */

static void
test_socket_file(void **state)
{
	struct rig *rig = *state;
	struct err err = { 0 };
	struct stat st;
	char path[160];
	char *got;
	FILE *f;
	int fd = -1;

	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(listen_unix(rig->path, &fd, &err), -EADDRINUSE);
	/* Removed under us: the next call makes it again. */
	assert_int_equal(unlink(rig->path), 0);
	assert_int_equal(ctl_server_listen(rig->server, &rig->conf, &err), 0);
	got = talk_text(rig, "GET /healthz HTTP/1.1\r\n" CLOSE);
	assert_true(str_starts_with(got, "HTTP/1.1 200"));
	free(got);

	snprintf(path, sizeof(path), "%s/stale", rig->dir);
	assert_int_equal(listen_unix(path, &fd, &err), 0);
	close(fd);
	assert_int_equal(listen_unix(path, &fd, &err), 0);
	close(fd);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(listen_unix(path, &fd, &err), -EEXIST);
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/s", rig->dir);
	assert_int_equal(listen_unix(path, &fd, &err), -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(listen_unix(path, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(listen_unix_group(rig->path, "no-such-group", &err),
	    -ENOENT);
	assert_non_null(strstr(err.text, "create it"));
	assert_int_equal(listen_unix_group(rig->path, "", &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_query),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipeline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head_has_no_body, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_clients, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_list, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
