/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_remember: what of the cluster outlives the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/tree.h"
#include "daemon/app.h"
#include "source/decode.h"
#include "source/kube.h"
#include "store/store.h"
#include "sys/loop.h"

/* Above what SQLite's own integers hold without a sign. */
#define HERE UINT64_C(0xfedcba9876543210)
#define THERE UINT64_C(7)

enum {
	NOW = 1790000000
};

struct state {
	char dir[64];
	char path[96];
	struct app app;
	struct err err;
};

static uint64_t server_now;

/* ---- what is around it ---- */

void
kube_get_status(const struct kube *kube, struct kube_status *out)
{
	(void)kube;
	*out = (struct kube_status){ .server = server_now };
}

void
adopt_database_failed(struct app *app, const struct err *err)
{
	(void)app;
	fail_msg("%s", err->text);
}

static void
sink_put(void *arg, struct object *o)
{
	struct app *app = arg;

	world_put(app->world, o);
	remember_schedule(app);
}

static void
on_gone(void *arg, const struct object *o)
{
	(void)o;
	remember_schedule(arg);
}

/* ---- a process and its end ---- */

static void
open_store(struct state *s)
{
	struct lease_table *table = lease_table_new();
	bool was_lost;

	s->app.store = store_new(s->path);
	if (store_open(s->app.store, table, NOW, &was_lost, &s->err) < 0)
		fail_msg("%s", s->err.text);
	lease_table_free(table);
}

static void
begin(struct state *s)
{
	static char dummy;

	s->app = (struct app){ .loop = loop_new(),
		.world = world_new(),
		.conf.cluster_name = "kubernetes",
		.kube = (struct kube *)&dummy,
		.sink = { .put = sink_put, .arg = &s->app } };
	open_store(s);
}

static void
end(struct state *s)
{
	loop_forget(s->app.loop, &s->app);
	world_free(s->app.world);
	store_free(s->app.store);
	loop_free(s->app.loop);
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
turn(struct state *s)
{
	loop_defer(s->app.loop, stop, s->app.loop);
	loop_run(s->app.loop);
}

static int
setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/eipd-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/eipd.db", s->dir);
	server_now = HERE;
	begin(s);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct state *s = *state;
	char command[96];

	end(s);
	snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void
start_again(struct state *s, uint64_t server)
{
	end(s);
	begin(s);
	remember_recall(&s->app, server);
}

/* ---- what the API server says ---- */

static void
put(struct state *s, const char *json)
{
	struct arena arena = { 0 };
	struct object *o = NULL;
	const struct tree *t;

	if (tree_parse_json(json, strlen(json), &arena, &t, &s->err) < 0 ||
	    decode_object(t, NULL, s->app.conf.cluster_name, DECODE_API, &o,
		NULL, &s->err) < 0)
		fail_msg("%s", s->err.text);
	arena_fini(&arena);
	s->app.sink.put(&s->app, o);
}

#define OBJECT(kind, name, rest)                                               \
	"{\"apiVersion\":\"network.kubesphere.io/v1alpha2\",\"kind\":\"" kind  \
	"\",\"metadata\":{\"name\":\"" name "\"}," rest "}"
#define EIP(name, net)                                                         \
	OBJECT("Eip", name, "\"spec\":{\"address\":\"" net ".0/24\"}")
#define PEER                                                                   \
	OBJECT("BgpPeer", "tor",                                               \
	    "\"spec\":{\"conf\":{\"neighborAddress\":\"10.0.0.1\","            \
	    "\"peerAs\":64500,\"authPassword\":\"secret\"}}")

static void
list_begin(struct state *s, enum object_kind kind)
{
	world_list_begin(s->app.world, kind, s->app.conf.cluster_name);
	remember_list_begin(&s->app, kind, s->app.conf.cluster_name);
}

static void
list_end(struct state *s, enum object_kind kind)
{
	world_list_end(s->app.world, kind, s->app.conf.cluster_name, on_gone,
	    &s->app);
	remember_list_end(&s->app, kind, s->app.conf.cluster_name);
	turn(s);
}

static void
list_eips(struct state *s, const char *one, const char *other)
{
	list_begin(s, OBJECT_EIP);
	if (one)
		put(s, one);
	if (other)
		put(s, other);
	list_end(s, OBJECT_EIP);
}

static void
assert_pools(struct state *s, const char *want)
{
	struct str got = { 0 };
	size_t n;
	const struct object **all = world_list(s->app.world, OBJECT_EIP, &n);

	for (size_t i = 0; i < n; i++)
		str_printf(&got, "%s ", all[i]->name);
	assert_string_equal(str_get(&got), want);
	free(all);
	str_fini(&got);
}

/* ---- tests ---- */

static void
test_restart(void **state)
{
	struct state *s = *state;
	const struct bgp_peer **peers;
	size_t n;

	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.2.0"));
	list_begin(s, OBJECT_BGP_PEER);
	put(s, PEER);
	list_end(s, OBJECT_BGP_PEER);
	assert_int_equal(remember_count(&s->app), 0);

	start_again(s, HERE);
	assert_pools(s, "a b ");
	assert_int_equal(remember_count(&s->app), 3);
	peers = world_bgp_peers(s->app.world, &n);
	assert_int_equal(n, 1);
	assert_string_equal(peers[0]->password, "secret");
	assert_string_equal(peers[0]->o.cluster, "kubernetes");
	free(peers);

	/* The first list, which says the same, confirms and writes nothing. */
	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.2.0"));
	assert_int_equal(remember_count(&s->app), 1);
	assert_int_equal(store_stats(s->app.store)->commits, 0);

	/* A change of the watch is saved at once. */
	put(s, EIP("a", "10.3.0"));
	turn(s);
	assert_int_equal(store_stats(s->app.store)->commits, 1);
	start_again(s, HERE);
	assert_true(world_pool(s->app.world, "a")->ranges[0].first.b[1] == 3);
}

static void
test_gone_when_listed(void **state)
{
	struct state *s = *state;

	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.2.0"));
	start_again(s, HERE);

	/* A list that does not come to its end takes nothing away. */
	list_begin(s, OBJECT_EIP);
	put(s, EIP("b", "10.2.0"));
	turn(s);
	assert_pools(s, "a b ");
	start_again(s, HERE);
	assert_pools(s, "a b ");

	list_eips(s, EIP("b", "10.2.0"), NULL);
	assert_pools(s, "b ");
	start_again(s, HERE);
	assert_pools(s, "b ");
}

static void
test_other_cluster(void **state)
{
	struct state *s = *state;

	list_eips(s, EIP("a", "10.1.0"), NULL);
	start_again(s, THERE);
	assert_pools(s, "");
	start_again(s, 0); /* no kubeconfig that can be read */
	assert_pools(s, "");
	start_again(s, HERE);
	assert_pools(s, "a ");

	/* Attached while running: until its list is whole, what is kept is
	 * still the old one's. */
	server_now = THERE;
	list_begin(s, OBJECT_EIP);
	put(s, EIP("x", "10.9.0"));
	turn(s);
	start_again(s, THERE);
	assert_pools(s, "");
	list_eips(s, EIP("x", "10.9.0"), NULL);
	start_again(s, HERE);
	assert_pools(s, "");
	start_again(s, THERE);
	assert_pools(s, "x ");
}

/* What the old name left in the world is not the cluster's any more. */
static void
test_renamed_cluster(void **state)
{
	struct state *s = *state;

	list_eips(s, EIP("a", "10.1.0"), EIP("z", "10.2.0"));
	s->app.conf.cluster_name = "another-name";
	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.3.0"));
	start_again(s, HERE);
	assert_pools(s, "a b ");
}

/* Edited by hand, or of a version that knew more. */
static void
test_unusable_row(void **state)
{
	struct state *s = *state;
	sqlite3 *db = NULL;

	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.2.0"));
	assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
			     "UPDATE object SET manifest = '{' || manifest"
			     " WHERE name = 'a'",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	start_again(s, HERE);
	assert_pools(s, "b ");
	list_eips(s, EIP("a", "10.1.0"), EIP("b", "10.2.0"));
	start_again(s, HERE);
	assert_pools(s, "a b ");
}

/* Against whatever was there: new ones at both ends and between, a changed
 * one, one that is gone. */
static void
test_database_lost(void **state)
{
	struct state *s = *state;

	list_eips(s, EIP("b", "10.2.0"), EIP("d", "10.4.0"));
	put(s, EIP("a", "10.1.0"));
	put(s, EIP("b", "10.5.0"));
	put(s, EIP("c", "10.3.0"));
	put(s, EIP("e", "10.6.0"));
	world_remove(s->app.world, OBJECT_EIP, "kubernetes", "", "d");
	turn(s);
	assert_int_equal(store_stats(s->app.store)->commits, 2);
	unlink(s->path);
	store_free(s->app.store);
	open_store(s);
	remember_anew(&s->app);
	turn(s);
	start_again(s, HERE);
	assert_pools(s, "a b c e ");
}

static void
assert_private(const struct state *s, const char *suffix)
{
	char name[160];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", s->path, suffix);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
test_private(void **state)
{
	struct state *s = *state;
	mode_t mask = umask(0);
	sqlite3 *db = NULL;

	list_eips(s, EIP("a", "10.1.0"), NULL);
	start_again(s, HERE);
	list_eips(s, EIP("b", "10.1.0"), NULL);
	assert_private(s, "");
	assert_private(s, "-wal");
	assert_private(s, "-shm");

	/* Of a version that did not mind. */
	store_free(s->app.store);
	assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
			     "DROP TABLE object; PRAGMA user_version = 1", NULL,
			     NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	s->app.store = NULL;
	assert_int_equal(chmod(s->path, 0644), 0);
	start_again(s, HERE);
	assert_private(s, "");
	assert_private(s, "-wal");
	assert_private(s, ".bak-1");
	umask(mask);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_restart),
		TEST(test_gone_when_listed),
		TEST(test_other_cluster),
		TEST(test_renamed_cluster),
		TEST(test_unusable_row),
		TEST(test_database_lost),
		TEST(test_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
