/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 64,
	TOS_CS6 = 0xc0, /* network control */
	TTL_MAX = 255,
	/* A peer that takes nothing for so long is stuck (RFC 9687). */
	STUCK_MS = 8 * 60 * 1000,
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
};

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static socklen_t
to_sockaddr(const struct addr *a, uint16_t port, unsigned int scope,
    union sockaddr_any *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == FAMILY_IPV4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, a->b, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, a->b, 16);
	if (addr_is_link_local(a))
		out->v6.sin6_scope_id = scope;
	return sizeof(out->v6);
}

static struct addr
from_sockaddr(const union sockaddr_any *sa)
{
	if (sa->sa.sa_family == AF_INET)
		return addr_from_bytes(FAMILY_IPV4, &sa->v4.sin_addr);
	if (sa->sa.sa_family == AF_INET6)
		return addr_from_bytes(FAMILY_IPV6, &sa->v6.sin6_addr);
	return (struct addr){ 0 };
}

static int
tcp_socket(const struct addr *a)
{
	int fd = socket(a->family == FAMILY_IPV4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	return fd < 0 ? -errno : fd;
}

static int
set_int(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		return -errno;
	return 0;
}

static int
set_password(int fd, const struct addr *addr, const char *password)
{
	struct tcp_md5sig md5 = { 0 };
	union sockaddr_any sa;
	size_t n = password ? strlen(password) : 0;

	if (n > TCP_MD5SIG_MAXKEYLEN)
		return -EMSGSIZE;
	to_sockaddr(addr, 0, 0, &sa);
	memcpy(&md5.tcpm_addr, &sa.storage, sizeof(md5.tcpm_addr));
	md5.tcpm_keylen = (uint16_t)n;
	if (n)
		memcpy(md5.tcpm_key, password, n);
	if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5)) < 0)
		return -errno;
	return 0;
}

int
sock_listen_password(int listener, const struct addr *addr,
    const char *password)
{
	int rc = set_password(listener, addr, password);

	/* To remove a key that is not there is no failure. */
	return !password && rc == -ENOENT ? 0 : rc;
}

static int
set_ttl(int fd, bool is_ipv4, int ttl, int min_ttl)
{
	int rc = is_ipv4 ? set_int(fd, IPPROTO_IP, IP_TTL, ttl)
			 : set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);

	if (rc < 0 || !min_ttl)
		return rc;
	return is_ipv4 ? set_int(fd, IPPROTO_IP, IP_MINTTL, min_ttl)
		       : set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, min_ttl);
}

int
sock_listen(const struct addr *addr, uint16_t port, struct err *err)
{
	char text[ADDR_TEXT_B];
	union sockaddr_any sa;
	socklen_t len = to_sockaddr(addr, port, 0, &sa);
	int fd = tcp_socket(addr);
	int rc;

	if (fd < 0) {
		rc = fd;
		goto fail;
	}
	rc = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (rc == 0 && addr->family == FAMILY_IPV6)
		rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* The SYN-ACK leaves before we know the peer, and a peer with TTL
	 * security takes nothing less. */
	if (rc == 0)
		rc = set_ttl(fd, addr->family == FAMILY_IPV4, TTL_MAX, 0);
	if (rc == 0 && bind(fd, &sa.sa, len) < 0)
		rc = -errno;
	if (rc == 0 && listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
fail:
	if (fd >= 0)
		close(fd);
	return err_set(err, rc, "cannot listen on %s port %u: %s",
	    addr_text(addr, text), port, strerror(-rc));
}

/* Failing to mark packets or to name a stuck peer early costs little, so
 * those are not checked. */
int
sock_tune(int fd, const struct sock_peer *peer, struct err *err)
{
	bool is_ipv4 = peer->addr.family == FAMILY_IPV4;
	int rc;

	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, STUCK_MS);
	/* With hold time 0 nobody else asks whether the peer is still there,
	 * and one that restarted is taken for a second connection. */
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	if (is_ipv4)
		set_int(fd, IPPROTO_IP, IP_TOS, TOS_CS6);
	else
		set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, TOS_CS6);
	rc = set_ttl(fd, is_ipv4, peer->ttl, peer->min_ttl);
	if (rc < 0)
		return err_set(err, rc, "cannot set the TTL: %s",
		    strerror(-rc));
	return 0;
}

static int
bind_local(int fd, const struct sock_peer *peer, unsigned int scope,
    struct err *err)
{
	char text[ADDR_TEXT_B];
	union sockaddr_any sa;
	socklen_t len;

	if (peer->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, peer->interface,
		(socklen_t)strlen(peer->interface)) < 0)
		return err_set(err, -errno, "cannot bind to interface %s: %s",
		    peer->interface, strerror(errno));
	if (!addr_is_set(&peer->local))
		return 0;
	len = to_sockaddr(&peer->local, 0, scope, &sa);
	if (bind(fd, &sa.sa, len) < 0)
		return err_set(err, -errno, "cannot use local address %s: %s",
		    addr_text(&peer->local, text), strerror(errno));
	return 0;
}

static int
prepare(int fd, const struct sock_peer *peer, unsigned int scope,
    struct err *err)
{
	int rc = sock_tune(fd, peer, err);

	if (rc == 0)
		rc = bind_local(fd, peer, scope, err);
	if (rc < 0 || !peer->password)
		return rc;
	rc = set_password(fd, &peer->addr, peer->password);
	if (rc < 0)
		return err_set(err, rc, "cannot set the TCP-MD5 password: %s",
		    strerror(-rc));
	return 0;
}

int
sock_dial(const struct sock_peer *peer, struct err *err)
{
	char text[ADDR_TEXT_B];
	union sockaddr_any sa;
	unsigned int scope =
	    peer->interface ? if_nametoindex(peer->interface) : 0;
	socklen_t len = to_sockaddr(&peer->addr, peer->port, scope, &sa);
	int fd;
	int rc;

	if (peer->local.family != FAMILY_NONE &&
	    peer->local.family != peer->addr.family)
		return err_set(err, -EAFNOSUPPORT,
		    "localAddress is not of the peer's family");
	fd = tcp_socket(&peer->addr);
	if (fd < 0)
		return err_set(err, fd, "cannot open a socket: %s",
		    strerror(-fd));
	rc = prepare(fd, peer, scope, err);
	if (rc < 0)
		goto fail;
	if (connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS) {
		rc = err_set(err, -errno, "cannot connect to %s port %u: %s",
		    addr_text(&peer->addr, text), peer->port, strerror(errno));
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return rc;
}

int
sock_dial_result(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

int
sock_accept(int listener, struct addr *peer, struct addr *local)
{
	union sockaddr_any sa = { 0 };
	socklen_t len = sizeof(sa);
	int fd = accept4(listener, &sa.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	*peer = from_sockaddr(&sa);
	*local = sock_local_addr(fd);
	return fd;
}

struct addr
sock_local_addr(int fd)
{
	union sockaddr_any sa = { 0 };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, &sa.sa, &len) < 0)
		return (struct addr){ 0 };
	return from_sockaddr(&sa);
}

void
sock_shutdown(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

void
sock_close(int fd)
{
	close(fd);
}

int
sock_read(int fd, void *buf, size_t n)
{
	ssize_t got = recv(fd, buf, n, MSG_DONTWAIT);

	if (got >= 0)
		return (int)got;
	return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int
sock_write(int fd, const void *buf, size_t n)
{
	ssize_t put = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put >= 0)
		return (int)put;
	return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static struct addr
ifaddr_addr(const struct ifaddrs *ifa)
{
	union sockaddr_any sa = { 0 };

	if (!ifa->ifa_addr)
		return (struct addr){ 0 };
	if (ifa->ifa_addr->sa_family == AF_INET)
		memcpy(&sa, ifa->ifa_addr, sizeof(sa.v4));
	else if (ifa->ifa_addr->sa_family == AF_INET6)
		memcpy(&sa, ifa->ifa_addr, sizeof(sa.v6));
	return from_sockaddr(&sa);
}

static bool
is_usable(const struct ifaddrs *ifa, const struct addr *a, enum family family)
{
	return a->family == family && ifa->ifa_flags & IFF_UP &&
	    !(ifa->ifa_flags & IFF_LOOPBACK) && !addr_is_link_local(a);
}

bool
sock_addr_beside(const struct addr *neighbour, enum family family,
    struct addr *out)
{
	struct ifaddrs *list = NULL;
	const char *name = NULL;
	bool is_found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct addr a = ifaddr_addr(i);

		if (addr_eq(&a, neighbour)) {
			name = i->ifa_name;
			break;
		}
	}
	for (const struct ifaddrs *i = list; i && name && !is_found;
	     i = i->ifa_next) {
		struct addr a = ifaddr_addr(i);

		if (strcmp(i->ifa_name, name) != 0 || !is_usable(i, &a, family))
			continue;
		*out = a;
		is_found = true;
	}
	freeifaddrs(list);
	return is_found;
}

bool
sock_first_ipv4(struct addr *out)
{
	struct ifaddrs *list = NULL;
	bool is_found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i && !is_found; i = i->ifa_next) {
		struct addr a = ifaddr_addr(i);

		if (!is_usable(i, &a, FAMILY_IPV4))
			continue;
		*out = a;
		is_found = true;
	}
	freeifaddrs(list);
	return is_found;
}
