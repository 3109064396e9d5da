/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * histogram: durations in buckets from half a millisecond to ten seconds.
 */
#include "base/mono.h"
#include "ctl/state.h"

const double histogram_bounds_s[HISTOGRAM_BUCKETS - 1] = { 0.0005, 0.001,
	0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10 };

void
histogram_add(struct histogram *h, int64_t us)
{
	double s = us > 0 ? (double)us / MONO_S : 0;
	size_t i = 0;

	while (i < HISTOGRAM_BUCKETS - 1 && s > histogram_bounds_s[i])
		i++;
	h->buckets[i]++;
	h->count++;
	h->sum_s += s;
}
