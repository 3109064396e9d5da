/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * privilege: keep the two capabilities that eipd needs, drop the rest.
 */
#ifndef EIPD_SYS_PRIVILEGE_H
#define EIPD_SYS_PRIVILEGE_H

#include "base/err.h"

/* As root: becomes `user`, keeping CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.
 * As anyone else: makes use of what was given; -EPERM without
 * CAP_NET_ADMIN; a missing CAP_NET_BIND_SERVICE is logged.  Irrevocable. */
ATTR_NODISCARD int privilege_prepare(const char *user, struct err *err);

#endif
