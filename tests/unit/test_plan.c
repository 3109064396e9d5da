/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decisions: who is ours, who gets which address, and that nothing moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "plan/backends.h"

#define POOL_HEAD "---\napiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\n"
#define POOL(name, meta, spec)                                                 \
	POOL_HEAD "metadata: {name: " name meta "}\nspec: {" spec "}\n"
#define DEFAULT_POOL                                                           \
	", annotations: {eip.openelb.kubesphere.io/is-default-eip: \"true\"}"
#define SERVICE(ns, name, meta, spec)                                          \
	"---\napiVersion: v1\nkind: Service\n"                                 \
	"metadata: {namespace: " ns ", name: " name meta "}\n"                 \
	"spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "         \
	"ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv4]" spec "}\n"
#define PORTLESS(name, annotations)                                            \
	"---\napiVersion: v1\nkind: Service\n"                                 \
	"metadata: {namespace: default, name: " name                           \
	", annotations: {" annotations "}}\n"                                  \
	"spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "         \
	"ports: [{port: 80}], ipFamilies: [IPv4]}\n"
#define WEB(name) SERVICE("default", name, "", "")
#define ASK(address) ", annotations: {eipd.io/addresses: \"" address "\"}"

static void
expect_message(struct fixture *fx, const char *name, const char *part)
{
	char *got = fixture_message(fx, "default", name);

	if (!strstr(got, part))
		fail_msg("\"%s\" is not in \"%s\"", part, got);
	free(got);
}

/* ---- one pass over fresh objects ---- */

static const struct plan_case {
	const char *name;
	const char *objects;
	const char *want;
} cases[] = {
	{ "the lowest free address of the default pool, in order of key",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.10-192.0.2.12") WEB("b")
		WEB("a"),
	    "default/a=192.0.2.10(p) default/b=192.0.2.11(p)" },
	{ "an unbound pool that is no default serves nobody unasked",
	    POOL("p", "", "address: 192.0.2.10") WEB("a"),
	    "default/a!NoAddress" },
	{ "a pool may be named",
	    POOL("p", "", "address: 192.0.2.10")
		SERVICE("default", "a", ", annotations: {eipd.io/pool: p}", ""),
	    "default/a=192.0.2.10(p)" },
	{ "bound by namespace before default; higher priority first",
	    POOL("d", DEFAULT_POOL, "address: 192.0.2.1") POOL("lo", "",
		"address: 192.0.2.20, namespaces: [default], priority: 1")
		POOL("hi", "",
		    "address: 192.0.2.30, namespaces: [default], "
		    "priority: 5") WEB("a") WEB("b") WEB("c"),
	    "default/a=192.0.2.30(hi) default/b=192.0.2.20(lo) "
	    "default/c!NoAddress" },
	{ "bound by service selector",
	    POOL("p", "",
		"address: 192.0.2.1, serviceSelector: {matchLabels: {t: x}}")
		SERVICE("default", "a", ", labels: {t: x}", "")
		    SERVICE("default", "b", ", labels: {t: y}", ""),
	    "default/a=192.0.2.1(p) default/b!NoAddress" },
	{ "excluded and buggy addresses are skipped",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.0/30, exclude: [192.0.2.1], "
		"avoidBuggyIPs: true") WEB("a") WEB("b"),
	    "default/a=192.0.2.2(p) default/b=192.0.2.3(p)" },
	{ "who asks for an address is served before who does not",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.2") WEB("a")
		SERVICE("default", "z", ASK("192.0.2.1"), ""),
	    "default/a=192.0.2.2(p) default/z=192.0.2.1(p)" },
	{ "a requested address that is outside is refused, not replaced",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1")
		SERVICE("default", "a", ASK("192.0.2.9"), ""),
	    "default/a!AddressUnavailable" },
	{ "dual-stack takes one of each family, in order of ipFamilies",
	    POOL("four", DEFAULT_POOL, "address: 192.0.2.1") POOL("six",
		DEFAULT_POOL,
		"address: \"2001:db8::/126\"") "---\napiVersion: v1\nkind: Service\n"
					       "metadata: {namespace: default, name: a}\n"
					       "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
					       "ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv6, IPv4], "
					       "ipFamilyPolicy: RequireDualStack}\n",
	    "default/a=2001:db8::(six)+192.0.2.1(four)" },
	{ "RequireDualStack is both or nothing",
	    POOL("four", DEFAULT_POOL,
		"address: 192.0.2.1") "---\napiVersion: v1\nkind: Service\n"
				      "metadata: {namespace: default, name: a}\n"
				      "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
				      "ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv4, IPv6], "
				      "ipFamilyPolicy: RequireDualStack}\n",
	    "default/a!NoAddress" },
	{ "PreferDualStack takes what there is",
	    POOL("four", DEFAULT_POOL,
		"address: 192.0.2.1") "---\napiVersion: v1\nkind: Service\n"
				      "metadata: {namespace: default, name: a}\n"
				      "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
				      "ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv4, IPv6], "
				      "ipFamilyPolicy: PreferDualStack}\n",
	    "default/a=192.0.2.1(four)" },
	{ "another class is not ours; the OpenELB annotation is",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.9") "---\napiVersion: v1\nkind: Service\n"
						"metadata: {namespace: default, name: other}\n"
						"spec: {type: LoadBalancer, loadBalancerClass: x.io/y, "
						"ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv4]}\n"
						"---\napiVersion: v1\nkind: Service\n"
						"metadata: {namespace: default, name: none}\n"
						"spec: {type: LoadBalancer, ports: [{port: 80, nodePort: 30080}], "
						"ipFamilies: [IPv4]}\n"
						"---\napiVersion: v1\nkind: Service\n"
						"metadata: {namespace: default, name: old, annotations: "
						"{lb.kubesphere.io/v1alpha1: porter}}\n"
						"spec: {type: LoadBalancer, ports: [{port: 80, nodePort: 30080}], "
						"ipFamilies: [IPv4]}\n",
	    "default/old=192.0.2.1(p)" },
	{ "two that ask for one address in one namespace share it",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") SERVICE("default",
		"a", ASK("192.0.2.1"),
		"") "---\napiVersion: v1\nkind: Service\n"
		    "metadata: {namespace: default, name: b" ASK(
			"192.0.2.1") "}\n"
				     "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
				     "ports: [{port: 443, nodePort: 30443}], ipFamilies: [IPv4]}\n",
	    "default/a=192.0.2.1(p) default/b=192.0.2.1(p)" },
	{ "not with a port in common, not over namespaces",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") SERVICE("default",
		"a", ASK("192.0.2.1"),
		"") SERVICE("default", "b", ASK("192.0.2.1"),
		"") "---\napiVersion: v1\nkind: Service\n"
		    "metadata: {namespace: other, name: c" ASK(
			"192.0.2.1") "}\n"
				     "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
				     "ports: [{port: 443, nodePort: 30443}], ipFamilies: [IPv4]}\n",
	    "default/a=192.0.2.1(p) default/b!AddressUnavailable "
	    "other/c!AddressUnavailable" },
	{ "a sharing key brings Services of any namespace together",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.9") SERVICE("default", "a",
		", annotations: {eipd.io/share: k}",
		"") "---\napiVersion: v1\nkind: Service\n"
		    "metadata: {namespace: other, name: c, annotations: "
		    "{eipd.io/share: k}}\n"
		    "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
		    "ports: [{port: 443, nodePort: 30443}], ipFamilies: [IPv4]}\n",
	    "default/a=192.0.2.1(p) other/c=192.0.2.1(p)" },
	{ "what the status shows already is adopted",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.9")
		SERVICE("default", "a", "",
		    "}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}"),
	    "default/a=192.0.2.7(p)" },
	{ "source ranges that would not be enforced: no address",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.9") SERVICE("default", "a", "",
		", loadBalancerSourceRanges: [10.0.0.0/8]") SERVICE("default",
		"b", "", ", loadBalancerSourceRanges: [0.0.0.0/0]"),
	    "default/a!NotSupported default/b=192.0.2.1(p)" },
	{ "no node port, no address",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") PORTLESS("a", ""),
	    "default/a!NoNodePort" },
	{ "a pool says where packets go, and whether they can",
	    POOL("e", "", "address: 192.0.2.1-192.0.2.2, backends: endpoint")
		POOL("n", "", "address: 192.0.2.9, backends: node")
		    PORTLESS("a", "eipd.io/pool: n") PORTLESS("b",
			"eipd.io/pool: e, eipd.io/backends: nodeport")
			PORTLESS("c", "eipd.io/pool: e"),
	    "default/a!NotSupported default/b!NoNodePort "
	    "default/c=192.0.2.1(e)" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture fx;

		fixture_init(&fx);
		print_message("%s\n", cases[i].name);
		fixture_apply(&fx, "k", cases[i].objects);
		fixture_pass(&fx);
		fixture_expect(&fx, cases[i].want);
		/* The next pass changes nothing. */
		fixture_pass(&fx);
		fixture_expect(&fx, cases[i].want);
		fixture_fini(&fx);
	}
}

/* ---- nothing moves ---- */

static const struct {
	const char *name;
	const char *change;
} harmless[] = {
	{ "disabled",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.2, disable: true") },
	{ "shrunk", POOL("p", DEFAULT_POOL, "address: 192.0.2.9") },
	{ "no longer default", POOL("p", "", "address: 192.0.2.1-192.0.2.2") },
	{ "bound to others",
	    POOL("p", "",
		"address: 192.0.2.1-192.0.2.2, namespaces: [elsewhere]") },
	{ "another pool with a higher priority",
	    POOL("q", DEFAULT_POOL, "address: 192.0.2.50, priority: 9") },
	{ "passive now",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.2, protocol: passive") },
};

static void
test_nothing_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		struct fixture fx;

		print_message("pool %s\n", harmless[i].name);
		fixture_init(&fx);
		fixture_apply(&fx, "k",
		    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.2")
			WEB("a") WEB("b"));
		fixture_pass(&fx);
		fixture_apply(&fx, "k", harmless[i].change);
		fixture_pass(&fx);
		fixture_expect(&fx,
		    "default/a=192.0.2.1(p) default/b=192.0.2.2(p)");
		fixture_fini(&fx);
	}
}

static void
test_pool_deleted(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") WEB("a") WEB("b"));
	fixture_pass(&fx);
	fixture_remove(&fx, OBJECT_EIP, "k", "", "p");
	fixture_pass(&fx);
	fixture_expect(&fx, "default/a=192.0.2.1(p) default/b!NoAddress");
	fixture_fini(&fx);
}

/* ---- after a Service goes ---- */

static void
test_quarantine_then_sticky(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL,
		"address: 192.0.2.1-192.0.2.2, quarantine: 60s, sticky: 1h")
		WEB("a"));
	fixture_pass(&fx);
	fixture_remove(&fx, OBJECT_SERVICE, "k", "default", "a");
	fixture_pass(&fx);

	/* Quarantined: nobody else gets it, even if nothing else is left. */
	fixture_apply(&fx, "k", WEB("b") WEB("c"));
	fixture_pass(&fx);
	fixture_expect(&fx, "default/b=192.0.2.2(p) default/c!NoAddress");

	/* Sticky: when nothing free is left, others get it. */
	fx.now += 61;
	plan_cache_addresses_freed(fx.cache);
	fixture_pass(&fx);
	fixture_expect(&fx, "default/b=192.0.2.2(p) default/c=192.0.2.1(p)");
	fixture_fini(&fx);
}

static void
test_returns_to_its_address(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.9") WEB("a")
		WEB("b"));
	fixture_pass(&fx);
	fixture_remove(&fx, OBJECT_SERVICE, "k", "default", "b");
	fixture_pass(&fx);
	fixture_apply(&fx, "k", WEB("c"));
	fixture_pass(&fx);
	fixture_expect(&fx, "default/a=192.0.2.1(p) default/c=192.0.2.3(p)");
	fixture_apply(&fx, "k", WEB("b"));
	fixture_pass(&fx);
	fixture_expect(&fx,
	    "default/a=192.0.2.1(p) default/b=192.0.2.2(p) "
	    "default/c=192.0.2.3(p)");
	fixture_fini(&fx);
}

static void
test_request_moves_it(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.9") WEB("a"));
	fixture_pass(&fx);
	fixture_apply(&fx, "k", SERVICE("default", "a", ASK("192.0.2.5"), ""));
	fixture_pass(&fx);
	fixture_expect(&fx, "default/a=192.0.2.5(p)");
	fixture_apply(&fx, "k", WEB("b"));
	fixture_pass(&fx);
	fixture_expect(&fx, "default/a=192.0.2.5(p) default/b=192.0.2.2(p)");
	fixture_fini(&fx);
}

static void
test_reservation(void **state)
{
	struct fixture fx;
	struct lease_op op = { .kind = LEASE_OP_RESERVE,
		.lease = { .cluster = "",
		    .ns = "default",
		    .name = "z",
		    .uid = "",
		    .pool = "p" },
		.event = "reserved",
		.reason = "" };

	(void)state;
	fixture_init(&fx);
	assert_int_equal(addr_parse("192.0.2.1", &op.lease.address), 0);
	lease_table_apply(fx.leases, &op);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1-192.0.2.9") WEB("a")
		WEB("z") SERVICE("default", "q", ASK("192.0.2.1"), ""));
	fixture_pass(&fx);
	fixture_expect(&fx,
	    "default/a=192.0.2.2(p) default/q!AddressUnavailable "
	    "default/z=192.0.2.1(p)");
	expect_message(&fx, "q", "reserved for default/z");
	fixture_fini(&fx);
}

/* ---- messages ---- */

static void
test_message_names_each_pool(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("full", DEFAULT_POOL, "address: 192.0.2.1")
		POOL("off", DEFAULT_POOL, "address: 192.0.2.5, disable: true")
		    POOL("theirs", "", "address: 192.0.2.6, namespaces: [x]")
			WEB("a") WEB("b"));
	fixture_pass(&fx);
	expect_message(&fx, "b", "pool full: no address is free");
	expect_message(&fx, "b", "pool off: disabled");
	expect_message(&fx, "b", "pool theirs: bound to other");
	fixture_fini(&fx);
}

/* ---- backends ---- */

#define NODE(name, four, extra)                                                \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: " name extra        \
	"}\nstatus: {addresses: [{type: InternalIP, address: " four            \
	"}], conditions: [{type: Ready, status: \"True\"}]}\n"

#define SLICE(name, endpoints)                                                 \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"          \
	"metadata: {namespace: default, name: " name                           \
	", labels: {kubernetes.io/service-name: a}}\naddressType: IPv4\n"      \
	"ports: [{name: \"\", port: 8080}]\nendpoints: [" endpoints "]\n"

static void
expect_backends(struct fixture *fx, const char *want)
{
	char *got = fixture_show_backends(fx, "default", "a");

	assert_string_equal(got, want);
	free(got);
}

static void
test_backends(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fx.conf.probe_on = true;
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") WEB("a")
		NODE("n2", "10.0.0.2", "") NODE("n1", "10.0.0.1", "")
		    NODE("cp", "10.0.0.9",
			", labels: {node.kubernetes.io/"
			"exclude-from-external-load-balancers: \"\"}"));
	fixture_pass(&fx);
	/* No probe has answered: fail open, but nothing is known to fail. */
	expect_backends(&fx,
	    "192.0.2.1:80/TCP -> 10.0.0.1:30080(degraded) "
	    "10.0.0.2:30080(degraded)");
	world_set_probe(fx.world, "k", "n1", PROBE_UP);
	expect_backends(&fx,
	    "192.0.2.1:80/TCP -> 10.0.0.1:30080(active) "
	    "10.0.0.2:30080(down)");
	world_set_probe(fx.world, "k", "n2", PROBE_UP);
	world_set_probe(fx.world, "k", "n1", PROBE_DOWN);
	expect_backends(&fx,
	    "192.0.2.1:80/TCP -> 10.0.0.1:30080(down) "
	    "10.0.0.2:30080(active)");
	world_set_probe(fx.world, "k", "n2", PROBE_UNKNOWN);
	expect_backends(&fx,
	    "192.0.2.1:80/TCP -> 10.0.0.1:30080(degraded) "
	    "10.0.0.2:30080(degraded)");
	world_set_probe(fx.world, "k", "n2", PROBE_DOWN);
	expect_backends(&fx,
	    "192.0.2.1:80/TCP -> 10.0.0.1:30080(degraded) "
	    "10.0.0.2:30080(degraded)\ndegraded");
	fixture_fini(&fx);
}

static void
test_local_policy(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1")
		SERVICE("default", "a", "", ", externalTrafficPolicy: Local")
		    NODE("n1", "10.0.0.1", "") NODE("n2", "10.0.0.2", "")
			SLICE("a-1",
			    "{addresses: [10.9.0.1], nodeName: n2}, "
			    "{addresses: [10.9.0.2], nodeName: n1, conditions: "
			    "{ready: false}}"));
	fixture_pass(&fx);
	expect_backends(&fx, "192.0.2.1:80/TCP -> 10.0.0.2:30080(active)");
	fixture_remove(&fx, OBJECT_SLICE, "k", "default", "a-1");
	expect_backends(&fx, "192.0.2.1:80/TCP ->");
	fixture_fini(&fx);
}

static size_t
count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* Of the Service "a" of these objects. */
static void
expect_counts(struct str *objects, size_t n_active, size_t n_draining)
{
	struct fixture fx;
	char *got;

	fixture_init(&fx);
	fixture_apply(&fx, "k", str_get(objects));
	str_fini(objects);
	fixture_pass(&fx);
	got = fixture_show_backends(&fx, "default", "a");
	assert_int_equal(count(got, "(active)"), n_active);
	assert_int_equal(count(got, "(draining)"), n_draining);
	free(got);
	fixture_fini(&fx);
}

/* Each node has a pod of its own, which nobody else would send to. */
static void
test_local_uses_all_nodes(void **state)
{
	struct str yaml = { 0 };

	(void)state;
	str_add(&yaml,
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1")
		SERVICE("default", "a", "", ", externalTrafficPolicy: Local"));
	for (int i = 0; i < 100; i++)
		str_printf(&yaml,
		    NODE("n%d", "10.0.0.%d", "")
			SLICE("s%d", "{addresses: [10.9.0.%d], nodeName: n%d}"),
		    i, i + 1, i, i + 1, i);
	expect_counts(&yaml, 100, 0);
}

/* In the middle of a rollout, more than there is room for: who is ready comes
 * before who ends, and one that one of two slices calls ready is. */
static void
test_endpoints_that_end(void **state)
{
	struct str yaml = { 0 };

	(void)state;
	str_add(&yaml,
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1, backends: endpoint")
		PORTLESS("a", "") SLICE("again", "{addresses: [10.9.0.1]}"));
	for (int i = 0; i < 200; i++)
		str_printf(&yaml,
		    SLICE("s%d",
			"{addresses: [10.9.0.%d], conditions: {ready: %s}}"),
		    i, i + 1, i < 150 ? "false" : "true");
	expect_counts(&yaml, 51, 128 - 51);
}

static void
test_subset_is_stable(void **state)
{
	struct fixture fx;
	char yaml[400];
	char *before;
	char *after;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") WEB("a"));
	for (int i = 0; i < 300; i++) {
		snprintf(yaml, sizeof(yaml), NODE("n%d", "10.0.%d.%d", ""), i,
		    i / 200, i % 200 + 1);
		fixture_apply(&fx, "k", yaml);
	}
	fixture_pass(&fx);
	before = fixture_show_backends(&fx, "default", "a");
	assert_int_equal(count(before, "(active)"), 32);
	/* A node that is not in the subset may go unnoticed. */
	for (int i = 0; i < 300; i++) {
		char addr[40];

		snprintf(addr, sizeof(addr), " 10.0.%d.%d:", i / 200,
		    i % 200 + 1);
		if (strstr(before, addr))
			continue;
		snprintf(addr, sizeof(addr), "n%d", i);
		fixture_remove(&fx, OBJECT_NODE, "k", "", addr);
		break;
	}
	after = fixture_show_backends(&fx, "default", "a");
	assert_string_equal(before, after);
	free(before);
	free(after);
	fixture_fini(&fx);
}

static void
set_node(struct fixture *fx, int i, bool is_ready)
{
	char yaml[400];

	snprintf(yaml, sizeof(yaml),
	    "apiVersion: v1\nkind: Node\nmetadata: {name: n%d}\n"
	    "status: {addresses: [{type: InternalIP, address: 10.0.0.%d}], "
	    "conditions: [{type: Ready, status: \"%s\"}]}\n",
	    i, i + 1, is_ready ? "True" : "False");
	fixture_apply(fx, "k", yaml);
}

/* Whatever happens to a node: a Service that it is not said to matter to has
 * the backends that it had. */
static void
test_nodes_that_matter(void **state)
{
	enum {
		NODES = 80,
		STEPS = 600
	};
	unsigned int n_spared = 0;
	unsigned int random = 1;
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("p", DEFAULT_POOL, "address: 192.0.2.1") WEB("a"));
	fixture_pass(&fx);
	for (int step = 0; step < STEPS; step++) {
		struct plan_input in = fixture_input(&fx);
		struct decision *d = plan_service(&in,
		    (const struct service *)world_get(fx.world, OBJECT_SERVICE,
			"k", "default", "a"));
		char *before = fixture_show_backends(&fx, "default", "a");
		char node[20];
		char *after;
		int i;

		random = random * 1103515245 + 12345;
		i = (int)(random >> 16) % NODES;
		snprintf(node, sizeof(node), "n%d", i);
		/* Up to all of them ready, then down to none. */
		if ((int)(random >> 8 & 0xff) < (step < STEPS / 2 ? 192 : 16))
			set_node(&fx, i, true);
		else if (random >> 7 & 1)
			set_node(&fx, i, false);
		else
			fixture_remove(&fx, OBJECT_NODE, "k", "", node);
		after = fixture_show_backends(&fx, "default", "a");
		if (!backends_may_use(d, "default", "a", node)) {
			assert_string_equal(before, after);
			n_spared++;
		}
		decision_free(d);
		free(before);
		free(after);
	}
	assert_true(n_spared > STEPS / 8);
	fixture_fini(&fx);
}

static void
check_pools(const struct fixture *fx, const char *want)
{
	struct str got = { 0 };
	size_t n;
	const struct pool *const *pools = world_pools(fx->world, &n);

	for (size_t i = 0; i < n; i++)
		str_printf(&got, "%s%s/%s", i ? " " : "", pools[i]->o.cluster,
		    pools[i]->o.name);
	assert_string_equal(str_get(&got), want);
	str_fini(&got);
}

static void
test_pools_in_order(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	fixture_apply(&fx, "k",
	    POOL("c", "", "address: 192.0.2.3")
		POOL("a", "", "address: 192.0.2.1")
		    POOL("b", "", "address: 192.0.2.2, priority: 5"));
	check_pools(&fx, "k/b k/a k/c");
	fixture_apply(&fx, "k",
	    POOL("a", "", "address: 192.0.2.1, priority: 9"));
	check_pools(&fx, "k/a k/b k/c");
	fixture_apply(&fx, "static", POOL("b", "", "address: 192.0.2.2"));
	check_pools(&fx, "k/a static/b k/c");
	fixture_apply(&fx, "k",
	    POOL("b", "", "address: 192.0.2.2, priority: 7"));
	check_pools(&fx, "k/a static/b k/c");
	fixture_remove(&fx, OBJECT_EIP, "static", "", "b");
	check_pools(&fx, "k/a k/b k/c");
	fixture_remove(&fx, OBJECT_EIP, "k", "", "a");
	check_pools(&fx, "k/b k/c");
	fixture_fini(&fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_nothing_moves),
		cmocka_unit_test(test_pool_deleted),
		cmocka_unit_test(test_quarantine_then_sticky),
		cmocka_unit_test(test_returns_to_its_address),
		cmocka_unit_test(test_request_moves_it),
		cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_message_names_each_pool),
		cmocka_unit_test(test_backends),
		cmocka_unit_test(test_local_policy),
		cmocka_unit_test(test_local_uses_all_nodes),
		cmocka_unit_test(test_endpoints_that_end),
		cmocka_unit_test(test_subset_is_stable),
		cmocka_unit_test(test_nodes_that_matter),
		cmocka_unit_test(test_pools_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
