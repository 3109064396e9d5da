/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "net/httpd_parse.h"
#include "sys/log.h"
#include "sys/loop.h"

#define SWEEP_US MONO_S
#define IDLE_US (INT64_C(60) * MONO_S) /* between two requests */
#define REQUEST_US (INT64_C(10) * MONO_S) /* to send one request */
#define TAKE_US (INT64_C(30) * MONO_S) /* without taking an octet */
/* Closing at once with unread data makes the kernel reset the connection,
 * and the client would lose the answer that says why. */
#define LINGER_US (INT64_C(2) * MONO_S)

enum {
	ACCEPTS_A_TURN = 16,
	READ_B = 4 << 10,
	WRITE_TURN_B = 256 << 10, /* a turn of the loop serves others too */
	QUEUED_MAX_B = 64 << 20, /* of all connections; then 503 */
	STREAM_BACKLOG_B = 256 << 10,
	STREAMS_MAX = 64,
	LINGER_MAX_B = 4 << 20,
};

enum conn_state {
	CONN_HEAD, /* reading a request's head; idle when `in` is empty */
	CONN_BODY,
	CONN_WAIT, /* for httpd_retry() */
	CONN_ANSWER,
	CONN_STREAM,
	CONN_LINGER, /* answer sent, reading to the end */
	CONN_DEAD, /* waits for the reaper */
};

struct httpd_conn {
	struct httpd *httpd;
	struct loop_fd *lfd;
	int fd;
	enum conn_state state;
	mono_t since; /* of the state; for output: of the last progress */
	struct str in;
	struct str out;
	size_t out_at; /* sent of `out` */
	size_t lingered_b;
	struct httpd_head head; /* points into head_text */
	char *head_text;
	size_t head_b;
	mono_t asked; /* when the request was complete; 0: it is not yet */
	bool is_answered;
	bool is_due; /* while it waits: the handler is to be asked again */
	void *rest; /* NULL: none */
	void (*forget)(void *rest);
};

struct httpd_listener {
	struct httpd *httpd;
	struct loop_fd *lfd;
	int fd;
};

struct httpd {
	struct loop *loop;
	httpd_fn *fn;
	void *arg;
	void (
	    *error_fn)(struct str *body, unsigned int status, const char *text);
	const char *error_type;
	VEC(struct httpd_conn *) conns;
	VEC(struct httpd_listener *) listeners;
	struct loop_timer *sweeper;
	struct loop_timer *retrier;
	size_t conns_max;
	size_t n_streams;
	size_t queued_b;
	bool is_reap_deferred;
	bool is_freed; /* the reaper frees it */
};

static void conn_advance(struct httpd_conn *conn);

static void
httpd_destroy(struct httpd *httpd)
{
	vec_fini(&httpd->conns);
	vec_fini(&httpd->listeners);
	free(httpd);
}

static void
conn_free(struct httpd_conn *conn)
{
	if (conn->rest)
		conn->forget(conn->rest);
	loop_fd_free(conn->lfd);
	close(conn->fd);
	str_fini(&conn->in);
	str_fini(&conn->out);
	free(conn->head_text);
	free(conn);
}

static void
on_reap(void *arg)
{
	struct httpd *httpd = arg;
	size_t kept = 0;

	httpd->is_reap_deferred = false;
	for (size_t i = 0; i < httpd->conns.n; i++) {
		struct httpd_conn *conn = httpd->conns.v[i];

		if (conn->state == CONN_DEAD)
			conn_free(conn);
		else
			httpd->conns.v[kept++] = conn;
	}
	httpd->conns.n = kept;
	if (httpd->is_freed)
		httpd_destroy(httpd);
}

static size_t
conn_queued(const struct httpd_conn *conn)
{
	return conn->out.n - conn->out_at;
}

static void
conn_enter(struct httpd_conn *conn, enum conn_state state)
{
	struct httpd *httpd = conn->httpd;

	if (conn->state == CONN_STREAM)
		httpd->n_streams--;
	if (state == CONN_STREAM)
		httpd->n_streams++;
	conn->state = state;
	conn->since = loop_now(httpd->loop);
}

static void
conn_kill(struct httpd_conn *conn)
{
	struct httpd *httpd = conn->httpd;

	if (conn->state == CONN_DEAD)
		return;
	httpd->queued_b -= conn_queued(conn);
	str_fini(&conn->out);
	conn->out_at = 0;
	conn_enter(conn, CONN_DEAD);
	loop_fd_want(conn->lfd, 0);
	shutdown(conn->fd, SHUT_RDWR);
	if (!httpd->is_reap_deferred) {
		httpd->is_reap_deferred = true;
		loop_defer(httpd->loop, on_reap, httpd);
	}
}

static void
queue_head(struct httpd_conn *conn, unsigned int status,
    const char *content_type, const char *allow)
{
	str_printf(&conn->out,
	    "HTTP/1.1 %u %s\r\n"
	    "Content-Type: %s\r\n"
	    "Cache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n",
	    status, httpd_reason(status), content_type);
	if (allow)
		str_printf(&conn->out, "Allow: %s\r\n", allow);
	if (conn->head.wants_close)
		str_add(&conn->out, "Connection: close\r\n");
}

void
httpd_reply(struct httpd_conn *conn, unsigned int status,
    const char *content_type, struct str *body, const char *allow)
{
	size_t before = conn_queued(conn);

	queue_head(conn, status, content_type, allow);
	str_printf(&conn->out, "Content-Length: %zu\r\n\r\n", body->n);
	if (!str_eq(conn->head.method, "HEAD"))
		str_add_n(&conn->out, str_get(body), body->n);
	str_fini(body);
	conn->httpd->queued_b += conn_queued(conn) - before;
	conn->is_answered = true;
	conn_enter(conn, CONN_ANSWER);
}

void
httpd_wait(struct httpd_conn *conn, void *rest, void (*forget)(void *rest))
{
	conn->is_answered = true;
	conn->is_due = rest != NULL; /* on_retry() asks no other */
	conn->rest = rest;
	conn->forget = forget;
	conn_enter(conn, CONN_WAIT);
	loop_timer_arm(conn->httpd->retrier, 0);
}

void
httpd_retry(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->conns.n; i++)
		httpd->conns.v[i]->is_due = true;
	loop_timer_arm(httpd->retrier, 0);
}

static void
on_retry(void *arg)
{
	struct httpd *httpd = arg;

	for (size_t i = 0; i < httpd->conns.n; i++) {
		struct httpd_conn *conn = httpd->conns.v[i];

		if (conn->state != CONN_WAIT || !conn->is_due)
			continue;
		loop_timer_arm(httpd->retrier, 0);
		conn_enter(conn, CONN_BODY);
		conn_advance(conn);
		return;
	}
}

bool
httpd_reply_stream(struct httpd_conn *conn, const char *content_type)
{
	size_t before = conn_queued(conn);

	if (conn->httpd->n_streams >= STREAMS_MAX)
		return false;
	queue_head(conn, 200, content_type, NULL);
	str_add(&conn->out,
	    conn->head.is_http_1_0 ? "\r\n"
				   : "Transfer-Encoding: chunked\r\n\r\n");
	conn->httpd->queued_b += conn_queued(conn) - before;
	conn->is_answered = true;
	conn_enter(conn, CONN_STREAM);
	return true;
}

bool
httpd_has_streams(const struct httpd *httpd)
{
	return httpd->n_streams > 0;
}

void
httpd_broadcast(struct httpd *httpd, const char *data, size_t n)
{
	for (size_t i = 0; i < httpd->conns.n && n; i++) {
		struct httpd_conn *conn = httpd->conns.v[i];
		size_t before = conn_queued(conn);

		if (conn->state != CONN_STREAM)
			continue;
		if (before + n > STREAM_BACKLOG_B) {
			log_info("http stream: reader too slow, closed");
			conn_kill(conn);
			continue;
		}
		if (before == 0)
			conn->since = loop_now(httpd->loop);
		if (!conn->head.is_http_1_0)
			str_printf(&conn->out, "%zx\r\n", n);
		str_add_n(&conn->out, data, n);
		if (!conn->head.is_http_1_0)
			str_add(&conn->out, "\r\n");
		httpd->queued_b += conn_queued(conn) - before;
		loop_fd_want(conn->lfd, LOOP_READ | LOOP_WRITE);
	}
}

/* The connection ends with this answer: what follows cannot be trusted to be
 * a request. */
static void
refuse(struct httpd_conn *conn, unsigned int status, const char *text)
{
	struct str body = { 0 };

	conn->head = (struct httpd_head){ .wants_close = true };
	if (conn->httpd->error_fn)
		conn->httpd->error_fn(&body, status, text);
	httpd_reply(conn, status,
	    conn->httpd->error_type ? conn->httpd->error_type : "text/plain",
	    &body, NULL);
}

/* Sends what the socket takes, WRITE_TURN_B at most. */
static void
conn_send(struct httpd_conn *conn)
{
	size_t budget = WRITE_TURN_B;

	while (budget && conn_queued(conn)) {
		ssize_t n = send(conn->fd, conn->out.s + conn->out_at,
		    MIN(budget, conn_queued(conn)),
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_kill(conn);
			return;
		}
		conn->out_at += (size_t)n;
		conn->httpd->queued_b -= (size_t)n;
		conn->since = loop_now(conn->httpd->loop);
		budget -= (size_t)n;
	}
	if (conn_queued(conn) == 0) {
		str_fini(&conn->out); /* it may have been large */
		conn->out_at = 0;
	}
}

static void
conn_drop_input(struct httpd_conn *conn, size_t n)
{
	conn->in.n -= n;
	memmove(conn->in.s, conn->in.s + n, conn->in.n);
	conn->in.s[conn->in.n] = '\0';
	if (conn->in.n == 0)
		str_fini(&conn->in);
}

static void
take_head(struct httpd_conn *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t n = httpd_head_length(str_get(&conn->in), conn->in.n);

	if (n > HTTPD_HEAD_MAX_B || (n == 0 && conn->in.n > HTTPD_HEAD_MAX_B)) {
		refuse(conn, 431, "the head of the request is too large");
		return;
	}
	if (n == 0)
		return;
	free(conn->head_text);
	conn->head_text = mem_strndup(conn->in.s, n);
	if (strlen(conn->head_text) != n ||
	    httpd_head_parse(conn->head_text, n, &conn->head) < 0) {
		refuse(conn, 400, "this is not an HTTP/1.x request");
		return;
	}
	conn->head_b = n;
	if (conn->head.is_chunked) {
		refuse(conn, 501,
		    "a body needs a Content-Length, chunks are not supported");
		return;
	}
	if (conn->head.body_b > HTTPD_BODY_MAX_B) {
		refuse(conn, 413, "the body is larger than 1 MiB");
		return;
	}
	conn->state = CONN_BODY; /* `since` goes on: one request, one limit */
	if (conn->in.n - n >= conn->head.body_b || !conn->head.wants_continue)
		return;
	str_add(&conn->out, go_on);
	conn->httpd->queued_b += strlen(go_on);
}

static void
take_body(struct httpd_conn *conn)
{
	struct httpd *httpd = conn->httpd;
	size_t total = conn->head_b + (size_t)conn->head.body_b;
	struct httpd_request request;
	char *body;

	if (conn->in.n < total)
		return;
	if (httpd->queued_b > QUEUED_MAX_B) {
		refuse(conn, 503, "too many answers wait to be taken");
		return;
	}
	if (!conn->asked)
		conn->asked = loop_now(httpd->loop);
	/* What follows the body may be the next request. */
	body = mem_alloc((size_t)conn->head.body_b + 1);
	memcpy(body, conn->in.s + conn->head_b, (size_t)conn->head.body_b);
	request = (struct httpd_request){ .method = conn->head.method,
		.path = conn->head.path,
		.query = conn->head.query,
		.body = body,
		.body_b = (size_t)conn->head.body_b,
		.since = conn->asked,
		.rest = conn->rest };
	conn->rest = NULL;
	conn->is_answered = false;
	httpd->fn(httpd->arg, conn, &request);
	free(body);
	if (conn->state == CONN_DEAD || conn->state == CONN_WAIT)
		return;
	if (!conn->is_answered)
		refuse(conn, 503, "no answer");
	conn->asked = 0;
	conn_drop_input(conn, total);
}

static void
after_answer(struct httpd_conn *conn)
{
	if (!conn->head.wants_close) {
		conn_enter(conn, CONN_HEAD);
		return;
	}
	shutdown(conn->fd, SHUT_WR);
	str_fini(&conn->in);
	conn_enter(conn, CONN_LINGER);
}

static void
conn_advance(struct httpd_conn *conn)
{
	enum conn_state before;
	unsigned int want;

	do {
		before = conn->state;
		if (conn->state == CONN_HEAD)
			take_head(conn);
		if (conn->state == CONN_BODY)
			take_body(conn);
		if (conn->state != CONN_DEAD && conn_queued(conn))
			conn_send(conn);
		if (conn->state == CONN_ANSWER && conn_queued(conn) == 0)
			after_answer(conn);
		/* A deep pipeline gets one answer a turn. */
	} while (conn->state != before && conn->state == CONN_BODY);
	if (conn->state == CONN_DEAD)
		return;
	/* While an answer is under way, or the next request there, nothing is
	 * read: the kernel's buffer makes the client wait, or end later. */
	want = conn_queued(conn) ? LOOP_WRITE : 0;
	if (conn->state == CONN_HEAD && conn->in.n &&
	    httpd_head_length(conn->in.s, conn->in.n))
		want = LOOP_WRITE;
	else if (conn->state != CONN_WAIT && conn->state != CONN_ANSWER)
		want |= LOOP_READ;
	loop_fd_want(conn->lfd, want);
}

/* False: closed by the client, or broken. */
static bool
conn_read(struct httpd_conn *conn)
{
	char buf[READ_B];
	ssize_t n = recv(conn->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	switch (conn->state) {
	case CONN_LINGER:
		conn->lingered_b += (size_t)n;
		return conn->lingered_b <= LINGER_MAX_B;
	case CONN_HEAD:
	case CONN_BODY:
		if (conn->in.n == 0)
			conn->since = loop_now(conn->httpd->loop);
		str_add_n(&conn->in, buf, (size_t)n);
		break;
	case CONN_STREAM: /* nothing it says matters */
	case CONN_WAIT:
	case CONN_ANSWER:
	case CONN_DEAD:
		break;
	}
	return true;
}

static void
on_conn(void *arg, unsigned int ready)
{
	struct httpd_conn *conn = arg;

	if (conn->state == CONN_DEAD)
		return;
	/* A client that closed its writing half after the request still gets
	 * its answer: the end is seen only when nothing is under way. */
	if ((ready & LOOP_READ) && conn->state != CONN_ANSWER &&
	    !conn_read(conn)) {
		conn_kill(conn);
		return;
	}
	conn_advance(conn);
}

/* How long it may stay as it is. */
static int64_t
conn_patience(const struct httpd_conn *conn)
{
	switch (conn->state) {
	case CONN_HEAD:
		return conn->in.n ? REQUEST_US : IDLE_US;
	case CONN_BODY:
		return REQUEST_US;
	case CONN_WAIT:
	case CONN_ANSWER:
		return TAKE_US;
	case CONN_STREAM:
		return conn_queued(conn) ? TAKE_US : INT64_MAX;
	case CONN_LINGER:
		return LINGER_US;
	case CONN_DEAD:
		break;
	}
	return INT64_MAX;
}

static void
on_sweep(void *arg)
{
	struct httpd *httpd = arg;
	mono_t now = loop_now(httpd->loop);

	for (size_t i = 0; i < httpd->listeners.n; i++)
		loop_fd_want(httpd->listeners.v[i]->lfd, LOOP_READ);
	for (size_t i = 0; i < httpd->conns.n; i++) {
		struct httpd_conn *conn = httpd->conns.v[i];

		if (now - conn->since > conn_patience(conn))
			conn_kill(conn);
	}
	if (httpd->conns.n)
		loop_timer_arm(httpd->sweeper, SWEEP_US);
}

/* The one that waited longest without a request under way. */
static struct httpd_conn *
idlest(const struct httpd *httpd)
{
	struct httpd_conn *best = NULL;

	for (size_t i = 0; i < httpd->conns.n; i++) {
		struct httpd_conn *conn = httpd->conns.v[i];

		if (conn->state != CONN_HEAD && conn->state != CONN_BODY &&
		    conn->state != CONN_LINGER)
			continue;
		if (!best || conn->since < best->since)
			best = conn;
	}
	return best;
}

static void
conn_new(struct httpd *httpd, int fd)
{
	struct httpd_conn *conn;
	int on = 1;

	if (httpd->conns.n >= httpd->conns_max) {
		struct httpd_conn *old = idlest(httpd);

		if (!old || httpd->conns.n >= httpd->conns_max * 2) {
			close(fd);
			return;
		}
		conn_kill(old);
	}
	/* A stream's reader may vanish without a word. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	conn = mem_new(struct httpd_conn);
	conn->httpd = httpd;
	conn->fd = fd;
	conn->since = loop_now(httpd->loop);
	conn->lfd = loop_fd_new(httpd->loop, fd, on_conn, conn);
	loop_fd_want(conn->lfd, LOOP_READ);
	vec_push(&httpd->conns, conn);
	if (!loop_timer_is_armed(httpd->sweeper))
		loop_timer_arm(httpd->sweeper, SWEEP_US);
}

/* It stays readable: until the next sweep nobody looks. */
static void
rest(struct httpd_listener *listener)
{
	struct httpd *httpd = listener->httpd;
	struct httpd_conn *old = idlest(httpd);

	log_warn("http: cannot accept: %s; raise the limit of descriptors",
	    strerror(errno));
	if (old)
		conn_kill(old);
	loop_fd_want(listener->lfd, 0);
	loop_timer_arm(httpd->sweeper, SWEEP_US);
}

static void
on_listener(void *arg, unsigned int ready)
{
	struct httpd_listener *listener = arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		/* cppcheck-suppress nullPointer; it may be, see accept(2) */
		int fd = accept4(listener->fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && err_is_exhausted(-errno))
			rest(listener);
		if (fd < 0)
			return;
		conn_new(listener->httpd, fd);
	}
}

struct httpd *
httpd_new(struct loop *loop, httpd_fn *fn, void *arg)
{
	struct httpd *httpd = mem_new(struct httpd);
	struct rlimit rl = { .rlim_cur = RLIM_INFINITY };

	(void)getrlimit(RLIMIT_NOFILE, &rl);
	httpd->loop = loop;
	httpd->fn = fn;
	httpd->arg = arg;
	/* The control socket and every peer's session need some too. */
	httpd->conns_max =
	    MIN(MAX(rl.rlim_cur / 4, 16U), HTTPD_CONNECTIONS_MAX);
	httpd->sweeper = loop_timer_new(loop, on_sweep, httpd);
	httpd->retrier = loop_timer_new(loop, on_retry, httpd);
	return httpd;
}

void
httpd_on_error(struct httpd *httpd,
    void (*fn)(struct str *body, unsigned int status, const char *text),
    const char *content_type)
{
	httpd->error_fn = fn;
	httpd->error_type = content_type;
}

void
httpd_listen(struct httpd *httpd, int fd)
{
	struct httpd_listener *listener = mem_new(struct httpd_listener);

	listener->httpd = httpd;
	listener->fd = fd;
	listener->lfd = loop_fd_new(httpd->loop, fd, on_listener, listener);
	loop_fd_want(listener->lfd, LOOP_READ);
	vec_push(&httpd->listeners, listener);
}

static void
listener_free(struct httpd_listener *listener)
{
	loop_fd_free(listener->lfd);
	close(listener->fd);
	free(listener);
}

void
httpd_unlisten(struct httpd *httpd, int fd)
{
	for (size_t i = 0; i < httpd->listeners.n; i++) {
		if (httpd->listeners.v[i]->fd != fd)
			continue;
		listener_free(httpd->listeners.v[i]);
		vec_remove(&httpd->listeners, i);
		return;
	}
}

void
httpd_free(struct httpd *httpd)
{
	if (!httpd)
		return;
	while (httpd->listeners.n)
		listener_free(httpd->listeners.v[--httpd->listeners.n]);
	while (httpd->conns.n)
		conn_free(httpd->conns.v[--httpd->conns.n]);
	loop_timer_free(httpd->sweeper);
	loop_timer_free(httpd->retrier);
	httpd->is_freed = true;
	if (!httpd->is_reap_deferred)
		httpd_destroy(httpd);
}
