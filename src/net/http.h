/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http: HTTP/1.1 client on the loop, made for one API server.
 *
 * An endpoint says where and as whom; requests share the connections of one
 * curl multi handle.  A stream hands over its body as it comes and never
 * blocks; a unary request collects a bounded body.
 */
#ifndef EIPD_NET_HTTP_H
#define EIPD_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct http;
struct http_endpoint;
struct http_request;
struct loop;

struct http_endpoint_conf {
	const char *url; /* scheme://host[:port][/prefix], no "/" at the end */
	const char *user_agent;
	const char *ca_pem; /* NULL: the system's roots */
	const char *cert_pem; /* NULL: none */
	const char *key_pem;
	const char *tls_server_name; /* NULL: the host of the URL */
	const char *proxy; /* NULL: as the environment says */
	const char *username; /* NULL: none */
	const char *password;
	const char *const *headers; /* "Name: value", with every request */
	size_t n_headers;
	bool is_insecure;
	bool no_compression;
};

/* What is known once the header block is complete. */
struct http_response {
	long status;
	const char *content_type; /* "" if none; borrowed */
	int64_t retry_after_us; /* 0: none */
};

struct http_result {
	struct http_response response; /* status 0: no answer */
	struct err err; /* code 0: the exchange was complete */
	bool is_idle; /* ended because nothing came for too long */
	const char *body; /* unary; NUL-terminated */
	size_t body_b;
};

struct http_request_conf {
	const char *method;
	const char *path; /* "/..."; with the query */
	const char *accept;
	const char *content_type; /* with a body */
	const char *body; /* copied; NULL: none */
	size_t body_max_b; /* of the answer; unary only */
	int64_t timeout_us; /* of the whole exchange; 0: none */
	int64_t idle_timeout_us; /* without an octet; 0: none */
	bool is_stream; /* asked for without compression */
	/* Streams.  They may hold the request, but not let it go on, nor start
	 * or cancel one: keep what was told and act later. */
	void (*on_response)(void *arg, const struct http_response *response);
	void (*on_data)(void *arg, const char *data, size_t size_b);
	/* Always called once, from the loop, unless http_cancel() came first;
	 * the request is gone afterwards. */
	void (*on_done)(void *arg, const struct http_result *result);
	void *arg;
};

struct http *http_new(struct loop *loop);
/* No callback is called any more. */
void http_free(struct http *http);

/* -EINVAL for a URL that cannot be used. */
ATTR_NODISCARD int http_endpoint_new(const struct http_endpoint_conf *conf,
    struct http_endpoint **out, struct err *err);
/* Requests under way keep what they began with. */
void http_endpoint_unref(struct http_endpoint *endpoint);
/* For requests from now on; NULL: none. */
void http_endpoint_set_token(struct http_endpoint *endpoint, const char *token);

struct http_request *http_start(struct http *http,
    struct http_endpoint *endpoint, const struct http_request_conf *conf);
/* Not from inside on_response and on_data. */
void http_cancel(struct http_request *request);
/* True: nothing more is handed over, the peer has to wait; the idle timeout
 * goes on. */
void http_hold(struct http_request *request, bool is_held);

#endif
