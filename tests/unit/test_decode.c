/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_decode: manifests to objects, from files and from the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/tree.h"
#include "model/bgp.h"
#include "model/pool.h"
#include "model/service.h"
#include "model/world.h"
#include "source/decode.h"

static struct err last_err;
static struct decode_identity last_id;

static int
keep(void *arg, const struct tree *doc)
{
	*(const struct tree **)arg = doc;
	return 0;
}

static void *
decode(const char *text, enum decode_mode mode, const enum object_kind *kind)
{
	struct arena arena = { 0 };
	const struct tree *t = NULL;
	struct object *o = NULL;
	int rc;

	if (tree_parse_yaml(text, strlen(text), &arena, keep, &t, &last_err))
		fail_msg("%u:%u: %s", last_err.line, last_err.column,
		    last_err.text);
	rc = decode_object(t, kind, mode == DECODE_API ? "k" : CLUSTER_STATIC,
	    mode, &o, &last_id, &last_err);
	assert_int_equal(rc < 0, o == NULL);
	arena_fini(&arena); /* nothing of the object may point into it */
	return o;
}

static void *
from_file(const char *text)
{
	void *o = decode(text, DECODE_FILE, NULL);

	if (!o)
		fail_msg("%u:%u: %s", last_err.line, last_err.column,
		    last_err.text);
	return o;
}

static void *
from_api(const char *text)
{
	void *o = decode(text, DECODE_API, NULL);

	if (!o)
		fail_msg("%s", last_err.text);
	return o;
}

static void
assert_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT_B];

	assert_string_equal(addr_text(a, text), want);
}

#define SERVICE                                                                \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web%s}\nspec: {type: LoadBalancer, ports: [{port: 80}]%s}\n"

static struct service *
service_with(const char *meta, const char *spec, enum decode_mode mode)
{
	struct service *s;
	char *text;

	assert_true(asprintf(&text, SERVICE, meta, spec) > 0);
	s = mode == DECODE_API ? from_api(text) : from_file(text);
	free(text);
	return s;
}

static void
test_service_plain(void **state)
{
	struct service *s = service_with("", "", DECODE_FILE);
	struct service *again = service_with("", "", DECODE_FILE);

	(void)state;
	assert_string_equal(s->o.cluster, "static");
	assert_string_equal(s->o.ns, "default");
	assert_string_equal(s->o.name, "web");
	assert_int_equal(strlen(s->o.uid), 36);
	assert_string_equal(s->o.uid, again->o.uid);
	assert_true(s->is_load_balancer);
	assert_int_equal(s->n_ports, 1);
	assert_int_equal(s->ports[0].protocol, IP_PROTOCOL_TCP);
	assert_int_equal(s->ports[0].port, 80);
	assert_string_equal(s->ports[0].name, "");
	assert_int_equal(s->n_families, 0);
	assert_null(s->pool);
	assert_null(s->invalid);
	assert_true(service_same(s, again));
	object_free(&s->o);
	object_free(&again->o);
	s = service_with("", "", DECODE_API);
	assert_string_equal(s->o.uid, "");
	object_free(&s->o);
}

static void
test_service_whole(void **state)
{
	struct service *s = service_with(
	    ", namespace: shop, uid: abc, labels: {b: '2', a: '1'}, "
	    "deletionTimestamp: '2026-01-01T00:00:00Z', "
	    "annotations: {lb.kubesphere.io/v1alpha1: porter, "
	    "eipd.io/share: red, eipd.io/backends: endpoint, "
	    "eipd.io/source: preserve, eipd.io/no-backends: withdraw, "
	    "protocol.porter.kubesphere.io/v1alpha1: layer2, other/x: y}",
	    ", loadBalancerClass: eipd.io/eipd, clusterIP: None, "
	    "externalTrafficPolicy: Local, healthCheckNodePort: 31000, "
	    "ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack",
	    DECODE_FILE);

	(void)state;
	assert_string_equal(s->o.ns, "shop");
	assert_string_equal(s->o.uid, "abc");
	assert_true(s->o.is_deleting);
	assert_string_equal(s->lb_class, "eipd.io/eipd");
	assert_true(s->is_headless);
	assert_true(s->is_local);
	assert_true(s->is_marked);
	assert_int_equal(s->health_check_node_port, 31000);
	assert_int_equal(s->n_families, 2);
	assert_int_equal(s->families[0], FAMILY_IPV6);
	assert_int_equal(s->family_policy, IP_FAMILY_REQUIRE_DUAL_STACK);
	assert_string_equal(s->share_key, "red");
	assert_string_equal(s->protocol, "layer2");
	assert_int_equal(s->forwarding.backends, FORWARD_BACKENDS_ENDPOINT);
	assert_int_equal(s->forwarding.source, FORWARD_SOURCE_PRESERVE);
	assert_int_equal(s->forwarding.no_backends,
	    FORWARD_NO_BACKENDS_WITHDRAW);
	assert_string_equal(labels_get(&s->labels, "a"), "1");
	assert_string_equal(labels_get(&s->labels, "b"), "2");
	assert_null(labels_get(&s->labels, "c"));
	object_free(&s->o);
}

static const struct wish_case {
	const char *annotations;
	const char *spec;
	const char *want; /* addresses; NULL: invalid */
	const char *wanted_from;
	const char *pool;
	const char *pool_from;
} wishes[] = {
	{ "", "", "", NULL, NULL, NULL },
	{ "", ", loadBalancerIP: 010.0.0.1", "10.0.0.1 ", "spec.loadBalancerIP",
	    NULL, NULL },
	{ "eip.porter.kubesphere.io/v1alpha1: 10.0.0.3",
	    ", loadBalancerIP: 10.0.0.1", "10.0.0.3 ",
	    "eip.porter.kubesphere.io/v1alpha1", NULL, NULL },
	{ "eip.porter.kubesphere.io/v1alpha1: 10.0.0.3, eip.openelb.kubesphere.io/v1alpha1: 10.0.0.2",
	    "", "10.0.0.2 ", "eip.openelb.kubesphere.io/v1alpha1", NULL, NULL },
	{ "eipd.io/addresses: '10.0.0.9 , 2001:db8::9', eip.openelb.kubesphere.io/v1alpha1: 10.0.0.2",
	    "", "10.0.0.9 2001:db8::9 ", "eipd.io/addresses", NULL, NULL },
	{ "eipd.io/addresses: ''", ", loadBalancerIP: ''", "", NULL, NULL,
	    NULL },
	{ "eipd.io/addresses: '10.0.0.9,10.0.0.8'", "", NULL, NULL, NULL,
	    NULL },
	{ "eipd.io/addresses: nonsense", "", NULL, NULL, NULL, NULL },
	{ "eipd.io/backends: pods", "", NULL, NULL, NULL, NULL },
	{ "protocol.openelb.kubesphere.io/v1alpha1: ospf", "", NULL, NULL, NULL,
	    NULL },
	{ "eip.porter.kubesphere.io/v1alpha2: c", "", "", NULL, "c",
	    "eip.porter.kubesphere.io/v1alpha2" },
	{ "eip.porter.kubesphere.io/v1alpha2: c, eip.openelb.kubesphere.io/v1alpha2: b",
	    "", "", NULL, "b", "eip.openelb.kubesphere.io/v1alpha2" },
	{ "eip.openelb.kubesphere.io/v1alpha2: b, eipd.io/pool: a", "", "",
	    NULL, "a", "eipd.io/pool" },
};

/* A cluster's Service is served without it; its spelling is corrected. */
static void
test_service_unknown_annotation(void **state)
{
	struct service *s = service_with(
	    ", annotations: {eipd.io/pool: p, eipd.io/adresses: 192.0.2.1}", "",
	    DECODE_API);

	(void)state;
	assert_null(s->invalid);
	assert_string_equal(s->pool, "p");
	assert_string_equal(s->unknown,
	    "metadata.annotations: unknown key \"eipd.io/adresses\", did you "
	    "mean \"eipd.io/addresses\"?");
	object_free(&s->o);
	s = service_with(", annotations: {eipd.io/pool: p, other: x}", "",
	    DECODE_API);
	assert_null(s->unknown);
	object_free(&s->o);
}

static void
test_service_wishes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
		const struct wish_case *c = &wishes[i];
		struct str got = { 0 };
		struct service *s;
		char *meta;

		assert_true(
		    asprintf(&meta, ", annotations: {%s}", c->annotations) > 0);
		s = service_with(meta, c->spec, DECODE_API);
		free(meta);
		for (size_t j = 0; j < s->n_wanted; j++) {
			char text[ADDR_TEXT_B];

			str_printf(&got, "%s ", addr_text(&s->wanted[j], text));
		}
		assert_int_equal(s->invalid == NULL, c->want != NULL);
		assert_string_equal(str_get(&got), c->want ? c->want : "");
		if (c->want)
			assert_true(str_eq(s->wanted_from, c->wanted_from));
		assert_true(str_eq(s->pool, c->pool));
		assert_true(str_eq(s->pool_from, c->pool_from));
		str_fini(&got);
		object_free(&s->o);
	}
}

static void
test_service_status(void **state)
{
	static const char text[] =
	    "apiVersion: v1\nkind: Service\n"
	    "metadata: {name: web, namespace: a, unknown: 1}\n"
	    "spec: {type: ClusterIP, ports: null, unknown: 2}\n"
	    "status: {loadBalancer: {ingress: [{ip: 10.0.0.1, ipMode: VIP}, "
	    "{hostname: x}, {ip: bad}, 7, {ip: '2001:db8::1', ipMode: Proxy}, "
	    "{ip: 10.0.0.2}]}}\n";
	struct service *s = from_api(text);

	(void)state;
	assert_false(s->is_load_balancer);
	assert_int_equal(s->n_ports, 0);
	assert_int_equal(s->n_ingress, 3);
	assert_true(s->has_foreign_ingress);
	assert_addr(&s->ingress[1].addr, "2001:db8::1");
	assert_int_equal(s->ingress[0].ip_mode, IP_MODE_VIP);
	assert_int_equal(s->ingress[1].ip_mode, IP_MODE_PROXY);
	assert_int_equal(s->ingress[2].ip_mode, IP_MODE_NONE);
	object_free(&s->o);
}

static void
test_slice(void **state)
{
	static const char text[] =
	    "metadata: {name: web-x, namespace: a, labels: {kubernetes.io/service-name: web}}\n"
	    "addressType: IPv4\n"
	    "ports: [{name: http, port: 8080, protocol: TCP}, {port: null}, {port: 53, protocol: UDP}]\n"
	    "endpoints:\n"
	    "- {addresses: [10.1.0.1, 10.1.0.2], nodeName: n1}\n"
	    "- {addresses: [10.1.0.3], nodeName: n1, conditions: {ready: false, serving: true, terminating: true}}\n"
	    "- {addresses: ['2001:db8::1'], nodeName: n2}\n"
	    "- {addresses: null}\n"
	    "- {addresses: [10.1.0.4], conditions: {ready: null}}\n";
	enum object_kind kind = OBJECT_SLICE;
	struct slice *s = decode(text, DECODE_API, &kind);

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->service, "web");
	assert_int_equal(s->family, FAMILY_IPV4);
	assert_int_equal(s->n_ports, 2);
	assert_string_equal(s->ports[1].name, "");
	assert_int_equal(s->ports[1].protocol, IP_PROTOCOL_UDP);
	assert_int_equal(s->n_endpoints, 3);
	assert_addr(&s->endpoints[0].addr, "10.1.0.1");
	assert_ptr_equal(s->endpoints[0].node, s->endpoints[1].node);
	assert_true(s->endpoints[0].is_ready && s->endpoints[0].is_serving);
	assert_false(s->endpoints[1].is_ready);
	assert_true(s->endpoints[1].is_terminating);
	assert_null(s->endpoints[2].node);
	assert_true(s->endpoints[2].is_ready);
	assert_true(slice_same(s, s));
	object_free(&s->o);

	s = decode("metadata: {name: x}\naddressType: FQDN\n"
		   "endpoints: [{addresses: [example.org]}]\n",
	    DECODE_API, &kind);
	assert_int_equal(s->family, FAMILY_NONE);
	assert_int_equal(s->n_endpoints, 0);
	assert_string_equal(s->service, "");
	object_free(&s->o);
}

static const struct node_case {
	const char *meta;
	const char *rest;
	bool is_ready;
	bool is_excluded;
	bool is_to_be_deleted;
	bool is_network_unavailable;
} nodes[] = {
	{ "", "status: {conditions: [{type: Ready, status: 'True'}]}", true,
	    false, false, false },
	{ "",
	    "status: {conditions: [{type: Ready, status: Unknown}, {type: NetworkUnavailable, status: 'True'}]}",
	    false, false, false, true },
	{ ", labels: {node.kubernetes.io/exclude-from-external-load-balancers: ''}",
	    "", false, true, false, false },
	{ ", labels: {node.kubernetes.io/exclude-from-external-load-balancers: 'false'}",
	    "", false, false, false, false },
	{ ", labels: {node.kubernetes.io/exclude-from-external-load-balancers: nope}",
	    "", false, true, false, false },
	{ "",
	    "spec: {taints: [{key: a, effect: NoSchedule}, {key: ToBeDeletedByClusterAutoscaler, value: '1'}]}",
	    false, false, true, false },
	{ "",
	    "spec: {taints: null}\nstatus: {addresses: null, conditions: null}",
	    false, false, false, false },
};

static void
test_node(void **state)
{
	static const char addresses[] =
	    "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
	    "status: {addresses: [{type: Hostname, address: n1}, "
	    "{type: ExternalIP, address: 192.0.2.1}, "
	    "{type: InternalIP, address: 10.0.0.1}, "
	    "{type: InternalIP, address: 10.0.0.2}, "
	    "{type: InternalIP, address: 'fd00::1'}]}\n";
	struct node *n = from_file(addresses);

	(void)state;
	assert_addr(&n->ipv4, "10.0.0.1");
	assert_addr(&n->ipv6, "fd00::1");
	assert_true(n->is_ready);
	assert_string_equal(n->o.ns, "");
	object_free(&n->o);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		const struct node_case *c = &nodes[i];
		char *text;

		assert_true(
		    asprintf(&text,
			"apiVersion: v1\nkind: Node\nmetadata: {name: n%s}\n%s\n",
			c->meta, c->rest) > 0);
		n = from_api(text);
		free(text);
		assert_int_equal(n->is_ready, c->is_ready);
		assert_int_equal(n->is_excluded, c->is_excluded);
		assert_int_equal(n->is_to_be_deleted, c->is_to_be_deleted);
		assert_int_equal(n->is_network_unavailable,
		    c->is_network_unavailable);
		assert_int_equal(n->ipv4.family, FAMILY_NONE);
		object_free(&n->o);
	}
}

#define EIP(version, spec)                                                     \
	"apiVersion: network.kubesphere.io/" version                           \
	"\nkind: Eip\nmetadata: {name: p}\nspec: {" spec "}\n"

static void
test_eip(void **state)
{
	static const char text[] =
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\n"
	    "metadata:\n"
	    "  name: p\n"
	    "  labels: {porter.kubesphere.io/cni: calico}\n"
	    "  annotations: {eip.porter.kubesphere.io/is-default-eip: 'True'}\n"
	    "spec:\n"
	    "  address: 10.0.0.0/30\n"
	    "  addresses: ['2001:db8::/64', 10.0.0.2-10.0.0.9, 10.0.1.1]\n"
	    "  exclude: [10.0.0.5, 10.0.0.4-10.0.0.6]\n"
	    "  protocol: layer2\n"
	    "  interface: can_reach:10.0.0.254\n"
	    "  disable: true\n"
	    "  usingKnownIPs: false\n"
	    "  priority: -3\n"
	    "  namespaces: [a, b]\n"
	    "  namespaceSelector: {team: red}\n"
	    "  serviceSelector:\n"
	    "    matchLabels: {tier: front}\n"
	    "    matchExpressions: [{key: x, operator: NotIn, values: [q]}, {key: y, operator: Exists}]\n"
	    "  sticky: 1h\n"
	    "  quarantine: 0s\n"
	    "  backends: node\n"
	    "  source: preserve\n"
	    "  noBackends: withdraw\n"
	    "  nextHop: self\n"
	    "status: {usage: 3, v4: true}\n";
	struct label label = { "tier", "front" };
	struct labels labels = { &label, 1 };
	struct pool *p = from_file(text);

	(void)state;
	assert_int_equal(p->n_ranges, 3);
	assert_addr(&p->ranges[0].last, "10.0.0.9");
	assert_int_equal(p->n_excluded, 1);
	assert_true(p->is_default && p->is_cni && p->is_disabled);
	assert_false(p->avoid_buggy_ips);
	assert_int_equal(p->protocol, POOL_PROTOCOL_LAYER2);
	assert_string_equal(p->interface, "can_reach:10.0.0.254");
	assert_int_equal(p->priority, -3);
	assert_int_equal(p->n_namespaces, 2);
	assert_true(p->has_namespace_selector);
	assert_string_equal(p->namespace_selector.v[0].values[0], "red");
	assert_false(labels_match(&p->service_selector, &labels));
	assert_int_equal(p->service_selector.n, 3);
	assert_int_equal(p->sticky_us, INT64_C(3600000000));
	assert_int_equal(p->quarantine_us, 0);
	assert_int_equal(p->forwarding.backends, FORWARD_BACKENDS_NODE);
	assert_string_equal(p->next_hop, "self");
	object_free(&p->o);
}

static void
test_eip_defaults(void **state)
{
	static const struct {
		const char *text;
		bool avoid;
	} cases[] = {
		{ EIP("v1alpha2", "address: 10.0.0.0/24"), false },
		{ EIP("v1alpha2", "address: 10.0.0.0/24, usingKnownIPs: false"),
		    false },
		{ EIP("v1alpha2", "address: 10.0.0.0/24, avoidBuggyIPs: true"),
		    true },
		{ EIP("v1alpha1", "address: 10.0.0.0/24"), true },
		{ EIP("v1alpha1", "address: 10.0.0.0/24, usingKnownIPs: true"),
		    false },
		{ EIP("v1alpha1", "address: 10.0.0.0/24, avoidBuggyIPs: false"),
		    false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pool *p = from_file(cases[i].text);

		assert_int_equal(p->avoid_buggy_ips, cases[i].avoid);
		assert_int_equal(p->sticky_us, POOL_STICKY_US);
		assert_int_equal(p->quarantine_us, POOL_QUARANTINE_US);
		assert_int_equal(p->protocol, POOL_PROTOCOL_BGP);
		assert_string_equal(p->interface, "");
		assert_false(p->is_default || pool_is_bound(p));
		object_free(&p->o);
	}
}

static void
test_eip_selectors(void **state)
{
	struct pool *p = from_file(EIP("v1alpha2",
	    "address: 10.0.0.1, namespaceSelector: {matchExpressions: [{key: a, operator: In, values: [x, y]}, {key: b, operator: DoesNotExist}]}"));
	struct label v[] = { { "a", "y" }, { "b", "" } };
	struct labels one = { v, 1 };
	struct labels both = { v, 2 };

	(void)state;
	assert_true(labels_match(&p->namespace_selector, &one));
	assert_false(labels_match(&p->namespace_selector, &both));
	object_free(&p->o);
	/* labels that happen to be named like the keys of a selector */
	p = from_file(EIP("v1alpha2",
	    "address: 10.0.0.1, namespaceSelector: {matchLabels: 'x'}"));
	assert_string_equal(p->namespace_selector.v[0].key, "matchLabels");
	object_free(&p->o);
	/* what eipd cannot do yet counts in files only */
	p = from_api(
	    EIP("v1alpha2", "address: 10.0.0.1, bgp: {med: 5}, unknown: 1"));
	object_free(&p->o);
}

static void
test_bgp(void **state)
{
	struct bgp_conf *c = from_file(
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: BgpConf\n"
	    "metadata: {name: default}\n"
	    "spec: {as: 4200000000, routerId: 10.0.0.1, listenPort: 17900, "
	    "listenAddresses: [10.0.0.1, '::'], asPerRack: {r: 1}, "
	    "families: [1], useMultiplePaths: true, policy: p, "
	    "gracefulRestart: {enabled: true, restartTime: 60}}\n");
	struct world *w = world_new();

	(void)state;
	assert_int_equal(c->as, 4200000000u);
	assert_addr(&c->router_id, "10.0.0.1");
	assert_int_equal(c->listen_port, 17900);
	assert_int_equal(c->n_listen_addresses, 2);
	assert_true(c->graceful_restart.is_set);
	assert_int_equal(c->graceful_restart.restart_time_s, 60);
	object_free(&c->o);
	c = from_file(
	    "apiVersion: network.kubesphere.io/v1alpha1\nkind: BgpConf\n"
	    "metadata: {name: default}\n"
	    "spec: {as: 50001, routerID: 10.0.0.2, port: 17901}\n");
	assert_int_equal(c->as, 50001);
	assert_addr(&c->router_id, "10.0.0.2");
	assert_int_equal(c->listen_port, 17901);
	assert_true(world_put(w, &c->o));
	assert_ptr_equal(world_bgp_conf(w), c);
	c = from_file(
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: BgpConf\n"
	    "metadata: {name: default, labels: {porter.kubesphere.io/cni: x}}\n"
	    "spec: {as: 50001}\n");
	assert_true(c->is_cni);
	assert_true(world_put(w, &c->o));
	assert_null(world_bgp_conf(w));
	world_free(w);
}

static void
test_bgp_peer(void **state)
{
	struct bgp_peer *p = from_file(
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: BgpPeer\n"
	    "metadata: {name: r, labels: {openelb.kubesphere.io/cni: x}}\n"
	    "spec:\n"
	    "  conf: {neighborAddress: 10.0.0.1, peerAs: 64500, localAs: 1.10, authPassword: secret, description: d, adminDown: true, peerType: 0, sendCommunity: 0, removePrivateAs: ''}\n"
	    "  ebgpMultihop: {enabled: true, multihopTtl: 5}\n"
	    "  timers: {config: {connectRetry: '10', holdTime: 30, keepaliveInterval: '10', minimumAdvertisementInterval: '0'}}\n"
	    "  transport: {passiveMode: true, remotePort: 1790, localAddress: 10.0.0.2, bindInterface: eth0, nextHopIPv6: 'fd00::2', mtuDiscovery: false, remoteAddress: '', tcpMss: 0}\n"
	    "  gracefulRestart: {enabled: false}\n"
	    "  afiSafis: [{config: {family: {afi: AFI_IP6, safi: SAFI_UNICAST}, enabled: true}, addPaths: {config: {sendMax: 10}}}, {config: {family: {afi: AFI_IP}, enabled: false}}]\n"
	    "  nodeSelector: {matchLabels: {a: b}}\n");

	(void)state;
	assert_addr(&p->address, "10.0.0.1");
	assert_int_equal(p->peer_as, 64500);
	assert_int_equal(p->local_as, 65546);
	assert_string_equal(p->password, "secret");
	assert_null(p->password_file);
	assert_true(p->is_admin_down && p->is_passive && p->is_cni);
	assert_int_equal(p->multihop_ttl, 5);
	assert_int_equal(p->hold_time_s, 30);
	assert_int_equal(p->keepalive_s, 10);
	assert_int_equal(p->connect_retry_s, 10);
	assert_int_equal(p->remote_port, 1790);
	assert_string_equal(p->bind_interface, "eth0");
	assert_addr(&p->next_hop_ipv6, "fd00::2");
	assert_true(p->ipv6_unicast);
	assert_false(p->ipv4_unicast);
	assert_true(p->graceful_restart.is_set);
	assert_false(p->graceful_restart.is_enabled);
	object_free(&p->o);

	p = from_file(
	    "apiVersion: network.kubesphere.io/v1alpha1\nkind: BgpPeer\n"
	    "metadata: {name: r}\n"
	    "spec: {config: {peerAs: 50000, neighborAddress: 'fd00::1'}, "
	    "addPaths: {sendMax: 8}, transport: {passiveMode: false}, "
	    "usingPortForward: true}\n");
	assert_true(p->ipv6_unicast);
	assert_false(p->ipv4_unicast);
	assert_int_equal(p->hold_time_s, 0);
	assert_null(p->password);
	object_free(&p->o);
}

/* Whatever stands in place of every value: an object or an error. */
static void
test_wrong_types(void **state)
{
	static const char *const bases[] = {
		"{apiVersion: v1, kind: Service, metadata: {name: a, namespace: b, labels: X, annotations: X, uid: X}, spec: X, status: X}",
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: X, ports: X, ipFamilies: X, ipFamilyPolicy: X, clusterIP: X, loadBalancerIP: X}, status: {loadBalancer: {ingress: X}}}",
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [X], ipFamilies: [X]}, status: {loadBalancer: {ingress: [X]}}}",
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: IPv4, ports: X, endpoints: X}",
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: IPv4, ports: [X], endpoints: [X]}",
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: IPv4, endpoints: [{addresses: X, conditions: X, nodeName: X}]}",
		"{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {taints: X}, status: {addresses: X, conditions: X}}",
		"{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {taints: [X]}, status: {addresses: [X], conditions: [X]}}",
		"{apiVersion: network.kubesphere.io/v1alpha2, kind: Eip, metadata: {name: a}, spec: {address: X, addresses: X, exclude: X, namespaces: X, namespaceSelector: X, serviceSelector: X, sticky: X}}",
		"{apiVersion: network.kubesphere.io/v1alpha2, kind: Eip, metadata: {name: a}, spec: {address: 10.0.0.1, serviceSelector: {matchLabels: X, matchExpressions: [X]}}}",
		"{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpConf, metadata: {name: a}, spec: {as: X, listenAddresses: [X], gracefulRestart: X}}",
		"{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpPeer, metadata: {name: a}, spec: {conf: X, timers: X, transport: X, afiSafis: X, ebgpMultihop: X}}",
		"{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpPeer, metadata: {name: a}, spec: {conf: {neighborAddress: 10.0.0.1, peerAs: 5}, afiSafis: [X], timers: {config: X}}}",
		"{apiVersion: X, kind: X, metadata: X, spec: X}",
	};
	static const char *const values[] = { "null", "text", "''", "7", "-1",
		"1.5", "true", "[]", "{}", "[[]]", "[null]", "{a: null}",
		"{a: {}}", "[{}, 1, x]", "99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bases) * ARRAY_LEN(values); i++) {
		const char *base = bases[i / ARRAY_LEN(values)];
		const char *value = values[i % ARRAY_LEN(values)];
		struct str text = { 0 };

		for (; *base; base++) {
			if (base[0] == 'X')
				str_add(&text, value);
			else
				str_add_n(&text, base, 1);
		}
		object_free(decode(str_get(&text), DECODE_API, NULL));
		object_free(decode(str_get(&text), DECODE_FILE, NULL));
		str_fini(&text);
	}
}

/* Whether the second version is another pool than the first one. */
static bool
is_change(const char *first, const char *second)
{
	struct world *w = world_new();
	bool changed;

	world_put(w, from_api(first));
	changed = world_put(w, from_api(second));
	world_free(w);
	return changed;
}

#define POOL(metadata, rest)                                                   \
	"apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\n"              \
	"metadata: {name: web, uid: u, " metadata "}\n" rest
#define SPEC "spec: {address: 10.0.0.0/24, priority: 7}\n"

static void
test_manifest(void **state)
{
	const char *first = POOL("resourceVersion: '1'", SPEC);
	enum object_kind kind = OBJECT_EIP;
	struct pool *p = from_api(first);
	struct pool *again = decode(p->o.manifest, DECODE_API, &kind);

	(void)state;
	assert_non_null(again);
	assert_string_equal(again->o.manifest, p->o.manifest);
	assert_int_equal(again->priority, 7);
	assert_int_equal(again->n_ranges, 1);
	object_free(&p->o);
	object_free(&again->o);

	assert_false(is_change(first,
	    POOL("resourceVersion: '2', generation: 3, managedFields: [{}]",
		SPEC "status: {usage: 5}")));
	assert_true(is_change(first,
	    POOL("", "spec: {address: 10.0.0.0/24, priority: 8}")));
	assert_true(is_change(first, POOL("labels: {a: b}", SPEC)));
	assert_true(is_change(first, POOL("annotations: {a: b}", SPEC)));
	assert_true(is_change(first,
	    POOL("deletionTimestamp: '2026-01-01T00:00:00Z'", SPEC)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_plain),
		cmocka_unit_test(test_service_whole),
		cmocka_unit_test(test_service_unknown_annotation),
		cmocka_unit_test(test_service_wishes),
		cmocka_unit_test(test_service_status),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_eip),
		cmocka_unit_test(test_eip_defaults),
		cmocka_unit_test(test_eip_selectors),
		cmocka_unit_test(test_bgp),
		cmocka_unit_test(test_bgp_peer),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
