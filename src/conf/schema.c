/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/schema.h"

#include <string.h>

#include "base/mono.h"
#include "conf/conf.h"
#include "model/object.h"

/* As long as sun_path, and as IFNAMSIZ-like limits of other programs. */
enum {
	SOCKET_PATH_MAX = 107,
	USER_MAX = 32,
	LABEL_MAX = 63
};

#define HOUR_US (3600 * MONO_S)
#define AT(member) .offset = offsetof(struct conf, member)
#define NUMBER(member)                                                         \
	AT(member), .type = SCHEMA_NUMBER,                                     \
		    .size_b = sizeof(((struct conf *)NULL)->member)
#define LISTEN(member, count)                                                  \
	AT(member), .type = SCHEMA_LISTEN,                                     \
		    .count_offset = offsetof(struct conf, count)

static bool
is_socket_path(const char *s)
{
	return *s && strlen(s) <= SOCKET_PATH_MAX;
}

static bool
is_http_path(const char *s)
{
	return *s == '/' && strlen(s) == strcspn(s, " \t\r\n");
}

static bool
is_account(const char *s)
{
	size_t n = strspn(s,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n && n <= USER_MAX && !s[n] && *s != '-';
}

static bool
is_cluster_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n && n <= LABEL_MAX && !s[n] && *s != '-' && s[n - 1] != '-' &&
	    strcmp(s, CLUSTER_STATIC) != 0;
}

static bool
is_class(const char *s)
{
	return *s && strlen(s) <= 253 + 1 + LABEL_MAX &&
	    strlen(s) == strcspn(s, " \t\r\n,");
}

static const struct schema_choice ip_modes[] = {
	{ "vip", IP_MODE_VIP },
	{ "proxy", IP_MODE_PROXY },
	{ "omit", IP_MODE_NONE },
	{ NULL, 0 },
};

static const struct schema_choice backends[] = {
	{ "nodeport", FORWARD_BACKENDS_NODEPORT },
	{ "node", FORWARD_BACKENDS_NODE },
	{ "endpoint", FORWARD_BACKENDS_ENDPOINT },
	{ NULL, 0 },
};

static const struct schema_choice sources[] = {
	{ "masquerade", FORWARD_SOURCE_MASQUERADE },
	{ "preserve", FORWARD_SOURCE_PRESERVE },
	{ NULL, 0 },
};

static const struct schema_choice no_backends[] = {
	{ "refuse", FORWARD_NO_BACKENDS_REFUSE },
	{ "withdraw", FORWARD_NO_BACKENDS_WITHDRAW },
	{ NULL, 0 },
};

/* The numbers of syslog(3); "error" and "warning" are read, too. */
static const struct schema_choice levels[] = {
	{ "err", 3 },
	{ "error", 3 },
	{ "warn", 4 },
	{ "warning", 4 },
	{ "notice", 5 },
	{ "info", 6 },
	{ "debug", 7 },
	{ NULL, 0 },
};

const struct schema_option schema[] = {
	{ "user", AT(user), .form = "the name of an account",
	    .fallback = "eipd", .is_valid = is_account },
	{ "cluster.name", AT(cluster_name),
	    .form = "a DNS label other than \"static\"",
	    .fallback = "kubernetes", .is_valid = is_cluster_name },
	{ "cluster.kubeconfig", AT(kubeconfig), .form = "a path" },
	{ "cluster.context", AT(context),
	    .form = "the name of a context of the kubeconfig" },
	{ "objects", AT(objects), .form = "the path of a directory",
	    .fallback = "/etc/eipd/objects" },
	{ "database", AT(database), .form = "a path",
	    .fallback = "/var/lib/eipd/eipd.db" },
	{ "control.socket", AT(socket), .form = "a path of at most 107 octets",
	    .fallback = "/run/eipd/eipd.sock", .is_valid = is_socket_path },
	{ "control.group", AT(socket_group), .form = "the name of a group",
	    .fallback = "eipd", .is_valid = is_account },
	{ "http.listen", LISTEN(http, n_http),
	    .form = "a list such as [\"127.0.0.1:9640\", \"[::1]:9640\"]",
	    .fallback = "127.0.0.1:9640" },
	{ "http.openelb-metrics", AT(openelb_metrics), .type = SCHEMA_BOOL,
	    .form = "true or false", .fallback = "false" },
	{ "services.class", AT(service_class),
	    .form = "a class such as eipd.io/eipd", .fallback = "eipd.io/eipd",
	    .is_valid = is_class },
	{ "services.default", AT(service_default), .type = SCHEMA_BOOL,
	    .form = "true or false", .fallback = "false" },
	{ "services.ip-mode", AT(ip_mode), .type = SCHEMA_CHOICE,
	    .form = "vip, proxy or omit", .fallback = "vip",
	    .choices = ip_modes },
	{ "nodes.probe", AT(probe.is_on), .type = SCHEMA_SWITCH,
	    .form = "off, on or a map", .fallback = "on" },
	{ "nodes.probe.port", NUMBER(probe.port),
	    .form = "a port from 1 to 65535", .fallback = "10256", .min = 1,
	    .max = UINT16_MAX },
	{ "nodes.probe.path", AT(probe.path),
	    .form = "a path that begins with /", .fallback = "/healthz",
	    .is_valid = is_http_path },
	{ "nodes.probe.interval", AT(probe.interval_us),
	    .type = SCHEMA_DURATION, .form = "a duration from 10ms to 1h",
	    .fallback = "1s", .min = 10 * MONO_MS, .max = HOUR_US },
	{ "nodes.probe.timeout", AT(probe.timeout_us), .type = SCHEMA_DURATION,
	    .form = "a duration from 10ms to 1h", .fallback = "500ms",
	    .min = 10 * MONO_MS, .max = HOUR_US },
	{ "nodes.probe.fall", NUMBER(probe.fall),
	    .form = "a number from 1 to 1000", .fallback = "2", .min = 1,
	    .max = 1000 },
	{ "nodes.probe.rise", NUMBER(probe.rise),
	    .form = "a number from 1 to 1000", .fallback = "1", .min = 1,
	    .max = 1000 },
	{ "forwarding.backends", AT(forwarding.backends), .type = SCHEMA_CHOICE,
	    .form = "nodeport, node or endpoint", .fallback = "nodeport",
	    .choices = backends },
	{ "forwarding.source", AT(forwarding.source), .type = SCHEMA_CHOICE,
	    .form = "masquerade or preserve", .fallback = "masquerade",
	    .choices = sources },
	{ "forwarding.no-backends", AT(forwarding.no_backends),
	    .type = SCHEMA_CHOICE, .form = "refuse or withdraw",
	    .fallback = "refuse", .choices = no_backends },
	{ "bgp.as", AT(bgp.as), .type = SCHEMA_ASN, .size_b = sizeof(uint32_t),
	    .form =
		"an AS number from 1 to 4294967294 other than 23456 and 65535" },
	{ "bgp.router-id", AT(bgp.router_id), .type = SCHEMA_ADDR,
	    .form = "an IPv4 address other than 0.0.0.0" },
	{ "bgp.listen", LISTEN(bgp.listen, bgp.n_listen),
	    .form = "a list such as [\"0.0.0.0:179\", \"[::]:179\"]",
	    .fallback = "0.0.0.0:179 [::]:179" },
	{ "log.level", AT(log_level), .type = SCHEMA_CHOICE,
	    .form = "err, warn, notice, info or debug", .fallback = "info",
	    .choices = levels },
};
const size_t schema_n = ARRAY_LEN(schema);
