/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_http: a peer that sends faster than its data is taken.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http.h"
#include "sys/loop.h"

enum {
	LINE_B = 16,
	N_LINES = 1 << 21,
	BODY_B = LINE_B * N_LINES,
	CHUNK_MAX_B = 64 << 10
};

struct fixture {
	struct loop *loop;
	struct loop_timer *timer;
	struct http_request *request;
	char line[LINE_B + 1];
	size_t n_taken;
	size_t n_held; /* taken when it was held */
	size_t n_lines;
	struct http_result result;
};

/* A process of its own: sends for as long as anybody takes it. */
static pid_t
start_server(int listener)
{
	pid_t pid = fork();
	char buf[4096];
	FILE *f;
	int fd;

	if (pid != 0)
		return pid;
	signal(SIGPIPE, SIG_DFL);
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || read(fd, buf, sizeof(buf)) <= 0)
		_exit(1);
	f = fdopen(fd, "w");
	fprintf(f, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY_B);
	for (int i = 0; i < N_LINES; i++)
		fprintf(f, "%15d\n", i);
	_exit(fclose(f) ? 1 : 0);
}

static void
take(struct fixture *f, const char *data, size_t size_b)
{
	char want[LINE_B + 1];

	for (size_t i = 0; i < size_b; i++) {
		f->line[f->n_taken++ % LINE_B] = data[i];
		if (f->n_taken % LINE_B)
			continue;
		snprintf(want, sizeof(want), "%15zu\n", f->n_lines++);
		if (memcmp(f->line, want, LINE_B) != 0)
			fail_msg("line %zu: %.16s", f->n_lines, f->line);
	}
}

static void
on_data(void *arg, const char *data, size_t size_b)
{
	struct fixture *f = arg;

	take(f, data, size_b);
	if (f->n_held)
		return;
	http_hold(f->request, true);
	f->n_held = f->n_taken;
	loop_timer_arm(f->timer, 200 * MONO_MS);
}

static void
on_held(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(f->n_taken, f->n_held);
	http_hold(f->request, false);
}

static void
on_done(void *arg, const struct http_result *result)
{
	struct fixture *f = arg;

	f->result = *result;
	loop_stop(f->loop);
}

static void
test_held(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t at_b = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct fixture f = { .loop = loop_new() };
	struct http *http = http_new(f.loop);
	struct http_endpoint *endpoint = NULL;
	struct err err;
	char url[64];
	int status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, at_b), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &at_b),
	    0);
	pid = start_server(listener);
	assert_true(pid > 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	assert_int_equal(
	    http_endpoint_new(&(struct http_endpoint_conf){ .url = url,
				  .proxy = "" },
		&endpoint, &err),
	    0);
	f.timer = loop_timer_new(f.loop, on_held, &f);
	f.request = http_start(http, endpoint,
	    &(struct http_request_conf){ .method = "GET",
		.path = "/",
		.is_stream = true,
		.on_data = on_data,
		.on_done = on_done,
		.arg = &f });
	loop_run(f.loop);
	assert_int_equal(f.result.err.code, 0);
	assert_int_equal(f.result.response.status, 200);
	assert_in_range(f.n_held, 1, CHUNK_MAX_B);
	assert_int_equal(f.n_taken, BODY_B);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	http_endpoint_unref(endpoint);
	http_free(http);
	loop_timer_free(f.timer);
	loop_free(f.loop);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
