/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mono: instants and durations.
 *
 * mono_t counts microseconds of CLOCK_MONOTONIC (or of a virtual clock);
 * wall_t counts seconds since 1970 UTC and is used only where it is stored or
 * shown.  Both are arguments: nothing but sys/clock.c reads a clock.
 */
#ifndef EIPD_BASE_MONO_H
#define EIPD_BASE_MONO_H

#include <stdint.h>

typedef int64_t mono_t;
typedef int64_t wall_t;

#define MONO_MS INT64_C(1000)
#define MONO_S INT64_C(1000000)

#endif
