/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: from what a user writes to what is meant.
 */
#ifndef EIPD_CTL_LOOKUP_H
#define EIPD_CTL_LOOKUP_H

#include <stdint.h>

#include "base/addr.h"
#include "ctl/request.h"

/* NS/NAME, an address, or an address and port. */
struct subject {
	char *ns; /* owned; NULL for an address */
	char *name; /* owned */
	struct addr addr; /* FAMILY_NONE for NS/NAME */
	uint16_t port; /* 0: none given */
};

/* -EINVAL when it is none of the forms. */
ATTR_NODISCARD int subject_parse(const char *text, struct subject *out);
void subject_fini(struct subject *subject);

/* The cluster of a Service: `wanted`, or the only one that has it.  NULL
 * after ctl_fail(): 404, or 409 if several have it.  Owned by the caller. */
char *lookup_cluster(const struct ctl_request *req, const char *wanted,
    const char *ns, const char *name, struct ctl_answer *answer);

#endif
