/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sendq: whole messages that wait for a socket.
 *
 * Pure and bounded.  Its first message may have been sent in part; KEEPALIVE
 * and NOTIFICATION jump ahead of all that follows that one.
 */
#ifndef EIPD_BGP_SENDQ_H
#define EIPD_BGP_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/msg.h"

enum {
	BGP_SENDQ_B = 64 * 1024,
	BGP_SENDQ_URGENT_B = 2 * BGP_MSG_MAX_B, /* kept for what is urgent */
};

/* A zeroed one is empty. */
struct bgp_sendq {
	uint8_t buf[BGP_SENDQ_B];
	size_t begin; /* of what was not sent */
	size_t end;
	size_t part_b; /* octets of the first message that were sent */
};

/* Room for whole messages, to be confirmed with bgp_sendq_add(). */
uint8_t *bgp_sendq_room(struct bgp_sendq *q, size_t *room_b);
void bgp_sendq_add(struct bgp_sendq *q, size_t n);

/* Before everything that has not begun to leave.  False: no room, which
 * means that the peer has not read for a very long time. */
bool bgp_sendq_urgent(struct bgp_sendq *q, const void *msg, size_t n);
/* Forgets what has not begun to leave, then `msg`: the last one. */
void bgp_sendq_last(struct bgp_sendq *q, const void *msg, size_t n);

const uint8_t *bgp_sendq_get(const struct bgp_sendq *q, size_t *n);
void bgp_sendq_sent(struct bgp_sendq *q, size_t n);

#endif
