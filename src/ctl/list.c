/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/list.h"

#include <stdlib.h>
#include <string.h>

void
list_begin(struct list *list, const struct ctl_request *req,
    struct ctl_answer *answer)
{
	*list = (struct list){ .state = req->state,
		.now = req->now,
		.answer = answer };
	list->filter.cluster = ctl_param(req, "cluster");
	list->filter.ns = ctl_param(req, "namespace");
	list->filter.name = ctl_param(req, "name");
	jsonw_begin(&list->json, &answer->body);
	jsonw_object(&list->json, NULL);
	jsonw_array(&list->json, "items");
}

static bool
passes(const char *wanted, const char *value)
{
	return !wanted || !value || strcmp(wanted, value) == 0;
}

bool
list_wants(struct list *list, const char *cluster, const char *ns,
    const char *name)
{
	if (!passes(list->filter.name, name) || !passes(list->filter.ns, ns) ||
	    !passes(list->filter.cluster, cluster))
		return false;
	list->n++;
	return true;
}

void
list_end(struct list *list, const char *kind)
{
	struct list_filter *f = &list->filter;

	jsonw_array_end(&list->json);
	jsonw_object_end(&list->json);
	str_add(&list->answer->body, "\n");
	if (f->name && list->n == 0)
		ctl_fail(list->answer, 404, "there is no %s %s%s%s", kind,
		    f->ns ? f->ns : "", f->ns ? "/" : "", f->name);
	list_fini(list);
}

void
list_fini(struct list *list)
{
	struct list_filter *f = &list->filter;

	free(f->cluster);
	free(f->ns);
	free(f->name);
	*f = (struct list_filter){ 0 };
}

static const struct lease *
find_lease(const struct ctl_state *state, const struct service_status *s,
    const struct addr *addr)
{
	const struct lease *l;

	for (l = lease_of_service(state->leases(state->arg), s->cluster, s->ns,
		 s->name);
	     l; l = lease_next_of_service(l))
		if (l->is_held && (!addr || addr_eq(&l->address, addr)))
			return l;
	return NULL;
}

size_t
service_addresses(const struct ctl_state *state,
    const struct service_status *status,
    struct service_address out[SERVICE_FAMILIES_MAX])
{
	const struct decision *d = status->decision;
	const struct lease *l;
	size_t n = 0;

	/* A decision that is not in the lease table yet is no promise. */
	for (size_t i = 0; d && i < d->n_addrs; i++) {
		l = find_lease(state, status, &d->addrs[i].addr);
		if (!l && !status->is_programmed)
			continue;
		out[n++] = (struct service_address){ .addr = d->addrs[i].addr,
			.pool = d->addrs[i].pool,
			.uid = l ? l->uid : "" };
	}
	if (n)
		return n;
	for (l = lease_of_service(state->leases(state->arg), status->cluster,
		 status->ns, status->name);
	     l && n < SERVICE_FAMILIES_MAX; l = lease_next_of_service(l))
		if (l->is_held)
			out[n++] = (struct service_address){
				.addr = l->address,
				.pool = l->pool,
				.uid = l->uid,
			};
	return n;
}

const char *
service_uid(const struct ctl_state *state, const struct service_status *status)
{
	const struct lease *l;

	if (status->service && *status->service->o.uid)
		return status->service->o.uid;
	l = find_lease(state, status, NULL);
	return l ? l->uid : "";
}

size_t
frontend_healthy(const struct decision *decision,
    const struct frontend *frontend)
{
	size_t n = 0;

	/* Fail open uses all of them, which does not make them healthy. */
	if (!frontend->backends)
		return decision->is_fail_open &&
			frontend->n_usable == frontend->n_backends
		    ? 0
		    : frontend->n_usable;
	for (size_t i = 0; i < frontend->n_backends; i++)
		n += frontend->backends[i].state == BACKEND_ACTIVE;
	return n;
}
