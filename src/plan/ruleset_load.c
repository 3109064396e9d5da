/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_load: what the kernel has, element by element, against what is
 * wanted.  Anything may be in there: a table is open to every administrator.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/ruleset_impl.h"

/* What was there is wanted from now on, unless something newer is. */
static void
forget_uses(struct ruleset *rs)
{
	struct rs_address *address;
	struct rs_address *next;
	struct rs_service *service;
	struct rs_service *next_service;

	TAILQ_INIT(&rs->touched_addresses);
	TAILQ_INIT(&rs->touched_services);
	for (address = rs->addresses; address; address = next) {
		next = address->hh.next;
		address->use = (struct rs_use){ 0 };
		rs_address_prune(rs, address);
	}
	for (service = rs->services; service; service = next_service) {
		next_service = service->hh.next;
		service->use = (struct rs_use){ 0 };
		rs_service_prune(rs, service);
	}
}

static void
forget_kernel(struct ruleset *rs)
{

	rs->stage++;
	for (struct rs_frontend *fe = rs->frontends; fe; fe = fe->hh.next) {
		struct rs_state *have = fe->have;

		if (!have)
			continue;
		if (fe->is_staged) {
			rs_frontend_drop_have(rs, fe);
			continue;
		}
		fe->have = NULL;
		rs_frontend_stage(rs, fe, have);
		rs->stage++;
	}
	forget_uses(rs);
	for (size_t i = 0; i < rs->shards.n; i++)
		memset(rs->shards.v[i]->is_made, 0,
		    sizeof(rs->shards.v[i]->is_made));
	rs_clear_garbage(rs);
	rs->picked_end = NULL;
}

void
ruleset_load_begin(struct ruleset *rs)
{
	forget_kernel(rs);
	vec_clear(&rs->by_number);
}

void
ruleset_load_shard(struct ruleset *rs, unsigned int class, unsigned int shard)
{
	if (shard < RULESET_SHARDS_MAX && slots_count(class) > 0)
		rs_shard_get(rs, shard)->is_made[class] = true;
}

static struct rs_frontend *
by_number(const struct ruleset *rs, uint32_t number)
{
	return number < rs->by_number.n ? rs->by_number.v[number] : NULL;
}

static uint32_t
get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What pads a key or data to four octets. */
static bool
is_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

static bool
is_class(unsigned int class)
{
	return class == SLOTS_CLASS_NONE || class == SLOTS_CLASS_DIRECT ||
	    slots_count(class) > 0;
}

/* NULL unless the mark is one that we could have made and nobody has it. */
static struct rs_state *
state_of_mark(struct ruleset *rs, enum family family, uint32_t mark,
    const char *comment)
{
	uint32_t number = mark & RULESET_MARK_NUMBER;
	unsigned int class =
	    (mark & RULESET_MARK_CLASS) >> RULESET_MARK_CLASS_SHIFT;
	struct rs_state *state;

	if ((mark & RULESET_MARK_FIXED) != RULESET_MARK_OURS ||
	    number >= RULESET_NUMBERS_MAX || !is_class(class) || !comment ||
	    *comment == '\0' || by_number(rs, number))
		return NULL;
	if (slots_count(class) > 0 &&
	    !rs_shard_get(rs, number / RULESET_SHARD_NUMBERS)->is_made[class])
		return NULL;
	rs_number_ref(rs, number);
	state = rs_state_new(rs_service_get(rs, comment), family, number, class,
	    (mark & RULESET_MARK_MASQUERADE) != 0);
	rs_count(rs, state);
	state->eras = RS_ERA_SLOTS | RS_ERA_DIRECT; /* who knows */
	return state;
}

/* address . protocol . port */
static bool
parse_key(const struct ruleset_op *op, struct rs_key *out)
{
	size_t n = op->family == FAMILY_IPV4 ? 4 : 16;

	if (op->key_len != n + 8 || !is_zero(op->key + n + 1, 3) ||
	    !is_zero(op->key + n + 6, 2))
		return false;
	*out = (struct rs_key){ .family = op->family };
	memcpy(out->addr, op->key, n);
	out->protocol = op->key[n];
	out->port = (uint16_t)(op->key[n + 4] << 8 | op->key[n + 5]);
	return true;
}

static bool
load_svc(struct ruleset *rs, const struct ruleset_op *op)
{
	struct rs_frontend *fe;
	struct rs_state *state;
	struct rs_key key;

	if (op->data_len != 4 || !parse_key(op, &key))
		return false;
	fe = rs_frontend_get(rs, &key);
	state = fe->have
	    ? NULL
	    : state_of_mark(rs, op->family, get_u32(op->data), op->comment);
	if (!state) {
		rs_frontend_prune(rs, fe);
		return false;
	}
	if (fe->want && fe->want->number == state->number) {
		state->eras = fe->want->eras;
		state->direct_index = fe->want->direct_index;
	}
	fe->have = state;
	rs_frontend_retarget(fe);
	while (rs->by_number.n <= state->number)
		vec_push(&rs->by_number, NULL);
	rs->by_number.v[state->number] = fe;
	return true;
}

/* The kernel has no index of a direct backend; what is wanted may have. */
static uint8_t
wanted_index(const struct rs_frontend *fe, const struct rs_backend *backend)
{
	struct rs_backend found;
	size_t at = 0;

	if (fe->want && fe->want->number == fe->have->number &&
	    rs_backend_seek(fe->want, &at, backend, &found))
		return found.index;
	return SLOTS_NO_BACKEND;
}

static bool
load_backend(struct ruleset *rs, const struct ruleset_op *op)
{
	bool is_direct = op->set == RULESET_SET_DIRECT;
	size_t n = op->family == FAMILY_IPV4 ? 4 : 16;
	struct rs_backend backend = { 0 };
	struct rs_frontend *fe;
	struct rs_state *have;
	uint32_t key;

	if (op->key_len != 4 || op->data_len != n + 4 ||
	    !is_zero(op->data + n + 2, 2))
		return false;
	key = get_u32(op->key);
	fe = by_number(rs,
	    is_direct ? key & RULESET_MARK_NUMBER
		      : (key & RULESET_ID_NUMBER) >> RULESET_ID_SHIFT);
	have = fe ? fe->have : NULL;
	if (!have || fe->key.family != op->family)
		return false;
	backend.index = is_direct ? 0 : (uint8_t)key;
	if (is_direct) {
		if (have->class != SLOTS_CLASS_DIRECT ||
		    key != rs_service_mark(have))
			return false;
	} else if (have->class != op->class ||
	    have->number / RULESET_SHARD_NUMBERS != op->shard ||
	    backend.index == SLOTS_NO_BACKEND ||
	    key != rs_backend_id(have, backend.index)) {
		return false;
	}
	memcpy(backend.addr, op->data, n);
	backend.port = (uint16_t)(op->data[n] << 8 | op->data[n + 1]);
	if (is_direct) {
		have->direct_index = wanted_index(fe, &backend);
		if (have->direct_index != SLOTS_NO_BACKEND)
			backend.index = have->direct_index;
	}
	rs_backend_add(have, &backend);
	return true;
}

static bool
load_slot(struct ruleset *rs, const struct ruleset_op *op)
{
	struct rs_frontend *fe;
	struct rs_state *have;
	uint32_t slot;
	uint8_t index;

	if (op->key_len != 8 || op->data_len != 4)
		return false;
	fe = by_number(rs, get_u32(op->key) & RULESET_MARK_NUMBER);
	have = fe ? fe->have : NULL;
	slot = get_u32(op->key + 4);
	index = (uint8_t)get_u32(op->data);
	if (!have || get_u32(op->key) != rs_service_mark(have) ||
	    have->class != op->class ||
	    have->number / RULESET_SHARD_NUMBERS != op->shard ||
	    slot >= slots_count(have->class) || index == SLOTS_NO_BACKEND ||
	    get_u32(op->data) != rs_backend_id(have, index))
		return false;
	have->slots[slot] = index;
	return true;
}

static bool
load_eip(struct ruleset *rs, const struct ruleset_op *op)
{
	struct rs_address *address;
	struct addr addr;

	if (op->key_len != (op->family == FAMILY_IPV4 ? 4 : 16))
		return false;
	addr = addr_from_bytes(op->family, op->key);
	HASH_FIND(hh, rs->addresses, &addr, sizeof(addr), address);
	if (!address)
		return false;
	address->use.there = 1;
	return true;
}

static bool
load_counted(struct ruleset *rs, const struct ruleset_op *op, unsigned int kind)
{
	struct rs_frontend *fe;
	struct rs_key key;

	if (!op->comment || !parse_key(op, &key))
		return false;
	HASH_FIND(hh, rs->frontends, &key, sizeof(key), fe);
	if (!fe || !fe->have ||
	    strcmp(fe->have->service->key, op->comment) != 0)
		return false;
	fe->have->counted |= (uint8_t)(1 << kind);
	return true;
}

static bool
load_counter(struct ruleset *rs, const struct ruleset_op *op)
{
	struct rs_service *service;

	if (!op->comment || op->key[0] >= RULESET_COUNTER__COUNT)
		return false;
	HASH_FIND_STR(rs->services, op->comment, service);
	if (!service)
		return false;
	service->use.there |= (uint8_t)(1 << op->key[0]);
	return true;
}

bool
ruleset_load_element(struct ruleset *rs, const struct ruleset_op *op)
{
	struct ruleset_op garbage;
	bool is_known = false;

	switch (op->set) {
	case RULESET_SET_EIP:
		is_known = load_eip(rs, op);
		break;
	case RULESET_SET_SVC:
		is_known = load_svc(rs, op);
		break;
	case RULESET_SET_DIRECT:
	case RULESET_SET_BACKENDS:
		is_known = load_backend(rs, op);
		break;
	case RULESET_SET_SLOTS:
		is_known = load_slot(rs, op);
		break;
	case RULESET_SET_ACCT:
		is_known = load_counted(rs, op, RULESET_COUNTER_ACCT);
		break;
	case RULESET_SET_CONN:
		is_known = load_counted(rs, op, RULESET_COUNTER_CONN);
		break;
	case RULESET_SET_COUNTER:
		is_known = load_counter(rs, op);
		break;
	case RULESET_SET_SHARD:
	case RULESET_SET__COUNT:
		return true;
	}
	if (is_known)
		return true;
	garbage = *op;
	garbage.is_delete = true;
	garbage.is_garbage = true;
	garbage.comment = arena_strdup(&rs->garbage_names, op->comment);
	vec_push(&rs->garbage, garbage);
	return false;
}

void
ruleset_load_count(struct ruleset *rs, const struct ruleset_op *op)
{
	struct rs_service *service;

	HASH_FIND_STR(rs->services, op->comment, service);
	if (service)
		memcpy(&service->counts[op->key[0]], op->data,
		    sizeof(struct ruleset_count));
}

/* The frontend of this number of the shard, if it has slots of the class. */
static struct rs_frontend *
slotted(const struct ruleset *rs, unsigned int class, unsigned int shard,
    unsigned int i)
{
	struct rs_frontend *fe =
	    by_number(rs, shard * RULESET_SHARD_NUMBERS + i);
	struct rs_state *have = fe ? fe->have : NULL;

	return have && have->class == class && have->n_backends > 0 ? fe : NULL;
}

size_t
ruleset_load_count_slots(const struct ruleset *rs, unsigned int class,
    unsigned int shard)
{
	size_t n_slots = slots_count(class);
	size_t n = 0;

	for (unsigned int i = 0; i < RULESET_SHARD_NUMBERS; i++) {
		const struct rs_frontend *fe = slotted(rs, class, shard, i);

		if (fe && fe->have->n_backends > n_slots)
			return SIZE_MAX;
		if (fe)
			n += n_slots;
	}
	return n;
}

void
ruleset_load_derive_slots(struct ruleset *rs, unsigned int class,
    unsigned int shard, ruleset_op_fn fn, void *arg)
{
	struct slots_backend backends[SLOTS_BACKENDS_MAX];
	size_t n_slots = slots_count(class);

	for (unsigned int i = 0; i < RULESET_SHARD_NUMBERS; i++) {
		struct rs_frontend *fe = slotted(rs, class, shard, i);
		struct rs_state *have;

		if (!fe)
			continue;
		have = fe->have;
		rs_backends_sort(have);
		for (size_t k = 0; k < have->n_backends; k++) {
			struct rs_backend b = rs_backend_at(have, k);

			backends[k] = (struct slots_backend){
				.addr = addr_from_bytes(fe->key.family, b.addr),
				.port = b.port,
				.weight = 1,
				.index = b.index
			};
		}
		slots_fill(backends, have->n_backends, have->slots, n_slots);
		for (uint32_t slot = 0; slot < n_slots; slot++) {
			struct ruleset_op op = rs_op_slot(have, slot, false);

			fn(arg, &op);
		}
	}
}

static void
finish_frontend(struct ruleset *rs, struct rs_frontend *fe)
{
	struct rs_state *have = fe->have;

	if (have) {
		rs_backends_sort(have);
		for (size_t i = 0; i < have->n_backends; i++)
			have->next_index = (uint8_t)MAX(have->next_index,
			    (rs_backend_at(have, i).index + 1) %
				SLOTS_BACKENDS_MAX);
		fe->address->use.n_frontends++;
		have->service->use.n_frontends++;
	}
	if (fe->is_staged && fe->want && have && rs_state_eq(have, fe->want)) {
		uint8_t next_index = fe->want->next_index;

		rs_frontend_unstage(rs, fe);
		have->next_index = next_index;
	} else if (fe->is_staged && !fe->want && !have) {
		rs_frontend_unstage(rs, fe);
	} else if (!fe->is_staged && have && rs->is_loaded) {
		rs->stage++;
		rs_frontend_stage(rs, fe, NULL);
	}
	rs_frontend_prune(rs, fe);
}

/* Picked while the kernel could not be read, which has it for another
 * frontend: what is forgotten with that one would be flows of this one. */
static void
renumber(struct ruleset *rs, const struct rs_frontend *fe)
{
	struct rs_state *want = fe->want;
	const struct rs_frontend *holder =
	    want ? by_number(rs, want->number) : NULL;
	uint32_t number;

	if (!holder || holder == fe)
		return;
	number = rs_number_find(rs, want->class);
	if (number == RS_NO_NUMBER)
		return;
	rs_uncount(rs, want);
	rs_number_unref(rs, want->number);
	want->number = number;
	rs_number_ref(rs, number);
	rs_count(rs, want);
}

void
ruleset_load_end(struct ruleset *rs)
{
	struct rs_frontend *fe;
	struct rs_frontend *next;

	for (fe = rs->frontends; fe; fe = fe->hh.next)
		renumber(rs, fe);
	for (fe = rs->frontends; fe; fe = next) {
		next = fe->hh.next;
		finish_frontend(rs, fe);
	}
	for (struct rs_address *address = rs->addresses; address;
	     address = address->hh.next) {
		if (address->use.there != (address->use.n_frontends > 0))
			rs_use_touch(&rs->touched_addresses, &address->use);
	}
	for (struct rs_service *service = rs->services; service;
	     service = service->hh.next) {
		if (service->use.there !=
		    (service->use.n_frontends > 0 ? RS_COUNTED : 0))
			rs_use_touch(&rs->touched_services, &service->use);
	}
	vec_fini(&rs->by_number);
	rs->is_loaded = true;
}

void
ruleset_load_abort(struct ruleset *rs)
{
	struct rs_frontend *fe;
	struct rs_frontend *next;

	for (fe = rs->frontends; fe; fe = next) {
		next = fe->hh.next;
		if (fe->have)
			rs_frontend_drop_have(rs, fe);
		rs_frontend_prune(rs, fe);
	}
	rs_clear_garbage(rs);
	vec_fini(&rs->by_number);
}

void
ruleset_load_lost(struct ruleset *rs)
{
	forget_kernel(rs);
	rs->is_loaded = true;
}
