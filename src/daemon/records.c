/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

enum {
	KEY_B = 512
};

/* A record and its texts. */
struct row {
	struct record record;
	char text[];
};

struct route_table {
	struct addr addr;
	unsigned int users;
	UT_hash_handle hh;
};

enum turn
turn_of_service(const struct service *s)
{
	if (!s || !s->is_load_balancer)
		return TURN_OTHER;
	return s->n_ingress ? TURN_SHOWS : s->n_wanted ? TURN_ASKS : TURN_OTHER;
}

struct records *
records_new(void)
{
	return mem_new(struct records);
}

void
records_free(struct records *records)
{
	struct route_table *route;
	struct route_table *tmp;

	if (!records)
		return;
	while (records->all.n)
		records_remove(records, records->all.v[records->all.n - 1]);
	vec_fini(&records->all);
	HASH_ITER(hh, records->routes, route, tmp)
	{
		HASH_DEL(records->routes, route);
		free(route);
	}
	vec_fini(&records->dirty);
	vec_fini(&records->waiting);
	free(records);
}

size_t
records_after(const struct records *records, const char *key)
{
	size_t low = 0;
	size_t high = records->all.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(records->all.v[mid]->key, key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* `*after`: see records_after(). */
static struct record *
find(const struct records *records, const char *key, size_t *after)
{
	struct record *r;

	*after = records_after(records, key);
	r = *after ? records->all.v[*after - 1] : NULL;
	return r && strcmp(r->key, key) == 0 ? r : NULL;
}

struct record *
records_find(const struct records *records, const char *cluster, const char *ns,
    const char *name)
{
	char key[KEY_B];
	size_t after;

	snprintf(key, sizeof(key), "%s/%s/%s", cluster, ns, name);
	return find(records, key, &after);
}

/* The key and, cut at the slashes, a second copy for the three parts. */
static struct record *
record_new(const char *key, size_t cluster_b, size_t ns_b)
{
	size_t key_b = strlen(key) + 1;
	struct row *row = mem_alloc(sizeof(*row) + 2 * key_b);
	char *parts = row->text + key_b;

	memcpy(row->text, key, key_b);
	memcpy(parts, key, key_b);
	parts[cluster_b] = '\0';
	parts[cluster_b + 1 + ns_b] = '\0';
	row->record.key = row->text;
	row->record.cluster = parts;
	row->record.ns = parts + cluster_b + 1;
	row->record.name = parts + cluster_b + 1 + ns_b + 1;
	row->record.pending = "";
	return &row->record;
}

struct record *
records_get(struct records *records, const char *cluster, const char *ns,
    const char *name)
{
	char key[KEY_B];
	struct record *r;
	size_t after;

	snprintf(key, sizeof(key), "%s/%s/%s", cluster, ns, name);
	r = find(records, key, &after);
	if (r)
		return r;
	r = record_new(key, strlen(cluster), strlen(ns));
	vec_insert(&records->all, after, r);
	return r;
}

static void
forget_in_lists(struct records *records, const struct record *record)
{
	for (size_t i = 0; record->is_dirty && i < records->dirty.n; i++) {
		if (records->dirty.v[i] == record) {
			vec_remove(&records->dirty, i);
			break;
		}
	}
	for (size_t i = 0; record->is_waiting && i < records->waiting.n; i++) {
		if (records->waiting.v[i] == record) {
			vec_remove(&records->waiting, i);
			break;
		}
	}
}

void
records_remove(struct records *records, struct record *record)
{
	forget_in_lists(records, record);
	vec_remove(&records->all, records_after(records, record->key) - 1);
	decision_free(record->decision);
	free(record->problem);
	free(record);
}

void
record_mark_dirty(struct records *records, struct record *record, mono_t now)
{
	if (record->is_dirty)
		return;
	record->is_dirty = true;
	record->dirty_since = now;
	vec_push(&records->dirty, record);
}

void
record_mark_waiting(struct records *records, struct record *record)
{
	if (record->is_waiting)
		return;
	record->is_waiting = true;
	vec_push(&records->waiting, record);
}

void
record_set_pending(struct record *record, const char *pending, const char *text)
{
	char *copy = mem_strdup(text);

	free(record->problem);
	record->problem = copy;
	record->pending = copy ? pending : "";
}

static struct route_table *
route_find(const struct records *records, const struct addr *addr)
{
	struct route_table *route;

	HASH_FIND(hh, records->routes, addr, sizeof(*addr), route);
	return route;
}

bool
records_route_ref(struct records *records, const struct addr *addr)
{
	struct route_table *route = route_find(records, addr);

	if (!route) {
		route = mem_new(struct route_table);
		route->addr = *addr;
		HASH_ADD(hh, records->routes, addr, sizeof(route->addr), route);
		records->n_routes++;
	}
	return route->users++ == 0;
}

bool
records_route_unref(struct records *records, const struct addr *addr)
{
	struct route_table *route = route_find(records, addr);

	if (!route || --route->users > 0)
		return false;
	HASH_DEL(records->routes, route);
	free(route);
	records->n_routes--;
	return true;
}
