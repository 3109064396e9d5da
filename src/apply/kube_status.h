/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_status: writes Service status and Events to the API server.
 *
 * Level-triggered: it is told what the status should be and what the last
 * watch event showed; it writes only a difference, one write per Service at a
 * time, bounded in flight, and tries again with backoff.
 */
#ifndef EIPD_APPLY_KUBE_STATUS_H
#define EIPD_APPLY_KUBE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/service.h"

struct kube;
struct kube_status_writer;
struct loop;

struct kube_status_writer *kube_status_new(struct loop *loop, struct kube *kube,
    void (*on_written)(void *arg, const char *ns, const char *name), void *arg);
/* kube_free() has to follow before the loop runs again: answers may still be
 * on their way. */
void kube_status_free(struct kube_status_writer *writer);

/* The wanted ingress of a Service (n = 0: none).  `seen` is the object as the
 * watch last delivered it; call again at each new version.  A status that
 * someone else changed is corrected at once; 3 times in a minute, then once a
 * minute, with an Event. */
void kube_status_want(struct kube_status_writer *writer,
    const struct service *seen, const struct ingress *ingress, size_t n);
/* No longer ours, or gone: whatever is queued is dropped. */
void kube_status_forget(struct kube_status_writer *writer, const char *ns,
    const char *name);
/* Whoever waits after a failure waits no longer. */
void kube_status_retry(struct kube_status_writer *writer);
/* The last write is confirmed and equals what is wanted. */
bool kube_status_is_written(const struct kube_status_writer *writer,
    const char *ns, const char *name);
/* Why the last write failed, or has to wait for a server that does not answer;
 * "" if neither. */
const char *kube_status_problem(const struct kube_status_writer *writer,
    const char *ns, const char *name);

/* An events.k8s.io/v1 Event on an object; best effort, aggregated (the same
 * reason and note on the same object within 10 minutes is one series),
 * bounded queue. */
void kube_event(struct kube_status_writer *writer,
    const struct object *regarding, bool is_warning, const char *reason,
    const char *action, const char *note);

#endif
