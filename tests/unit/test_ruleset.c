/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ruleset: differences, carried out by a kernel that refuses what is
 * wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/vec.h"
#include "plan/ruleset.h"
#include "ruleset_kernel.h"

enum {
	COUNTED = 2 + 2 /* counters, and elements that name them */
};

static void
flush(struct ruleset *rs)
{
	const struct ruleset_flush *flushes;
	size_t n;

	flushes = ruleset_flushes(rs, &n);
	for (size_t i = 0; i < n; i++) {
		if (flushes[i].frees_number)
			ruleset_free_number(rs, flushes[i].number);
	}
	ruleset_clear_flushes(rs);
}

struct fixture {
	struct ruleset *rs;
	struct kernel kernel;
};

static int
set_up(void **state)
{
	struct fixture *fx = mem_new(struct fixture);

	fx->rs = ruleset_new();
	kernel_load(&fx->kernel, fx->rs);
	*state = fx;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fx = *state;

	ruleset_free(fx->rs);
	vec_fini(&fx->kernel.elements);
	free(fx);
	return 0;
}

static void
test_minimal(void **state)
{
	static const struct {
		const char *name;
		uint64_t bits;
		size_t n_added;
		size_t n_deleted;
	} steps[] = {
		/* eip, svc, n backends, slots; what counts stays */
		{ "three backends", 7, 1 + 1 + 3 + 64 + COUNTED, 0 },
		{ "the same", 7, 0, 0 },
		{ "none: one element changes", 0, 1, 1 + 3 + 64 },
		{ "one: direct", 1, 2, 1 },
		{ "another one", 2, 1, 1 },
		{ "two", 3, 1 + 2 + 16, 1 + 1 },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		wish_stage(fx->rs, "c/n/a", 1, 6, steps[i].bits);
		kernel_commit(fx->rs, &fx->kernel);
		if (fx->kernel.n_added != steps[i].n_added ||
		    fx->kernel.n_deleted != steps[i].n_deleted)
			fail_msg("%s: %zu added, %zu deleted", steps[i].name,
			    fx->kernel.n_added, fx->kernel.n_deleted);
	}
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", NULL, 0, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(fx->kernel.elements.n, 0);
}

static void
test_one_backend_of_four(void **state)
{
	struct fixture *fx = *state;
	const struct ruleset_flush *flushes;
	size_t n;

	wish_stage(fx->rs, "c/n/a", 1, 17, 15);
	kernel_commit(fx->rs, &fx->kernel);
	flush(fx->rs);
	wish_stage(fx->rs, "c/n/a", 1, 17, 13);
	kernel_commit(fx->rs, &fx->kernel);
	/* 16 slots of its own, few of others, its own element. */
	assert_in_range(fx->kernel.n_added, 16, 28);
	assert_int_equal(fx->kernel.n_deleted, fx->kernel.n_added + 1);
	flushes = ruleset_flushes(fx->rs, &n);
	assert_int_equal(n, 1);
	assert_int_equal(flushes[0].mask, RULESET_FLUSH_BACKEND);
	assert_int_equal(flushes[0].mark & 0xff, 1);
	assert_false(flushes[0].is_unreplied_only);
	/* It returns under another index. */
	ruleset_clear_flushes(fx->rs);
	wish_stage(fx->rs, "c/n/a", 1, 17, 15);
	kernel_commit(fx->rs, &fx->kernel);
	wish_stage(fx->rs, "c/n/a", 1, 17, 13);
	kernel_commit(fx->rs, &fx->kernel);
	flushes = ruleset_flushes(fx->rs, &n);
	assert_int_equal(flushes[0].mark & 0xff, 4);
	ruleset_clear_flushes(fx->rs);
}

static void
test_flush_of_tcp(void **state)
{
	struct fixture *fx = *state;
	const struct ruleset_flush *flushes;
	size_t n;

	wish_stage(fx->rs, "c/n/a", 1, 6, 0);
	kernel_commit(fx->rs, &fx->kernel);
	wish_stage(fx->rs, "c/n/a", 1, 6, 7);
	kernel_commit(fx->rs, &fx->kernel);
	flushes = ruleset_flushes(fx->rs, &n);
	assert_int_equal(n, 0);
	wish_stage(fx->rs, "c/n/a", 1, 6, 3);
	kernel_commit(fx->rs, &fx->kernel);
	flushes = ruleset_flushes(fx->rs, &n);
	assert_int_equal(n, 1);
	assert_true(flushes[0].is_unreplied_only);
	ruleset_clear_flushes(fx->rs);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", NULL, 0, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	flushes = ruleset_flushes(fx->rs, &n);
	assert_int_equal(n, 1);
	assert_int_equal(flushes[0].mask, RULESET_FLUSH_FRONTEND);
	assert_false(flushes[0].is_unreplied_only);
	flush(fx->rs);
}

static uint32_t
number_of(const struct fixture *fx, unsigned int eip)
{
	const struct element *element;

	VEC_FOREACH (element, &fx->kernel.elements) {
		uint32_t mark;

		if (element->op.set != RULESET_SET_SVC ||
		    element->op.key[2] != eip >> 8 ||
		    element->op.key[3] != (eip & 0xff))
			continue;
		memcpy(&mark, element->op.data, sizeof(mark));
		return mark & RULESET_MARK_NUMBER;
	}
	return UINT32_MAX;
}

static void
test_numbers(void **state)
{
	struct fixture *fx = *state;
	uint32_t first;

	for (unsigned int i = 0; i < 3; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c/n/%u", i);
		wish_stage(fx->rs, key, i, 6, 3);
	}
	kernel_commit(fx->rs, &fx->kernel);
	first = number_of(fx, 0);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/0", NULL, 0, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	/* Its flows are not forgotten yet: nobody gets the number. */
	wish_stage(fx->rs, "c/n/8", 8, 6, 3);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_not_equal(number_of(fx, 8), first);
	flush(fx->rs);
	wish_stage(fx->rs, "c/n/9", 9, 6, 3);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(number_of(fx, 9), first);
}

static void
test_shard_has_a_limit(void **state)
{
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < 40; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c/n/%u", i);
		wish_stage(fx->rs, key, i, 6, (UINT64_C(1) << 33) - 1);
	}
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_SLOTS),
	    40 * 1024);
	assert_true(fx->kernel.shards[SLOTS_CLASS_1024][0]);
	assert_true(fx->kernel.shards[SLOTS_CLASS_1024][1]);
	assert_int_equal(number_of(fx, 32), 512);
}

static void
test_refused(void **state)
{
	struct fixture *fx = *state;
	struct wish *wish = wish_new(1, 6, 1);
	struct frontend twice[2] = { wish->frontend, wish->frontend };
	struct err err;
	char key[300];

	wish_stage(fx->rs, "c/n/a", 1, 6, 3);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/b", &wish->frontend, 1,
			     &err),
	    -EEXIST);
	assert_string_equal(err.text,
	    "c/n/b: 198.51.0.1 TCP 80 belongs to c/n/a; choose another port "
	    "or address");
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", twice, 2, &err),
	    -EEXIST);
	memset(key, 'k', sizeof(key));
	key[251] = '\0';
	assert_int_equal(ruleset_stage(fx->rs, key, NULL, 0, &err), -ENOSPC);
	while (wish->frontend.n_backends < 256)
		wish_add(wish, 1000 + (unsigned int)wish->frontend.n_backends);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", &wish->frontend, 1,
			     &err),
	    -ENOSPC);
	wish->backends[0].state = BACKEND_DOWN;
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", &wish->frontend, 1,
			     &err),
	    0);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_BACKENDS), 255);
	free(wish);
}

/* Every shard is full of frontends with 1024 slots. */
static void
load_full(struct ruleset *rs)
{
	size_t per_shard = slots_per_shard(SLOTS_CLASS_1024);

	ruleset_load_begin(rs);
	for (unsigned int i = 0; i < RULESET_SHARDS_MAX * per_shard; i++) {
		uint32_t shard = i / (uint32_t)per_shard;
		uint32_t mark = RULESET_MARK_OURS |
		    SLOTS_CLASS_1024 << RULESET_MARK_CLASS_SHIFT |
		    (shard * RULESET_SHARD_NUMBERS + i % (uint32_t)per_shard);
		struct ruleset_op op = { .set = RULESET_SET_SVC,
			.family = FAMILY_IPV4,
			.key_len = 12,
			.key = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			    (uint8_t)i, IP_PROTOCOL_TCP },
			.data_len = 4,
			.comment = "c/n/full" };

		memcpy(op.data, &mark, sizeof(mark));
		ruleset_load_shard(rs, SLOTS_CLASS_1024, shard);
		assert_true(ruleset_load_element(rs, &op));
	}
	ruleset_load_end(rs);
}

/* Its first frontend fits, its second does not: then none is staged. */
static void
test_numbers_used_up(void **state)
{
	struct ruleset *rs = ruleset_new();
	struct wish *wish = wish_new(1, 6, (UINT64_C(1) << 33) - 1);
	struct frontend two[2] = { wish->frontend, wish->frontend };
	struct ruleset_totals before;
	struct err err;

	(void)state;
	load_full(rs);
	while (ruleset_is_dirty(rs)) { /* what they lack */
		ruleset_begin(rs, SIZE_MAX, SIZE_MAX);
		ruleset_done(rs);
	}
	ruleset_clear_moved(rs);
	before = ruleset_totals(rs);
	two[0].n_backends = 1;
	two[1].port = 81;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ruleset_stage(rs, "c/n/a", two, 2, &err),
		    -ENOSPC);
		assert_non_null(strstr(err.text, "used up"));
		assert_false(ruleset_is_dirty(rs));
		assert_int_equal(ruleset_totals(rs).n_frontends,
		    before.n_frontends);
		assert_int_equal(ruleset_totals(rs).n_services,
		    before.n_services);
	}
	assert_int_equal(ruleset_stage(rs, "c/n/a", two, 1, &err), 0);
	assert_true(ruleset_is_dirty(rs));
	free(wish);
	ruleset_free(rs);
}

static void
test_handed_over(void **state)
{
	struct fixture *fx = *state;
	uint32_t number;

	wish_stage(fx->rs, "c/n/a", 1, 6, 3);
	kernel_commit(fx->rs, &fx->kernel);
	number = number_of(fx, 1);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", NULL, 0, NULL), 0);
	wish_stage(fx->rs, "c/n/b", 1, 6, 3);
	/* The address never leaves. */
	ruleset_begin(fx->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(fx->rs, kernel_op, &fx->kernel);
	ruleset_done(fx->rs);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_EIP), 1);
	assert_int_not_equal(number_of(fx, 1), number);
	flush(fx->rs);
	/* And back again before anything is committed: nothing to do. */
	assert_int_equal(ruleset_stage(fx->rs, "c/n/b", NULL, 0, NULL), 0);
	wish_stage(fx->rs, "c/n/c", 1, 6, 3);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/c", NULL, 0, NULL), 0);
	wish_stage(fx->rs, "c/n/b", 1, 6, 3);
	assert_int_equal(kernel_commit(fx->rs, &fx->kernel), 0);
}

static void
test_chunks(void **state)
{
	struct fixture *fx = *state;
	size_t n_transactions = 0;

	for (unsigned int i = 0; i < 10; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c/n/%u", i);
		wish_stage(fx->rs, key, i, 6, 7);
	}
	while (ruleset_is_dirty(fx->rs)) {
		assert_in_range(ruleset_begin(fx->rs, 4, SIZE_MAX), 1, 4);
		ruleset_diff(fx->rs, kernel_op, &fx->kernel);
		ruleset_done(fx->rs);
		n_transactions++;
	}
	assert_int_equal(n_transactions, 3);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_SVC), 10);
}

static void
test_restart(void **state)
{
	struct fixture *fx = *state;
	struct ruleset *again = ruleset_new();

	wish_stage(fx->rs, "c/n/a", 1, 6, 7);
	wish_stage(fx->rs, "c/n/b", 2, 17, 1);
	wish_stage(fx->rs, "c/n/c", 3, 6, 0);
	kernel_commit(fx->rs, &fx->kernel);
	wish_stage(fx->rs, "c/n/a", 1, 6, 14);
	kernel_commit(fx->rs, &fx->kernel);
	kernel_load(&fx->kernel, again);
	assert_false(ruleset_is_dirty(again));
	assert_int_equal(ruleset_totals(again).n_services, 3);
	wish_stage(again, "c/n/c", 3, 6, 0);
	wish_stage(again, "c/n/b", 2, 17, 1);
	wish_stage(again, "c/n/a", 1, 6, 14);
	assert_false(ruleset_is_dirty(again));
	ruleset_free(again);
}

/* Indexes as they came about, not in order of address: 1, 2, 3, 0. */
static void
test_derived_slots(void **state)
{
	struct fixture *fx = *state;
	struct ruleset *again = ruleset_new();

	wish_stage(fx->rs, "c/n/a", 1, 6, 0xe);
	wish_stage(fx->rs, "c/n/b", 2, 17, 0xffff);
	wish_stage(fx->rs, "c/n/c", 3, 6, 1);
	wish_stage(fx->rs, "c/n/d", 4, 6, 0);
	kernel_commit(fx->rs, &fx->kernel);
	wish_stage(fx->rs, "c/n/a", 1, 6, 0xf);
	wish_stage(fx->rs, "c/n/b", 2, 17, 0xfff7);
	kernel_commit(fx->rs, &fx->kernel);
	kernel_load_deriving(&fx->kernel, again);
	assert_false(ruleset_is_dirty(again));
	wish_stage(again, "c/n/a", 1, 6, 0xf);
	wish_stage(again, "c/n/b", 2, 17, 0xfff7);
	assert_false(ruleset_is_dirty(again));
	wish_stage(again, "c/n/a", 1, 6, 0x7);
	kernel_commit(again, &fx->kernel);
	ruleset_free(again);
}

static void
on_lost(void *arg, const struct ruleset_op *op)
{
	struct ruleset_count count;

	kernel_op(arg, op);
	if (op->set != RULESET_SET_COUNTER)
		return;
	memcpy(&count, op->data, sizeof(count));
	assert_int_equal(count.packets + count.bytes,
	    op->key[0] == RULESET_COUNTER_CONN ? 307 : 0);
}

/* A new table in place of one that had counted. */
static void
test_counts_go_on(void **state)
{
	struct fixture *fx = *state;
	struct ruleset_count count = { .packets = 7, .bytes = 300 };
	struct ruleset_op op = { .set = RULESET_SET_COUNTER,
		.key_len = 1,
		.key = { RULESET_COUNTER_CONN },
		.data_len = sizeof(count),
		.comment = "c/n/a" };

	wish_stage(fx->rs, "c/n/a", 1, 6, 3);
	kernel_commit(fx->rs, &fx->kernel);
	vec_clear(&fx->kernel.elements);
	memset(fx->kernel.shards, 0, sizeof(fx->kernel.shards));
	ruleset_load_lost(fx->rs);
	memcpy(op.data, &count, sizeof(count));
	ruleset_load_count(fx->rs, &op);
	ruleset_begin(fx->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(fx->rs, on_lost, &fx->kernel);
	ruleset_done(fx->rs);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_COUNTER), 2);
}

static void
on_no_counter(void *arg, const struct ruleset_op *op)
{
	assert_int_not_equal(op->set, RULESET_SET_COUNTER);
	kernel_op(arg, op);
}

/* The totals of a Service stay while any of its frontends does. */
static void
test_counters(void **state)
{
	struct fixture *fx = *state;
	struct wish *wish = wish_new(1, 6, 3);
	struct frontend two[2] = { wish->frontend, wish->frontend };
	const struct element *element;

	two[1].port = 443;
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", two, 2, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_COUNTER), 2);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_ACCT), 2);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_CONN), 2);
	/* One port goes, then the other is exchanged. */
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", two, 1, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_CONN), 1);
	two[0].port = 8443;
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", two, 1, NULL), 0);
	ruleset_begin(fx->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(fx->rs, on_no_counter, &fx->kernel);
	ruleset_done(fx->rs);
	/* Another Service begins at zero. */
	assert_int_equal(ruleset_stage(fx->rs, "c/n/a", NULL, 0, NULL), 0);
	assert_int_equal(ruleset_stage(fx->rs, "c/n/b", two, 1, NULL), 0);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_COUNTER), 2);
	VEC_FOREACH (element, &fx->kernel.elements) {
		if (element->op.set == RULESET_SET_COUNTER)
			assert_string_equal(element->comment, "c/n/b");
	}
	free(wish);
}

/* Whatever is lost, changed or added: load and commit restore it exactly. */
static void
test_repair(void **state)
{
	struct fixture *fx = *state;
	struct kernel before;

	wish_stage(fx->rs, "c/n/a", 1, 6, 7);
	wish_stage(fx->rs, "c/n/b", 2, 17, 1);
	wish_stage(fx->rs, "c/n/c", 3, 6, 0);
	kernel_commit(fx->rs, &fx->kernel);
	before = kernel_copy(&fx->kernel);
	for (size_t i = 0; i < before.elements.n; i++) {
		struct element *element;

		vec_remove(&fx->kernel.elements, i);
		kernel_load(&fx->kernel, fx->rs);
		assert_true(ruleset_is_dirty(fx->rs));
		kernel_commit(fx->rs, &fx->kernel);
		assert_true(kernel_eq(&fx->kernel, &before));
		element = &fx->kernel.elements.v[i];
		if (element->op.data_len == 0 ||
		    element->op.set == RULESET_SET_COUNTER)
			continue; /* that moves all the time */
		element->op.data[i % element->op.data_len] ^= 0x41;
		kernel_load(&fx->kernel, fx->rs);
		assert_true(ruleset_is_dirty(fx->rs));
		kernel_commit(fx->rs, &fx->kernel);
		assert_true(kernel_eq(&fx->kernel, &before));
		flush(fx->rs);
	}
	/* Everything at once. */
	vec_clear(&fx->kernel.elements);
	memset(fx->kernel.shards, 0, sizeof(fx->kernel.shards));
	kernel_load(&fx->kernel, fx->rs);
	kernel_commit(fx->rs, &fx->kernel);
	assert_true(kernel_eq(&fx->kernel, &before));
	vec_fini(&before.elements);
}

static void
test_foreign_service(void **state)
{
	struct fixture *fx = *state;
	struct fixture other = { .rs = ruleset_new() };

	wish_stage(fx->rs, "c/n/a", 1, 6, 7);
	kernel_commit(fx->rs, &fx->kernel);
	kernel_load(&fx->kernel, other.rs);
	wish_stage(other.rs, "c/n/b", 2, 6, 7);
	kernel_commit(other.rs, &fx->kernel);
	kernel_load(&fx->kernel, fx->rs);
	kernel_commit(fx->rs, &fx->kernel);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_SVC), 1);
	assert_int_equal(kernel_count(&fx->kernel, RULESET_SET_SLOTS), 64);
	ruleset_free(other.rs);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Any order of events ends where staging all of it at once ends. */
static void
test_churn(void **state)
{
	struct fixture *fx = *state;
	struct ruleset *fresh = ruleset_new();
	struct kernel copy;
	uint64_t bits[16] = { 0 };
	bool is_staged[16] = { false };
	uint32_t seed = 7;

	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int i = next_random(&seed) % 16;
		char key[16];

		snprintf(key, sizeof(key), "c/n/%u", i);
		is_staged[i] = next_random(&seed) % 8 != 0;
		bits[i] = next_random(&seed) & next_random(&seed) & 0xfff;
		if (is_staged[i])
			wish_stage(fx->rs, key, i, i % 2 ? 6 : 17, bits[i]);
		else
			assert_int_equal(ruleset_stage(fx->rs, key, NULL, 0,
					     NULL),
			    0);
		if (next_random(&seed) % 4 == 0)
			kernel_commit(fx->rs, &fx->kernel);
		if (next_random(&seed) % 16 == 0)
			flush(fx->rs);
		if (next_random(&seed) % 32 == 0 && fx->kernel.elements.n > 0)
			vec_remove(&fx->kernel.elements,
			    next_random(&seed) % fx->kernel.elements.n);
		else if (next_random(&seed) % 32 != 0)
			continue;
		kernel_load(&fx->kernel, fx->rs);
	}
	kernel_load(&fx->kernel, fx->rs);
	kernel_commit(fx->rs, &fx->kernel);
	copy = kernel_copy(&fx->kernel);
	kernel_load(&fx->kernel, fresh);
	assert_false(ruleset_is_dirty(fresh));
	for (unsigned int i = 0; i < 16; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c/n/%u", i);
		if (is_staged[i])
			wish_stage(fresh, key, i, i % 2 ? 6 : 17, bits[i]);
	}
	assert_false(ruleset_is_dirty(fresh));
	assert_true(kernel_eq(&copy, &fx->kernel));
	vec_fini(&copy.elements);
	ruleset_free(fresh);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_minimal),
		TEST(test_one_backend_of_four),
		TEST(test_flush_of_tcp),
		TEST(test_numbers),
		TEST(test_shard_has_a_limit),
		TEST(test_refused),
		TEST(test_numbers_used_up),
		TEST(test_handed_over),
		TEST(test_chunks),
		TEST(test_restart),
		TEST(test_derived_slots),
		TEST(test_counters),
		TEST(test_counts_go_on),
		TEST(test_repair),
		TEST(test_foreign_service),
		TEST(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
