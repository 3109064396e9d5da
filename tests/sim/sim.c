/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim: runs stories, each in a process of its own, and makes a failing one
 * short.
 */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/app.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/notify.h"

/* The slowest that anything may be to come right: the quarantine after a pool
 * that is gone. */
#define SETTLE_US (660 * MONO_S)
#define IDLE_US (80 * MONO_S)
#define RESTART_MAX_US (20 * MONO_S)

enum {
	STEPS = 120,
	HANG_S = 60,
	FAILED = 3,
};

struct app *sim_app;

static bool is_told;
static bool has_failed;
static bool wants_rest;
static bool wants_restart;
static char kubeconfig_path[64];
static int report_fd = -1;

/* ---- the run ---- */

bool
sim_has_failed(void)
{
	return has_failed;
}

void
sim_tell(const char *fmt, ...)
{
	va_list ap;

	if (!is_told)
		return;
	printf("%12.3f  ", (double)sim_now() / MONO_S);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void
sim_violation(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (has_failed)
		return;
	has_failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_tell("VIOLATED %s", text);
	if (report_fd >= 0 && write(report_fd, text, strlen(text)) < 0)
		abort();
}

/* A kubeconfig in memory: the one file that is read. */
static void
make_kubeconfig(void)
{
	static const char text[] =
	    "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
	    "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
	    "clusters: [{name: c, cluster: {server: 'http://10.9.9.9'}}]\n"
	    "users: [{name: u, user: {token: t}}]\n";
	int fd = memfd_create("kubeconfig", 0);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		abort();
	snprintf(kubeconfig_path, sizeof(kubeconfig_path), "/proc/self/fd/%d",
	    fd);
}

static void
start(void *arg)
{
	(void)arg;
	if (sim_app)
		return;
	check_started();
	sim_app = mem_new(struct app);
	conf_defaults(&sim_app->conf);
	sim_app->conf.kubeconfig = kubeconfig_path;
	sim_app->conf.objects = file_folder();
	sim_app->loop = loop_new();
	sim_app->notify = notify_new();
	app_start(sim_app);
}

static void
forget_client(void)
{
	sim_app = NULL;
	sim_loop_forget();
	api_forget_client();
	router_forget_client();
	probe_forget_client();
}

/* Its memory stays as it was, and lost. */
void
sim_crashed(void)
{
	forget_client();
	sim_after(sim_random(RESTART_MAX_US), start, NULL);
}

void
sim_restart(void)
{
	wants_restart = true;
}

void
sim_rest(void)
{
	wants_rest = true;
}

static void
restart(void)
{
	wants_restart = false;
	if (!sim_app)
		return;
	app_stop(sim_app);
	notify_free(sim_app->notify);
	loop_free(sim_app->loop);
	conf_fini(&sim_app->conf);
	free(sim_app);
	forget_client();
	sim_after(sim_random(RESTART_MAX_US), start, NULL);
}

struct writes {
	uint64_t kernel, database, api, routers;
};

static struct writes
count_writes(void)
{
	return (struct writes){ kernel_transactions(), database_commits(),
		api_writes(), router_updates() };
}

/* Until the last end of a quarantine within IDLE_US; 0: there is none.  It is
 * late if the clock was set back while nobody could follow it. */
static mono_t
quarantine_left_us(void)
{
	size_t n;
	const struct lease **all = lease_table_list(database_leases(), &n);
	wall_t now = clock_wall();
	mono_t left = 0;

	for (size_t i = 0; i < n; i++) {
		mono_t end = (all[i]->quarantine_until - now + 1) * MONO_S;

		if (!all[i]->is_held && end <= IDLE_US)
			left = MAX(left, end);
	}
	free(all);
	return left;
}

static void
rest(void)
{
	struct writes before;
	struct writes after;

	wants_rest = false;
	sim_tell("rest: all faults end");
	story_heal();
	sim_loop_run(sim_now() + SETTLE_US, check_turn);
	sim_loop_run(sim_now() + quarantine_left_us(), check_turn);
	if (has_failed)
		return;
	if (!sim_app) {
		sim_violation("6: eipd is not running");
		return;
	}
	before = count_writes();
	sim_loop_run(sim_now() + IDLE_US, check_turn);
	after = count_writes();
	if (before.kernel != after.kernel || before.api != after.api ||
	    before.routers != after.routers)
		sim_violation("4: at rest, yet %" PRIu64
			      " transactions, %" PRIu64
			      " status writes, %" PRIu64 " UPDATEs",
		    after.kernel - before.kernel, after.api - before.api,
		    after.routers - before.routers);
	if (!has_failed)
		check_settled();
}

static void
apply(void *arg)
{
	story_apply(arg);
}

static void
run_story(struct story *story, uint64_t seed, bool is_verbose)
{
	sim_loop_init(seed, is_verbose);
	json_object_seed(1);
	make_kubeconfig();
	file_put(FILE_NONE);
	router_init();
	objects_init();
	api_init();
	start(NULL);
	for (size_t i = 0; i < story->events.n && !has_failed; i++) {
		struct event *ev = &story->events.v[i];

		sim_loop_run(sim_now() + ev->delay_ms * MONO_MS, check_turn);
		sim_after(0, apply, ev);
		sim_loop_run(sim_now() + 1, check_turn);
		if (wants_restart)
			restart();
		if (wants_rest && !has_failed)
			rest();
	}
	if (!has_failed)
		rest();
	if (!has_failed)
		sim_tell("all is well");
}

/* ---- one process each ---- */

struct result {
	bool has_failed;
	char text[400];
};

/* In a child, so that a fault of the daemon ends no more than its story. */
static struct result
run_child(struct story *story, uint64_t seed)
{
	struct result result = { 0 };
	int fds[2];
	pid_t pid;
	int status;
	ssize_t n;

	fflush(stdout);
	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		close(fds[0]);
		report_fd = fds[1];
		alarm(HANG_S);
		run_story(story, seed, false);
		_exit(has_failed ? FAILED : 0);
	}
	close(fds[1]);
	n = read(fds[0], result.text, sizeof(result.text) - 1);
	result.text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	result.has_failed = status != 0;
	if (result.has_failed && !*result.text)
		snprintf(result.text, sizeof(result.text), "0: %s",
		    WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
					: "eipd ended");
	return result;
}

/* Is it the same one, only shorter? */
static bool
fails_alike(struct story *story, uint64_t seed, const struct result *like)
{
	struct result r = run_child(story, seed);

	return r.has_failed && r.text[0] == like->text[0];
}

/* Takes out ever smaller parts that are not needed to fail. */
static void
shrink(struct story *story, uint64_t seed, const struct result *like)
{
	size_t part = story->events.n / 2;

	while (part > 0) {
		bool is_shorter = false;

		for (size_t at = 0; at < story->events.n;) {
			struct story less = { 0 };

			for (size_t i = 0; i < story->events.n; i++)
				if (i < at || i >= at + part)
					vec_push(&less.events,
					    story->events.v[i]);
			if (less.events.n && fails_alike(&less, seed, like)) {
				vec_fini(&story->events);
				*story = less;
				is_shorter = true;
			} else {
				vec_fini(&less.events);
				at += part;
			}
		}
		if (part > 1 || !is_shorter)
			part /= 2;
	}
}

static void
tell_story(struct story *story, uint64_t seed, bool is_verbose)
{
	fflush(stdout);
	if (fork() == 0) {
		is_told = true;
		run_story(story, seed, is_verbose);
		fflush(stdout);
		_exit(0);
	}
	while (wait(NULL) < 0 && errno == EINTR)
		;
}

/* ---- options ---- */

struct options {
	uint64_t from;
	uint64_t to;
	size_t steps;
	bool shrink;
	bool tell;
	bool verbose;
	bool first; /* stop at the first failure */
	const char *replay;
};

static int
usage(void)
{
	fputs("usage: sim [--seed N | --seeds A-B] [--steps M] [--first]\n"
	      "           [--shrink] [--tell] [--verbose]\n"
	      "       sim [--tell] [--verbose] --replay FILE\n",
	    stderr);
	return 2;
}

static int
run_one(const struct options *o, struct story *story, uint64_t seed)
{
	struct result r = run_child(story, seed);

	if (r.has_failed) {
		printf("seed %" PRIu64 ": violated %s\n", seed, r.text);
		if (o->shrink) {
			shrink(story, seed, &r);
			printf("# seed %" PRIu64 "\n", seed);
			for (size_t i = 0; i < story->events.n; i++)
				story_write(&story->events.v[i], stdout);
		}
	}
	if (o->tell || o->verbose || (r.has_failed && o->shrink))
		tell_story(story, seed, o->verbose);
	return r.has_failed ? 1 : 0;
}

/* A story as run_one() printed it. */
static int
replay(const struct options *o)
{
	FILE *f = fopen(o->replay, "r");
	struct story story = { 0 };
	uint64_t seed = 1;
	char line[200];

	if (!f) {
		perror(o->replay);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		struct event ev;

		(void)sscanf(line, "# seed %" SCNu64, &seed);
		if (*line == '#' || *line == '\n')
			continue;
		if (story_read(line, &ev) < 0) {
			fprintf(stderr, "%s: no event: %s", o->replay, line);
			return 1;
		}
		vec_push(&story.events, ev);
	}
	fclose(f);
	return run_one(o, &story, seed);
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 'n' },
		{ "seeds", required_argument, NULL, 'N' },
		{ "steps", required_argument, NULL, 'm' },
		{ "shrink", no_argument, NULL, 's' },
		{ "tell", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "first", no_argument, NULL, 'f' },
		{ "replay", required_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	*o = (struct options){ .from = 1, .to = 1, .steps = STEPS };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		char *end;

		switch (c) {
		case 'n':
		case 'N':
			o->from = strtoull(optarg, &end, 10);
			o->to =
			    *end == '-' ? strtoull(end + 1, NULL, 10) : o->from;
			break;
		case 'm':
			o->steps = strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->shrink = true;
			break;
		case 't':
			o->tell = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'f':
			o->first = true;
			break;
		case 'r':
			o->replay = optarg;
			break;
		default:
			return usage();
		}
	}
	return optind < argc ? usage() : 0;
}

int
main(int argc, char **argv)
{
	struct options o;
	int rc = parse_options(argc, argv, &o);

	if (rc)
		return rc;
	file_init();
	if (o.replay)
		return replay(&o);
	for (uint64_t seed = o.from; seed <= o.to && !(rc && o.first); seed++) {
		struct story story = { 0 };

		story_generate(&story, seed, o.steps);
		rc |= run_one(&o, &story, seed);
		vec_fini(&story.events);
	}
	return rc;
}

/* A crash leaves the daemon's memory behind, on purpose. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
