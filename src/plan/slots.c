/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/slots.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/attr.h"

enum {
	SLOTS_PER_WEIGHT = 8, /* rounding then costs a backend at most 1/8 */
	SHARD_NUMBERS = 512,
	SHARD_ELEMENTS = 32768, /* the kernel reads a set back in O(n^2) */
};

/* Where one backend stands in its own walk over all slots. */
struct walk {
	uint32_t at;
	uint32_t stride; /* odd: visits every slot of a power of two once */
	uint32_t credit;
};

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

unsigned int
slots_class(const uint16_t *weights, size_t n)
{
	uint32_t divisor = 0;
	uint64_t sum = 0;

	if (n == 0)
		return SLOTS_CLASS_NONE;
	if (n == 1)
		return SLOTS_CLASS_DIRECT;
	for (size_t i = 0; i < n; i++) {
		divisor = gcd(weights[i], divisor);
		sum += weights[i];
	}
	sum = divisor ? sum / divisor : n;
	for (unsigned int class = SLOTS_CLASS_16; class < SLOTS_CLASS_1024;
	     class += 2) {
		if (sum * SLOTS_PER_WEIGHT <= slots_count(class))
			return class;
	}
	return SLOTS_CLASS_1024;
}

size_t
slots_count(unsigned int class)
{
	switch (class) {
	case SLOTS_CLASS_16:
	case SLOTS_CLASS_64:
	case SLOTS_CLASS_256:
	case SLOTS_CLASS_1024:
		return (size_t)1 << class;
	default:
		return 0;
	}
}

size_t
slots_per_shard(unsigned int class)
{
	size_t count = slots_count(class);

	if (count == 0)
		return SHARD_NUMBERS;
	return MIN(SHARD_NUMBERS, SHARD_ELEMENTS / count);
}

/* 64 bits out of an address and port; a change of it moves flows between
 * appliances of different versions. */
static uint64_t
backend_hash(const struct slots_backend *backend)
{
	uint64_t h = backend->port;

	for (size_t i = 0; i < addr_len_b(&backend->addr); i += 4) {
		const uint8_t *b = backend->addr.b + i;
		uint32_t word = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
		    (uint32_t)b[2] << 8 | b[3];

		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	h ^= h >> 29;
	h *= UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 32;
}

static void
take_next(struct walk *walk, uint8_t index, uint8_t *slots, uint32_t mask)
{
	while (slots[walk->at] != SLOTS_NO_BACKEND)
		walk->at = (walk->at + walk->stride) & mask;
	slots[walk->at] = index;
}

void
slots_fill(const struct slots_backend *backends, size_t n, uint8_t *slots,
    size_t n_slots)
{
	struct walk walks[SLOTS_BACKENDS_MAX];
	uint32_t mask = (uint32_t)n_slots - 1;
	uint32_t heaviest = 0;
	size_t n_left = n_slots;

	assert(n <= SLOTS_BACKENDS_MAX && n <= n_slots);
	memset(slots, SLOTS_NO_BACKEND, n_slots);
	for (size_t i = 0; i < n; i++)
		heaviest = MAX(heaviest, backends[i].weight);
	assert(heaviest > 0);
	for (size_t i = 0; i < n; i++) {
		uint64_t h = backend_hash(&backends[i]);

		/* Full credit at first: whoever has a weight gets a slot. */
		walks[i] = (struct walk){ .at = (uint32_t)h & mask,
			.stride = ((uint32_t)(h >> 32) & mask) | 1,
			.credit = heaviest - backends[i].weight };
	}
	while (n_left > 0) {
		for (size_t i = 0; i < n && n_left > 0; i++) {
			walks[i].credit += backends[i].weight;
			if (backends[i].weight == 0 ||
			    walks[i].credit < heaviest)
				continue;
			walks[i].credit -= heaviest;
			take_next(&walks[i], backends[i].index, slots, mask);
			n_left--;
		}
	}
}
