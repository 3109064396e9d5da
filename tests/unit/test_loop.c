/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_loop: who gets a turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/loop.h"

enum {
	ROUNDS_MAX = 1000
};

struct fixture {
	struct loop *loop;
	struct loop_fd *fd;
	int pipe[2];
	int n_rounds;
	int n_reads;
};

static void
again(void *arg)
{
	struct fixture *f = arg;

	if (++f->n_rounds == 1)
		assert_int_equal(write(f->pipe[1], "x", 1), 1);
	if (f->n_rounds == ROUNDS_MAX)
		loop_stop(f->loop);
	else
		loop_defer(f->loop, again, f);
}

static void
on_readable(void *arg, unsigned int ready)
{
	struct fixture *f = arg;

	assert_int_equal(ready, LOOP_READ);
	f->n_reads++;
	loop_stop(f->loop);
}

/* Work that goes on and on leaves the descriptors their turn. */
static void
test_deferred_again_and_again(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_int_equal(pipe(f.pipe), 0);
	f.loop = loop_new();
	f.fd = loop_fd_new(f.loop, f.pipe[0], on_readable, &f);
	loop_defer(f.loop, again, &f);
	loop_fd_want(f.fd, LOOP_READ);
	loop_run(f.loop);
	assert_int_equal(f.n_reads, 1);
	assert_in_range(f.n_rounds, 1, 2);
	loop_forget(f.loop, &f);
	loop_fd_free(f.fd);
	loop_free(f.loop);
	close(f.pipe[0]);
	close(f.pipe[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deferred_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
