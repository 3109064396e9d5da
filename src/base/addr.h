/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: IPv4 and IPv6 addresses, prefixes and ranges as values.
 *
 * Octets are in network order; an IPv4 address uses the first four and the
 * rest are zero, so equal addresses are equal memory.
 */
#ifndef EIPD_BASE_ADDR_H
#define EIPD_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum family {
	FAMILY_NONE, /* of a zeroed struct addr: no address */
	FAMILY_IPV4,
	FAMILY_IPV6,
};

struct addr {
	uint8_t family; /* enum family */
	uint8_t b[16];
};

struct prefix {
	struct addr addr;
	uint8_t len; /* bits */
};

/* Both ends belong to it; one family; first <= last. */
struct addr_range {
	struct addr first;
	struct addr last;
};

enum {
	ADDR_TEXT_B = 46,
	PREFIX_TEXT_B = 50
};

/* "IPv4", "IPv6", as the Kubernetes API spells them. */
const char *family_name(enum family family);
size_t addr_len_b(const struct addr *a); /* 4 or 16 */
unsigned int addr_bits(const struct addr *a); /* 32 or 128 */

/* IPv4 octets with leading zeros are read as decimal, as the API server's
 * old parser did (KEP-4858); IPv4-mapped IPv6 becomes IPv4; no zone.
 * -EINVAL. */
ATTR_NODISCARD int addr_parse(const char *s, struct addr *out);
struct addr addr_from_bytes(enum family family, const void *bytes);

/* Canonical (RFC 5952). */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_B]);
const char *prefix_text(const struct prefix *p, char out[PREFIX_TEXT_B]);

/* Order: IPv4 before IPv6, then by number. */
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_set(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_unspecified(const struct addr *a);

/* The address `n` after `a`; false (and `out` untouched) beyond the family's
 * last one. */
bool addr_add(const struct addr *a, uint64_t n, struct addr *out);
/* b - a, UINT64_MAX when it is more; b >= a, one family. */
uint64_t addr_distance(const struct addr *a, const struct addr *b);

struct prefix prefix_host(const struct addr *a);
/* "a/len" or "a" (host prefix); bits beyond len are cleared.  -EINVAL. */
ATTR_NODISCARD int prefix_parse(const char *s, struct prefix *out);
int prefix_cmp(const struct prefix *a, const struct prefix *b);

/* "a", "a/len" (all of it, first and last included) or "a-b".  `err` says
 * what is wrong with it. */
ATTR_NODISCARD int addr_range_parse(const char *s, struct addr_range *out,
    struct err *err);
bool addr_range_contains(const struct addr_range *r, const struct addr *a);
bool addr_range_overlaps(const struct addr_range *a,
    const struct addr_range *b);
/* Number of addresses, UINT64_MAX when it is more. */
uint64_t addr_range_size(const struct addr_range *r);

#endif
