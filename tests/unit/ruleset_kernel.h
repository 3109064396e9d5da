/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_kernel: a kernel made of an array, which refuses what the real one
 * refuses: adding what is there, deleting what is not, naming a counter that
 * is not there, deleting one that is still named.
 */
#ifndef EIPD_TESTS_UNIT_RULESET_KERNEL_H
#define EIPD_TESTS_UNIT_RULESET_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"
#include "plan/ruleset.h"

struct element {
	struct ruleset_op op;
	char comment[64];
};

struct kernel {
	VEC(struct element) elements;
	bool shards[SLOTS_CLASS__COUNT][8];
	size_t n_added;
	size_t n_deleted;
};

/* For ruleset_diff(); `arg` is the kernel. */
void kernel_op(void *arg, const struct ruleset_op *op);
size_t kernel_count(const struct kernel *kernel, enum ruleset_set set);
void kernel_load(const struct kernel *kernel, struct ruleset *rs);
/* The same with slots derived from the backends. */
void kernel_load_deriving(const struct kernel *kernel, struct ruleset *rs);
struct kernel kernel_copy(const struct kernel *kernel);
bool kernel_eq(const struct kernel *a, const struct kernel *b);
/* All of it in one transaction; the number of operations. */
size_t kernel_commit(struct ruleset *rs, struct kernel *kernel);

enum {
	WISH_BACKENDS = 300
};

/* One frontend at 198.51.100.N with the backends 10.0.0.I whose bit is set. */
struct wish {
	struct frontend frontend;
	struct backend backends[WISH_BACKENDS];
};

struct wish *wish_new(unsigned int eip, uint8_t protocol, uint64_t bits);
void wish_add(struct wish *wish, unsigned int i);
/* All that the Service `key` has. */
void wish_stage(struct ruleset *rs, const char *key, unsigned int eip,
    uint8_t protocol, uint64_t bits);

#endif
