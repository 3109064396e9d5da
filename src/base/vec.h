/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vec: typed growing arrays.
 *
 * VEC(type) is a struct { type *v; size_t n, cap; }; a zeroed one is empty.
 * Elements are values; the vector owns only the array itself.
 */
#ifndef EIPD_BASE_VEC_H
#define EIPD_BASE_VEC_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define VEC(type)                                                              \
	struct {                                                               \
		type *v;                                                       \
		size_t n;                                                      \
		size_t cap;                                                    \
	}

#define vec_reserve(vec, want)                                                 \
	do {                                                                   \
		size_t vec_want_ = (want);                                     \
		if (vec_want_ > (vec)->cap) {                                  \
			(vec)->cap = vec_want_ > (vec)->cap * 2                \
			    ? vec_want_                                        \
			    : (vec)->cap * 2;                                  \
			(vec)->v = mem_resize((vec)->v, (vec)->cap,            \
			    sizeof(*(vec)->v));                                \
		}                                                              \
	} while (0)

#define vec_push(vec, ...)                                                     \
	do {                                                                   \
		vec_reserve((vec), (vec)->n + 1);                              \
		(vec)->v[(vec)->n++] = (__VA_ARGS__);                          \
	} while (0)

#define vec_insert(vec, at, ...)                                               \
	do {                                                                   \
		size_t vec_at_ = (at);                                         \
		vec_reserve((vec), (vec)->n + 1);                              \
		memmove((vec)->v + vec_at_ + 1, (vec)->v + vec_at_,            \
		    ((vec)->n - vec_at_) * sizeof(*(vec)->v));                 \
		(vec)->n++;                                                    \
		(vec)->v[vec_at_] = (__VA_ARGS__);                             \
	} while (0)

/* Keeps the order. */
#define vec_remove(vec, at)                                                    \
	do {                                                                   \
		size_t vec_at_ = (at);                                         \
		memmove((vec)->v + vec_at_, (vec)->v + vec_at_ + 1,            \
		    ((vec)->n - vec_at_ - 1) * sizeof(*(vec)->v));             \
		(vec)->n--;                                                    \
	} while (0)

#define vec_clear(vec) ((vec)->n = 0)

#define vec_fini(vec)                                                          \
	do {                                                                   \
		free((vec)->v);                                                \
		(vec)->v = NULL;                                               \
		(vec)->n = 0;                                                  \
		(vec)->cap = 0;                                                \
	} while (0)

#define vec_sort(vec, cmp)                                                     \
	do {                                                                   \
		if ((vec)->n > 1)                                              \
			qsort((vec)->v, (vec)->n, sizeof(*(vec)->v), cmp);     \
	} while (0)

/* `it` is a pointer to each element in turn. */
#define VEC_FOREACH(it, vec)                                                   \
	for (it = (vec)->v; (vec)->n && it < (vec)->v + (vec)->n; it++)

#endif
