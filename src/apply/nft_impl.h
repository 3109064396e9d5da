/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_impl: what nft.c (commits) and nft_load.c (reading back, watching)
 * share.  For nobody else.
 */
#ifndef EIPD_APPLY_NFT_IMPL_H
#define EIPD_APPLY_NFT_IMPL_H

#include "apply/conntrack.h"
#include "apply/local_route.h"
#include "apply/nft.h"
#include "apply/nft_batch.h"
#include "apply/nft_sum.h"
#include "apply/nft_table.h"
#include "net/nl.h"
#include "plan/ruleset.h"

struct nft {
	struct nl *nl; /* NULL: nor are routes, conntrack and verify_nl there */
	struct ruleset *rs;
	struct local_routes *routes;
	struct conntrack *conntrack;
	struct nft_sums *sums;
	struct nft_batch batch;
	struct nft_table_sizes sizes;
	struct nft_stats stats;
	uint32_t generation; /* as it is if nobody but us writes */
	bool is_stale; /* read back before writing */
	bool is_loaded;
	bool must_replace; /* the table as a whole, with the next commit */
	unsigned int n_refused; /* in a row */
	bool is_verifying;
	bool is_verify_late; /* something moved since the first set */
	size_t verify_at;
	/* The set that is being read; its own socket, because commits go on. */
	struct nl *verify_nl;
	bool is_reading;
	struct nft_sum verify_sum;
	uint64_t verify_changes; /* of the set, when it began */
	unsigned int n_torn; /* readings of it, in a row */
	unsigned int n_polls;
};

/* nft.c */
/* Unless it is done already. */
ATTR_NODISCARD int nft_open(struct nft *nft, struct err *err);
/* The operation as messages of the batch; `set` is the name of its set. */
void nft_put_op(struct nft_batch *batch, const char *set,
    const struct ruleset_op *op);
ATTR_NODISCARD int nft_send(struct nft *nft, struct err *err);

/* nft_load.c */
struct nft_table_sizes nft_sizes_for(const struct nft *nft);
/* What a shard adds to the dispatch maps. */
void nft_count_shard(struct nft *nft, unsigned int class, unsigned int shard);

#endif
