/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics: OpenMetrics text (version 1.0.0), family by family.
 */
#ifndef EIPD_CTL_METRICS_H
#define EIPD_CTL_METRICS_H

#include <stdbool.h>
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
void metrics_openelb(const struct ctl_state *s, const char *node_name,
    struct str *out);

/* The text that view_metrics() answers with, written for all who wait for it
 * at once; those that come later wait for the next. */
struct ctl_metrics *ctl_metrics_new(const struct ctl_state *state);
void ctl_metrics_free(struct ctl_metrics *metrics);
bool ctl_metrics_is_writing(const struct ctl_metrics *metrics);
/* Goes on writing for about a millisecond; false: there is nothing to do. */
bool ctl_metrics_step(struct ctl_metrics *metrics);
/* Who waited was answered. */
void ctl_metrics_forget(struct ctl_metrics *metrics);

#endif
