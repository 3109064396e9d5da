/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock: non-blocking TCP sockets as routing protocols need them.
 *
 * Everything that is special to Linux about them is here: TCP-MD5, TTL
 * security, binding to an interface.  Functions that return a descriptor
 * return a negative errno instead when they fail, and say why in `err`.
 */
#ifndef EIPD_NET_SOCK_H
#define EIPD_NET_SOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"

enum {
	SOCK_PASSWORD_MAX = 80,
	SOCK_IFNAME_B = 16
};

/* The other end, and how it is to be reached. */
struct sock_peer {
	struct addr addr;
	uint16_t port;
	struct addr local; /* FAMILY_NONE: the kernel's choice */
	const char *interface; /* NULL: any; needed for link-local addresses */
	const char *password; /* TCP-MD5 (RFC 2385); NULL: none */
	uint8_t ttl;
	uint8_t min_ttl; /* RFC 5082; 0: any */
};

ATTR_NODISCARD int sock_listen(const struct addr *addr, uint16_t port,
    struct err *err);
/* The connection is up, or has failed, once the socket is writable. */
ATTR_NODISCARD int sock_dial(const struct sock_peer *peer, struct err *err);
/* 0 or negative errno. */
int sock_dial_result(int fd);
/* -EAGAIN: there is no further one. */
ATTR_NODISCARD int sock_accept(int listener, struct addr *peer,
    struct addr *local);
/* TTL and so on for an accepted one. */
ATTR_NODISCARD int sock_tune(int fd, const struct sock_peer *peer,
    struct err *err);

/* The password that connections from `addr` to this listener need; NULL
 * removes it. */
int sock_listen_password(int listener, const struct addr *addr,
    const char *password);

struct addr sock_local_addr(int fd); /* FAMILY_NONE: not connected */

/* Nothing more will be sent; what is on its way arrives. */
void sock_shutdown(int fd);
void sock_close(int fd);

/* Octets read or sent; 0: the other end has closed; -EAGAIN: not now. */
int sock_read(int fd, void *buf, size_t n);
int sock_write(int fd, const void *buf, size_t n);

/* An address of `family` that others can reach, on the interface that holds
 * `neighbour`; false if there is none. */
bool sock_addr_beside(const struct addr *neighbour, enum family family,
    struct addr *out);
/* First IPv4 address of the machine that is not a loopback one. */
bool sock_first_ipv4(struct addr *out);

#endif
