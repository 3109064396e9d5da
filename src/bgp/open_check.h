/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open_check: is the peer's OPEN acceptable (RFC 4271 6.2), and if so, what
 * was agreed.
 *
 * Pure.
 */
#ifndef EIPD_BGP_OPEN_CHECK_H
#define EIPD_BGP_OPEN_CHECK_H

#include <stddef.h>

#include "base/attr.h"
#include "bgp/fsm.h"

/* 0 and `conn` filled; or -1, the answer in `err` and in `detail` what is
 * wrong, for our own operator. */
ATTR_NODISCARD int bgp_open_check(const struct bgp_session *s,
    const struct bgp_open *open, const struct bgp_open *ours,
    struct bgp_conn *conn, struct bgp_notification *err, char detail[160]);

#endif
