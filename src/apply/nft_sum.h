/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_sum: what each set of the table should hold, as a count and a sum of
 * hashes, so that a foreign change is found without a second copy of it.
 */
#ifndef EIPD_APPLY_NFT_SUM_H
#define EIPD_APPLY_NFT_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/nft_table.h"
#include "plan/ruleset.h"

struct nft_sums;

struct nft_sum {
	struct ruleset_op like; /* which set; no key */
	int64_t count;
	uint64_t sum;
	uint64_t n_changes; /* ever */
	char name[NFT_NAME_B]; /* "": not needed yet */
};

struct nft_sums *nft_sums_new(void);
void nft_sums_free(struct nft_sums *sums); /* NULL is fine */
void nft_sums_clear(struct nft_sums *sums);

/* The set of the operation, made if it is a new one; valid until the next
 * call. */
struct nft_sum *nft_sums_get(struct nft_sums *sums,
    const struct ruleset_op *op);
/* The base sets first, then three of every shard; NULL beyond the last. */
struct nft_sum *nft_sums_at(struct nft_sums *sums, size_t at);
/* Of the set; valid as long as `sum`. */
const char *nft_sum_name(struct nft_sum *sum);
/* Counts an addition or a deletion. */
void nft_sum_apply(struct nft_sum *sum, const struct ruleset_op *op);

#endif
