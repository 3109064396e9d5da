/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: everything that someone should look at.
 */
#include "ctl/request.h"

struct check {
	struct jsonw json;
	bool has_error;
};

static void
write_problem(void *arg, const struct problem *p)
{
	struct check *check = arg;
	struct jsonw *json = &check->json;
	bool is_error = p->severity == SEVERITY_ERROR;

	check->has_error |= is_error;
	jsonw_object(json, NULL);
	jsonw_str(json, "severity", is_error ? "error" : "warning");
	jsonw_str(json, "subject", p->subject);
	jsonw_str(json, "text", p->text);
	jsonw_str(json, "remedy", p->remedy ? p->remedy : "");
	jsonw_object_end(json);
}

/* "ok" comes first in the answer and is known last. */
void
view_check(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct str problems = { 0 };
	struct check check = { 0 };

	jsonw_begin(&check.json, &problems);
	s->each_problem(s->arg, write_problem, &check);
	str_printf(&answer->body, "{\"ok\":%s,\"problems\":[",
	    check.has_error ? "false" : "true");
	str_add(&answer->body, str_get(&problems));
	str_add(&answer->body, "]}\n");
	str_fini(&problems);
}
