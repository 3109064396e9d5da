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

#endif
