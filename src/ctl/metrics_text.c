/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics_text: the grammar of OpenMetrics.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl/metrics.h"

void
metrics_family(struct str *out, const char *name, const char *type,
    const char *unit, const char *help)
{
	str_printf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		str_printf(out, "# UNIT %s %s\n", name, unit);
	str_printf(out, "# HELP %s %s\n", name, help);
}

static void
add_name(struct str *out, const char *name, const char *labels)
{
	str_add(out, name);
	if (*labels) {
		str_add(out, "{");
		str_add(out, labels);
		str_add(out, "}");
	}
	str_add(out, " ");
}

void
metrics_u64(struct str *out, const char *name, const char *labels,
    uint64_t value)
{
	add_name(out, name, labels);
	str_printf(out, "%" PRIu64 "\n", value);
}

void
metrics_double(struct str *out, const char *name, const char *labels,
    double value)
{
	add_name(out, name, labels);
	str_printf(out, "%.9g\n", value);
}

void
metrics_label(struct str *labels, const char *name, const char *value)
{
	if (labels->n)
		str_add(labels, ",");
	str_add(labels, name);
	str_add(labels, "=\"");
	for (; *value; value++) {
		size_t plain = strcspn(value, "\\\"\n");

		str_add_n(labels, value, plain);
		value += plain;
		if (!*value)
			break;
		str_add(labels,
		    *value == '\n'	? "\\n"
			: *value == '"' ? "\\\""
					: "\\\\");
	}
	str_add(labels, "\"");
}
