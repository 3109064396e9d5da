/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list: the frame of {"items":[...]} answers and what several views share.
 */
#ifndef EIPD_CTL_LIST_H
#define EIPD_CTL_LIST_H

#include "ctl/request.h"

/* Parameters that narrow a list; NULL: any. */
struct list_filter {
	char *cluster;
	char *ns;
	char *name;
};

struct list {
	const struct ctl_state *state;
	mono_t now;
	struct ctl_answer *answer;
	struct jsonw json;
	struct list_filter filter;
	size_t n;
};

void list_begin(struct list *list, const struct ctl_request *req,
    struct ctl_answer *answer);
/* Counts a member, if the filter lets it pass; NULL where the kind has no
 * such property. */
bool list_wants(struct list *list, const char *cluster, const char *ns,
    const char *name);
/* 404 when a name was asked for and nothing was found: "there is no KIND". */
void list_end(struct list *list, const char *kind);
void list_fini(struct list *list); /* of one without an end */

/* What a Service has: its addresses and the pools they are from, in
 * ipFamilies order.  Returns their number. */
struct service_address {
	struct addr addr;
	const char *pool;
	const char *uid; /* of the lease, "" if there is none */
};
size_t service_addresses(const struct ctl_state *state,
    const struct service_status *status,
    struct service_address out[SERVICE_FAMILIES_MAX]);
const char *service_uid(const struct ctl_state *state,
    const struct service_status *status);

/* Backends of one frontend that pass their probe. */
size_t frontend_healthy(const struct decision *decision,
    const struct frontend *frontend);

#endif
