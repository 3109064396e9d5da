/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"

#include <stdint.h>

unsigned int
table_hash(const void *key, size_t key_b)
{
	const unsigned char *p = key;
	uint32_t h = UINT32_C(0x811c9dc5);

	for (size_t i = 0; i < key_b; i++)
		h = (h ^ p[i]) * UINT32_C(0x01000193);
	return h ^ h >> 16;
}
