/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request: which handler answers what, and who may ask.
 */
#include "ctl/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/httpd_parse.h"

static const struct route {
	const char *path;
	ctl_fn *get; /* NULL: a verb */
	ctl_fn *post; /* only by the control socket */
} routes[] = {
	{ .path = "/v1/status", .get = view_status },
	{ .path = "/v1/services", .get = view_services },
	{ .path = "/v1/pools", .get = view_pools },
	{ .path = "/v1/leases", .get = view_leases },
	{ .path = "/v1/backends", .get = view_backends },
	{ .path = "/v1/nodes", .get = view_nodes },
	{ .path = "/v1/peers", .get = view_peers },
	{ .path = "/v1/routes", .get = view_routes },
	{ .path = "/v1/explain", .get = view_explain },
	{ .path = "/v1/history", .get = view_history },
	{ .path = "/v1/check", .get = view_check },
	{ .path = "/v1/doctor", .get = view_doctor },
	{ .path = "/v1/events", .get = view_events },
	{ .path = "/metrics", .get = view_metrics },
	{ .path = "/healthz", .get = view_healthz },
	{ .path = "/readyz", .get = view_readyz },
	{ .path = "/v1/reserve", .post = verb_reserve },
	{ .path = "/v1/unreserve", .post = verb_unreserve },
	{ .path = "/v1/release", .post = verb_release },
	{ .path = "/v1/reload", .post = verb_reload },
	{ .path = "/v1/withdraw-all", .post = verb_withdraw_all },
};

void
ctl_error_body(struct str *body, unsigned int status, const char *text)
{
	struct jsonw json;

	str_clear(body);
	jsonw_begin(&json, body);
	jsonw_object(&json, NULL);
	jsonw_object(&json, "error");
	jsonw_u64(&json, "code", status);
	jsonw_str(&json, "message", text);
	jsonw_object_end(&json);
	jsonw_object_end(&json);
	str_add(body, "\n");
}

void
ctl_fail(struct ctl_answer *answer, unsigned int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer->status = status;
	answer->content_type = CTL_JSON;
	answer->is_stream = false;
	ctl_error_body(&answer->body, status, text);
}

void
ctl_rest_free(struct ctl_rest *rest)
{
	rest->fini(rest);
	str_fini(&rest->answer.body);
	free(rest);
}

char *
ctl_param(const struct ctl_request *req, const char *name)
{
	char *value = httpd_query_get(req->query, name);

	if (value && !*value) {
		free(value);
		return NULL;
	}
	return value;
}

static const struct route *
find_route(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* The http port never changes anything, so there every other method is
 * refused before the path is looked at. */
void
ctl_handle(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct route *route = find_route(req->path);
	bool is_get = strcmp(req->method, "GET") == 0;
	bool is_post = strcmp(req->method, "POST") == 0;
	ctl_fn *fn;

	*answer =
	    (struct ctl_answer){ .status = 200, .content_type = CTL_JSON };
	if (!req->is_control && !is_get) {
		answer->allow = "GET";
		ctl_fail(answer, 405,
		    "this port only reads: use the control socket for %s",
		    req->path);
		return;
	}
	if (!route) {
		ctl_fail(answer, 404, "there is no %s here", req->path);
		return;
	}
	fn = is_get ? route->get : is_post ? route->post : NULL;
	if (!fn) {
		answer->allow = route->get ? "GET" : "POST";
		ctl_fail(answer, 405, "%s takes %s", req->path, answer->allow);
		return;
	}
	fn(req, answer);
}
