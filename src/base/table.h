/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: uthash with our allocator and hash; the only way to include it.
 *
 * For lookup by key; what is planned, compared or printed lives in sorted
 * vectors.
 */
#ifndef EIPD_BASE_TABLE_H
#define EIPD_BASE_TABLE_H

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"

/* FNV-1a, folded because uthash takes the low bits. */
unsigned int table_hash(const void *key, size_t key_b);

#define uthash_malloc(size_b) mem_alloc(size_b)
#define uthash_free(p, size_b) free(p)
#define uthash_fatal(msg) abort()
#define HASH_FUNCTION(key, key_b, out) ((out) = table_hash((key), (key_b)))
#include <uthash.h>

#ifdef __clang_analyzer__
/* It does not see that a node leaves the lists, and takes every later look at
 * them for a use after free. */
void *table_without(void *head, void *node);
#undef HASH_DEL
#define HASH_DEL(head, node) ((head) = table_without((head), (node)))
#endif

#endif
