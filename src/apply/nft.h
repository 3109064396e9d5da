/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: carries the wanted rule sets into the kernel table `inet eipd`, and the
 * local routes (protocol 225) that make the box own its addresses.
 *
 * Keeps a shadow of what the kernel has.  A Service is staged whole; commit
 * sends the exact difference of everything staged as one transaction.
 */
#ifndef EIPD_APPLY_NFT_H
#define EIPD_APPLY_NFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/decision.h"

struct nft;

struct nft_stats {
	uint64_t commits;
	uint64_t operations; /* elements added or deleted */
	uint64_t errors;
	uint64_t restored; /* full rebuilds after someone else's change */
	int64_t last_commit_us;
};

struct nft *nft_new(void);
/* The table and the routes stay in the kernel, serving. */
void nft_free(struct nft *nft);

/* Opens the netlink sockets, unless they are, which fails without CAP_NET_ADMIN
 * (-EPERM) and without the modules; then reads table and routes back; makes the
 * table (and only it) if it is absent or of another layout.  May be called
 * again at any time: the shadow is replaced, and what was staged or committed
 * before stays wanted, so the next commit repairs the difference. */
ATTR_NODISCARD int nft_load(struct nft *nft, struct err *err);

/* After nft_load(): each Service found in the kernel.  `key` is the comment
 * "cluster/namespace/name"; frontends carry address, protocol and port, and
 * the backends as the maps have them. */
void nft_each_service(const struct nft *nft,
    void (*fn)(void *arg, const char *key, const struct frontend *frontends,
	size_t n_frontends),
    void *arg);

/* Some Service has it, in the kernel or staged. */
bool nft_has_address(const struct nft *nft, const struct addr *addr);

/* Stages the frontends of one Service in place of whatever it had; `n` = 0
 * removes it.  Only usable backends get slots; a frontend without any answers
 * TCP reset / port unreachable.  -ENOSPC beyond a limit of the layout,
 * -EEXIST if another Service has one of the frontends: nothing is staged. */
ATTR_NODISCARD int nft_stage(struct nft *nft, const char *key,
    const struct frontend *frontends, size_t n, struct err *err);

/* One transaction with the difference of everything staged, none if there is
 * none; then routes.  On failure the stage is kept: the next
 * commit tries again. */
ATTR_NODISCARD int nft_commit(struct nft *nft, struct err *err);

/* Forgets conntrack entries of what commits and nft_remove_all() removed: works
 * for about `budget_us`, true while there is more to do; to be called every
 * second all the same, for what the kernel refused.  Once `is_settled`,
 * all that is wanted has been committed since the start, also those of what
 * was removed unseen: by a process that was killed, or after a reading back. */
bool nft_flush_flows(struct nft *nft, int64_t budget_us, bool is_settled);

/* Somebody changed the rules of the host since nft_is_foreign_change() looked:
 * one question to the kernel. */
bool nft_has_moved(struct nft *nft);
/* Someone else changed our table or routes.  To be asked about every second:
 * after any other change of the generation the names and counts of sets are
 * compared at once, the elements bit by bit over the next calls. */
bool nft_is_foreign_change(struct nft *nft);
/* There is more to compare: ask again soon. */
bool nft_is_verifying(const struct nft *nft);

/* Removes table and routes, for `eipctl withdraw-all`. */
ATTR_NODISCARD int nft_remove_all(struct nft *nft, struct err *err);

const struct nft_stats *nft_stats(const struct nft *nft);

#endif
