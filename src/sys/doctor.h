/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: reads what a gateway needs of its kernel.
 *
 * Reports only: the settings belong to the machine's owner.
 */
#ifndef EIPD_SYS_DOCTOR_H
#define EIPD_SYS_DOCTOR_H

#include <stddef.h>
#include <stdint.h>

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_WARNING,
	DOCTOR_ERROR,
};

struct doctor_finding {
	const char *check; /* the name of the setting, where it is one */
	enum doctor_level level;
	const char *text;
	const char *remedy; /* "" with DOCTOR_OK */
};

/* What it gets is lent for the call. */
typedef void doctor_fn(void *arg, const struct doctor_finding *finding);

/* One finding for each check, in the same order always.  `proc_net` is
 * /proc/sys/net, or a test's; `ports` are those that eipd listens on. */
void doctor_run(const char *proc_net, const uint16_t *ports, size_t n_ports,
    doctor_fn *fn, void *arg);

#define DOCTOR_PROC_NET "/proc/sys/net"

#endif
