/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tcp_get.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/loop.h"

enum {
	REQUEST_B = 512,
	STATUS_LINE_B = 12
};

struct tcp_get {
	struct loop *loop;
	struct loop_fd *lfd; /* NULL: no socket could be had */
	struct loop_timer *timer;
	int fd;
	int error; /* of the attempt to begin */
	bool is_done;
	bool is_connected;
	int64_t timeout_us;
	void (*fn)(void *arg, int status, const char *error);
	void *arg;
	size_t request_b;
	size_t sent_b;
	size_t answer_b;
	char request[REQUEST_B];
	char answer[STATUS_LINE_B + 1]; /* "HTTP/1.1 200" */
};

static void
release(void *arg)
{
	struct tcp_get *get = arg;

	loop_fd_free(get->lfd);
	loop_timer_free(get->timer);
	if (get->fd >= 0)
		close(get->fd);
	free(get);
}

/* This may be one of its own callbacks. */
static void
end(struct tcp_get *get)
{
	get->is_done = true;
	if (get->lfd)
		loop_fd_want(get->lfd, 0);
	loop_timer_disarm(get->timer);
	loop_defer(get->loop, release, get);
}

static void
finish(struct tcp_get *get, int status, const char *error)
{
	end(get);
	get->fn(get->arg, status, error);
}

void
tcp_get_cancel(struct tcp_get *get)
{
	if (!get->is_done)
		end(get);
}

static void
finish_errno(struct tcp_get *get, int error)
{
	char text[96];

	snprintf(text, sizeof(text), "%s", strerror(error));
	text[0] = (char)tolower((unsigned char)text[0]);
	finish(get, err_is_exhausted(-error) ? -1 : 0, text);
}

static void
send_request(struct tcp_get *get)
{
	ssize_t n = send(get->fd, get->request + get->sent_b,
	    get->request_b - get->sent_b, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish_errno(get, errno);
		return;
	}
	if (n > 0)
		get->sent_b += (size_t)n;
	if (get->sent_b == get->request_b)
		loop_fd_want(get->lfd, LOOP_READ);
}

/* 0: not an HTTP answer. */
static int
read_status(const char *line)
{
	int status = 0;

	if (!str_starts_with(line, "HTTP/1.") ||
	    !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return 0;
	for (const char *p = line + 9; p < line + STATUS_LINE_B; p++) {
		if (!isdigit((unsigned char)*p))
			return 0;
		status = status * 10 + (*p - '0');
	}
	return status;
}

/* The status line begins the answer; what follows is never read. */
static void
receive_answer(struct tcp_get *get)
{
	ssize_t n = recv(get->fd, get->answer + get->answer_b,
	    STATUS_LINE_B - get->answer_b, 0);
	int status;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish_errno(get, errno);
		return;
	}
	get->answer_b += (size_t)n;
	if (n > 0 && get->answer_b < STATUS_LINE_B)
		return;
	status = n > 0 ? read_status(get->answer) : 0;
	if (status)
		finish(get, status, "");
	else if (get->answer_b == 0)
		finish(get, 0, "closed without an answer");
	else
		finish(get, 0, "the answer is not HTTP");
}

static void
on_ready(void *arg, unsigned int ready)
{
	struct tcp_get *get = arg;
	int error = 0;
	socklen_t error_b = sizeof(error);

	if (get->is_done)
		return;
	if (!get->is_connected) {
		getsockopt(get->fd, SOL_SOCKET, SO_ERROR, &error, &error_b);
		if (error) {
			finish_errno(get, error);
			return;
		}
		get->is_connected = true;
	}
	if (ready & LOOP_READ)
		receive_answer(get);
	else if (ready & LOOP_WRITE)
		send_request(get);
}

static void
on_timeout(void *arg)
{
	struct tcp_get *get = arg;
	char limit[24];
	char text[64];

	if (get->is_done)
		return;
	if (get->error) {
		finish_errno(get, get->error);
		return;
	}
	str_duration(get->timeout_us, limit);
	snprintf(text, sizeof(text), "timeout after %s", limit);
	finish(get, 0, text);
}

static socklen_t
to_sockaddr(const struct addr *addr, uint16_t port,
    struct sockaddr_storage *out)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };

	*out = (struct sockaddr_storage){ 0 };
	if (addr->family == FAMILY_IPV4) {
		memcpy(&in4.sin_addr, addr->b, 4);
		memcpy(out, &in4, sizeof(in4));
		return sizeof(in4);
	}
	memcpy(&in6.sin6_addr, addr->b, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

static void
write_request(struct tcp_get *get, const struct tcp_get_conf *conf)
{
	bool is_ipv6 = conf->addr.family == FAMILY_IPV6;
	char host[ADDR_TEXT_B];
	int n;

	n = snprintf(get->request, sizeof(get->request),
	    "GET %.256s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: eipd\r\n"
	    "Connection: close\r\n\r\n",
	    conf->path, is_ipv6 ? "[" : "", addr_text(&conf->addr, host),
	    is_ipv6 ? "]" : "", conf->port);
	get->request_b = (size_t)n;
}

/* 0 or errno. */
static int
dial(struct tcp_get *get, const struct tcp_get_conf *conf)
{
	/* Closing resets: thousands a second would else fill the table of
	 * connections in TIME_WAIT. */
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_storage to;
	socklen_t to_b = to_sockaddr(&conf->addr, conf->port, &to);

	get->fd =
	    socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (get->fd < 0)
		return errno;
	setsockopt(get->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (connect(get->fd, (const struct sockaddr *)&to, to_b) < 0 &&
	    errno != EINPROGRESS)
		return errno;
	get->lfd = loop_fd_new(get->loop, get->fd, on_ready, get);
	loop_fd_want(get->lfd, LOOP_WRITE);
	return 0;
}

struct tcp_get *
tcp_get_new(struct loop *loop, const struct tcp_get_conf *conf,
    void (*fn)(void *arg, int status, const char *error), void *arg)
{
	struct tcp_get *get = mem_new(struct tcp_get);

	get->loop = loop;
	get->fd = -1;
	get->fn = fn;
	get->arg = arg;
	get->timeout_us = conf->timeout_us;
	get->timer = loop_timer_new(loop, on_timeout, get);
	write_request(get, conf);
	get->error = dial(get, conf);
	loop_timer_arm(get->timer, get->error ? 0 : conf->timeout_us);
	return get;
}
