/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * url: names from outside inside a path or a query.
 */
#ifndef EIPD_NET_URL_H
#define EIPD_NET_URL_H

#include "base/str.h"

/* Appends `s`, percent-encoded for a path segment or a query value. */
void url_escape(struct str *out, const char *s);

#endif
