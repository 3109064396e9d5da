/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arena: bump allocator for things that die together (a decoded object, a
 * plan, a parsed file).
 *
 * A zeroed struct arena is a valid empty one.  Memory is zeroed and aligned
 * for any type.  Chunks start small and double, so an object of a few hundred
 * octets costs about that.
 */
#ifndef EIPD_BASE_ARENA_H
#define EIPD_BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk;
	size_t total_b; /* handed out */
};

void *arena_alloc(struct arena *arena, size_t size_b) ATTR_RETURNS_NONNULL;
void *arena_dup(struct arena *arena, const void *data, size_t size_b);
char *arena_strdup(struct arena *arena, const char *s); /* NULL gives NULL */
/* Exactly `n` octets, whatever they are, and a NUL. */
char *arena_strndup(struct arena *arena, const char *s, size_t n);
char *arena_printf(struct arena *arena, const char *fmt, ...) ATTR_PRINTF(2, 3);
void arena_fini(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, n)                                            \
	((type *)arena_alloc((arena), sizeof(type) * (n)))

#endif
