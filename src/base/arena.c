/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	CHUNK_MIN_B = 112,
	CHUNK_MAX_B = 64 * 1024
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t size_b;
	size_t used_b;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_chunk *
chunk_add(struct arena *arena, size_t need_b)
{
	/* Not twice as much as before: most are small, and many. */
	size_t size_b = MIN(MAX(arena->total_b / 4, (size_t)CHUNK_MIN_B),
	    (size_t)CHUNK_MAX_B);
	struct arena_chunk *c;

	size_b = MAX(size_b, need_b);
	c = mem_alloc(sizeof(*c) + size_b);
	c->size_b = size_b;
	c->next = arena->chunk;
	arena->chunk = c;
	return c;
}

void *
arena_alloc(struct arena *arena, size_t size_b)
{
	size_t align = alignof(max_align_t);
	size_t need_b = (size_b + align - 1) & ~(align - 1);
	struct arena_chunk *c = arena->chunk;
	void *p;

	if (!c || c->size_b - c->used_b < need_b)
		c = chunk_add(arena, need_b);
	p = c->data + c->used_b;
	c->used_b += need_b;
	arena->total_b += need_b;
	return p;
}

/* Text has no alignment to keep: it comes from the other end. */
static char *
text_alloc(struct arena *arena, size_t size_b)
{
	struct arena_chunk *c = arena->chunk;

	if (!c || c->size_b - c->used_b < size_b)
		c = chunk_add(arena, size_b);
	c->size_b -= size_b;
	arena->total_b += size_b;
	return (char *)c->data + c->size_b;
}

void *
arena_dup(struct arena *arena, const void *data, size_t size_b)
{
	void *p = arena_alloc(arena, size_b);

	if (size_b)
		memcpy(p, data, size_b);
	return p;
}

char *
arena_strdup(struct arena *arena, const char *s)
{
	return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *
arena_strndup(struct arena *arena, const char *s, size_t n)
{
	char *p = text_alloc(arena, n + 1);

	if (n)
		memcpy(p, s, n);
	return p;
}

char *
arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = text_alloc(arena, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
arena_fini(struct arena *arena)
{
	struct arena_chunk *c = arena->chunk;

	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
	*arena = (struct arena){ 0 };
}
