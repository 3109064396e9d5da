/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_batch: one nf_tables transaction as it is put together.
 *
 * Objects come from libnftnl; elements, of which there are many, are written
 * octet by octet, as many as fit into one message.
 */
#ifndef EIPD_APPLY_NFT_BATCH_H
#define EIPD_APPLY_NFT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "net/nl.h"

enum {
	NFT_NAME_B = 32,
	NFT_OBJECT_NAME_B = 256,
	NFT_OBJECT_MAX_B = 16 << 10 /* far above any message for a rule */
};
#define NFT_TABLE "eipd"

struct nft_batch {
	struct nl *nl; /* borrowed */
	struct nl_buf buf;
	size_t n_elements;
	/* The element message that is open, 0: none. */
	size_t open_at;
	size_t list_at;
	uint16_t open_type;
	char open_set[NFT_NAME_B];
};

struct nft_element {
	const char *set;
	const void *key;
	size_t key_len;
	const void *data; /* NULL: none */
	size_t data_len;
	const char *chain; /* a goto verdict in place of data, or NULL */
	const char *object; /* a stateful object likewise */
	const char *comment; /* NULL: none */
};

void nft_batch_begin(struct nft_batch *batch, struct nl *nl);
/* A message of libnftnl's making: fill what this returns, then close. */
struct nlmsghdr *nft_batch_open(struct nft_batch *batch, int type, int flags);
void nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *h);
/* `type` NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM. */
void nft_batch_element(struct nft_batch *batch, int type,
    const struct nft_element *element);
/* Sends it: the transaction is done, or refused whole, on return. */
ATTR_NODISCARD int nft_batch_commit(struct nft_batch *batch,
    struct nl_refusal *refusal);
/* A hash of `data` behind what `h` is one of. */
uint64_t nft_mix(uint64_t h, const void *data, size_t n);
/* What a library's allocator gave; does not return for NULL. */
void *nft_must(void *made);
void nft_batch_fini(struct nft_batch *batch);

#endif
