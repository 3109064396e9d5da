/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * app: the parts of the running daemon and what they share.
 *
 * Flow: source/ delivers facts (facts.c) -> world -> dirty records ->
 * reconcile.c plans and applies them in the one safe order -> view.c shows.
 */
#ifndef EIPD_DAEMON_APP_H
#define EIPD_DAEMON_APP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "ctl/state.h"
#include "daemon/problems.h"
#include "daemon/records.h"
#include "plan/plan.h"
#include "source/sink.h"

struct bgp_speaker;
struct ctl_server;
struct files;
struct kube;
struct kube_cr_status;
struct kube_status_writer;
struct loop;
struct loop_timer;
struct nft;
struct totals;
struct notify;
struct probe;
struct store;

/* One kind of objects of the cluster, for remember.c. */
struct remembered {
	uint64_t server; /* the API server that the world's are of; 0: that is
			  * not known, or a list is under way */
	uint64_t generation; /* of the world, as last saved */
	size_t n_recalled; /* 0 once they were listed */
};

struct app {
	const char *conf_path;
	struct conf conf;
	struct loop *loop;
	mono_t started;

	struct world *world;
	struct lease_table *leases;
	struct plan_cache *cache;
	struct records *records;
	struct problems *problems;
	/* Eip objects that overlap one in force; tried again when one goes. */
	VEC(struct object *) parked;

	/* Services whose object was refused, as "cluster/namespace/name";
	 * "cluster//" for one that could not even be identified.  What is
	 * known of them from before the start is not given up. */
	VEC(char *) refused;

	struct store *store;
	struct nft *nft;
	struct totals *totals;
	struct bgp_speaker *speaker;
	struct files *files;
	struct kube *kube;
	struct kube_status_writer *writer;
	struct kube_cr_status *cr_writer;
	struct probe *probe;
	struct ctl_server *ctl;
	struct ctl_state ctl_state;
	struct sink sink;
	struct notify *notify;

	/* What is not in the database yet: adopted while it was unusable. */
	VEC(struct lease) unsaved;
	bool is_rewrite_due; /* it was begun anew and lacks what we know */
	bool is_withdrawn_unsaved; /* likewise */
	char database_problem[480]; /* "" when it is usable */

	struct remembered remembered[OBJECT__COUNT];

	bool is_pass_scheduled;
	bool is_remember_scheduled;
	bool is_bgp_scheduled;
	bool is_kube_synced; /* its first sync was seen */
	bool is_kube_connected; /* as last told */
	bool are_pools_listed; /* those of the cluster */
	bool is_announcing; /* what was adopted, in slices: */
	struct str announced_to; /* the last record's key */
	bool are_probes_settled;
	bool is_kernel_adopted; /* before, nobody knows what it carries */
	bool is_first_pass_done; /* what there was is as it should be */
	bool is_speaker_started;
	bool is_withdrawn; /* eipctl withdraw-all */
	bool is_removal_due; /* of table and routes, with it */
	bool is_ready_notified;
	const char *told_state; /* in the log; NULL: nothing yet */
	uint64_t told_status; /* hash of the line that systemctl shows */
	mono_t settle_until; /* first probes are waited for until then */
	mono_t await_until; /* 0: see settle_await_cluster() */
	wall_t next_expiry; /* of a lease; 0: to be found out */
	int64_t boot_us; /* of the machine, by its clock as it was last */
	bool is_cr_status_dirty; /* a session or a parked Eip changed */
	uint64_t cr_status_generation; /* as of the last pass */
	mono_t cr_status_due; /* of the next pass */
	struct loop_timer *settle_timer;
	struct loop_timer *retry_timer; /* kernel or database refused */
	struct loop_timer *store_timer; /* 10 s */
	struct loop_timer *watch_timer; /* 1 s: what rests is looked after */
	struct loop_timer *poll_timer; /* has somebody changed the rules? */
	struct loop_timer *verify_timer; /* of the kernel's table, in slices */
	struct loop_timer *flush_timer; /* conntrack, in slices */
	struct loop_timer *watchdog_timer;
	struct decision *lent; /* backs the last view.c answer */

	struct histogram nft_commit;
	struct histogram db_commit;
	struct histogram converge;
	struct histogram loop_stall;
};

/* Starts all parts in order, on the caller's loop; what fails is tried
 * again. */
void app_start(struct app *app);
void app_stop(struct app *app);
/* Reads eipd.conf again: all of it takes effect, or nothing does. */
ATTR_NODISCARD int app_reload(struct app *app, struct err *err);

/* Something moved on: starts the speaker and tells systemd when it is time. */
void app_progress(struct app *app);
/* How many sessions are established; `*n`: of how many peers. */
size_t app_count_peers(const struct app *app, size_t *n);
/* "" once the first sync is done, else what is waited for. */
const char *app_waiting_for(const struct app *app);
/* As installed: no cluster, and neither pools nor Services in files. */
#define APP_UNCONFIGURED                                                       \
	"nothing to serve yet: eipd.conf names no cluster, and no object "     \
	"file has a pool or a Service"
bool app_is_unconfigured(const struct app *app);

struct plan_input app_plan_input(const struct app *app);
/* `conf` part of the above, for the offline plan too. */
struct plan_conf app_plan_conf(const struct conf *conf);

/* facts.c */
void facts_sink_init(struct app *app, struct sink *sink);
void facts_on_probe(void *arg, const char *cluster, const char *node,
    enum probe_state state);
void facts_refresh_probes(struct app *app);
/* Its object is there, but cannot be used: see app.refused. */
bool facts_is_refused(const struct app *app, const char *cluster,
    const char *key);

/* settle.c: nothing is planned until the first probes have answered, so that
 * a restart does not bring back a node that is down. */
void settle_begin(struct app *app);
void settle_check(struct app *app);

/* A new database does not know which addresses the cluster's Services show.
 * Until the first sync Services of files take no free one; for a minute at
 * most, as the way to the API server may be one of them. */
void settle_await_cluster(struct app *app);
/* The first sync is done. */
void settle_cluster_known(struct app *app);
void settle_tick(struct app *app);

/* expire.c: leases that ran out, whoever waits for them. */
void expire_leases(struct app *app);
/* Times are kept by the wall clock, as they outlive the boot.  When that is
 * set, what was released before stays so for as long as it would have; false:
 * not yet, the database cannot be written. */
bool expire_follow_clock(struct app *app);

/* cr_status.c: once a second. */
void cr_status_tick(struct app *app);

/* reconcile.c */
void reconcile_kick(struct app *app);
void reconcile_dirty(struct app *app, const char *cluster, const char *ns,
    const char *name);
void reconcile_dirty_cluster(struct app *app, const char *cluster);
void reconcile_dirty_all(struct app *app);
/* All records and all Services: what is ours may have changed. */
void reconcile_dirty_services(struct app *app);
/* An address may have become free, or a pool or namespace changed. */
void reconcile_wake_waiting(struct app *app);
/* Those of them that the rule set had no room for. */
void reconcile_wake_conflicting(struct app *app);
bool reconcile_is_cluster_ready(const struct app *app, const char *cluster);
/* Nothing is left to do of clusters that are ready. */
bool reconcile_is_idle(const struct app *app);
enum service_state reconcile_state(const struct app *app,
    const struct record *record);
void reconcile_withdraw_all(struct app *app);

/* publish.c: tells the API server what is in force for the record. */
void publish_service(struct app *app, struct record *record);

/* adopt.c: what kernel and database say at the start. */
void adopt_store(struct app *app);
/* Until it could be read: to be called again. */
void adopt_kernel(struct app *app);
/* What was adopted and is not planned yet: when pools have become known. */
void adopt_announce(struct app *app);
/* Opens the database again after a failure; true once it is usable. */
bool adopt_retry_store(struct app *app);
void adopt_database_failed(struct app *app, const struct err *err);
/* A change went through: it need not wait for the next retry to be told. */
void adopt_database_written(struct app *app);
void adopt_remember_unsaved(struct app *app, const struct lease *lease);
void adopt_forget_unsaved(struct app *app);
/* On failure it is written when the database is back. */
ATTR_NODISCARD int adopt_save_withdrawn(struct app *app, struct err *err);

/* remember.c */
/* At the start, before the kernel is adopted. */
void remember_recall(struct app *app, uint64_t server);
/* Objects recalled that the API server has not confirmed yet. */
size_t remember_count(const struct app *app);
void remember_schedule(struct app *app);
/* The database may be another one. */
void remember_anew(struct app *app);
void remember_list_begin(struct app *app, enum object_kind kind,
    const char *cluster);
void remember_list_end(struct app *app, enum object_kind kind,
    const char *cluster);

/* bgp_conf.c */
void app_schedule_bgp(struct app *app);
void app_configure_bgp(struct app *app);

/* Takes the box out of service, or back: routes, then rules, then status. */
ATTR_NODISCARD int app_withdraw(struct app *app, bool is_withdrawn,
    struct err *err);
/* The second part of it, until it succeeds. */
ATTR_NODISCARD int app_remove_rules(struct app *app, struct err *err);

/* view.c, verbs.c */
void view_init(struct app *app, struct ctl_state *state);
void verbs_init(struct ctl_state *state);
/* doctor.c: settings of the kernel; with what its rules do to ours. */
void app_each_setting(const struct app *app, doctor_fn *fn, void *fn_arg);
void app_each_finding(void *arg, doctor_fn *fn, void *fn_arg);
void app_log_settings(const struct app *app); /* those that are wrong */
void app_each_problem(void *arg,
    void (*fn)(void *fn_arg, const struct problem *p), void *fn_arg);

/* offline.c */
int offline_check(const char *conf_path, bool print_normal_form);
int offline_plan(const char *conf_path, const char *cluster_dir);

#endif
