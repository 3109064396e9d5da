/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yaml: a JSON value as YAML.
 */
#ifndef EIPD_CLI_YAML_H
#define EIPD_CLI_YAML_H

#include <jansson.h>

#include "base/str.h"

/* Ends with a line feed. */
void yaml_render(const json_t *value, struct str *out);

#endif
