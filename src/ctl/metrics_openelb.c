/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics_openelb: the metrics of OpenELB under their own names, so that a
 * board made for it goes on working.  Their oddities are kept: session_up is
 * the number of the state (0 Idle to 5 Established).
 */
#include "ctl/metrics.h"
#include "ctl/usage.h"

static void
write_pools(const struct ctl_state *s, struct str *out)
{
	static const struct {
		const char *name;
		const char *help;
	} families[] = {
		{ "addresses_total", "Addresses of an Eip." },
		{ "addresses_in_use_total", "Addresses of an Eip in use." },
		{ "services_allocated_total",
		    "Services that hold an address of an Eip." },
	};
	struct usage usage;

	usage_count(s, &usage);
	for (size_t k = 0; k < ARRAY_LEN(families); k++) {
		metrics_family(out, families[k].name, "gauge", NULL,
		    families[k].help);
		for (size_t i = 0; i < usage.n_pools; i++) {
			const struct pool_usage *p = &usage.pools[i];
			uint64_t values[] = { p->total, p->n[USAGE_USED],
				p->n_services };
			struct str labels = { 0 };

			metrics_label(&labels, "eipName", p->pool->o.name);
			metrics_u64(out, families[k].name, str_get(&labels),
			    values[k]);
			str_fini(&labels);
		}
	}
	usage_fini(&usage);
}

struct peer_walk {
	const struct ctl_state *state;
	const char *node_name;
	struct str text[4];
};

static void
count_route(void *arg, const struct route_status *r)
{
	(void)r;
	++*(uint64_t *)arg;
}

static void
on_peer(void *arg, const struct peer_status *p)
{
	static const char *const names[] = { "session_up", "updates_total",
		"announced_prefixes_total", "pending_prefixes_total" };
	struct peer_walk *walk = arg;
	const struct ctl_state *s = walk->state;
	char address[ADDR_TEXT_B];
	struct str labels = { 0 };
	uint64_t wanted = 0;
	uint64_t values[ARRAY_LEN(names)];

	s->each_route(s->arg, p->name, count_route, &wanted);
	values[0] = p->state;
	values[1] = p->updates_in;
	values[2] = p->advertised;
	values[3] = wanted - MIN(p->advertised, wanted);
	metrics_label(&labels, "peerIP", addr_text(&p->address, address));
	metrics_label(&labels, "nodeName", walk->node_name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		metrics_u64(&walk->text[i], names[i], str_get(&labels),
		    values[i]);
	str_fini(&labels);
}

void
metrics_openelb(const struct ctl_state *s, const char *node_name,
    struct str *out)
{
	static const struct {
		const char *family;
		const char *type;
		const char *help;
	} families[] = {
		{ "session_up", "gauge", "State of a session, 0 to 5." },
		{ "updates", "counter", "UPDATE messages received." },
		{ "announced_prefixes_total", "gauge",
		    "Prefixes announced to a peer." },
		{ "pending_prefixes_total", "gauge",
		    "Prefixes not yet announced to a peer." },
	};
	struct peer_walk walk = { .state = s, .node_name = node_name };

	write_pools(s, out);
	s->each_peer(s->arg, on_peer, &walk);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		metrics_family(out, families[i].family, families[i].type, NULL,
		    families[i].help);
		str_add(out, str_get(&walk.text[i]));
		str_fini(&walk.text[i]);
	}
	/* Nothing answers ARP or NDP for an address: routing leads to it. */
	metrics_family(out, "requests_received", "unknown", NULL,
	    "ARP and NDP requests for an address.");
	metrics_family(out, "responses_sent", "unknown", NULL,
	    "ARP and NDP answers for an address.");
	metrics_family(out, "gratuitous_sent", "unknown", NULL,
	    "ARP and NDP announcements of an address.");
}
