/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube: one API server as a source: kubeconfig, list and watch of every kind.
 */
#ifndef EIPD_SOURCE_KUBE_H
#define EIPD_SOURCE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "net/kube_request.h"
#include "source/sink.h"

struct kube;
struct loop;

struct kube_conf {
	const char *name; /* the cluster's name in keys */
	const char *kubeconfig; /* path or colon list */
	const char *context; /* NULL: current-context */
	const char *user_agent; /* NULL: "eipd" */
	/* It had objects of the kind: that its CRD is gone is not believed
	 * at once. */
	bool was_present[OBJECT__COUNT];
};

struct kube_watch_status {
	enum object_kind kind;
	bool is_synced; /* had one full list (or its CRD is absent) */
	bool is_connected;
	mono_t last_event; /* 0: none yet; bookmarks count */
	uint64_t events;
	uint64_t restarts; /* relists after the first */
	const char *problem; /* "" if none; borrowed */
};

struct kube_status {
	const char *name;
	bool is_connected; /* all watches that should be open are */
	bool is_synced; /* every kind had its first list */
	mono_t last_event;
	mono_t stale_since; /* 0: not stale */
	const char *message; /* "" if all is well; names the remedy */
	uint64_t server; /* names the API server; 0: no kubeconfig yet */
	struct kube_watch_status watches[OBJECT__COUNT];
};

/* kube_status.server, read from the kubeconfig now; 0 if it cannot be used,
 * for the reason in `err`, which names the file. */
uint64_t kube_server(const struct kube_conf *conf, struct err *err);

/* Never fails: a kubeconfig that cannot be used is a message and a retry.
 * `on_change` is called when the status (connected, synced, message)
 * changed. */
struct kube *kube_new(struct loop *loop, const struct kube_conf *conf,
    const struct sink *sink, void (*on_change)(void *arg), void *arg);
void kube_free(struct kube *kube);
/* Re-reads the kubeconfig; watches move to it without a relist when only
 * credentials changed. */
void kube_reload(struct kube *kube);
void kube_get_status(const struct kube *kube, struct kube_status *out);

#endif
