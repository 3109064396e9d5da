/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr: compiler attributes and the few macros that every file may use.
 */
#ifndef EIPD_BASE_ATTR_H
#define EIPD_BASE_ATTR_H

#define ATTR_NODISCARD __attribute__((warn_unused_result))
#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_RETURNS_NONNULL __attribute__((returns_nonnull))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
