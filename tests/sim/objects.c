/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objects: what happens at the API server: Services, slices, nodes, pools and
 * peers come, change and go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
	SERVICES = 12,
	NODES = 3,
	POOLS = 4,
};

struct place {
	const char *ns;
	char name[16];
};

static struct place
service_of(uint32_t n)
{
	struct place p = { .ns = n % 2 ? "b" : "a" };

	snprintf(p.name, sizeof(p.name), "s%u", n % SERVICES);
	return p;
}

/* ---- objects ---- */

static const struct {
	const char *name;
	const char *range;
	const char *shrunk;
	const char *protocol;
	const char *quarantine;
	bool is_default;
	const char *ns; /* bound to it */
} pools[POOLS] = {
	{ "main", "192.0.2.1-192.0.2.5", "192.0.2.4-192.0.2.5", "bgp", "3m",
	    true, NULL },
	{ "quiet", "198.51.100.1-198.51.100.3", "198.51.100.1", "passive", "3m",
	    false, NULL },
	{ "six", "2001:db8::1-2001:db8::4", "2001:db8::2", "bgp", "0s", true,
	    NULL },
	{ "team", "203.0.113.1-203.0.113.2", "203.0.113.2", "bgp", "3m", false,
	    "b" },
};

static const char *const wanted_addrs[] = { "192.0.2.1", "192.0.2.2",
	"192.0.2.5", "198.51.100.1", "203.0.113.1", "2001:db8::2",
	"2001:db8::3, 192.0.2.2", "100.64.0.1" };

/* In order of preference: one or both, IPv6 first. */
static const struct {
	const char *v[2];
	const char *policy;
} families[] = {
	{ { "IPv4" }, "SingleStack" },
	{ { "IPv6" }, "SingleStack" },
	{ { "IPv4", "IPv6" }, "PreferDualStack" },
	{ { "IPv6", "IPv4" }, "RequireDualStack" },
};

static const struct {
	const char *text;
	struct {
		const char *protocol;
		int port;
	} v[2];
	size_t n;
} port_sets[] = {
	{ "TCP 80", { { "TCP", 80 } }, 1 },
	{ "TCP 443", { { "TCP", 443 } }, 1 },
	{ "UDP 53", { { "UDP", 53 } }, 1 },
	{ "TCP 80, TCP 443", { { "TCP", 80 }, { "TCP", 443 } }, 2 },
	{ "TCP 443, UDP 53", { { "TCP", 443 }, { "UDP", 53 } }, 2 },
};

static json_t *
ports_json(uint32_t set, uint32_t salt)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < port_sets[set].n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", port_sets[set].v[i].port);
		json_array_append_new(ports,
		    json_pack("{s:s,s:s,s:i,s:i}", "name", name, "protocol",
			port_sets[set].v[i].protocol, "port",
			port_sets[set].v[i].port, "nodePort",
			30000 + (int)(salt % SERVICES) * 16 + (int)i));
	}
	return ports;
}

/* What a change of gives back the address. */
static bool
asks_the_same(const json_t *a, const json_t *b)
{
	static const char *const fields[] = { "type", "loadBalancerClass",
		"ipFamilies", "loadBalancerIP" };
	const json_t *spec_a = json_object_get(a, "spec");
	const json_t *spec_b = json_object_get(b, "spec");

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		json_t *x = json_object_get(spec_a, fields[i]);
		json_t *y = json_object_get(spec_b, fields[i]);

		if (x != y && (!x || !y || !json_equal(x, y)))
			return false;
	}
	return json_equal(json_object_get(json_object_get(a, "metadata"),
			      "annotations"),
	    json_object_get(json_object_get(b, "metadata"), "annotations"));
}

static void
put_service(const struct place *p, json_t *body)
{
	json_t *old = api_get(OBJECT_SERVICE, p->ns, p->name);
	json_t *spec = json_object_get(body, "spec");
	const char *type = json_string_value(json_object_get(spec, "type"));

	if (old && !asks_the_same(old, body))
		check_justify(p->ns, p->name);
	/* The API server does that. */
	if (strcmp(type, "LoadBalancer") != 0)
		json_object_set_new(body, "status",
		    json_pack("{s:{}}", "loadBalancer"));
	api_put(OBJECT_SERVICE, p->ns, p->name, body);
}

void
do_service(const struct event *ev)
{
	struct place p = service_of(ev->arg[0]);
	uint32_t a = ev->arg[1];
	uint32_t b = ev->arg[2];
	uint32_t set = a % ARRAY_LEN(port_sets);
	const char *addr = (a >> 8) % 4 == 0
	    ? wanted_addrs[b % ARRAY_LEN(wanted_addrs)]
	    : NULL;
	const char *pool = (a >> 12) % 6 == 0 ? pools[(b >> 4) % POOLS].name
	    : (a >> 12) % 12 == 1	      ? "filed"
					      : NULL;
	const char *share = (a >> 16) % 4 == 0 ? "k" : NULL;
	bool is_local = (a >> 20) % 5 == 0;
	bool is_dual = (a >> 24) % 4 == 0;
	bool is_v6 = (a >> 28) % 4 == 1;
	uint32_t family = 2 * is_dual + is_v6;
	bool is_field = (a >> 30) % 4 == 0;
	json_t *notes = json_object();
	json_t *list = json_array();
	json_t *body;

	if (addr && !is_field)
		json_object_set_new(notes, "eipd.io/addresses",
		    json_string(addr));
	if (pool)
		json_object_set_new(notes, "eipd.io/pool", json_string(pool));
	if (share)
		json_object_set_new(notes, "eipd.io/share", json_string(share));
	for (size_t i = 0; i < 2 && families[family].v[i]; i++)
		json_array_append_new(list, json_string(families[family].v[i]));
	sim_tell("Service %s/%s %s: ports %s%s%s%s%s%s%s%s, %s %s", p.ns,
	    p.name,
	    api_get(OBJECT_SERVICE, p.ns, p.name) ? "becomes" : "is made",
	    port_sets[set].text, addr ? ", asks for " : "", addr ? addr : "",
	    pool ? ", pool " : "", pool ? pool : "",
	    share ? ", shares as " : "", share ? share : "",
	    is_local ? ", policy Local" : "", families[family].policy,
	    families[family].v[0]);
	body = json_pack("{s:{s:o},s:{s:s,s:s,s:s,s:o,s:o,s:s,s:s}}",
	    "metadata", "annotations", notes, "spec", "type", "LoadBalancer",
	    "loadBalancerClass", "eipd.io/eipd", "clusterIP", "10.96.0.1",
	    "ports", ports_json(set, ev->arg[0]), "ipFamilies", list,
	    "ipFamilyPolicy", families[family].policy, "externalTrafficPolicy",
	    is_local ? "Local" : "Cluster");
	if (addr && is_field)
		json_object_set_new(json_object_get(body, "spec"),
		    "loadBalancerIP", json_string(addr));
	put_service(&p, body);
}

void
do_service_type(const struct event *ev)
{
	struct place p = service_of(ev->arg[0]);
	json_t *old = api_get(OBJECT_SERVICE, p.ns, p.name);
	json_t *body;
	json_t *spec;
	bool is_class = ev->arg[1] % 2;

	if (!old)
		return;
	sim_tell("Service %s/%s becomes %s", p.ns, p.name,
	    is_class ? "another class's" : "of type ClusterIP");
	body = json_deep_copy(old);
	spec = json_object_get(body, "spec");
	if (is_class)
		json_object_set_new(spec, "loadBalancerClass",
		    json_string("other.io/lb"));
	else
		json_object_set_new(spec, "type", json_string("ClusterIP"));
	put_service(&p, body);
}

void
do_service_gone(const struct event *ev)
{
	struct place p = service_of(ev->arg[0]);

	if (!api_get(OBJECT_SERVICE, p.ns, p.name))
		return;
	sim_tell("Service %s/%s is deleted", p.ns, p.name);
	check_justify(p.ns, p.name);
	api_delete(OBJECT_SERVICE, p.ns, p.name);
}

void
do_slice(const struct event *ev)
{
	struct place p = service_of(ev->arg[0]);
	uint32_t n = ev->arg[1] % 4;
	json_t *endpoints = json_array();
	json_t *ports;
	char name[24];

	snprintf(name, sizeof(name), "%s-x", p.name);
	if (ev->arg[2] % 8 == 0) {
		sim_tell("the EndpointSlice of %s/%s is deleted", p.ns, p.name);
		api_delete(OBJECT_SLICE, p.ns, name);
		json_decref(endpoints);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		char addr[24];
		char node[8];

		snprintf(addr, sizeof(addr), "10.1.%u.%u", i,
		    ev->arg[0] % SERVICES + 1);
		snprintf(node, sizeof(node), "n%u", (ev->arg[2] + i) % NODES);
		json_array_append_new(endpoints,
		    json_pack("{s:[s],s:s,s:{s:b,s:b}}", "addresses", addr,
			"nodeName", node, "conditions", "ready",
			(int)(ev->arg[2] >> i & 1), "serving", 1));
	}
	ports = json_pack("[{s:s,s:s,s:i},{s:s,s:s,s:i},{s:s,s:s,s:i}]", "name",
	    "p53", "protocol", "UDP", "port", 8053, "name", "p80", "protocol",
	    "TCP", "port", 8080, "name", "p443", "protocol", "TCP", "port",
	    8443);
	sim_tell("%s/%s has %u endpoints", p.ns, p.name, n);
	api_put(OBJECT_SLICE, p.ns, name,
	    json_pack("{s:{s:{s:s}},s:s,s:o,s:o}", "metadata", "labels",
		"kubernetes.io/service-name", p.name, "addressType", "IPv4",
		"endpoints", endpoints, "ports", ports));
}

static void
node_name(uint32_t n, char out[8])
{
	snprintf(out, 8, "n%u", n % NODES);
}

static struct addr
node_addr(uint32_t n)
{
	struct addr addr;
	char text[24];

	snprintf(text, sizeof(text), "10.2.0.%u", n % NODES + 1);
	if (addr_parse(text, &addr) < 0)
		abort();
	return addr;
}

void
do_node(const struct event *ev)
{
	bool is_ready = ev->arg[1] % 4 != 0;
	bool is_excluded = (ev->arg[1] >> 4) % 6 == 0;
	struct addr addr = node_addr(ev->arg[0]);
	char text[ADDR_TEXT_B];
	char text6[ADDR_TEXT_B];
	char name[8];
	json_t *labels = json_object();

	node_name(ev->arg[0], name);
	if (ev->arg[2] % 8 == 0) {
		sim_tell("node %s is deleted", name);
		api_delete(OBJECT_NODE, "", name);
		json_decref(labels);
		return;
	}
	if (is_excluded)
		json_object_set_new(labels,
		    "node.kubernetes.io/exclude-from-external-load-balancers",
		    json_string(""));
	sim_tell("node %s is %s%s", name, is_ready ? "ready" : "not ready",
	    is_excluded ? ", excluded" : "");
	snprintf(text6, sizeof(text6), "fd02::%u", ev->arg[0] % NODES + 1);
	api_put(OBJECT_NODE, "", name,
	    json_pack("{s:{s:o},s:{},s:{s:[{s:s,s:s},{s:s,s:s}],"
		      "s:[{s:s,s:s}]}}",
		"metadata", "labels", labels, "spec", "status", "addresses",
		"type", "InternalIP", "address", addr_text(&addr, text), "type",
		"InternalIP", "address", text6, "conditions", "type", "Ready",
		"status", is_ready ? "True" : "False"));
}

void
do_probe(const struct event *ev)
{
	static const char *const words[] = { "answers", "refuses its probe",
		"is silent" };
	struct addr addr = node_addr(ev->arg[0]);
	uint32_t how = ev->arg[1] % 3;
	char name[8];

	node_name(ev->arg[0], name);
	sim_tell("node %s %s", name, words[how]);
	probe_set_fault(&addr, (enum probe_fault)how);
}

static void
put_pool(uint32_t n, bool is_shrunk, bool is_disabled)
{
	json_t *notes = json_object();
	json_t *spec = json_pack("{s:s,s:s,s:s,s:s,s:b}", "address",
	    is_shrunk ? pools[n].shrunk : pools[n].range, "protocol",
	    pools[n].protocol, "sticky", "30m", "quarantine",
	    pools[n].quarantine, "disable", (int)is_disabled);

	if (pools[n].is_default)
		json_object_set_new(notes,
		    "eip.openelb.kubesphere.io/is-default-eip",
		    json_string("true"));
	if (pools[n].ns)
		json_object_set_new(spec, "namespaces",
		    json_pack("[s]", pools[n].ns));
	sim_tell("pool %s: %s%s", pools[n].name,
	    is_shrunk ? pools[n].shrunk : pools[n].range,
	    is_disabled ? ", disabled" : "");
	api_put(OBJECT_EIP, "", pools[n].name,
	    json_pack("{s:{s:o},s:o}", "metadata", "annotations", notes, "spec",
		spec));
}

void
do_pool(const struct event *ev)
{
	uint32_t n = ev->arg[0] % POOLS;

	if (ev->arg[1] % 6 == 0) {
		sim_tell("pool %s is deleted", pools[n].name);
		api_delete(OBJECT_EIP, "", pools[n].name);
		return;
	}
	put_pool(n, (ev->arg[1] >> 4) % 4 == 0, (ev->arg[1] >> 8) % 6 == 0);
}

static void
put_peer(uint32_t n)
{
	static const char body[] =
	    "{\"spec\":{\"conf\":{\"neighborAddress\":\"%s\",\"peerAs\":64500},"
	    "\"transport\":{\"passiveMode\":%s},"
	    "\"afiSafis\":["
	    "{\"config\":{\"family\":{\"afi\":\"AFI_IP\","
	    "\"safi\":\"SAFI_UNICAST\"}}},"
	    "{\"config\":{\"family\":{\"afi\":\"AFI_IP6\","
	    "\"safi\":\"SAFI_UNICAST\"}}}]}}";
	struct str text = { 0 };
	char addr[ADDR_TEXT_B];
	char name[16];

	snprintf(name, sizeof(name), "tor%u", n);
	router_text(n, addr);
	str_printf(&text, body, addr, n == ROUTER_PASSIVE ? "true" : "false");
	sim_tell("BgpPeer %s is there", name);
	api_put(OBJECT_BGP_PEER, "", name, json_loads(text.s, 0, NULL));
	str_fini(&text);
}

void
do_peer(const struct event *ev)
{
	uint32_t n = ev->arg[0] % ROUTERS;
	char name[16];

	snprintf(name, sizeof(name), "tor%u", n);
	if (ev->arg[1] % 3) {
		put_peer(n);
		return;
	}
	sim_tell("BgpPeer %s is deleted", name);
	api_delete(OBJECT_BGP_PEER, "", name);
}

void
do_foreign_status(const struct event *ev)
{
	struct place p = service_of(ev->arg[0]);
	json_t *o = api_get(OBJECT_SERVICE, p.ns, p.name);
	const char *addr = wanted_addrs[ev->arg[1] % ARRAY_LEN(wanted_addrs)];
	const char *type = json_string_value(
	    json_object_get(json_object_get(o, "spec"), "type"));

	if (!o || strcmp(type, "LoadBalancer") != 0)
		return;
	if (ev->arg[2] % 2)
		addr = NULL;
	sim_tell("someone %s%s the status of %s/%s",
	    addr ? "writes " : "empties", addr ? addr : "", p.ns, p.name);
	api_set_status(p.ns, p.name,
	    addr ? json_pack("{s:{s:[{s:s}]}}", "loadBalancer", "ingress", "ip",
		       addr)
		 : json_pack("{s:{}}", "loadBalancer"));
}

/* Of the pool that announces nothing. */
bool
object_is_passive(const struct addr *addr)
{
	struct addr_range range;
	struct err err;

	return addr_range_parse(pools[1].range, &range, &err) == 0 &&
	    addr_range_contains(&range, addr);
}

/* The world as every story finds it. */
void
objects_init(void)
{
	for (uint32_t i = 0; i < POOLS; i++)
		put_pool(i, false, false);
	api_put(OBJECT_BGP_CONF, "", "default",
	    json_pack("{s:{s:i}}", "spec", "as", 64512));
	for (uint32_t i = 0; i < ROUTERS; i++)
		put_peer(i);
	for (uint32_t i = 0; i < NODES; i++)
		do_node(&(struct event){ .arg = { i, 0x11, 1 } });
	api_put(OBJECT_NAMESPACE, "", "a", json_object());
	api_put(OBJECT_NAMESPACE, "", "b", json_object());
}
