/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ruleset_flow: flows that nobody has asked to be forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "plan/ruleset.h"
#include "ruleset_kernel.h"

enum {
	UDP = 17,
	TCP = 6,
	REPLIED = true
};

/* To the backend `i` of the frontend at 198.51.100.EIP. */
static struct ruleset_flow
flow_to(uint32_t mark, unsigned int eip, uint8_t protocol, unsigned int i)
{
	uint8_t to[4] = { 198, 51, 0, (uint8_t)eip };
	uint8_t backend[4] = { 10, 0, 0, (uint8_t)i };

	return (struct ruleset_flow){ .mark = mark,
		.protocol = protocol,
		.frontend = addr_from_bytes(FAMILY_IPV4, to),
		.port = 80,
		.backend = addr_from_bytes(FAMILY_IPV4, backend),
		.backend_port = 30000 };
}

static void
test_stale_flows(void **state)
{
	static const uint32_t ours = RULESET_MARK_OURS;
	static const uint32_t direct = RULESET_MARK_OURS | RULESET_MARK_CLASS;
	struct ruleset *rs = ruleset_new();
	struct kernel kernel = { 0 };
	const struct {
		const char *name;
		uint32_t mark; /* the numbers are 0, 1 and 2 */
		unsigned int eip;
		uint8_t protocol;
		unsigned int backend;
		bool is_replied;
		bool is_stale;
	} cases[] = {
		{ "right", ours | 1, 1, UDP, 1, REPLIED, false },
		{ "masqueraded", ours | RULESET_MARK_MASQUERADE | 1, 1, UDP, 1,
		    REPLIED, false },
		{ "from when it was the only one", direct, 1, UDP, 1, REPLIED,
		    false },
		{ "from before it was the only one", ours | 2 << 8 | 0, 3, UDP,
		    1, REPLIED, false },
		{ "backend gone", ours | 5, 1, UDP, 5, REPLIED, true },
		{ "backend gone, its mark reused", ours | 1, 1, UDP, 5, REPLIED,
		    true },
		{ "only backend gone", direct | 2, 3, UDP, 5, REPLIED, true },
		{ "backend that left and came back", ours | 7, 1, UDP, 1,
		    REPLIED, true },
		{ "number of another frontend", ours | 1 << 8 | 1, 1, UDP, 1,
		    REPLIED, true },
		{ "frontend gone", ours | 9 << 8, 9, UDP, 1, REPLIED, true },
		{ "frontend gone, its number reused", ours | 1, 9, UDP, 1,
		    REPLIED, true },
		{ "right TCP", ours | 1 << 8 | 1, 2, TCP, 1, REPLIED, false },
		{ "established TCP, backend gone", ours | 1 << 8 | 5, 2, TCP, 5,
		    REPLIED, false },
		{ "established TCP, other number", ours | 9 << 8 | 1, 2, TCP, 1,
		    REPLIED, false },
		{ "TCP without an answer, backend gone", ours | 1 << 8 | 5, 2,
		    TCP, 5, !REPLIED, true },
		{ "established TCP, frontend gone", ours | 9 << 8, 9, TCP, 1,
		    REPLIED, true },
		{ "no mark", 0, 9, UDP, 1, REPLIED, false },
		{ "mark of others", 0x40000000, 9, UDP, 1, REPLIED, false },
		{ "with our top bit", 0xa0000000, 9, UDP, 1, REPLIED, false },
		{ "with a number that is none", ours | 0x0fffffff, 9, UDP, 1,
		    REPLIED, false },
	};

	(void)state;
	kernel_load(&kernel, rs);
	wish_stage(rs, "c/n/a", 1, UDP, 7);
	kernel_commit(rs, &kernel);
	wish_stage(rs, "c/n/b", 2, TCP, 7);
	kernel_commit(rs, &kernel);
	wish_stage(rs, "c/n/c", 3, UDP, 2);
	kernel_commit(rs, &kernel);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ruleset_flow flow = flow_to(cases[i].mark, cases[i].eip,
		    cases[i].protocol, cases[i].backend);

		flow.is_replied = cases[i].is_replied;
		if (ruleset_judge_flow(rs, &flow) != cases[i].is_stale)
			fail_msg("%s", cases[i].name);
	}
	vec_fini(&kernel.elements);
	ruleset_free(rs);
}

/* What is going is there, what is lost is as good as there. */
static void
test_stale_flows_meanwhile(void **state)
{
	struct ruleset *rs = ruleset_new();
	struct kernel kernel = { 0 };
	struct ruleset_flow flow = flow_to(RULESET_MARK_OURS | 1, 1, UDP, 1);

	(void)state;
	kernel_load(&kernel, rs);
	wish_stage(rs, "c/n/a", 1, UDP, 7);
	kernel_commit(rs, &kernel);
	assert_int_equal(ruleset_stage(rs, "c/n/a", NULL, 0, NULL), 0);
	assert_false(ruleset_judge_flow(rs, &flow));
	wish_stage(rs, "c/n/a", 1, UDP, 7);
	ruleset_load_lost(rs);
	assert_false(ruleset_judge_flow(rs, &flow));
	assert_int_equal(ruleset_stage(rs, "c/n/a", NULL, 0, NULL), 0);
	assert_true(ruleset_judge_flow(rs, &flow));
	vec_fini(&kernel.elements);
	ruleset_free(rs);
}

static bool
has_flush(struct ruleset *rs, uint32_t mark, uint32_t mask,
    bool is_unreplied_only)
{
	size_t n;
	const struct ruleset_flush *flushes = ruleset_flushes(rs, &n);

	for (size_t i = 0; i < n; i++)
		if ((flushes[i].mark & mask) == (mark & mask) &&
		    flushes[i].mask == mask &&
		    flushes[i].is_unreplied_only == is_unreplied_only)
			return true;
	return false;
}

/* Its index is not in the kernel: flows of it tell. */
static void
test_last_backend_after_restart(void **state)
{
	struct ruleset *before = ruleset_new();
	struct ruleset *rs = ruleset_new();
	struct kernel kernel = { 0 };
	struct ruleset_flow flow = flow_to(RULESET_MARK_OURS | 1, 1, UDP, 1);

	(void)state;
	kernel_load(&kernel, before);
	wish_stage(before, "c/n/a", 1, UDP, 7);
	kernel_commit(before, &kernel);
	wish_stage(before, "c/n/a", 1, UDP, 2);
	kernel_commit(before, &kernel);
	kernel_load(&kernel, rs);
	assert_false(ruleset_judge_flow(rs, &flow));
	wish_stage(rs, "c/n/a", 1, UDP, 10);
	kernel_commit(rs, &kernel);
	assert_false(ruleset_judge_flow(rs, &flow));
	wish_stage(rs, "c/n/a", 1, UDP, 8);
	kernel_commit(rs, &kernel);
	assert_true(has_flush(rs, flow.mark, RULESET_FLUSH_BACKEND, false));
	vec_fini(&kernel.elements);
	ruleset_free(rs);
	ruleset_free(before);
}

/* Nobody is held to how he was treated before there was a backend. */
static void
test_flows_from_before(void **state)
{
	struct ruleset *rs = ruleset_new();
	struct kernel kernel = { 0 };
	struct ruleset_flow udp = flow_to(0, 1, UDP, 1);

	(void)state;
	udp.is_untranslated = true;
	kernel_load(&kernel, rs);
	assert_false(ruleset_judge_flow(rs, &udp));
	wish_stage(rs, "c/n/a", 1, UDP, 0);
	kernel_commit(rs, &kernel);
	assert_false(has_flush(rs, 0, RULESET_FLUSH_SWEEP, false));
	assert_false(ruleset_judge_flow(rs, &udp));
	wish_stage(rs, "c/n/a", 1, UDP, 3);
	wish_stage(rs, "c/n/b", 2, TCP, 3);
	kernel_commit(rs, &kernel);
	assert_true(has_flush(rs, 0, RULESET_FLUSH_SWEEP, false));
	assert_true(ruleset_judge_flow(rs, &udp));
	ruleset_clear_flushes(rs);
	wish_stage(rs, "c/n/a", 1, UDP, 7);
	wish_stage(rs, "c/n/c", 3, TCP, 3);
	kernel_commit(rs, &kernel);
	assert_false(has_flush(rs, 0, RULESET_FLUSH_SWEEP, false));
	vec_fini(&kernel.elements);
	ruleset_free(rs);
}

/* Established TCP that was left goes with the frontend, whatever its mark. */
static void
test_last_of_a_frontend(void **state)
{
	static const uint32_t direct = RULESET_MARK_OURS | RULESET_MARK_CLASS;
	struct ruleset *rs = ruleset_new();
	struct kernel kernel = { 0 };
	struct ruleset_flow flow =
	    flow_to(RULESET_MARK_OURS | 9 << 8 | 1, 2, TCP, 1);

	(void)state;
	kernel_load(&kernel, rs);
	wish_stage(rs, "c/n/a", 1, TCP, 1);
	wish_stage(rs, "c/n/b", 2, TCP, 3);
	kernel_commit(rs, &kernel);
	wish_stage(rs, "c/n/a", 1, TCP, 6);
	kernel_commit(rs, &kernel);
	assert_true(has_flush(rs, direct, RULESET_FLUSH_BACKEND, true));
	ruleset_clear_flushes(rs);
	assert_int_equal(ruleset_stage(rs, "c/n/a", NULL, 0, NULL), 0);
	kernel_commit(rs, &kernel);
	assert_true(has_flush(rs, direct, RULESET_FLUSH_BACKEND, false));
	assert_false(has_flush(rs, 0, RULESET_FLUSH_SWEEP, false));
	ruleset_clear_flushes(rs);
	flow.is_replied = true;
	assert_false(ruleset_judge_flow(rs, &flow));
	assert_int_equal(ruleset_stage(rs, "c/n/b", NULL, 0, NULL), 0);
	kernel_commit(rs, &kernel);
	assert_true(has_flush(rs, 0, RULESET_FLUSH_SWEEP, false));
	vec_fini(&kernel.elements);
	ruleset_free(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale_flows),
		cmocka_unit_test(test_stale_flows_meanwhile),
		cmocka_unit_test(test_last_backend_after_restart),
		cmocka_unit_test(test_flows_from_before),
		cmocka_unit_test(test_last_of_a_frontend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
