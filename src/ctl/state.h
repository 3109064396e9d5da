/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state: what ctl/ may see and do, implemented by daemon/.
 *
 * Getters lend what they give for the duration of one request.
 */
#ifndef EIPD_CTL_STATE_H
#define EIPD_CTL_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mono.h"
#include "base/str.h"
#include "model/bgp.h"
#include "model/decision.h"
#include "model/lease.h"
#include "model/world.h"
#include "sys/doctor.h"

/* One Service that is ours, with what was carried out of its decision. */
struct service_status {
	const struct service *service; /* NULL: gone from the API (adopted) */
	const char *cluster;
	const char *ns;
	const char *name;
	const struct decision *decision; /* may be NULL before first sync */
	enum service_state state;
	const char *reason; /* "" if none */
	const char *message;
	bool is_programmed;
	bool is_announced;
	bool is_status_written; /* false for static Services, see next */
	bool has_status; /* there is an API server to write to */
	const char *status_problem;
	const struct service_totals *totals; /* NULL: none known */
};

struct cluster_status {
	const char *name;
	bool is_connected;
	double last_event_s; /* seconds ago, < 0: none yet */
	double stale_s; /* 0: not stale */
	const char *message;
	size_t n_remembered; /* objects in force that it has not confirmed */
	/* Per watched kind, NULL-kind terminated by n. */
	struct {
		const char *resource; /* "services" */
		double age_s;
		uint64_t events;
		uint64_t restarts;
	} watches[OBJECT__COUNT];
	size_t n_watches;
};

enum severity {
	SEVERITY_WARNING,
	SEVERITY_ERROR
};

struct problem {
	enum severity severity;
	const char *subject; /* "Eip web", "peer tor1", "file:3:5" */
	const char *text;
	const char *remedy;
};

struct node_status {
	const struct node *node;
	bool is_eligible;
	const char *reason; /* why not; "" if eligible */
	bool is_probed;
	enum probe_state probe;
	wall_t probe_since;
	const char *probe_error;
};

struct history_entry {
	wall_t time;
	const char *event, *address, *cluster, *ns, *name, *uid, *pool, *reason;
};

struct daemon_status {
	const char *version;
	double uptime_s;
	bool is_ready;
	const char *waiting_for; /* "" when ready */
	const char *database; /* "ok" or the reason */
	bool is_withdrawn; /* eipctl withdraw-all is in force */
	double max_stall_ms;
	/* Counters and histograms for /metrics. */
	uint64_t nft_commits, nft_operations, nft_errors;
};

enum {
	HISTOGRAM_BUCKETS = 12
};

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS]; /* not cumulative; last: +Inf */
	uint64_t count;
	double sum_s;
};

/* Upper bounds in seconds of all buckets but the last. */
extern const double histogram_bounds_s[HISTOGRAM_BUCKETS - 1];
void histogram_add(struct histogram *h, int64_t us);

struct ctl_histograms {
	const struct histogram *nft_commit;
	const struct histogram *db_commit;
	const struct histogram *converge;
	const struct histogram *loop_stall;
};

struct ctl_state {
	void *arg;
	wall_t (*now)(void *arg);
	void (*status)(void *arg, struct daemon_status *out);
	void (*histograms)(void *arg, struct ctl_histograms *out);
	const struct world *(*world)(void *arg);
	const struct lease_table *(*leases)(void *arg);
	/* How many are in each state. */
	void (*count_services)(void *arg, uint64_t n[SERVICE_STATE__COUNT]);
	/* `fn` for up to `n` of those that follow `after` ("": for the first
	 * ones) in order of "cluster/namespace/name".  False after the last,
	 * else `after` is where to go on. */
	bool (*services)(void *arg, struct str *after, size_t n,
	    void (*fn)(void *fn_arg, const struct service_status *s),
	    void *fn_arg);
	/* True once the totals of Services are as of `since` or later (then
	 * `*as_of` tells), or cannot be had; false: ctl_server_retry()
	 * follows. */
	bool (*read_totals)(void *arg, mono_t since, mono_t *as_of);
	/* False if it is not one of ours (look in world for why). */
	bool (*service)(void *arg, const char *cluster, const char *ns,
	    const char *name, struct service_status *out);
	/* A fresh decision for a Service that is or is not ours, for explain;
	 * NULL if the world has no such Service.  The caller frees it with
	 * decision_free(). */
	struct decision *(*explain)(void *arg, const char *cluster,
	    const char *ns, const char *name);
	void (*each_node)(void *arg,
	    void (*fn)(void *fn_arg, const struct node_status *n),
	    void *fn_arg);
	void (*each_cluster)(void *arg,
	    void (*fn)(void *fn_arg, const struct cluster_status *c),
	    void *fn_arg);
	void (*each_peer)(void *arg,
	    void (*fn)(void *fn_arg, const struct peer_status *p),
	    void *fn_arg);
	void (*each_route)(void *arg, const char *peer,
	    void (*fn)(void *fn_arg, const struct route_status *r),
	    void *fn_arg);
	void (*each_problem)(void *arg,
	    void (*fn)(void *fn_arg, const struct problem *p), void *fn_arg);
	void (*each_finding)(void *arg, doctor_fn *fn, void *fn_arg);
	int (*each_history)(void *arg, const char *address, const char *ns,
	    const char *name,
	    void (*fn)(void *fn_arg, const struct history_entry *h),
	    void *fn_arg, struct err *err);
	/* Verbs.  0, or -EINVAL (400), -ENOENT (404), -EBUSY (409, state
	 * forbids it), -EAGAIN (503, try again) with `err` filled. */
	int (*reserve)(void *arg, const struct addr *address, const char *ns,
	    const char *name, struct err *err);
	int (
	    *unreserve)(void *arg, const struct addr *address, struct err *err);
	int (*release)(void *arg, const struct addr *address, struct err *err);
	int (*reload)(void *arg, struct err *err);
	int (*withdraw_all)(void *arg, bool undo, struct err *err);
};

#endif
