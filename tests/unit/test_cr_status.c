/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cr_status: what the status of Eip, BgpConf and BgpPeer objects should
 * say.  The writer is ours: it keeps what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/kube_cr_status.h"
#include "base/mem.h"
#include "daemon/app.h"
#include "fixture.h"
#include "sys/loop.h"

static json_t *told; /* "Kind name" to status */

const char *
app_waiting_for(const struct app *app)
{
	(void)app;
	return "";
}

void
kube_cr_status_begin(struct kube_cr_status *writer)
{
	(void)writer;
	json_object_clear(told);
}

void
kube_cr_status_want(struct kube_cr_status *writer, const struct object *o,
    const char *status)
{
	char key[80];

	(void)writer;
	if (o->origin)
		return;
	snprintf(key, sizeof(key), "%s %s", object_kind_name(o->kind), o->name);
	assert_null(json_object_get(told, key));
	json_object_set_new(told, key, json_loads(status, 0, NULL));
}

void
kube_cr_status_end(struct kube_cr_status *writer)
{
	(void)writer;
}

struct state {
	struct fixture fx;
	struct app app;
};

static int
setup(void **state)
{
	struct state *s = mem_new(struct state);
	struct bgp_speaker_hooks hooks = { 0 };
	static char dummy;

	fixture_init(&s->fx);
	told = json_object();
	s->app.conf.cluster_name = "kubernetes";
	s->app.world = s->fx.world;
	s->app.leases = s->fx.leases;
	s->app.loop = loop_new();
	s->app.cr_writer = (struct kube_cr_status *)&dummy;
	s->app.speaker = bgp_speaker_new(s->app.loop, &hooks);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct state *s = *state;

	bgp_speaker_free(s->app.speaker, true);
	loop_free(s->app.loop);
	fixture_fini(&s->fx);
	json_decref(told);
	free(s);
	return 0;
}

static void
pass(struct state *s)
{
	s->app.cr_status_due = 0;
	cr_status_tick(&s->app);
}

static void
expect(const char *key, const char *status)
{
	json_t *want = json_loads(status, JSON_DECODE_ANY, NULL);
	char *got = json_dumps(json_object_get(told, key), JSON_SORT_KEYS);
	char *text = json_dumps(want, JSON_SORT_KEYS);

	assert_non_null(got);
	assert_string_equal(got, text);
	free(got);
	free(text);
	json_decref(want);
}

static void
hold(struct state *s, const char *address, const char *name)
{
	struct lease_op op = { .kind = LEASE_OP_PUT,
		.lease = { .cluster = "kubernetes",
		    .ns = "default",
		    .name = name,
		    .uid = "",
		    .pool = "p",
		    .is_held = true } };

	assert_int_equal(addr_parse(address, &op.lease.address), 0);
	lease_table_apply(s->fx.leases, &op);
}

#define EIP                                                                    \
	"{apiVersion: network.kubesphere.io/v1alpha2, kind: Eip, metadata: {name: "

static void
test_pool(void **state)
{
	struct state *s = *state;

	fixture_apply(&s->fx, "kubernetes",
	    EIP "p}, spec: {address: 192.0.2.1-192.0.2.2}}\n");
	hold(s, "192.0.2.2", "b");
	hold(s, "192.0.2.2", "a");
	hold(s, "192.0.2.1", "a");
	pass(s);
	expect("Eip p",
	    "{\"occupied\":true,\"usage\":2,\"poolSize\":2,\"firstIP\":\"192.0.2.1\",\"lastIP\":\"192.0.2.2\",\"message\":null,\"ready\":true,\"v4\":true,\"used\":{\"192.0.2.1\":\"default/a\",\"192.0.2.2\":\"default/a;default/b\"}}");
}

/* Whatever order they come in, the lowest are listed. */
static void
test_large_pool(void **state)
{
	struct state *s = *state;
	json_t *p;
	json_t *used;

	fixture_apply(&s->fx, "kubernetes",
	    EIP "p}, spec: {address: 10.0.0.0/16}}\n");
	for (unsigned int i = 0; i < 1500; i++) {
		char address[32];
		unsigned int k = (i * 7) % 1500;

		snprintf(address, sizeof(address), "10.0.%u.%u", k >> 8,
		    k & 255);
		hold(s, address, "web");
	}
	pass(s);
	p = json_object_get(told, "Eip p");
	used = json_object_get(p, "used");
	assert_int_equal(json_integer_value(json_object_get(p, "usage")), 1500);
	assert_int_equal(json_object_size(used), 1000);
	assert_non_null(json_object_get(used, "10.0.0.0"));
	assert_non_null(json_object_get(used, "10.0.3.231"));
	assert_null(json_object_get(used, "10.0.3.232"));
	assert_string_equal(json_string_value(json_object_get(p, "message")),
	    "used lists the first 1000 of 1500");
}

/* Nothing changed: nothing is worked out. */
static void
test_only_changes(void **state)
{
	struct state *s = *state;

	fixture_apply(&s->fx, "kubernetes",
	    EIP "p}, spec: {address: 192.0.2.1}}\n");
	pass(s);
	assert_int_equal(json_object_size(told), 1);
	json_object_clear(told);
	hold(s, "192.0.2.1", "a");
	cr_status_tick(&s->app); /* five seconds apart */
	assert_int_equal(json_object_size(told), 0);
	pass(s);
	assert_int_equal(json_object_size(told), 1);
	json_object_clear(told);
	pass(s);
	assert_int_equal(json_object_size(told), 0);
	hold(s, "192.0.2.1", "b");
	pass(s);
	assert_int_equal(json_object_size(told), 1);
}

static void
test_not_in_force(void **state)
{
	struct state *s = *state;

	fixture_apply(&s->fx, "kubernetes",
	    EIP
	    "p}, spec: {address: 192.0.2.1}}\n---\n"
	    "{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpConf, metadata: {name: other}, spec: {as: 1}}\n");
	fixture_apply(&s->fx, CLUSTER_STATIC,
	    EIP "p}, spec: {address: 192.0.2.2}}\n");
	pass(s);
	expect("Eip p",
	    "{\"ready\":false,\"message\":\"it is in an object file of the gateway too, and the file is in force\"}");
	expect("BgpConf other",
	    "{\"message\":\"only the BgpConf named default is in force\"}");
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_pool),
		TEST(test_large_pool),
		TEST(test_only_changes),
		TEST(test_not_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
