/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_flow: which flows are forgotten: by their marks after a change, and
 * each by itself when nobody knows any more what has changed.
 */
#include <string.h>

#include "plan/ruleset_impl.h"

static void
push_flush(struct ruleset *rs, uint32_t mark, uint32_t mask,
    bool is_unreplied_only)
{
	struct ruleset_flush flush = { .mark = RULESET_MARK_OURS | mark,
		.mask = mask,
		.is_unreplied_only = is_unreplied_only };

	vec_push(&rs->flushes, flush);
}

static uint32_t
direct_mark(uint32_t number)
{
	return (uint32_t)SLOTS_CLASS_DIRECT << RULESET_MARK_CLASS_SHIFT |
	    number;
}

/* Every flow of the frontend under its number, as it may be marked. */
static void
flush_frontend(struct ruleset *rs, const struct rs_state *have,
    bool is_unreplied_only)
{
	if (have->eras & RS_ERA_SLOTS)
		push_flush(rs, have->number << RULESET_ID_SHIFT,
		    RULESET_FLUSH_FRONTEND, is_unreplied_only);
	if (have->eras & RS_ERA_DIRECT)
		push_flush(rs, direct_mark(have->number), RULESET_FLUSH_BACKEND,
		    is_unreplied_only);
}

/* As above, and nobody gets the number before it is done. */
static void
flush_number(struct ruleset *rs, const struct rs_state *have,
    bool is_unreplied_only)
{
	size_t n = rs->flushes.n;

	flush_frontend(rs, have, is_unreplied_only);
	if (rs->flushes.n == n)
		return;
	rs_number_ref(rs, have->number);
	rs->flushes.v[rs->flushes.n - 1].frees_number = true;
	rs->flushes.v[rs->flushes.n - 1].number = have->number;
}

/* Established TCP lives on; anything else would stay with a backend that is
 * gone for as long as it talks. */
static void
flush_backends(struct ruleset *rs, const struct rs_frontend *fe)
{
	const struct rs_state *have = fe->have;
	struct rs_state *want = fe->want;
	bool is_tcp = fe->key.protocol == IP_PROTOCOL_TCP;
	bool is_direct_gone = false;
	uint8_t gone[SLOTS_BACKENDS_MAX];
	size_t n_gone = 0;
	size_t at = 0;

	for (size_t i = 0; i < have->n_backends; i++) {
		struct rs_backend backend = rs_backend_at(have, i);
		struct rs_backend other;

		if (rs_backend_seek(want, &at, &backend, &other))
			continue;
		if (n_gone == SLOTS_BACKENDS_MAX)
			break;
		gone[n_gone++] = backend.index;
		if (have->direct_index == SLOTS_NO_BACKEND ||
		    have->direct_index == backend.index)
			is_direct_gone = true;
	}
	if (n_gone == 0)
		return;
	if (n_gone == have->n_backends) {
		flush_frontend(rs, have, is_tcp);
		return;
	}
	for (size_t i = 0; i < n_gone; i++)
		push_flush(rs,
		    have->number << RULESET_ID_SHIFT | (uint32_t)gone[i],
		    RULESET_FLUSH_BACKEND, is_tcp);
	if (!(have->eras & RS_ERA_DIRECT) || !is_direct_gone)
		return;
	push_flush(rs, direct_mark(have->number), RULESET_FLUSH_BACKEND,
	    is_tcp);
	if (want->class != SLOTS_CLASS_DIRECT && !is_tcp)
		want->eras &= (uint8_t)~RS_ERA_DIRECT;
}

static bool
has_backends(const struct rs_state *state)
{
	return state && state->n_backends > 0;
}

void
rs_flush_change(struct ruleset *rs, struct rs_frontend *fe)
{
	const struct rs_state *have = fe->have;
	const struct rs_state *want = fe->want;
	bool is_tcp = fe->key.protocol == IP_PROTOCOL_TCP;

	/* Those who went on sending meanwhile; TCP gets a reset and begins
	 * anew. */
	if (!is_tcp && !has_backends(have) && has_backends(want))
		push_flush(rs, 0, RULESET_FLUSH_SWEEP, false);
	if (!have)
		return;
	if (!want || want->service != have->service) {
		flush_number(rs, have, false);
		if (fe->has_strays)
			push_flush(rs, 0, RULESET_FLUSH_SWEEP, false);
		fe->has_strays = false;
	} else if (want->number != have->number) {
		flush_number(rs, have, is_tcp);
		fe->has_strays |= is_tcp;
	} else {
		flush_backends(rs, fe);
	}
}

static bool
is_direct_mark(uint32_t mark)
{
	return (mark & RULESET_MARK_CLASS) == RULESET_MARK_CLASS;
}

static uint32_t
number_of(uint32_t mark)
{
	return is_direct_mark(mark)
	    ? mark & RULESET_MARK_NUMBER
	    : (mark & RULESET_ID_NUMBER) >> RULESET_ID_SHIFT;
}

/* The kernel knows no index of a direct backend; flows of it, from when there
 * were others, do. */
static bool
is_index_unknown(const struct rs_state *state)
{
	return state->class == SLOTS_CLASS_DIRECT && state->n_backends == 1 &&
	    state->direct_index == SLOTS_NO_BACKEND;
}

static void
learn_index(struct rs_state *state, struct rs_backend only, uint8_t index)
{
	if (index == SLOTS_NO_BACKEND)
		return;
	only.index = index;
	state->n_backends = 0;
	rs_backend_add(state, &only);
	state->direct_index = index;
	state->next_index =
	    (uint8_t)MAX(state->next_index, (index + 1) % SLOTS_BACKENDS_MAX);
}

/* A table that someone deleted took what we knew with it. */
static void
learn_era(struct rs_state *state, uint32_t mark)
{
	state->eras |= is_direct_mark(mark) ? RS_ERA_DIRECT : RS_ERA_SLOTS;
}

/* Of a backend that the frontend has, under the mark that will find it when
 * the backend goes. */
static bool
is_right(struct rs_state *state, const struct ruleset_flow *flow)
{
	struct rs_backend key = { .port = flow->backend_port };

	memcpy(key.addr, flow->backend.b, sizeof(key.addr));
	if (number_of(flow->mark) != state->number)
		return false;
	for (size_t i = 0; i < state->n_backends; i++) {
		struct rs_backend backend = rs_backend_at(state, i);

		if (rs_backend_cmp(&backend, &key) != 0)
			continue;
		if (is_direct_mark(flow->mark))
			return true;
		if (is_index_unknown(state))
			learn_index(state, backend, (uint8_t)flow->mark);
		return rs_backend_at(state, i).index == (uint8_t)flow->mark;
	}
	return false;
}

bool
ruleset_judge_flow(struct ruleset *rs, const struct ruleset_flow *flow)
{
	struct rs_key key = { .family = flow->frontend.family,
		.protocol = flow->protocol,
		.port = flow->port };
	struct rs_frontend *fe;
	struct rs_state *state;

	memcpy(key.addr, flow->frontend.b, sizeof(key.addr));
	HASH_FIND(hh, rs->frontends, &key, sizeof(key), fe);
	state = fe && fe->have ? fe->have : fe ? fe->want : NULL;
	if (flow->is_untranslated)
		return has_backends(state);
	if ((flow->mark & RULESET_MARK_FIXED) != RULESET_MARK_OURS ||
	    number_of(flow->mark) >= RULESET_NUMBERS_MAX)
		return false;
	if (!state)
		return true;
	if (flow->protocol != IP_PROTOCOL_TCP || !flow->is_replied)
		return !is_right(state, flow);
	if (number_of(flow->mark) != state->number)
		fe->has_strays = true;
	else
		learn_era(state, flow->mark);
	if (fe->want && fe->want->number == number_of(flow->mark))
		learn_era(fe->want, flow->mark);
	return false;
}
