/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_steps: the links of the chain, in order.  Each says what is so, not
 * what should be.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/explain.h"

static void
step_begin(struct explain *e, const char *name, bool is_ok)
{
	jsonw_object(e->json, NULL);
	jsonw_str(e->json, "step", name);
	jsonw_bool(e->json, "ok", is_ok);
	jsonw_str(e->json, "text", str_get(&e->text));
	str_clear(&e->text);
}

static void
step_end(struct explain *e)
{
	jsonw_object_end(e->json);
}

static void
step_plain(struct explain *e, const char *name, bool is_ok)
{
	step_begin(e, name, is_ok);
	jsonw_null(e->json, "detail");
	step_end(e);
}

static void
step_admitted(struct explain *e)
{
	const struct decision *d = e->decision;

	if (!d)
		str_add(&e->text,
		    "the Service is not known any more or not "
		    "yet; kernel and database still are");
	else
		str_printf(&e->text, "%s: %s", d->is_ours ? "ours" : "not ours",
		    d->admission);
	step_plain(e, "admitted", d && d->is_ours);
}

static void
step_pools(struct explain *e)
{
	const struct decision *d = e->decision;
	size_t n = d ? d->n_candidates : 0;
	bool is_ok = e->n_addrs > 0;

	for (size_t i = 0; i < n; i++) {
		is_ok |= d->candidates[i].is_chosen;
		str_printf(&e->text, "%s%s: %s", i ? "; " : "",
		    d->candidates[i].pool, d->candidates[i].text);
	}
	if (n == 0)
		str_add(&e->text,
		    is_ok ? "it keeps what it holds"
			  : "no pool was considered");
	step_begin(e, "pools", is_ok);
	jsonw_array(e->json, "detail");
	for (size_t i = 0; i < n; i++) {
		jsonw_object(e->json, NULL);
		jsonw_str(e->json, "pool", d->candidates[i].pool);
		jsonw_bool(e->json, "chosen", d->candidates[i].is_chosen);
		jsonw_str(e->json, "text", d->candidates[i].text);
		jsonw_object_end(e->json);
	}
	jsonw_array_end(e->json);
	step_end(e);
}

static const struct lease *
find_lease(const struct explain *e, const struct addr *addr)
{
	const struct ctl_state *s = e->req->state;
	const struct lease *l;

	for (l = lease_of_address(s->leases(s->arg), addr); l;
	     l = lease_next_of_address(l))
		if (strcmp(l->name, e->status->name) == 0 &&
		    strcmp(l->ns, e->status->ns) == 0 &&
		    strcmp(l->cluster, e->status->cluster) == 0)
			return l;
	return NULL;
}

static void
step_lease(struct explain *e)
{
	char addr[ADDR_TEXT_B];
	char since[32];

	for (size_t i = 0; i < e->n_addrs; i++) {
		const struct lease *l = find_lease(e, &e->addrs[i].addr);

		str_printf(&e->text, "%s%s of pool %s", i ? "; " : "",
		    addr_text(&e->addrs[i].addr, addr), e->addrs[i].pool);
		if (l)
			str_printf(&e->text, ", held since %s",
			    jsonw_time_text(l->since, since));
	}
	if (e->n_addrs == 0)
		str_add(&e->text, "it holds no address");
	step_begin(e, "lease", e->n_addrs > 0);
	jsonw_array(e->json, "detail");
	for (size_t i = 0; i < e->n_addrs; i++)
		jsonw_addr(e->json, NULL, &e->addrs[i].addr);
	jsonw_array_end(e->json);
	step_end(e);
}

static const struct decision *
in_force(const struct explain *e)
{
	return e->decision ? e->decision : e->status->decision;
}

static void
step_rule(struct explain *e)
{
	const struct decision *d = in_force(e);
	size_t n = d ? d->n_frontends : 0;
	bool is_ok = e->status->is_programmed && e->n_addrs > 0;
	char addr[ADDR_TEXT_B];

	str_add(&e->text,
	    is_ok	     ? "in the kernel"
		: e->n_addrs ? "the kernel has no rule for it"
			     : "nothing to forward");
	for (size_t i = 0; is_ok && i < n; i++)
		str_printf(&e->text, "%s%s %s %u", i ? ", " : ": ",
		    addr_text(&d->frontends[i].addr, addr),
		    ip_protocol_name(d->frontends[i].protocol),
		    d->frontends[i].port);
	step_begin(e, "rule", is_ok);
	jsonw_array(e->json, "detail");
	for (size_t i = 0; i < n; i++) {
		const struct frontend *f = &d->frontends[i];

		jsonw_object(e->json, NULL);
		jsonw_addr(e->json, "address", &f->addr);
		jsonw_str(e->json, "protocol", ip_protocol_name(f->protocol));
		jsonw_u64(e->json, "port", f->port);
		jsonw_u64(e->json, "backends", f->n_backends);
		jsonw_u64(e->json, "usable", f->n_usable);
		jsonw_object_end(e->json);
	}
	jsonw_array_end(e->json);
	step_end(e);
}

/* ---- probes ---- */

struct backend_sum {
	size_t all;
	size_t usable;
	size_t healthy;
};

static struct backend_sum
sum_backends(const struct decision *d)
{
	struct backend_sum sum = { 0 };

	for (size_t i = 0; i < d->n_frontends; i++) {
		sum.all += d->frontends[i].n_backends;
		sum.usable += d->frontends[i].n_usable;
		sum.healthy += frontend_healthy(d, &d->frontends[i]);
	}
	return sum;
}

/* Nodes that take part in no new flow, with the reason. */
struct node_walk {
	struct explain *e;
	size_t n;
};

static void
on_node_text(void *arg, const struct node_status *n)
{
	struct node_walk *walk = arg;

	if (n->is_eligible ||
	    strcmp(n->node->o.cluster, walk->e->status->cluster) != 0 ||
	    walk->n++ >= 8)
		return;
	str_printf(&walk->e->text, "; node %s: %s%s%s", n->node->o.name,
	    n->reason, *n->probe_error ? ": " : "", n->probe_error);
}

static void
on_node_detail(void *arg, const struct node_status *n)
{
	struct explain *e = arg;

	if (n->is_eligible ||
	    strcmp(n->node->o.cluster, e->status->cluster) != 0)
		return;
	jsonw_object(e->json, NULL);
	jsonw_str(e->json, "node", n->node->o.name);
	jsonw_str(e->json, "reason", n->reason);
	jsonw_str(e->json, "error", n->probe_error);
	jsonw_object_end(e->json);
}

static void
step_probes(struct explain *e)
{
	const struct ctl_state *s = e->req->state;
	const struct decision *d = in_force(e);
	struct node_walk walk = { .e = e };
	struct backend_sum sum = { 0 };

	if (d)
		sum = sum_backends(d);
	if (!d || sum.all == 0)
		str_add(&e->text, "no backends");
	else if (d->is_degraded)
		str_printf(&e->text,
		    "degraded: all fail at once, so all stay in use (%zu of "
		    "%zu)",
		    sum.usable, sum.all);
	else
		str_printf(&e->text, "%zu of %zu backends take new flows",
		    sum.usable, sum.all);
	s->each_node(s->arg, on_node_text, &walk);
	if (walk.n > 8)
		str_printf(&e->text, "; and %zu more nodes", walk.n - 8);
	step_begin(e, "probes", sum.healthy > 0);
	jsonw_array(e->json, "detail");
	s->each_node(s->arg, on_node_detail, e);
	jsonw_array_end(e->json);
	step_end(e);
}

/* ---- routes ---- */

struct route_walk {
	const struct explain *e;
	size_t n; /* of this Service's addresses */
};

static void
on_route(void *arg, const struct route_status *r)
{
	struct route_walk *walk = arg;

	for (size_t i = 0; i < walk->e->n_addrs; i++)
		if (r->prefix.len == addr_bits(&r->prefix.addr) &&
		    addr_eq(&r->prefix.addr, &walk->e->addrs[i].addr))
			walk->n++;
}

static void
on_peer_text(void *arg, const struct peer_status *p)
{
	struct explain *e = arg;
	const struct ctl_state *s = e->req->state;
	struct route_walk walk = { .e = e };

	s->each_route(s->arg, p->name, on_route, &walk);
	e->n_told += walk.n > 0 && p->state == BGP_STATE_ESTABLISHED;
	e->n_peers += p->state == BGP_STATE_ESTABLISHED;
	if (e->text.n)
		str_add(&e->text, "; ");
	if (p->state != BGP_STATE_ESTABLISHED)
		str_printf(&e->text, "%s: %s%s%s", p->name,
		    bgp_state_name(p->state), *p->last_error ? ", " : "",
		    p->last_error);
	else
		str_printf(&e->text, "%s: %s", p->name,
		    walk.n ? "announced" : "not announced");
	if (*p->message)
		str_printf(&e->text, " (%s)", p->message);
}

static void
on_peer_detail(void *arg, const struct peer_status *p)
{
	struct explain *e = arg;
	const struct ctl_state *s = e->req->state;
	struct route_walk walk = { .e = e };

	s->each_route(s->arg, p->name, on_route, &walk);
	jsonw_object(e->json, NULL);
	jsonw_str(e->json, "peer", p->name);
	jsonw_str(e->json, "state", bgp_state_name(p->state));
	jsonw_u64(e->json, "routes", walk.n);
	jsonw_object_end(e->json);
}

/* True also while what its pool says is not known. */
static bool
wants_route(const struct decision *d, const struct addr *addr)
{
	for (size_t i = 0; d && i < d->n_addrs; i++)
		if (addr_eq(&d->addrs[i].addr, addr))
			return d->addrs[i].protocol == POOL_PROTOCOL_BGP;
	return true;
}

static void
find_wanted_routes(struct explain *e)
{
	const struct decision *d = in_force(e);

	for (size_t i = 0; i < e->n_addrs; i++)
		if (wants_route(d, &e->addrs[i].addr))
			e->routes[e->n_routes++] = e->addrs[i];
}

static const char *
unserved_protocol(const struct decision *d)
{
	for (size_t i = 0; i < d->n_addrs; i++)
		if (!pool_protocol_is_served(d->addrs[i].protocol))
			return pool_protocol_name(d->addrs[i].protocol);
	return NULL;
}

static void
step_routes(struct explain *e)
{
	const struct ctl_state *s = e->req->state;
	const struct decision *d = in_force(e);
	bool is_ok;

	find_wanted_routes(e);
	if (e->n_addrs && e->n_routes == 0) {
		const char *protocol = unserved_protocol(d);

		if (protocol)
			str_printf(&e->text, "nothing announces protocol %s",
			    protocol);
		else
			str_add(&e->text,
			    "passive: the route is someone else's");
		step_plain(e, "routes", !protocol);
		return;
	}
	if (e->n_addrs == 0)
		str_add(&e->text, "nothing to announce");
	else if (d && !d->is_announced)
		str_add(&e->text, "withdrawn: it has no backends");
	s->each_peer(s->arg, on_peer_text, e);
	if (!e->text.n)
		str_add(&e->text, "there is no BgpPeer to announce to");
	is_ok = e->n_told > 0;
	step_begin(e, "routes", is_ok);
	jsonw_array(e->json, "detail");
	s->each_peer(s->arg, on_peer_detail, e);
	jsonw_array_end(e->json);
	step_end(e);
}

static void
step_status(struct explain *e)
{
	const struct service_status *s = e->status;

	if (!s->has_status) {
		str_add(&e->text,
		    strcmp(s->cluster, CLUSTER_STATIC) == 0
			? "it comes from a file: there is no status to write"
			: "there is no API server to write it to");
		step_plain(e, "status", true);
		return;
	}
	if (s->is_status_written)
		str_add(&e->text, "the API server has it");
	else
		str_printf(&e->text, "not written%s%s",
		    *s->status_problem ? ": " : "", s->status_problem);
	step_plain(e, "status", s->is_status_written);
}

void
explain_steps(struct explain *e)
{
	static void (*const steps[])(struct explain * e) = { step_pools,
		step_lease, step_rule, step_probes, step_routes, step_status };

	step_admitted(e);
	/* What is not ours has no further links. */
	if (e->decision && !e->decision->is_ours && e->n_addrs == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i](e);
}
