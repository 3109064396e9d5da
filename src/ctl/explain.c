/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/lookup.h"
#include "ctl/usage.h"

/* The steps are made before the verdict, which sums them up, but follow it in
 * the answer. */
static void
write_answer(struct ctl_answer *answer, const char *subject,
    const char *verdict, const char *state, const struct str *steps)
{
	struct jsonw json;

	jsonw_begin(&json, &answer->body);
	jsonw_object(&json, NULL);
	jsonw_str(&json, "subject", subject);
	jsonw_str(&json, "verdict", verdict);
	jsonw_str(&json, "state", state);
	jsonw_array(&json, "steps");
	str_add(&answer->body, str_get(steps));
	jsonw_array_end(&json);
	jsonw_object_end(&json);
	str_add(&answer->body, "\n");
}

/* ---- a Service ---- */

/* "192.0.2.1 is", "192.0.2.1 and 2001:db8::1 are" */
static void
add_addresses(const struct service_address *addrs, size_t n, struct str *out)
{
	char text[ADDR_TEXT_B];

	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s%s", i ? " and " : "",
		    addr_text(&addrs[i].addr, text));
	str_add(out, n == 1 ? " is" : " are");
}

static void
add_why(const struct service_status *s, struct str *out)
{
	if (*s->reason)
		str_printf(out, " (%s)", s->reason);
	if (*s->message)
		str_printf(out, ": %s", s->message);
}

static void
verdict_programmed(const struct explain *e, struct str *out)
{
	add_addresses(e->addrs, e->n_addrs, out);
	if (e->n_routes == 0)
		str_add(out,
		    " forwarded; its pool is passive, so the "
		    "route is someone else's");
	else if (e->n_peers == 0)
		str_add(out, " forwarded but announced to nobody");
	else
		str_add(out, " forwarded but not announced");
}

static void
verdict_announced(const struct explain *e, struct str *out)
{
	add_addresses(e->addrs, e->n_addrs, out);
	str_add(out, " forwarded");
	if (e->n_routes < e->n_addrs) {
		str_add(out, "; ");
		add_addresses(e->routes, e->n_routes, out);
	} else {
		str_add(out, " and");
	}
	str_printf(out, " announced to %zu of %zu peers", e->n_told,
	    e->n_peers);
}

static void
make_verdict(const struct explain *e, struct str *out)
{
	const struct service_status *s = e->status;

	str_printf(out, "%s/%s: ", s->ns, s->name);
	switch (s->state) {
	case SERVICE_STATE_REFUSED:
		str_add(out, "refused");
		add_why(s, out);
		return;
	case SERVICE_STATE_PENDING:
		str_add(out, "pending");
		add_why(s, out);
		return;
	case SERVICE_STATE_DRAINING:
		add_addresses(e->addrs, e->n_addrs, out);
		str_add(out, " draining");
		add_why(s, out);
		return;
	case SERVICE_STATE_PROGRAMMED:
		verdict_programmed(e, out);
		break;
	case SERVICE_STATE_ANNOUNCED:
	case SERVICE_STATE__COUNT:
		verdict_announced(e, out);
		break;
	}
	if (e->decision && !e->decision->has_backends)
		str_add(out, "; it has no backends");
	else if (*s->message)
		str_printf(out, "; %s", s->message);
}

static void
explain_found(const struct ctl_request *req, const char *subject,
    const struct service_status *status, const struct decision *decision,
    struct ctl_answer *answer)
{
	struct str verdict = { 0 };
	struct str steps = { 0 };
	struct jsonw json;
	struct explain e = { .req = req,
		.json = &json,
		.status = status,
		.decision = decision };
	bool is_ours = !decision || decision->is_ours;

	jsonw_begin(&json, &steps);
	e.n_addrs = service_addresses(req->state, status, e.addrs);
	explain_steps(&e);
	if (is_ours || e.n_addrs)
		make_verdict(&e, &verdict);
	else
		str_printf(&verdict, "%s/%s is not handled by eipd: %s",
		    status->ns, status->name, decision->admission);
	write_answer(answer, subject, str_get(&verdict),
	    is_ours || e.n_addrs ? service_state_name(status->state) : NULL,
	    &steps);
	str_fini(&e.text);
	str_fini(&verdict);
	str_fini(&steps);
}

static void
explain_service(const struct ctl_request *req, const char *subject,
    const char *cluster, const char *ns, const char *name,
    struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct decision *decision = s->explain(s->arg, cluster, ns, name);
	struct service_status status;

	/* Not ours, or so new that nothing was carried out yet. */
	if (!s->service(s->arg, cluster, ns, name, &status))
		status = (struct service_status){ .cluster = cluster,
			.ns = ns,
			.name = name,
			.state = SERVICE_STATE_PENDING,
			.reason = "",
			.message = "",
			.status_problem = "" };
	explain_found(req, subject, &status, decision, answer);
	decision_free(decision);
}

static void
explain_name(const struct ctl_request *req, const char *text,
    const struct subject *subject, struct ctl_answer *answer)
{
	char *wanted = ctl_param(req, "cluster");
	char *cluster =
	    lookup_cluster(req, wanted, subject->ns, subject->name, answer);

	if (cluster)
		explain_service(req, text, cluster, subject->ns, subject->name,
		    answer);
	free(cluster);
	free(wanted);
}

/* ---- an address ---- */

static bool
listens_on(const struct ctl_request *req, const struct lease *l,
    const struct addr *addr, uint16_t port)
{
	const struct ctl_state *s = req->state;
	struct service_status status;
	const struct decision *d;

	if (!s->service(s->arg, l->cluster, l->ns, l->name, &status))
		return false;
	d = status.decision;
	for (size_t i = 0; d && i < d->n_frontends; i++)
		if (d->frontends[i].port == port &&
		    addr_eq(&d->frontends[i].addr, addr))
			return true;
	return false;
}

static const struct pool *
pool_of(const struct ctl_request *req, const struct addr *addr)
{
	const struct ctl_state *s = req->state;
	size_t n;
	const struct pool *const *pools = world_pools(s->world(s->arg), &n);

	for (size_t i = 0; i < n; i++)
		if (pool_offers(pools[i], addr))
			return pools[i];
	return NULL;
}

static void
add_lease(struct str *out, const struct lease *l, wall_t now,
    const char **state)
{
	bool is_held = *state && strcmp(*state, "held") == 0;
	char until[32];

	if (is_held && !l->is_held)
		return;
	switch (lease_state(l, now)) {
	case LEASE_HELD:
		str_printf(out, "; held by %s/%s", l->ns, l->name);
		*state = "held";
		break;
	case LEASE_QUARANTINED:
		str_printf(out, "; quarantined for %s/%s until %s", l->ns,
		    l->name, jsonw_time_text(l->quarantine_until, until));
		*state = "quarantined";
		break;
	case LEASE_STICKY:
		str_printf(out, "; kept for %s/%s until %s", l->ns, l->name,
		    jsonw_time_text(l->sticky_until, until));
		*state = "sticky";
		break;
	case LEASE_EXPIRED:
		break;
	}
}

static void
write_step(struct jsonw *json, const char *name, bool is_ok, const char *text)
{
	jsonw_object(json, NULL);
	jsonw_str(json, "step", name);
	jsonw_bool(json, "ok", is_ok);
	jsonw_str(json, "text", text);
	jsonw_null(json, "detail");
	jsonw_object_end(json);
}

/* Nobody serves this address, or nobody this port of it. */
static void
explain_unused(const struct ctl_request *req, const char *text,
    const struct subject *subject, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	const struct lease_table *table = s->leases(s->arg);
	const struct pool *pool = pool_of(req, &subject->addr);
	const struct reservation *r =
	    reservation_of_address(table, &subject->addr);
	const char *state = pool ? "free" : NULL;
	struct str leases = { 0 };
	struct str verdict = { 0 };
	struct str steps = { 0 };
	struct jsonw json;

	if (r) {
		str_printf(&leases, "; reserved for %s/%s", r->ns, r->name);
		state = "reserved";
	}
	for (const struct lease *l = lease_of_address(table, &subject->addr); l;
	     l = lease_next_of_address(l))
		add_lease(&leases, l, s->now(s->arg), &state);
	str_printf(&verdict, "%s %s%s", text,
	    pool ? "is of pool " : "is of no pool", pool ? pool->o.name : "");
	str_add(&verdict, leases.n ? str_get(&leases) : "; nobody holds it");
	if (state && strcmp(state, "held") == 0)
		str_printf(&verdict, ", but nobody listens on port %u",
		    subject->port);
	jsonw_begin(&json, &steps);
	write_step(&json, "pools", pool != NULL,
	    pool ? pool->o.name : "no pool has this address");
	write_step(&json, "lease", state && strcmp(state, "held") == 0,
	    leases.n ? str_get(&leases) + 2 : "nobody holds it");
	write_answer(answer, text, str_get(&verdict), state, &steps);
	str_fini(&leases);
	str_fini(&verdict);
	str_fini(&steps);
}

static void
explain_address(const struct ctl_request *req, const char *text,
    const struct subject *subject, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	const struct lease *l =
	    lease_of_address(s->leases(s->arg), &subject->addr);

	while (l &&
	    (!l->is_held ||
		(subject->port &&
		    !listens_on(req, l, &subject->addr, subject->port))))
		l = lease_next_of_address(l);
	if (l)
		explain_service(req, text, l->cluster, l->ns, l->name, answer);
	else
		explain_unused(req, text, subject, answer);
}

void
view_explain(const struct ctl_request *req, struct ctl_answer *answer)
{
	char *text = ctl_param(req, "subject");
	struct subject subject = { 0 };

	if (!text)
		ctl_fail(answer, 400,
		    "say what: subject is NAMESPACE/NAME or ADDRESS[:PORT]");
	else if (subject_parse(text, &subject) < 0)
		ctl_fail(answer, 400,
		    "%s is neither NAMESPACE/NAME nor ADDRESS[:PORT]", text);
	else if (subject.ns)
		explain_name(req, text, &subject, answer);
	else
		explain_address(req, text, &subject, answer);
	subject_fini(&subject);
	free(text);
}
