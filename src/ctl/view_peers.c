/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_peers: BGP sessions and what was announced to them.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/list.h"

static void
write_peer(void *arg, const struct peer_status *p)
{
	struct list *list = arg;
	struct jsonw *json = &list->json;

	if (!list_wants(list, NULL, NULL, p->name))
		return;
	jsonw_object(json, NULL);
	jsonw_str(json, "name", p->name);
	jsonw_addr(json, "address", &p->address);
	jsonw_u64(json, "asn", p->asn);
	jsonw_str(json, "state", bgp_state_name(p->state));
	jsonw_seconds(json, "sinceSeconds",
	    (double)(list->now - p->since) / MONO_S);
	jsonw_u64(json, "advertised", p->advertised);
	jsonw_str(json, "lastError", p->last_error);
	jsonw_str(json, "message", p->message);
	jsonw_array(json, "capabilities");
	for (size_t i = 0; i < p->n_capabilities; i++)
		jsonw_str(json, NULL, p->capabilities[i]);
	jsonw_array_end(json);
	jsonw_null(json, "bfd");
	jsonw_object_end(json);
}

void
view_peers(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct list list;

	list_begin(&list, req, answer);
	s->each_peer(s->arg, write_peer, &list);
	list_end(&list, "BgpPeer");
}

static void
write_route(void *arg, const struct route_status *r)
{
	struct list *list = arg;
	struct jsonw *json = &list->json;
	char text[PREFIX_TEXT_B];

	jsonw_object(json, NULL);
	jsonw_str(json, "peer", r->peer);
	jsonw_str(json, "prefix", prefix_text(&r->prefix, text));
	jsonw_null(json, "pathId");
	jsonw_addr(json, "nextHop", &r->next_hop);
	jsonw_null(json, "communities");
	if (r->has_local_pref)
		jsonw_u64(json, "localPref", r->local_pref);
	else
		jsonw_null(json, "localPref");
	jsonw_null(json, "med");
	jsonw_array(json, "asPath");
	if (r->local_as)
		jsonw_u64(json, NULL, r->local_as);
	jsonw_array_end(json);
	jsonw_object_end(json);
}

struct peer_search {
	const char *name;
	bool is_found;
};

static void
match_peer(void *arg, const struct peer_status *p)
{
	struct peer_search *q = arg;

	q->is_found |= strcmp(p->name, q->name) == 0;
}

void
view_routes(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	char *peer = ctl_param(req, "peer");
	struct peer_search q = { .name = peer };
	struct list list;

	list_begin(&list, req, answer);
	s->each_route(s->arg, peer, write_route, &list);
	free(list.filter.name);
	list.filter.name = NULL;
	list_end(&list, "route");
	if (peer) {
		s->each_peer(s->arg, match_peer, &q);
		if (!q.is_found)
			ctl_fail(answer, 404, "there is no BgpPeer %s", peer);
	}
	free(peer);
}
