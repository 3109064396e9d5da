/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics_service: the families with a Service in their labels, which are
 * most of the text, in steps.
 */
#ifndef EIPD_CTL_METRICS_SERVICE_H
#define EIPD_CTL_METRICS_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "ctl/state.h"

/* Zeroed: not begun. */
struct metrics_services {
	struct service_row *rows; /* a table */
	const struct service_row *at; /* the next to be written */
	size_t family; /* that is being written */
	bool is_collecting;
	struct str after; /* of ctl_state.services() */
	uint64_t states[SERVICE_STATE__COUNT];
};

void metrics_services_begin(struct metrics_services *services);
/* Appends to `out` for up to a millisecond; false once nothing is left. */
bool metrics_services_step(struct metrics_services *services,
    const struct ctl_state *s, struct str *out);
void metrics_services_fini(struct metrics_services *services);

#endif
