/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_leases: who holds, held or has reserved which address.
 */
#include <stdlib.h>

#include "ctl/list.h"

static void
write_row(struct list *list, const struct lease *l, const char *state,
    wall_t until)
{
	struct jsonw *json = &list->json;

	if (!list_wants(list, l->cluster, l->ns, l->name))
		return;
	jsonw_object(json, NULL);
	jsonw_addr(json, "address", &l->address);
	jsonw_str(json, "cluster", l->cluster);
	jsonw_str(json, "namespace", l->ns);
	jsonw_str(json, "name", l->name);
	jsonw_str(json, "uid", l->uid);
	jsonw_str(json, "pool", l->pool);
	jsonw_str(json, "state", state);
	jsonw_time(json, "since", l->since);
	jsonw_time(json, "until", until);
	jsonw_object_end(json);
}

static void
write_lease(struct list *list, const struct lease *l, wall_t now)
{
	enum lease_state state = lease_state(l, now);
	wall_t until = 0;

	switch (state) {
	case LEASE_EXPIRED:
		return;
	case LEASE_HELD:
		break;
	case LEASE_QUARANTINED:
		until = l->quarantine_until;
		break;
	case LEASE_STICKY:
		until = l->sticky_until;
		break;
	}
	write_row(list, l, lease_state_name(state), until);
}

static void
write_reservation(struct list *list, const struct reservation *r)
{
	struct lease row = { .address = r->address,
		.cluster = "",
		.ns = r->ns,
		.name = r->name,
		.uid = "",
		.pool = r->pool,
		.since = r->since };

	write_row(list, &row, "reserved", 0);
}

/* Both lists are sorted by address: one walk keeps the answer so. */
void
view_leases(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	const struct lease_table *table = s->leases(s->arg);
	wall_t now = s->now(s->arg);
	size_t n_leases;
	size_t n_reserved;
	const struct lease **leases = lease_table_list(table, &n_leases);
	const struct reservation **reserved =
	    reservation_list(table, &n_reserved);
	struct list list;
	size_t r = 0;

	list_begin(&list, req, answer);
	for (size_t i = 0; i < n_leases; i++) {
		while (r < n_reserved &&
		    addr_cmp(&reserved[r]->address, &leases[i]->address) <= 0)
			write_reservation(&list, reserved[r++]);
		write_lease(&list, leases[i], now);
	}
	while (r < n_reserved)
		write_reservation(&list, reserved[r++]);
	/* Nobody has to hold anything: an empty answer is one. */
	free(list.filter.name);
	list.filter.name = NULL;
	list_end(&list, "lease");
	free(leases);
	free(reserved);
}
