/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem: allocation of long-lived objects.
 *
 * These never return NULL: on exhaustion they call the hook that the shell
 * installed (it logs) and abort, because the kernel and the database hold the
 * truth and a restart finds it again.  Whoever passes a size that came from
 * outside bounds it first.  Everything is released with free().
 */
#ifndef EIPD_BASE_MEM_H
#define EIPD_BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* Called once, before abort(); must not allocate. */
void mem_set_exhausted_hook(void (*hook)(size_t size_b));

/* Zeroed. */
void *mem_alloc(size_t size_b) ATTR_RETURNS_NONNULL;

/* `n` elements of `size_b` octets; grown part not zeroed. */
void *mem_resize(void *old, size_t n, size_t size_b);

void *mem_dup(const void *data, size_t size_b);

/* NULL gives NULL. */
char *mem_strdup(const char *s);

/* Exactly `n` octets, whatever they are, and a NUL. */
char *mem_strndup(const char *s, size_t n);

#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif
