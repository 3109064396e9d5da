/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that several Services have held, and why there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "fixture.h"

static void
apply_pool(struct fixture *fx, const char *name, const char *spec)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\n"
	    "metadata: {name: %s, annotations: "
	    "{eip.openelb.kubesphere.io/is-default-eip: \"true\"}}\n"
	    "spec: {%s}\n",
	    name, spec);
	fixture_apply(fx, "k", text);
}

static void
apply_service(struct fixture *fx, const char *name, int port,
    const char *annotation)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "apiVersion: v1\nkind: Service\n"
	    "metadata: {namespace: default, name: %s, annotations: {%s}}\n"
	    "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
	    "ports: [{port: %d, nodePort: 30080}], ipFamilies: [IPv4]}\n",
	    name, annotation, port);
	fixture_apply(fx, "k", text);
}

static void
remove_service(struct fixture *fx, const char *name)
{
	fixture_remove(fx, OBJECT_SERVICE, "k", "default", name);
	fixture_pass(fx);
}

static const char *const sharing[] = { "eipd.io/addresses: 192.0.2.5",
	"eipd.io/share: k" };

/* Who shared it does not keep it from the others, whoever is back first. */
static void
test_sharers_return(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sharing); i++) {
		struct fixture fx;

		fixture_init(&fx);
		apply_pool(&fx, "p", "address: 192.0.2.5-192.0.2.9");
		apply_service(&fx, "a", 80, sharing[i]);
		apply_service(&fx, "b", 81, sharing[i]);
		fixture_pass(&fx);
		fixture_expect(&fx,
		    "default/a=192.0.2.5(p) default/b=192.0.2.5(p)");
		remove_service(&fx, "a");
		remove_service(&fx, "b");
		apply_service(&fx, "b", 81, sharing[i]);
		fixture_pass(&fx);
		fixture_expect(&fx, "default/b=192.0.2.5(p)");
		apply_service(&fx, "a", 80, sharing[i]);
		fixture_pass(&fx);
		fixture_expect(&fx,
		    "default/a=192.0.2.5(p) default/b=192.0.2.5(p)");
		fixture_fini(&fx);
	}
}

/* Not to the lower one that has its key and its port free by now. */
static void
test_sharer_returns_to_its_own(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "p",
	    "address: 192.0.2.5-192.0.2.9, quarantine: 0s, sticky: 1h");
	apply_service(&fx, "a", 80, sharing[1]);
	apply_service(&fx, "b", 80, sharing[1]);
	apply_service(&fx, "c", 81, sharing[1]);
	apply_service(&fx, "d", 81, sharing[1]);
	fixture_pass(&fx);
	fixture_expect(&fx,
	    "default/a=192.0.2.5(p) default/b=192.0.2.6(p) "
	    "default/c=192.0.2.5(p) default/d=192.0.2.6(p)");
	remove_service(&fx, "c");
	remove_service(&fx, "d");
	apply_service(&fx, "d", 81, sharing[1]);
	fixture_pass(&fx);
	fixture_expect(&fx,
	    "default/a=192.0.2.5(p) default/b=192.0.2.6(p) "
	    "default/d=192.0.2.6(p)");
	fixture_fini(&fx);
}

/* ---- why there is none ---- */

static void
expect_message(struct fixture *fx, const char *name, const char *want)
{
	char *got = fixture_message(fx, "default", name);

	assert_string_equal(got, want);
	free(got);
}

/* What `explain` shows of a pool. */
static void
expect_candidate(struct fixture *fx, const char *name, const char *pool,
    const char *want)
{
	struct plan_input in = fixture_input(fx);
	struct decision *d = plan_service(&in,
	    (const struct service *)world_get(fx->world, OBJECT_SERVICE, "k",
		"default", name));
	const char *got = "";

	for (size_t i = 0; i < d->n_candidates; i++)
		if (strcmp(d->candidates[i].pool, pool) == 0)
			got = d->candidates[i].text;
	assert_string_equal(got, want);
	decision_free(d);
}

static void
test_second_family_is_full(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "four", "address: 192.0.2.1");
	apply_pool(&fx, "six", "address: \"2001:db8::1\", disable: true");
	fixture_apply(&fx, "k",
	    "apiVersion: v1\nkind: Service\n"
	    "metadata: {namespace: default, name: a}\n"
	    "spec: {type: LoadBalancer, loadBalancerClass: eipd.io/eipd, "
	    "ports: [{port: 80, nodePort: 30080}], ipFamilies: [IPv4, IPv6], "
	    "ipFamilyPolicy: RequireDualStack}\n");
	fixture_pass(&fx);
	expect_message(&fx, "a",
	    "no IPv6 address: pool four: has no IPv6 address; "
	    "pool six: disabled");
	fixture_fini(&fx);
}

static void
test_refused_address_and_pools(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "p", "address: 192.0.2.5-192.0.2.9");
	apply_pool(&fx, "q", "address: 192.0.2.20");
	apply_service(&fx, "a", 80, "eipd.io/addresses: 192.0.2.5");
	apply_service(&fx, "b", 80, "eipd.io/addresses: 192.0.2.5");
	fixture_pass(&fx);
	expect_candidate(&fx, "a", "p", "serves");
	expect_candidate(&fx, "b", "p",
	    "held by default/a, which also uses TCP port 80");
	expect_candidate(&fx, "b", "q", "does not have 192.0.2.5");
	fixture_fini(&fx);
}

static void
test_address_that_its_pool_leaves_out(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "p", "address: 192.0.2.0/29, exclude: [192.0.2.5]");
	apply_service(&fx, "a", 80, "eipd.io/addresses: 192.0.2.5");
	apply_service(&fx, "b", 80, "eipd.io/addresses: 192.0.2.8");
	fixture_pass(&fx);
	expect_message(&fx, "a",
	    "192.0.2.5, asked for by eipd.io/addresses, cannot be had: pool p: "
	    "left out by its exclude or avoidBuggyIPs");
	expect_message(&fx, "b",
	    "192.0.2.8, asked for by eipd.io/addresses, cannot be had: outside "
	    "every pool");
	fixture_fini(&fx);
}

static void
test_pool_of_a_later_version(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "p", "address: 192.0.2.5");
	apply_service(&fx, "a", 80, "");
	fixture_pass(&fx);
	apply_pool(&fx, "p", "address: 192.0.2.5, protocol: layer2");
	fixture_expect(&fx, "default/a=192.0.2.5(p)!NotSupported");
	expect_message(&fx, "a",
	    "192.0.2.5 is not announced: protocol layer2 of its pool p is not "
	    "supported by this version");
	fixture_fini(&fx);
}

static void
test_named_pool_is_absent(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx);
	apply_pool(&fx, "p", "address: 192.0.2.5");
	apply_service(&fx, "a", 80, "eipd.io/pool: q");
	apply_service(&fx, "b", 80, "eipd.io/pool: p");
	apply_service(&fx, "c", 80, "eipd.io/pool: p");
	fixture_pass(&fx);
	expect_message(&fx, "a",
	    "no IPv4 address: there is no Eip q, which eipd.io/pool asks for");
	expect_message(&fx, "c", "no IPv4 address: pool p: no address is free");
	fixture_fini(&fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharers_return),
		cmocka_unit_test(test_sharer_returns_to_its_own),
		cmocka_unit_test(test_second_family_is_full),
		cmocka_unit_test(test_refused_address_and_pools),
		cmocka_unit_test(test_address_that_its_pool_leaves_out),
		cmocka_unit_test(test_pool_of_a_later_version),
		cmocka_unit_test(test_named_pool_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
