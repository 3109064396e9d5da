/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bgp_speaker.h"
#include "apply/kube_cr_status.h"
#include "apply/kube_status.h"
#include "apply/nft.h"
#include "apply/totals.h"
#include "ctl/server.h"
#include "model/lease.h"
#include "model/world.h"
#include "source/files.h"
#include "source/kube.h"
#include "source/probe.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/notify.h"

/* A router that helps keeps our routes for the restart time (two minutes,
 * unless configured); well before that it is told what is known, even if the
 * API server is still away. */
enum {
	SPEAKER_WAITS_MAX_S = 20,
	STORE_RETRY_S = 10,
	FLUSH_SLICE_MS = 5,
	VERIFY_MS = 10, /* between slices */
	POLL_MS = 100, /* how long a table flushed by someone else is away */
};

struct plan_conf
app_plan_conf(const struct conf *conf)
{
	return (struct plan_conf){ .service_class = conf->service_class,
		.service_default = conf->service_default,
		.forwarding = conf->forwarding,
		.probe_on = conf->probe.is_on };
}

struct plan_input
app_plan_input(const struct app *app)
{
	return (struct plan_input){ .world = app->world,
		.leases = app->leases,
		.conf = app_plan_conf(&app->conf),
		.now = clock_wall(),
		.cache = app->cache };
}

const char *
app_waiting_for(const struct app *app)
{
	if (app->kube && !app->is_kube_synced)
		return "FirstSync: the API server has not delivered its first "
		       "lists";
	if (!app->are_probes_settled)
		return "FirstSync: the first probes are under way";
	if (!app->is_kernel_adopted && !app->is_withdrawn)
		return "Kernel: its table cannot be read yet";
	return "";
}

struct peer_count {
	size_t established;
	size_t n;
};

static void
count_peer(void *arg, const struct peer_status *peer)
{
	struct peer_count *count = arg;

	count->n++;
	count->established += peer->state == BGP_STATE_ESTABLISHED;
}

size_t
app_count_peers(const struct app *app, size_t *n)
{
	struct peer_count count = { 0 };

	bgp_speaker_each_peer(app->speaker, count_peer, &count);
	*n = count.n;
	return count.established;
}

static void
start_speaker(struct app *app)
{
	if (app->is_speaker_started)
		return;
	app->is_speaker_started = true;
	app_configure_bgp(app);
	bgp_speaker_start(app->speaker);
	/* What is remembered serves from here on: nobody has to wait for an
	 * API server that is away, neither routers nor systemctl start. */
	notify_ready(app->notify);
}

bool
app_is_unconfigured(const struct app *app)
{
	return !app->kube && world_count(app->world, OBJECT_EIP) == 0 &&
	    world_count(app->world, OBJECT_SERVICE) == 0;
}

static const char *
state_of(const struct app *app)
{
	const char *waiting = app_waiting_for(app);

	if (*waiting)
		return waiting;
	if (app_is_unconfigured(app))
		return APP_UNCONFIGURED;
	return app->is_withdrawn ? "withdrawn" : "serving";
}

/* What keeps eipd from serving, in the log; with some numbers, in systemctl
 * status. */
static void
tell_status(struct app *app)
{
	const char *state = state_of(app);
	char text[400];
	uint64_t hash;
	size_t n;
	size_t established = app_count_peers(app, &n);

	snprintf(text, sizeof(text),
	    "%s; Services: %zu, addresses announced: %zu, peers established: "
	    "%zu of %zu",
	    state, app->records->all.n, app->records->n_routes, established, n);
	hash = str_hash(text);
	if (hash != app->told_status)
		notify_status(app->notify, text);
	app->told_status = hash;
	if (!app->told_state || strcmp(app->told_state, state) != 0)
		log_info("eipd: %s", state);
	app->told_state = state;
}

void
app_progress(struct app *app)
{
	if (!app->is_ready_notified)
		tell_status(app);
	if (*app_waiting_for(app))
		return;
	if (reconcile_is_idle(app) || app->is_withdrawn) {
		start_speaker(app);
		app->is_first_pass_done = true;
	}
	if (app->is_ready_notified)
		return;
	app->is_ready_notified = true;
	log_notice("eipd: ready");
	notify_ready(app->notify);
}

/* ---- hooks of the parts ---- */

static void
on_peer(void *arg, const struct peer_status *peer)
{
	struct app *app = arg;
	bool has_error =
	    *peer->last_error && peer->state != BGP_STATE_ESTABLISHED;
	char text[700];

	snprintf(text, sizeof(text), "%s%s%s", bgp_state_name(peer->state),
	    has_error ? ": " : "", has_error ? peer->last_error : "");
	ctl_server_event(app->ctl, "peer", peer->name, text);
	app->is_cr_status_dirty = true;
}

/* What could not be written may be by now. */
static void
retry_writes(struct app *app)
{
	kube_status_retry(app->writer);
	kube_cr_status_retry(app->cr_writer);
}

static void
on_kube_change(void *arg)
{
	struct app *app = arg;
	struct kube_status status;

	kube_get_status(app->kube, &status);
	ctl_server_event(app->ctl, "cluster", status.name,
	    *status.message	      ? status.message
		: status.is_connected ? "connected"
				      : "not connected");
	if (status.is_connected && !app->is_kube_connected)
		retry_writes(app);
	app->is_kube_connected = status.is_connected;
	if (!status.is_synced || app->is_kube_synced)
		return;
	app->is_kube_synced = true;
	log_notice("cluster %s: first sync done", status.name);
	reconcile_dirty_cluster(app, status.name);
	settle_cluster_known(app);
	settle_begin(app);
}

static void
on_status_written(void *arg, const char *ns, const char *name)
{
	struct app *app = arg;
	char subject[400];

	snprintf(subject, sizeof(subject), "%s/%s", ns, name);
	ctl_server_event(app->ctl, "status", subject, "written");
}

static void
on_totals_read(void *arg)
{
	ctl_server_retry(((struct app *)arg)->ctl);
}

static void
on_settle_timer(void *arg)
{
	settle_check(arg);
}

static void
on_retry_timer(void *arg)
{
	reconcile_kick(arg);
}

static void
on_store_timer(void *arg)
{
	struct app *app = arg;

	if (!adopt_retry_store(app)) {
		loop_timer_arm(app->store_timer, STORE_RETRY_S * MONO_S);
		return;
	}
	remember_anew(app);
	reconcile_dirty_all(app);
	reconcile_kick(app);
}

/* Someone else touched our table: what was wanted is put back. */
static void
repair_kernel(struct app *app)
{
	struct err err = { 0 };

	if (app_remove_rules(app, &err) < 0)
		log_err("withdraw-all: %s", err.text);
	if (app->is_withdrawn || !nft_is_foreign_change(app->nft))
		return;
	log_warn(
	    "kernel: the rules or the local routes were changed by someone else, or not written; repairing");
	if (nft_load(app->nft, &err) < 0 || nft_commit(app->nft, &err) < 0)
		log_err("kernel: cannot be repaired yet: %s", err.text);
}

static void
check_store(struct app *app)
{
	struct err err = { 0 };

	if (!store_is_open(app->store) || !store_is_lost(app->store))
		return;
	err_set(&err, -EIO,
	    "database %s was replaced or removed while in use; it will be "
	    "opened anew",
	    app->conf.database);
	adopt_database_failed(app, &err);
}

static void
listen_control(struct app *app)
{
	struct err err = { 0 };

	if (ctl_server_listen(app->ctl, &app->conf, &err) == 0) {
		if (problems_clear(app->problems, "control"))
			log_notice("control: listening as configured again");
		return;
	}
	if (problems_set(app->problems, SEVERITY_ERROR, OBJECT__COUNT, NULL,
		"control", err.text,
		"then eipctl reload; what is not open is tried every second"))
		log_err("control: %s", err.text);
}

static int64_t
speaker_waits_s(const struct app *app)
{
	const struct bgp_conf *conf = world_bgp_conf(app->world);

	if (!conf || !conf->graceful_restart.restart_time_s)
		return SPEAKER_WAITS_MAX_S;
	return MIN(conf->graceful_restart.restart_time_s / 3,
	    SPEAKER_WAITS_MAX_S);
}

/* A slice of the comparison at a time, with the loop's turns in between. */
static void
on_verify_timer(void *arg)
{
	struct app *app = arg;

	repair_kernel(app);
	if (!app->is_withdrawn && nft_is_verifying(app->nft))
		loop_timer_arm(app->verify_timer, VERIFY_MS * MONO_MS);
}

static void
on_poll_timer(void *arg)
{
	struct app *app = arg;

	loop_timer_arm(app->poll_timer, POLL_MS * MONO_MS);
	if (!loop_timer_is_armed(app->verify_timer) && nft_has_moved(app->nft))
		on_verify_timer(app);
}

static void
on_flush_timer(void *arg)
{
	struct app *app = arg;

	/* Withdrawn, but the rules still stand: they would take them back. */
	if (nft_flush_flows(app->nft, FLUSH_SLICE_MS * MONO_MS,
		app->is_first_pass_done && !app->is_removal_due))
		loop_timer_arm(app->flush_timer, MONO_MS);
}

static void
on_watch_timer(void *arg)
{
	struct app *app = arg;

	loop_timer_arm(app->watch_timer, MONO_S);
	adopt_kernel(app);
	if (!loop_timer_is_armed(app->verify_timer))
		on_verify_timer(app);
	if (!loop_timer_is_armed(app->flush_timer))
		on_flush_timer(app);
	check_store(app);
	if (!ctl_server_is_open(app->ctl))
		listen_control(app);
	expire_leases(app);
	settle_tick(app);
	cr_status_tick(app);
	tell_status(app);
	if (clock_mono() - app->started > speaker_waits_s(app) * MONO_S)
		start_speaker(app);
}

static void
on_watchdog_timer(void *arg)
{
	struct app *app = arg;

	notify_watchdog(app->notify);
	loop_timer_arm(app->watchdog_timer, notify_watchdog_us(app->notify));
}

static void
on_stall(void *arg, int64_t us)
{
	struct app *app = arg;

	histogram_add(&app->loop_stall, us);
}

/* ---- start ---- */

static void
make_timers(struct app *app)
{
	struct loop *loop = app->loop;

	app->settle_timer = loop_timer_new(loop, on_settle_timer, app);
	app->retry_timer = loop_timer_new(loop, on_retry_timer, app);
	app->store_timer = loop_timer_new(loop, on_store_timer, app);
	app->watch_timer = loop_timer_new(loop, on_watch_timer, app);
	app->poll_timer = loop_timer_new(loop, on_poll_timer, app);
	app->verify_timer = loop_timer_new(loop, on_verify_timer, app);
	app->flush_timer = loop_timer_new(loop, on_flush_timer, app);
	app->watchdog_timer = loop_timer_new(loop, on_watchdog_timer, app);
	loop_timer_arm(app->watch_timer, MONO_S);
	loop_timer_arm(app->poll_timer, POLL_MS * MONO_MS);
	if (notify_watchdog_us(app->notify) > 0)
		on_watchdog_timer(app);
}

static void
configure_probe(struct app *app)
{
	struct probe_conf c = { .is_on = app->conf.probe.is_on,
		.port = app->conf.probe.port,
		.interval_us = app->conf.probe.interval_us,
		.timeout_us = app->conf.probe.timeout_us,
		.fall = app->conf.probe.fall,
		.rise = app->conf.probe.rise };

	snprintf(c.path, sizeof(c.path), "%s", app->conf.probe.path);
	probe_configure(app->probe, &c);
	facts_refresh_probes(app);
}

static struct kube_conf
kube_conf(const struct app *app)
{
	struct kube_conf c = { .name = app->conf.cluster_name,
		.kubeconfig = app->conf.kubeconfig,
		.context = app->conf.context,
		.user_agent = "eipd/" PACKAGE_VERSION };

	for (int kind = 0; kind < OBJECT__COUNT; kind++)
		c.was_present[kind] = app->remembered[kind].n_recalled > 0;
	return c;
}

static void
start_cluster(struct app *app)
{
	struct kube_conf c = kube_conf(app);

	app->is_kube_synced = false;
	app->is_kube_connected = false;
	if (!app->conf.kubeconfig)
		return;
	app->kube = kube_new(app->loop, &c, &app->sink, on_kube_change, app);
	app->writer =
	    kube_status_new(app->loop, app->kube, on_status_written, app);
	app->cr_writer = kube_cr_status_new(app->loop, app->kube);
	app->is_cr_status_dirty = true;
}

static void
stop_cluster(struct app *app)
{
	kube_status_free(app->writer);
	app->writer = NULL;
	kube_cr_status_free(app->cr_writer);
	app->cr_writer = NULL;
	kube_free(app->kube);
	app->kube = NULL;
}

static void
make_parts(struct app *app)
{
	struct bgp_speaker_hooks hooks = { .on_peer = on_peer, .arg = app };

	app->started = clock_mono();
	app->world = world_new();
	app->leases = lease_table_new();
	app->cache = plan_cache_new();
	app->records = records_new();
	app->problems = problems_new();
	facts_sink_init(app, &app->sink);
	view_init(app, &app->ctl_state);
	app->store = store_new(app->conf.database);
	app->speaker = bgp_speaker_new(app->loop, &hooks);
	app->probe = probe_new(app->loop, facts_on_probe, app);
	app->ctl = ctl_server_new(app->loop, &app->ctl_state);
	app->totals = totals_new(app->loop, on_totals_read, app);
}

/* Kernel and database first, then files and what is remembered of the cluster
 * (they say which pools are announced), then what the kernel carries is taken
 * over, then the world. */
void
app_start(struct app *app)
{
	loop_on_stall(app->loop, on_stall, app);
	make_parts(app);
	app->nft = nft_new();
	make_timers(app);
	adopt_store(app);
	configure_probe(app);
	app->files = files_new(app->loop, app->conf.objects, &app->sink);
	if (app->conf.kubeconfig) {
		struct kube_conf c = kube_conf(app);
		struct err err = { 0 }; /* told when it is used */

		remember_recall(app, kube_server(&c, &err));
	}
	listen_control(app);
	adopt_kernel(app);
	app_configure_bgp(app);
	start_cluster(app);
	app_log_settings(app);
	settle_begin(app);
}

void
app_stop(struct app *app)
{
	notify_stopping(app->notify);
	loop_forget(app->loop, app);
	stop_cluster(app);
	files_free(app->files);
	ctl_server_free(app->ctl);
	probe_free(app->probe);
	bgp_speaker_free(app->speaker, true);
	totals_free(app->totals);
	nft_free(app->nft);
	store_free(app->store);
	for (size_t i = 0; i < app->parked.n; i++)
		object_free(app->parked.v[i]);
	vec_fini(&app->parked);
	for (size_t i = 0; i < app->refused.n; i++)
		free(app->refused.v[i]);
	vec_fini(&app->refused);
	adopt_forget_unsaved(app);
	str_fini(&app->announced_to);
	decision_free(app->lent);
	records_free(app->records);
	problems_free(app->problems);
	plan_cache_free(app->cache);
	lease_table_free(app->leases);
	world_free(app->world);
	loop_timer_free(app->settle_timer);
	loop_timer_free(app->retry_timer);
	loop_timer_free(app->store_timer);
	loop_timer_free(app->watch_timer);
	loop_timer_free(app->poll_timer);
	loop_timer_free(app->verify_timer);
	loop_timer_free(app->flush_timer);
	loop_timer_free(app->watchdog_timer);
}

/* ---- reload ---- */

/* Problems of eipd.conf are a listing of their own. */
#define CONF_LISTING "eipd.conf"

struct reload_errors {
	struct app *app;
	struct err first;
	size_t n;
};

static void
on_conf_error(void *arg, const struct err *err)
{
	struct reload_errors *e = arg;
	char subject[512];

	if (err->line)
		snprintf(subject, sizeof(subject), "%s:%u:%u",
		    e->app->conf_path, err->line, err->column);
	else
		snprintf(subject, sizeof(subject), "%s", e->app->conf_path);
	if (e->n++ == 0)
		err_set(&e->first, -EINVAL, "%s: %s", subject, err->text);
	problems_set(e->app->problems, SEVERITY_ERROR, OBJECT__COUNT,
	    CONF_LISTING, subject, err->text,
	    "correct the file and reload; the old one stays in force");
	log_err("%s: %s", subject, err->text);
}

/* What cannot change while running keeps its old value, with a word. */
static void
keep_fixed(struct app *app, const char *name, const char *old, const char **new,
    struct arena *arena)
{
	char subject[512];
	char text[1100];

	if (strcmp(old, *new) == 0)
		return;
	snprintf(subject, sizeof(subject), "%s: %s", app->conf_path, name);
	snprintf(text, sizeof(text),
	    "%.500s takes effect at the next start, "
	    "%.500s stays in use",
	    *new, old);
	if (problems_set(app->problems, SEVERITY_WARNING, OBJECT__COUNT,
		CONF_LISTING, subject, text, "systemctl restart eipd"))
		log_warn("%s: %s", subject, text);
	*new = arena_strdup(arena, old);
}

static bool
is_other_cluster(const struct conf *a, const struct conf *b)
{
	return !str_eq(a->kubeconfig, b->kubeconfig) ||
	    !str_eq(a->context, b->context) ||
	    strcmp(a->cluster_name, b->cluster_name) != 0;
}

int
app_reload(struct app *app, struct err *err)
{
	struct reload_errors errors = { .app = app };
	struct conf conf = { 0 };
	struct conf old = app->conf;
	int rc;

	notify_reloading(app->notify, clock_mono());
	problems_list_begin(app->problems, OBJECT__COUNT, CONF_LISTING);
	rc = conf_load(app->conf_path, &conf, on_conf_error, &errors);
	if (rc == 0) {
		keep_fixed(app, "database", old.database, &conf.database,
		    &conf.arena);
		keep_fixed(app, "user", old.user, &conf.user, &conf.arena);
	}
	problems_list_end(app->problems, OBJECT__COUNT, CONF_LISTING);
	if (rc < 0) {
		notify_reloaded(app->notify);
		return err_set(err, -EINVAL,
		    "%s (%zu error%s; nothing was changed)", errors.first.text,
		    errors.n, errors.n == 1 ? "" : "s");
	}
	app->conf = conf;
	log_set_level((enum log_level)conf.log_level);
	configure_probe(app);
	if (is_other_cluster(&old, &conf)) {
		stop_cluster(app);
		start_cluster(app);
	} else if (app->kube) {
		kube_reload(app->kube);
		retry_writes(app);
	}
	if (strcmp(old.objects, conf.objects) != 0) {
		files_free(app->files);
		app->files =
		    files_new(app->loop, app->conf.objects, &app->sink);
	} else {
		files_reload(app->files);
	}
	listen_control(app);
	conf_fini(&old);
	app_schedule_bgp(app);
	reconcile_dirty_services(app);
	settle_check(app);
	reconcile_kick(app);
	log_notice("eipd: reloaded %s", app->conf_path);
	notify_reloaded(app->notify);
	return 0;
}
