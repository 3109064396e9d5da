/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_foreign: chains of others that drop what eipd forwards.
 */
#ifndef EIPD_APPLY_NFT_FOREIGN_H
#define EIPD_APPLY_NFT_FOREIGN_H

#include "base/err.h"
#include "base/str.h"

/* Adds "FAMILY TABLE CHAIN", with commas between, of each base chain at the
 * forward hook whose policy is to drop; what its rules accept is not looked
 * at.  Negative errno, `err` says why: nf_tables does not answer. */
ATTR_NODISCARD int nft_foreign_drops(struct str *out, struct err *err);

#endif
