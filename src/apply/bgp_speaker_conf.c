/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_conf: a BgpPeer and the global settings, made into the settings
 * of one session, or the reason why there can be none.
 */
#include "apply/bgp_speaker_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/denied.h"

enum {
	RESTART_DEFAULT_S = 120,
	RESTART_MAX_S = 4095, /* 12 bits on the wire */
	TTL_MAX = 255,
	TTL_IBGP = 64,
};

/* An EOL at the end of the file is not part of the password. */
static int
read_line(int fd, char buf[SOCK_PASSWORD_MAX + 3])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	n = read(fd, buf, SOCK_PASSWORD_MAX + 2);
	if (n < 0)
		return -errno;
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	buf[n] = '\0';
	if (!n || strlen(buf) != (size_t)n)
		return -ENODATA;
	return n > SOCK_PASSWORD_MAX ? -EMSGSIZE : 0;
}

bool
speaker_password_read(const char *path, char **out,
    char text[SPEAKER_MESSAGE_B])
{
	char buf[SOCK_PASSWORD_MAX + 3];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int rc = fd < 0 ? -errno : read_line(fd, buf);

	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		*out = mem_strdup(buf);
		explicit_bzero(buf, sizeof(buf));
		return true;
	}
	explicit_bzero(buf, sizeof(buf));
	snprintf(text, SPEAKER_MESSAGE_B, "authPasswordFile %s: %s%s", path,
	    rc == -ENODATA	  ? "it is empty or binary"
		: rc == -EMSGSIZE ? "longer than 80 characters"
		: rc == -EINVAL	  ? "not a regular file"
				  : strerror(-rc),
	    denied_reading(rc, path));
	return false;
}

static void
resolve_password(const struct bgp_peer *peer, struct speaker_peer_conf *out,
    char blocked[SPEAKER_MESSAGE_B])
{
	if (peer->password_file && *peer->password_file) {
		out->password_file = mem_strdup(peer->password_file);
		out->awaits_password =
		    !speaker_password_read(out->password_file, &out->password,
			blocked);
		return;
	}
	if (!peer->password || !*peer->password)
		return;
	out->password = mem_strdup(peer->password);
	if (strlen(peer->password) > SOCK_PASSWORD_MAX)
		snprintf(blocked, SPEAKER_MESSAGE_B,
		    "authPassword is longer than 80 characters");
}

static void
resolve_ttl(const struct bgp_peer *peer, struct speaker_peer_conf *out)
{
	uint8_t hops = peer->multihop_ttl ? peer->multihop_ttl : 1;

	if (peer->ttl_security) {
		out->ttl = TTL_MAX;
		out->min_ttl = (uint8_t)(TTL_MAX - hops + 1);
	} else if (out->local_as == out->peer_as && !peer->multihop_ttl) {
		out->ttl = TTL_IBGP;
	} else {
		out->ttl = hops;
	}
}

static void
resolve_graceful_restart(const struct bgp_global *global,
    const struct bgp_peer *peer, struct speaker_peer_conf *out)
{
	const struct bgp_graceful_restart *gr = peer->graceful_restart.is_set
	    ? &peer->graceful_restart
	    : &global->graceful_restart;
	uint16_t restart_s = gr->is_set && gr->restart_time_s
	    ? gr->restart_time_s
	    : RESTART_DEFAULT_S;

	out->graceful_restart = !gr->is_set || gr->is_enabled;
	out->restart_s = MIN(restart_s, RESTART_MAX_S);
}

/* The first address found is kept: a session must not flap because another
 * one was added. */
struct addr
bgp_speaker_router_id(struct bgp_speaker *sp)
{
	if (addr_is_set(&sp->global.router_id))
		return sp->global.router_id;
	if (!addr_is_set(&sp->auto_router_id) &&
	    !sock_first_ipv4(&sp->auto_router_id))
		return (struct addr){ 0 };
	return sp->auto_router_id;
}

static const char *
missing(const struct speaker_peer_conf *conf)
{
	if (!addr_is_set(&conf->address))
		return "no address: set spec.conf.neighborAddress";
	if (!conf->local_as)
		return "no local AS known: set spec.as of the BgpConf named "
		       "default, bgp.as in eipd.conf, or spec.conf.localAs of "
		       "this peer";
	if (!conf->peer_as)
		return "no peer AS: set spec.conf.peerAs";
	if (conf->router_id.family != FAMILY_IPV4)
		return "no router id: this machine has no IPv4 address, set "
		       "spec.routerId of the BgpConf named default or "
		       "bgp.router-id in eipd.conf";
	if (!conf->families)
		return "no address family: enable one in spec.afiSafis";
	if (conf->address.family == FAMILY_IPV6 &&
	    addr_is_link_local(&conf->address) && !conf->interface)
		return "a link-local neighborAddress needs "
		       "spec.transport.bindInterface";
	if (conf->hold_s < 3)
		return "hold time must be 3 s or more";
	return NULL;
}

void
speaker_peer_resolve(struct bgp_speaker *sp, const struct bgp_peer *peer,
    struct speaker_peer_conf *out, char blocked[SPEAKER_MESSAGE_B])
{
	const char *why;

	blocked[0] = '\0';
	*out = (struct speaker_peer_conf){
		.address = peer->address,
		.peer_as = peer->peer_as,
		.local_as = peer->local_as ? peer->local_as : sp->global.as,
		.router_id = bgp_speaker_router_id(sp),
		.interface = mem_strdup(peer->bind_interface),
		.is_cni = peer->is_cni,
		.is_admin_down = peer->is_admin_down,
		.is_passive = peer->is_passive,
		.remote_port = peer->remote_port ? peer->remote_port : BGP_PORT,
		.hold_s =
		    peer->hold_time_s ? peer->hold_time_s : BGP_HOLD_DEFAULT_S,
		.keepalive_s = peer->keepalive_s,
		.connect_retry_s = peer->connect_retry_s ? peer->connect_retry_s
							 : BGP_RETRY_DEFAULT_S,
		.local_address = peer->local_address,
		.next_hop_ipv6 = peer->next_hop_ipv6,
		.families = (peer->ipv4_unicast ? BGP_FAMILY(FAMILY_IPV4) : 0) |
		    (peer->ipv6_unicast ? BGP_FAMILY(FAMILY_IPV6) : 0),
	};
	resolve_ttl(peer, out);
	resolve_graceful_restart(&sp->global, peer, out);
	why = missing(out);
	if (why)
		snprintf(blocked, SPEAKER_MESSAGE_B, "%s", why);
	else
		resolve_password(peer, out, blocked);
}

/* Passive, connect retry, next hop and adminDown change without one. */
bool
speaker_peer_conf_needs_restart(const struct speaker_peer_conf *a,
    const struct speaker_peer_conf *b)
{
	return !addr_eq(&a->address, &b->address) || a->peer_as != b->peer_as ||
	    a->local_as != b->local_as ||
	    !addr_eq(&a->router_id, &b->router_id) ||
	    !str_eq(a->password, b->password) ||
	    !str_eq(a->interface, b->interface) ||
	    a->remote_port != b->remote_port || a->hold_s != b->hold_s ||
	    a->keepalive_s != b->keepalive_s ||
	    !addr_eq(&a->local_address, &b->local_address) ||
	    a->ttl != b->ttl || a->min_ttl != b->min_ttl ||
	    a->families != b->families ||
	    a->graceful_restart != b->graceful_restart ||
	    a->restart_s != b->restart_s;
}

void
speaker_peer_conf_fini(struct speaker_peer_conf *conf)
{
	if (conf->password)
		explicit_bzero(conf->password, strlen(conf->password));
	free(conf->password);
	free(conf->password_file);
	free(conf->interface);
	*conf = (struct speaker_peer_conf){ 0 };
}
