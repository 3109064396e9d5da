/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs: what an operator may ask for.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/attr.h"
#include "ctl/request.h"
#include "model/object.h"

enum {
	NAME_MAX_B = 63 /* of a Service, and of its namespace */
};

/* Unknown names are refused: a misspelt "undo" must not withdraw all. */
static json_t *
parse_body(const struct ctl_request *req, const char *const *names, size_t n,
    struct ctl_answer *answer)
{
	json_error_t error;
	const char *key;
	json_t *value;
	json_t *body;

	if (req->body_b == 0)
		return json_object();
	body =
	    json_loadb(req->body, req->body_b, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(body)) {
		ctl_fail(answer, 400, "the body is not a JSON object%s%s",
		    body ? "" : ": ", body ? "" : error.text);
		json_decref(body);
		return NULL;
	}
	json_object_foreach(body, key, value)
	{
		size_t i;

		for (i = 0; i < n && strcmp(names[i], key) != 0; i++)
			continue;
		if (i < n)
			continue;
		ctl_fail(answer, 400, "%s takes no argument %s", req->path,
		    key);
		json_decref(body);
		return NULL;
	}
	return body;
}

static int
get_string(const json_t *body, const char *name, const char **out,
    struct ctl_answer *answer)
{
	*out = json_string_value(json_object_get(body, name));
	if (*out && **out)
		return 0;
	ctl_fail(answer, 400, "%s is missing or not a string", name);
	return -EINVAL;
}

static int
get_address(const json_t *body, struct addr *out, struct ctl_answer *answer)
{
	const char *text;

	if (get_string(body, "address", &text, answer) < 0)
		return -EINVAL;
	if (addr_parse(text, out) == 0)
		return 0;
	ctl_fail(answer, 400, "address: %s is not an IP address", text);
	return -EINVAL;
}

/* One that no Service can have would be kept for nobody. */
static int
get_name(const json_t *body, const char *key, const char **out,
    struct ctl_answer *answer)
{
	if (get_string(body, key, out, answer) < 0)
		return -EINVAL;
	if (object_is_name(*out, NAME_MAX_B))
		return 0;
	ctl_fail(answer, 400,
	    "%s: expected lower-case letters, digits, \"-\" and \".\", at most "
	    "%d, found \"%.80s\"",
	    key, NAME_MAX_B, *out);
	return -EINVAL;
}

static unsigned int
status_of(int rc)
{
	switch (rc) {
	case -EINVAL:
		return 400;
	case -ENOENT:
		return 404;
	case -EBUSY:
	case -EEXIST:
		return 409;
	default:
		return 503;
	}
}

static void
finish(int rc, const struct err *err, struct ctl_answer *answer)
{
	if (rc < 0)
		ctl_fail(answer, status_of(rc), "%s",
		    *err->text ? err->text : strerror(-rc));
	else
		str_add(&answer->body, "{\"ok\":true}\n");
}

void
verb_reserve(const struct ctl_request *req, struct ctl_answer *answer)
{
	static const char *const names[] = { "address", "namespace", "name" };
	json_t *body = parse_body(req, names, ARRAY_LEN(names), answer);
	struct err err = { 0 };
	struct addr address;
	const char *ns;
	const char *name;

	if (body && get_address(body, &address, answer) == 0 &&
	    get_name(body, "namespace", &ns, answer) == 0 &&
	    get_name(body, "name", &name, answer) == 0)
		finish(req->state->reserve(req->state->arg, &address, ns, name,
			   &err),
		    &err, answer);
	json_decref(body);
}

static void
verb_on_address(const struct ctl_request *req, struct ctl_answer *answer,
    int (*fn)(void *arg, const struct addr *address, struct err *err))
{
	static const char *const names[] = { "address" };
	json_t *body = parse_body(req, names, ARRAY_LEN(names), answer);
	struct err err = { 0 };
	struct addr address;

	if (body && get_address(body, &address, answer) == 0)
		finish(fn(req->state->arg, &address, &err), &err, answer);
	json_decref(body);
}

void
verb_unreserve(const struct ctl_request *req, struct ctl_answer *answer)
{
	verb_on_address(req, answer, req->state->unreserve);
}

void
verb_release(const struct ctl_request *req, struct ctl_answer *answer)
{
	verb_on_address(req, answer, req->state->release);
}

void
verb_reload(const struct ctl_request *req, struct ctl_answer *answer)
{
	json_t *body = parse_body(req, NULL, 0, answer);
	struct err err = { 0 };

	if (body)
		finish(req->state->reload(req->state->arg, &err), &err, answer);
	json_decref(body);
}

void
verb_withdraw_all(const struct ctl_request *req, struct ctl_answer *answer)
{
	static const char *const names[] = { "undo" };
	json_t *body = parse_body(req, names, ARRAY_LEN(names), answer);
	const json_t *undo = json_object_get(body, "undo");
	struct err err = { 0 };

	if (undo && !json_is_boolean(undo))
		ctl_fail(answer, 400, "undo is not true or false");
	else if (body)
		finish(req->state->withdraw_all(req->state->arg,
			   json_is_true(undo), &err),
		    &err, answer);
	json_decref(body);
}
