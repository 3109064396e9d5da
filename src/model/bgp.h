/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp: BgpConf and BgpPeer objects (network.kubesphere.io), and what is seen
 * of sessions and routes.
 */
#ifndef EIPD_MODEL_BGP_H
#define EIPD_MODEL_BGP_H

#include <stdint.h>

#include "base/addr.h"
#include "base/mono.h"
#include "model/object.h"

enum {
	BGP_PORT = 179,
	BGP_HOLD_DEFAULT_S = 90,
	BGP_RETRY_DEFAULT_S = 5,
};

struct bgp_graceful_restart {
	bool is_set;
	bool is_enabled;
	uint16_t restart_time_s; /* 0: default, 120 */
};

struct bgp_conf {
	struct object o;
	uint32_t as; /* 0: not set */
	struct addr router_id; /* FAMILY_NONE: not set */
	uint16_t listen_port; /* 0: not set */
	const struct addr *listen_addresses;
	size_t n_listen_addresses;
	struct bgp_graceful_restart graceful_restart;
	bool is_cni; /* label cni: left to the CNI */
};

struct bgp_peer {
	struct object o;
	struct addr address; /* spec.conf.neighborAddress */
	uint32_t peer_as;
	uint32_t local_as; /* 0: the BgpConf's */
	const char *password; /* NULL: none; never logged or shown */
	const char *password_file; /* NULL: none */
	const char *description;
	bool is_admin_down;
	bool is_passive;
	uint16_t remote_port; /* 0: 179 */
	uint16_t hold_time_s; /* 0: default, 90 */
	uint16_t keepalive_s; /* 0: a third of hold time */
	uint16_t connect_retry_s; /* 0: default */
	struct addr local_address; /* FAMILY_NONE: the kernel's choice */
	const char *bind_interface; /* NULL: none */
	struct addr next_hop_ipv6; /* FAMILY_NONE: none */
	bool ttl_security;
	uint8_t multihop_ttl; /* 0: directly connected */
	bool ipv4_unicast; /* families to negotiate */
	bool ipv6_unicast;
	struct bgp_graceful_restart graceful_restart;
	bool is_cni; /* label cni: left to the CNI */
};

/* RFC 4271, 8.2.2. */
enum bgp_state {
	BGP_STATE_IDLE,
	BGP_STATE_CONNECT,
	BGP_STATE_ACTIVE,
	BGP_STATE_OPEN_SENT,
	BGP_STATE_OPEN_CONFIRM,
	BGP_STATE_ESTABLISHED,
	BGP_STATE__COUNT,
};

const char *bgp_state_name(enum bgp_state state); /* "Idle", "OpenSent" */

/* One session as `eipctl get peers` and the metrics show it. */
struct peer_status {
	const char *name; /* borrowed, as are all strings here */
	struct addr address;
	uint32_t asn;
	enum bgp_state state;
	mono_t since;
	wall_t since_wall; /* the same moment, for what is stored */
	uint64_t advertised; /* prefixes in its Adj-RIB-Out that were sent */
	const char *last_error; /* "" if none */
	const char *message; /* what the user should know or do; "" if none */
	const char *const *capabilities; /* negotiated, as text */
	size_t n_capabilities;
	uint64_t updates_in, updates_out;
	uint64_t notifications_in, notifications_out;
	bool is_end_of_rib_sent;
	bool is_off; /* as its object wants it: adminDown, or the label cni */
	/* Established only. */
	uint32_t peer_id; /* its router id */
	uint16_t hold_time_s; /* as agreed */
};

/* One entry of an Adj-RIB-Out. */
struct route_status {
	const char *peer;
	struct prefix prefix;
	struct addr next_hop;
	uint32_t local_as; /* first of AS_PATH, 0: empty path (iBGP) */
	bool has_local_pref;
	uint32_t local_pref;
};

#endif
