/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service: Services, EndpointSlices, Nodes and Namespaces, reduced to what
 * decisions need.  Fields are named after the Kubernetes API.
 */
#ifndef EIPD_MODEL_SERVICE_H
#define EIPD_MODEL_SERVICE_H

#include <stdint.h>

#include "base/addr.h"
#include "model/object.h"

/* Where packets go: interface.md, eipd.conf `forwarding`.  UNSET inherits:
 * Service, then pool, then eipd.conf. */
enum forward_backends {
	FORWARD_BACKENDS_UNSET,
	FORWARD_BACKENDS_NODEPORT,
	FORWARD_BACKENDS_NODE,
	FORWARD_BACKENDS_ENDPOINT,
};

enum forward_source {
	FORWARD_SOURCE_UNSET,
	FORWARD_SOURCE_MASQUERADE,
	FORWARD_SOURCE_PRESERVE,
};

enum forward_no_backends {
	FORWARD_NO_BACKENDS_UNSET,
	FORWARD_NO_BACKENDS_REFUSE,
	FORWARD_NO_BACKENDS_WITHDRAW,
};

struct forwarding {
	enum forward_backends backends;
	enum forward_source source;
	enum forward_no_backends no_backends;
};

/* The unset fields of `f` taken from `fallback`. */
struct forwarding forwarding_or(struct forwarding f,
    struct forwarding fallback);

/* IANA numbers, as nftables wants them. */
enum ip_protocol {
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_SCTP = 132,
};

const char *ip_protocol_name(uint8_t protocol); /* "TCP", "UDP", "SCTP" */

struct service_port {
	const char *name; /* "" if unnamed */
	uint8_t protocol; /* enum ip_protocol */
	uint16_t port;
	uint16_t node_port; /* 0: none allocated */
};

enum ip_mode {
	IP_MODE_NONE, /* ipMode absent */
	IP_MODE_VIP,
	IP_MODE_PROXY,
};

struct ingress {
	struct addr addr;
	enum ip_mode ip_mode;
};

/* What the kernel has forwarded since the Service got an address. */
struct service_totals {
	uint64_t packets; /* both ways */
	uint64_t bytes; /* with IP headers */
	uint64_t connections;
};

enum ip_family_policy {
	IP_FAMILY_SINGLE_STACK,
	IP_FAMILY_PREFER_DUAL_STACK,
	IP_FAMILY_REQUIRE_DUAL_STACK,
};

enum {
	SERVICE_FAMILIES_MAX = 2
};

struct service {
	struct object o;
	bool is_load_balancer; /* spec.type */
	bool is_headless; /* spec.clusterIP: None */
	const char *lb_class; /* NULL: none */
	bool is_marked; /* annotation lb.kubesphere.io/v1alpha1 is ours */

	/* Of the annotations and spec.loadBalancerIP; precedence is settled
	 * by the decoder, `*_from` names the winner for messages. */
	const char *pool; /* NULL: any */
	const char *pool_from;
	struct addr wanted[SERVICE_FAMILIES_MAX];
	size_t n_wanted;
	const char *wanted_from;
	const char *protocol; /* pool protocol asked for, NULL: any */
	const char *share_key; /* NULL: none */
	/* An annotation that cannot be understood: the Service is refused
	 * with this text.  NULL: all fine. */
	const char *invalid;
	/* A field that would be unsafe to ignore and is not carried out: the
	 * Service gets no address, with this text.  NULL: none. */
	const char *unsupported;
	/* An annotation of ours that this version does not know: served
	 * without it, with this text as a warning.  NULL: none. */
	const char *unknown;

	struct forwarding forwarding;
	struct labels labels;
	const struct service_port *ports;
	size_t n_ports;
	bool is_local; /* externalTrafficPolicy: Local */
	uint16_t health_check_node_port;
	enum family families[SERVICE_FAMILIES_MAX]; /* primary first */
	size_t n_families; /* 0: not given (files): from the pools */
	enum ip_family_policy family_policy;

	/* status.loadBalancer.ingress as the API server has it. */
	const struct ingress *ingress;
	size_t n_ingress;
	bool has_foreign_ingress; /* hostname or unreadable entries */
};

struct endpoint {
	struct addr addr; /* before the others: there are many endpoints */
	bool is_ready;
	bool is_serving;
	bool is_terminating;
	const char *node; /* NULL: unknown */
};

struct slice_port {
	const char *name;
	uint8_t protocol;
	uint16_t port;
};

/* EndpointSlice. */
struct slice {
	struct object o;
	const char *service; /* label kubernetes.io/service-name; "": none */
	enum family family;
	const struct slice_port *ports;
	size_t n_ports;
	const struct endpoint *endpoints;
	size_t n_endpoints;
};

struct node {
	struct object o;
	/* First InternalIP of each family; family NONE: it has none. */
	struct addr ipv4;
	struct addr ipv6;
	bool is_ready; /* condition Ready is True */
	bool is_network_unavailable;
	bool is_excluded; /* exclude-from-external-load-balancers */
	bool is_to_be_deleted; /* taint ToBeDeletedByClusterAutoscaler */
	struct labels labels;
};

struct namespace
{
	struct object o;
	struct labels labels;
};

/* True if both would lead to the same decisions (resourceVersion, managed
 * fields, heartbeats and the like do not count). */
bool service_same(const struct service *a, const struct service *b);
bool slice_same(const struct slice *a, const struct slice *b);
bool node_same(const struct node *a, const struct node *b);
bool namespace_same(const struct namespace *a, const struct namespace *b);

#endif
