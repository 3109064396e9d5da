/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/sendq.h"

#include <assert.h>
#include <string.h>

static size_t
msg_len(const uint8_t *msg)
{
	return (size_t)msg[16] << 8 | msg[17];
}

/* What was sent of the first message stays in the buffer, so that its
 * length can be read: only whole messages are moved out. */
static void
compact(struct bgp_sendq *q)
{
	if (!q->begin)
		return;
	memmove(q->buf, q->buf + q->begin, q->end - q->begin);
	q->end -= q->begin;
	q->begin = 0;
}

uint8_t *
bgp_sendq_room(struct bgp_sendq *q, size_t *room_b)
{
	compact(q);
	*room_b = q->end + BGP_SENDQ_URGENT_B < sizeof(q->buf)
	    ? sizeof(q->buf) - BGP_SENDQ_URGENT_B - q->end
	    : 0;
	return q->buf + q->end;
}

void
bgp_sendq_add(struct bgp_sendq *q, size_t n)
{
	assert(q->end + n <= sizeof(q->buf));
	q->end += n;
}

/* Where the first message begins that has not begun to leave. */
static size_t
boundary(const struct bgp_sendq *q)
{
	return q->part_b ? q->begin + msg_len(q->buf + q->begin) : q->begin;
}

bool
bgp_sendq_urgent(struct bgp_sendq *q, const void *msg, size_t n)
{
	size_t at;

	compact(q);
	if (n > sizeof(q->buf) - q->end)
		return false;
	at = boundary(q);
	memmove(q->buf + at + n, q->buf + at, q->end - at);
	memcpy(q->buf + at, msg, n);
	q->end += n;
	return true;
}

void
bgp_sendq_last(struct bgp_sendq *q, const void *msg, size_t n)
{
	compact(q);
	q->end = boundary(q);
	assert(n <= sizeof(q->buf) - q->end);
	memcpy(q->buf + q->end, msg, n);
	q->end += n;
}

const uint8_t *
bgp_sendq_get(const struct bgp_sendq *q, size_t *n)
{
	*n = q->end - q->begin - q->part_b;
	return q->buf + q->begin + q->part_b;
}

void
bgp_sendq_sent(struct bgp_sendq *q, size_t n)
{
	assert(n <= q->end - q->begin - q->part_b);
	q->part_b += n;
	while (q->part_b && q->part_b >= msg_len(q->buf + q->begin)) {
		size_t len = msg_len(q->buf + q->begin);

		q->begin += len;
		q->part_b -= len;
	}
}
