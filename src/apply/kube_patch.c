/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/kube_patch.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "net/url.h"

#define BACKOFF_MAX_US (60 * MONO_S)

void
kube_patch_status(struct kube *kube, const char *collection, const char *name,
    const char *uid, json_t *status,
    void (*fn)(void *arg, const struct kube_reply *reply), void *arg)
{
	json_t *j = json_pack("{s:o}", "status", status);
	struct str path = { 0 };
	char *body;

	if (*uid)
		json_object_set_new(j, "metadata",
		    json_pack("{s:s}", "uid", uid));
	body = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	str_printf(&path, "%s/", collection);
	url_escape(&path, name);
	str_add(&path, "/status?fieldManager=eipd");
	kube_request(kube, "PATCH", path.s, "application/merge-patch+json",
	    body ? body : "{}", fn, arg);
	free(body);
	str_fini(&path);
}

enum kube_patch_result
kube_patch_result(const struct kube_reply *reply)
{
	if (reply->status >= 200 && reply->status < 300)
		return KUBE_PATCH_DONE;
	switch (reply->status) {
	case 0:
		return KUBE_PATCH_NO_ANSWER;
	case 404:
		return KUBE_PATCH_GONE;
	case 401:
	case 403:
	case 409:
	case 422:
		return KUBE_PATCH_LATER;
	case 400:
	case 413:
	case 415:
		return KUBE_PATCH_NEVER;
	default:
		return KUBE_PATCH_AGAIN;
	}
}

void
kube_patch_describe(const struct kube_reply *reply, const char *resource,
    struct str *out)
{
	if (reply->status == 403)
		str_printf(out,
		    "forbidden: cannot patch %s/status; grant it with: eipctl manifests | kubectl apply -f -",
		    resource);
	else if (reply->status == 401)
		str_add(out,
		    "you must be logged in to the server (Unauthorized): check the kubeconfig's credentials");
	else
		str_printf(out, "the server answered %ld: %.*s", reply->status,
		    (int)MIN(strcspn(reply->body, "\r\n"), (size_t)300),
		    reply->body);
}

int64_t
kube_patch_backoff(int64_t *backoff_us, int64_t min_us)
{
	*backoff_us = MIN(MAX(2 * *backoff_us, min_us), BACKOFF_MAX_US);
	return *backoff_us;
}
