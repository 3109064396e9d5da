/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/clock.h"

#include <sys/random.h>
#include <time.h>

static int64_t
now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * MONO_S + ts.tv_nsec / 1000;
}

mono_t
clock_mono(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

wall_t
clock_wall(void)
{
	return clock_wall_us() / MONO_S;
}

uint32_t
clock_random(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
		v = (uint32_t)clock_mono();
	return v;
}
