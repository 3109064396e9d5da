/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_table: the fixed part of table `inet eipd`: its sets, chains and rules,
 * and those of each shard.
 *
 * A packet's way: (address, protocol, port) gives a service mark; class and
 * shard of the mark give a chain; mark and a hash of the client give a
 * backend id; that gives address and port for DNAT.  Between rules values
 * travel in the conntrack mark only.  Whose packet it is tells the flow's
 * original tuple.  No rule depends on a Service.
 */
#ifndef EIPD_APPLY_NFT_TABLE_H
#define EIPD_APPLY_NFT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/nft_batch.h"
#include "base/vec.h"
#include "plan/ruleset.h"

/* The table's comment.  Another layout, another number: then the table is
 * replaced, with what its elements say; if they come to mean something else,
 * the words before it have to change as well.  The seed is the same
 * everywhere, so that appliances agree. */
#define NFT_LAYOUT_FAMILY "eipd layout "
#define NFT_LAYOUT NFT_LAYOUT_FAMILY "2 seed 0x65697064"
enum {
	NFT_HASH_SEED = 0x65697064
};

struct nft_chain_shape {
	char name[NFT_NAME_B];
	uint64_t digest; /* of its hook, then of its rules one by one */
};

struct nft_set_shape {
	char name[NFT_NAME_B];
	uint32_t key_len;
	uint32_t data_len; /* 0: a set, or a verdict map */
	uint32_t size;
	int64_t count; /* -1: the kernel does not tell */
};

/* What is in a table, elements apart. */
struct nft_shape {
	VEC(struct nft_chain_shape) chains;
	VEC(struct nft_set_shape) sets;
};

void nft_shape_fini(struct nft_shape *shape);
/* Of a chain without rules; all 0 if it is no base chain. */
uint64_t nft_chain_digest(uint32_t hook, int32_t prio, uint32_t policy);
struct nft_chain_shape *nft_shape_chain(struct nft_shape *shape,
    const char *name);
struct nft_set_shape *nft_shape_set(struct nft_shape *shape, const char *name);

/* Append to the batch; `shape` (may be NULL) is told what was made.
 * `sizes` of the base sets by family (0: IPv4, 1: IPv6). */
struct nft_table_sizes {
	uint32_t of[RULESET_SET__COUNT][2];
};

/* The sets that exist once for each family, but the dispatch maps. */
enum {
	NFT_TABLE_BASE_SETS = 5
};
extern const enum ruleset_set nft_table_base_sets[NFT_TABLE_BASE_SETS];

void nft_table_make(struct nft_batch *batch,
    const struct nft_table_sizes *sizes, struct nft_shape *shape);
void nft_table_delete(struct nft_batch *batch);
void nft_table_make_shard(struct nft_batch *batch, unsigned int class,
    unsigned int shard, struct nft_shape *shape);
/* Raises the limit of a base set; valid from the next transaction on. */
void nft_table_grow(struct nft_batch *batch, enum ruleset_set set,
    unsigned int family, uint32_t size);

/* "cluster/namespace/name/packets" and ".../connections"; `kind` is
 * RULESET_COUNTER_*. */
void nft_table_counter_name(unsigned int kind, const char *key,
    char out[NFT_OBJECT_NAME_B]);
/* The kind, and the Service's key copied to `key`; RULESET_COUNTER__COUNT if
 * it is no such name. */
unsigned int nft_table_parse_counter(const char *name,
    char key[NFT_OBJECT_NAME_B]);
/* Makes or deletes what an operation on RULESET_SET_COUNTER says. */
void nft_table_put_counter(struct nft_batch *batch,
    const struct ruleset_op *op);

/* The name of the set that an operation is about; for RULESET_SET_SHARD the
 * dispatch map. */
void nft_table_set_name(enum ruleset_set set, unsigned int family,
    unsigned int class, unsigned int shard, char out[NFT_NAME_B]);
/* Class and shard out of "slots_6_0"; false if it is no such name. */
bool nft_table_parse_shard(const char *name, unsigned int *out_class,
    unsigned int *out_shard);

#endif
