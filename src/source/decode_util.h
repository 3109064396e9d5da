/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_util: what the decoders of all kinds share.  Pure.
 *
 * Every decoder runs twice: the first time into scratch memory, to check and
 * to measure, the second time into one block of exactly that size, behind the
 * object itself.  There are many objects and they live long.
 */
#ifndef EIPD_SOURCE_DECODE_UTIL_H
#define EIPD_SOURCE_DECODE_UTIL_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "conf/tree.h"
#include "model/object.h"
#include "model/service.h"
#include "source/decode.h"

struct decoder {
	enum decode_mode mode;
	bool is_v1alpha1;
	struct err *err;
	const struct tree *labels; /* metadata.labels, NULL if none */
	const struct tree *annotations;
	struct arena scratch;
	unsigned char *block; /* NULL while measuring */
	size_t used_b;
};

/* Zeroed; never NULL. */
void *dec_alloc(struct decoder *d, size_t size_b, size_t align);
const char *dec_strdup(struct decoder *d, const char *s);
const char *dec_printf(struct decoder *d, const char *fmt, ...)
    ATTR_PRINTF(2, 3);
#define dec_array(d, type, n)                                                  \
	((type *)dec_alloc((d), sizeof(type) * (n), alignof(type)))

/* `map` must be a map and, in files, have no other keys than `known`. */
ATTR_NODISCARD int dec_check(struct decoder *d, const struct tree *map,
    const char *const *known, size_t n_known);
#define dec_known(d, map, known)                                               \
	dec_check((d), (map), (known), ARRAY_LEN(known))

/* A member; absent and null leave `*out` as it is. */
ATTR_NODISCARD int dec_map(struct decoder *d, const struct tree *map,
    const char *key, const struct tree **out);
ATTR_NODISCARD int dec_seq(struct decoder *d, const struct tree *map,
    const char *key, const struct tree **out);
/* Borrowed from the tree. */
ATTR_NODISCARD int dec_string(struct decoder *d, const struct tree *map,
    const char *key, const char **out);
ATTR_NODISCARD int dec_bool(struct decoder *d, const struct tree *map,
    const char *key, bool *out);
ATTR_NODISCARD int dec_u16(struct decoder *d, const struct tree *map,
    const char *key, uint16_t *out);
ATTR_NODISCARD int dec_asn(struct decoder *d, const struct tree *map,
    const char *key, uint32_t *out);
ATTR_NODISCARD int dec_u32(struct decoder *d, const struct tree *map,
    const char *key, uint32_t *out);
ATTR_NODISCARD int dec_duration(struct decoder *d, const struct tree *map,
    const char *key, int64_t *out_us);
ATTR_NODISCARD int dec_addr(struct decoder *d, const struct tree *map,
    const char *key, struct addr *out);
/* "TCP", "UDP" or "SCTP". */
ATTR_NODISCARD int dec_protocol(struct decoder *d, const struct tree *map,
    uint8_t *out);
/* A list of strings, copied. */
ATTR_NODISCARD int dec_strings(struct decoder *d, const struct tree *map,
    const char *key, const char *const **out, size_t *n);

/* A map of strings, copied and sorted; `map` may be NULL. */
ATTR_NODISCARD int dec_labels(struct decoder *d, const struct tree *map,
    struct labels *out);
ATTR_NODISCARD int dec_selector(struct decoder *d, const struct tree *map,
    struct label_selector *out);
/* A map of strings whose pairs must all be there. */
ATTR_NODISCARD int dec_equality(struct decoder *d, const struct tree *map,
    struct label_selector *out);

/* A label or annotation that is there and not empty, else NULL. */
const char *dec_value(const struct tree *map, const char *key);
/* By its label it is the CNI's to act upon. */
bool dec_is_cni(const struct decoder *d);

enum dec_forwarding {
	DEC_FORWARD_BACKENDS,
	DEC_FORWARD_SOURCE,
	DEC_FORWARD_NO_BACKENDS,
};

/* NULL if `s` could be set, else what is expected. */
const char *dec_forwarding(struct forwarding *f, enum dec_forwarding which,
    const char *s);

/* The decoders proper; the struct they fill is zeroed, but for what
 * object_new() sets. */
int decode_service(struct decoder *d, const struct tree *t, void *out);
int decode_slice(struct decoder *d, const struct tree *t, void *out);
int decode_node(struct decoder *d, const struct tree *t, void *out);
int decode_namespace(struct decoder *d, const struct tree *t, void *out);
int decode_eip(struct decoder *d, const struct tree *t, void *out);
int decode_bgp_conf(struct decoder *d, const struct tree *t, void *out);
int decode_bgp_peer(struct decoder *d, const struct tree *t, void *out);

#endif
