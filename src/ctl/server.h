/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server: the HTTP/JSON interface on the control socket (everything) and on
 * http.listen (GET only).
 */
#ifndef EIPD_CTL_SERVER_H
#define EIPD_CTL_SERVER_H

#include "base/err.h"
#include "conf/conf.h"
#include "ctl/state.h"

struct ctl_server;
struct loop;

/* `state` is borrowed.  Listens nowhere yet. */
struct ctl_server *ctl_server_new(struct loop *loop,
    const struct ctl_state *state);
void ctl_server_free(struct ctl_server *server);

/* Opens what `conf` asks for and closes the rest; a listener that fails is
 * reported in `err` and retried by the next call, the others work. */
ATTR_NODISCARD int ctl_server_listen(struct ctl_server *server,
    const struct conf *conf, struct err *err);

/* False: a listener is missing, or someone removed the socket's file. */
bool ctl_server_is_open(const struct ctl_server *server);

/* What answers wait for has come, see ctl_state.read_totals(). */
void ctl_server_retry(struct ctl_server *server);

/* One line to everybody who reads /v1/events. */
void ctl_server_event(struct ctl_server *server, const char *kind,
    const char *subject, const char *text);

#endif
