/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * instance: one eipd per network namespace.
 */
#ifndef EIPD_SYS_INSTANCE_H
#define EIPD_SYS_INSTANCE_H

#include "base/err.h"

/* Binds the abstract socket `eipd` until the process ends.  -EEXIST, naming
 * the pid, if another one has it. */
ATTR_NODISCARD int instance_lock(struct err *err);

#endif
