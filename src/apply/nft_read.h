/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_read: table `inet eipd` as the kernel has it.
 *
 * Whatever is in there, reading it does no harm: an attribute that is not
 * what we write makes its element unknown.
 */
#ifndef EIPD_APPLY_NFT_READ_H
#define EIPD_APPLY_NFT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "apply/nft_table.h"
#include "net/nl.h"
#include "plan/ruleset.h"

enum nft_table_state {
	NFT_TABLE_STATE_ABSENT,
	NFT_TABLE_STATE_FOREIGN,
	NFT_TABLE_STATE_OLD, /* of another layout, or switched off */
	NFT_TABLE_STATE_OURS, /* by its comment */
};

/* All of these: negative errno as the kernel gave it; a dump that changed
 * while it was read is read again a few times, then -EINTR. */
ATTR_NODISCARD int nft_read_generation(struct nl *nl, uint32_t *out);
ATTR_NODISCARD int nft_read_table(struct nl *nl, enum nft_table_state *out);
/* `out` is a zeroed or finished shape. */
ATTR_NODISCARD int nft_read_shape(struct nl *nl, struct nft_shape *out);
/* `fn` gets each element of the set that `like` describes, with key, data and
 * comment filled in. */
ATTR_NODISCARD int nft_read_elements(struct nl *nl,
    const struct ruleset_op *like, ruleset_op_fn fn, void *arg);
/* The same in steps: 1 while there is more, 0 at the end. */
ATTR_NODISCARD int nft_read_elements_start(struct nl *nl,
    const struct ruleset_op *like);
ATTR_NODISCARD int nft_read_elements_step(struct nl *nl,
    const struct ruleset_op *like, ruleset_op_fn fn, void *arg);
/* `fn` gets each counter of a Service, as RULESET_SET_COUNTER. */
ATTR_NODISCARD int nft_read_counters(struct nl *nl, ruleset_op_fn fn,
    void *arg);

struct nft_counter {
	char key[NFT_OBJECT_NAME_B]; /* of the Service */
	unsigned int kind; /* RULESET_COUNTER_* */
	struct ruleset_count count;
};

/* Begins a dump of all counters, for nl_dump_step(). */
ATTR_NODISCARD int nft_read_counters_start(struct nl *nl);
/* Out of a message of that dump; false if it is not a Service's. */
bool nft_read_counter(const struct nlmsghdr *h, struct nft_counter *out);

#endif
