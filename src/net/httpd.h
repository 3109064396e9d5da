/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * httpd: a small HTTP/1.1 server on the loop.
 *
 * Everything a client can make it keep is bounded: connections (the idle one
 * that was quiet longest makes room), head, body, time to send a request and
 * to take the answer, octets waiting to be sent.  One request of a connection
 * is answered before the next is read.
 */
#ifndef EIPD_NET_HTTPD_H
#define EIPD_NET_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/str.h"

struct httpd;
struct httpd_conn;
struct loop;

enum {
	HTTPD_HEAD_MAX_B = 16 << 10,
	HTTPD_BODY_MAX_B = 1 << 20,
	HTTPD_CONNECTIONS_MAX = 1024,
};

/* Borrowed for the duration of the handler. */
struct httpd_request {
	const char *method;
	const char *path; /* percent-decoded */
	const char *query; /* for httpd_query_get() */
	const char *body; /* NUL-terminated */
	size_t body_b;
	mono_t since; /* when it had arrived */
	void *rest; /* of httpd_wait(): the handler's again; else NULL */
};

/* Called for each request; it must call one of httpd_reply(),
 * httpd_reply_stream() and httpd_wait() before it returns. */
typedef void httpd_fn(void *arg, struct httpd_conn *conn,
    const struct httpd_request *request);

struct httpd *httpd_new(struct loop *loop, httpd_fn *fn, void *arg);
void httpd_free(struct httpd *httpd); /* NULL is fine */

/* `content_type` is static text; `body` is emptied; `allow` (for 405) may be
 * NULL. */
void httpd_reply(struct httpd_conn *conn, unsigned int status,
    const char *content_type, struct str *body, const char *allow);
/* The answer has to wait: httpd_retry() asks for it again.  With a `rest` it
 * takes long: the handler is called again with that in the next turn of the
 * loop, or if the client leaves meanwhile `forget` is. */
void httpd_wait(struct httpd_conn *conn, void *rest,
    void (*forget)(void *rest));
/* Calls the handler again for each request that waits, one a turn. */
void httpd_retry(struct httpd *httpd);
/* The answer goes on with what httpd_broadcast() sends; false if there are
 * too many such readers: answer something else then. */
bool httpd_reply_stream(struct httpd_conn *conn, const char *content_type);
/* To every stream.  A reader that is too far behind is cut off. */
void httpd_broadcast(struct httpd *httpd, const char *data, size_t n);
/* True if httpd_broadcast() would reach anybody. */
bool httpd_has_streams(const struct httpd *httpd);

/* For requests that fail before the handler is asked: fills an error body. */
void httpd_on_error(struct httpd *httpd,
    void (*fn)(struct str *body, unsigned int status, const char *text),
    const char *content_type);

/* Takes over a listening, non-blocking descriptor and closes it in
 * httpd_unlisten() or httpd_free(). */
void httpd_listen(struct httpd *httpd, int fd);
void httpd_unlisten(struct httpd *httpd, int fd);

#endif
