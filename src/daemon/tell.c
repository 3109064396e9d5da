/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tell.h"

#include <stdio.h>
#include <string.h>

#include "apply/kube_status.h"
#include "base/str.h"
#include "ctl/server.h"
#include "daemon/app.h"
#include "model/world.h"
#include "sys/log.h"

static void
event(struct app *app, const struct record *r, bool is_warning,
    const char *reason, const char *text)
{
	const struct object *o =
	    world_get(app->world, OBJECT_SERVICE, r->cluster, r->ns, r->name);
	char subject[400];

	snprintf(subject, sizeof(subject), "%s/%s", r->ns, r->name);
	log_line(is_warning ? LOG_LEVEL_WARN : LOG_LEVEL_NOTICE,
	    "service %s: %s: %s", subject, reason, text);
	ctl_server_event(app->ctl, reason, subject, text);
	if (o && app->writer && strcmp(r->cluster, CLUSTER_STATIC) != 0)
		kube_event(app->writer, o, is_warning, reason, "Reconcile",
		    text);
}

static void
addresses_text(const struct decision *d, char *out, size_t out_b)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < d->n_addrs && n < out_b; i++) {
		char text[ADDR_TEXT_B];

		n += (size_t)snprintf(out + n, out_b - n, "%s%s%s%s",
		    i ? ", " : "", addr_text(&d->addrs[i].addr, text),
		    *d->addrs[i].pool ? " from pool " : ", of no pool",
		    d->addrs[i].pool);
	}
}

static void
tell_backends(struct app *app, struct record *r)
{
	const struct decision *d = r->decision;
	bool none = d->n_addrs && !d->has_backends;
	/* A node that is new, and not asked yet, does not end it. */
	bool degraded = d->is_degraded || (d->is_fail_open && r->told_degraded);

	if (none != r->told_no_backends)
		event(app, r, none, none ? "NoBackends" : "BackendsRestored",
		    none ? "no node or endpoint can take its traffic"
			 : "traffic flows to its backends again");
	if (degraded != r->told_degraded)
		event(app, r, degraded, degraded ? "Degraded" : "Recovered",
		    degraded ? DECISION_DEGRADED_TEXT
			     : "one of its nodes is healthy again");
	r->told_no_backends = none;
	r->told_degraded = degraded;
}

static void
tell_refused(struct app *app, struct record *r)
{
	const struct decision *d = r->decision;

	if (r->has_conflict)
		event(app, r, true, r->pending, r->problem);
	else
		event(app, r, true,
		    strcmp(d->reason, "NoAddress") == 0 ||
			    strcmp(d->reason, "AddressUnavailable") == 0
			? "AllocationFailed"
			: "Refused",
		    d->message);
}

static void
tell_change(struct app *app, struct record *r, enum service_state state)
{
	bool was_announced = r->was_told && r->told == SERVICE_STATE_ANNOUNCED;
	char text[600];

	addresses_text(r->decision, text, sizeof(text));
	switch (state) {
	case SERVICE_STATE_REFUSED:
		tell_refused(app, r);
		return;
	case SERVICE_STATE_PENDING:
		if (*r->pending)
			event(app, r, true, "Pending", r->problem);
		else if (was_announced && app->is_withdrawn)
			event(app, r, false, "Withdrawn", text);
		return;
	case SERVICE_STATE_PROGRAMMED:
		event(app, r, false,
		    was_announced ? "Withdrawn" : "AllocatedIP", text);
		return;
	case SERVICE_STATE_ANNOUNCED:
		event(app, r, false, "Announced", text);
		return;
	case SERVICE_STATE_DRAINING:
	case SERVICE_STATE__COUNT:
		return;
	}
}

void
tell_state(struct app *app, struct record *r)
{
	enum service_state state = reconcile_state(app, r);
	const char *message = r->problem ? r->problem
	    : r->decision		 ? r->decision->message
					 : "";
	uint64_t hash = str_hash(message);

	if (!r->decision)
		return;
	if (!r->was_told || state != r->told || hash != r->told_message)
		tell_change(app, r, state);
	r->was_told = true;
	r->told = state;
	r->told_message = hash;
	tell_backends(app, r);
}

void
tell_released(struct app *app, const struct service *service,
    const struct lease *lease)
{
	char text[ADDR_TEXT_B];
	char subject[400];
	char note[200];

	snprintf(subject, sizeof(subject), "%s/%s", lease->ns, lease->name);
	snprintf(note, sizeof(note), "%s%s%s", addr_text(&lease->address, text),
	    *lease->pool ? " back to pool " : ", of no pool", lease->pool);
	log_notice("service %s: ReleasedIP: %s", subject, note);
	ctl_server_event(app->ctl, "ReleasedIP", subject, note);
	if (service && app->writer &&
	    strcmp(lease->cluster, CLUSTER_STATIC) != 0)
		kube_event(app->writer, &service->o, false, "ReleasedIP",
		    "Reconcile", note);
}
