/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics: OpenMetrics text (version 1.0.0), family by family.
 */
#ifndef EIPD_CTL_METRICS_H
#define EIPD_CTL_METRICS_H

#include <stdint.h>

#include "base/str.h"
#include "ctl/request.h"

#define CTL_OPENMETRICS                                                        \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/* `unit` may be NULL; a family's name ends in it then. */
void metrics_family(struct str *out, const char *name, const char *type,
    const char *unit, const char *help);

/* One sample: name{labels} value.  `labels` is what metrics_label() made, ""
 * for none. */
void metrics_u64(struct str *out, const char *name, const char *labels,
    uint64_t value);
void metrics_double(struct str *out, const char *name, const char *labels,
    double value);

/* Adds a label to `labels`, escaped. */
void metrics_label(struct str *labels, const char *name, const char *value);

/* The ten names of OpenELB, for boards that were made for it. */
void metrics_openelb(const struct ctl_request *req, struct str *out);

#endif
