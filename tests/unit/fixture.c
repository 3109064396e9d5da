/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "conf/tree.h"
#include "source/decode.h"

void
fixture_init(struct fixture *fx)
{
	*fx = (struct fixture){ .world = world_new(),
		.leases = lease_table_new(),
		.cache = plan_cache_new(),
		.conf = { .service_class = "eipd.io/eipd",
		    .forwarding = { FORWARD_BACKENDS_NODEPORT,
			FORWARD_SOURCE_MASQUERADE,
			FORWARD_NO_BACKENDS_REFUSE } },
		.now = 1000000 };
}

void
fixture_fini(struct fixture *fx)
{
	plan_cache_free(fx->cache);
	lease_table_free(fx->leases);
	world_free(fx->world);
}

struct plan_input
fixture_input(const struct fixture *fx)
{
	return (struct plan_input){ .world = fx->world,
		.leases = fx->leases,
		.conf = fx->conf,
		.now = fx->now,
		.cache = fx->cache };
}

struct doc_arg {
	struct fixture *fx;
	const char *cluster;
};

static int
on_doc(void *arg, const struct tree *doc)
{
	struct doc_arg *a = arg;
	struct decode_identity id;
	struct object *object;
	struct err err = { 0 };

	if (decode_object(doc, NULL, a->cluster, DECODE_API, &object, &id,
		&err) < 0) {
		fprintf(stderr, "fixture: %s/%s: %s\n", id.ns, id.name,
		    err.text);
		abort();
	}
	world_put(a->fx->world, object);
	return 0;
}

void
fixture_apply(struct fixture *fx, const char *cluster, const char *yaml)
{
	struct doc_arg arg = { fx, cluster };
	struct arena arena = { 0 };
	struct err err = { 0 };

	if (tree_parse_yaml(yaml, strlen(yaml), &arena, on_doc, &arg, &err) <
	    0) {
		fprintf(stderr, "fixture: %u:%u: %s\n", err.line, err.column,
		    err.text);
		abort();
	}
	arena_fini(&arena);
}

void
fixture_remove(struct fixture *fx, enum object_kind kind, const char *cluster,
    const char *ns, const char *name)
{
	world_remove(fx->world, kind, cluster, ns, name);
}

static void
apply_ops(struct fixture *fx, struct lease_ops *ops)
{
	for (size_t i = 0; i < ops->n; i++)
		lease_table_apply(fx->leases, &ops->v[i]);
	plan_cache_addresses_freed(fx->cache);
	vec_fini(ops);
}

static void
plan_one(struct fixture *fx, const struct service *s)
{
	struct plan_input in = fixture_input(fx);
	struct decision *d = plan_service(&in, s);
	const struct decision *wanted = d->is_ours ? d : NULL;
	struct lease_ops puts = { 0 };
	struct lease_ops releases = { 0 };

	if (wanted)
		plan_lease_puts(&in, s, wanted, &puts);
	apply_ops(fx, &puts);
	plan_lease_releases(&in, s->o.cluster, s->o.ns, s->o.name, wanted,
	    "test", &releases);
	apply_ops(fx, &releases);
	decision_free(d);
}

static void
release_gone(struct fixture *fx)
{
	struct plan_input in = fixture_input(fx);
	size_t n;
	const struct lease **all = lease_table_list(fx->leases, &n);
	struct lease_ops ops = { 0 };

	for (size_t i = 0; i < n; i++)
		if (all[i]->is_held &&
		    !world_get(fx->world, OBJECT_SERVICE, all[i]->cluster,
			all[i]->ns, all[i]->name))
			plan_lease_releases(&in, all[i]->cluster, all[i]->ns,
			    all[i]->name, NULL, "gone", &ops);
	free(all);
	apply_ops(fx, &ops);
}

void
fixture_pass(struct fixture *fx)
{
	size_t n;
	const struct object **all;

	release_gone(fx);
	all = world_list(fx->world, OBJECT_SERVICE, &n);
	for (int asking = 1; asking >= 0; asking--)
		for (size_t i = 0; i < n; i++) {
			const struct service *s =
			    (const struct service *)all[i];

			if ((s->n_wanted > 0) == asking)
				plan_one(fx, s);
		}
	free(all);
}

char *
fixture_show(struct fixture *fx)
{
	struct plan_input in = fixture_input(fx);
	struct str out = { 0 };
	size_t n;
	const struct object **all = world_list(fx->world, OBJECT_SERVICE, &n);

	for (size_t i = 0; i < n; i++) {
		const struct service *s = (const struct service *)all[i];
		struct decision *d = plan_service(&in, s);

		if (d->is_ours) {
			str_printf(&out, "%s%s/%s", out.n ? " " : "", s->o.ns,
			    s->o.name);
			for (size_t j = 0; j < d->n_addrs; j++) {
				char text[ADDR_TEXT_B];

				str_printf(&out, "%c%s(%s)", j ? '+' : '=',
				    addr_text(&d->addrs[j].addr, text),
				    d->addrs[j].pool);
			}
			if (d->is_refused)
				str_printf(&out, "!%s", d->reason);
		}
		decision_free(d);
	}
	free(all);
	return str_steal(&out);
}

void
fixture_expect(struct fixture *fx, const char *want)
{
	char *got = fixture_show(fx);

	assert_string_equal(got, want);
	free(got);
}

static struct decision *
plan_named(struct fixture *fx, const char *ns, const char *name)
{
	struct plan_input in = fixture_input(fx);
	size_t n;
	const struct object **all = world_list(fx->world, OBJECT_SERVICE, &n);
	struct decision *d = NULL;

	for (size_t i = 0; i < n && !d; i++)
		if (strcmp(all[i]->ns, ns) == 0 &&
		    strcmp(all[i]->name, name) == 0)
			d = plan_service(&in, (const struct service *)all[i]);
	free(all);
	if (!d)
		abort();
	return d;
}

char *
fixture_show_backends(struct fixture *fx, const char *ns, const char *name)
{
	struct decision *d = plan_named(fx, ns, name);
	struct str out = { 0 };

	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];
		char a[ADDR_TEXT_B];

		str_printf(&out, "%s%s:%u/%s ->", i ? "\n" : "",
		    addr_text(&f->addr, a), f->port,
		    ip_protocol_name(f->protocol));
		for (size_t j = 0; j < f->n_backends; j++)
			str_printf(&out, " %s:%u(%s)",
			    addr_text(&f->backends[j].addr, a),
			    f->backends[j].port,
			    backend_state_name(f->backends[j].state));
	}
	if (d->is_degraded)
		str_add(&out, "\ndegraded");
	decision_free(d);
	return str_steal(&out);
}

char *
fixture_message(struct fixture *fx, const char *ns, const char *name)
{
	struct decision *d = plan_named(fx, ns, name);
	char *copy = mem_strdup(d->message);

	decision_free(d);
	return copy;
}
