/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history: the ledger, of all, of an address or of a Service.
 */
#include <stdlib.h>

#include "ctl/lookup.h"

static void
write_entry(void *arg, const struct history_entry *h)
{
	struct jsonw *json = arg;

	jsonw_object(json, NULL);
	jsonw_time(json, "time", h->time);
	jsonw_str(json, "event", h->event);
	jsonw_str(json, "address", h->address);
	jsonw_str(json, "cluster", h->cluster);
	jsonw_str(json, "namespace", h->ns);
	jsonw_str(json, "name", h->name);
	jsonw_str(json, "uid", h->uid);
	jsonw_str(json, "pool", h->pool);
	jsonw_str(json, "reason", h->reason);
	jsonw_object_end(json);
}

static void
answer_history(const struct ctl_request *req, const struct subject *subject,
    struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	char address[ADDR_TEXT_B];
	struct err err = { 0 };
	struct jsonw json;
	int rc;

	if (addr_is_set(&subject->addr))
		addr_text(&subject->addr, address);
	jsonw_begin(&json, &answer->body);
	jsonw_object(&json, NULL);
	jsonw_array(&json, "items");
	rc = s->each_history(s->arg,
	    addr_is_set(&subject->addr) ? address : NULL, subject->ns,
	    subject->name, write_entry, &json, &err);
	jsonw_array_end(&json);
	jsonw_object_end(&json);
	str_add(&answer->body, "\n");
	if (rc < 0)
		ctl_fail(answer, 503, "%s", err.text);
}

void
view_history(const struct ctl_request *req, struct ctl_answer *answer)
{
	char *text = ctl_param(req, "subject");
	struct subject subject = { 0 };

	if (text && (subject_parse(text, &subject) < 0 || subject.port))
		ctl_fail(answer, 400,
		    "%s is neither an address nor NAMESPACE/NAME", text);
	else
		answer_history(req, &subject, answer);
	subject_fini(&subject);
	free(text);
}
