/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ruleset_kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* Of two with their comments. */
static int
cmp_place(const struct ruleset_op *a, const struct ruleset_op *b)
{
	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	if (a->family != b->family)
		return (int)a->family - (int)b->family;
	if (a->class != b->class)
		return (int)a->class - (int)b->class;
	if (a->shard != b->shard)
		return (int)a->shard - (int)b->shard;
	if (a->set == RULESET_SET_COUNTER && strcmp(a->comment, b->comment))
		return strcmp(a->comment, b->comment);
	return memcmp(a->key, b->key, sizeof(a->key));
}

static struct ruleset_op
op_of(const struct element *element)
{
	struct ruleset_op op = element->op;

	op.comment = element->comment;
	return op;
}

/* Where it is, or where it belongs. */
static size_t
place_of(const struct kernel *kernel, const struct ruleset_op *op)
{
	size_t low = 0;
	size_t high = kernel->elements.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		struct ruleset_op there = op_of(&kernel->elements.v[mid]);

		if (cmp_place(&there, op) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has(const struct kernel *kernel, const struct ruleset_op *op)
{
	size_t at = place_of(kernel, op);
	struct ruleset_op there;

	if (at == kernel->elements.n)
		return false;
	there = op_of(&kernel->elements.v[at]);
	return cmp_place(&there, op) == 0;
}

static unsigned int
kind_of(const struct ruleset_op *op)
{
	return op->set == RULESET_SET_ACCT   ? RULESET_COUNTER_ACCT
	    : op->set == RULESET_SET_CONN    ? RULESET_COUNTER_CONN
	    : op->set == RULESET_SET_COUNTER ? op->key[0]
					     : RULESET_COUNTER__COUNT;
}

static void
check_counters(const struct kernel *kernel, const struct ruleset_op *op)
{
	struct ruleset_op counter = { .set = RULESET_SET_COUNTER,
		.key_len = 1,
		.key = { (uint8_t)kind_of(op) },
		.comment = op->comment };
	const struct element *element;

	if (kind_of(op) == RULESET_COUNTER__COUNT)
		return;
	if (op->set != RULESET_SET_COUNTER && !op->is_delete)
		assert_true(has(kernel, &counter));
	if (op->set != RULESET_SET_COUNTER || !op->is_delete)
		return;
	VEC_FOREACH (element, &kernel->elements) {
		assert_true(element->op.set == RULESET_SET_COUNTER ||
		    kind_of(&element->op) != kind_of(op) ||
		    strcmp(element->comment, op->comment) != 0);
	}
}

void
kernel_op(void *arg, const struct ruleset_op *op)
{
	struct kernel *kernel = arg;
	size_t at = place_of(kernel, op);
	bool is_there = has(kernel, op);
	struct element element = { .op = *op };

	if (op->set == RULESET_SET_SHARD) {
		assert_false(kernel->shards[op->class][op->shard]);
		kernel->shards[op->class][op->shard] = true;
		return;
	}
	if (op->set == RULESET_SET_SLOTS || op->set == RULESET_SET_BACKENDS)
		assert_true(kernel->shards[op->class][op->shard]);
	check_counters(kernel, op);
	if (op->is_delete) {
		assert_true(is_there);
		vec_remove(&kernel->elements, at);
		kernel->n_deleted++;
		return;
	}
	assert_false(is_there);
	assert_true(
	    op->data_len > 0 || op->set == RULESET_SET_EIP || op->comment);
	if (op->comment)
		snprintf(element.comment, sizeof(element.comment), "%s",
		    op->comment);
	element.op.comment = NULL;
	vec_insert(&kernel->elements, at, element);
	kernel->n_added++;
}

size_t
kernel_count(const struct kernel *kernel, enum ruleset_set set)
{
	size_t n = 0;

	for (size_t i = 0; i < kernel->elements.n; i++)
		n += kernel->elements.v[i].op.set == set;
	return n;
}

/* What is derived must be there, and nothing else. */
struct derived {
	const struct kernel *kernel;
	size_t n;
};

static void
on_derived(void *arg, const struct ruleset_op *op)
{
	struct derived *derived = arg;
	const struct element *element;

	assert_true(has(derived->kernel, op));
	element = &derived->kernel->elements.v[place_of(derived->kernel, op)];
	assert_memory_equal(element->op.data, op->data, op->data_len);
	derived->n++;
}

static void
derive_slots(const struct kernel *kernel, struct ruleset *rs)
{
	struct derived derived = { .kernel = kernel };
	size_t n = 0;

	for (unsigned int class = 0; class < SLOTS_CLASS__COUNT; class ++) {
		for (unsigned int shard = 0; shard < 8; shard++) {
			if (!kernel->shards[class][shard])
				continue;
			n += ruleset_load_count_slots(rs, class, shard);
			ruleset_load_derive_slots(rs, class, shard, on_derived,
			    &derived);
		}
	}
	assert_int_equal(n, derived.n);
	assert_int_equal(n, kernel_count(kernel, RULESET_SET_SLOTS));
}

static void
load(const struct kernel *kernel, struct ruleset *rs, bool is_derived)
{
	static const enum ruleset_set order[] = { RULESET_SET_SVC,
		RULESET_SET_EIP, RULESET_SET_DIRECT, RULESET_SET_BACKENDS,
		RULESET_SET_SLOTS, RULESET_SET_ACCT, RULESET_SET_CONN,
		RULESET_SET_COUNTER };

	ruleset_load_begin(rs);
	for (unsigned int class = 0; class < SLOTS_CLASS__COUNT; class ++) {
		for (unsigned int shard = 0; shard < 8; shard++) {
			if (kernel->shards[class][shard])
				ruleset_load_shard(rs, class, shard);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const struct element *element;

		if (is_derived && order[i] == RULESET_SET_SLOTS) {
			derive_slots(kernel, rs);
			continue;
		}
		VEC_FOREACH (element, &kernel->elements) {
			struct ruleset_op op = op_of(element);

			if (op.set == order[i])
				ruleset_load_element(rs, &op);
		}
	}
	ruleset_load_end(rs);
}

void
kernel_load(const struct kernel *kernel, struct ruleset *rs)
{
	load(kernel, rs, false);
}

void
kernel_load_deriving(const struct kernel *kernel, struct ruleset *rs)
{
	load(kernel, rs, true);
}

struct kernel
kernel_copy(const struct kernel *kernel)
{
	struct kernel copy = *kernel;

	copy.elements.v = mem_dup(kernel->elements.v,
	    kernel->elements.n * sizeof(*kernel->elements.v));
	copy.elements.cap = kernel->elements.n;
	return copy;
}

bool
kernel_eq(const struct kernel *a, const struct kernel *b)
{
	if (a->elements.n != b->elements.n)
		return false;
	for (size_t i = 0; i < a->elements.n; i++) {
		const struct element *x = &a->elements.v[i];
		const struct element *y = &b->elements.v[i];
		struct ruleset_op x_op = op_of(x);
		struct ruleset_op y_op = op_of(y);

		if (cmp_place(&x_op, &y_op) != 0 ||
		    memcmp(x->op.data, y->op.data, sizeof(x->op.data)) != 0 ||
		    strcmp(x->comment, y->comment) != 0)
			return false;
	}
	return true;
}

size_t
kernel_commit(struct ruleset *rs, struct kernel *kernel)
{
	kernel->n_added = 0;
	kernel->n_deleted = 0;
	ruleset_begin(rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(rs, kernel_op, kernel);
	ruleset_done(rs);
	ruleset_clear_moved(rs);
	assert_false(ruleset_is_dirty(rs));
	return kernel->n_added + kernel->n_deleted;
}

void
wish_add(struct wish *wish, unsigned int i)
{
	bool is_v4 = wish->frontend.addr.family == FAMILY_IPV4;
	uint8_t b[16] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i };

	wish->backends[wish->frontend.n_backends++] = (struct backend){
		.addr = addr_from_bytes(is_v4 ? FAMILY_IPV4 : FAMILY_IPV6, b),
		.port = 30000,
		.weight = 1,
		.node = "",
		.probe = "",
	};
}

struct wish *
wish_new(unsigned int eip, uint8_t protocol, uint64_t bits)
{
	struct wish *wish = mem_new(struct wish);
	uint8_t b[4] = { 198, 51, (uint8_t)(eip >> 8), (uint8_t)eip };

	wish->frontend =
	    (struct frontend){ .addr = addr_from_bytes(FAMILY_IPV4, b),
		    .protocol = protocol,
		    .port = 80,
		    .is_masqueraded = true,
		    .backends = wish->backends };
	for (unsigned int i = 0; i < 64; i++) {
		if (bits >> i & 1)
			wish_add(wish, i);
	}
	return wish;
}

void
wish_stage(struct ruleset *rs, const char *key, unsigned int eip,
    uint8_t protocol, uint64_t bits)
{
	struct wish *wish = wish_new(eip, protocol, bits);

	assert_int_equal(ruleset_stage(rs, key, &wish->frontend, 1, NULL), 0);
	free(wish);
}
