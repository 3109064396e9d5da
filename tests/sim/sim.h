/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim: the daemon on a virtual clock, in a world that fails.
 *
 * The real code runs from app_start() down to these headers; what is behind
 * them is replaced by a model at link time (the archive's own file is then
 * not taken):
 *
 *   seam                    model        what it stands for
 *   sys/loop.h clock.h log.h  loop.c     time, turns of the loop, random order
 *   net/nl.h                  kernel.c   nf_tables, local routes, conntrack
 *   store/store.h             database.c what is on the disk
 *   net/http.h                api.c      the API server: objects, lists,
 *                                        watches, status and Event writes
 *   net/sock.h                router.c   BGP neighbours
 *   net/tcp_get.h             shell.c    probes of nodes
 *   ctl/server.h            shell.c      nothing: no clients
 *
 * A function that one of these headers gains needs its model.
 *
 * So everything else is what is shipped: decoders, list and watch, planner,
 * rule sets and their encoding, commits and reading back, sessions and
 * Adj-RIB-Out, status writer, the reconcile loop.  libmnl, libnftnl and
 * jansson only lay out messages here.  Object files are real ones, but nobody
 * tells of their changes: they are found by polling.
 *
 * A story is a list of events (story.c) made from a seed.  After each turn of
 * the loop check.c holds the models against each other.  A crash unwinds to
 * the driver from inside any model and leaves the daemon's memory behind;
 * what the models hold stays.
 */
#ifndef EIPD_TESTS_SIM_H
#define EIPD_TESTS_SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/mono.h"
#include "base/str.h"
#include "base/vec.h"
#include "model/lease.h"
#include "model/object.h"
#include "model/service.h"

struct app;
struct loop;

/* ---- sim.c: the run ---- */

extern struct app *sim_app; /* NULL: not running */
/* The first call of a run counts: it is what the story ends with. */
void sim_violation(const char *fmt, ...) ATTR_PRINTF(1, 2);
bool sim_has_failed(void);
/* The daemon was killed inside an operation. */
void sim_crashed(void);
void sim_restart(void); /* stopped in good order, then started */
/* Faults end, inputs rest; then all must be as it should. */
void sim_rest(void);
/* One line of the story, with the time in front, if somebody wants to read
 * it. */
void sim_tell(const char *fmt, ...) ATTR_PRINTF(1, 2);

/* ---- loop.c: time and chance ---- */

mono_t sim_now(void);
uint32_t sim_random(uint32_t below);
void sim_loop_init(uint64_t seed, bool is_verbose);
/* Runs until `until`; every turn ends with `on_turn`. */
void sim_loop_run(mono_t until, void (*on_turn)(void));
/* `fn` runs at that time whatever becomes of the daemon. */
void sim_after(int64_t delay_us, void (*fn)(void *arg), void *arg);
/* The daemon's loop is forgotten, with its timers. */
void sim_loop_forget(void);
void sim_step_wall(int64_t by_s);

/* An operation on the outside world is about to happen, or has happened: a
 * daemon that is to die by now does not return from here. */
void sim_operation(const char *what);
/* Dies at the n-th operation from now. */
void sim_crash_at(unsigned int n);

/* ---- kernel.c ---- */

void kernel_refuse(int code, unsigned int times); /* transactions */
void kernel_interrupt(unsigned int times); /* dumps */
void kernel_lose_answer(void); /* of the next transaction, which happens */
void kernel_lose_table(void);
void kernel_lose_element(uint32_t pick); /* some element of some set */
void kernel_lose_route(uint32_t pick);
void kernel_change_other(void); /* another program's table */
void kernel_heal(void);
uint64_t kernel_transactions(void); /* of the daemon */
extern uint64_t kernel_changes; /* of the table, by anybody */
bool kernel_has_route(const struct addr *addr);
void kernel_each_route(void (*fn)(void *arg, const struct addr *addr),
    void *arg);
/* One element of the service maps. */
struct kernel_frontend {
	struct addr addr;
	uint8_t protocol;
	uint16_t port;
	uint32_t mark;
	char service[256]; /* "cluster/namespace/name" */
};
struct kernel_frontends {
	VEC(struct kernel_frontend) v;
};
/* The present ones; borrowed until the next transaction. */
const struct kernel_frontends *kernel_frontends(void);
bool kernel_has_address(const struct addr *addr); /* in the address set */

/* ---- kernel_flow.c ---- */

struct kernel_flow {
	struct kernel_frontend to; /* as it was when it began */
	struct addr backend;
	uint16_t backend_port;
	uint32_t mark;
	bool is_replied;
};
/* Clients that have no flow send again. */
void kernel_talk(void);
void kernel_each_flow(void (*fn)(void *arg, const struct kernel_flow *flow),
    void *arg);
/* Same address, protocol and port; NULL: there is none. */
const struct kernel_frontend *kernel_find_frontend(
    const struct kernel_frontend *like);
void kernel_refuse_flows(int code, unsigned int times); /* conntrack */

/* ---- database.c ---- */

enum database_fault {
	DATABASE_FINE,
	DATABASE_FULL,
	DATABASE_READ_ONLY,
	DATABASE_AWAY, /* cannot be opened, -EIO */
};
void database_set_fault(enum database_fault fault);
/* The file is removed; true if it said that eipd is out of service. */
bool database_lose(void);
enum database_fault database_fault(void);
uint64_t database_commits(void);
/* What is on the disk. */
const struct lease_table *database_leases(void);
bool database_was_lost(void);
void database_forget_loss(void);

/* ---- api.c ---- */

enum api_answer {
	API_ANSWER_OK,
	API_ANSWER_CONFLICT,
	API_ANSWER_BUSY, /* 429 */
	API_ANSWER_ERROR, /* 500 */
	API_ANSWER_FORBIDDEN,
	API_ANSWER_LOST, /* done, but nobody hears of it */
	API_ANSWER_SLOW,
};
/* Takes `body`; makes or replaces the object.  status and uid stay. */
void api_put(enum object_kind kind, const char *ns, const char *name,
    json_t *body);
void api_delete(enum object_kind kind, const char *ns, const char *name);
/* Borrowed; NULL: there is none. */
json_t *api_get(enum object_kind kind, const char *ns, const char *name);
/* n-th object of the kind, modulo how many there are; NULL: none. */
json_t *api_pick(enum object_kind kind, uint32_t n);
size_t api_count(enum object_kind kind);
json_t *api_at(enum object_kind kind, size_t i);
void api_set_status(const char *ns, const char *name, json_t *status);
void api_away(int64_t for_us);
void api_cut_watch(enum object_kind kind, bool is_clean);
void api_compact(void); /* every open version is too old */
void api_delay(enum object_kind kind, int64_t us);
void api_repeat(enum object_kind kind); /* the last event again */
void api_restore(void); /* back in time */
void api_lag(void); /* the next list of any version is an old one */
void api_list_empty(enum object_kind kind); /* once */
void api_answer_writes(enum api_answer answer, unsigned int times);
void api_heal(void);
void api_forget_client(void); /* the daemon died */
uint64_t api_writes(void); /* of Service status */
void api_init(void);

/* ---- router.c ---- */

enum {
	ROUTERS = 3,
	ROUTER_PASSIVE = 2, /* eipd waits for it */
};
void router_init(void);
void router_text(unsigned int i, char out[ADDR_TEXT_B]);
void router_set_up(unsigned int i, bool is_up);
void router_flap(unsigned int i);
void router_set_helper(unsigned int i, bool is_helper);
void router_heal(void);
void router_forget_client(void);
/* And it has heard what there is. */
bool router_is_established(unsigned int i);
bool router_has_route(unsigned int i, const struct addr *addr);
/* Each route, kept over a restart or not. */
void router_each_route(unsigned int i,
    void (*fn)(void *arg, const struct addr *addr, bool is_stale), void *arg);
unsigned int router_ready(int fd); /* LOOP_READ, LOOP_WRITE */
uint64_t router_updates(void);

/* ---- shell.c ---- */

enum probe_fault {
	PROBE_FINE,
	PROBE_REFUSED,
	PROBE_SILENT,
};
void probe_set_fault(const struct addr *addr, enum probe_fault fault);
void probe_heal(void);
void probe_forget_client(void);

enum file_state {
	FILE_NONE,
	FILE_GOOD,
	FILE_BROKEN,
};
void file_init(void);
const char *file_folder(void);
void file_put(enum file_state state);
void file_heal(void);
size_t file_count_pools(void); /* once it was read */

/* ---- story.c ---- */

struct event {
	uint32_t delay_ms;
	uint32_t kind;
	uint32_t arg[3];
};
struct story {
	VEC(struct event) events;
};
void story_generate(struct story *story, uint64_t seed, size_t n);
void story_apply(const struct event *ev);
void story_heal(void); /* every fault ends; the routers are there */
void story_write(const struct event *ev, FILE *out);
/* -1: the line is none. */
int story_read(const char *line, struct event *out);

/* ---- objects.c: events at the API server ---- */

void objects_init(void); /* the world as every story finds it */
bool object_is_passive(const struct addr *addr);
void do_service(const struct event *ev);
void do_service_type(const struct event *ev);
void do_service_gone(const struct event *ev);
void do_slice(const struct event *ev);
void do_node(const struct event *ev);
void do_probe(const struct event *ev);
void do_pool(const struct event *ev);
void do_peer(const struct event *ev);
void do_foreign_status(const struct event *ev);

/* ---- check.c ---- */

void check_turn(void);
void check_settled(
    void); /* check_rest.c: the inputs have rested, all faults are over */
void check_lease_op(const struct lease_op *op);
void check_status_write(const char *path, const char *body);
void check_announced(const struct addr *addr);
void check_transaction(void); /* of the kernel */
void check_forgotten(const struct addr *addr);
/* The Service may give back what it holds from now on. */
void check_justify(const char *ns, const char *name);
void check_justify_all(void);
/* Someone else changed the table; it is to be repaired. */
void check_kernel_damaged(void);
void check_kernel_refused(void);
bool check_is_excused(const char *ns, const char *name);
const struct lease *check_find_lease(const struct lease_table *table,
    const struct lease *key);
bool check_is_programmed(const struct addr *addr);
bool check_has_frontend(const struct addr *addr, const char *service);
void check_frontends(void); /* against the ledger */
/* Nobody can tell what the clock did while eipd was down. */
void check_started(void);
void check_quarantines(void); /* none is longer than it was to be */
void check_forgive(void); /* check_justify() and the like are used up */
/* `eipctl release` is about this address; NULL: no more. */
void check_released(const struct addr *addr);

#endif
