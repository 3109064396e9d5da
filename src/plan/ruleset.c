/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "plan/ruleset_impl.h"

struct ruleset *
ruleset_new(void)
{
	struct ruleset *rs = mem_new(struct ruleset);

	TAILQ_INIT(&rs->dirty);
	TAILQ_INIT(&rs->touched_addresses);
	TAILQ_INIT(&rs->touched_services);
	return rs;
}

void
ruleset_free(struct ruleset *rs)
{
	struct rs_frontend *fe;
	struct rs_frontend *next;

	if (!rs)
		return;
	for (fe = rs->frontends; fe; fe = next) {
		next = fe->hh.next;
		rs_frontend_unstage(rs, fe);
		rs_frontend_drop_have(rs, fe);
		rs_frontend_prune(rs, fe);
	}
	ruleset_load_begin(rs); /* what is there without a frontend */
	for (size_t i = 0; i < rs->shards.n; i++)
		free(rs->shards.v[i]);
	vec_fini(&rs->shards);
	vec_fini(&rs->garbage);
	arena_fini(&rs->garbage_names);
	vec_fini(&rs->flushes);
	vec_fini(&rs->moved);
	vec_fini(&rs->by_number);
	vec_fini(&rs->weights);
	free(rs);
}

void
rs_clear_garbage(struct ruleset *rs)
{
	vec_clear(&rs->garbage);
	arena_fini(&rs->garbage_names);
}

struct rs_service *
rs_service_get(struct ruleset *rs, const char *key)
{
	struct rs_service *service;

	HASH_FIND_STR(rs->services, key, service);
	if (service)
		return service;
	service = mem_new(struct rs_service);
	service->key = mem_strdup(key);
	TAILQ_INIT(&service->frontends);
	HASH_ADD_KEYPTR(hh, rs->services, service->key, strlen(service->key),
	    service);
	return service;
}

void
rs_service_prune(struct ruleset *rs, struct rs_service *service)
{
	if (service->n_refs > 0 || service->use.there ||
	    service->use.is_touched)
		return;
	HASH_DEL(rs->services, service);
	free(service->key);
	free(service);
}

static struct rs_address *
address_get(struct ruleset *rs, const struct addr *addr)
{
	struct rs_address *address;

	HASH_FIND(hh, rs->addresses, addr, sizeof(*addr), address);
	if (address)
		return address;
	address = mem_new(struct rs_address);
	address->addr = *addr;
	HASH_ADD(hh, rs->addresses, addr, sizeof(*addr), address);
	return address;
}

void
rs_use_touch(struct rs_uses *touched, struct rs_use *use)
{
	if (use->is_touched)
		return;
	use->is_touched = true;
	TAILQ_INSERT_TAIL(touched, use, touched);
}

struct rs_frontend *
rs_frontend_get(struct ruleset *rs, const struct rs_key *key)
{
	struct rs_frontend *fe;
	struct addr addr;

	HASH_FIND(hh, rs->frontends, key, sizeof(*key), fe);
	if (fe)
		return fe;
	fe = mem_new(struct rs_frontend);
	fe->key = *key;
	addr = addr_from_bytes(key->family, key->addr);
	fe->address = address_get(rs, &addr);
	fe->address->n_refs++;
	HASH_ADD(hh, rs->frontends, key, sizeof(fe->key), fe);
	return fe;
}

void
rs_address_prune(struct ruleset *rs, struct rs_address *address)
{
	if (address->n_refs > 0 || address->use.there ||
	    address->use.is_touched)
		return;
	HASH_DEL(rs->addresses, address);
	free(address);
}

void
rs_frontend_prune(struct ruleset *rs, struct rs_frontend *fe)
{
	if (fe->have || fe->is_staged)
		return;
	if (fe->service)
		TAILQ_REMOVE(&fe->service->frontends, fe, sibling);
	HASH_DEL(rs->frontends, fe);
	fe->address->n_refs--;
	rs_address_prune(rs, fe->address);
	free(fe);
}

void
rs_frontend_retarget(struct rs_frontend *fe)
{
	const struct rs_state *target = fe->is_staged ? fe->want : fe->have;
	struct rs_service *service = target ? target->service : NULL;

	if (fe->service == service)
		return;
	if (fe->service)
		TAILQ_REMOVE(&fe->service->frontends, fe, sibling);
	fe->service = service;
	if (service)
		TAILQ_INSERT_TAIL(&service->frontends, fe, sibling);
}

/* In the two below the list is left before the Service may go. */
static void
set_target(struct ruleset *rs, struct rs_frontend *fe, bool is_staged,
    struct rs_state *want)
{
	struct rs_state *old = fe->want;

	fe->is_staged = is_staged;
	fe->want = want;
	rs_frontend_retarget(fe);
	rs_state_free(rs, old);
}

void
rs_frontend_unstage(struct ruleset *rs, struct rs_frontend *fe)
{
	if (!fe->is_staged)
		return;
	TAILQ_REMOVE(&rs->dirty, fe, dirty);
	set_target(rs, fe, false, NULL);
}

void
rs_frontend_stage(struct ruleset *rs, struct rs_frontend *fe,
    struct rs_state *want)
{
	if (fe->is_staged)
		TAILQ_REMOVE(&rs->dirty, fe, dirty);
	TAILQ_INSERT_TAIL(&rs->dirty, fe, dirty);
	fe->stage = rs->stage;
	set_target(rs, fe, true, want);
}

void
rs_frontend_drop_have(struct ruleset *rs, struct rs_frontend *fe)
{
	struct rs_state *have = fe->have;

	fe->have = NULL;
	rs_frontend_retarget(fe);
	rs_state_free(rs, have);
	if (fe->want) /* may have shared its count */
		rs_count(rs, fe->want);
}

struct rs_state *
rs_state_new(struct rs_service *service, enum family family, uint32_t number,
    unsigned int class, bool is_masqueraded)
{
	struct rs_state *state = mem_new(struct rs_state);
	size_t n_slots = slots_count(class);

	state->service = service;
	service->n_refs++;
	state->number = number;
	state->family = (uint8_t)family;
	state->class = (uint8_t) class;
	state->is_masqueraded = is_masqueraded;
	state->direct_index = SLOTS_NO_BACKEND;
	if (n_slots > 0) {
		state->slots = mem_alloc(n_slots);
		memset(state->slots, SLOTS_NO_BACKEND, n_slots);
		state->eras = RS_ERA_SLOTS;
	} else if (class == SLOTS_CLASS_DIRECT) {
		state->eras = RS_ERA_DIRECT;
	}
	return state;
}

void
rs_state_free(struct ruleset *rs, struct rs_state *state)
{
	if (!state)
		return;
	rs_uncount(rs, state);
	rs_number_unref(rs, state->number);
	state->service->n_refs--;
	rs_service_prune(rs, state->service);
	free(state->backends);
	free(state->slots);
	free(state);
}

int
rs_backend_cmp(const struct rs_backend *a, const struct rs_backend *b)
{
	int rc = memcmp(a->addr, b->addr, sizeof(a->addr));

	if (rc != 0)
		return rc;
	return (int)a->port - (int)b->port;
}

static size_t
addr_b(const struct rs_state *state)
{
	return state->family == FAMILY_IPV4 ? 4 : 16;
}

/* The address, the port in network order, the index: sorted as octets, they
 * are sorted by rs_backend_cmp() and index. */
static size_t
packed_b(const struct rs_state *state)
{
	return addr_b(state) + 3;
}

struct rs_backend
rs_backend_at(const struct rs_state *state, size_t i)
{
	size_t n = addr_b(state);
	const uint8_t *p = state->backends + i * packed_b(state);
	struct rs_backend backend = { .port = (uint16_t)(p[n] << 8 | p[n + 1]),
		.index = p[n + 2] };

	memcpy(backend.addr, p, n);
	return backend;
}

void
rs_backend_add(struct rs_state *state, const struct rs_backend *backend)
{
	size_t n = addr_b(state);
	size_t at = state->n_backends++;
	uint8_t *p;

	if ((at & (at - 1)) == 0)
		state->backends = mem_resize(state->backends, at ? 2 * at : 1,
		    packed_b(state));
	p = state->backends + at * packed_b(state);
	memcpy(p, backend->addr, n);
	p[n] = (uint8_t)(backend->port >> 8);
	p[n + 1] = (uint8_t)backend->port;
	p[n + 2] = backend->index;
}

bool
rs_backend_seek(const struct rs_state *state, size_t *at,
    const struct rs_backend *backend, struct rs_backend *found)
{
	for (; *at < state->n_backends; ++*at) {
		int rc;

		*found = rs_backend_at(state, *at);
		rc = rs_backend_cmp(found, backend);
		if (rc >= 0)
			return rc == 0;
	}
	return false;
}

static int
cmp_packed_v4(const void *a, const void *b)
{
	return memcmp(a, b, 4 + 3);
}

static int
cmp_packed_v6(const void *a, const void *b)
{
	return memcmp(a, b, 16 + 3);
}

void
rs_backends_sort(struct rs_state *state)
{
	if (state->n_backends > 1)
		qsort(state->backends, state->n_backends, packed_b(state),
		    state->family == FAMILY_IPV4 ? cmp_packed_v4
						 : cmp_packed_v6);
}

bool
rs_state_eq(const struct rs_state *a, const struct rs_state *b)
{
	bool is_direct = a->class == SLOTS_CLASS_DIRECT;
	size_t n_slots = slots_count(a->class);

	if (a->service != b->service || a->number != b->number ||
	    a->class != b->class || a->is_masqueraded != b->is_masqueraded ||
	    a->counted != b->counted || a->n_backends != b->n_backends)
		return false;
	for (size_t i = 0; i < a->n_backends; i++) {
		struct rs_backend x = rs_backend_at(a, i);
		struct rs_backend y = rs_backend_at(b, i);

		/* The kernel knows no index of a direct backend. */
		if (rs_backend_cmp(&x, &y) != 0 ||
		    (!is_direct && x.index != y.index))
			return false;
	}
	return n_slots == 0 || memcmp(a->slots, b->slots, n_slots) == 0;
}

void
ruleset_each_service(const struct ruleset *rs,
    void (*fn)(void *arg, const char *key, const struct frontend *frontends,
	size_t n_frontends),
    void *arg)
{
	for (const struct rs_service *service = rs->services; service;
	     service = service->hh.next) {
		VEC(struct frontend) frontends = { 0 };
		struct arena arena = { 0 };
		const struct rs_frontend *fe;

		for (fe = TAILQ_FIRST(&service->frontends); fe;
		     fe = TAILQ_NEXT(fe, sibling)) {
			const struct rs_state *have =
			    fe->have ? fe->have : fe->want;
			struct backend *backends;

			if (!have || have->service != service)
				continue;
			backends = arena_array(&arena, struct backend,
			    have->n_backends);
			for (size_t i = 0; i < have->n_backends; i++) {
				struct rs_backend b = rs_backend_at(have, i);

				backends[i] = (struct backend){
					.addr = addr_from_bytes(fe->key.family,
					    b.addr),
					.port = b.port,
					.weight = 1,
					.node = "",
					.probe = "",
				};
			}
			vec_push(&frontends,
			    (struct frontend){ .addr = fe->address->addr,
				.protocol = fe->key.protocol,
				.port = fe->key.port,
				.is_masqueraded = have->is_masqueraded,
				.backends = backends,
				.n_backends = have->n_backends,
				.n_usable = have->n_backends });
		}
		if (frontends.n > 0)
			fn(arg, service->key, frontends.v, frontends.n);
		vec_fini(&frontends);
		arena_fini(&arena);
	}
}

bool
ruleset_has_address(const struct ruleset *rs, const struct addr *addr)
{
	const struct rs_address *address;

	HASH_FIND(hh, rs->addresses, addr, sizeof(*addr), address);
	return address && address->n_refs > 0;
}

void
ruleset_each_address(const struct ruleset *rs,
    void (*fn)(void *arg, const struct addr *addr), void *arg)
{
	for (const struct rs_address *address = rs->addresses; address;
	     address = address->hh.next) {
		if (address->use.there)
			fn(arg, &address->addr);
	}
}

struct ruleset_totals
ruleset_totals(const struct ruleset *rs)
{
	return (struct ruleset_totals){
		.n_services = HASH_COUNT(rs->services),
		.n_frontends = HASH_COUNT(rs->frontends),
	};
}

bool
ruleset_is_dirty(const struct ruleset *rs)
{
	return !TAILQ_EMPTY(&rs->dirty) ||
	    !TAILQ_EMPTY(&rs->touched_addresses) ||
	    !TAILQ_EMPTY(&rs->touched_services) || rs->garbage.n > 0;
}

const struct ruleset_flush *
ruleset_flushes(const struct ruleset *rs, size_t *out_n)
{
	*out_n = rs->flushes.n;
	return rs->flushes.v;
}

void
ruleset_clear_flushes(struct ruleset *rs)
{
	vec_clear(&rs->flushes);
}

const struct ruleset_moved *
ruleset_moved(const struct ruleset *rs, size_t *out_n)
{
	*out_n = rs->moved.n;
	return rs->moved.v;
}

void
ruleset_clear_moved(struct ruleset *rs)
{
	vec_clear(&rs->moved);
}
