/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: every fact that decisions are made from, by key, with the indexes
 * that make one change cost what that change costs.
 *
 * Facts come from clusters (a name each; CLUSTER_STATIC for files).  Objects
 * are owned by the world once put.
 */
#ifndef EIPD_MODEL_WORLD_H
#define EIPD_MODEL_WORLD_H

#include <stdint.h>

#include "model/bgp.h"
#include "model/object.h"
#include "model/pool.h"
#include "model/service.h"

struct world;

enum probe_state {
	PROBE_UNKNOWN, /* not probed yet, or probe is off */
	PROBE_UP,
	PROBE_DOWN,
};

const char *probe_state_name(enum probe_state state);

struct world *world_new(void);
void world_free(struct world *world);

/* Takes `object` and frees the one it replaces.  If that one is the same
 * (service_same() and so on), it stays, the new one is freed and the result
 * is false: nothing to plan. */
bool world_put(struct world *world, struct object *object);
/* False if there was none. */
bool world_remove(struct world *world, enum object_kind kind,
    const char *cluster, const char *ns, const char *name);

/* Mark and sweep of one listing: objects of (cluster, kind) that were neither
 * put nor kept since world_list_begin() are given to `fn` and removed. */
void world_list_begin(struct world *world, enum object_kind kind,
    const char *cluster);
void world_keep(struct world *world, enum object_kind kind, const char *cluster,
    const char *ns, const char *name);
void world_list_end(struct world *world, enum object_kind kind,
    const char *cluster, void (*fn)(void *arg, const struct object *gone),
    void *arg);

/* NULL if absent. */
const struct object *world_get(const struct world *world, enum object_kind kind,
    const char *cluster, const char *ns, const char *name);
/* All of a kind in no order:
 *   for (o = world_first(w, k); o; o = world_next(w, o)) */
const struct object *world_first(const struct world *world,
    enum object_kind kind);
const struct object *world_next(const struct world *world,
    const struct object *object);
size_t world_count(const struct world *world, enum object_kind kind);
/* All of a kind in order of cluster, namespace, name; the caller frees the
 * array. */
const struct object **world_list(const struct world *world,
    enum object_kind kind, size_t *n);

/* Slices of one Service, in no order; borrowed until the next change. */
const struct slice *const *world_slices(const struct world *world,
    const char *cluster, const char *ns, const char *service, size_t *n);

/* The pools in force (a file's before a cluster's of the same name), sorted
 * by priority descending, then name; borrowed until the next change of an
 * Eip. */
const struct pool *const *world_pools(const struct world *world, size_t *n);
const struct pool *world_pool(const struct world *world, const char *name);
/* A pool in force, of another name, that shares an address with `pool`. */
const struct pool *world_overlapping_pool(const struct world *world,
    const struct pool *pool);
/* The BgpConf named `default` in force, NULL if none or left to the CNI; the
 * peers in force, sorted by name, the caller frees the array. */
const struct bgp_conf *world_bgp_conf(const struct world *world);
const struct bgp_peer **world_bgp_peers(const struct world *world, size_t *n);

/* Moves whenever an object of the kind (for nodes: or a probe's result)
 * changed. */
uint64_t world_generation(const struct world *world, enum object_kind kind);

/* Probe results, kept apart from the Node object. */
void world_set_probe(struct world *world, const char *cluster, const char *node,
    enum probe_state state);
enum probe_state world_probe(const struct world *world, const char *cluster,
    const char *node);

#endif
