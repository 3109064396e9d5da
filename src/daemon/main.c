/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eipd: options, the checks that may end it, signals.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/bgp_speaker.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "sys/instance.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/notify.h"
#include "sys/privilege.h"

#ifndef EIPD_CONF
#define EIPD_CONF "/etc/eipd/eipd.conf"
#endif

enum {
	EXIT_USAGE = 2
};

struct options {
	const char *conf_path;
	const char *cluster_dir;
	bool check;
	bool verbose;
	bool plan;
};

static void
usage(FILE *out)
{
	fputs("usage: eipd [-c FILE] [-n] [-v] [-V]\n"
	      "       eipd --plan [-c FILE] [--cluster DIR]\n"
	      "\n"
	      "  -c, --config FILE  configuration, default " EIPD_CONF "\n"
	      "  -n, --check        check FILE and all objects, then exit\n"
	      "  -v, --verbose      log at debug level; with -n: print the "
	      "normal form\n"
	      "      --plan         print what would be done as JSON, then "
	      "exit\n"
	      "      --cluster DIR  with --plan: JSON lists as \"kubectl get "
	      "-o json\" prints them\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         print this\n",
	    out);
}

/* < 0: go on; else the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	enum {
		OPT_PLAN = 256,
		OPT_CLUSTER
	};
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ "plan", no_argument, NULL, OPT_PLAN },
		{ "cluster", required_argument, NULL, OPT_CLUSTER },
		{ 0 },
	};
	int c;

	*o = (struct options){ .conf_path = EIPD_CONF };
	while ((c = getopt_long(argc, argv, "c:nvVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_path = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case OPT_PLAN:
			o->plan = true;
			break;
		case OPT_CLUSTER:
			o->cluster_dir = optarg;
			break;
		case 'V':
			printf("eipd %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (o->cluster_dir && !o->plan)) {
		if (optind < argc)
			fprintf(stderr, "eipd: unexpected argument: %s\n",
			    argv[optind]);
		else
			fprintf(stderr, "eipd: --cluster needs --plan\n");
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static void
on_conf_error(void *arg, const struct err *err)
{
	const char *path = arg;
	char text[1024];

	if (err->line)
		snprintf(text, sizeof(text), "%s:%u:%u: %s", path, err->line,
		    err->column, err->text);
	else
		snprintf(text, sizeof(text), "%s: %s", path, err->text);
	log_fatal(text);
}

static void
on_exhausted(size_t size_b)
{
	log_err("memory: %zu octets cannot be had; the kernel goes on serving",
	    size_b);
}

static void
on_terminate(void *arg)
{
	struct app *app = arg;

	log_notice("eipd: stopping; what is in the kernel goes on serving");
	loop_stop(app->loop);
}

static void
on_hangup(void *arg)
{
	struct err err = { 0 };

	if (app_reload(arg, &err) < 0)
		log_err("reload: %s", err.text);
}

static void
on_usr1(void *arg)
{
	const struct app *app = arg;
	size_t n_peers;
	size_t established = app_count_peers(app, &n_peers);

	log_notice("state: services=%zu dirty=%zu waiting=%zu routes=%zu "
		   "peers-established=%zu nodes=%zu max-stall-ms=%lld "
		   "database=%s",
	    app->records->all.n, app->records->dirty.n, app->records->waiting.n,
	    app->records->n_routes, established,
	    world_count(app->world, OBJECT_NODE),
	    (long long)(loop_max_stall_us(app->loop) / MONO_MS),
	    *app->database_problem ? app->database_problem : "ok");
}

static int
fail(const struct err *err)
{
	char text[512];

	snprintf(text, sizeof(text), "eipd: %s", err->text);
	log_fatal(text);
	return EXIT_FAILURE;
}

/* Those that come while it starts are answered by the loop's first turn. */
static void
catch_signals(struct app *app)
{
	signal(SIGPIPE, SIG_IGN);
	loop_on_signal(app->loop, SIGTERM, on_terminate, app);
	loop_on_signal(app->loop, SIGINT, on_terminate, app);
	loop_on_signal(app->loop, SIGHUP, on_hangup, app);
	loop_on_signal(app->loop, SIGUSR1, on_usr1, app);
}

static int
run(struct app *app)
{
	struct err err = { 0 };

	app->loop = loop_new();
	catch_signals(app);
	if (instance_lock(&err) < 0 ||
	    privilege_prepare(app->conf.user, &err) < 0) {
		loop_free(app->loop);
		return fail(&err);
	}
	app->notify = notify_new();
	app_start(app);
	log_notice("eipd: started version=%s config=%s", PACKAGE_VERSION,
	    app->conf_path);
	loop_run(app->loop);
	app_stop(app);
	notify_free(app->notify);
	loop_free(app->loop);
	return EXIT_SUCCESS;
}

/* A full disk must not look like success. */
static int
printed(int rc)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	fprintf(stderr, "eipd: cannot write: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct app app = { 0 };
	struct options o;
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return printed(rc);
	if (o.check)
		return printed(offline_check(o.conf_path, o.verbose));
	if (o.plan)
		return printed(offline_plan(o.conf_path, o.cluster_dir));
	log_init(LOG_LEVEL_INFO);
	if (conf_load(o.conf_path, &app.conf, on_conf_error,
		(void *)(uintptr_t)o.conf_path) < 0)
		return EXIT_FAILURE;
	app.conf_path = o.conf_path;
	mem_set_exhausted_hook(on_exhausted);
	json_set_alloc_funcs(mem_alloc, free);
	log_set_level(
	    o.verbose ? LOG_LEVEL_DEBUG : (enum log_level)app.conf.log_level);
	rc = run(&app);
	conf_fini(&app.conf);
	return rc;
}
