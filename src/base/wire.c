/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/wire.h"

#include <assert.h>
#include <string.h>

struct wire_reader
wire_reader(const void *data, size_t size_b)
{
	return (struct wire_reader){ .p = data, .left_b = size_b };
}

const uint8_t *
wire_get_bytes(struct wire_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || n > r->left_b) {
		r->failed = true;
		return NULL;
	}
	if (n)
		r->p += n;
	r->left_b -= n;
	return p;
}

uint8_t
wire_get_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 1);

	return p ? p[0] : 0;
}

uint16_t
wire_get_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 2);

	return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

uint32_t
wire_get_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		(uint32_t)p[2] << 8 | p[3]
		 : 0;
}

struct wire_reader
wire_get_sub(struct wire_reader *r, size_t n)
{
	const uint8_t *p = wire_get_bytes(r, n);

	if (r->failed)
		return (struct wire_reader){ .failed = true };
	return wire_reader(p, n);
}

struct wire_writer
wire_writer(void *buf, size_t cap_b)
{
	return (struct wire_writer){ .p = buf, .cap_b = cap_b };
}

void
wire_put_bytes(struct wire_writer *w, const void *data, size_t n)
{
	if (w->failed || n > w->cap_b - w->n) {
		w->failed = true;
		return;
	}
	if (n)
		memcpy(w->p + w->n, data, n);
	w->n += n;
}

void
wire_put_u8(struct wire_writer *w, uint8_t v)
{
	wire_put_bytes(w, &v, 1);
}

void
wire_put_u16(struct wire_writer *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wire_put_bytes(w, b, sizeof(b));
}

void
wire_put_u32(struct wire_writer *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
		(uint8_t)(v >> 8), (uint8_t)v };

	wire_put_bytes(w, b, sizeof(b));
}

void
wire_set_u8(struct wire_writer *w, size_t at, uint8_t v)
{
	if (w->failed)
		return;
	assert(at < w->n);
	w->p[at] = v;
}

void
wire_set_u16(struct wire_writer *w, size_t at, uint16_t v)
{
	wire_set_u8(w, at, (uint8_t)(v >> 8));
	wire_set_u8(w, at + 1, (uint8_t)v);
}
