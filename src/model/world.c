/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "base/vec.h"

enum {
	KEY_B = 512
};

struct entry {
	struct object *object;
	unsigned int listing; /* last listing that had it */
	enum probe_state probe; /* nodes */
	UT_hash_handle hh;
	char key[];
};

/* The slices of one Service. */
struct slice_index {
	VEC(const struct slice *) slices;
	UT_hash_handle hh;
	char key[];
};

/* One (kind, cluster) that was ever listed. */
struct listing {
	const char *cluster; /* owned */
	enum object_kind kind;
	unsigned int number;
};

struct world {
	struct entry *objects[OBJECT__COUNT];
	uint64_t generation[OBJECT__COUNT];
	struct slice_index *slices;
	VEC(struct listing) listings;
	VEC(const struct pool *) pools; /* in force, in order */
};

const char *
probe_state_name(enum probe_state state)
{
	switch (state) {
	case PROBE_UP:
		return "up";
	case PROBE_DOWN:
		return "down";
	case PROBE_UNKNOWN:
		break;
	}
	return "unknown";
}

struct world *
world_new(void)
{
	return mem_new(struct world);
}

static void
make_key(char key[KEY_B], const char *cluster, const char *ns, const char *name)
{
	snprintf(key, KEY_B, "%s/%s/%s", cluster, ns, name);
}

static struct entry *
find(const struct world *world, enum object_kind kind, const char *cluster,
    const char *ns, const char *name)
{
	char key[KEY_B];
	struct entry *e;

	make_key(key, cluster, ns, name);
	HASH_FIND_STR(world->objects[kind], key, e);
	return e;
}

static struct listing *
listing_of(struct world *world, enum object_kind kind, const char *cluster)
{
	struct listing *l;

	VEC_FOREACH (l, &world->listings) {
		if (l->kind == kind && strcmp(l->cluster, cluster) == 0)
			return l;
	}
	vec_push(&world->listings,
	    (struct listing){ .cluster = mem_strdup(cluster), .kind = kind });
	return &world->listings.v[world->listings.n - 1];
}

/* Higher priority first, then name; of one name the file's first. */
static int
pool_order(const void *a, const void *b)
{
	const struct pool *pa = *(const struct pool *const *)a;
	const struct pool *pb = *(const struct pool *const *)b;
	int c;

	if (pa->priority != pb->priority)
		return pa->priority > pb->priority ? -1 : 1;
	c = strcmp(pa->o.name, pb->o.name);
	return c ? c : strcmp(pa->o.cluster, pb->o.cluster);
}

/* A file's object hides a cluster's of the same name. */
static bool
is_hidden(const struct world *world, const struct object *o)
{
	return strcmp(o->cluster, CLUSTER_STATIC) != 0 &&
	    find(world, o->kind, CLUSTER_STATIC, "", o->name) != NULL;
}

/* Where it is among those in force, or would have to be. */
static size_t
pool_place(const struct world *world, const struct pool *pool)
{
	size_t low = 0;
	size_t high = world->pools.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pool_order(&world->pools.v[mid], &pool) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
pool_show(struct world *world, const struct object *o)
{
	const struct pool *pool = (const struct pool *)o;

	if (!is_hidden(world, o))
		vec_insert(&world->pools, pool_place(world, pool), pool);
}

static void
pool_hide(struct world *world, const struct object *o)
{
	const struct pool *pool = (const struct pool *)o;
	size_t at = pool_place(world, pool);

	if (at < world->pools.n && world->pools.v[at] == pool)
		vec_remove(&world->pools, at);
}

/* Those of the clusters come and go with the file's of that name. */
static void
pools_beside(struct world *world, const struct object *o,
    void (*fn)(struct world *world, const struct object *o))
{
	struct entry *e;
	struct entry *tmp;

	if (strcmp(o->cluster, CLUSTER_STATIC) != 0)
		return;
	HASH_ITER(hh, world->objects[OBJECT_EIP], e, tmp)
	{
		if (e->object && e->object != o &&
		    strcmp(e->object->name, o->name) == 0)
			fn(world, e->object);
	}
}

static void
slice_index_add(struct world *world, const struct slice *slice)
{
	char key[KEY_B];
	struct slice_index *index;

	make_key(key, slice->o.cluster, slice->o.ns, slice->service);
	HASH_FIND_STR(world->slices, key, index);
	if (!index) {
		index = mem_alloc(sizeof(*index) + strlen(key) + 1);
		memcpy(index->key, key, strlen(key) + 1);
		HASH_ADD_KEYPTR(hh, world->slices, index->key, strlen(key),
		    index);
	}
	vec_push(&index->slices, slice);
}

static void
slice_index_remove(struct world *world, const struct slice *slice)
{
	char key[KEY_B];
	struct slice_index *index;

	make_key(key, slice->o.cluster, slice->o.ns, slice->service);
	HASH_FIND_STR(world->slices, key, index);
	if (!index)
		return;
	for (size_t i = 0; i < index->slices.n; i++) {
		if (index->slices.v[i] == slice) {
			vec_remove(&index->slices, i);
			break;
		}
	}
	if (index->slices.n == 0) {
		HASH_DEL(world->slices, index);
		vec_fini(&index->slices);
		free(index);
	}
}

static bool
same(const struct object *a, const struct object *b)
{
	if (strcmp(a->uid, b->uid) != 0 || a->is_deleting != b->is_deleting)
		return false;
	switch (a->kind) {
	case OBJECT_SERVICE:
		return service_same((const struct service *)a,
		    (const struct service *)b);
	case OBJECT_SLICE:
		return slice_same((const struct slice *)a,
		    (const struct slice *)b);
	case OBJECT_NODE:
		return node_same((const struct node *)a,
		    (const struct node *)b);
	case OBJECT_NAMESPACE:
		return namespace_same((const struct namespace *)a,
		    (const struct namespace *)b);
	case OBJECT_EIP:
	case OBJECT_BGP_CONF:
	case OBJECT_BGP_PEER:
		return a->manifest && str_eq(a->manifest, b->manifest) &&
		    str_eq(a->origin, b->origin);
	case OBJECT__COUNT:
		break;
	}
	return false;
}

static struct entry *
entry_add(struct world *world, const struct object *object)
{
	char key[KEY_B];
	struct entry *e;

	make_key(key, object->cluster, object->ns, object->name);
	e = mem_alloc(sizeof(*e) + strlen(key) + 1);
	memcpy(e->key, key, strlen(key) + 1);
	HASH_ADD_KEYPTR(hh, world->objects[object->kind], e->key, strlen(key),
	    e);
	return e;
}

static void
unindex(struct world *world, const struct object *o)
{
	if (o->kind == OBJECT_SLICE)
		slice_index_remove(world, (const struct slice *)o);
	if (o->kind == OBJECT_EIP)
		pool_hide(world, o);
}

bool
world_put(struct world *world, struct object *object)
{
	enum object_kind kind = object->kind;
	struct entry *e =
	    find(world, kind, object->cluster, object->ns, object->name);

	if (!e)
		e = entry_add(world, object);
	e->listing = listing_of(world, kind, object->cluster)->number;
	if (e->object && same(e->object, object)) {
		object_free(object);
		return false;
	}
	if (e->object)
		unindex(world, e->object);
	object_free(e->object);
	e->object = object;
	if (kind == OBJECT_SLICE)
		slice_index_add(world, (const struct slice *)object);
	if (kind == OBJECT_EIP) {
		pools_beside(world, object, pool_hide);
		pool_show(world, object);
	}
	world->generation[kind]++;
	return true;
}

static void
entry_remove(struct world *world, struct entry *e)
{
	enum object_kind kind = e->object->kind;

	unindex(world, e->object);
	HASH_DEL(world->objects[kind], e);
	if (kind == OBJECT_EIP)
		pools_beside(world, e->object, pool_show);
	object_free(e->object);
	free(e);
	world->generation[kind]++;
}

bool
world_remove(struct world *world, enum object_kind kind, const char *cluster,
    const char *ns, const char *name)
{
	struct entry *e = find(world, kind, cluster, ns, name);

	if (!e)
		return false;
	entry_remove(world, e);
	return true;
}

void
world_list_begin(struct world *world, enum object_kind kind,
    const char *cluster)
{
	listing_of(world, kind, cluster)->number++;
}

void
world_keep(struct world *world, enum object_kind kind, const char *cluster,
    const char *ns, const char *name)
{
	struct entry *e = find(world, kind, cluster, ns, name);

	if (e)
		e->listing = listing_of(world, kind, cluster)->number;
}

void
world_list_end(struct world *world, enum object_kind kind, const char *cluster,
    void (*fn)(void *arg, const struct object *gone), void *arg)
{
	unsigned int number = listing_of(world, kind, cluster)->number;
	VEC(struct entry *) gone = { 0 };
	struct entry *e;
	struct entry *tmp;

	HASH_ITER(hh, world->objects[kind], e, tmp)
	{
		if (e->listing != number &&
		    strcmp(e->object->cluster, cluster) == 0)
			vec_push(&gone, e);
	}
	for (size_t i = 0; i < gone.n; i++) {
		fn(arg, gone.v[i]->object);
		entry_remove(world, gone.v[i]);
	}
	vec_fini(&gone);
}

const struct object *
world_get(const struct world *world, enum object_kind kind, const char *cluster,
    const char *ns, const char *name)
{
	const struct entry *e = find(world, kind, cluster, ns, name);

	return e ? e->object : NULL;
}

const struct object *
world_first(const struct world *world, enum object_kind kind)
{
	return world->objects[kind] ? world->objects[kind]->object : NULL;
}

const struct object *
world_next(const struct world *world, const struct object *object)
{
	const struct entry *e = find(world, object->kind, object->cluster,
	    object->ns, object->name);
	const struct entry *next = e ? e->hh.next : NULL;

	return next ? next->object : NULL;
}

size_t
world_count(const struct world *world, enum object_kind kind)
{
	return HASH_COUNT(world->objects[kind]);
}

static int
object_order(const void *a, const void *b)
{
	const struct object *oa = *(const struct object *const *)a;
	const struct object *ob = *(const struct object *const *)b;
	int c = strcmp(oa->cluster, ob->cluster);

	if (!c)
		c = strcmp(oa->ns, ob->ns);
	return c ? c : strcmp(oa->name, ob->name);
}

const struct object **
world_list(const struct world *world, enum object_kind kind, size_t *n)
{
	VEC(const struct object *) all = { 0 };
	struct entry *e;
	struct entry *tmp;

	vec_reserve(&all, world_count(world, kind) + 1);
	HASH_ITER(hh, world->objects[kind], e, tmp)
	vec_push(&all, e->object);
	vec_sort(&all, object_order);
	*n = all.n;
	return all.v;
}

const struct slice *const *
world_slices(const struct world *world, const char *cluster, const char *ns,
    const char *service, size_t *n)
{
	char key[KEY_B];
	struct slice_index *index;

	make_key(key, cluster, ns, service);
	HASH_FIND_STR(world->slices, key, index);
	*n = index ? index->slices.n : 0;
	return index ? index->slices.v : NULL;
}

const struct pool *const *
world_pools(const struct world *world, size_t *n)
{
	*n = world->pools.n;
	return world->pools.v;
}

const struct pool *
world_pool(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->pools.n; i++)
		if (strcmp(world->pools.v[i]->o.name, name) == 0)
			return world->pools.v[i];
	return NULL;
}

static bool
pools_overlap(const struct pool *a, const struct pool *b)
{
	for (size_t i = 0; i < a->n_ranges; i++)
		for (size_t j = 0; j < b->n_ranges; j++)
			if (addr_range_overlaps(&a->ranges[i], &b->ranges[j]))
				return true;
	return false;
}

const struct pool *
world_overlapping_pool(const struct world *world, const struct pool *pool)
{
	for (size_t i = 0; i < world->pools.n; i++)
		if (strcmp(world->pools.v[i]->o.name, pool->o.name) != 0 &&
		    pools_overlap(world->pools.v[i], pool))
			return world->pools.v[i];
	return NULL;
}

const struct bgp_conf *
world_bgp_conf(const struct world *world)
{
	const struct bgp_conf *found = NULL;
	struct entry *e;
	struct entry *tmp;

	HASH_ITER(hh, world->objects[OBJECT_BGP_CONF], e, tmp)
	{
		const struct bgp_conf *conf = (const void *)e->object;

		if (strcmp(conf->o.name, "default") == 0 && !conf->is_cni &&
		    !is_hidden(world, e->object))
			found = conf;
	}
	return found;
}

const struct bgp_peer **
world_bgp_peers(const struct world *world, size_t *n)
{
	size_t n_all;
	const struct object **all = world_list(world, OBJECT_BGP_PEER, &n_all);
	VEC(const struct bgp_peer *) peers = { 0 };

	vec_reserve(&peers, n_all + 1);
	for (size_t i = 0; i < n_all; i++)
		if (!is_hidden(world, all[i]))
			vec_push(&peers, (const struct bgp_peer *)all[i]);
	free(all);
	*n = peers.n;
	return peers.v;
}

uint64_t
world_generation(const struct world *world, enum object_kind kind)
{
	return world->generation[kind];
}

void
world_set_probe(struct world *world, const char *cluster, const char *node,
    enum probe_state state)
{
	struct entry *e = find(world, OBJECT_NODE, cluster, "", node);

	if (!e || e->probe == state)
		return;
	e->probe = state;
	world->generation[OBJECT_NODE]++;
}

enum probe_state
world_probe(const struct world *world, const char *cluster, const char *node)
{
	const struct entry *e = find(world, OBJECT_NODE, cluster, "", node);

	return e ? e->probe : PROBE_UNKNOWN;
}

void
world_free(struct world *world)
{
	if (!world)
		return;
	for (int kind = 0; kind < OBJECT__COUNT; kind++) {
		struct entry *e;
		struct entry *tmp;

		HASH_ITER(hh, world->objects[kind], e, tmp)
		entry_remove(world, e);
	}
	for (size_t i = 0; i < world->listings.n; i++)
		free((void *)(uintptr_t)world->listings.v[i].cluster);
	vec_fini(&world->listings);
	vec_fini(&world->pools);
	free(world);
}
