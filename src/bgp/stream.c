/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/stream.h"

#include <assert.h>
#include <string.h>

uint8_t *
bgp_stream_room(struct bgp_stream *s, size_t *room_b)
{
	if (s->begin) {
		memmove(s->buf, s->buf + s->begin, s->n);
		s->begin = 0;
	}
	*room_b = sizeof(s->buf) - s->n;
	return s->buf + s->n;
}

void
bgp_stream_add(struct bgp_stream *s, size_t n)
{
	assert(s->begin + s->n + n <= sizeof(s->buf));
	s->n += n;
}

/* False: `out->notification` is the answer to the message. */
static bool
decode(const uint8_t *msg, size_t n, struct bgp_rx *out)
{
	struct bgp_notification err;
	struct bgp_open open;
	struct bgp_update update;

	switch (bgp_msg_type(msg)) {
	case BGP_MSG_OPEN:
		out->kind = BGP_RX_OPEN;
		if (bgp_open_decode(msg, n, &open, &err) < 0)
			break;
		out->open = open;
		return true;
	case BGP_MSG_UPDATE:
		out->kind = BGP_RX_UPDATE;
		bgp_update_check(msg, n, &update, &err);
		if (update.verdict == BGP_UPDATE_FATAL)
			break;
		out->update = update;
		return true;
	case BGP_MSG_NOTIFICATION:
		out->kind = BGP_RX_NOTIFICATION;
		bgp_notification_decode(msg, n, &out->notification);
		return true;
	case BGP_MSG_KEEPALIVE:
		out->kind = BGP_RX_KEEPALIVE;
		return true;
	case BGP_MSG_ROUTE_REFRESH:
		out->kind = BGP_RX_REFRESH;
		bgp_refresh_decode(msg, n, &out->refresh);
		return true;
	}
	out->kind = BGP_RX_ERROR;
	out->notification = err;
	return false;
}

bool
bgp_stream_next(struct bgp_stream *s, struct bgp_rx *out)
{
	const uint8_t *msg = s->buf + s->begin;
	struct bgp_notification err;
	int len;

	if (s->is_broken || !s->n)
		return false;
	len = bgp_msg_frame(msg, s->n, &err);
	if (!len)
		return false;
	if (len < 0) {
		s->is_broken = true;
		out->kind = BGP_RX_ERROR;
		out->notification = err;
		return true;
	}
	s->begin += (size_t)len;
	s->n -= (size_t)len;
	s->is_broken = !decode(msg, (size_t)len, out);
	return true;
}
