/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/kube_unary.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/mono.h"
#include "net/http.h"
#include "sys/loop.h"

/* The server gives up on a write after 34 s. */
#define TIMEOUT_US (40 * MONO_S)

struct call {
	TAILQ_ENTRY(call) link;
	struct kube_unary *unary;
	char *method;
	char *path;
	char *content_type;
	char *body;
	void (*fn)(void *arg, const struct kube_reply *reply);
	void *arg;
	struct http_request *request; /* NULL: queued */
	bool is_second; /* after a 401 */
	bool is_refused; /* the queue was full */
};

TAILQ_HEAD(calls, call);

struct kube_unary {
	struct http *http;
	struct http_endpoint *endpoint;
	struct err why; /* there is no endpoint */
	struct loop_timer *timer; /* the queue has work */
	struct calls queue;
	struct calls running;
	size_t n_queued;
	size_t n_running;
	void (*on_unauthorized)(void *arg);
	void *arg;
};

static void
call_free(struct call *c)
{
	free(c->method);
	free(c->path);
	free(c->content_type);
	free(c->body);
	free(c);
}

static void
pump_soon(struct kube_unary *u)
{
	if (u->n_queued && u->n_running < KUBE_UNARY_CONNECTIONS)
		loop_timer_arm(u->timer, 0);
}

static void
call_enqueue(struct kube_unary *u, struct call *c)
{
	TAILQ_INSERT_TAIL(&u->queue, c, link);
	u->n_queued++;
	pump_soon(u);
}

static void
on_done(void *arg, const struct http_result *result)
{
	struct call *c = arg;
	struct kube_unary *u = c->unary;
	struct kube_reply reply = {
		.status = result->err.code ? 0 : result->response.status,
		.body = result->body,
		.body_b = result->body_b,
		.content_type = result->response.content_type,
		.retry_after_us = result->response.retry_after_us,
		.err = &result->err,
	};

	TAILQ_REMOVE(&u->running, c, link);
	u->n_running--;
	c->request = NULL;
	if (reply.status == 401 && !c->is_second) {
		c->is_second = true;
		call_enqueue(u, c);
		u->on_unauthorized(u->arg);
		return;
	}
	pump_soon(u);
	c->fn(c->arg, &reply);
	call_free(c);
}

static void
call_start(struct kube_unary *u, struct call *c)
{
	struct http_request_conf conf = {
		.method = c->method,
		.path = c->path,
		.accept = "application/json",
		.content_type = c->content_type,
		.body = c->body,
		.body_max_b = KUBE_UNARY_BODY_MAX_B,
		.timeout_us = TIMEOUT_US,
		.on_done = on_done,
		.arg = c,
	};

	TAILQ_INSERT_TAIL(&u->running, c, link);
	u->n_running++;
	c->request = http_start(u->http, u->endpoint, &conf);
}

static void
call_fail(struct call *c, const struct err *err)
{
	struct kube_reply reply = { .body = "",
		.content_type = "",
		.err = err };

	c->fn(c->arg, &reply);
	call_free(c);
}

static void
on_pump(void *arg)
{
	struct kube_unary *u = arg;
	struct err full = { 0 };
	size_t n = u->n_queued; /* answers may queue more: next time */

	for (; n > 0 && u->n_running < KUBE_UNARY_CONNECTIONS; n--) {
		struct call *c = TAILQ_FIRST(&u->queue);

		TAILQ_REMOVE(&u->queue, c, link);
		u->n_queued--;
		if (c->is_refused) {
			err_set(&full, -EBUSY,
			    "too many requests to the API server are waiting");
			call_fail(c, &full);
		} else if (u->endpoint) {
			call_start(u, c);
		} else {
			call_fail(c, &u->why);
		}
	}
	pump_soon(u);
}

struct kube_unary *
kube_unary_new(struct loop *loop, struct http *http,
    void (*on_unauthorized)(void *arg), void *arg)
{
	struct kube_unary *u = mem_new(struct kube_unary);

	u->http = http;
	u->on_unauthorized = on_unauthorized;
	u->arg = arg;
	u->timer = loop_timer_new(loop, on_pump, u);
	err_set(&u->why, -ENOTCONN, "no API server yet");
	TAILQ_INIT(&u->queue);
	TAILQ_INIT(&u->running);
	return u;
}

static void
calls_free(struct calls *calls)
{
	struct call *c;

	while ((c = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, c, link);
		http_cancel(c->request);
		call_free(c);
	}
}

void
kube_unary_free(struct kube_unary *u)
{
	if (!u)
		return;
	calls_free(&u->running);
	calls_free(&u->queue);
	loop_timer_free(u->timer);
	free(u);
}

void
kube_unary_set_endpoint(struct kube_unary *u, struct http_endpoint *endpoint,
    const struct err *why)
{
	u->endpoint = endpoint;
	if (why)
		u->why = *why;
}

void
kube_unary_call(struct kube_unary *u, const struct kube_unary_call *call)
{
	struct call *c = mem_new(struct call);

	c->unary = u;
	c->method = mem_strdup(call->method);
	c->path = mem_strdup(call->path);
	c->content_type = mem_strdup(call->content_type);
	c->body = mem_strdup(call->body);
	c->fn = call->fn;
	c->arg = call->arg;
	c->is_refused = u->n_queued >= KUBE_UNARY_QUEUE;
	/* At once, while what it says is so. */
	if (u->endpoint && !u->n_queued &&
	    u->n_running < KUBE_UNARY_CONNECTIONS)
		call_start(u, c);
	else
		call_enqueue(u, c);
}
