/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish: what the API server is told about the addresses of a Service. */
#include <string.h>

#include "apply/kube_status.h"
#include "daemon/app.h"
#include "model/world.h"

static void
fill_ingress(const struct app *app, const struct decision *d,
    struct ingress out[SERVICE_FAMILIES_MAX])
{
	for (size_t i = 0; i < d->n_addrs; i++)
		out[i] = (struct ingress){ .addr = d->addrs[i].addr,
			.ip_mode = app->conf.ip_mode };
}

/* No longer ours: what we wrote is taken back.  What was never ours is left
 * alone, whatever its status says. */
static void
unpublish(struct app *app, struct record *r, const struct service *s)
{
	if (r->is_published && s && s->is_load_balancer && !s->o.is_deleting)
		kube_status_want(app->writer, s, NULL, 0);
	else
		kube_status_forget(app->writer, r->ns, r->name);
	r->is_published = false;
}

static bool
is_holder(const struct app *app, const struct record *r)
{
	const struct lease *l;

	for (l = lease_of_service(app->leases, r->cluster, r->ns, r->name); l;
	     l = lease_next_of_service(l))
		if (l->is_held)
			return true;
	return false;
}

void
publish_service(struct app *app, struct record *r)
{
	const struct service *s = (const struct service *)world_get(app->world,
	    OBJECT_SERVICE, r->cluster, r->ns, r->name);
	struct ingress ingress[SERVICE_FAMILIES_MAX];
	const struct decision *d = r->decision;
	bool is_shown = d && r->is_programmed && !app->is_withdrawn;

	if (!app->writer || strcmp(r->cluster, CLUSTER_STATIC) == 0)
		return;
	if (app->is_withdrawn && s && s->is_load_balancer &&
	    is_holder(app, r)) {
		kube_status_want(app->writer, s, NULL, 0);
		return;
	}
	if (!d || !s) {
		unpublish(app, r, s);
		return;
	}
	/* Pending ones are left as they are: an address that is in use must
	 * not vanish from view because something here is slow. */
	if (*r->pending && !r->has_conflict)
		return;
	if (is_shown)
		fill_ingress(app, d, ingress);
	kube_status_want(app->writer, s, ingress, is_shown ? d->n_addrs : 0);
	r->is_published = true;
}
