/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: an Eip object (network.kubesphere.io), a pool of external addresses.
 */
#ifndef EIPD_MODEL_POOL_H
#define EIPD_MODEL_POOL_H

#include <stdint.h>

#include "base/addr.h"
#include "model/object.h"
#include "model/service.h"

enum pool_protocol {
	POOL_PROTOCOL_BGP,
	POOL_PROTOCOL_LAYER2,
	POOL_PROTOCOL_VIP,
	POOL_PROTOCOL_PASSIVE,
};

const char *pool_protocol_name(enum pool_protocol protocol);
/* By this version. */
bool pool_protocol_is_served(enum pool_protocol protocol);

struct pool {
	struct object o;
	/* spec.address and spec.addresses, sorted, not overlapping. */
	const struct addr_range *ranges;
	size_t n_ranges;
	const struct addr_range *excluded; /* spec.exclude, likewise */
	size_t n_excluded;
	enum pool_protocol protocol;
	const char *interface; /* "" if none */
	bool is_disabled;
	bool is_default; /* annotation is-default-eip */
	bool is_cni; /* label cni: the CNI announces it */
	bool avoid_buggy_ips; /* skip .0 and .255 */
	int64_t priority; /* higher wins */
	const char *const *namespaces;
	size_t n_namespaces;
	bool has_namespace_selector;
	struct label_selector namespace_selector;
	bool has_service_selector;
	struct label_selector service_selector;
	int64_t sticky_us;
	int64_t quarantine_us;
	struct forwarding forwarding;
	const char *next_hop; /* "self" or "nodes" */
};

/* Defaults of spec.sticky and spec.quarantine. */
#define POOL_STICKY_US (INT64_C(7) * 86400 * 1000000)
#define POOL_QUARANTINE_US (INT64_C(600) * 1000000)

/* How its addresses are served: one left to the CNI is passive. */
enum pool_protocol pool_serves_as(const struct pool *pool);
/* In a range. */
bool pool_spans(const struct pool *pool, const struct addr *addr);
/* And not excluded, not skipped by avoid_buggy_ips. */
bool pool_offers(const struct pool *pool, const struct addr *addr);
bool pool_has_family(const struct pool *pool, enum family family);
/* Number of offered addresses; UINT64_MAX when it is more. */
uint64_t pool_size(const struct pool *pool);
/* The lowest offered address of `family` that is >= `from` (any, when `from`
 * is NULL); false if none. */
bool pool_next(const struct pool *pool, enum family family,
    const struct addr *from, struct addr *out);
/* True if namespaces, namespace selector or service selector are set. */
bool pool_is_bound(const struct pool *pool);

#endif
