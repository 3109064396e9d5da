/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that several Services have held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "fixture.h"

static void
expect(struct fixture *fx, const char *want)
{
	char *got = fixture_show(fx);

	assert_string_equal(got, want);
	free(got);
}

static void
apply_pool(struct fixture *fx, const char *spec)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\n"
	    "metadata: {name: p, annotations: "
	    "{eip.openelb.kubesphere.io/is-default-eip: \"true\"}}\n"
	    "spec: {%s}\n",
	    spec);
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
		apply_pool(&fx, "address: 192.0.2.5-192.0.2.9");
		apply_service(&fx, "a", 80, sharing[i]);
		apply_service(&fx, "b", 81, sharing[i]);
		fixture_pass(&fx);
		expect(&fx, "default/a=192.0.2.5(p) default/b=192.0.2.5(p)");
		remove_service(&fx, "a");
		remove_service(&fx, "b");
		apply_service(&fx, "b", 81, sharing[i]);
		fixture_pass(&fx);
		expect(&fx, "default/b=192.0.2.5(p)");
		apply_service(&fx, "a", 80, sharing[i]);
		fixture_pass(&fx);
		expect(&fx, "default/a=192.0.2.5(p) default/b=192.0.2.5(p)");
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
	apply_pool(&fx,
	    "address: 192.0.2.5-192.0.2.9, quarantine: 0s, sticky: 1h");
	apply_service(&fx, "a", 80, sharing[1]);
	apply_service(&fx, "b", 80, sharing[1]);
	apply_service(&fx, "c", 81, sharing[1]);
	apply_service(&fx, "d", 81, sharing[1]);
	fixture_pass(&fx);
	expect(&fx,
	    "default/a=192.0.2.5(p) default/b=192.0.2.6(p) "
	    "default/c=192.0.2.5(p) default/d=192.0.2.6(p)");
	remove_service(&fx, "c");
	remove_service(&fx, "d");
	apply_service(&fx, "d", 81, sharing[1]);
	fixture_pass(&fx);
	expect(&fx,
	    "default/a=192.0.2.5(p) default/b=192.0.2.6(p) "
	    "default/d=192.0.2.6(p)");
	fixture_fini(&fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharers_return),
		cmocka_unit_test(test_sharer_returns_to_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
