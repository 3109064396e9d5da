/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view: what ctl/ may see, lent from the running parts.
 */
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/kube_status.h"
#include "apply/nft.h"
#include "apply/totals.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "plan/backends.h"
#include "source/files.h"
#include "source/kube.h"
#include "source/probe.h"
#include "sys/clock.h"
#include "sys/loop.h"

static wall_t
now(void *arg)
{
	(void)arg;
	return clock_wall();
}

static void
status(void *arg, struct daemon_status *out)
{
	const struct app *app = arg;
	const struct nft_stats *nft = nft_stats(app->nft);

	*out = (struct daemon_status){ .version = PACKAGE_VERSION,
		.uptime_s = (double)(clock_mono() - app->started) / MONO_S,
		.waiting_for = app_waiting_for(app),
		.database =
		    *app->database_problem ? app->database_problem : "ok",
		.is_withdrawn = app->is_withdrawn,
		.max_stall_ms = (double)loop_max_stall_us(app->loop) / 1000,
		.nft_commits = nft->commits,
		.nft_operations = nft->operations,
		.nft_errors = nft->errors };
	out->is_ready = !*out->waiting_for;
}

static void
histograms(void *arg, struct ctl_histograms *out)
{
	const struct app *app = arg;

	*out = (struct ctl_histograms){ .nft_commit = &app->nft_commit,
		.db_commit = &app->db_commit,
		.converge = &app->converge,
		.loop_stall = &app->loop_stall };
}

static const struct world *
world(void *arg)
{
	return ((const struct app *)arg)->world;
}

static const struct lease_table *
leases(void *arg)
{
	return ((const struct app *)arg)->leases;
}

static void
fill_status_write(const struct app *app, const struct record *r,
    struct service_status *out)
{
	out->status_problem = "";
	out->has_status =
	    app->writer && strcmp(r->cluster, CLUSTER_STATIC) != 0;
	if (!out->has_status)
		return;
	out->is_status_written =
	    kube_status_is_written(app->writer, r->ns, r->name);
	out->status_problem = kube_status_problem(app->writer, r->ns, r->name);
}

static bool
has_peer(const struct app *app)
{
	size_t n;

	return app_count_peers(app, &n) > 0;
}

/* In force, but its users cannot know: the API server was not told. */
static bool
is_untold(const struct app *app, const struct record *r)
{
	enum service_state state = reconcile_state(app, r);

	return (state == SERVICE_STATE_PROGRAMMED ||
		   state == SERVICE_STATE_ANNOUNCED) &&
	    app->writer && strcmp(r->cluster, CLUSTER_STATIC) != 0 &&
	    *kube_status_problem(app->writer, r->ns, r->name);
}

/* `is_heard`: a router is there to hear what is announced. */
static enum service_state
shown_state(const struct app *app, const struct record *r, bool is_heard)
{
	enum service_state state = reconcile_state(app, r);

	if (is_untold(app, r))
		return SERVICE_STATE_PENDING;
	return state == SERVICE_STATE_ANNOUNCED && !is_heard
	    ? SERVICE_STATE_PROGRAMMED
	    : state;
}

static void
fill_service(const struct app *app, const struct record *r, bool is_heard,
    struct service_status *out)
{
	const struct decision *d = r->decision;

	*out = (struct service_status){
		.service = (const struct service *)world_get(app->world,
		    OBJECT_SERVICE, r->cluster, r->ns, r->name),
		.cluster = r->cluster,
		.ns = r->ns,
		.name = r->name,
		.decision = d,
		.state = shown_state(app, r, is_heard),
		.reason = *r->pending ? r->pending
		    : d		      ? d->reason
				      : "",
		.message = r->problem ? r->problem
		    : d		      ? d->message
				      : "",
		.is_programmed = r->is_programmed,
		.is_announced = r->n_routes > 0,
		.totals = totals_get(app->totals, r->key),
	};
	if (!d && !*out->reason) {
		out->reason = "FirstSync";
		out->message = "known from the kernel and the database; "
			       "waits for the first sync";
	}
	if (app->is_withdrawn && out->state == SERVICE_STATE_PENDING) {
		out->reason = "Withdrawn";
		out->message = "eipctl withdraw-all is in force; "
			       "eipctl withdraw-all --undo ends it";
	}
	if (d && d->is_degraded && !*out->message)
		out->message = "degraded: " DECISION_DEGRADED_TEXT;
	if (out->state == SERVICE_STATE_PROGRAMMED && out->is_announced &&
	    !*out->message)
		out->message = "no BGP session is Established";
	fill_status_write(app, r, out);
	if (is_untold(app, r)) {
		out->reason = "ApiServer";
		out->message = out->status_problem;
	}
}

/* Not planned yet and not in the kernel: nothing to show.  After a restart
 * nothing is planned while all is withdrawn: then the leases tell. */
static bool
is_shown(const struct app *app, const struct record *r)
{
	const struct lease *l;

	if (r->decision || r->is_programmed)
		return true;
	if (!app->is_withdrawn)
		return false;
	for (l = lease_of_service(app->leases, r->cluster, r->ns, r->name); l;
	     l = lease_next_of_service(l))
		if (l->is_held)
			return true;
	return false;
}

static void
count_services(void *arg, uint64_t n[SERVICE_STATE__COUNT])
{
	const struct app *app = arg;
	bool is_heard = has_peer(app);

	struct record **r;

	VEC_FOREACH (r, &app->records->all)
		if (is_shown(app, *r))
			n[shown_state(app, *r, is_heard)]++;
}

static bool
read_totals(void *arg, mono_t since, mono_t *as_of)
{
	return totals_read(((const struct app *)arg)->totals, since, as_of);
}

static bool
services(void *arg, struct str *after, size_t n,
    void (*fn)(void *fn_arg, const struct service_status *s), void *fn_arg)
{
	const struct app *app = arg;
	const struct records *records = app->records;
	size_t i = records_after(records, str_get(after));
	size_t end = i + MIN(n, records->all.n - i);
	bool is_heard = has_peer(app);

	for (; i < end; i++) {
		const struct record *r = records->all.v[i];
		struct service_status s;

		if (!is_shown(app, r))
			continue;
		fill_service(app, r, is_heard, &s);
		fn(fn_arg, &s);
	}
	if (end == records->all.n)
		return false;
	str_clear(after);
	str_add(after, records->all.v[end - 1]->key);
	return true;
}

static struct decision *
explain(void *arg, const char *cluster, const char *ns, const char *name)
{
	const struct app *app = arg;
	struct plan_input in = app_plan_input(app);
	const struct service *s = (const struct service *)world_get(app->world,
	    OBJECT_SERVICE, cluster, ns, name);

	return s ? plan_service(&in, s) : NULL;
}

/* One Service is shown with its backends, which the record does not keep. */
static bool
service(void *arg, const char *cluster, const char *ns, const char *name,
    struct service_status *out)
{
	struct app *app = arg;
	const struct record *r = records_find(app->records, cluster, ns, name);

	if (!r || !is_shown(app, r))
		return false;
	fill_service(app, r, has_peer(app), out);
	if (!r->decision)
		return true;
	decision_free(app->lent);
	app->lent = explain(app, cluster, ns, name);
	if (app->lent && app->lent->n_addrs == r->decision->n_addrs)
		out->decision = app->lent;
	return true;
}

static void
each_node(void *arg, void (*fn)(void *fn_arg, const struct node_status *n),
    void *fn_arg)
{
	const struct app *app = arg;
	mono_t mono = clock_mono();
	wall_t wall = clock_wall();
	size_t n;
	const struct object **all = world_list(app->world, OBJECT_NODE, &n);

	for (size_t i = 0; i < n; i++) {
		const struct node *node = (const struct node *)all[i];
		const char *reason = backends_node_exclusion(node);
		struct probe_status probe = { .error = "" };
		struct node_status s = { .node = node, .probe_error = "" };

		s.is_probed = probe_get(app->probe, node->o.cluster,
		    node->o.name, &probe);
		if (s.is_probed) {
			s.probe = probe.state;
			s.probe_since = wall - (mono - probe.since) / MONO_S;
			s.probe_error = probe.error;
			if (!reason && probe.state == PROBE_DOWN)
				reason = "its probe fails";
		} else if (!reason && !node->is_ready) {
			reason = "condition Ready is not True";
		}
		s.is_eligible = !reason;
		s.reason = reason ? reason : "";
		fn(fn_arg, &s);
	}
	free(all);
}

static const char *
resource_name(enum object_kind kind)
{
	static const char *const names[] = {
		[OBJECT_SERVICE] = "services",
		[OBJECT_SLICE] = "endpointslices",
		[OBJECT_NODE] = "nodes",
		[OBJECT_NAMESPACE] = "namespaces",
		[OBJECT_EIP] = "eips",
		[OBJECT_BGP_CONF] = "bgpconfs",
		[OBJECT_BGP_PEER] = "bgppeers",
	};

	_Static_assert(ARRAY_LEN(names) == OBJECT__COUNT, "names");
	return names[kind];
}

static double
seconds_ago(mono_t then)
{
	return then ? (double)(clock_mono() - then) / MONO_S : -1;
}

static void
each_cluster(void *arg,
    void (*fn)(void *fn_arg, const struct cluster_status *c), void *fn_arg)
{
	const struct app *app = arg;
	struct kube_status k;
	struct cluster_status c = { 0 };

	if (!app->kube)
		return;
	kube_get_status(app->kube, &k);
	c.name = k.name;
	c.is_connected = k.is_connected;
	c.last_event_s = seconds_ago(k.last_event);
	c.stale_s = k.stale_since ? seconds_ago(k.stale_since) : 0;
	c.message = k.message;
	c.n_remembered = remember_count(app);
	c.n_watches = OBJECT__COUNT;
	for (size_t i = 0; i < c.n_watches; i++) {
		c.watches[i].resource = resource_name((enum object_kind)i);
		c.watches[i].age_s = seconds_ago(k.watches[i].last_event);
		c.watches[i].events = k.watches[i].events;
		c.watches[i].restarts = k.watches[i].restarts;
	}
	fn(fn_arg, &c);
}

static void
each_peer(void *arg, void (*fn)(void *fn_arg, const struct peer_status *p),
    void *fn_arg)
{
	bgp_speaker_each_peer(((const struct app *)arg)->speaker, fn, fn_arg);
}

static void
each_route(void *arg, const char *peer,
    void (*fn)(void *fn_arg, const struct route_status *r), void *fn_arg)
{
	bgp_speaker_each_route(((const struct app *)arg)->speaker, peer, fn,
	    fn_arg);
}

void
view_init(struct app *app, struct ctl_state *state)
{
	*state = (struct ctl_state){ .arg = app,
		.now = now,
		.status = status,
		.histograms = histograms,
		.world = world,
		.leases = leases,
		.count_services = count_services,
		.services = services,
		.read_totals = read_totals,
		.service = service,
		.explain = explain,
		.each_node = each_node,
		.each_cluster = each_cluster,
		.each_peer = each_peer,
		.each_route = each_route,
		.each_problem = app_each_problem,
		.each_finding = app_each_finding };
	verbs_init(state);
}
