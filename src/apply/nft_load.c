/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_load: the table read back at the start and after any surprise, and the
 * watch for changes that others made.
 *
 * Nobody subscribes to nf_tables events: that alone makes large commits
 * several times slower.  The generation is polled instead.
 */
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "apply/nft_impl.h"
#include "apply/nft_read.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
	TRIES = 5,
	SIZE_MIN = 16384,
	VERIFY_US = 4000, /* of one call */
	ROUTE_POLLS = 16,
};

/* Twice what is wanted: raising a limit later does not add buckets. */
struct nft_table_sizes
nft_sizes_for(const struct nft *nft)
{
	size_t n = ruleset_totals(nft->rs).n_frontends;
	struct nft_table_sizes sizes = { 0 };

	for (size_t i = 0; i < NFT_TABLE_BASE_SETS * 2; i++)
		sizes.of[nft_table_base_sets[i / 2]][i % 2] =
		    (uint32_t)MAX(n * 2, SIZE_MIN);
	return sizes;
}

void
nft_count_shard(struct nft *nft, unsigned int class, unsigned int shard)
{
	uint32_t key =
	    class << RULESET_MARK_CLASS_SHIFT | shard * RULESET_SHARD_NUMBERS;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct ruleset_op op = { .set = RULESET_SET_SHARD,
			.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4,
			.key_len = sizeof(key) };
		struct nft_sum *sum = nft_sums_get(nft->sums, &op);

		memcpy(op.key, &key, sizeof(key));
		nft_sum_apply(sum, &op);
	}
}

/* The table and the shards that `there` has, as we make them. */
static void
expect(struct nft *nft, const struct nft_shape *there, struct nft_shape *out)
{
	struct nft_batch scratch = { 0 };
	struct nft_table_sizes sizes = nft_sizes_for(nft);
	const struct nft_set_shape *set;

	nft_batch_begin(&scratch, nft->nl);
	nft_table_make(&scratch, &sizes, out);
	VEC_FOREACH (set, &there->sets) {
		unsigned int class;
		unsigned int shard;

		if (nft_table_parse_shard(set->name, &class, &shard))
			nft_table_make_shard(&scratch, class, shard, out);
	}
	nft_batch_fini(&scratch);
}

static bool
is_whole(struct nft *nft, struct nft_shape *there)
{
	struct nft_shape want = { 0 };
	const struct nft_chain_shape *chain;
	const struct nft_set_shape *set;
	bool is_same;

	expect(nft, there, &want);
	is_same =
	    want.chains.n == there->chains.n && want.sets.n == there->sets.n;
	for (chain = want.chains.v;
	     is_same && chain < want.chains.v + want.chains.n; chain++) {
		const struct nft_chain_shape *other =
		    nft_shape_chain(there, chain->name);

		is_same = other && other->digest == chain->digest;
	}
	for (set = want.sets.v; is_same && set < want.sets.v + want.sets.n;
	     set++) {
		const struct nft_set_shape *other =
		    nft_shape_set(there, set->name);

		is_same = other && other->key_len == set->key_len &&
		    (set->data_len == 0 || other->data_len == set->data_len);
	}
	nft_shape_fini(&want);
	return is_same;
}

static uint32_t
size_of(struct nft_shape *shape, enum ruleset_set set, unsigned int v6)
{
	const struct nft_set_shape *found;
	char name[NFT_NAME_B];

	nft_table_set_name(set, v6 ? FAMILY_IPV6 : FAMILY_IPV4, 0, 0, name);
	found = nft_shape_set(shape, name);
	return found ? found->size : 0;
}

static void
on_element(void *arg, const struct ruleset_op *op)
{
	struct nft *nft = arg;

	if (op->set != RULESET_SET_SHARD && !ruleset_load_element(nft->rs, op))
		return;
	if (op->set == RULESET_SET_COUNTER)
		return;
	nft_sum_apply(nft_sums_get(nft->sums, op), op);
}

static void
on_derived(void *arg, const struct ruleset_op *op)
{
	struct nft *nft = arg;

	nft_sum_apply(nft_sums_get(nft->sums, op), op);
}

/* At the start, when time counts, slots are taken for what they should be if
 * the kernel has as many; then they are verified with the other elements. */
static bool
derive_slots(struct nft *nft, struct nft_shape *shape,
    const struct ruleset_op *like)
{
	const struct nft_set_shape *set;
	char name[NFT_NAME_B];

	if (nft->is_loaded || like->set != RULESET_SET_SLOTS)
		return false;
	nft_table_set_name(like->set, like->family, like->class, like->shard,
	    name);
	set = nft_shape_set(shape, name);
	if (!set || set->count < 0 ||
	    (size_t)set->count !=
		ruleset_load_count_slots(nft->rs, like->class, like->shard))
		return false;
	ruleset_load_derive_slots(nft->rs, like->class, like->shard, on_derived,
	    nft);
	nft->is_verifying = true;
	return true;
}

static int
load_elements(struct nft *nft, struct nft_shape *shape)
{
	static const enum ruleset_set order[] = { RULESET_SET_SHARD,
		RULESET_SET_SVC, RULESET_SET_EIP, RULESET_SET_DIRECT,
		RULESET_SET_BACKENDS, RULESET_SET_SLOTS, RULESET_SET_ACCT,
		RULESET_SET_CONN };
	const struct nft_set_shape *set;

	VEC_FOREACH (set, &shape->sets) {
		unsigned int class;
		unsigned int shard;
		struct ruleset_op op = { .set = RULESET_SET_SLOTS };

		if (!nft_table_parse_shard(set->name, &class, &shard))
			continue;
		ruleset_load_shard(nft->rs, class, shard);
		op.class = (uint8_t) class;
		op.shard = (uint16_t)shard;
		(void)nft_sums_get(nft->sums, &op);
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const struct nft_sum *sum;

		for (size_t at = 0; (sum = nft_sums_at(nft->sums, at)); at++) {
			struct ruleset_op like = sum->like;
			int rc;

			if (like.set != order[i] ||
			    derive_slots(nft, shape, &like))
				continue;
			rc = nft_read_elements(nft->nl, &like, on_element, nft);
			if (rc < 0)
				return rc;
		}
	}
	return nft_read_counters(nft->nl, on_element, nft);
}

/* Every shard has its two entries in the dispatch maps, and nothing else. */
static bool
is_dispatch_whole(struct nft *nft, const struct nft_shape *shape)
{
	const struct nft_set_shape *set;
	struct nft_sum want[2] = { 0 };

	VEC_FOREACH (set, &shape->sets) {
		struct ruleset_op op = { .key_len = sizeof(uint32_t) };
		unsigned int class;
		unsigned int shard;
		uint32_t key;

		if (!nft_table_parse_shard(set->name, &class, &shard))
			continue;
		key = class << RULESET_MARK_CLASS_SHIFT |
		    shard * RULESET_SHARD_NUMBERS;
		memcpy(op.key, &key, sizeof(key));
		nft_sum_apply(&want[0], &op);
		nft_sum_apply(&want[1], &op);
	}
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct ruleset_op op = { .set = RULESET_SET_SHARD,
			.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4 };
		const struct nft_sum *have = nft_sums_get(nft->sums, &op);

		if (have->count != want[v6].count || have->sum != want[v6].sum)
			return false;
	}
	return true;
}

static int
load_ours(struct nft *nft, bool is_old)
{
	struct nft_shape shape = { 0 };
	bool is_good;
	int rc = nft_read_shape(nft->nl, &shape);

	if (rc < 0)
		goto out;
	is_good = !is_old && is_whole(nft, &shape);
	rc = load_elements(nft, &shape);
	/* Of a broken table read what there is: numbers live on. */
	if (rc == -ENOENT && !is_good)
		rc = 0;
	if (rc < 0)
		goto out;
	for (size_t i = 0; i < NFT_TABLE_BASE_SETS * 2; i++) {
		enum ruleset_set set = nft_table_base_sets[i / 2];

		nft->sizes.of[set][i % 2] = size_of(&shape, set, i % 2);
	}
	if (!is_good || !is_dispatch_whole(nft, &shape)) {
		log_warn("nft: table inet %s has changed, it is made anew",
		    NFT_TABLE);
		nft->must_replace = true;
	}
out:
	nft_shape_fini(&shape);
	return rc;
}

static int
make_table(struct nft *nft, struct err *err)
{
	nft->sizes = nft_sizes_for(nft);
	nft_batch_begin(&nft->batch, nft->nl);
	nft_table_make(&nft->batch, &nft->sizes, NULL);
	return nft_send(nft, err);
}

/* -EINTR: something changed under it.  If others change theirs all the time,
 * the `is_last` reading counts, and is verified later. */
static int
load_table(struct nft *nft, enum nft_table_state *state, bool is_last)
{
	uint32_t before = 0;
	uint32_t after = 0;
	int rc = nft_read_generation(nft->nl, &before);

	nft->must_replace = false;
	if (rc == 0)
		rc = nft_read_table(nft->nl, state);
	nft_sums_clear(nft->sums);
	ruleset_load_begin(nft->rs);
	if (rc == 0 &&
	    (*state == NFT_TABLE_STATE_OURS || *state == NFT_TABLE_STATE_OLD))
		rc = load_ours(nft, *state == NFT_TABLE_STATE_OLD);
	if (rc == 0)
		rc = nft_read_generation(nft->nl, &after);
	if (rc == 0 && before != after && !is_last)
		rc = -EINTR;
	if (rc < 0) {
		ruleset_load_abort(nft->rs);
		return rc;
	}
	ruleset_load_end(nft->rs);
	if (nft->must_replace)
		ruleset_load_lost(nft->rs);
	if (*state == NFT_TABLE_STATE_FOREIGN)
		nft->must_replace = true;
	nft->generation = before;
	return 0;
}

static void
add_up(void *arg, const struct ruleset_op *op)
{
	nft_sum_apply(arg, op);
}

/* Reads on in the set, and 0 at its end.  That something else changed
 * meanwhile (-EINTR) does no harm: see is_element_changed(). */
static int
verify_step(struct nft *nft, const struct nft_sum *want)
{
	int rc;

	if (!nft->is_reading) {
		nft->verify_sum = (struct nft_sum){ .count = 0 };
		nft->verify_changes = want->n_changes;
		rc = nft_read_elements_start(nft->verify_nl, &want->like);
		if (rc < 0)
			return rc;
	}
	rc = nft_read_elements_step(nft->verify_nl, &want->like, add_up,
	    &nft->verify_sum);
	nft->is_reading = rc > 0;
	return rc == -EINTR ? 0 : rc;
}

/* What is left of it would be taken for the answer to the next question. */
static void
end_reading(struct nft *nft)
{
	const struct nft_sum *sum = nft_sums_at(nft->sums, nft->verify_at);

	while (nft->is_reading)
		(void)verify_step(nft, sum);
}

static void
on_address(void *arg, const struct addr *addr)
{
	local_routes_want(arg, addr, true);
}

int
nft_load(struct nft *nft, struct err *err)
{
	enum nft_table_state state = NFT_TABLE_STATE_ABSENT;
	int rc = nft_open(nft, err);

	if (rc < 0)
		return rc;
	rc = -EINTR;
	nft->is_stale = true;
	conntrack_want_sweep(nft->conntrack);
	end_reading(nft);
	nft->is_verifying = false;
	nft->is_verify_late = false;
	nft->verify_at = 0;
	nft->n_torn = 0;
	for (int i = 0; i < TRIES && rc == -EINTR; i++)
		rc = load_table(nft, &state, i == TRIES - 1);
	if (rc < 0)
		return err_set(err, rc, "nft: reading table inet %s: %s",
		    NFT_TABLE, strerror(-rc));
	rc = local_routes_load(nft->routes, err);
	if (rc < 0)
		return rc;
	ruleset_each_address(nft->rs, on_address, nft->routes);
	if (state == NFT_TABLE_STATE_ABSENT) {
		rc = make_table(nft, err);
		if (rc < 0)
			return rc;
	}
	if (nft->is_loaded && ruleset_is_dirty(nft->rs))
		nft->stats.restored++;
	nft->is_loaded = true;
	nft->is_stale = false;
	return 0;
}

/* The cheap part: what the kernel tells without the elements. */
static bool
is_shape_changed(struct nft *nft)
{
	enum nft_table_state state;
	struct nft_shape shape = { 0 };
	const struct nft_sum *sum;
	bool is_changed = false;
	int rc = nft_read_table(nft->nl, &state);

	if (rc == 0 && state != NFT_TABLE_STATE_OURS)
		return true;
	if (rc == 0)
		rc = nft_read_shape(nft->nl, &shape);
	if (rc == 0)
		is_changed = !is_whole(nft, &shape);
	for (size_t at = 0;
	     rc == 0 && !is_changed && (sum = nft_sums_at(nft->sums, at));
	     at++) {
		const struct nft_set_shape *set;
		char name[NFT_NAME_B];

		nft_table_set_name(sum->like.set, sum->like.family,
		    sum->like.class, sum->like.shard, name);
		set = nft_shape_set(&shape, name);
		is_changed =
		    !set || (set->count >= 0 && set->count != sum->count);
	}
	nft_shape_fini(&shape);
	return is_changed;
}

/* What was read is what the set was all the time: neither we nor, as far as
 * can be told, anybody else changed it meanwhile. */
static bool
is_reading_sound(struct nft *nft, const struct nft_sum *want)
{
	uint32_t generation;

	return want->n_changes == nft->verify_changes &&
	    (nft->n_torn >= TRIES ||
		(nft_read_generation(nft->nl, &generation) == 0 &&
		    generation == nft->generation));
}

/* Some of the sets, element by element.  Not the counters: none that is used
 * can be deleted, and one that is not does no harm.
 *
 * A set that changes while it is read is read again, in slices twice as long:
 * in the end one is long enough for all of it, between two commits. */
static bool
is_element_changed(struct nft *nft)
{
	mono_t until = clock_mono() + ((int64_t)VERIFY_US << nft->n_torn);

	while (clock_mono() < until) {
		const struct nft_sum *want =
		    nft_sums_at(nft->sums, nft->verify_at);
		int rc;

		if (!want) {
			nft->is_verifying = nft->is_verify_late;
			nft->is_verify_late = false;
			nft->verify_at = 0;
			return false;
		}
		rc = verify_step(nft, want);
		if (rc == -ENOENT)
			return true;
		if (rc < 0)
			return false; /* again with the next call */
		if (rc > 0)
			continue;
		if (want->count == nft->verify_sum.count &&
		    want->sum == nft->verify_sum.sum) {
			nft->verify_at++;
			nft->n_torn = 0;
		} else if (is_reading_sound(nft, want)) {
			return true;
		} else {
			nft->n_torn++;
			return false;
		}
	}
	return false;
}

bool
nft_is_verifying(const struct nft *nft)
{
	return nft->is_verifying && !nft->is_stale;
}

bool
nft_has_moved(struct nft *nft)
{
	uint32_t generation;

	return nft->is_loaded && !nft->is_stale &&
	    nft_read_generation(nft->nl, &generation) == 0 &&
	    generation != nft->generation;
}

bool
nft_is_foreign_change(struct nft *nft)
{
	uint32_t generation = nft->generation;
	bool is_changed = false;

	if (!nft->is_loaded || nft->is_stale || nft->must_replace)
		return nft->is_loaded; /* the next commit reads back anyway */
	if (nft_read_generation(nft->nl, &generation) < 0)
		return false;
	if (generation != nft->generation) {
		nft->generation = generation;
		nft->is_verify_late = nft->is_verifying;
		nft->is_verifying = true;
		is_changed = is_shape_changed(nft);
	}
	if (!is_changed && nft->is_verifying)
		is_changed = is_element_changed(nft);
	else if (!is_changed && nft->n_polls++ % ROUTE_POLLS == 0)
		is_changed = local_routes_is_foreign_change(nft->routes);
	if (is_changed)
		nft->is_stale = true;
	return is_changed;
}
