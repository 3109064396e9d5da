/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_event: Events of events.k8s.io/v1, best effort.
 *
 * What repeats within ten minutes is one series; the queue is bounded, few are
 * in flight, and nothing waits for them.
 */
#ifndef EIPD_APPLY_KUBE_EVENT_H
#define EIPD_APPLY_KUBE_EVENT_H

#include <stdbool.h>

struct kube;
struct kube_events;
struct loop;
struct object;

struct kube_event_text {
	bool is_warning;
	const char *reason; /* CamelCase */
	const char *action; /* CamelCase */
	const char *note;
};

struct kube_events *kube_events_new(struct loop *loop, struct kube *kube);
void kube_events_free(struct kube_events *events);

/* While held they wait: there is more important work. */
void kube_events_hold(struct kube_events *events, bool is_held);
/* Objects that are not from an API server are passed over. */
void kube_events_add(struct kube_events *events, const struct object *regarding,
    const struct kube_event_text *text);

#endif
