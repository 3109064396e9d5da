/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_totals: the counters of all Services, read from table `inet eipd` when
 * they are asked for, in slices on a socket of their own.
 */
#ifndef EIPD_APPLY_NFT_TOTALS_H
#define EIPD_APPLY_NFT_TOTALS_H

#include <stdbool.h>

#include "base/mono.h"
#include "model/service.h"

struct loop;
struct nft_totals;

/* `on_read` tells that nft_totals_read() may say something else now. */
struct nft_totals *nft_totals_new(struct loop *loop, void (*on_read)(void *arg),
    void *arg);
void nft_totals_free(struct nft_totals *totals); /* NULL is fine */

/* True if what nft_totals_get() gives is as of `since` or later (`*as_of`), or
 * could not be read within a second.  Otherwise a reading is under way. */
bool nft_totals_read(struct nft_totals *totals, mono_t since, mono_t *as_of);

/* As last read; NULL: there is nothing of "cluster/namespace/name". */
const struct service_totals *nft_totals_get(const struct nft_totals *totals,
    const char *key);

#endif
