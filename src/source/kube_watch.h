/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_watch: list and watch of one resource as a state machine.
 *
 * Pure: events and octets in, deliveries to the sink and a list of what to do
 * (open a path, close, wait) out.  What it survives: pages and expired pages,
 * 410 as a status and as an event, 429 in any shape, resource versions that
 * go back, a list that is empty once, streams that end anywhere, answers that are no JSON, items that
 * cannot be read, custom resources that are not installed.
 */
#ifndef EIPD_SOURCE_KUBE_WATCH_H
#define EIPD_SOURCE_KUBE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "base/str.h"
#include "source/kube_split.h"
#include "source/sink.h"

enum kube_watch_state {
	KUBE_WATCH_IDLE, /* not begun */
	KUBE_WATCH_LIST, /* a page is being fetched */
	KUBE_WATCH_STREAM, /* a watch is open or being opened */
	KUBE_WATCH_WAIT, /* until the timer, then `next` */
};

enum kube_watch_list {
	KUBE_WATCH_LIST_ANY, /* resourceVersion=0: any cache will do */
	KUBE_WATCH_LIST_NOT_OLDER, /* than what we have */
	KUBE_WATCH_LIST_CONSISTENT, /* in pages */
	KUBE_WATCH_LIST_WHOLE, /* the same, without pages */
};

enum {
	KUBE_WATCH_VERSIONS = 2
};

struct kube_watch {
	enum object_kind kind;
	const char *cluster; /* borrowed */
	const struct sink *sink; /* borrowed */
	enum kube_watch_state state;
	enum kube_watch_state next; /* after WAIT: LIST or STREAM */
	enum kube_watch_list list;
	unsigned int version; /* of the custom resource, 0 or 1 */

	bool is_synced;
	bool is_connected;
	bool is_absent; /* the CRD is not installed */
	bool is_server_away; /* waiting: it did not answer, or with an error */
	mono_t last_event;
	uint64_t events;
	uint64_t restarts;
	char problem[480]; /* "" if none */

	/* Below: the machine's own. */
	struct str path;
	struct str token; /* of the next page, empty: the first one */
	char rv[64];
	struct kube_split split;
	struct str error_body;
	long status; /* of the present answer, 0: none yet */
	int64_t retry_after_us;
	bool is_listing; /* between list_begin and list_end */
	bool was_listed;
	bool was_present;
	bool is_unauthorized; /* the last answer was 401 */
	bool is_kicked; /* and has delivered nothing since */
	mono_t opened;
	bool has_news; /* the stream has moved the version on */
	uint64_t listed; /* items of the listing so far */
	bool is_second_look; /* the listing confirms another one */
	mono_t relisted; /* last asked for by the server; 0: never */
	unsigned int streak; /* broken streams in a row */
	unsigned int absences; /* 404 in a row */
	mono_t absent_since;
	int64_t backoff_us;
	mono_t last_failure;
	uint32_t seed;
};

/* What the shell has to do after each call, in this order. */
struct kube_watch_todo {
	bool stop; /* close what is open */
	bool want_credentials; /* read them again */
	bool start; /* open kube_watch_path() */
	int64_t arm_us; /* set the timer; 0: leave it */
};

/* `seed` is for jitter. */
void kube_watch_init(struct kube_watch *w, enum object_kind kind,
    const char *cluster, const struct sink *sink, uint32_t seed);
void kube_watch_fini(struct kube_watch *w);

/* Begins, or begins again after the server or the credentials changed. */
void kube_watch_begin(struct kube_watch *w, bool is_new_server, mono_t now,
    struct kube_watch_todo *todo);
void kube_watch_on_timer(struct kube_watch *w, mono_t now,
    struct kube_watch_todo *todo);
/* The server answers others again, or takes our credentials: who waits for
 * that waits no longer, but only once until it got somewhere itself.
 * `is_anyhow`: whatever it waits for, and however often. */
void kube_watch_kick(struct kube_watch *w, bool is_anyhow, mono_t now,
    struct kube_watch_todo *todo);
void kube_watch_on_response(struct kube_watch *w, long status,
    int64_t retry_after_us, mono_t now);
/* Handles up to the end of one item and returns how much that was. */
size_t kube_watch_on_data(struct kube_watch *w, const char *data, size_t size_b,
    mono_t now, struct kube_watch_todo *todo);
/* err->code 0: the body is complete. */
void kube_watch_on_end(struct kube_watch *w, const struct err *err,
    bool is_idle, mono_t now, struct kube_watch_todo *todo);

const char *kube_watch_path(const struct kube_watch *w);
bool kube_watch_is_list(const struct kube_watch *w);
/* "services", "eips", ... */
const char *kube_watch_resource(enum object_kind kind);

#endif
