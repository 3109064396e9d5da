/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/metrics_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "ctl/list.h"
#include "ctl/metrics.h"

enum {
	SERVICES_A_STEP = 250
};

/* Services of two clusters may have one name, but a label set may come only
 * once: they are added up. */
struct service_row {
	char *labels; /* namespace and service, owned */
	bool has_backends;
	bool has_totals;
	uint64_t n[BACKEND_DEGRADED + 1];
	uint64_t totals[3];
	UT_hash_handle hh;
};

static struct service_row *
row_get(struct metrics_services *services, const struct service_status *s)
{
	struct str labels = { 0 };
	struct service_row *row;

	metrics_label(&labels, "namespace", s->ns);
	metrics_label(&labels, "service", s->name);
	HASH_FIND_STR(services->rows, labels.s, row);
	if (row) {
		str_fini(&labels);
		return row;
	}
	row = mem_new(struct service_row);
	row->labels = str_steal(&labels);
	HASH_ADD_KEYPTR(hh, services->rows, row->labels, strlen(row->labels),
	    row);
	return row;
}

static void
add_backends(struct service_row *row, const struct decision *d)
{
	row->has_backends = true;
	for (size_t i = 0; i < d->n_frontends; i++) {
		const struct frontend *f = &d->frontends[i];
		size_t healthy = frontend_healthy(d, f);

		row->n[BACKEND_ACTIVE] += healthy;
		row->n[BACKEND_DEGRADED] += f->n_usable - healthy;
		row->n[BACKEND_DOWN] += f->n_backends - f->n_usable;
	}
}

static void
on_service(void *arg, const struct service_status *s)
{
	struct metrics_services *services = arg;
	struct service_row *row;

	services->states[s->state]++;
	if (!s->decision && !s->totals)
		return;
	row = row_get(services, s);
	if (s->decision)
		add_backends(row, s->decision);
	if (s->totals) {
		row->has_totals = true;
		row->totals[0] += s->totals->packets;
		row->totals[1] += s->totals->bytes;
		row->totals[2] += s->totals->connections;
	}
}

static void
write_states(const struct metrics_services *services, struct str *out)
{
	metrics_family(out, "eipd_services", "gauge", NULL,
	    "Services that are ours, by state.");
	for (size_t i = 0; i < SERVICE_STATE__COUNT; i++) {
		struct str labels = { 0 };

		metrics_label(&labels, "state",
		    service_state_name((enum service_state)i));
		metrics_u64(out, "eipd_services", str_get(&labels),
		    services->states[i]);
		str_fini(&labels);
	}
}

static void
write_backends(const struct service_row *row, const char *name, size_t family,
    struct str *out)
{
	struct str labels = { 0 };

	(void)family;
	for (size_t k = 0; row->has_backends && k < ARRAY_LEN(row->n); k++) {
		str_clear(&labels);
		str_add(&labels, row->labels);
		metrics_label(&labels, "state",
		    backend_state_name((enum backend_state)k));
		metrics_u64(out, name, str_get(&labels), row->n[k]);
	}
	str_fini(&labels);
}

static void
write_total(const struct service_row *row, const char *name, size_t family,
    struct str *out)
{
	if (row->has_totals)
		metrics_u64(out, name, row->labels, row->totals[family - 1]);
}

static const struct {
	const char *family;
	const char *type;
	const char *unit;
	const char *help;
	const char *name; /* of its samples */
	void (*write)(const struct service_row *row, const char *name,
	    size_t family, struct str *out);
} families[] = {
	{ "eipd_service_backends", "gauge", NULL,
	    "Backends of a Service, all ports and families, by state.",
	    "eipd_service_backends", write_backends },
	{ "eipd_service_packets", "counter", NULL,
	    "Packets forwarded for a Service, both ways.",
	    "eipd_service_packets_total", write_total },
	{ "eipd_service_bytes", "counter", "bytes",
	    "Length of these packets, with their IP headers.",
	    "eipd_service_bytes_total", write_total },
	{ "eipd_service_connections", "counter", NULL,
	    "Flows forwarded for a Service, of any protocol.",
	    "eipd_service_connections_total", write_total },
};

static void
begin_family(struct metrics_services *services, struct str *out)
{
	size_t i = services->family;

	metrics_family(out, families[i].family, families[i].type,
	    families[i].unit, families[i].help);
	services->at = services->rows;
}

static void
write_rows(struct metrics_services *services, struct str *out)
{
	size_t i = services->family;

	for (size_t n = 0; n < SERVICES_A_STEP && services->at; n++) {
		families[i].write(services->at, families[i].name, i, out);
		services->at = services->at->hh.next;
	}
	if (services->at || ++services->family == ARRAY_LEN(families))
		return;
	begin_family(services, out);
}

void
metrics_services_begin(struct metrics_services *services)
{
	*services = (struct metrics_services){ .is_collecting = true };
}

bool
metrics_services_step(struct metrics_services *services,
    const struct ctl_state *s, struct str *out)
{
	if (services->is_collecting) {
		services->is_collecting = s->services(s->arg, &services->after,
		    SERVICES_A_STEP, on_service, services);
		if (services->is_collecting)
			return true;
		write_states(services, out);
		begin_family(services, out);
	}
	if (services->family == ARRAY_LEN(families))
		return false;
	write_rows(services, out);
	return true;
}

void
metrics_services_fini(struct metrics_services *services)
{
	struct service_row *row;
	struct service_row *next;

	for (row = services->rows; row; row = next) {
		next = row->hh.next;
		HASH_DEL(services->rows, row);
		free(row->labels);
		free(row);
	}
	services->rows = NULL;
	str_fini(&services->after);
}
