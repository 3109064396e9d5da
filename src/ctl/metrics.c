/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "ctl/metrics_service.h"
#include "ctl/usage.h"

struct ctl_metrics {
	const struct ctl_state *state;
	struct metrics_services services;
	size_t part; /* of the others, the next */
	bool is_writing;
	bool is_written;
	bool has_openelb;
	const char *node_name;
	mono_t as_of;
	struct str text;
};

static void
write_pools(const struct ctl_state *s, struct str *out)
{
	struct str labels = { 0 };
	struct usage usage;

	metrics_family(out, "eipd_pool_addresses", "gauge", NULL,
	    "Addresses of a pool; the states add up to all of them.");
	usage_count(s, &usage);
	for (size_t i = 0; i < usage.n_pools; i++)
		for (size_t k = 0; k < USAGE__COUNT; k++) {
			str_clear(&labels);
			metrics_label(&labels, "pool",
			    usage.pools[i].pool->o.name);
			metrics_label(&labels, "state",
			    usage_kind_name((enum usage_kind)k));
			metrics_u64(out, "eipd_pool_addresses",
			    str_get(&labels), usage.pools[i].n[k]);
		}
	usage_fini(&usage);
	str_fini(&labels);
}

/* ---- peers: one walk for each family ---- */

struct peer_family {
	struct str *out;
	const char *name;
	const char *direction; /* NULL: the family has no such label */
	uint64_t (*value)(const struct peer_status *p);
};

static uint64_t
peer_up(const struct peer_status *p)
{
	return p->state == BGP_STATE_ESTABLISHED;
}

static uint64_t
peer_advertised(const struct peer_status *p)
{
	return p->advertised;
}

static uint64_t
peer_updates_in(const struct peer_status *p)
{
	return p->updates_in;
}

static uint64_t
peer_updates_out(const struct peer_status *p)
{
	return p->updates_out;
}

static uint64_t
peer_notifications_in(const struct peer_status *p)
{
	return p->notifications_in;
}

static uint64_t
peer_notifications_out(const struct peer_status *p)
{
	return p->notifications_out;
}

static void
on_peer(void *arg, const struct peer_status *p)
{
	const struct peer_family *f = arg;
	struct str labels = { 0 };

	metrics_label(&labels, "peer", p->name);
	if (f->direction)
		metrics_label(&labels, "direction", f->direction);
	metrics_u64(f->out, f->name, str_get(&labels), f->value(p));
	str_fini(&labels);
}

static void
write_peers(const struct ctl_state *s, struct str *out)
{
	static const struct {
		const char *family; /* NULL: more samples of the last one */
		const char *type;
		const char *help;
		const char *name;
		const char *direction;
		uint64_t (*value)(const struct peer_status *p);
	} rows[] = {
		{ "eipd_bgp_session_up", "gauge",
		    "1 while the session is Established.",
		    "eipd_bgp_session_up", NULL, peer_up },
		{ "eipd_bgp_prefixes_advertised", "gauge",
		    "Prefixes that were announced and not withdrawn.",
		    "eipd_bgp_prefixes_advertised", NULL, peer_advertised },
		{ "eipd_bgp_updates", "counter", "UPDATE messages.",
		    "eipd_bgp_updates_total", "in", peer_updates_in },
		{ NULL, NULL, NULL, "eipd_bgp_updates_total", "out",
		    peer_updates_out },
		{ "eipd_bgp_notifications", "counter", "NOTIFICATION messages.",
		    "eipd_bgp_notifications_total", "in",
		    peer_notifications_in },
		{ NULL, NULL, NULL, "eipd_bgp_notifications_total", "out",
		    peer_notifications_out },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer_family f = { .out = out,
			.name = rows[i].name,
			.direction = rows[i].direction,
			.value = rows[i].value };

		if (rows[i].family)
			metrics_family(out, rows[i].family, rows[i].type, NULL,
			    rows[i].help);
		s->each_peer(s->arg, on_peer, &f);
	}
}

/* ---- clusters ---- */

struct watch_row {
	const char *resource; /* static text of the daemon */
	double age_s;
	uint64_t events;
	uint64_t restarts;
};

struct watch_rows {
	VEC(struct watch_row) v;
	double stale_s;
};

/* As with Services, several clusters share a resource's name: the counters
 * are added up and the worst age counts. */
static void
on_cluster(void *arg, const struct cluster_status *c)
{
	struct watch_rows *rows = arg;

	rows->stale_s = MAX(rows->stale_s, c->stale_s);
	for (size_t i = 0; i < c->n_watches; i++) {
		size_t at = 0;

		while (at < rows->v.n &&
		    strcmp(rows->v.v[at].resource, c->watches[i].resource))
			at++;
		if (at == rows->v.n)
			vec_push(&rows->v,
			    (struct watch_row){ .resource =
						    c->watches[i].resource,
				.age_s = -1 });
		rows->v.v[at].age_s =
		    MAX(rows->v.v[at].age_s, c->watches[i].age_s);
		rows->v.v[at].events += c->watches[i].events;
		rows->v.v[at].restarts += c->watches[i].restarts;
	}
}

static void
write_clusters(const struct ctl_state *s, struct str *out)
{
	struct str text[3] = { { 0 }, { 0 }, { 0 } };
	struct watch_rows rows = { 0 };
	struct watch_row *row;

	s->each_cluster(s->arg, on_cluster, &rows);
	VEC_FOREACH (row, &rows.v) {
		struct str labels = { 0 };

		metrics_label(&labels, "resource", row->resource);
		if (row->age_s >= 0)
			metrics_double(&text[0], "eipd_kube_watch_age_seconds",
			    str_get(&labels), row->age_s);
		metrics_u64(&text[1], "eipd_kube_watch_events_total",
		    str_get(&labels), row->events);
		metrics_u64(&text[2], "eipd_kube_watch_restarts_total",
		    str_get(&labels), row->restarts);
		str_fini(&labels);
	}
	metrics_family(out, "eipd_kube_watch_age_seconds", "gauge", "seconds",
	    "Time since the last event of a watch.");
	str_add(out, str_get(&text[0]));
	metrics_family(out, "eipd_kube_stale_seconds", "gauge", "seconds",
	    "How long the API server has been out of reach; 0 when it is "
	    "not.");
	metrics_double(out, "eipd_kube_stale_seconds", "", rows.stale_s);
	metrics_family(out, "eipd_kube_watch_events", "counter", NULL,
	    "Events that watches delivered.");
	str_add(out, str_get(&text[1]));
	metrics_family(out, "eipd_kube_watch_restarts", "counter", NULL,
	    "Watches that had to begin anew.");
	str_add(out, str_get(&text[2]));
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		str_fini(&text[i]);
	vec_fini(&rows.v);
}

static void
write_counter(struct str *out, const char *family, const char *name,
    uint64_t value, const char *help)
{
	metrics_family(out, family, "counter", NULL, help);
	metrics_u64(out, name, "", value);
}

static void
write_daemon(const struct ctl_state *s, struct str *out)
{
	struct str labels = { 0 };
	struct daemon_status d;

	s->status(s->arg, &d);
	metrics_label(&labels, "version", d.version);
	metrics_family(out, "eipd_build", "info", NULL, "What is running.");
	metrics_u64(out, "eipd_build_info", str_get(&labels), 1);
	str_fini(&labels);
	metrics_family(out, "eipd_uptime_seconds", "gauge", "seconds",
	    "Time since the start.");
	metrics_double(out, "eipd_uptime_seconds", "", d.uptime_s);
	metrics_family(out, "eipd_ready", "gauge", NULL,
	    "1 once the first sync is done.");
	metrics_u64(out, "eipd_ready", "", d.is_ready);
	write_counter(out, "eipd_nft_commits", "eipd_nft_commits_total",
	    d.nft_commits, "Transactions of nf_tables.");
	write_counter(out, "eipd_nft_operations", "eipd_nft_operations_total",
	    d.nft_operations, "Elements added or deleted by them.");
	write_counter(out, "eipd_nft_errors", "eipd_nft_errors_total",
	    d.nft_errors, "Transactions that the kernel refused.");
}

static void
write_histogram(struct str *out, const char *name, const char *help,
    const struct histogram *h)
{
	struct str sample = { 0 };
	uint64_t total = 0;

	metrics_family(out, name, "histogram", "seconds", help);
	str_printf(&sample, "%s_bucket", name);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		char le[32] = "+Inf";
		struct str labels = { 0 };

		/* The canonical form has a decimal point. */
		if (i < HISTOGRAM_BUCKETS - 1)
			snprintf(le, sizeof(le),
			    histogram_bounds_s[i] < 1 ? "%g" : "%.1f",
			    histogram_bounds_s[i]);
		total += h->buckets[i];
		metrics_label(&labels, "le", le);
		metrics_u64(out, str_get(&sample), str_get(&labels), total);
		str_fini(&labels);
	}
	str_clear(&sample);
	str_printf(&sample, "%s_sum", name);
	metrics_double(out, str_get(&sample), "", h->sum_s);
	str_clear(&sample);
	str_printf(&sample, "%s_count", name);
	metrics_u64(out, str_get(&sample), "", h->count);
	str_fini(&sample);
}

static void
write_histograms(const struct ctl_state *s, struct str *out)
{
	static const struct histogram none;
	struct ctl_histograms h = { 0 };

	s->histograms(s->arg, &h);
	write_histogram(out, "eipd_nft_commit_seconds",
	    "Duration of a transaction of nf_tables.",
	    h.nft_commit ? h.nft_commit : &none);
	write_histogram(out, "eipd_db_commit_seconds",
	    "Duration of a transaction of the database.",
	    h.db_commit ? h.db_commit : &none);
	write_histogram(out, "eipd_converge_seconds",
	    "From the event received to the change carried out.",
	    h.converge ? h.converge : &none);
	write_histogram(out, "eipd_loop_stall_seconds",
	    "How long one callback kept the loop busy.",
	    h.loop_stall ? h.loop_stall : &none);
}

/* ---- all of it, step by step ---- */

bool
ctl_metrics_is_writing(const struct ctl_metrics *m)
{
	return m->is_writing;
}

bool
ctl_metrics_step(struct ctl_metrics *m)
{
	static void (*const parts[])(const struct ctl_state *s,
	    struct str *out) = { write_pools, write_peers, write_clusters,
		write_histograms };

	if (!m->is_writing)
		return false;
	if (metrics_services_step(&m->services, m->state, &m->text))
		return true;
	if (m->part < ARRAY_LEN(parts)) {
		parts[m->part++](m->state, &m->text);
		return true;
	}
	if (m->has_openelb)
		metrics_openelb(m->state, m->node_name, &m->text);
	str_add(&m->text, "# EOF\n");
	metrics_services_fini(&m->services);
	m->is_writing = false;
	m->is_written = true;
	return false;
}

static void
begin(struct ctl_metrics *m, const struct ctl_request *req, mono_t as_of)
{
	str_clear(&m->text);
	m->as_of = as_of;
	m->has_openelb = req->openelb_metrics;
	m->node_name = req->node_name;
	m->part = 0;
	m->is_written = false;
	m->is_writing = true;
	write_daemon(m->state, &m->text);
	metrics_services_begin(&m->services);
}

/* Whoever asks while it is written waits for the next one, together with all
 * others that do. */
void
view_metrics(const struct ctl_request *req, struct ctl_answer *answer)
{
	struct ctl_metrics *m = req->metrics;
	mono_t as_of;

	if (m->is_written && m->as_of >= req->since) {
		answer->content_type = CTL_OPENMETRICS;
		str_add_n(&answer->body, m->text.s, m->text.n);
		return;
	}
	answer->is_later = true;
	if (!m->is_writing &&
	    m->state->read_totals(m->state->arg, req->since, &as_of))
		begin(m, req, as_of);
}

struct ctl_metrics *
ctl_metrics_new(const struct ctl_state *state)
{
	struct ctl_metrics *m = mem_new(struct ctl_metrics);

	m->state = state;
	return m;
}

void
ctl_metrics_forget(struct ctl_metrics *m)
{
	m->is_written = false;
	if (!m->is_writing)
		str_fini(&m->text);
}

void
ctl_metrics_free(struct ctl_metrics *m)
{
	metrics_services_fini(&m->services);
	str_fini(&m->text);
	free(m);
}
