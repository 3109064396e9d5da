/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request: one question to the daemon and its answer, without the socket it
 * came by.
 */
#ifndef EIPD_CTL_REQUEST_H
#define EIPD_CTL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/mono.h"
#include "base/str.h"
#include "ctl/jsonw.h"
#include "ctl/state.h"

struct ctl_metrics;

struct ctl_request {
	const struct ctl_state *state;
	struct ctl_metrics *metrics;
	mono_t now;
	mono_t since; /* when it was asked */
	const char *method;
	const char *path;
	const char *query; /* undecoded */
	const char *body;
	size_t body_b;
	bool is_control; /* by the control socket: everything is allowed */
	bool openelb_metrics;
	const char *node_name; /* this box, for the OpenELB aliases */
};

struct ctl_answer {
	unsigned int status;
	const char *content_type;
	const char *allow; /* with 405 */
	bool is_stream; /* /v1/events: what follows comes by events */
	bool is_later; /* ask again after ctl_server_retry() */
	struct ctl_rest *rest; /* not NULL: what is to come is there */
	struct str body;
};

/* An answer that takes long, made in steps of a millisecond at most. */
struct ctl_rest {
	struct ctl_answer answer;
	bool (*step)(struct ctl_rest *rest); /* false: it is complete */
	void (*fini)(struct ctl_rest *rest);
};

void ctl_rest_free(struct ctl_rest *rest);

#define CTL_JSON "application/json"
#define CTL_TEXT "text/plain; charset=utf-8"
#define CTL_STREAM "application/x-ndjson"

/* Always fills `answer`; the caller owns its body. */
void ctl_handle(const struct ctl_request *req, struct ctl_answer *answer);

/* {"error":{"code","message"}} in place of what is in `body`. */
void ctl_error_body(struct str *body, unsigned int status, const char *text);
void ctl_fail(struct ctl_answer *answer, unsigned int status, const char *fmt,
    ...) ATTR_PRINTF(3, 4);

/* A parameter of the query, NULL if absent or empty; the caller frees it. */
char *ctl_param(const struct ctl_request *req, const char *name);

/* Handlers, one for each name under /v1. */
typedef void ctl_fn(const struct ctl_request *req, struct ctl_answer *answer);
ctl_fn view_status, view_services, view_pools, view_leases, view_backends,
    view_nodes, view_peers, view_routes, view_explain, view_history, view_check,
    view_doctor, view_events, view_metrics, view_healthz, view_readyz;
ctl_fn verb_reserve, verb_unreserve, verb_release, verb_reload,
    verb_withdraw_all;

#endif
