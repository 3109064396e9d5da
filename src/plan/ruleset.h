/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset: the elements of the kernel table as they are and as they should
 * be, and the exact difference.
 *
 * Pure.  Every frontend (address, protocol, port) has a number, a class, its
 * backends with an index each, and a slot table; they are adopted from the
 * kernel where it has them.  Every Service has its counters.  Cost of a
 * change: that of its Service.
 *
 * Marks: a service mark is flags | class | number (24 bits), a backend id is
 * flags | number (20 bits) << 8 | index, so that one masked conntrack request
 * finds a frontend or a backend.  Numbers end below 0xf0000: no backend id
 * looks like the service mark of class 15.  All have the top bit, so that
 * flows which others marked, or nobody, are not taken for ours.
 */
#ifndef EIPD_PLAN_RULESET_H
#define EIPD_PLAN_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/decision.h"
#include "plan/slots.h"

enum {
	RULESET_MARK_MASQUERADE = 0x10000000,
	RULESET_MARK_CLASS = 0x0f000000,
	RULESET_MARK_CLASS_SHIFT = 24,
	RULESET_MARK_NUMBER = 0x00ffffff,
	/* class and shard of a service mark: the key of the dispatch maps */
	RULESET_MARK_SHARD = 0x0ffffe00,
	RULESET_ID_SHIFT = 8,
	RULESET_ID_NUMBER = 0x0fffff00,
	RULESET_SHARD_NUMBERS = 512,
	RULESET_NUMBERS_MAX = 0xf0000,
	RULESET_SHARDS_MAX = RULESET_NUMBERS_MAX / RULESET_SHARD_NUMBERS,
	/* with a suffix it must fit the name of an object */
	RULESET_KEY_MAX = 243,
	RULESET_ELEMENT_KEY_MAX = 24,
	RULESET_ELEMENT_DATA_MAX = 20,
};

#define RULESET_MARK_OURS 0x80000000u
/* Bits that are the same in all of ours. */
#define RULESET_MARK_FIXED 0xe0000000u
/* Masks for conntrack entries of a frontend and of a backend. */
#define RULESET_FLUSH_FRONTEND 0x8fffff00u
#define RULESET_FLUSH_BACKEND 0x8fffffffu
/* No mark finds them all: each flow is to be judged. */
#define RULESET_FLUSH_SWEEP 0

enum ruleset_set {
	RULESET_SET_EIP, /* address */
	RULESET_SET_SVC, /* address . protocol . port : service mark */
	RULESET_SET_DIRECT, /* service mark of class 15 : address . port */
	RULESET_SET_BACKENDS, /* of a shard; backend id : address . port */
	RULESET_SET_SLOTS, /* of a shard; service mark . slot : backend id */
	RULESET_SET_COUNTER, /* no set: the counters of a Service */
	RULESET_SET_ACCT, /* address . protocol . port : counter of packets */
	RULESET_SET_CONN, /* address . protocol . port : of connections */
	RULESET_SET_SHARD, /* no element: the shard itself, to be made */
	RULESET_SET__COUNT,
};

/* One element as the kernel has it, octet by octet. */
struct ruleset_op {
	enum ruleset_set set;
	bool is_delete;
	bool is_garbage; /* deletion of what ruleset_load_element() refused */
	uint8_t family; /* of the set; FAMILY_NONE for slots and shard */
	uint8_t class; /* of the shard */
	uint16_t shard;
	uint8_t key_len;
	uint8_t data_len; /* when deleting: what is there */
	uint8_t key[RULESET_ELEMENT_KEY_MAX];
	uint8_t data[RULESET_ELEMENT_DATA_MAX];
	/* Of the service element; who is counted of the last three, whose
	 * counters go by RULESET_COUNTER_*, the key; NULL: none. */
	const char *comment;
};

/* The totals of a Service outlive its frontends, as long as it has any. */
enum {
	RULESET_COUNTER_ACCT, /* packets and octets forwarded */
	RULESET_COUNTER_CONN, /* its packets are connections */
	RULESET_COUNTER__COUNT,
};

/* Conntrack entries to forget after a change. */
struct ruleset_flush {
	uint32_t mark;
	uint32_t mask; /* RULESET_FLUSH_* */
	bool is_unreplied_only;
	bool frees_number; /* give it back with ruleset_free_number() */
	uint32_t number;
};

/* A conntrack entry. */
struct ruleset_flow {
	uint32_t mark;
	uint8_t protocol;
	bool is_replied;
	bool is_untranslated; /* began before the frontend had a backend */
	uint16_t port;
	uint16_t backend_port;
	struct addr frontend; /* and `port`: where it was sent */
	struct addr backend;
};

/* An address that came into or left the kernel's address set. */
struct ruleset_moved {
	struct addr addr;
	bool is_owned;
};

/* The data of a counter; none: it begins at zero. */
struct ruleset_count {
	uint64_t packets;
	uint64_t bytes;
};

struct ruleset_totals {
	size_t n_services;
	size_t n_frontends;
};

struct ruleset;

typedef void (*ruleset_op_fn)(void *arg, const struct ruleset_op *op);

struct ruleset *ruleset_new(void);
void ruleset_free(struct ruleset *rs); /* NULL is fine */

/* See nft_stage(). */
ATTR_NODISCARD int ruleset_stage(struct ruleset *rs, const char *key,
    const struct frontend *frontends, size_t n, struct err *err);

/* Nothing is wanted any more. */
void ruleset_stage_none(struct ruleset *rs);

bool ruleset_is_dirty(const struct ruleset *rs);

/* Starts a transaction: picks whole Services, in the order they were staged,
 * until `max_services` or `max_elements` is reached (one is always taken).
 * Returns how many frontends they have. */
size_t ruleset_begin(struct ruleset *rs, size_t max_services,
    size_t max_elements);
/* The operations of what was picked: deletions first. */
void ruleset_diff(struct ruleset *rs, ruleset_op_fn fn, void *arg);
/* The kernel took them.  Whatever else happened, load again. */
void ruleset_done(struct ruleset *rs);

/* What ruleset_done() left to do; both queues are cleared by the caller
 * through ruleset_clear_flushes() and ruleset_clear_moved(). */
const struct ruleset_flush *ruleset_flushes(const struct ruleset *rs,
    size_t *out_n);
void ruleset_clear_flushes(struct ruleset *rs);
const struct ruleset_moved *ruleset_moved(const struct ruleset *rs,
    size_t *out_n);
void ruleset_clear_moved(struct ruleset *rs);
void ruleset_free_number(struct ruleset *rs, uint32_t number);
/* True: it is to be forgotten, whatever the change that left it.  It is judged
 * by its addresses: whoever has its number by now is not taken for its
 * frontend.  What is wanted and not there yet counts as there.  The kernel
 * never translates a flow that began without it, so that one has to go. */
bool ruleset_judge_flow(struct ruleset *rs, const struct ruleset_flow *flow);

/* Reading the kernel back.  Between begin and end every element is given, the
 * service elements before all others but shards, the counters last.  What was
 * staged or done before stays wanted; what nobody wants is kept if this is the
 * first load, removed otherwise.  Elements that belong to no Service are removed
 * with the next transaction. */
void ruleset_load_begin(struct ruleset *rs);
void ruleset_load_shard(struct ruleset *rs, unsigned int class,
    unsigned int shard);
/* False: it belongs to no Service. */
bool ruleset_load_element(struct ruleset *rs, const struct ruleset_op *op);
/* Slots are by far the most elements, and follow from the backends: how many
 * the frontends of the shard have (SIZE_MAX: that cannot be said), and in
 * place of reading them each as it should be. */
size_t ruleset_load_count_slots(const struct ruleset *rs, unsigned int class,
    unsigned int shard);
void ruleset_load_derive_slots(struct ruleset *rs, unsigned int class,
    unsigned int shard, ruleset_op_fn fn, void *arg);
void ruleset_load_end(struct ruleset *rs);
/* In place of the end: what was read is forgotten, what is wanted is not. */
void ruleset_load_abort(struct ruleset *rs);
/* The table has to be made anew: everything in it is wanted, nothing there. */
void ruleset_load_lost(struct ruleset *rs);

/* What a counter of the table that will be replaced has come to: that of the
 * new one goes on from there. */
void ruleset_load_count(struct ruleset *rs, const struct ruleset_op *op);

/* Every Service as the kernel has it, or had it before the table was lost.
 * Weights are 1, states active. */
void ruleset_each_service(const struct ruleset *rs,
    void (*fn)(void *arg, const char *key, const struct frontend *frontends,
	size_t n_frontends),
    void *arg);
/* Some Service has it, in the kernel or wanted there. */
bool ruleset_has_address(const struct ruleset *rs, const struct addr *addr);
/* Every address in the kernel's sets. */
void ruleset_each_address(const struct ruleset *rs,
    void (*fn)(void *arg, const struct addr *addr), void *arg);
struct ruleset_totals ruleset_totals(const struct ruleset *rs);

#endif
