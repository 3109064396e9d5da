/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell: the small seams: probes (net/tcp_get.h), nobody at the control socket
 * (ctl/server.h); and the folder of object files, which is a real one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/server.h"
#include "net/tcp_get.h"
#include "sim.h"

#define LATENCY_MAX_US (20 * MONO_MS)

/* ---- probes ---- */

struct tcp_get {
	void (*fn)(void *arg, int status, const char *error);
	void *arg;
	struct addr addr;
	bool is_cancelled;
	bool is_timed_out;
};

static VEC(struct addr) refusing;
static VEC(struct addr) silent;
static VEC(struct tcp_get *) probes;

static bool
contains(const struct addr *v, size_t n, const struct addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (addr_eq(&v[i], addr))
			return true;
	return false;
}

void
probe_heal(void)
{
	vec_clear(&refusing);
	vec_clear(&silent);
}

void
probe_set_fault(const struct addr *addr, enum probe_fault fault)
{
	for (size_t i = refusing.n; i-- > 0;)
		if (addr_eq(&refusing.v[i], addr))
			vec_remove(&refusing, i);
	for (size_t i = silent.n; i-- > 0;)
		if (addr_eq(&silent.v[i], addr))
			vec_remove(&silent, i);
	if (fault == PROBE_REFUSED)
		vec_push(&refusing, *addr);
	if (fault == PROBE_SILENT)
		vec_push(&silent, *addr);
}

static void
on_answer(void *arg)
{
	struct tcp_get *get = arg;

	for (size_t i = 0; i < probes.n; i++)
		if (probes.v[i] == get)
			vec_remove(&probes, i);
	if (!get->is_cancelled) {
		if (get->is_timed_out)
			get->fn(get->arg, 0, "timed out");
		else if (contains(refusing.v, refusing.n, &get->addr))
			get->fn(get->arg, 0, "connection refused");
		else
			get->fn(get->arg, 200, "");
	}
	free(get);
}

struct tcp_get *
tcp_get_new(struct loop *loop, const struct tcp_get_conf *conf,
    void (*fn)(void *arg, int status, const char *error), void *arg)
{
	struct tcp_get *get = mem_new(struct tcp_get);

	(void)loop;
	*get = (struct tcp_get){ .fn = fn,
		.arg = arg,
		.addr = conf->addr,
		.is_timed_out = contains(silent.v, silent.n, &conf->addr) };
	vec_push(&probes, get);
	sim_after(get->is_timed_out ? conf->timeout_us
				    : (int64_t)sim_random(LATENCY_MAX_US),
	    on_answer, get);
	return get;
}

void
tcp_get_cancel(struct tcp_get *get)
{
	get->is_cancelled = true;
}

void
probe_forget_client(void)
{
	for (size_t i = 0; i < probes.n; i++)
		probes.v[i]->is_cancelled = true;
}

/* ---- object files: a folder with one file, or none ---- */

#define FILE_NAME "/pool.yaml"

static char folder[] = "/tmp/eipd-sim-XXXXXX";
static char path[sizeof(folder) + sizeof(FILE_NAME)];
static enum file_state file;

static void
remove_folder(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

void
file_init(void)
{
	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof(path), "%s" FILE_NAME, folder);
	atexit(remove_folder);
}

const char *
file_folder(void)
{
	return folder;
}

void
file_put(enum file_state state)
{
	static const char *const texts[] = {
		[FILE_GOOD] = "apiVersion: network.kubesphere.io/v1alpha2\n"
			      "kind: Eip\nmetadata: {name: filed}\n"
			      "spec: {address: 192.0.2.64-192.0.2.66,"
			      " sticky: 30m, quarantine: 3m}\n",
		[FILE_BROKEN] = "apiVersion: {",
	};
	FILE *f;

	file = state;
	(void)unlink(path);
	if (state == FILE_NONE)
		return;
	f = fopen(path, "w");
	if (!f || fputs(texts[state], f) < 0 || fclose(f) < 0)
		abort();
}

void
file_heal(void)
{
	if (file == FILE_BROKEN)
		file_put(FILE_GOOD);
}

size_t
file_count_pools(void)
{
	return file == FILE_GOOD;
}

/* ---- control ---- */

struct ctl_server {
	int unused;
};

struct ctl_server *
ctl_server_new(struct loop *loop, const struct ctl_state *state)
{
	(void)loop;
	(void)state;
	return mem_new(struct ctl_server);
}

void
ctl_server_free(struct ctl_server *server)
{
	free(server);
}

int
ctl_server_listen(struct ctl_server *server, const struct conf *conf,
    struct err *err)
{
	(void)server;
	(void)conf;
	(void)err;
	return 0;
}

bool
ctl_server_is_open(const struct ctl_server *server)
{
	(void)server;
	return true;
}

void
ctl_server_retry(struct ctl_server *server)
{
	(void)server;
}

void
ctl_server_event(struct ctl_server *server, const char *kind,
    const char *subject, const char *text)
{
	(void)server;
	(void)kind;
	(void)subject;
	(void)text;
}
