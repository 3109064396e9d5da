/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apply/nft_impl.h"
#include "base/str.h"

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
bench_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
bench_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void
samples_add(struct samples *s, int64_t ns)
{
	vec_push(&s->ns, ns);
}

static int
cmp_ns(const void *va, const void *vb)
{
	const int64_t *a = va;
	const int64_t *b = vb;

	return (*a > *b) - (*a < *b);
}

double
samples_us(struct samples *s, unsigned int percent)
{
	bench_need(s->ns.n > 0, "measurement: it was never made");
	vec_sort(&s->ns, cmp_ns);
	return (double)s->ns.v[MIN(s->ns.n * percent / 100, s->ns.n - 1)] /
	    1000;
}

void
samples_fini(struct samples *s)
{
	vec_fini(&s->ns);
}

void
bench_need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: bad %s\n", what);
	exit(2);
}

unsigned int
bench_number(const char *text, unsigned int max)
{
	uint64_t n = 0;

	bench_need(text && str_to_u64(text, max, &n) == 0 && n > 0, "number");
	return (unsigned int)n;
}

struct addr
bench_addr(const char *base, unsigned int n)
{
	struct addr a = { 0 };

	bench_need(addr_parse(base, &a) == 0 && addr_add(&a, n, &a), "address");
	return a;
}

void
bench_put_op(void *arg, const struct ruleset_op *op)
{
	char set[NFT_NAME_B];

	if (op->set != RULESET_SET_SHARD && op->set != RULESET_SET_COUNTER)
		nft_table_set_name(op->set, op->family, op->class, op->shard,
		    set);
	nft_put_op(arg, set, op);
}
