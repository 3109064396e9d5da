/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_error: one line with the remedy for each way an exchange can fail, in
 * the words that users know from kubectl.
 */
#ifndef EIPD_NET_HTTP_ERROR_H
#define EIPD_NET_HTTP_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct http_error_info {
	const char *host; /* "host:port" */
	const char *detail; /* curl's own words, may be "" */
	long os_errno;
	long verify_result; /* X509_V_ERR_* */
	size_t body_max_b;
	bool is_connected; /* it got as far as sending */
	bool is_too_big; /* the answer was above body_max_b */
};

/* `code` is a CURLcode. */
void http_error_describe(int code, const struct http_error_info *info,
    struct err *err);

#endif
