/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_unary: single requests to an API server: a few connections kept alive,
 * a queue before them.
 */
#ifndef EIPD_SOURCE_KUBE_UNARY_H
#define EIPD_SOURCE_KUBE_UNARY_H

#include "net/kube_request.h"

struct http;
struct http_endpoint;
struct kube_unary;
struct loop;

enum {
	KUBE_UNARY_CONNECTIONS = 32,
	KUBE_UNARY_QUEUE = 4096,
	KUBE_UNARY_BODY_MAX_B = 4 << 20,
};

/* `on_unauthorized` may set another token or endpoint before the request that
 * got a 401 is sent again, once. */
struct kube_unary *kube_unary_new(struct loop *loop, struct http *http,
    void (*on_unauthorized)(void *arg), void *arg);
/* What is queued or under way is never answered. */
void kube_unary_free(struct kube_unary *unary);

/* Borrowed until the next call; NULL: none yet, requests fail with `why`. */
void kube_unary_set_endpoint(struct kube_unary *unary,
    struct http_endpoint *endpoint, const struct err *why);

struct kube_unary_call {
	const char *method;
	const char *path;
	const char *content_type;
	const char *body; /* NULL: none */
	void (*fn)(void *arg, const struct kube_reply *reply);
	void *arg;
};

/* `fn` is always called once, never from inside this call. */
void kube_unary_call(struct kube_unary *unary,
    const struct kube_unary_call *call);

#endif
