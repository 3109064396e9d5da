/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "net/tcp_get.h"
#include "sys/loop.h"

enum {
	IN_FLIGHT_MAX = 512,
	JITTER_PERCENT = 10,
	KEY_B = 512,
	ERROR_B = 96,
	STATUS_OK_MIN = 200,
	STATUS_OK_MAX = 299,
};

struct target {
	struct probe *probe;
	char *key; /* cluster, NUL, node, NUL */
	const char *cluster;
	const char *node;
	struct addr addr;
	struct loop_timer *timer; /* armed while the target is idle */
	struct tcp_get *get; /* NULL: none in flight */
	struct target *next_due; /* waits for others to land */
	bool is_due;
	mono_t began;
	enum probe_state state;
	mono_t since;
	unsigned int good; /* in a row */
	unsigned int bad;
	char error[ERROR_B];
	UT_hash_handle hh;
};

struct probe {
	struct loop *loop;
	struct probe_conf conf;
	struct target *targets;
	struct target *due_first; /* those that are due beyond the limit */
	struct target *due_last;
	size_t in_flight;
	void (*on_change)(void *arg, const char *cluster, const char *node,
	    enum probe_state state);
	void *arg;
};

static size_t
make_key(char out[KEY_B], const char *cluster, const char *node)
{
	int n = snprintf(out, KEY_B, "%.250s", cluster);

	return (size_t)n + 2 +
	    (size_t)snprintf(out + n + 1, KEY_B - (size_t)n - 1, "%.255s",
		node);
}

static struct target *
find(const struct probe *probe, const char *cluster, const char *node)
{
	char key[KEY_B];
	size_t key_b = make_key(key, cluster, node);
	struct target *t = NULL;

	HASH_FIND(hh, probe->targets, key, key_b, t);
	return t;
}

static void
due_push(struct probe *probe, struct target *t)
{
	t->is_due = true;
	t->next_due = NULL;
	if (probe->due_last)
		probe->due_last->next_due = t;
	else
		probe->due_first = t;
	probe->due_last = t;
}

static void
due_remove(struct probe *probe, struct target *t)
{
	struct target *prev = NULL;

	if (!t->is_due)
		return;
	for (struct target *d = probe->due_first; d != t; d = d->next_due)
		prev = d;
	if (prev)
		prev->next_due = t->next_due;
	else
		probe->due_first = t->next_due;
	if (probe->due_last == t)
		probe->due_last = prev;
	t->is_due = false;
}

/* Back to not asked at all: nothing in flight, nothing due. */
static void
rest(struct target *t)
{
	struct probe *probe = t->probe;

	loop_timer_disarm(t->timer);
	due_remove(probe, t);
	if (!t->get)
		return;
	tcp_get_cancel(t->get);
	t->get = NULL;
	probe->in_flight--;
}

/* Last in every caller: the hook may remove the target. */
static void
set_state(struct target *t, enum probe_state state)
{
	struct probe *probe = t->probe;

	if (t->state == state)
		return;
	t->state = state;
	t->since = loop_now(probe->loop);
	probe->on_change(probe->arg, t->cluster, t->node, state);
}

static void
judge(struct target *t, bool is_good)
{
	const struct probe_conf *conf = &t->probe->conf;
	enum probe_state state = t->state;

	t->good = is_good ? t->good + 1 : 0;
	t->bad = is_good ? 0 : t->bad + 1;
	if (t->good >= MAX(conf->rise, 1U))
		state = PROBE_UP;
	else if (t->bad >= MAX(conf->fall, 1U))
		state = PROBE_DOWN;
	set_state(t, state);
}

static void start(struct target *t);

static void
on_answer(void *arg, int status, const char *error)
{
	struct target *t = arg;
	struct probe *probe = t->probe;
	struct target *due;
	bool is_good = status >= STATUS_OK_MIN && status <= STATUS_OK_MAX;
	int64_t wait_us = loop_jitter(probe->conf.interval_us, JITTER_PERCENT) -
	    (loop_now(probe->loop) - t->began);

	t->get = NULL;
	probe->in_flight--;
	loop_timer_arm(t->timer, MAX(wait_us, MONO_MS));
	due = probe->due_first;
	if (due) {
		due_remove(probe, due);
		start(due);
	}
	if (is_good)
		t->error[0] = '\0';
	else if (status > 0)
		snprintf(t->error, sizeof(t->error), "HTTP %d", status);
	else
		snprintf(t->error, sizeof(t->error), "%s", error);
	if (status >= 0)
		judge(t, is_good);
}

static void
start(struct target *t)
{
	struct probe *probe = t->probe;
	const struct tcp_get_conf conf = {
		.addr = t->addr,
		.port = probe->conf.port,
		.path = probe->conf.path,
		.timeout_us = probe->conf.timeout_us,
	};

	t->began = loop_now(probe->loop);
	t->get = tcp_get_new(probe->loop, &conf, on_answer, t);
	probe->in_flight++;
}

static void
on_due(void *arg)
{
	struct target *t = arg;

	if (t->probe->in_flight < IN_FLIGHT_MAX)
		start(t);
	else
		due_push(t->probe, t);
}

/* Any moment of the interval, so that targets spread over it. */
static void
schedule(struct target *t)
{
	loop_timer_arm(t->timer, loop_jitter(t->probe->conf.interval_us, 100));
}

struct probe *
probe_new(struct loop *loop,
    void (*on_change)(void *arg, const char *cluster, const char *node,
	enum probe_state state),
    void *arg)
{
	struct probe *probe = mem_new(struct probe);

	probe->loop = loop;
	probe->on_change = on_change;
	probe->arg = arg;
	return probe;
}

static void
target_free(struct target *t)
{
	struct probe *probe = t->probe;

	rest(t);
	HASH_DEL(probe->targets, t);
	loop_timer_free(t->timer);
	free(t->key);
	free(t);
}

void
probe_free(struct probe *probe)
{
	struct target *t;
	struct target *next;

	if (!probe)
		return;
	HASH_ITER(hh, probe->targets, t, next)
	{
		target_free(t);
	}
	free(probe);
}

static void
forget(struct target *t)
{
	rest(t);
	t->good = 0;
	t->bad = 0;
	t->error[0] = '\0';
	if (t->probe->conf.is_on)
		schedule(t);
	set_state(t, PROBE_UNKNOWN);
}

void
probe_configure(struct probe *probe, const struct probe_conf *conf)
{
	struct probe_conf old = probe->conf;
	struct target *t;
	struct target *next;

	probe->conf = *conf;
	HASH_ITER(hh, probe->targets, t, next)
	{
		if (old.is_on != conf->is_on)
			forget(t);
		else if (conf->is_on && !t->get && !t->is_due &&
		    old.interval_us != conf->interval_us)
			schedule(t);
	}
}

void
probe_set(struct probe *probe, const char *cluster, const char *node,
    const struct addr *addr)
{
	struct target *t = find(probe, cluster, node);
	char key[KEY_B];
	size_t key_b = make_key(key, cluster, node);

	if (t) {
		if (addr_eq(&t->addr, addr))
			return;
		t->addr = *addr;
		forget(t);
		return;
	}
	t = mem_new(struct target);
	t->probe = probe;
	t->key = mem_dup(key, key_b);
	t->cluster = t->key;
	t->node = t->key + strlen(t->key) + 1;
	t->addr = *addr;
	t->since = loop_now(probe->loop);
	t->timer = loop_timer_new(probe->loop, on_due, t);
	HASH_ADD_KEYPTR(hh, probe->targets, t->key, key_b, t);
	if (probe->conf.is_on)
		schedule(t);
}

void
probe_remove(struct probe *probe, const char *cluster, const char *node)
{
	struct target *t = find(probe, cluster, node);

	if (t)
		target_free(t);
}

bool
probe_get(const struct probe *probe, const char *cluster, const char *node,
    struct probe_status *out)
{
	const struct target *t = find(probe, cluster, node);

	if (!t)
		return false;
	*out = (struct probe_status){ .state = t->state,
		.since = t->since,
		.error = t->error };
	return true;
}
