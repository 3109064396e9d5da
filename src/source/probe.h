/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: asks every candidate node over HTTP whether it can take traffic.
 *
 * Spread over the interval, bounded in flight.  A target is a (cluster, node)
 * with one address.
 */
#ifndef EIPD_SOURCE_PROBE_H
#define EIPD_SOURCE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/mono.h"
#include "model/world.h"

struct loop;
struct probe;

struct probe_conf {
	bool is_on;
	uint16_t port;
	char path[256];
	int64_t interval_us;
	int64_t timeout_us;
	unsigned int fall; /* failures in a row until down */
	unsigned int rise;
};

struct probe_status {
	enum probe_state state;
	mono_t since;
	const char *error; /* last failure, "" if none; borrowed */
};

/* `on_change` is called only when a target's state changes: by an answer, and
 * from within probe_set() and probe_configure() when it becomes unknown; in
 * these two it must not add or remove targets. */
struct probe *probe_new(struct loop *loop,
    void (*on_change)(void *arg, const char *cluster, const char *node,
	enum probe_state state),
    void *arg);
void probe_free(struct probe *probe);
/* Takes effect for every target from its next round on. */
void probe_configure(struct probe *probe, const struct probe_conf *conf);
/* Adds the target or changes its address (state becomes unknown again). */
void probe_set(struct probe *probe, const char *cluster, const char *node,
    const struct addr *addr);
void probe_remove(struct probe *probe, const char *cluster, const char *node);
/* False if it is no target. */
bool probe_get(const struct probe *probe, const char *cluster, const char *node,
    struct probe_status *out);

#endif
