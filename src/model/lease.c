/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"

enum {
	KEY_MAX_B = 1024
};

enum chain {
	CHAIN_ADDRESS,
	CHAIN_SERVICE,
	CHAIN_POOL,
	CHAIN__COUNT
};

struct row;

/* All rows with one key; it owns the key's strings. */
struct group {
	struct row *first;
	struct row *last;
	UT_hash_handle hh;
	size_t key_b;
	char key[]; /* an address, or strings each with its NUL */
};

struct row {
	struct lease lease; /* first: a lease is its row */
	struct group *groups[CHAIN__COUNT];
	struct row *prev[CHAIN__COUNT];
	struct row *next[CHAIN__COUNT];
};

struct reserved {
	struct reservation r; /* first: a reservation is its row */
	char *strings; /* pool, ns, name */
	UT_hash_handle hh;
};

struct lease_table {
	struct group *groups[CHAIN__COUNT];
	struct reserved *reservations;
	size_t n_rows;
	uint64_t generation;
};

static const char *const state_names[] = {
	[LEASE_HELD] = "held",
	[LEASE_QUARANTINED] = "quarantined",
	[LEASE_STICKY] = "sticky",
	[LEASE_EXPIRED] = "expired",
};

const char *
lease_state_name(enum lease_state state)
{
	return state_names[state];
}

enum lease_state
lease_state(const struct lease *lease, wall_t now)
{
	if (lease->is_held)
		return LEASE_HELD;
	if (now < lease->quarantine_until)
		return LEASE_QUARANTINED;
	if (now < lease->sticky_until)
		return LEASE_STICKY;
	return LEASE_EXPIRED;
}

struct lease_table *
lease_table_new(void)
{
	return mem_new(struct lease_table);
}

/* Each with its NUL, one after the other; too long a key is cut, which no
 * name of the API reaches. */
static size_t
join(char *out, size_t cap_b, const char *const *strings, size_t n)
{
	size_t used_b = 0;

	for (size_t i = 0; i < n; i++) {
		const char *s = strings[i] ? strings[i] : "";
		size_t left_b = cap_b - used_b - (n - i);
		size_t len_b = strnlen(s, left_b);

		memcpy(out + used_b, s, len_b);
		out[used_b + len_b] = '\0';
		used_b += len_b + 1;
	}
	return used_b;
}

static size_t
service_key(char out[KEY_MAX_B], const char *cluster, const char *ns,
    const char *name)
{
	const char *const strings[] = { cluster, ns, name };

	return join(out, KEY_MAX_B, strings, ARRAY_LEN(strings));
}

static struct group *
group_find(const struct lease_table *table, enum chain chain, const void *key,
    size_t key_b)
{
	struct group *g = NULL;

	HASH_FIND(hh, table->groups[chain], key, key_b, g);
	return g;
}

static struct group *
group_get(struct lease_table *table, enum chain chain, const void *key,
    size_t key_b)
{
	struct group *g = group_find(table, chain, key, key_b);

	if (g)
		return g;
	g = mem_alloc(sizeof(*g) + key_b);
	memcpy(g->key, key, key_b);
	g->key_b = key_b;
	HASH_ADD_KEYPTR(hh, table->groups[chain], g->key, g->key_b, g);
	return g;
}

static int
compare_services(const struct lease *a, const struct lease *b)
{
	int c = strcmp(a->cluster, b->cluster);

	if (c == 0)
		c = strcmp(a->ns, b->ns);
	return c ? c : strcmp(a->name, b->name);
}

static int
compare_leases(const struct lease *a, const struct lease *b)
{
	int c = addr_cmp(&a->address, &b->address);

	return c ? c : compare_services(a, b);
}

/* The chain of an address is in order of Service, that of a Service in order
 * of address, that of a pool as rows came. */
static void
link_row(struct row *row, enum chain chain, struct group *g)
{
	struct row *before = g->last;

	while (before && chain != CHAIN_POOL &&
	    compare_leases(&before->lease, &row->lease) > 0)
		before = before->prev[chain];
	row->groups[chain] = g;
	row->prev[chain] = before;
	row->next[chain] = before ? before->next[chain] : g->first;
	if (row->next[chain])
		row->next[chain]->prev[chain] = row;
	else
		g->last = row;
	if (before)
		before->next[chain] = row;
	else
		g->first = row;
}

static void
unlink_row(struct lease_table *table, struct row *row, enum chain chain)
{
	struct group *g = row->groups[chain];
	struct row *prev = row->prev[chain];
	struct row *next = row->next[chain];

	if (prev)
		prev->next[chain] = next;
	else
		g->first = next;
	if (next)
		next->prev[chain] = prev;
	else
		g->last = prev;
	row->groups[chain] = NULL;
	if (g->first)
		return;
	HASH_DEL(table->groups[chain], g);
	free(g);
}

static struct row *
row_find(const struct lease_table *table, const struct lease *key)
{
	char service[KEY_MAX_B];
	size_t service_b =
	    service_key(service, key->cluster, key->ns, key->name);
	struct group *g = group_find(table, CHAIN_SERVICE, service, service_b);

	for (struct row *row = g ? g->first : NULL; row;
	     row = row->next[CHAIN_SERVICE])
		if (addr_eq(&row->lease.address, &key->address))
			return row;
	return NULL;
}

static void
set_pool(struct lease_table *table, struct row *row, const char *pool)
{
	char key[KEY_MAX_B];
	size_t key_b = join(key, sizeof(key), &pool, 1);
	struct group *g = group_get(table, CHAIN_POOL, key, key_b);

	if (row->groups[CHAIN_POOL] == g)
		return;
	if (row->groups[CHAIN_POOL])
		unlink_row(table, row, CHAIN_POOL);
	link_row(row, CHAIN_POOL, g);
	row->lease.pool = g->key;
}

static struct row *
row_add(struct lease_table *table, const struct lease *lease)
{
	struct row *row = mem_new(struct row);
	char key[KEY_MAX_B];
	size_t key_b = service_key(key, lease->cluster, lease->ns, lease->name);
	struct group *g = group_get(table, CHAIN_SERVICE, key, key_b);

	row->lease.address = lease->address;
	row->lease.cluster = g->key;
	row->lease.ns = row->lease.cluster + strlen(row->lease.cluster) + 1;
	row->lease.name = row->lease.ns + strlen(row->lease.ns) + 1;
	link_row(row, CHAIN_SERVICE, g);
	g = group_get(table, CHAIN_ADDRESS, &row->lease.address,
	    sizeof(row->lease.address));
	link_row(row, CHAIN_ADDRESS, g);
	table->n_rows++;
	return row;
}

static void
row_free(struct row *row)
{
	/* Declared for borrowers; the copy is ours. */
	void *uid = (void *)(uintptr_t)row->lease.uid;

	free(uid);
	free(row);
}

/* The strings of `lease` may be those of the very row that it replaces. */
static void
put(struct lease_table *table, const struct lease *lease)
{
	struct row *row = row_find(table, lease);
	char *uid = mem_strdup(lease->uid ? lease->uid : "");
	void *old_uid;

	if (!row)
		row = row_add(table, lease);
	set_pool(table, row, lease->pool);
	old_uid = (void *)(uintptr_t)row->lease.uid;
	row->lease.uid = uid;
	row->lease.is_held = lease->is_held;
	row->lease.is_passive = lease->is_passive;
	row->lease.since = lease->since;
	row->lease.quarantine_until = lease->quarantine_until;
	row->lease.sticky_until = lease->sticky_until;
	free(old_uid);
}

static void
delete_row(struct lease_table *table, struct row *row)
{
	for (enum chain c = CHAIN_ADDRESS; c < CHAIN__COUNT; c++)
		unlink_row(table, row, c);
	row_free(row);
	table->n_rows--;
}

static struct reserved *
reserved_find(const struct lease_table *table, const struct addr *address)
{
	struct reserved *r = NULL;

	HASH_FIND(hh, table->reservations, address, sizeof(*address), r);
	return r;
}

static void
unreserve(struct lease_table *table, struct reserved *r)
{
	HASH_DEL(table->reservations, r);
	free(r->strings);
	free(r);
}

static void
reserve(struct lease_table *table, const struct lease_op *op)
{
	const char *const strings[] = { op->lease.pool, op->lease.ns,
		op->lease.name };
	struct reserved *old = reserved_find(table, &op->lease.address);
	struct reserved *r = mem_new(struct reserved);
	char text[KEY_MAX_B];
	size_t text_b = join(text, sizeof(text), strings, ARRAY_LEN(strings));

	r->strings = mem_dup(text, text_b);
	r->r.address = op->lease.address;
	r->r.pool = r->strings;
	r->r.ns = r->r.pool + strlen(r->r.pool) + 1;
	r->r.name = r->r.ns + strlen(r->r.ns) + 1;
	r->r.since = op->at;
	if (old)
		unreserve(table, old);
	HASH_ADD(hh, table->reservations, r.address, sizeof(r->r.address), r);
}

void
lease_table_apply(struct lease_table *table, const struct lease_op *op)
{
	struct reserved *r;
	struct row *row;

	table->generation++;
	switch (op->kind) {
	case LEASE_OP_PUT:
		put(table, &op->lease);
		break;
	case LEASE_OP_DELETE:
		row = row_find(table, &op->lease);
		if (row)
			delete_row(table, row);
		break;
	case LEASE_OP_RESERVE:
		reserve(table, op);
		break;
	case LEASE_OP_UNRESERVE:
		r = reserved_find(table, &op->lease.address);
		if (r)
			unreserve(table, r);
		break;
	}
}

uint64_t
lease_table_generation(const struct lease_table *table)
{
	return table->generation;
}

void
lease_table_free(struct lease_table *table)
{
	if (!table)
		return;
	while (table->groups[CHAIN_ADDRESS])
		/* Not after free: unlink_row() frees a group with its last
		 * row.  NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		delete_row(table, table->groups[CHAIN_ADDRESS]->first);
	while (table->reservations)
		unreserve(table, table->reservations);
	free(table);
}

static const struct lease *
first_of(const struct group *g)
{
	return g ? &g->first->lease : NULL;
}

static const struct lease *
next_of(const struct lease *lease, enum chain chain)
{
	const struct row *row = (const struct row *)lease;

	return row->next[chain] ? &row->next[chain]->lease : NULL;
}

const struct lease *
lease_of_address(const struct lease_table *table, const struct addr *address)
{
	return first_of(
	    group_find(table, CHAIN_ADDRESS, address, sizeof(*address)));
}

const struct lease *
lease_next_of_address(const struct lease *lease)
{
	return next_of(lease, CHAIN_ADDRESS);
}

const struct lease *
lease_of_service(const struct lease_table *table, const char *cluster,
    const char *ns, const char *name)
{
	char key[KEY_MAX_B];
	size_t key_b = service_key(key, cluster, ns, name);

	return first_of(group_find(table, CHAIN_SERVICE, key, key_b));
}

const struct lease *
lease_next_of_service(const struct lease *lease)
{
	return next_of(lease, CHAIN_SERVICE);
}

const struct lease *
lease_of_pool(const struct lease_table *table, const char *pool)
{
	char key[KEY_MAX_B];
	size_t key_b = join(key, sizeof(key), &pool, 1);

	return first_of(group_find(table, CHAIN_POOL, key, key_b));
}

const struct lease *
lease_next_of_pool(const struct lease *lease)
{
	return next_of(lease, CHAIN_POOL);
}

const struct reservation *
reservation_of_address(const struct lease_table *table,
    const struct addr *address)
{
	const struct reserved *r = reserved_find(table, address);

	return r ? &r->r : NULL;
}

/* The lowest of several, whatever order they came in.  Reservations are made
 * by hand, so there are few. */
const struct reservation *
reservation_of_service(const struct lease_table *table, const char *ns,
    const char *name, const char *pool, enum family family)
{
	const struct reserved *best = NULL;

	for (const struct reserved *r = table->reservations; r;
	     r = r->hh.next) {
		if (r->r.address.family != family || !str_eq(r->r.ns, ns) ||
		    !str_eq(r->r.name, name) || !str_eq(r->r.pool, pool))
			continue;
		if (!best || addr_cmp(&r->r.address, &best->r.address) < 0)
			best = r;
	}
	return best ? &best->r : NULL;
}

static int
compare_lease_pointers(const void *a, const void *b)
{
	return compare_leases(*(const struct lease *const *)a,
	    *(const struct lease *const *)b);
}

static int
compare_reservation_pointers(const void *a, const void *b)
{
	const struct reservation *const *x = a;
	const struct reservation *const *y = b;

	return addr_cmp(&(*x)->address, &(*y)->address);
}

const struct lease **
lease_table_list(const struct lease_table *table, size_t *n)
{
	const struct lease **v =
	    mem_alloc(table->n_rows * sizeof(const struct lease *));
	size_t i = 0;

	for (const struct group *g = table->groups[CHAIN_ADDRESS]; g;
	     g = g->hh.next)
		for (const struct lease *l = first_of(g); l;
		     l = lease_next_of_address(l))
			v[i++] = l;
	qsort(v, i, sizeof(*v), compare_lease_pointers);
	*n = i;
	return v;
}

const struct reservation **
reservation_list(const struct lease_table *table, size_t *n)
{
	size_t count = HASH_COUNT(table->reservations);
	const struct reservation **v =
	    mem_alloc(count * sizeof(const struct reservation *));
	size_t i = 0;

	for (const struct reserved *r = table->reservations; r; r = r->hh.next)
		v[i++] = &r->r;
	qsort(v, i, sizeof(*v), compare_reservation_pointers);
	*n = i;
	return v;
}
