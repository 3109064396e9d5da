/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_pools: the pools, in order of preference, with what became of their
 * addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "ctl/list.h"
#include "ctl/usage.h"

/* What `eipctl check` says of Eips: it tells what the newest version of one
 * is refused for.  Collected once for all of them. */
struct eip_problem {
	char *subject; /* owned, as is the text */
	char *text;
};

struct eip_problems {
	VEC(struct eip_problem) v;
};

static void
on_problem(void *arg, const struct problem *problem)
{
	struct eip_problems *all = arg;

	if (!str_starts_with(problem->subject, "Eip "))
		return;
	vec_push(&all->v,
	    (struct eip_problem){ mem_strdup(problem->subject),
		mem_strdup(problem->text) });
}

static void
eip_problems_fini(struct eip_problems *all)
{
	struct eip_problem *p;

	VEC_FOREACH (p, &all->v) {
		free(p->subject);
		free(p->text);
	}
	vec_fini(&all->v);
}

/* Why it serves nobody new; NULL if it does. */
static const char *
objection(const struct pool_usage *usage)
{
	const struct pool *pool = usage->pool;

	if (pool->o.is_deleting)
		return "being deleted: what is held stays, nothing new is "
		       "given";
	if (pool->is_disabled)
		return "disabled: what is held stays, nothing new is given";
	if (!pool_protocol_is_served(pool->protocol))
		return "this protocol is not supported by this version";
	if (usage->n[USAGE_FREE] == 0 && usage->n[USAGE_STICKY] == 0)
		return "full";
	return NULL;
}

static void
write_message(struct jsonw *json, const struct eip_problems *problems,
    const struct pool_usage *usage)
{
	const char *why = objection(usage);
	struct str text = { 0 };
	struct eip_problem *p;

	if (why)
		str_add(&text, why);
	VEC_FOREACH (p, &problems->v) {
		if (strcmp(p->subject + strlen("Eip "), usage->pool->o.name))
			continue;
		str_printf(&text, "%s%s", text.n ? "; " : "", p->text);
	}
	jsonw_str(json, "message", str_get(&text));
	str_fini(&text);
}

static void
write_source(struct jsonw *json, const struct object *o)
{
	struct str text = { 0 };

	str_add(&text, o->origin ? "file:" : "cluster");
	if (o->origin)
		str_add(&text, o->origin);
	jsonw_str(json, "source", str_get(&text));
	str_fini(&text);
}

static void
write_pool(struct list *list, const struct eip_problems *problems,
    const struct pool_usage *usage)
{
	const struct pool *pool = usage->pool;
	struct jsonw *json = &list->json;

	if (!list_wants(list, pool->o.cluster, NULL, pool->o.name))
		return;
	jsonw_object(json, NULL);
	jsonw_str(json, "name", pool->o.name);
	jsonw_str(json, "protocol", pool_protocol_name(pool_serves_as(pool)));
	jsonw_u64(json, "total", usage->total);
	for (int k = 0; k < USAGE__COUNT; k++)
		jsonw_u64(json, usage_kind_name((enum usage_kind)k),
		    usage->n[k]);
	jsonw_bool(json, "disabled", pool->is_disabled);
	write_source(json, &pool->o);
	write_message(json, problems, usage);
	jsonw_object_end(json);
}

void
view_pools(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct eip_problems problems = { 0 };
	struct usage usage;
	struct list list;

	s->each_problem(s->arg, on_problem, &problems);
	usage_count(req->state, &usage);
	list_begin(&list, req, answer);
	for (size_t i = 0; i < usage.n_pools; i++)
		write_pool(&list, &problems, &usage.pools[i]);
	list_end(&list, "Eip");
	usage_fini(&usage);
	eip_problems_fini(&problems);
}
