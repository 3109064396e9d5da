/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_request: single requests to the API server that source/kube holds.
 *
 * The interface alone: apply/ writes through it without knowing the source
 * that carries it out (source/kube.c), as the layers demand.
 */
#ifndef EIPD_NET_KUBE_REQUEST_H
#define EIPD_NET_KUBE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct kube;

/* One finished request.  `status` is the HTTP status, 0 if there was none
 * (`err` says why).  `body` is NUL-terminated. */
struct kube_reply {
	long status;
	const char *body;
	size_t body_b;
	const char *content_type; /* "" if none */
	int64_t retry_after_us; /* 0: none */
	const struct err *err;
};

/* A request of its own on the shared connections, HTTP/1.1 keep-alive; the
 * path begins with "/".  `fn` is always called once, never from inside this
 * call, unless kube_free() comes first. */
void kube_request(struct kube *kube, const char *method, const char *path,
    const char *content_type, const char *body,
    void (*fn)(void *arg, const struct kube_reply *reply), void *arg);

#endif
