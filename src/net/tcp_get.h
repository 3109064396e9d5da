/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_get: the status of one HTTP GET, for health probes.
 *
 * Thousands run each second, so this is not a client of HTTP: it connects,
 * sends the request and reads no further than the status line.
 */
#ifndef EIPD_NET_TCP_GET_H
#define EIPD_NET_TCP_GET_H

#include <stdint.h>

#include "base/addr.h"

struct loop;
struct tcp_get;

struct tcp_get_conf {
	struct addr addr;
	uint16_t port;
	const char *path; /* copied */
	int64_t timeout_us; /* for all of it */
};

/* `fn` is called once, never from inside this call, with the HTTP status, or
 * 0 and what was wrong ("connection refused"), or -1 if this host could not
 * even ask ("too many open files").  It frees itself after that. */
struct tcp_get *tcp_get_new(struct loop *loop, const struct tcp_get_conf *conf,
    void (*fn)(void *arg, int status, const char *error), void *arg);
/* Before `fn` was called: it will not be. */
void tcp_get_cancel(struct tcp_get *get);

#endif
