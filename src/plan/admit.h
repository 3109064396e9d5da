/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admit: which Services are ours, and which of ours cannot be served.
 */
#ifndef EIPD_PLAN_ADMIT_H
#define EIPD_PLAN_ADMIT_H

#include "plan/plan.h"

/* Sets is_ours, admission and, if it must be refused whatever the pools say,
 * is_refused, reason and message. */
void admit_service(const struct plan_input *in, const struct service *service,
    struct decision *decision);

/* Likewise, if the pool of an address that it holds changed its protocol. */
void admit_protocols(struct decision *decision);

/* Likewise, if there is no way to its backends: `f` is in force for it. */
void admit_forwarding(const struct service *service, struct forwarding f,
    struct decision *decision);

/* is_refused with a reason; the text is formatted into the decision. */
void decision_refuse(struct decision *decision, const char *reason,
    const char *fmt, ...) ATTR_PRINTF(3, 4);

#endif
