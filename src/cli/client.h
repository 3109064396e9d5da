/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: one request to the daemon over its control socket.
 */
#ifndef EIPD_CLI_CLIENT_H
#define EIPD_CLI_CLIENT_H

#include "base/err.h"
#include "base/str.h"

#define CLIENT_SOCKET "/run/eipd/eipd.sock"

enum {
	CLIENT_ANSWER_MAX_B = 256 << 20
};

struct client_request {
	const char *socket;
	const char *path; /* with the query */
	const char *body; /* NULL: GET */
	unsigned int timeout_s; /* 0: what the largest answer may take */
};

/* The HTTP status, `body` filled; -ENOTCONN (err says why) if the daemon
 * cannot be reached or does not answer. */
ATTR_NODISCARD int client_ask(const struct client_request *request,
    struct str *body, struct err *err);

/* Adds "name=value" to a path, with "?" or "&" before it, escaped. */
void client_add_param(struct str *path, const char *name, const char *value);

#endif
