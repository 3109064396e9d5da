/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/share.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct service *
holder(const struct world *world, const struct lease *lease)
{
	return (const struct service *)world_get(world, OBJECT_SERVICE,
	    lease->cluster, lease->ns, lease->name);
}

static const struct service_port *
clashing_port(const struct service *a, const struct service *b)
{
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t j = 0; j < b->n_ports; j++)
			if (a->ports[i].port == b->ports[j].port &&
			    a->ports[i].protocol == b->ports[j].protocol)
				return &a->ports[i];
	return NULL;
}

static bool
asks_for(const struct service *s, const struct addr *addr)
{
	for (size_t i = 0; i < s->n_wanted; i++)
		if (addr_eq(&s->wanted[i], addr))
			return true;
	return false;
}

bool
share_has_key(const struct world *world, const struct lease *lease,
    const char *key)
{
	const struct service *other = holder(world, lease);

	return other && other->share_key && strcmp(other->share_key, key) == 0;
}

bool
share_allowed(const struct world *world, const struct service *service,
    const struct lease *held, char *why, size_t why_b)
{
	const struct service *other = holder(world, held);
	const struct service_port *clash;
	bool same_key;
	bool both_ask;

	if (!other) {
		snprintf(why, why_b, "held by %s/%s", held->ns, held->name);
		return false;
	}
	same_key =
	    service->share_key && str_eq(service->share_key, other->share_key);
	both_ask = strcmp(service->o.ns, other->o.ns) == 0 &&
	    strcmp(service->o.cluster, other->o.cluster) == 0 &&
	    asks_for(service, &held->address) &&
	    asks_for(other, &held->address);
	if (!same_key && !both_ask) {
		snprintf(why, why_b,
		    "held by %s/%s; to share it both must ask for it in one "
		    "namespace or carry the same eipd.io/share",
		    held->ns, held->name);
		return false;
	}
	clash = clashing_port(service, other);
	if (clash) {
		snprintf(why, why_b,
		    "held by %s/%s, which also uses %s port %u", held->ns,
		    held->name, ip_protocol_name(clash->protocol), clash->port);
		return false;
	}
	return true;
}

bool
share_same_terms(const struct service *a, const struct service *b)
{
	if (!str_eq(a->share_key, b->share_key) || a->n_wanted != b->n_wanted ||
	    a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_wanted; i++)
		if (!addr_eq(&a->wanted[i], &b->wanted[i]))
			return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].port != b->ports[i].port ||
		    a->ports[i].protocol != b->ports[i].protocol)
			return false;
	return true;
}
