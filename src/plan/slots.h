/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots: which backend each hash slot of a frontend belongs to.
 *
 * Pure.  A Maglev table with an odd stride instead of a prime size: shares
 * follow the weights to within one slot, and when a backend leaves, hardly
 * more than its own slots move.  The result depends on nothing but the
 * backends' identity and weight, so every appliance that sees the same
 * backends sends a flow to the same one.
 */
#ifndef EIPD_PLAN_SLOTS_H
#define EIPD_PLAN_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The class is part of the marks in the kernel: never renumber. */
enum {
	SLOTS_CLASS_NONE = 0, /* no backends */
	SLOTS_CLASS_16 = 4, /* base two logarithm of the slot count */
	SLOTS_CLASS_64 = 6,
	SLOTS_CLASS_256 = 8,
	SLOTS_CLASS_1024 = 10,
	SLOTS_CLASS_DIRECT = 15, /* one backend, no slots */
	SLOTS_CLASS__COUNT = 16,
};

enum {
	SLOTS_MAX = 1024,
	SLOTS_BACKENDS_MAX = 255, /* an index is an octet; 255 is "no one" */
	SLOTS_NO_BACKEND = 255,
};

struct slots_backend {
	struct addr addr;
	uint16_t port;
	uint16_t weight; /* 0 gets no slot */
	uint8_t index; /* what the table is filled with */
};

/* The class for backends of these weights.  Counts those that get no flow at
 * present too, so that a failing backend does not change the class. */
unsigned int slots_class(const uint16_t *weights, size_t n);
/* 0 for SLOTS_CLASS_NONE and SLOTS_CLASS_DIRECT. */
size_t slots_count(unsigned int class);
/* How many frontends of the class share one map of bounded size. */
size_t slots_per_shard(unsigned int class);

/* Fills slots[0..n_slots), n_slots a power of two.  `backends` sorted by
 * address and port, at least one of them with a weight, n <= n_slots. */
void slots_fill(const struct slots_backend *backends, size_t n, uint8_t *slots,
    size_t n_slots);

#endif
