/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_services: Services and their backends.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "ctl/list.h"
#include "ctl/lookup.h"

enum {
	SERVICES_A_STEP = 100
};

struct port_count {
	uint8_t protocol;
	uint16_t port;
	size_t backends;
	size_t healthy;
};

struct port_counts {
	VEC(struct port_count) v;
	size_t next; /* where the next frontend's port probably is */
};

/* Frontends come address by address, each with the same ports in the same
 * order, so the guess is nearly always right. */
static struct port_count *
port_count(struct port_counts *counts, uint8_t protocol, uint16_t port)
{
	size_t n = counts->v.n;

	for (size_t i = 0; i < n; i++) {
		size_t at = (counts->next + i) % n;
		struct port_count *c = &counts->v.v[at];

		if (c->protocol == protocol && c->port == port) {
			counts->next = at + 1;
			return c;
		}
	}
	vec_push(&counts->v,
	    (struct port_count){ .protocol = protocol, .port = port });
	counts->next = 0;
	return &counts->v.v[n];
}

static void
write_ports(struct jsonw *json, const struct service_status *s)
{
	const struct decision *d = s->decision;
	struct port_counts counts = { 0 };
	struct port_count *c;

	for (size_t i = 0; s->service && i < s->service->n_ports; i++)
		port_count(&counts, s->service->ports[i].protocol,
		    s->service->ports[i].port);
	for (size_t i = 0; d && i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];

		c = port_count(&counts, f->protocol, f->port);
		c->backends += f->n_backends;
		c->healthy += frontend_healthy(d, f);
	}
	jsonw_array(json, "ports");
	VEC_FOREACH (c, &counts.v) {
		jsonw_object(json, NULL);
		jsonw_str(json, "protocol", ip_protocol_name(c->protocol));
		jsonw_u64(json, "port", c->port);
		jsonw_u64(json, "backends", c->backends);
		jsonw_u64(json, "healthy", c->healthy);
		jsonw_object_end(json);
	}
	jsonw_array_end(json);
	vec_fini(&counts.v);
}

static void
write_service(void *arg, const struct service_status *s)
{
	struct list *list = arg;
	const struct ctl_state *state = list->state;
	struct jsonw *json = &list->json;
	struct service_address addrs[SERVICE_FAMILIES_MAX];
	size_t n;

	if (!list_wants(list, s->cluster, s->ns, s->name))
		return;
	n = service_addresses(state, s, addrs);
	jsonw_object(json, NULL);
	jsonw_str(json, "cluster", s->cluster);
	jsonw_str(json, "namespace", s->ns);
	jsonw_str(json, "name", s->name);
	jsonw_str(json, "uid", service_uid(state, s));
	jsonw_array(json, "addresses");
	for (size_t i = 0; i < n; i++)
		jsonw_addr(json, NULL, &addrs[i].addr);
	jsonw_array_end(json);
	jsonw_str(json, "pool", n ? addrs[0].pool : NULL);
	jsonw_array(json, "pools");
	for (size_t i = 0; i < n; i++)
		jsonw_str(json, NULL, addrs[i].pool);
	jsonw_array_end(json);
	jsonw_str(json, "state", service_state_name(s->state));
	jsonw_str(json, "reason", s->reason);
	jsonw_str(json, "message", s->message);
	write_ports(json, s);
	jsonw_object_end(json);
}

struct services_rest {
	struct ctl_rest rest; /* the first member */
	struct list list;
	struct str after;
};

static bool
write_some(struct ctl_rest *rest)
{
	struct services_rest *r = (struct services_rest *)rest;
	const struct ctl_state *s = r->list.state;

	if (s->services(s->arg, &r->after, SERVICES_A_STEP, write_service,
		&r->list))
		return true;
	list_end(&r->list, "Service");
	return false;
}

static void
forget_rest(struct ctl_rest *rest)
{
	struct services_rest *r = (struct services_rest *)rest;

	list_fini(&r->list);
	str_fini(&r->after);
}

void
view_services(const struct ctl_request *req, struct ctl_answer *answer)
{
	struct services_rest *r = mem_new(struct services_rest);

	r->rest = (struct ctl_rest){ .answer = *answer,
		.step = write_some,
		.fini = forget_rest };
	list_begin(&r->list, req, &r->rest.answer);
	answer->rest = &r->rest;
}

struct backend_row {
	const struct backend *backend;
	uint8_t protocol;
};

static int
row_cmp(const void *a, const void *b)
{
	const struct backend_row *x = a;
	const struct backend_row *y = b;
	int c = addr_cmp(&x->backend->addr, &y->backend->addr);

	if (c == 0)
		c = x->backend->port - y->backend->port;
	return c ? c : x->protocol - y->protocol;
}

static void
write_backend(struct jsonw *json, const struct backend_row *row)
{
	const struct backend *b = row->backend;

	jsonw_object(json, NULL);
	jsonw_addr(json, "address", &b->addr);
	jsonw_u64(json, "port", b->port);
	jsonw_str(json, "protocol", ip_protocol_name(row->protocol));
	jsonw_str(json, "node", b->node);
	jsonw_str(json, "family", family_name((enum family)b->addr.family));
	jsonw_u64(json, "weight", b->weight);
	jsonw_str(json, "state", backend_state_name(b->state));
	jsonw_str(json, "probe", b->probe);
	jsonw_object_end(json);
}

static void
write_backends(struct jsonw *json, const struct decision *d)
{
	VEC(struct backend_row) rows = { 0 };

	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];

		for (size_t k = 0; f->backends && k < f->n_backends; k++)
			vec_push(&rows,
			    (struct backend_row){ &f->backends[k],
				f->protocol });
	}
	vec_sort(&rows, row_cmp);
	/* Two ports may lead to one and the same backend. */
	for (size_t i = 0; i < rows.n; i++)
		if (i == 0 || row_cmp(&rows.v[i - 1], &rows.v[i]) != 0)
			write_backend(json, &rows.v[i]);
	vec_fini(&rows);
}

/* The Service that the query names, planned anew because what is in force
 * does not keep its backends; NULL after ctl_fail(). */
static struct decision *
decide(const struct ctl_request *req, const struct list_filter *f,
    struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct decision *d = NULL;
	char *cluster;

	if (!f->ns || !f->name) {
		ctl_fail(answer, 400,
		    "say which Service: namespace and name are needed");
		return NULL;
	}
	cluster = lookup_cluster(req, f->cluster, f->ns, f->name, answer);
	if (!cluster)
		return NULL;
	d = s->explain(s->arg, cluster, f->ns, f->name);
	free(cluster);
	if (!d) {
		ctl_fail(answer, 404,
		    "Service %s/%s is known from kernel and database only, "
		    "without its backends",
		    f->ns, f->name);
		return NULL;
	}
	if (d->is_ours)
		return d;
	ctl_fail(answer, 404, "Service %s/%s is not handled by eipd: %s", f->ns,
	    f->name, d->admission);
	decision_free(d);
	return NULL;
}

void
view_backends(const struct ctl_request *req, struct ctl_answer *answer)
{
	struct list_filter f = { .cluster = ctl_param(req, "cluster"),
		.ns = ctl_param(req, "namespace"),
		.name = ctl_param(req, "name") };
	struct decision *d = decide(req, &f, answer);
	struct jsonw json;

	free(f.cluster);
	free(f.ns);
	free(f.name);
	if (!d)
		return;
	jsonw_begin(&json, &answer->body);
	jsonw_object(&json, NULL);
	jsonw_array(&json, "items");
	write_backends(&json, d);
	jsonw_array_end(&json);
	jsonw_object_end(&json);
	str_add(&answer->body, "\n");
	decision_free(d);
}
