/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service: which changes of a Service, slice, node or namespace matter.
 *
 * The API server sends an object again whenever anything about it changes; a
 * comparison here saves a planning pass.
 */
#include "model/service.h"

#include "base/str.h"

struct forwarding
forwarding_or(struct forwarding f, struct forwarding fallback)
{
	if (f.backends == FORWARD_BACKENDS_UNSET)
		f.backends = fallback.backends;
	if (f.source == FORWARD_SOURCE_UNSET)
		f.source = fallback.source;
	if (f.no_backends == FORWARD_NO_BACKENDS_UNSET)
		f.no_backends = fallback.no_backends;
	return f;
}

const char *
ip_protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IP_PROTOCOL_TCP:
		return "TCP";
	case IP_PROTOCOL_UDP:
		return "UDP";
	case IP_PROTOCOL_SCTP:
		return "SCTP";
	default:
		return "unknown";
	}
}

static bool
objects_same(const struct object *a, const struct object *b)
{
	return str_eq(a->cluster, b->cluster) && str_eq(a->ns, b->ns) &&
	    str_eq(a->name, b->name) && str_eq(a->uid, b->uid) &&
	    a->is_deleting == b->is_deleting;
}

static bool
labels_same(const struct labels *a, const struct labels *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->v[i].key, b->v[i].key) ||
		    !str_eq(a->v[i].value, b->v[i].value))
			return false;
	}
	return true;
}

static bool
service_ports_same(const struct service *a, const struct service *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++) {
		const struct service_port *p = &a->ports[i];
		const struct service_port *q = &b->ports[i];

		if (!str_eq(p->name, q->name) || p->protocol != q->protocol ||
		    p->port != q->port || p->node_port != q->node_port)
			return false;
	}
	return true;
}

static bool
ingress_same(const struct service *a, const struct service *b)
{
	if (a->n_ingress != b->n_ingress ||
	    a->has_foreign_ingress != b->has_foreign_ingress)
		return false;
	for (size_t i = 0; i < a->n_ingress; i++) {
		if (!addr_eq(&a->ingress[i].addr, &b->ingress[i].addr) ||
		    a->ingress[i].ip_mode != b->ingress[i].ip_mode)
			return false;
	}
	return true;
}

/* What annotations and spec ask of the allocation. */
static bool
wishes_same(const struct service *a, const struct service *b)
{
	if (a->n_wanted != b->n_wanted || a->n_families != b->n_families ||
	    a->family_policy != b->family_policy)
		return false;
	for (size_t i = 0; i < a->n_wanted; i++) {
		if (!addr_eq(&a->wanted[i], &b->wanted[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_families; i++) {
		if (a->families[i] != b->families[i])
			return false;
	}
	return str_eq(a->pool, b->pool) && str_eq(a->pool_from, b->pool_from) &&
	    str_eq(a->wanted_from, b->wanted_from) &&
	    str_eq(a->protocol, b->protocol) &&
	    str_eq(a->share_key, b->share_key) &&
	    str_eq(a->invalid, b->invalid) &&
	    str_eq(a->unsupported, b->unsupported);
}

bool
service_same(const struct service *a, const struct service *b)
{
	return objects_same(&a->o, &b->o) &&
	    a->is_load_balancer == b->is_load_balancer &&
	    a->is_headless == b->is_headless &&
	    str_eq(a->lb_class, b->lb_class) && a->is_marked == b->is_marked &&
	    wishes_same(a, b) &&
	    a->forwarding.backends == b->forwarding.backends &&
	    a->forwarding.source == b->forwarding.source &&
	    a->forwarding.no_backends == b->forwarding.no_backends &&
	    labels_same(&a->labels, &b->labels) && service_ports_same(a, b) &&
	    a->is_local == b->is_local &&
	    a->health_check_node_port == b->health_check_node_port &&
	    ingress_same(a, b);
}

static bool
slice_ports_same(const struct slice *a, const struct slice *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++) {
		if (!str_eq(a->ports[i].name, b->ports[i].name) ||
		    a->ports[i].protocol != b->ports[i].protocol ||
		    a->ports[i].port != b->ports[i].port)
			return false;
	}
	return true;
}

static bool
endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return addr_eq(&a->addr, &b->addr) && str_eq(a->node, b->node) &&
	    a->is_ready == b->is_ready && a->is_serving == b->is_serving &&
	    a->is_terminating == b->is_terminating;
}

bool
slice_same(const struct slice *a, const struct slice *b)
{
	if (!objects_same(&a->o, &b->o) || !str_eq(a->service, b->service) ||
	    a->family != b->family || a->n_endpoints != b->n_endpoints ||
	    !slice_ports_same(a, b))
		return false;
	for (size_t i = 0; i < a->n_endpoints; i++) {
		if (!endpoint_same(&a->endpoints[i], &b->endpoints[i]))
			return false;
	}
	return true;
}

bool
node_same(const struct node *a, const struct node *b)
{
	return objects_same(&a->o, &b->o) && addr_eq(&a->ipv4, &b->ipv4) &&
	    addr_eq(&a->ipv6, &b->ipv6) && a->is_ready == b->is_ready &&
	    a->is_network_unavailable == b->is_network_unavailable &&
	    a->is_excluded == b->is_excluded &&
	    a->is_to_be_deleted == b->is_to_be_deleted &&
	    labels_same(&a->labels, &b->labels);
}

bool
namespace_same(const struct namespace *a, const struct namespace *b)
{
	return objects_same(&a->o, &b->o) &&
	    labels_same(&a->labels, &b->labels);
}
