/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs: what an operator may ask for over the control socket, and the two
 * longer answers: history and check.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/kube_cr_status.h"
#include "apply/nft.h"
#include "ctl/jsonw.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "source/files.h"
#include "source/kube.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/loop.h"

/* ---- check ---- */

struct problem_sink {
	void (*fn)(void *arg, const struct problem *p);
	void *arg;
};

static void
emit(const struct problem_sink *sink, enum severity severity,
    const char *subject, const char *text, const char *remedy)
{
	struct problem p = { .severity = severity,
		.subject = subject,
		.text = text,
		.remedy = remedy };

	sink->fn(sink->arg, &p);
}

static void
emit_peer(void *arg, const struct peer_status *p)
{
	const struct problem_sink *sink = arg;
	char subject[300];
	char text[700];

	if (p->state == BGP_STATE_ESTABLISHED && !*p->message)
		return;
	snprintf(subject, sizeof(subject), "peer %s", p->name);
	snprintf(text, sizeof(text), "%s%s%s%s%s", bgp_state_name(p->state),
	    *p->last_error ? ": " : "", p->last_error, *p->message ? ": " : "",
	    p->message);
	if (p->is_off)
		emit(sink, SEVERITY_WARNING, subject, text,
		    "remove conf.adminDown, or the label cni, if it is to come "
		    "up");
	else
		emit(sink,
		    p->state == BGP_STATE_ESTABLISHED ? SEVERITY_WARNING
						      : SEVERITY_ERROR,
		    subject, text,
		    "compare the BgpPeer with the router's configuration");
}

static void
emit_services(const struct app *app, const struct problem_sink *sink)
{
	struct record **at;

	VEC_FOREACH (at, &app->records->all) {
		const struct record *r = *at;
		const struct decision *d = r->decision;
		char subject[400];

		snprintf(subject, sizeof(subject), "Service %s/%s", r->ns,
		    r->name);
		if (r->problem)
			emit(sink, SEVERITY_ERROR, subject, r->problem,
			    "see eipctl explain");
		else if (d && d->is_refused)
			emit(sink, SEVERITY_ERROR, subject, d->message,
			    "see eipctl explain");
		else if (d && d->is_degraded)
			emit(sink, SEVERITY_WARNING, subject,
			    DECISION_DEGRADED_TEXT, "see eipctl get nodes");
		else if (d && d->n_addrs && !d->has_backends)
			emit(sink, SEVERITY_WARNING, subject,
			    "it has no backends", "see eipctl get backends");
	}
}

static void
emit_hidden_objects(const struct app *app, const struct problem_sink *sink)
{
	static const enum object_kind kinds[] = { OBJECT_EIP, OBJECT_BGP_CONF,
		OBJECT_BGP_PEER };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct object *o;

		for (o = world_first(app->world, kinds[k]); o;
		     o = world_next(app->world, o)) {
			char subject[400];

			if (strcmp(o->cluster, CLUSTER_STATIC) == 0 ||
			    !world_get(app->world, kinds[k], CLUSTER_STATIC, "",
				o->name))
				continue;
			snprintf(subject, sizeof(subject), "%s %s",
			    object_kind_name(kinds[k]), o->name);
			emit(sink, SEVERITY_WARNING, subject,
			    "it is in an object file and in the cluster; the "
			    "file is in force",
			    "remove one of the two");
		}
	}
}

static void
emit_other_confs(const struct app *app, const struct problem_sink *sink)
{
	const struct object *o;

	for (o = world_first(app->world, OBJECT_BGP_CONF); o;
	     o = world_next(app->world, o)) {
		char subject[400];

		if (strcmp(o->name, "default") == 0)
			continue;
		snprintf(subject, sizeof(subject), "BgpConf %s", o->name);
		emit(sink, SEVERITY_WARNING, subject,
		    "only the BgpConf named default is in force",
		    "give it the name default, or remove it");
	}
}

/* The first peer or node whose address the pool offers: NULL if none. */
static const struct object *
find_offered(const struct app *app, const struct pool *pool, struct addr *addr)
{
	size_t n;
	const struct bgp_peer **peers = world_bgp_peers(app->world, &n);
	const struct object *found = NULL;
	const struct object *o;

	for (size_t i = 0; i < n && !found; i++) {
		*addr = peers[i]->address;
		if (pool_offers(pool, addr))
			found = &peers[i]->o;
	}
	free(peers);
	for (o = world_first(app->world, OBJECT_NODE); o && !found;
	     o = world_next(app->world, o)) {
		const struct node *node = (const struct node *)o;

		*addr =
		    pool_offers(pool, &node->ipv4) ? node->ipv4 : node->ipv6;
		if (pool_offers(pool, addr))
			found = o;
	}
	return found;
}

static void
emit_offered(const struct app *app, const struct problem_sink *sink)
{
	size_t n;
	const struct pool *const *pools = world_pools(app->world, &n);

	for (size_t i = 0; i < n; i++) {
		char subject[300];
		char text[400];
		char addr_buf[ADDR_TEXT_B];
		struct addr addr;
		const struct object *o = find_offered(app, pools[i], &addr);

		if (!o)
			continue;
		snprintf(subject, sizeof(subject), "Eip %s", pools[i]->o.name);
		snprintf(text, sizeof(text),
		    "it offers %s, the address of %s %s, which a Service that "
		    "gets it cuts off",
		    addr_text(&addr, addr_buf), object_kind_name(o->kind),
		    o->name);
		emit(sink, SEVERITY_ERROR, subject, text,
		    "add it to spec.exclude");
	}
}

static void
emit_remembered(const struct app *app, const struct problem_sink *sink)
{
	size_t n = remember_count(app);
	struct kube_status k;
	char since[32];
	char text[200];

	if (!n || !app->kube)
		return;
	kube_get_status(app->kube, &k);
	if (!k.stale_since)
		return;
	jsonw_time_text(clock_wall() - (clock_mono() - k.stale_since) / MONO_S,
	    since);
	snprintf(text, sizeof(text),
	    "%zu Eip, BgpConf and BgpPeer objects are remembered from before "
	    "the start; the API server has been away since %s",
	    n, since);
	emit(sink, SEVERITY_WARNING, "remembered objects", text,
	    "they stay in force until the API server lists its own");
}

static void
emit_setting(void *arg, const struct doctor_finding *f)
{
	if (f->level == DOCTOR_ERROR)
		emit(arg, SEVERITY_ERROR, f->check, f->text, f->remedy);
}

void
app_each_problem(void *arg, void (*fn)(void *fn_arg, const struct problem *p),
    void *fn_arg)
{
	const struct app *app = arg;
	struct problem_sink sink = { fn, fn_arg };
	struct kube_status k;
	const char *text;

	problems_each(app->problems, fn, fn_arg);
	if (app_is_unconfigured(app))
		emit(&sink, SEVERITY_WARNING, "eipd.conf", APP_UNCONFIGURED,
		    "set cluster.kubeconfig, or write objects; see "
		    "eipd.conf(5)");
	if (*files_problem(app->files))
		emit(&sink, SEVERITY_ERROR, app->conf.objects,
		    files_problem(app->files),
		    "what is in force stays so meanwhile");
	if (*bgp_speaker_problem(app->speaker))
		emit(&sink, SEVERITY_ERROR, "bgp listen",
		    bgp_speaker_problem(app->speaker),
		    "free the port, or set another listenPort; sessions that "
		    "eipd opens work meanwhile");
	if (app->kube) {
		kube_get_status(app->kube, &k);
		if (*k.message)
			emit(&sink, SEVERITY_ERROR, "API server", k.message,
			    "what is in force stays so meanwhile");
		text = kube_cr_status_problem(app->cr_writer);
		if (*text)
			emit(&sink, SEVERITY_WARNING,
			    "status of Eip, BgpConf, BgpPeer", text,
			    "everything else goes on; it is tried again");
	}
	emit_remembered(app, &sink);
	if (app->is_withdrawn)
		emit(&sink, SEVERITY_WARNING, "withdraw-all",
		    "this box announces and forwards nothing",
		    "eipctl withdraw-all --undo");
	app_each_setting(app, emit_setting, &sink);
	emit_hidden_objects(app, &sink);
	emit_other_confs(app, &sink);
	emit_offered(app, &sink);
	bgp_speaker_each_peer(app->speaker, emit_peer, &sink);
	emit_services(app, &sink);
}

/* ---- history ---- */

struct history_sink {
	void (*fn)(void *arg, const struct history_entry *h);
	void *arg;
};

enum {
	HISTORY_MAX = 1000
};

static void
history_entry(void *arg, const struct ledger_entry *e)
{
	const struct history_sink *sink = arg;
	struct history_entry h = { .time = e->time,
		.event = e->event,
		.address = e->address,
		.cluster = e->cluster,
		.ns = e->ns,
		.name = e->name,
		.uid = e->uid,
		.pool = e->pool,
		.reason = e->reason };

	sink->fn(sink->arg, &h);
}

static int
each_history(void *arg, const char *address, const char *ns, const char *name,
    void (*fn)(void *fn_arg, const struct history_entry *h), void *fn_arg,
    struct err *err)
{
	const struct app *app = arg;
	struct history_sink sink = { fn, fn_arg };

	if (!store_is_open(app->store))
		return err_set(err, -EAGAIN, "database unavailable: %s",
		    app->database_problem);
	return store_history(app->store, address, ns, name, HISTORY_MAX,
		   history_entry, &sink, err) < 0
	    ? -EAGAIN
	    : 0;
}

/* ---- verbs ---- */

static int
apply_one(struct app *app, const struct lease_op *op, struct err *err)
{
	if (!store_is_open(app->store))
		return err_set(err, -EAGAIN, "database unavailable: %s",
		    app->database_problem);
	if (store_apply(app->store, op, 1, err) < 0) {
		adopt_database_failed(app, err);
		return err_set(err, -EAGAIN, "database unavailable: %s",
		    app->database_problem);
	}
	lease_table_apply(app->leases, op);
	plan_cache_addresses_freed(app->cache);
	reconcile_wake_waiting(app);
	reconcile_kick(app);
	return 0;
}

static const struct pool *
pool_of(const struct app *app, const struct addr *addr)
{
	size_t n;
	const struct pool *const *pools = world_pools(app->world, &n);

	for (size_t i = 0; i < n; i++)
		if (pool_offers(pools[i], addr))
			return pools[i];
	return NULL;
}

static struct lease_op
make_op(enum lease_op_kind kind, const char *event, const struct addr *addr,
    const char *ns, const char *name, const char *pool)
{
	return (struct lease_op){ .kind = kind,
		.lease = { .address = *addr,
		    .cluster = "",
		    .ns = ns,
		    .name = name,
		    .uid = "",
		    .pool = pool,
		    .since = clock_wall() },
		.event = event,
		.reason = "eipctl",
		.at = clock_wall() };
}

static int
reserve(void *arg, const struct addr *address, const char *ns, const char *name,
    struct err *err)
{
	struct app *app = arg;
	char text[ADDR_TEXT_B];
	const struct pool *pool = pool_of(app, address);
	const struct reservation *r =
	    reservation_of_address(app->leases, address);
	struct lease_op op;

	addr_text(address, text);
	if (!pool)
		return err_set(err, -ENOENT,
		    "%s is outside every pool; see eipctl get pools", text);
	if (r && (strcmp(r->ns, ns) != 0 || strcmp(r->name, name) != 0))
		return err_set(err, -EBUSY,
		    "%s is reserved for %s/%s; unreserve it first", text, r->ns,
		    r->name);
	for (const struct lease *l = lease_of_address(app->leases, address); l;
	     l = lease_next_of_address(l))
		if (l->is_held &&
		    (strcmp(l->ns, ns) != 0 || strcmp(l->name, name) != 0))
			return err_set(err, -EBUSY, "%s is held by %s/%s", text,
			    l->ns, l->name);
	if (r)
		return 0;
	op = make_op(LEASE_OP_RESERVE, "reserved", address, ns, name,
	    pool->o.name);
	return apply_one(app, &op, err);
}

static int
unreserve(void *arg, const struct addr *address, struct err *err)
{
	struct app *app = arg;
	char text[ADDR_TEXT_B];
	const struct reservation *r =
	    reservation_of_address(app->leases, address);
	struct lease_op op;

	if (!r)
		return err_set(err, -ENOENT, "%s is not reserved",
		    addr_text(address, text));
	op = make_op(LEASE_OP_UNRESERVE, "unreserved", address, r->ns, r->name,
	    r->pool);
	return apply_one(app, &op, err);
}

/* Ends sticky and quarantined. */
static int
release(void *arg, const struct addr *address, struct err *err)
{
	struct app *app = arg;
	char text[ADDR_TEXT_B];
	const struct lease *l = lease_of_address(app->leases, address);
	bool found = false;
	int rc = 0;

	addr_text(address, text);
	for (const struct lease *h = l; h; h = lease_next_of_address(h))
		if (h->is_held)
			return err_set(err, -EBUSY,
			    "%s is held by %s/%s; delete that Service or "
			    "change its type first",
			    text, h->ns, h->name);
	while (l && rc == 0) {
		const struct lease *next = lease_next_of_address(l);
		struct lease_op op = { .kind = LEASE_OP_DELETE,
			.lease = *l,
			.event = "expired",
			.reason = "eipctl release",
			.at = clock_wall() };

		found = true;
		rc = apply_one(app, &op, err);
		l = next;
	}
	if (!found)
		return err_set(err, -ENOENT,
		    "%s is neither quarantined nor sticky", text);
	return rc;
}

static int
reload(void *arg, struct err *err)
{
	return app_reload(arg, err);
}

int
app_withdraw(struct app *app, bool is_withdrawn, struct err *err)
{
	if (app->is_withdrawn == is_withdrawn)
		return app_remove_rules(app, err);
	app->is_withdrawn = is_withdrawn;
	app->is_kernel_adopted = false;
	if (!is_withdrawn) {
		reconcile_dirty_all(app);
		adopt_kernel(app);
		return 0;
	}
	reconcile_withdraw_all(app);
	app->is_removal_due = true;
	return app_remove_rules(app, err);
}

int
app_remove_rules(struct app *app, struct err *err)
{
	int rc = 0;

	if (app->is_withdrawn && app->is_removal_due) {
		rc = nft_remove_all(app->nft, err);
		loop_timer_arm(app->flush_timer, 0);
	}
	app->is_removal_due = rc < 0;
	return rc;
}

static int
withdraw_all(void *arg, bool undo, struct err *err)
{
	struct app *app = arg;
	struct err why = { 0 };
	int rc = app_withdraw(app, !undo, err);

	/* Also while the kernel refuses: the order holds over a restart. */
	if (adopt_save_withdrawn(app, &why) < 0 && rc == 0)
		rc = err_set(err, -EAGAIN,
		    "done, but not remembered over a restart until the "
		    "database is usable: %s",
		    why.text);
	return rc < 0 ? -EAGAIN : 0;
}

void
verbs_init(struct ctl_state *state)
{
	state->each_history = each_history;
	state->reserve = reserve;
	state->unreserve = unreserve;
	state->release = release;
	state->reload = reload;
	state->withdraw_all = withdraw_all;
}
