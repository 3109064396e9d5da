/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pager: output that does not fit on the terminal goes through $PAGER.
 */
#ifndef EIPD_CLI_PAGER_H
#define EIPD_CLI_PAGER_H

#include <stdbool.h>

#include "base/str.h"

/* Writes to standard output; a terminal that is too low for it gets a pager,
 * if that is wanted.  -errno if not all of it could be written. */
ATTR_NODISCARD int pager_print(const struct str *text, bool is_pager_wanted);

#endif
