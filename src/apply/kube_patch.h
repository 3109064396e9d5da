/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_patch: one write to the status of an object, and what the answer to it
 * means.
 */
#ifndef EIPD_APPLY_KUBE_PATCH_H
#define EIPD_APPLY_KUBE_PATCH_H

#include <jansson.h>

#include "base/mono.h"
#include "base/str.h"
#include "net/kube_request.h"

/* KUBE_PATCH_LATER is this, before jitter. */
#define KUBE_PATCH_LATER_US (60 * MONO_S)

enum kube_patch_result {
	KUBE_PATCH_DONE,
	KUBE_PATCH_NO_ANSWER, /* not this object's problem */
	/* The watch will say so.  If not, the resource was not served: an
	 * API server that has just started knows no CRDs for a while. */
	KUBE_PATCH_GONE,
	/* The right is missing, or it may be another incarnation: then the
	 * watch decides, and just in case it is tried again. */
	KUBE_PATCH_LATER,
	KUBE_PATCH_NEVER, /* not as it is */
	KUBE_PATCH_AGAIN, /* with backoff */
};

/* A merge patch of `status`, which is taken; `collection` is the path of the
 * resource.  The uid ("": none) makes the server refuse what is meant for an
 * object of the same name that is no more. */
void kube_patch_status(struct kube *kube, const char *collection,
    const char *name, const char *uid, json_t *status,
    void (*fn)(void *arg, const struct kube_reply *reply), void *arg);

enum kube_patch_result kube_patch_result(const struct kube_reply *reply);

/* Why it failed and what to do, for an answer that there is; `resource` in
 * the plural. */
void kube_patch_describe(const struct kube_reply *reply, const char *resource,
    struct str *out);

/* Twice the last one, from `min_us` to a minute; 0 begins anew. */
int64_t kube_patch_backoff(int64_t *backoff_us, int64_t min_us);

#endif
