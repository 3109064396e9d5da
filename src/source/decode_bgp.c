/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_bgp: BgpConf and BgpPeer, shaped after gobgp's messages in v1alpha2
 * and flat in v1alpha1. */
#include <errno.h>
#include <string.h>

#include "base/mono.h"
#include "base/str.h"
#include "model/bgp.h"
#include "source/decode_util.h"

enum {
	LISTEN_MAX = 16,
	HOLD_TIME_MIN_S = 3,
	TTL_MAX = 255
};

static int
read_graceful_restart(struct decoder *d, const struct tree *spec,
    struct bgp_graceful_restart *out)
{
	static const char *const known[] = { "enabled", "restartTime",
		"helperOnly", "deferralTime", "notificationEnabled",
		"longlivedEnabled", "staleRoutesTime", "peerRestartTime",
		"peerRestarting", "localRestarting", "mode" };
	const struct tree *map = NULL;
	uint32_t restart_s = 0;

	if (dec_map(d, spec, "gracefulRestart", &map) < 0)
		return -EINVAL;
	if (!map)
		return 0;
	if (dec_known(d, map, known) < 0 ||
	    dec_bool(d, map, "enabled", &out->is_enabled) < 0 ||
	    dec_u32(d, map, "restartTime", &restart_s) < 0)
		return -EINVAL;
	/* RFC 4724: 12 bits */
	if (restart_s > 4095)
		return tree_err(tree_get(map, "restartTime"), d->err,
		    "restartTime: at most 4095 seconds");
	out->is_set = true;
	out->restart_time_s = (uint16_t)restart_s;
	return 0;
}

/* The first of two spellings that is there. */
static const char *
spelling(const struct tree *map, const char *now, const char *then)
{
	return tree_get(map, now) ? now : then;
}

static int
read_listen(struct decoder *d, const struct tree *spec, struct bgp_conf *c)
{
	const struct tree *seq = NULL;
	struct addr *v;
	char shown[80];

	if (dec_u16(d, spec, spelling(spec, "listenPort", "port"),
		&c->listen_port) < 0 ||
	    dec_seq(d, spec, "listenAddresses", &seq) < 0)
		return -EINVAL;
	if (!seq)
		return 0;
	if (seq->n > LISTEN_MAX)
		return tree_err(seq, d->err, "listenAddresses: more than %d",
		    LISTEN_MAX);
	v = dec_array(d, struct addr, seq->n);
	c->listen_addresses = v;
	for (const struct tree *t = seq->first; t; t = t->next) {
		if (t->kind != TREE_SCALAR ||
		    addr_parse(t->text, &v[c->n_listen_addresses]) < 0)
			return tree_err(t, d->err,
			    "listenAddresses: expected an address, found %s",
			    tree_show(t, shown));
		c->n_listen_addresses++;
	}
	return 0;
}

int
decode_bgp_conf(struct decoder *d, const struct tree *t, void *out)
{
	static const char *const known[] = { "as", "asPerRack", "routerId",
		"routerID", "listenPort", "port", "listenAddresses", "families",
		"useMultiplePaths", "gracefulRestart", "policy" };
	const struct tree *spec = NULL;
	struct bgp_conf *c = out;
	const char *key;

	if (dec_map(d, t, "spec", &spec) < 0)
		return -EINVAL;
	if (!spec)
		return tree_err(t, d->err, "spec: missing");
	c->is_cni = dec_is_cni(d);
	key = spelling(spec, "routerId", "routerID");
	if (dec_known(d, spec, known) < 0 ||
	    dec_asn(d, spec, "as", &c->as) < 0 ||
	    dec_addr(d, spec, key, &c->router_id) < 0 ||
	    read_listen(d, spec, c) < 0)
		return -EINVAL;
	if (addr_is_set(&c->router_id) &&
	    (c->router_id.family != FAMILY_IPV4 ||
		addr_is_unspecified(&c->router_id)))
		return tree_err(tree_get(spec, key), d->err,
		    "%s: expected an IPv4 address other than 0.0.0.0", key);
	return read_graceful_restart(d, spec, &c->graceful_restart);
}

static int
copy_string(struct decoder *d, const struct tree *map, const char *key,
    const char **out)
{
	const char *s = "";

	if (dec_string(d, map, key, &s) < 0)
		return -EINVAL;
	*out = *s ? dec_strdup(d, s) : NULL;
	return 0;
}

static int
read_conf(struct decoder *d, const struct tree *spec, struct bgp_peer *p)
{
	static const char *const known[] = { "neighborAddress", "peerAs",
		"localAs", "authPassword", "authPasswordFile", "description",
		"peerGroup", "peerType", "removePrivateAs", "routeFlapDamping",
		"sendCommunity", "neighborInterface", "vrf", "allowOwnAs",
		"replacePeerAs", "adminDown" };
	const struct tree *conf = NULL;

	if (dec_map(d, spec, spelling(spec, "conf", "config"), &conf) < 0)
		return -EINVAL;
	if (!conf)
		return tree_err(spec, d->err, "spec.conf: missing");
	if (dec_known(d, conf, known) < 0 ||
	    dec_addr(d, conf, "neighborAddress", &p->address) < 0 ||
	    dec_asn(d, conf, "peerAs", &p->peer_as) < 0 ||
	    dec_asn(d, conf, "localAs", &p->local_as) < 0 ||
	    copy_string(d, conf, "authPassword", &p->password) < 0 ||
	    copy_string(d, conf, "authPasswordFile", &p->password_file) < 0 ||
	    copy_string(d, conf, "description", &p->description) < 0 ||
	    dec_bool(d, conf, "adminDown", &p->is_admin_down) < 0)
		return -EINVAL;
	if (!addr_is_set(&p->address) || addr_is_unspecified(&p->address))
		return tree_err(conf, d->err,
		    "neighborAddress: missing; it is the peer's address");
	if (p->peer_as == 0)
		return tree_err(conf, d->err,
		    "peerAs: missing; it is the peer's AS number");
	if (p->password && p->password_file)
		return tree_err(tree_get(conf, "authPasswordFile"), d->err,
		    "authPasswordFile: authPassword is given as well; remove one");
	return 0;
}

/* Seconds, as a number or, as gobgp has it, as a string. */
static int
read_seconds(struct decoder *d, const struct tree *map, const char *key,
    uint16_t *out)
{
	const struct tree *t = tree_get(map, key);
	char shown[80];
	int64_t us;
	uint64_t v;

	if (!t || (t->kind == TREE_SCALAR && !*t->text))
		return 0;
	if (t->kind == TREE_SCALAR &&
	    str_to_u64(t->text, UINT16_MAX, &v) == 0) {
		*out = (uint16_t)v;
		return 0;
	}
	if (t->kind == TREE_SCALAR && str_to_duration(t->text, &us) == 0 &&
	    us % MONO_S == 0 && us / MONO_S <= UINT16_MAX) {
		*out = (uint16_t)(us / MONO_S);
		return 0;
	}
	return tree_err(t, d->err,
	    "%s: expected seconds from 0 to 65535, found %s", key,
	    tree_show(t, shown));
}

static int
read_timers(struct decoder *d, const struct tree *spec, struct bgp_peer *p)
{
	static const char *const known[] = { "config", "state" };
	static const char *const known_config[] = { "connectRetry", "holdTime",
		"keepaliveInterval", "minimumAdvertisementInterval" };
	const struct tree *timers = NULL;
	const struct tree *config = NULL;

	if (dec_map(d, spec, "timers", &timers) < 0)
		return -EINVAL;
	if (!timers)
		return 0;
	if (dec_known(d, timers, known) < 0 ||
	    dec_map(d, timers, "config", &config) < 0)
		return -EINVAL;
	if (!config)
		return 0;
	if (dec_known(d, config, known_config) < 0 ||
	    read_seconds(d, config, "connectRetry", &p->connect_retry_s) < 0 ||
	    read_seconds(d, config, "holdTime", &p->hold_time_s) < 0 ||
	    read_seconds(d, config, "keepaliveInterval", &p->keepalive_s) < 0)
		return -EINVAL;
	if (p->hold_time_s && p->hold_time_s < HOLD_TIME_MIN_S)
		return tree_err(tree_get(config, "holdTime"), d->err,
		    "holdTime: at least %d seconds", HOLD_TIME_MIN_S);
	if (p->hold_time_s && p->keepalive_s >= p->hold_time_s)
		return tree_err(tree_get(config, "keepaliveInterval"), d->err,
		    "keepaliveInterval: must be shorter than holdTime");
	return 0;
}

static int
read_transport(struct decoder *d, const struct tree *spec, struct bgp_peer *p)
{
	static const char *const known[] = { "mtuDiscovery", "passiveMode",
		"remoteAddress", "remotePort", "tcpMss", "localAddress",
		"bindInterface", "nextHopIPv6", "ttlSecurity" };
	const struct tree *map = NULL;
	char text[ADDR_TEXT_B];

	if (dec_map(d, spec, "transport", &map) < 0)
		return -EINVAL;
	if (!map)
		return 0;
	if (dec_known(d, map, known) < 0 ||
	    dec_bool(d, map, "passiveMode", &p->is_passive) < 0 ||
	    dec_u16(d, map, "remotePort", &p->remote_port) < 0 ||
	    dec_addr(d, map, "localAddress", &p->local_address) < 0 ||
	    copy_string(d, map, "bindInterface", &p->bind_interface) < 0 ||
	    dec_addr(d, map, "nextHopIPv6", &p->next_hop_ipv6) < 0 ||
	    dec_bool(d, map, "ttlSecurity", &p->ttl_security) < 0)
		return -EINVAL;
	if (addr_is_set(&p->local_address) &&
	    p->local_address.family != p->address.family)
		return tree_err(tree_get(map, "localAddress"), d->err,
		    "localAddress: must be of the family of the peer's address %s",
		    addr_text(&p->address, text));
	if (addr_is_set(&p->next_hop_ipv6) &&
	    p->next_hop_ipv6.family != FAMILY_IPV6)
		return tree_err(tree_get(map, "nextHopIPv6"), d->err,
		    "nextHopIPv6: expected an IPv6 address");
	return 0;
}

static int
read_multihop(struct decoder *d, const struct tree *spec, struct bgp_peer *p)
{
	static const char *const known[] = { "enabled", "multihopTtl" };
	const struct tree *map = NULL;
	bool is_enabled = false;
	uint32_t ttl = 0;

	if (dec_map(d, spec, "ebgpMultihop", &map) < 0)
		return -EINVAL;
	if (!map)
		return 0;
	if (dec_known(d, map, known) < 0 ||
	    dec_bool(d, map, "enabled", &is_enabled) < 0 ||
	    dec_u32(d, map, "multihopTtl", &ttl) < 0)
		return -EINVAL;
	if (ttl > TTL_MAX)
		return tree_err(tree_get(map, "multihopTtl"), d->err,
		    "multihopTtl: expected a number up to 255");
	if (!is_enabled)
		return 0;
	p->multihop_ttl = (uint8_t)(ttl ? ttl : TTL_MAX);
	if (p->ttl_security)
		return tree_err(map, d->err,
		    "ebgpMultihop: transport.ttlSecurity is for directly connected peers; remove one");
	return 0;
}

static void
use_own_family(struct bgp_peer *p)
{
	if (p->address.family == FAMILY_IPV4)
		p->ipv4_unicast = true;
	else
		p->ipv6_unicast = true;
}

/* An entry without `config` means the neighbour's own family. */
static int
read_family(struct decoder *d, const struct tree *entry, struct bgp_peer *p)
{
	static const char *const known[] = { "config", "mpGracefulRestart",
		"addPaths", "state", "applyPolicy", "routeSelectionOptions",
		"useMultiplePaths", "prefixLimits", "routeTargetMembership",
		"longLivedGracefulRestart" };
	static const char *const known_config[] = { "family", "enabled" };
	static const char *const known_family[] = { "afi", "safi" };
	const struct tree *config = NULL;
	const struct tree *family = NULL;
	const char *afi = "";
	const char *safi = "SAFI_UNICAST";
	bool is_enabled = true;

	if (dec_known(d, entry, known) < 0 ||
	    dec_map(d, entry, "config", &config) < 0)
		return -EINVAL;
	if (config &&
	    (dec_known(d, config, known_config) < 0 ||
		dec_map(d, config, "family", &family) < 0 ||
		dec_bool(d, config, "enabled", &is_enabled) < 0))
		return -EINVAL;
	if (family &&
	    (dec_known(d, family, known_family) < 0 ||
		dec_string(d, family, "afi", &afi) < 0 ||
		dec_string(d, family, "safi", &safi) < 0))
		return -EINVAL;
	if (!is_enabled)
		return 0;
	if (!family)
		use_own_family(p);
	else if (strcmp(safi, "SAFI_UNICAST") != 0)
		return tree_err(family, d->err,
		    "safi: expected SAFI_UNICAST; eipd announces nothing else");
	else if (strcmp(afi, "AFI_IP") == 0)
		p->ipv4_unicast = true;
	else if (strcmp(afi, "AFI_IP6") == 0)
		p->ipv6_unicast = true;
	else
		return tree_err(family, d->err,
		    "afi: expected AFI_IP or AFI_IP6");
	return 0;
}

static int
read_families(struct decoder *d, const struct tree *spec, struct bgp_peer *p)
{
	const struct tree *seq = NULL;

	if (dec_seq(d, spec, "afiSafis", &seq) < 0)
		return -EINVAL;
	for (const struct tree *t = seq ? seq->first : NULL; t; t = t->next) {
		if (read_family(d, t, p) < 0)
			return -EINVAL;
	}
	if (!p->ipv4_unicast && !p->ipv6_unicast)
		use_own_family(p);
	return 0;
}

/* Names that are taken for later versions. */
static int
check_unsupported(struct decoder *d, const struct tree *spec)
{
	static const char *const later[] = { "portForward", "bfd",
		"maxPrefixes", "export" };

	if (d->mode == DECODE_API)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		const struct tree *t = tree_get(spec, later[i]);

		if (t)
			return err_at(d->err, -EINVAL, t->key_line,
			    t->key_column,
			    "%s: not supported by this version; leave it out",
			    later[i]);
	}
	return 0;
}

int
decode_bgp_peer(struct decoder *d, const struct tree *t, void *out)
{
	static const char *const known[] = { "conf", "config", "ebgpMultihop",
		"timers", "transport", "gracefulRestart", "afiSafis",
		"nodeSelector", "addPaths", "usingPortForward", "portForward",
		"bfd", "maxPrefixes", "export" };
	const struct tree *spec = NULL;
	struct bgp_peer *p = out;

	if (dec_map(d, t, "spec", &spec) < 0)
		return -EINVAL;
	if (!spec)
		return tree_err(t, d->err, "spec: missing");
	p->is_cni = dec_is_cni(d);
	if (dec_known(d, spec, known) < 0 || check_unsupported(d, spec) < 0 ||
	    read_conf(d, spec, p) < 0 || read_timers(d, spec, p) < 0 ||
	    read_transport(d, spec, p) < 0 || read_multihop(d, spec, p) < 0 ||
	    read_families(d, spec, p) < 0)
		return -EINVAL;
	return read_graceful_restart(d, spec, &p->graceful_restart);
}
