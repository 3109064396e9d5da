/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of the Services' counters, when the kernel refuses: who waits is
 * told in time, the log once.  What it reads is tested in tests/net.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include <cmocka.h>

#include "apply/totals.h"
#include "sys/log.h"
#include "sys/loop.h"

struct rig {
	struct loop *loop;
	int n_reads;
};

static void
on_read(void *arg)
{
	struct rig *rig = arg;

	rig->n_reads++;
	loop_stop(rig->loop);
}

static void
on_deadline(void *arg)
{
	(void)arg;
	fail_msg("nobody was told");
}

/* Lines of `text` in what is written to stderr meanwhile. */
static size_t
count_lines(FILE *f, const char *text)
{
	char line[1024];
	size_t n = 0;

	rewind(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	return n;
}

static void
test_refused(void **state)
{
	struct rig rig = { .loop = loop_new() };
	struct totals *totals = totals_new(rig.loop, on_read, &rig);
	struct loop_timer *deadline =
	    loop_timer_new(rig.loop, on_deadline, NULL);
	cap_t none = cap_init();
	int saved = dup(STDERR_FILENO);
	FILE *log = tmpfile();

	(void)state;
	assert_non_null(log);
	assert_int_equal(cap_set_proc(none), 0);
	cap_free(none);
	dup2(fileno(log), STDERR_FILENO);
	loop_timer_arm(deadline, 20 * MONO_S);
	for (int i = 1; i <= 3; i++) {
		mono_t since = loop_now(rig.loop);
		mono_t as_of;

		while (!totals_read(totals, since, &as_of))
			loop_run(rig.loop);
		assert_true(as_of >= since);
		assert_int_equal(rig.n_reads, i);
		assert_null(totals_get(totals, "static/default/web"));
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(count_lines(log, "cannot be read"), 1);
	assert_int_equal(count_lines(log, "Operation not permitted"), 1);
	fclose(log);
	totals_free(totals);
	loop_timer_free(deadline);
	loop_free(rig.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
	};

	log_init(LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
