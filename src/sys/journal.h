/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal: lines with fields to systemd's journal (its native protocol), so
 * that `journalctl EIPD_SERVICE=default/web` finds what happened to one.
 */
#ifndef EIPD_SYS_JOURNAL_H
#define EIPD_SYS_JOURNAL_H

#include <stdbool.h>

#include "base/attr.h"

/* False: standard error is not the journal's, as $JOURNAL_STREAM has it. */
ATTR_NODISCARD bool journal_open(void);

/* `text` is "area object: what happened", without a control character; of a
 * Service or peer the object becomes a field.  False: the journal does not
 * take it. */
ATTR_NODISCARD bool journal_send(int priority, const char *text);

#endif
