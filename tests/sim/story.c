/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * story: what happens, as a list of events made from a seed.  An event is a
 * kind and three numbers, which mean something whatever came before, so that
 * a story stays one when events are taken out of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"
#include "sim.h"

/* ---- API server ---- */

static enum object_kind
kind_of(const struct event *ev)
{
	static const enum object_kind often[] = { OBJECT_SERVICE,
		OBJECT_SERVICE, OBJECT_SLICE, OBJECT_NODE, OBJECT_EIP,
		OBJECT_BGP_PEER, OBJECT_NAMESPACE };

	return often[ev->arg[0] % ARRAY_LEN(often)];
}

static void
do_api_away(const struct event *ev)
{
	int64_t s = 1 + ev->arg[1] % 90;

	sim_tell("the API server is away for %d s", (int)s);
	api_away(s * MONO_S);
}

static void
do_watch_cut(const struct event *ev)
{
	bool is_clean = ev->arg[1] % 2;

	sim_tell("the watch of %s %s", object_kind_name(kind_of(ev)),
	    is_clean ? "ends" : "breaks");
	api_cut_watch(kind_of(ev), is_clean);
}

static void
do_compact(const struct event *ev)
{
	(void)ev;
	sim_tell("all versions are too old (410)");
	api_compact();
}

static void
do_delay(const struct event *ev)
{
	int64_t ms = ev->arg[1] % 3 ? ev->arg[1] % 4000 : 0;

	sim_tell("events of %s come %d ms late", object_kind_name(kind_of(ev)),
	    (int)ms);
	api_delay(kind_of(ev), ms * MONO_MS);
}

static void
do_repeat(const struct event *ev)
{
	sim_tell("the last event of %s comes again",
	    object_kind_name(kind_of(ev)));
	api_repeat(kind_of(ev));
}

static void
do_restore(const struct event *ev)
{
	(void)ev;
	sim_tell("the API server is restored from a backup");
	check_justify_all();
	api_restore();
}

static void
do_lag(const struct event *ev)
{
	(void)ev;
	sim_tell("lists of any version come from a cache that is behind");
	api_lag();
}

static void
do_empty(const struct event *ev)
{
	sim_tell("a list of %s comes empty once",
	    object_kind_name(kind_of(ev)));
	api_list_empty(kind_of(ev));
}

static void
do_write_fault(const struct event *ev)
{
	static const char *const words[] = { "are fine", "meet a conflict",
		"meet a 429", "meet a 500", "are forbidden",
		"are done but not answered", "take 20 s" };
	uint32_t how = 1 + ev->arg[0] % (ARRAY_LEN(words) - 1);
	unsigned int times = 1 + ev->arg[1] % 4;

	sim_tell("the next %u writes %s", times, words[how]);
	api_answer_writes((enum api_answer)how, times);
}

/* ---- routers ---- */

static void
do_router(const struct event *ev)
{
	unsigned int i = ev->arg[0] % ROUTERS;

	switch (ev->arg[1] % 4) {
	case 0:
		sim_tell("router tor%u goes down", i);
		router_set_up(i, false);
		break;
	case 1:
		sim_tell("router tor%u closes its session", i);
		router_flap(i);
		break;
	case 2:
		sim_tell("router tor%u %s helps restarts", i,
		    ev->arg[2] % 2 ? "now" : "no longer");
		router_set_helper(i, ev->arg[2] % 2);
		break;
	default:
		sim_tell("router tor%u is up", i);
		router_set_up(i, true);
		break;
	}
}

/* ---- database ---- */

static void
do_database(const struct event *ev)
{
	static const char *const words[] = { "works", "is full", "is read-only",
		"cannot be read" };
	uint32_t how = ev->arg[0] % 6;

	if (how == 5) {
		sim_tell("the database file is removed");
		/* Then neither kernel nor status know more. */
		if (database_lose())
			check_justify_all();
		return;
	}
	how = how == 4 ? 0 : how;
	sim_tell("the database %s", words[how]);
	database_set_fault((enum database_fault)how);
}

/* ---- object files ---- */

static void
do_file(const struct event *ev)
{
	static const char *const words[] = { "is removed", "has a pool",
		"is broken" };
	uint32_t how = ev->arg[0] % ARRAY_LEN(words);

	sim_tell("the object file %s", words[how]);
	file_put((enum file_state)how);
}

/* ---- kernel ---- */

static void
do_kernel(const struct event *ev)
{
	static const int codes[] = { -EBUSY, -ENOBUFS, -ENOMEM, -EINTR, -EPERM,
		-ENOENT };
	int code = codes[ev->arg[1] % ARRAY_LEN(codes)];
	unsigned int times = 1 + ev->arg[2] % 4;

	switch (ev->arg[0] % 9) {
	case 0:
		sim_tell("the table is deleted by someone");
		check_kernel_damaged();
		kernel_lose_table();
		break;
	case 1:
		sim_tell("an element is deleted by someone");
		check_kernel_damaged();
		kernel_lose_element(ev->arg[1]);
		break;
	case 2:
		sim_tell("a local route is deleted by someone");
		kernel_lose_route(ev->arg[1]);
		break;
	case 3:
		sim_tell("another table changes");
		kernel_change_other();
		break;
	case 4:
		times = 1 + ev->arg[2] % 60;
		sim_tell("the next %u dumps are interrupted", times);
		kernel_interrupt(times);
		break;
	case 5:
		sim_tell("the answer to the next transaction is lost");
		kernel_lose_answer();
		break;
	default:
		sim_tell("the next %u transactions fail: %s", times,
		    strerror(-code));
		kernel_refuse(code, times);
		break;
	}
}

static void
do_conntrack(const struct event *ev)
{
	unsigned int times = 1 + ev->arg[0] % 12;

	sim_tell("the next %u requests to conntrack fail", times);
	kernel_refuse_flows(-EBUSY, times);
}

/* ---- the daemon ---- */

static void
do_crash(const struct event *ev)
{
	unsigned int n = 1 + ev->arg[0] % 40;

	sim_tell("eipd will be killed at operation %u from now", n);
	sim_crash_at(n);
}

static void
do_stop(const struct event *ev)
{
	(void)ev;
	sim_tell("eipd is stopped and started again");
	sim_restart();
}

static void
do_clock(const struct event *ev)
{
	static const int steps_s[] = { 5, 90, 3600, 86400 };
	int by_s = steps_s[ev->arg[0] % ARRAY_LEN(steps_s)];

	by_s = ev->arg[1] % 2 ? by_s : -by_s;
	sim_tell("the clock is set by %+d s", by_s);
	sim_step_wall(by_s);
}

static struct addr
address_of(uint32_t n)
{
	char text[ADDR_TEXT_B];
	struct addr addr;

	snprintf(text, sizeof(text), "192.0.2.%u", 1 + n % 5);
	if (addr_parse(text, &addr) < 0)
		abort();
	return addr;
}

static void
do_verb(const struct event *ev)
{
	struct addr addr = address_of(ev->arg[0]);
	struct err err = { 0 };
	char name[16];
	char text[ADDR_TEXT_B];
	int rc;

	if (!sim_app)
		return;
	snprintf(name, sizeof(name), "s%u", ev->arg[2] % 12);
	addr_text(&addr, text);
	switch (ev->arg[1] % 3) {
	case 0:
		rc = sim_app->ctl_state.reserve(sim_app, &addr,
		    ev->arg[2] % 2 ? "b" : "a", name, &err);
		sim_tell("eipctl reserve %s %s/%s: %s", text,
		    ev->arg[2] % 2 ? "b" : "a", name, rc < 0 ? err.text : "ok");
		break;
	case 1:
		rc = sim_app->ctl_state.unreserve(sim_app, &addr, &err);
		sim_tell("eipctl unreserve %s: %s", text,
		    rc < 0 ? err.text : "ok");
		break;
	default:
		check_released(&addr);
		rc = sim_app->ctl_state.release(sim_app, &addr, &err);
		sim_tell("eipctl release %s: %s", text,
		    rc < 0 ? err.text : "ok");
		check_released(NULL);
		break;
	}
}

static void
do_withdraw(const struct event *ev)
{
	bool undo = ev->arg[0] % 4 != 0;
	struct err err = { 0 };
	int rc;

	if (!sim_app)
		return;
	/* It takes what kernel and status know: then only the database does. */
	if (!undo && database_fault() != DATABASE_FINE)
		check_justify_all();
	rc = sim_app->ctl_state.withdraw_all(sim_app, undo, &err);
	/* Half done: the kernel may know no more, nothing is written down. */
	if (!undo && rc < 0)
		check_justify_all();
	sim_tell("eipctl withdraw-all%s: %s", undo ? " --undo" : "",
	    rc < 0 ? err.text : "ok");
}

static void
do_rest(const struct event *ev)
{
	(void)ev;
	sim_rest();
}

static const struct {
	const char *name;
	unsigned int weight;
	void (*fn)(const struct event *ev);
} kinds[] = {
	{ "service", 24, do_service },
	{ "service-type", 3, do_service_type },
	{ "service-gone", 10, do_service_gone },
	{ "slice", 8, do_slice },
	{ "node", 6, do_node },
	{ "probe", 6, do_probe },
	{ "pool", 5, do_pool },
	{ "peer", 3, do_peer },
	{ "status", 3, do_foreign_status },
	{ "api-away", 3, do_api_away },
	{ "watch-cut", 4, do_watch_cut },
	{ "compact", 2, do_compact },
	{ "delay", 4, do_delay },
	{ "repeat", 3, do_repeat },
	{ "restore", 1, do_restore },
	{ "lag", 2, do_lag },
	{ "empty", 1, do_empty },
	{ "write-fault", 5, do_write_fault },
	{ "router", 6, do_router },
	{ "database", 6, do_database },
	{ "file", 4, do_file },
	{ "kernel", 6, do_kernel },
	{ "conntrack", 3, do_conntrack },
	{ "crash", 7, do_crash },
	{ "stop", 2, do_stop },
	{ "clock", 3, do_clock },
	{ "verb", 4, do_verb },
	{ "withdraw", 1, do_withdraw },
	{ "rest", 6, do_rest },
};

static uint64_t state;

static uint32_t
chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

/* Mostly close together, at times minutes apart, rarely hours. */
static uint32_t
some_delay_ms(void)
{
	uint32_t how = chance(100);

	if (how < 50)
		return chance(300);
	if (how < 85)
		return chance(5000);
	return how < 97 ? chance(240000) : chance(3600000);
}

void
story_generate(struct story *story, uint64_t seed, size_t n)
{
	uint32_t total = 0;

	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		total += kinds[i].weight;
	for (size_t i = 0; i < n; i++) {
		struct event ev = { .delay_ms = some_delay_ms() };
		uint32_t pick = chance(total);

		while (pick >= kinds[ev.kind].weight)
			pick -= kinds[ev.kind++].weight;
		for (size_t j = 0; j < ARRAY_LEN(ev.arg); j++)
			ev.arg[j] = chance(UINT32_MAX);
		vec_push(&story->events, ev);
	}
}

void
story_apply(const struct event *ev)
{
	kinds[ev->kind].fn(ev);
}

void
story_heal(void)
{
	api_heal();
	database_set_fault(DATABASE_FINE);
	kernel_heal();
	router_heal();
	probe_heal();
	file_heal();
	sim_crash_at(0);
}

void
story_write(const struct event *ev, FILE *out)
{
	fprintf(out, "%u %s %u %u %u\n", ev->delay_ms, kinds[ev->kind].name,
	    ev->arg[0], ev->arg[1], ev->arg[2]);
}

int
story_read(const char *line, struct event *out)
{
	char name[32];

	if (sscanf(line, "%" SCNu32 " %31s %" SCNu32 " %" SCNu32 " %" SCNu32,
		&out->delay_ms, name, &out->arg[0], &out->arg[1],
		&out->arg[2]) != 5)
		return -1;
	for (out->kind = 0; out->kind < ARRAY_LEN(kinds); out->kind++)
		if (strcmp(kinds[out->kind].name, name) == 0)
			return 0;
	return -1;
}
