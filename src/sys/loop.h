/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: file descriptors, timers, signals and deferred work on one thread.
 *
 * The only user of libevent's core.  Callbacks never block.  An object may be
 * freed inside its own callback only through loop_defer().
 */
#ifndef EIPD_SYS_LOOP_H
#define EIPD_SYS_LOOP_H

#include <stdint.h>

#include "base/mono.h"

struct loop;
struct loop_fd;
struct loop_timer;

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);
mono_t loop_now(const struct loop *loop);

/* `fn` is called with what is ready of LOOP_READ and LOOP_WRITE.  A new one
 * waits for nothing until loop_fd_want().  The descriptor stays the
 * caller's. */
struct loop_fd *loop_fd_new(struct loop *loop, int fd,
    void (*fn)(void *arg, unsigned int ready), void *arg);
void loop_fd_want(struct loop_fd *lfd, unsigned int what);
void loop_fd_free(struct loop_fd *lfd); /* NULL is fine */

/* One shot; arming again replaces the time. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg),
    void *arg);
void loop_timer_arm(struct loop_timer *timer, int64_t delay_us);
void loop_timer_disarm(struct loop_timer *timer);
int loop_timer_is_armed(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */

/* `fn` runs once, in the next turn of the loop, which then does not wait. */
void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg);

/* What was deferred with `arg` is not done. */
void loop_forget(struct loop *loop, const void *arg);

void loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg),
    void *arg);

/* Delay from `base_us` - `base_us` x `percent` / 100 up to `base_us`. */
int64_t loop_jitter(int64_t base_us, unsigned int percent);

/* Longest time that one callback (a turn, as peers and clients see it) took
 * since the start. */
int64_t loop_max_stall_us(const struct loop *loop);
/* `fn` is told the duration of every callback. */
void loop_on_stall(struct loop *loop, void (*fn)(void *arg, int64_t us),
    void *arg);

#endif
