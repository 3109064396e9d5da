/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: what the measurements share: samples, their medians, a small world.
 */
#ifndef EIPD_TESTS_BENCH_H
#define EIPD_TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/vec.h"
#include "plan/ruleset.h"

struct samples {
	VEC(int64_t) ns;
};

int64_t bench_now_ns(void);
/* What this thread has used: others on the machine do not count. */
int64_t bench_cpu_ns(void);
void samples_add(struct samples *s, int64_t ns);
/* Microseconds; `percent` 50 is the median. */
double samples_us(struct samples *s, unsigned int percent);
void samples_fini(struct samples *s);

/* Ends the program with a message if `ok` is false. */
void bench_need(bool ok, const char *what);
/* A decimal argument from 1 to `max`. */
unsigned int bench_number(const char *text, unsigned int max);
/* `base` and `n` more: the addresses of a row of things. */
struct addr bench_addr(const char *base, unsigned int n);

/* A ruleset_op_fn: puts the operation into `arg`, a struct nft_batch. */
void bench_put_op(void *arg, const struct ruleset_op *op);

#endif
