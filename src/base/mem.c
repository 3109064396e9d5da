/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

static void (*exhausted_hook)(size_t size_b);

void
mem_set_exhausted_hook(void (*hook)(size_t size_b))
{
	exhausted_hook = hook;
}

static void ATTR_NORETURN
exhausted(size_t size_b)
{
	if (exhausted_hook)
		exhausted_hook(size_b);
	abort();
}

void *
mem_alloc(size_t size_b)
{
	void *p = calloc(1, size_b ? size_b : 1);

	if (!p)
		exhausted(size_b);
	return p;
}

void *
mem_resize(void *old, size_t n, size_t size_b)
{
	void *p = reallocarray(old, n ? n : 1, size_b ? size_b : 1);

	if (!p)
		exhausted(n * size_b);
	return p;
}

void *
mem_dup(const void *data, size_t size_b)
{
	void *p = mem_alloc(size_b);

	if (size_b)
		memcpy(p, data, size_b);
	return p;
}

char *
mem_strdup(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	if (n)
		memcpy(p, s, n);
	return p;
}
