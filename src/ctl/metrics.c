/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "ctl/list.h"
#include "ctl/usage.h"

/* Services of two clusters may have one name, but a label set may come only
 * once: they are added up. */
struct service_row {
	char *labels; /* namespace and service, owned */
	bool has_backends;
	bool has_totals;
	uint64_t n[BACKEND_DEGRADED + 1];
	uint64_t totals[3];
};

struct service_rows {
	VEC(struct service_row) v;
	uint64_t states[SERVICE_STATE__COUNT];
};

static void
count_backends(const struct decision *d, uint64_t *n)
{
	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];
		size_t healthy = frontend_healthy(d, f);

		n[BACKEND_ACTIVE] += healthy;
		n[BACKEND_DEGRADED] += f->n_usable - healthy;
		n[BACKEND_DOWN] += f->n_backends - f->n_usable;
	}
}

static void
on_service(void *arg, const struct service_status *s)
{
	struct service_rows *rows = arg;
	struct service_row row = { .has_backends = s->decision,
		.has_totals = s->totals };
	struct str labels = { 0 };

	rows->states[s->state]++;
	if (!s->decision && !s->totals)
		return;
	metrics_label(&labels, "namespace", s->ns);
	metrics_label(&labels, "service", s->name);
	row.labels = str_steal(&labels);
	if (s->decision)
		count_backends(s->decision, row.n);
	if (s->totals) {
		row.totals[0] = s->totals->packets;
		row.totals[1] = s->totals->bytes;
		row.totals[2] = s->totals->connections;
	}
	vec_push(&rows->v, row);
}

static int
row_cmp(const void *a, const void *b)
{
	const struct service_row *x = a;
	const struct service_row *y = b;

	return strcmp(x->labels, y->labels);
}

static void
add_up_rows(struct service_rows *rows)
{
	size_t kept = 0;

	vec_sort(&rows->v, row_cmp);
	for (size_t i = 0; i < rows->v.n; i++) {
		struct service_row *row = &rows->v.v[i];
		struct service_row *last = &rows->v.v[kept ? kept - 1 : 0];

		if (kept == 0 || row_cmp(last, row) != 0) {
			rows->v.v[kept++] = *row;
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(row->n); k++)
			last->n[k] += row->n[k];
		for (size_t k = 0; k < ARRAY_LEN(row->totals); k++)
			last->totals[k] += row->totals[k];
		last->has_backends |= row->has_backends;
		last->has_totals |= row->has_totals;
		free(row->labels);
	}
	rows->v.n = kept;
}

static void
write_backends(struct str *out, const struct service_rows *rows)
{
	const struct service_row *row;
	struct str labels = { 0 };

	metrics_family(out, "eipd_service_backends", "gauge", NULL,
	    "Backends of a Service, all ports and families, by state.");
	VEC_FOREACH (row, &rows->v) {
		for (size_t k = 0; row->has_backends && k < ARRAY_LEN(row->n);
		     k++) {
			str_clear(&labels);
			str_add(&labels, row->labels);
			metrics_label(&labels, "state",
			    backend_state_name((enum backend_state)k));
			metrics_u64(out, "eipd_service_backends",
			    str_get(&labels), row->n[k]);
		}
	}
	str_fini(&labels);
}

static void
write_totals(struct str *out, const struct service_rows *rows)
{
	static const struct {
		const char *family;
		const char *name;
		const char *unit;
		const char *help;
	} families[] = {
		{ "eipd_service_packets", "eipd_service_packets_total", NULL,
		    "Packets forwarded for a Service, both ways." },
		{ "eipd_service_bytes", "eipd_service_bytes_total", "bytes",
		    "Length of these packets, with their IP headers." },
		{ "eipd_service_connections", "eipd_service_connections_total",
		    NULL, "Flows forwarded for a Service, of any protocol." },
	};
	const struct service_row *row;

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		metrics_family(out, families[i].family, "counter",
		    families[i].unit, families[i].help);
		VEC_FOREACH (row, &rows->v) {
			if (row->has_totals)
				metrics_u64(out, families[i].name, row->labels,
				    row->totals[i]);
		}
	}
}

static void
write_services(const struct ctl_state *s, struct str *out)
{
	struct service_rows rows = { 0 };
	struct service_row *row;

	s->each_service(s->arg, on_service, &rows);
	add_up_rows(&rows);
	metrics_family(out, "eipd_services", "gauge", NULL,
	    "Services that are ours, by state.");
	for (size_t i = 0; i < SERVICE_STATE__COUNT; i++) {
		struct str labels = { 0 };

		metrics_label(&labels, "state",
		    service_state_name((enum service_state)i));
		metrics_u64(out, "eipd_services", str_get(&labels),
		    rows.states[i]);
		str_fini(&labels);
	}
	write_backends(out, &rows);
	write_totals(out, &rows);
	VEC_FOREACH (row, &rows.v)
		free(row->labels);
	vec_fini(&rows.v);
}

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

void
view_metrics(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct str *out = &answer->body;

	if (!s->read_totals(s->arg, req->since)) {
		answer->is_later = true;
		return;
	}
	answer->content_type = CTL_OPENMETRICS;
	write_daemon(s, out);
	write_services(s, out);
	write_pools(s, out);
	write_peers(s, out);
	write_clusters(s, out);
	write_histograms(s, out);
	if (req->openelb_metrics)
		metrics_openelb(req, out);
	str_add(out, "# EOF\n");
}
