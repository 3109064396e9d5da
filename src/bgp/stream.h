/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: octets of one connection in, events of the session out.
 *
 * Pure.  How the octets are cut into pieces makes no difference.  After an
 * error nothing more comes out: the connection is going to be closed.
 */
#ifndef EIPD_BGP_STREAM_H
#define EIPD_BGP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/msg.h"
#include "bgp/update.h"

enum {
	BGP_STREAM_B = 4 * BGP_MSG_MAX_B
};

enum bgp_rx_kind {
	BGP_RX_OPEN,
	BGP_RX_UPDATE,
	BGP_RX_NOTIFICATION,
	BGP_RX_KEEPALIVE,
	BGP_RX_REFRESH,
	BGP_RX_ERROR, /* `notification` is our answer */
};

struct bgp_rx {
	enum bgp_rx_kind kind;
	union {
		struct bgp_open open;
		struct bgp_update update;
		struct bgp_notification notification;
		struct bgp_refresh refresh;
	};
};

/* A zeroed one is empty. */
struct bgp_stream {
	uint8_t buf[BGP_STREAM_B];
	size_t begin;
	size_t n; /* octets from `begin` */
	bool is_broken;
};

/* Where to put what is read; at least BGP_MSG_MAX_B octets of room once
 * bgp_stream_next() has returned false. */
uint8_t *bgp_stream_room(struct bgp_stream *s, size_t *room_b);
void bgp_stream_add(struct bgp_stream *s, size_t n);
/* False: no complete message is left. */
bool bgp_stream_next(struct bgp_stream *s, struct bgp_rx *out);

#endif
