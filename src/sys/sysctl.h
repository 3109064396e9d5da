/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl: reads the kernel's settings that forwarding depends on.
 *
 * Reports only: they belong to the machine's owner.
 */
#ifndef EIPD_SYS_SYSCTL_H
#define EIPD_SYS_SYSCTL_H

#include "base/addr.h"
#include "base/err.h"

/* -ENOTCONN if the kernel does not forward packets of `family` in this
 * network namespace; 0 also if it does not know the family. */
ATTR_NODISCARD int sysctl_check_forwarding(enum family family, struct err *err);

#endif
