/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: the box, check by check.
 */
#include "ctl/request.h"

struct findings {
	struct jsonw json;
	bool has_error;
};

static void
write_finding(void *arg, const struct doctor_finding *f)
{
	static const char *const words[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_WARNING] = "warning",
		[DOCTOR_ERROR] = "error",
	};
	struct findings *findings = arg;
	struct jsonw *json = &findings->json;

	findings->has_error |= f->level == DOCTOR_ERROR;
	jsonw_object(json, NULL);
	jsonw_str(json, "check", f->check);
	jsonw_str(json, "state", words[f->level]);
	jsonw_str(json, "text", f->text);
	jsonw_str(json, "remedy", f->remedy);
	jsonw_object_end(json);
}

/* "ok" comes first in the answer and is known last. */
void
view_doctor(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct findings findings = { 0 };
	struct str checks = { 0 };

	jsonw_begin(&findings.json, &checks);
	s->each_finding(s->arg, write_finding, &findings);
	str_printf(&answer->body, "{\"ok\":%s,\"checks\":[",
	    findings.has_error ? "false" : "true");
	str_add(&answer->body, str_get(&checks));
	str_add(&answer->body, "]}\n");
	str_fini(&checks);
}
