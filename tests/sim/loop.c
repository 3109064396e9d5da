/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: sys/loop.h, clock.h and log.h on virtual time.
 *
 * A turn takes what is due in an order that the seed decides.  Reading the
 * clock takes a few microseconds, so that slices of work end.
 */
#include "sys/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "sys/clock.h"
#include "sys/log.h"

/* 2026-01-01. */
#define WALL_BEGIN_US (INT64_C(1767225600) * MONO_S)

struct loop_timer {
	void (*fn)(void *arg);
	void *arg;
	mono_t due; /* 0: not armed */
};

struct loop_fd {
	int fd;
	unsigned int wanted;
	void (*fn)(void *arg, unsigned int ready);
	void *arg;
};

struct deferred {
	void (*fn)(void *arg);
	void *arg;
};

struct later {
	mono_t due;
	struct deferred what;
};

struct loop {
	VEC(struct loop_timer *) timers;
	VEC(struct loop_fd *) fds;
	VEC(struct deferred) deferred;
};

static mono_t now = MONO_S;
static int64_t wall_offset_us;
static uint64_t chance;
static uint64_t daemon_chance;
static bool is_verbose;
static struct loop *the_loop; /* NULL: the daemon is down */
static VEC(struct later) laters;
static unsigned int operations_left; /* 0: no crash is planned */
static bool can_crash;
static jmp_buf crash_jmp;

static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
sim_loop_init(uint64_t seed, bool verbose)
{
	chance = seed;
	daemon_chance = ~seed;
	is_verbose = verbose;
}

mono_t
sim_now(void)
{
	return now;
}

uint32_t
sim_random(uint32_t below)
{
	return below ? (uint32_t)(next(&chance) >> 32) % below : 0;
}

void
sim_step_wall(int64_t by_s)
{
	wall_offset_us += by_s * MONO_S;
}

/* ---- clock ---- */

mono_t
clock_mono(void)
{
	now += 1 + (int64_t)(next(&daemon_chance) & 7);
	return now;
}

int64_t
clock_wall_us(void)
{
	return WALL_BEGIN_US + wall_offset_us + now;
}

wall_t
clock_wall(void)
{
	return clock_wall_us() / MONO_S;
}

uint32_t
clock_random(void)
{
	return (uint32_t)(next(&daemon_chance) >> 32);
}

/* ---- log ---- */

void
log_init(enum log_level max)
{
	(void)max;
}

void
log_set_level(enum log_level max)
{
	(void)max;
}

bool
log_wants(enum log_level level)
{
	return is_verbose && level <= LOG_LEVEL_INFO;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(level))
		return;
	printf("%12.6f  | ", (double)now / MONO_S);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- the daemon's loop ---- */

struct loop *
loop_new(void)
{
	the_loop = mem_new(struct loop);
	return the_loop;
}

static void
run_deferred(struct loop *loop)
{
	struct deferred *v = loop->deferred.v;
	size_t n = loop->deferred.n;

	loop->deferred.v = NULL;
	loop->deferred.n = 0;
	loop->deferred.cap = 0;
	for (size_t i = 0; i < n; i++)
		v[i].fn(v[i].arg);
	free(v);
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->deferred.n)
		run_deferred(loop);
	vec_fini(&loop->timers);
	vec_fini(&loop->fds);
	vec_fini(&loop->deferred);
	free(loop);
	the_loop = NULL;
}

void
sim_loop_forget(void)
{
	the_loop = NULL;
}

mono_t
loop_now(const struct loop *loop)
{
	(void)loop;
	return clock_mono();
}

struct loop_fd *
loop_fd_new(struct loop *loop, int fd,
    void (*fn)(void *arg, unsigned int ready), void *arg)
{
	struct loop_fd *lfd = mem_new(struct loop_fd);

	*lfd = (struct loop_fd){ .fd = fd, .fn = fn, .arg = arg };
	vec_push(&loop->fds, lfd);
	return lfd;
}

void
loop_fd_want(struct loop_fd *lfd, unsigned int what)
{
	lfd->wanted = what;
}

void
loop_fd_free(struct loop_fd *lfd)
{
	for (size_t i = the_loop->fds.n; lfd && i-- > 0;)
		if (the_loop->fds.v[i] == lfd)
			vec_remove(&the_loop->fds, i);
	free(lfd);
}

struct loop_timer *
loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *timer = mem_new(struct loop_timer);

	*timer = (struct loop_timer){ .fn = fn, .arg = arg };
	vec_push(&loop->timers, timer);
	return timer;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t delay_us)
{
	timer->due = now + (delay_us > 0 ? delay_us : 0);
}

void
loop_timer_disarm(struct loop_timer *timer)
{
	timer->due = 0;
}

int
loop_timer_is_armed(const struct loop_timer *timer)
{
	return timer->due != 0;
}

void
loop_timer_free(struct loop_timer *timer)
{
	for (size_t i = the_loop->timers.n; timer && i-- > 0;)
		if (the_loop->timers.v[i] == timer)
			vec_remove(&the_loop->timers, i);
	free(timer);
}

void
loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	vec_push(&loop->deferred, (struct deferred){ fn, arg });
}

void
loop_forget(struct loop *loop, const void *arg)
{
	for (size_t i = loop->deferred.n; i-- > 0;)
		if (loop->deferred.v[i].arg == arg)
			vec_remove(&loop->deferred, i);
}

int64_t
loop_jitter(int64_t base_us, unsigned int percent)
{
	int64_t span = base_us * (int64_t)percent / 100;

	return span > 0 ? base_us - (int64_t)clock_random() % span : base_us;
}

int64_t
loop_max_stall_us(const struct loop *loop)
{
	(void)loop;
	return 0;
}

void
loop_on_stall(struct loop *loop, void (*fn)(void *arg, int64_t us), void *arg)
{
	(void)loop;
	(void)fn;
	(void)arg;
}

/* ---- turns ---- */

void
sim_after(int64_t delay_us, void (*fn)(void *arg), void *arg)
{
	struct later later = { now + (delay_us > 0 ? delay_us : 0),
		{ fn, arg } };

	vec_push(&laters, later);
}

void
sim_operation(const char *what)
{
	if (!operations_left || !can_crash || --operations_left > 0)
		return;
	sim_tell("    eipd is killed: %s", what);
	longjmp(crash_jmp, 1);
}

void
sim_crash_at(unsigned int n)
{
	operations_left = n;
}

/* Runs one model's action that is due; false: none is. */
static bool
run_later(void)
{
	for (size_t i = 0; i < laters.n; i++) {
		struct later later = laters.v[i];

		if (later.due > now)
			continue;
		vec_remove(&laters, i);
		later.what.fn(later.what.arg);
		return true;
	}
	return false;
}

/* One of the daemon's callbacks that are due, by chance. */
static bool
run_callback(struct loop *loop)
{
	struct loop_timer *timer = NULL;
	struct loop_fd *fd = NULL;
	unsigned int ready = 0;
	uint32_t n = 0;

	for (size_t i = 0; i < loop->timers.n; i++)
		if (loop->timers.v[i]->due && loop->timers.v[i]->due <= now &&
		    sim_random(++n) == 0)
			timer = loop->timers.v[i];
	for (size_t i = 0; i < loop->fds.n; i++) {
		struct loop_fd *lfd = loop->fds.v[i];
		unsigned int is =
		    lfd->wanted ? router_ready(lfd->fd) & lfd->wanted : 0;

		if (is && sim_random(++n) == 0) {
			fd = lfd;
			ready = is;
		}
	}
	if (fd) {
		fd->fn(fd->arg, ready);
	} else if (timer) {
		timer->due = 0;
		timer->fn(timer->arg);
	}
	return n > 0;
}

/* True if there was something to do at this instant. */
static bool
turn(void)
{
	bool is_busy = run_later();

	if (!the_loop)
		return is_busy;
	while (the_loop && run_callback(the_loop)) {
		is_busy = true;
		if (sim_random(3) == 0)
			break;
	}
	/* libevent runs what deferred work defers before it looks at timers
	 * and descriptors again. */
	while (the_loop && the_loop->deferred.n) {
		run_deferred(the_loop);
		is_busy = true;
	}
	return is_busy;
}

static bool
guarded_turn(void)
{
	bool is_busy;

	if (setjmp(crash_jmp) != 0) {
		can_crash = false;
		sim_crashed();
		return true;
	}
	can_crash = true;
	is_busy = turn();
	can_crash = false;
	return is_busy;
}

static mono_t
next_due(mono_t until)
{
	for (size_t i = 0; i < laters.n; i++)
		until = MIN(until, laters.v[i].due);
	for (size_t i = 0; the_loop && i < the_loop->timers.n; i++)
		if (the_loop->timers.v[i]->due)
			until = MIN(until, the_loop->timers.v[i]->due);
	return until;
}

void
sim_loop_run(mono_t until, void (*on_turn)(void))
{
	while (now < until && !sim_has_failed()) {
		if (guarded_turn())
			on_turn();
		else
			now = MAX(next_due(until), now);
	}
}
