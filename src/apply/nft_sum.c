/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum {
	NONE = -1
};

struct nft_sums {
	VEC(struct nft_sum) all;
	int base[RULESET_SET__COUNT][2];
	/* Of slots, IPv4 and IPv6 backends: the first of three in a row. */
	VEC(int) shards[SLOTS_CLASS__COUNT];
};

static void
push(struct nft_sums *sums, enum ruleset_set set, unsigned int family,
    unsigned int class, unsigned int shard)
{
	vec_push(&sums->all,
	    (struct nft_sum){ .like = { .set = set,
				  .family = (uint8_t)family,
				  .class = (uint8_t) class,
				  .shard = (uint16_t)shard } });
}

static void
push_base(struct nft_sums *sums, enum ruleset_set set)
{
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		sums->base[set][v6] = (int)sums->all.n;
		push(sums, set, v6 ? FAMILY_IPV6 : FAMILY_IPV4, 0, 0);
	}
}

void
nft_sums_clear(struct nft_sums *sums)
{
	vec_clear(&sums->all);
	for (size_t i = 0; i < SLOTS_CLASS__COUNT; i++)
		vec_clear(&sums->shards[i]);
	for (size_t i = 0; i < NFT_TABLE_BASE_SETS; i++)
		push_base(sums, nft_table_base_sets[i]);
	push_base(sums, RULESET_SET_SHARD);
}

struct nft_sums *
nft_sums_new(void)
{
	struct nft_sums *sums = mem_new(struct nft_sums);

	nft_sums_clear(sums);
	return sums;
}

void
nft_sums_free(struct nft_sums *sums)
{
	if (!sums)
		return;
	vec_fini(&sums->all);
	for (size_t i = 0; i < SLOTS_CLASS__COUNT; i++)
		vec_fini(&sums->shards[i]);
	free(sums);
}

static int
shard_first(struct nft_sums *sums, unsigned int class, unsigned int shard)
{
	while (sums->shards[class].n <= shard)
		vec_push(&sums->shards[class], NONE);
	if (sums->shards[class].v[shard] == NONE) {
		sums->shards[class].v[shard] = (int)sums->all.n;
		push(sums, RULESET_SET_SLOTS, FAMILY_NONE, class, shard);
		push(sums, RULESET_SET_BACKENDS, FAMILY_IPV4, class, shard);
		push(sums, RULESET_SET_BACKENDS, FAMILY_IPV6, class, shard);
	}
	return sums->shards[class].v[shard];
}

struct nft_sum *
nft_sums_get(struct nft_sums *sums, const struct ruleset_op *op)
{
	int at;

	if (op->set == RULESET_SET_SLOTS)
		at = shard_first(sums, op->class, op->shard);
	else if (op->set == RULESET_SET_BACKENDS)
		at = shard_first(sums, op->class, op->shard) +
		    (op->family == FAMILY_IPV6 ? 2 : 1);
	else
		at = sums->base[op->set][op->family == FAMILY_IPV6];
	return &sums->all.v[at];
}

struct nft_sum *
nft_sums_at(struct nft_sums *sums, size_t at)
{
	return at < sums->all.n ? &sums->all.v[at] : NULL;
}

const char *
nft_sum_name(struct nft_sum *sum)
{
	if (sum->name[0] == '\0')
		nft_table_set_name(sum->like.set, sum->like.family,
		    sum->like.class, sum->like.shard, sum->name);
	return sum->name;
}

static uint64_t
op_hash(const struct ruleset_op *op)
{
	uint64_t h = nft_mix(op->key_len, op->key, op->key_len);

	h = nft_mix(h, op->data, op->data_len);
	if (op->comment)
		h = nft_mix(h, op->comment, strlen(op->comment));
	return h;
}

void
nft_sum_apply(struct nft_sum *sum, const struct ruleset_op *op)
{
	uint64_t h = op_hash(op);

	sum->sum += op->is_delete ? -h : h;
	sum->count += op->is_delete ? -1 : 1;
	sum->n_changes++;
}
