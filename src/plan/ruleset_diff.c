/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_diff: the operations of one transaction, and what is left to do
 * once the kernel took them; of that, flows are ruleset_flow.c's.
 *
 * All deletions come before all additions, because a key may be given up by
 * one frontend and taken by another.  Operations on one set come together,
 * because the kernel looks a set up by walking a list.
 */
#include <string.h>

#include "plan/ruleset_impl.h"

enum {
	WEIGHT_FRONTEND = 12
};

struct emit {
	ruleset_op_fn fn;
	void *arg;
};

typedef void (*pass_fn)(const struct emit *emit, const struct rs_frontend *fe);

/* Backends and slots of both are in the same maps under the same keys. */
static bool
is_same_place(const struct rs_state *a, const struct rs_state *b)
{
	return a && b && rs_service_mark(a) == rs_service_mark(b);
}

static struct ruleset_op
op_eip(const struct addr *addr, bool is_delete)
{
	struct ruleset_op op = { .set = RULESET_SET_EIP,
		.is_delete = is_delete,
		.family = addr->family,
		.key_len = (uint8_t)addr_len_b(addr) };

	memcpy(op.key, addr->b, op.key_len);
	return op;
}

/* address . protocol . port, and whose it is */
static struct ruleset_op
op_frontend(enum ruleset_set set, const struct rs_frontend *fe,
    const struct rs_state *state, bool is_delete)
{
	struct ruleset_op op = { .set = set,
		.is_delete = is_delete,
		.family = fe->key.family,
		.comment = state->service->key };
	size_t n = addr_len_b(&fe->address->addr);

	memcpy(op.key, fe->key.addr, n);
	op.key[n] = fe->key.protocol;
	op.key[n + 4] = (uint8_t)(fe->key.port >> 8);
	op.key[n + 5] = (uint8_t)fe->key.port;
	op.key_len = (uint8_t)(n + 8);
	return op;
}

static struct ruleset_op
op_svc(const struct rs_frontend *fe, const struct rs_state *state,
    bool is_delete)
{
	struct ruleset_op op =
	    op_frontend(RULESET_SET_SVC, fe, state, is_delete);
	uint32_t mark = rs_service_mark(state);

	memcpy(op.data, &mark, sizeof(mark));
	op.data_len = sizeof(mark);
	return op;
}

static struct ruleset_op
op_backend(const struct rs_frontend *fe, const struct rs_state *state,
    const struct rs_backend *backend, bool is_delete)
{
	bool is_direct = state->class == SLOTS_CLASS_DIRECT;
	struct ruleset_op op = {
		.set = is_direct ? RULESET_SET_DIRECT : RULESET_SET_BACKENDS,
		.is_delete = is_delete,
		.family = fe->key.family,
		.class = state->class,
		.shard = (uint16_t)(state->number / RULESET_SHARD_NUMBERS),
		.key_len = sizeof(uint32_t),
	};
	uint32_t key = is_direct ? rs_service_mark(state)
				 : rs_backend_id(state, backend->index);
	size_t n = addr_len_b(&fe->address->addr);

	memcpy(op.key, &key, sizeof(key));
	memcpy(op.data, backend->addr, n);
	op.data[n] = (uint8_t)(backend->port >> 8);
	op.data[n + 1] = (uint8_t)backend->port;
	op.data_len = (uint8_t)(n + 4);
	return op;
}

struct ruleset_op
rs_op_slot(const struct rs_state *state, uint32_t slot, bool is_delete)
{
	struct ruleset_op op = { .set = RULESET_SET_SLOTS,
		.is_delete = is_delete,
		.class = state->class,
		.shard = (uint16_t)(state->number / RULESET_SHARD_NUMBERS),
		.key_len = 2 * sizeof(uint32_t) };
	uint32_t mark = rs_service_mark(state);
	uint32_t id = rs_backend_id(state, state->slots[slot]);

	memcpy(op.key, &mark, sizeof(mark));
	memcpy(op.key + sizeof(mark), &slot, sizeof(slot));
	memcpy(op.data, &id, sizeof(id));
	op.data_len = sizeof(id);
	return op;
}

/* The slots of `a` that `b` has not, or has otherwise. */
static void
emit_slots(const struct emit *emit, const struct rs_state *a,
    const struct rs_state *b, bool is_delete)
{
	size_t n_slots = a ? slots_count(a->class) : 0;
	bool is_same = is_same_place(a, b);

	for (uint32_t slot = 0; slot < n_slots; slot++) {
		struct ruleset_op op;

		if (a->slots[slot] == SLOTS_NO_BACKEND ||
		    (is_same && a->slots[slot] == b->slots[slot]))
			continue;
		op = rs_op_slot(a, slot, is_delete);
		emit->fn(emit->arg, &op);
	}
}

static void
emit_backends(const struct emit *emit, const struct rs_frontend *fe,
    const struct rs_state *a, const struct rs_state *b, bool is_delete)
{
	size_t n = a ? a->n_backends : 0;
	bool is_same = is_same_place(a, b);
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct rs_backend backend = rs_backend_at(a, i);
		struct rs_backend other;
		struct ruleset_op op;

		if (is_same && rs_backend_seek(b, &at, &backend, &other) &&
		    (a->class == SLOTS_CLASS_DIRECT ||
			other.index == backend.index)) {
			at++;
			continue;
		}
		op = op_backend(fe, a, &backend, is_delete);
		emit->fn(emit->arg, &op);
	}
}

static void
emit_svc(const struct emit *emit, const struct rs_frontend *fe,
    const struct rs_state *a, const struct rs_state *b, bool is_delete)
{
	struct ruleset_op op;

	if (!a || (is_same_place(a, b) && a->service == b->service))
		return;
	op = op_svc(fe, a, is_delete);
	emit->fn(emit->arg, &op);
}

/* Its element among those counted: `kind` as bit of `counted`. */
static void
emit_counted(const struct emit *emit, const struct rs_frontend *fe,
    const struct rs_state *a, const struct rs_state *b, unsigned int kind,
    bool is_delete)
{
	static const enum ruleset_set sets[] = { RULESET_SET_ACCT,
		RULESET_SET_CONN };
	struct ruleset_op op;

	if (!a || !(a->counted & 1 << kind) ||
	    (b && b->service == a->service && (b->counted & 1 << kind)))
		return;
	op = op_frontend(sets[kind], fe, a, is_delete);
	emit->fn(emit->arg, &op);
}

static void
del_svc(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_svc(emit, fe, fe->have, fe->want, true);
}

static void
del_acct(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_counted(emit, fe, fe->have, fe->want, RULESET_COUNTER_ACCT, true);
}

static void
del_conn(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_counted(emit, fe, fe->have, fe->want, RULESET_COUNTER_CONN, true);
}

static void
del_slots(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_slots(emit, fe->have, fe->want, true);
}

static void
del_backends(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_backends(emit, fe, fe->have, fe->want, true);
}

static void
add_backends(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_backends(emit, fe, fe->want, fe->have, false);
}

static void
add_slots(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_slots(emit, fe->want, fe->have, false);
}

static void
add_acct(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_counted(emit, fe, fe->want, fe->have, RULESET_COUNTER_ACCT, false);
}

static void
add_conn(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_counted(emit, fe, fe->want, fe->have, RULESET_COUNTER_CONN, false);
}

static void
add_svc(const struct emit *emit, const struct rs_frontend *fe)
{
	emit_svc(emit, fe, fe->want, fe->have, false);
}

static const pass_fn del_passes[] = { del_svc, del_acct, del_conn, del_slots,
	del_backends };
static const pass_fn add_passes[] = { add_backends, add_slots, add_acct,
	add_conn, add_svc };

/* In slots, by the room in a message: that of what carries the Service's
 * name, which comes five times, and four more elements. */
static size_t
weight_of(const struct rs_state *state)
{
	if (!state)
		return 0;
	return slots_count(state->class) + state->n_backends + WEIGHT_FRONTEND +
	    strlen(state->service->key) / 8;
}

static void
change_use(struct rs_uses *touched, struct rs_use *use, int delta)
{
	use->delta += delta;
	rs_use_touch(touched, use);
}

static void
touch(struct ruleset *rs, const struct rs_frontend *fe)
{
	int delta = (fe->want != NULL) - (fe->have != NULL);
	struct rs_service *old = fe->have ? fe->have->service : NULL;
	struct rs_service *new = fe->want ? fe->want->service : NULL;

	if (delta != 0)
		change_use(&rs->touched_addresses, &fe->address->use, delta);
	if (old == new)
		return;
	if (old)
		change_use(&rs->touched_services, &old->use, -1);
	if (new)
		change_use(&rs->touched_services, &new->use, 1);
}

size_t
ruleset_begin(struct ruleset *rs, size_t max_services, size_t max_elements)
{
	struct rs_frontend *fe;
	size_t n_services = 0;
	size_t n_elements = 0;
	size_t n_frontends = 0;
	uint32_t stage = 0;

	for (fe = TAILQ_FIRST(&rs->dirty); fe; fe = TAILQ_NEXT(fe, dirty)) {
		if (n_services == 0 || fe->stage != stage) {
			if (n_services > 0 &&
			    (n_services >= max_services ||
				n_elements >= max_elements))
				break;
			stage = fe->stage;
			n_services++;
		}
		n_elements += weight_of(fe->have) + weight_of(fe->want);
		touch(rs, fe);
		n_frontends++;
	}
	rs->picked_end = fe;
	return n_frontends;
}

static void
run_passes(const struct ruleset *rs, const pass_fn *passes, size_t n,
    const struct emit *emit)
{
	for (size_t i = 0; i < n; i++) {
		const struct rs_frontend *fe;

		for (fe = TAILQ_FIRST(&rs->dirty); fe != rs->picked_end;
		     fe = TAILQ_NEXT(fe, dirty))
			passes[i](emit, fe);
	}
}

static bool
is_use_wanted(const struct rs_use *use)
{
	return use->n_frontends + (size_t)use->delta > 0;
}

static void
emit_addresses(const struct ruleset *rs, const struct emit *emit,
    bool is_delete)
{
	const struct rs_use *use;

	TAILQ_FOREACH (use, &rs->touched_addresses, touched) {
		bool is_wanted = is_use_wanted(use);
		struct ruleset_op op;

		if (is_wanted == use->there || is_wanted == is_delete)
			continue;
		op = op_eip(&((const struct rs_address *)use)->addr, is_delete);
		emit->fn(emit->arg, &op);
	}
}

static void
emit_counters(const struct ruleset *rs, const struct emit *emit, bool is_delete)
{
	const struct rs_use *use;

	TAILQ_FOREACH (use, &rs->touched_services, touched) {
		const struct rs_service *service =
		    (const struct rs_service *)use;
		bool is_wanted = is_use_wanted(use);

		if (is_wanted == is_delete)
			continue;
		for (int kind = 0; kind < RULESET_COUNTER__COUNT; kind++) {
			struct ruleset_op op = { .set = RULESET_SET_COUNTER,
				.is_delete = is_delete,
				.key_len = 1,
				.key = { (uint8_t)kind },
				.data_len = sizeof(service->counts[kind]),
				.comment = service->key };

			if (is_wanted == (use->there >> kind & 1))
				continue;
			memcpy(op.data, &service->counts[kind], op.data_len);
			emit->fn(emit->arg, &op);
		}
	}
}

static void
emit_shards(struct ruleset *rs, const struct emit *emit)
{
	const struct rs_frontend *fe;

	for (fe = TAILQ_FIRST(&rs->dirty); fe != rs->picked_end;
	     fe = TAILQ_NEXT(fe, dirty)) {
		struct ruleset_op op = { .set = RULESET_SET_SHARD };

		if (!fe->want || rs_shard_is_made(rs, fe->want))
			continue;
		op.class = fe->want->class;
		op.shard = (uint16_t)(fe->want->number / RULESET_SHARD_NUMBERS);
		emit->fn(emit->arg, &op);
		rs_shard_get(rs, op.shard)->is_made[op.class] = true;
	}
}

void
ruleset_diff(struct ruleset *rs, ruleset_op_fn fn, void *arg)
{
	struct emit emit = { .fn = fn, .arg = arg };

	emit_shards(rs, &emit);
	for (size_t i = 0; i < rs->garbage.n; i++)
		fn(arg, &rs->garbage.v[i]);
	run_passes(rs, del_passes, ARRAY_LEN(del_passes), &emit);
	emit_addresses(rs, &emit, true);
	emit_counters(rs, &emit, true);
	emit_counters(rs, &emit, false);
	run_passes(rs, add_passes, ARRAY_LEN(add_passes), &emit);
	emit_addresses(rs, &emit, false);
}

static void
finish_use(struct rs_uses *touched, struct rs_use *use, unsigned int bits)
{
	TAILQ_REMOVE(touched, use, touched);
	use->there = is_use_wanted(use) ? (uint8_t)bits : 0;
	use->n_frontends += (size_t)use->delta;
	use->delta = 0;
	use->is_touched = false;
}

static void
finish_uses(struct ruleset *rs)
{
	struct rs_use *use;

	while ((use = TAILQ_FIRST(&rs->touched_addresses))) {
		struct rs_address *address = (struct rs_address *)use;
		bool was_there = use->there;

		finish_use(&rs->touched_addresses, use, 1);
		if (use->there != was_there)
			vec_push(&rs->moved,
			    (struct ruleset_moved){ .addr = address->addr,
				.is_owned = use->there });
		rs_address_prune(rs, address);
	}
	while ((use = TAILQ_FIRST(&rs->touched_services))) {
		finish_use(&rs->touched_services, use, RS_COUNTED);
		rs_service_prune(rs, (struct rs_service *)use);
	}
}

void
ruleset_done(struct ruleset *rs)
{
	struct rs_frontend *fe;

	rs_clear_garbage(rs);
	while ((fe = TAILQ_FIRST(&rs->dirty)) != rs->picked_end) {
		rs_flush_change(rs, fe);
		TAILQ_REMOVE(&rs->dirty, fe, dirty);
		rs_frontend_drop_have(rs, fe);
		fe->have = fe->want;
		fe->want = NULL;
		fe->is_staged = false;
		rs_frontend_prune(rs, fe);
	}
	finish_uses(rs);
	rs->picked_end = NULL;
}
