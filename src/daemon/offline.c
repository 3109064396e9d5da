/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offline: `eipd -n` and `eipd --plan`: reads what the daemon would read and
 * says what is wrong with it, or what it would do.  No root, no side effect.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "source/files.h"
#include "source/kube.h"
#include "sys/clock.h"

enum {
	LIST_MAX_B = 512 << 20
};

struct offline {
	struct conf conf;
	struct world *world;
	struct sink sink;
	struct records *routes; /* who of several Services wants one first */
	json_t *errors; /* of --plan */
	size_t n_errors;
	const char *conf_path;
};

static void
error_add(struct offline *o, const char *file, const struct err *err)
{
	o->n_errors++;
	if (err->line)
		fprintf(stderr, "%s:%u:%u: %s\n", file, err->line, err->column,
		    err->text);
	else
		fprintf(stderr, "%s: %s\n", file, err->text);
	json_array_append_new(o->errors,
	    json_pack("{s:s, s:i, s:i, s:s}", "file", file, "line",
		(int)err->line, "column", (int)err->column, "message",
		err->text));
}

static void
on_conf_error(void *arg, const struct err *err)
{
	struct offline *o = arg;

	error_add(o, o->conf_path, err);
}

/* "FILE:LINE:COLUMN" of an object back to a file and a place. */
static void
error_at_origin(struct offline *o, const struct object *object,
    const char *text)
{
	struct err err = { 0 };
	char file[1024];
	char *column;
	char *line;

	snprintf(file, sizeof(file), "%s",
	    object->origin ? object->origin : "cluster");
	err_set(&err, -EEXIST, "%s", text);
	column = object->origin ? strrchr(file, ':') : NULL;
	if (column) {
		*column++ = '\0';
		line = strrchr(file, ':');
		if (line) {
			*line++ = '\0';
			err.line = (unsigned int)strtoul(line, NULL, 10);
			err.column = (unsigned int)strtoul(column, NULL, 10);
		}
	}
	error_add(o, file, &err);
}

static const struct bgp_peer *
peer_of_address(const struct world *world, const struct bgp_peer *peer)
{
	const struct object *o;

	for (o = world_first(world, OBJECT_BGP_PEER); o;
	     o = world_next(world, o)) {
		const struct bgp_peer *other = (const struct bgp_peer *)o;

		if (strcmp(o->name, peer->o.name) != 0 &&
		    addr_eq(&other->address, &peer->address))
			return other;
	}
	return NULL;
}

static void
put(void *arg, struct object *object)
{
	struct offline *o = arg;
	const struct object *other = NULL;
	char text[400];

	if (object->kind == OBJECT_EIP)
		other = (const struct object *)world_overlapping_pool(o->world,
		    (struct pool *)object);
	if (object->kind == OBJECT_BGP_PEER)
		other = (const struct object *)peer_of_address(o->world,
		    (struct bgp_peer *)object);
	if (other) {
		snprintf(text, sizeof(text), "%s %s: %s %s %s%s%s",
		    object_kind_name(object->kind), object->name,
		    object->kind == OBJECT_EIP
			? "its addresses overlap those of"
			: "it has the same address as",
		    object_kind_name(other->kind), other->name,
		    other->origin ? " in " : "",
		    other->origin ? other->origin : "");
		error_at_origin(o, object, text);
		object_free(object);
		return;
	}
	world_put(o->world, object);
}

static void
gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	struct offline *o = arg;

	world_remove(o->world, kind, cluster, ns, name);
}

static void
refused(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name, const char *where, const struct err *err)
{
	(void)kind;
	(void)cluster;
	(void)ns;
	(void)name;
	error_add(arg, where, err);
}

static void
list_mark(void *arg, enum object_kind kind, const char *cluster)
{
	(void)arg;
	(void)kind;
	(void)cluster;
}

static int
offline_init(struct offline *o, const char *conf_path)
{
	struct err err = { 0 };
	int rc;

	*o = (struct offline){ .conf_path = conf_path };
	o->errors = json_array();
	o->world = world_new();
	o->routes = records_new();
	o->sink = (struct sink){ .put = put,
		.gone = gone,
		.refused = refused,
		.list_begin = list_mark,
		.list_end = list_mark,
		.arg = o };
	rc = conf_load(conf_path, &o->conf, on_conf_error, o);
	if (rc < 0)
		return rc;
	if (files_read(o->conf.objects, &o->sink, &err) < 0)
		error_add(o, o->conf.objects, &err);
	return 0;
}

static void
offline_fini(struct offline *o)
{
	json_decref(o->errors);
	records_free(o->routes);
	world_free(o->world);
	conf_fini(&o->conf);
}

static void
check_kubeconfig(struct offline *o)
{
	struct kube_conf conf = { .kubeconfig = o->conf.kubeconfig,
		.context = o->conf.context };
	struct err err = { 0 };

	if (!conf.kubeconfig || kube_server(&conf, &err))
		return;
	err.line = 0; /* not of this file */
	error_add(o, o->conf_path, &err);
}

int
offline_check(const char *conf_path, bool print_normal_form)
{
	struct offline o;
	struct str text = { 0 };
	int rc = offline_init(&o, conf_path);

	if (rc == 0)
		check_kubeconfig(&o);
	if (rc == 0 && print_normal_form) {
		conf_print(&o.conf, &text);
		fputs(str_get(&text), stdout);
		str_fini(&text);
	}
	rc = rc < 0 || o.n_errors ? 1 : 0;
	offline_fini(&o);
	return rc;
}

/* ---- --plan ---- */

static json_t *
backends_json(const struct decision *d)
{
	json_t *all = json_array();

	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];

		for (size_t j = 0; j < f->n_backends; j++) {
			const struct backend *b = &f->backends[j];
			char text[ADDR_TEXT_B];

			json_array_append_new(all,
			    json_pack("{s:s, s:i, s:s, s:s, s:s}", "address",
				addr_text(&b->addr, text), "port", b->port,
				"node", b->node, "family",
				family_name((enum family)b->addr.family),
				"state", backend_state_name(b->state)));
		}
	}
	return all;
}

static json_t *
peers_json(const struct world *world, enum family family)
{
	json_t *names = json_array();
	size_t n;
	const struct bgp_peer **peers = world_bgp_peers(world, &n);

	for (size_t i = 0; i < n; i++)
		if (family == FAMILY_IPV4 ? peers[i]->ipv4_unicast
					  : peers[i]->ipv6_unicast)
			json_array_append_new(names,
			    json_string(peers[i]->o.name));
	free(peers);
	return names;
}

static void
operation(json_t *operations, const char *applier, const char *verb,
    const char *object)
{
	json_array_append_new(operations,
	    json_pack("{s:s, s:s, s:s}", "applier", applier, "verb", verb,
		"object", object));
}

static void
plan_operations(const struct service *s, const struct decision *d,
    json_t *operations)
{
	char object[600];
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < d->n_addrs; i++) {
		snprintf(object, sizeof(object), "%s for %s/%s from pool %s",
		    addr_text(&d->addrs[i].addr, text), s->o.ns, s->o.name,
		    d->addrs[i].pool);
		operation(operations, "lease", d->addrs[i].how, object);
	}
	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];

		snprintf(object, sizeof(object), "%s %s %u backends=%zu",
		    addr_text(&f->addr, text), ip_protocol_name(f->protocol),
		    f->port, f->n_usable);
		operation(operations, "nft", "add", object);
	}
}

static void
plan_status(const struct service *s, const struct decision *d,
    json_t *operations)
{
	char object[600];

	if (!d->n_addrs || strcmp(s->o.cluster, CLUSTER_STATIC) == 0)
		return;
	snprintf(object, sizeof(object), "%s/%s", s->o.ns, s->o.name);
	operation(operations, "status", "patch", object);
}

static void
plan_one(struct offline *o, const struct plan_input *in,
    struct lease_table *leases, const struct service *s, json_t *out)
{
	struct decision *d = plan_service(in, s);
	struct lease_ops ops = { 0 };
	json_t *addresses = json_array();
	json_t *routes = json_object_get(out, "routes");
	bool has_route = false;

	if (!d->is_ours)
		goto out;
	plan_lease_puts(in, s, d, &ops);
	for (size_t i = 0; i < ops.n; i++)
		lease_table_apply(leases, &ops.v[i]);
	plan_operations(s, d, json_object_get(out, "operations"));
	for (size_t i = 0; i < d->n_addrs; i++) {
		struct prefix prefix = prefix_host(&d->addrs[i].addr);
		char text[PREFIX_TEXT_B];

		json_array_append_new(addresses,
		    json_string(addr_text(&d->addrs[i].addr, text)));
		if (!plan_wants_route(d, i))
			continue;
		has_route = true;
		if (!records_route_ref(o->routes, &d->addrs[i].addr))
			continue;
		json_array_append_new(routes,
		    json_pack("{s:s, s:s, s:o}", "prefix",
			prefix_text(&prefix, text), "nextHop", "self", "peers",
			peers_json(o->world, (enum family)prefix.addr.family)));
		operation(json_object_get(out, "operations"), "bgp", "announce",
		    text);
	}
	json_array_append_new(json_object_get(out, "services"),
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:s?, s:o}", "namespace",
		s->o.ns, "name", s->o.name, "state",
		d->is_refused	? "refused"
		    : has_route ? "announced"
				: "programmed",
		"reason", d->reason, "message", d->message, "addresses",
		addresses, "pool", d->n_addrs ? d->addrs[0].pool : NULL,
		"backends", backends_json(d)));
	plan_status(s, d, json_object_get(out, "operations"));
out:
	vec_fini(&ops);
	json_decref(addresses);
	decision_free(d);
}

/* Probes cannot be asked here: every node counts as up. */
static void
assume_up(struct world *world)
{
	const struct object *o;

	for (o = world_first(world, OBJECT_NODE); o; o = world_next(world, o))
		world_set_probe(world, o->cluster, o->name, PROBE_UP);
}

static void
plan_all(struct offline *o, json_t *out)
{
	struct lease_table *leases = lease_table_new();
	struct plan_input in = { .world = o->world,
		.leases = leases,
		.conf = app_plan_conf(&o->conf),
		.now = clock_wall(),
		.cache = plan_cache_new() };
	size_t n;
	const struct object **services =
	    world_list(o->world, OBJECT_SERVICE, &n);

	in.conf.probe_on = true;
	assume_up(o->world);
	for (int turn = 0; turn < TURN__COUNT; turn++)
		for (size_t i = 0; i < n; i++) {
			const struct service *s =
			    (const struct service *)services[i];

			if ((int)turn_of_service(s) == turn)
				plan_one(o, &in, leases, s, out);
		}
	free(services);
	plan_cache_free(in.cache);
	lease_table_free(leases);
}

int
offline_plan(const char *conf_path, const char *cluster_dir)
{
	struct offline o;
	json_t *out =
	    json_pack("{s:[], s:[], s:[]}", "services", "routes", "operations");
	struct err err = { 0 };
	int rc = offline_init(&o, conf_path);

	if (rc == 0) {
		if (cluster_dir &&
		    files_read_cluster(cluster_dir, o.conf.cluster_name,
			&o.sink, &err) < 0)
			error_add(&o, cluster_dir, &err);
		plan_all(&o, out);
	}
	json_object_set(out, "errors", o.errors);
	json_dumpf(out, stdout, JSON_INDENT(2));
	putchar('\n');
	rc = rc < 0 || o.n_errors ? 1 : 0;
	json_decref(out);
	offline_fini(&o);
	return rc;
}
