/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: the only reader of the machine's clocks and random source.
 */
#ifndef EIPD_SYS_CLOCK_H
#define EIPD_SYS_CLOCK_H

#include <stdint.h>

#include "base/mono.h"

mono_t clock_mono(void);
wall_t clock_wall(void);
/* Microseconds since 1970 UTC, for what the API shows as MicroTime. */
int64_t clock_wall_us(void);
/* Good enough for jitter, not for secrets. */
uint32_t clock_random(void);

#endif
