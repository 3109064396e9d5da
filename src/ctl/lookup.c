/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

static int
parse_address(const char *text, struct subject *out)
{
	char *copy = mem_strdup(text);
	char *host = copy;
	char *port = NULL;
	uint64_t number = 0;
	int rc = -EINVAL;

	if (*host == '[') {
		char *end = strchr(host, ']');

		if (!end || (end[1] && end[1] != ':'))
			goto out;
		*end = '\0';
		host++;
		port = end[1] ? end + 2 : NULL;
	} else {
		char *colon = strchr(host, ':');

		/* More than one colon: IPv6 without a port. */
		if (colon && !strchr(colon + 1, ':')) {
			*colon = '\0';
			port = colon + 1;
		}
	}
	if (port && (str_to_u64(port, UINT16_MAX, &number) < 0 || number == 0))
		goto out;
	rc = addr_parse(host, &out->addr);
	out->port = (uint16_t)number;
out:
	free(copy);
	return rc;
}

int
subject_parse(const char *text, struct subject *out)
{
	const char *slash = strchr(text, '/');

	*out = (struct subject){ 0 };
	if (!slash)
		return parse_address(text, out);
	if (slash == text || !slash[1] || strchr(slash + 1, '/'))
		return -EINVAL;
	out->ns = mem_strndup(text, (size_t)(slash - text));
	out->name = mem_strdup(slash + 1);
	return 0;
}

void
subject_fini(struct subject *subject)
{
	free(subject->ns);
	free(subject->name);
	*subject = (struct subject){ 0 };
}

struct search {
	const struct ctl_state *state;
	const char *ns;
	const char *name;
	VEC(char *) found; /* clusters */
};

static void
search_add(struct search *q, const char *cluster)
{
	for (size_t i = 0; i < q->found.n; i++)
		if (strcmp(q->found.v[i], cluster) == 0)
			return;
	vec_push(&q->found, mem_strdup(cluster));
}

static void
search_cluster(struct search *q, const char *cluster)
{
	const struct ctl_state *s = q->state;
	struct service_status status;

	if (world_get(s->world(s->arg), OBJECT_SERVICE, cluster, q->ns,
		q->name) ||
	    s->service(s->arg, cluster, q->ns, q->name, &status))
		search_add(q, cluster);
}

static void
on_cluster(void *arg, const struct cluster_status *cluster)
{
	search_cluster(arg, cluster->name);
}

/* Also those that only kernel and database still know. */
static void
on_service(void *arg, const struct service_status *status)
{
	struct search *q = arg;

	if (strcmp(status->name, q->name) == 0 &&
	    strcmp(status->ns, q->ns) == 0)
		search_add(q, status->cluster);
}

static char *
pick(struct search *q, struct ctl_answer *answer)
{
	struct str all = { 0 };
	char *only = NULL;

	if (q->found.n == 1) {
		only = q->found.v[0];
		vec_clear(&q->found);
		return only;
	}
	if (q->found.n == 0) {
		ctl_fail(answer, 404, "there is no Service %s/%s", q->ns,
		    q->name);
		return NULL;
	}
	for (size_t i = 0; i < q->found.n; i++)
		str_printf(&all, "%s%s", i ? " and " : "", q->found.v[i]);
	ctl_fail(answer, 409,
	    "clusters %s each have a Service %s/%s: name one (eipctl: --cluster)",
	    str_get(&all), q->ns, q->name);
	str_fini(&all);
	return NULL;
}

char *
lookup_cluster(const struct ctl_request *req, const char *wanted,
    const char *ns, const char *name, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct search q = { .state = s, .ns = ns, .name = name };
	struct str after = { 0 };
	char *cluster;

	if (wanted) {
		search_cluster(&q, wanted);
	} else {
		search_cluster(&q, CLUSTER_STATIC);
		s->each_cluster(s->arg, on_cluster, &q);
		if (q.found.n == 0)
			(void)s->services(s->arg, &after, SIZE_MAX, on_service,
			    &q);
	}
	str_fini(&after);
	cluster = pick(&q, answer);
	for (size_t i = 0; i < q.found.n; i++)
		free(q.found.v[i]);
	vec_fini(&q.found);
	return cluster;
}
