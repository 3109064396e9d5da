/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * base64: the `*-data` values of a kubeconfig.  Pure.
 */
#ifndef EIPD_SOURCE_BASE64_H
#define EIPD_SOURCE_BASE64_H

struct arena;

/* NUL-terminated, in `arena`; line breaks inside are allowed, as Go allows
 * them.  NULL if it is no base64. */
const char *base64_decode(struct arena *arena, const char *s);

#endif
