/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire: bounded big-endian reader and writer.
 *
 * Both carry an error flag: after the first access beyond the end every
 * further read gives 0 and every further write does nothing, so a caller
 * checks once, at the end.
 */
#ifndef EIPD_BASE_WIRE_H
#define EIPD_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
	const uint8_t *p;
	size_t left_b;
	bool failed;
};

struct wire_reader wire_reader(const void *data, size_t size_b);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
/* Borrowed pointer to the next `n` octets, NULL (and failed) if fewer. */
const uint8_t *wire_get_bytes(struct wire_reader *r, size_t n);
/* A reader of the next `n` octets; `r` moves past them. */
struct wire_reader wire_get_sub(struct wire_reader *r, size_t n);

struct wire_writer {
	uint8_t *p;
	size_t cap_b;
	size_t n; /* octets written */
	bool failed;
};

struct wire_writer wire_writer(void *buf, size_t cap_b);
void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16(struct wire_writer *w, uint16_t v);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t n);
/* Overwrites two (one) octets written before, for lengths known late. */
void wire_set_u16(struct wire_writer *w, size_t at, uint16_t v);
void wire_set_u8(struct wire_writer *w, size_t at, uint8_t v);

#endif
