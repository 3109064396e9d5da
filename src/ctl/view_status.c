/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_status: the whole daemon on one page, and the two probes of it.
 */
#include "ctl/request.h"
#include "ctl/usage.h"

static void
write_services(struct jsonw *json, const struct ctl_state *s)
{
	uint64_t n[SERVICE_STATE__COUNT] = { 0 };
	uint64_t total = 0;

	s->count_services(s->arg, n);
	for (size_t i = 0; i < SERVICE_STATE__COUNT; i++)
		total += n[i];
	jsonw_object(json, "services");
	jsonw_u64(json, "total", total);
	jsonw_u64(json, "announced", n[SERVICE_STATE_ANNOUNCED]);
	jsonw_u64(json, "programmed", n[SERVICE_STATE_PROGRAMMED]);
	jsonw_u64(json, "pending", n[SERVICE_STATE_PENDING]);
	jsonw_u64(json, "refused", n[SERVICE_STATE_REFUSED]);
	jsonw_object_end(json);
}

static void
write_eips(struct jsonw *json, const struct ctl_state *s)
{
	struct usage usage;
	uint64_t total = 0;
	uint64_t used = 0;

	usage_count(s, &usage);
	for (size_t i = 0; i < usage.n_pools; i++) {
		total += usage.pools[i].total;
		used += usage.pools[i].n[USAGE_USED];
	}
	jsonw_object(json, "eips");
	jsonw_u64(json, "total", MIN(total, JSONW_NUMBER_MAX));
	jsonw_u64(json, "used", used + usage.held_outside);
	jsonw_object_end(json);
	usage_fini(&usage);
}

static void
write_cluster(void *arg, const struct cluster_status *c)
{
	struct jsonw *json = arg;

	jsonw_object(json, NULL);
	jsonw_str(json, "name", c->name);
	jsonw_bool(json, "connected", c->is_connected);
	jsonw_seconds(json, "lastEventSeconds", c->last_event_s);
	jsonw_seconds(json, "staleSeconds", c->stale_s);
	jsonw_str(json, "message", c->message);
	jsonw_u64(json, "remembered", c->n_remembered);
	jsonw_object_end(json);
}

struct peer_count {
	uint64_t total;
	uint64_t established;
};

static void
count_peer(void *arg, const struct peer_status *p)
{
	struct peer_count *n = arg;

	n->total++;
	n->established += p->state == BGP_STATE_ESTABLISHED;
}

void
view_status(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct peer_count peers = { 0 };
	struct daemon_status d;
	struct jsonw json;

	s->status(s->arg, &d);
	s->each_peer(s->arg, count_peer, &peers);
	jsonw_begin(&json, &answer->body);
	jsonw_object(&json, NULL);
	jsonw_str(&json, "version", d.version);
	jsonw_seconds(&json, "uptimeSeconds", d.uptime_s);
	jsonw_bool(&json, "ready", d.is_ready);
	jsonw_str(&json, "waitingFor", d.waiting_for);
	jsonw_bool(&json, "withdrawn", d.is_withdrawn);
	jsonw_str(&json, "database", d.database);
	jsonw_array(&json, "clusters");
	s->each_cluster(s->arg, write_cluster, &json);
	jsonw_array_end(&json);
	write_services(&json, s);
	write_eips(&json, s);
	jsonw_object(&json, "peers");
	jsonw_u64(&json, "total", peers.total);
	jsonw_u64(&json, "established", peers.established);
	jsonw_object_end(&json);
	jsonw_object(&json, "loop");
	jsonw_seconds(&json, "maxStallMs", d.max_stall_ms);
	jsonw_object_end(&json);
	jsonw_object_end(&json);
	str_add(&answer->body, "\n");
}

void
view_healthz(const struct ctl_request *req, struct ctl_answer *answer)
{
	(void)req;
	answer->content_type = CTL_TEXT;
	str_add(&answer->body, "ok\n");
}

void
view_readyz(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct daemon_status d;

	s->status(s->arg, &d);
	answer->content_type = CTL_TEXT;
	if (d.is_ready) {
		str_add(&answer->body, "ok\n");
		return;
	}
	answer->status = 503;
	str_printf(&answer->body, "waiting for %s\n", d.waiting_for);
}

void
view_events(const struct ctl_request *req, struct ctl_answer *answer)
{
	(void)req;
	answer->content_type = CTL_STREAM;
	answer->is_stream = true;
}
