/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * httpd_parse: the head of an HTTP/1.x request (RFC 9112) and its query.
 *
 * No I/O.  Everything in here comes from outside: sizes are bounded by the
 * caller, whatever is not understood is refused, never guessed.
 */
#ifndef EIPD_NET_HTTPD_PARSE_H
#define EIPD_NET_HTTPD_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Strings point into the buffer that was parsed. */
struct httpd_head {
	const char *method;
	char *path; /* percent-decoded */
	const char *query; /* as sent, "" if none */
	bool is_http_1_0;
	bool wants_close;
	bool wants_continue; /* Expect: 100-continue */
	bool is_chunked; /* a body of unknown length: not supported */
	uint64_t body_b; /* Content-Length, 0 if absent */
};

/* Length of the head with its empty line, 0 if it is not complete in `n`
 * octets of `buf`. */
size_t httpd_head_length(const char *buf, size_t n);

/* `buf` holds one complete head of `n` octets and is changed.  -EINVAL: not
 * HTTP/1.x. */
ATTR_NODISCARD int httpd_head_parse(char *buf, size_t n,
    struct httpd_head *out);

/* The decoded value of a query's parameter, NULL if it is absent or broken;
 * the caller frees it. */
char *httpd_query_get(const char *query, const char *name);

/* The words that go with a status. */
const char *httpd_reason(unsigned int status);

#endif
