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

struct record_table {
	struct record record;
	UT_hash_handle hh;
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
	while (records->table)
		records_remove(records, &records->table->record);
	HASH_ITER(hh, records->routes, route, tmp)
	{
		HASH_DEL(records->routes, route);
		free(route);
	}
	vec_fini(&records->dirty);
	vec_fini(&records->waiting);
	free(records);
}

static struct record_table *
find(const struct records *records, const char *key)
{
	struct record_table *row;

	HASH_FIND_STR(records->table, key, row);
	return row;
}

struct record *
records_find(const struct records *records, const char *cluster, const char *ns,
    const char *name)
{
	char key[KEY_B];
	struct record_table *row;

	snprintf(key, sizeof(key), "%s/%s/%s", cluster, ns, name);
	row = find(records, key);
	return row ? &row->record : NULL;
}

/* The key and, cut at the slashes, a second copy for the three parts. */
static struct record_table *
row_new(const char *key, size_t cluster_b, size_t ns_b)
{
	size_t key_b = strlen(key) + 1;
	struct record_table *row = mem_alloc(sizeof(*row) + 2 * key_b);
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
	return row;
}

struct record *
records_get(struct records *records, const char *cluster, const char *ns,
    const char *name)
{
	char key[KEY_B];
	struct record_table *row;

	snprintf(key, sizeof(key), "%s/%s/%s", cluster, ns, name);
	row = find(records, key);
	if (row)
		return &row->record;
	row = row_new(key, strlen(cluster), strlen(ns));
	HASH_ADD_KEYPTR(hh, records->table, row->text, strlen(row->text), row);
	records->n++;
	return &row->record;
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
	/* The record is the row's first member. */
	struct record_table *row = (struct record_table *)record;

	forget_in_lists(records, record);
	if (records->walk_next == record)
		records->walk_next = records_next(record);
	HASH_DEL(records->table, row);
	records->n--;
	decision_free(record->decision);
	free(record->problem);
	free(row);
}

struct record *
records_first(const struct records *records)
{
	return records->table ? &records->table->record : NULL;
}

struct record *
records_next(const struct record *record)
{
	const struct record_table *row = (const struct record_table *)record;
	struct record_table *next = row->hh.next;

	return next ? &next->record : NULL;
}

void
records_walk(struct records *records)
{
	records->walk_next = records_first(records);
}

struct record *
records_walk_next(struct records *records)
{
	struct record *r = records->walk_next;

	if (r)
		records->walk_next = records_next(r);
	return r;
}

static int
record_order(const void *a, const void *b)
{
	const struct record *ra = *(struct record *const *)a;
	const struct record *rb = *(struct record *const *)b;

	return strcmp(ra->key, rb->key);
}

struct record **
records_list(const struct records *records, size_t *n)
{
	VEC(struct record *) all = { 0 };
	struct record *r;

	vec_reserve(&all, records->n + 1);
	for (r = records_first(records); r; r = records_next(r))
		vec_push(&all, r);
	vec_sort(&all, record_order);
	*n = all.n;
	return all.v;
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
