/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_number: numbers of frontends, and the marks made of them.
 *
 * Numbers come in shards of 512; a shard has only so many frontends of one
 * class that its slot map can be read back quickly.
 */
#include <assert.h>

#include "plan/ruleset_impl.h"

struct rs_shard *
rs_shard_get(struct ruleset *rs, size_t at)
{
	assert(at < RULESET_SHARDS_MAX);
	while (rs->shards.n <= at) {
		struct rs_shard *shard = mem_new(struct rs_shard);

		shard->n_free = RULESET_SHARD_NUMBERS;
		vec_push(&rs->shards, shard);
	}
	return rs->shards.v[at];
}

bool
rs_shard_is_made(const struct ruleset *rs, const struct rs_state *state)
{
	size_t at = state->number / RULESET_SHARD_NUMBERS;

	if (slots_count(state->class) == 0)
		return true;
	return at < rs->shards.n && rs->shards.v[at]->is_made[state->class];
}

bool
rs_number_has_room(struct ruleset *rs, uint32_t number, unsigned int class)
{
	const struct rs_shard *shard =
	    rs_shard_get(rs, number / RULESET_SHARD_NUMBERS);

	return shard->n_used[class] < slots_per_shard(class);
}

uint32_t
rs_number_find(struct ruleset *rs, unsigned int class)
{
	for (size_t at = rs->first_free[class]; at < RULESET_SHARDS_MAX; at++) {
		const struct rs_shard *shard = rs_shard_get(rs, at);

		if (shard->n_free == 0 ||
		    shard->n_used[class] >= slots_per_shard(class)) {
			if (at == rs->first_free[class])
				rs->first_free[class]++;
			continue;
		}
		for (size_t i = 0; i < RULESET_SHARD_NUMBERS; i++) {
			if (shard->refs[i] == 0)
				return (
				    uint32_t)(at * RULESET_SHARD_NUMBERS + i);
		}
	}
	return RS_NO_NUMBER;
}

void
rs_number_ref(struct ruleset *rs, uint32_t number)
{
	struct rs_shard *shard =
	    rs_shard_get(rs, number / RULESET_SHARD_NUMBERS);

	if (shard->refs[number % RULESET_SHARD_NUMBERS]++ == 0)
		shard->n_free--;
}

static void
lower_first_free(struct ruleset *rs, size_t at)
{
	for (size_t class = 0; class < SLOTS_CLASS__COUNT; class ++)
		rs->first_free[class] = MIN(rs->first_free[class], at);
}

void
rs_number_unref(struct ruleset *rs, uint32_t number)
{
	size_t at = number / RULESET_SHARD_NUMBERS;
	struct rs_shard *shard = rs_shard_get(rs, at);

	assert(shard->refs[number % RULESET_SHARD_NUMBERS] > 0);
	if (--shard->refs[number % RULESET_SHARD_NUMBERS] > 0)
		return;
	shard->n_free++;
	lower_first_free(rs, at);
}

void
rs_count(struct ruleset *rs, struct rs_state *state)
{
	size_t at = state->number / RULESET_SHARD_NUMBERS;

	if (state->is_counted)
		return;
	rs_shard_get(rs, at)->n_used[state->class]++;
	state->is_counted = true;
}

void
rs_uncount(struct ruleset *rs, struct rs_state *state)
{
	size_t at = state->number / RULESET_SHARD_NUMBERS;

	if (!state->is_counted)
		return;
	rs_shard_get(rs, at)->n_used[state->class]--;
	state->is_counted = false;
	lower_first_free(rs, at);
}

static uint32_t
flags_of(const struct rs_state *state)
{
	return RULESET_MARK_OURS |
	    (state->is_masqueraded ? (uint32_t)RULESET_MARK_MASQUERADE : 0);
}

uint32_t
rs_service_mark(const struct rs_state *state)
{
	return flags_of(state) |
	    (uint32_t)state->class << RULESET_MARK_CLASS_SHIFT | state->number;
}

uint32_t
rs_backend_id(const struct rs_state *state, unsigned int index)
{
	return flags_of(state) | state->number << RULESET_ID_SHIFT | index;
}

void
ruleset_free_number(struct ruleset *rs, uint32_t number)
{
	rs_number_unref(rs, number);
}
