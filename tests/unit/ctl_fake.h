/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_fake: a daemon's state made by hand, for the tests of ctl/: two
 * clusters, three pools, Services in every state, two peers.
 */
#ifndef EIPD_TESTS_UNIT_CTL_FAKE_H
#define EIPD_TESTS_UNIT_CTL_FAKE_H

#include "base/str.h"
#include "ctl/state.h"

struct fake;

/* ctl_fake_verbs.c: what a fake begins with. */
struct fake_verbs {
	struct str last;
	int fail;
};
void fake_verbs_init(struct ctl_state *state);

/* 2026-01-02T03:04:05Z; the monotonic clock says 1000 s. */
#define FAKE_NOW INT64_C(1767323045)
#define FAKE_MONO (INT64_C(1000) * MONO_S)

struct fake *fake_new(void);
void fake_free(struct fake *fake);
const struct ctl_state *fake_state(struct fake *fake);

/* What the verbs were asked, "reserve 192.0.2.5 default/web". */
const char *fake_last_verb(const struct fake *fake);
/* The next verb fails like this; 0: it does not. */
void fake_fail(struct fake *fake, int code);
/* Not ready: it waits for its first sync, and for totals. */
void fake_set_ready(struct fake *fake, bool is_ready);
/* Each Service so many times, for a long list. */
void fake_list_times(struct fake *fake, size_t times);

#endif
