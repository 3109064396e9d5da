/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_impl: what the files of the rule set share: ruleset.c keeps the
 * objects and stages, ruleset_number.c gives out numbers, ruleset_diff.c
 * compares, ruleset_flow.c knows flows, ruleset_load.c reads back.  For nobody
 * else.
 */
#ifndef EIPD_PLAN_RULESET_IMPL_H
#define EIPD_PLAN_RULESET_IMPL_H

#include <sys/queue.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/vec.h"
#include "plan/ruleset.h"

enum {
	RS_NO_NUMBER = UINT32_MAX
};

/* How flows of a number may be marked, ERA_DIRECT: the service mark itself. */
enum {
	RS_ERA_SLOTS = 1,
	RS_ERA_DIRECT = 2
};

/* Compared and hashed as octets: no padding. */
struct rs_key {
	uint8_t family;
	uint8_t protocol;
	uint16_t port;
	uint8_t addr[16];
};
_Static_assert(sizeof(struct rs_key) == 20, "no padding");

struct rs_backend {
	uint8_t addr[16]; /* of the frontend's family; IPv4: the first 4 */
	uint16_t port;
	uint8_t index;
};

/* One frontend as it is in the kernel, or as it should be. */
struct rs_state {
	struct rs_service *service;
	uint8_t *backends; /* packed, sorted; see rs_backend_at() */
	uint8_t *slots; /* backend index; SLOTS_NO_BACKEND: missing */
	uint32_t number;
	uint16_t n_backends;
	uint8_t family; /* of the frontend */
	uint8_t class;
	uint8_t next_index; /* where the search for a free one starts */
	uint8_t direct_index; /* of RS_ERA_DIRECT; SLOTS_NO_BACKEND: unknown */
	uint8_t eras;
	uint8_t counted; /* bits: its elements RULESET_COUNTER_* */
	bool is_masqueraded;
	bool is_counted; /* in the use of its shard */
};

/* What is in the kernel while frontends in the kernel need it. */
struct rs_use {
	size_t n_frontends;
	int delta; /* of n_frontends, in this transaction */
	uint8_t there; /* bits: what is in the kernel */
	bool is_touched;
	TAILQ_ENTRY(rs_use) touched;
};
TAILQ_HEAD(rs_uses, rs_use);

enum {
	RS_COUNTED = (1 << RULESET_COUNTER__COUNT) - 1
};

struct rs_address {
	struct rs_use use; /* bit 0: in the kernel's set */
	struct addr addr;
	size_t n_refs; /* frontends, there or wanted */
	UT_hash_handle hh;
};

struct rs_frontend {
	struct rs_key key;
	bool is_staged; /* `want` (NULL: remove) differs from `have` */
	bool is_listed; /* seen by the staging that runs */
	bool has_strays; /* established TCP under numbers it had before */
	uint32_t stage; /* those of one Service go together */
	struct rs_state *have;
	struct rs_state *want;
	struct rs_address *address;
	struct rs_service *service; /* whose list it is in, by its target */
	TAILQ_ENTRY(rs_frontend) sibling;
	TAILQ_ENTRY(rs_frontend) dirty;
	UT_hash_handle hh;
};

struct rs_service {
	struct rs_use use; /* bits: its counters */
	struct ruleset_count counts[RULESET_COUNTER__COUNT]; /* of a new one */
	char *key;
	size_t n_refs; /* states */
	TAILQ_HEAD(rs_siblings, rs_frontend) frontends;
	UT_hash_handle hh;
};

struct rs_shard {
	uint8_t refs[RULESET_SHARD_NUMBERS]; /* states and quarantine */
	uint16_t n_free;
	uint16_t n_used[SLOTS_CLASS__COUNT];
	bool is_made[SLOTS_CLASS__COUNT];
};

TAILQ_HEAD(rs_dirty, rs_frontend);

struct ruleset {
	struct rs_service *services;
	struct rs_frontend *frontends;
	struct rs_address *addresses;
	VEC(struct rs_shard *) shards;
	size_t first_free[SLOTS_CLASS__COUNT]; /* no room in shards before */
	struct rs_dirty dirty;
	struct rs_uses touched_addresses;
	struct rs_uses touched_services;
	struct rs_frontend *picked_end; /* first dirty one not picked */
	uint32_t stage;
	bool is_loaded;
	VEC(struct ruleset_op) garbage;
	struct arena garbage_names;
	VEC(struct ruleset_flush) flushes;
	VEC(struct ruleset_moved) moved;
	VEC(struct rs_frontend *) by_number; /* while loading */
	VEC(uint16_t) weights; /* scratch */
};

/* ruleset.c */
struct rs_frontend *rs_frontend_get(struct ruleset *rs,
    const struct rs_key *key);
void rs_frontend_prune(struct ruleset *rs, struct rs_frontend *fe);
/* Puts it in the list of the Service of its target, or in none. */
void rs_frontend_retarget(struct rs_frontend *fe);
void rs_frontend_stage(struct ruleset *rs, struct rs_frontend *fe,
    struct rs_state *want);
void rs_frontend_unstage(struct ruleset *rs, struct rs_frontend *fe);
void rs_frontend_drop_have(struct ruleset *rs, struct rs_frontend *fe);
struct rs_service *rs_service_get(struct ruleset *rs, const char *key);
void rs_service_prune(struct ruleset *rs, struct rs_service *service);
struct rs_state *rs_state_new(struct rs_service *service, enum family family,
    uint32_t number, unsigned int class, bool is_masqueraded);
/* Gives number, shard use and Service back. */
void rs_state_free(struct ruleset *rs, struct rs_state *state);
bool rs_state_eq(const struct rs_state *a, const struct rs_state *b);
int rs_backend_cmp(const struct rs_backend *a, const struct rs_backend *b);
/* There may be 32 to each of 10,000 frontends: they are kept as octets,
 * without the room that an IPv4 address does not need. */
struct rs_backend rs_backend_at(const struct rs_state *state, size_t i);
void rs_backend_add(struct rs_state *state, const struct rs_backend *backend);
void rs_backends_sort(struct rs_state *state);
/* Moves *at on to where the backend is in the sorted ones, or would be. */
bool rs_backend_seek(const struct rs_state *state, size_t *at,
    const struct rs_backend *backend, struct rs_backend *found);
void rs_use_touch(struct rs_uses *touched, struct rs_use *use);
/* Frees it if nothing needs it. */
void rs_address_prune(struct ruleset *rs, struct rs_address *address);

void rs_clear_garbage(struct ruleset *rs);

/* ruleset_number.c */
struct rs_shard *rs_shard_get(struct ruleset *rs, size_t at);
bool rs_shard_is_made(const struct ruleset *rs, const struct rs_state *state);
/* A number with room for the class, RS_NO_NUMBER if there is none. */
uint32_t rs_number_find(struct ruleset *rs, unsigned int class);
bool rs_number_has_room(struct ruleset *rs, uint32_t number,
    unsigned int class);
void rs_number_ref(struct ruleset *rs, uint32_t number);
void rs_number_unref(struct ruleset *rs, uint32_t number);
void rs_count(struct ruleset *rs, struct rs_state *state);
void rs_uncount(struct ruleset *rs, struct rs_state *state);
uint32_t rs_service_mark(const struct rs_state *state);
uint32_t rs_backend_id(const struct rs_state *state, unsigned int index);

/* ruleset_diff.c */
struct ruleset_op rs_op_slot(const struct rs_state *state, uint32_t slot,
    bool is_delete);

/* ruleset_flow.c */
/* The kernel took the change of the frontend from `have` to `want`. */
void rs_flush_change(struct ruleset *rs, struct rs_frontend *fe);

#endif
