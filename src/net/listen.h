/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: listening sockets of the HTTP server.
 */
#ifndef EIPD_NET_LISTEN_H
#define EIPD_NET_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* A non-blocking descriptor in `out`.  -EADDRINUSE and the like name the
 * address and the remedy. */
ATTR_NODISCARD int listen_tcp(const struct addr *addr, uint16_t port, int *out,
    struct err *err);

/* Mode 0660.  A socket nobody answers on is removed first; -EADDRINUSE if
 * somebody does, -EEXIST if something else has the name, -ENOENT without the
 * directory. */
ATTR_NODISCARD int listen_unix(const char *path, int *out, struct err *err);

/* Gives the socket file to `group`; NULL or "": ours.  -ENOENT: no such group, -EPERM. */
ATTR_NODISCARD int listen_unix_group(const char *path, const char *group,
    struct err *err);

#endif
