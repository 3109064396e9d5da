/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"
#include "sys/clock.h"

struct deferred {
	void (*fn)(void *arg);
	void *arg;
};

struct loop_signal {
	struct loop *loop;
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *defer_event;
	VEC(struct deferred) deferred;
	VEC(struct loop_signal *) signals;
	int64_t max_stall_us;
	void (*on_stall)(void *arg, int64_t us);
	void *on_stall_arg;
};

struct loop_fd {
	struct loop *loop;
	struct event *event;
	int fd;
	unsigned int wanted;
	void (*fn)(void *arg, unsigned int ready);
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
};

static void
account(struct loop *loop, mono_t began)
{
	int64_t us = clock_mono() - began;

	if (us > loop->max_stall_us)
		loop->max_stall_us = us;
	if (loop->on_stall)
		loop->on_stall(loop->on_stall_arg, us);
}

/* Work deferred while this runs waits for the next round: a callback that
 * defers itself again must not keep the loop from its descriptors. */
static void
on_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct deferred *v = loop->deferred.v;
	size_t n = loop->deferred.n;

	(void)fd;
	(void)what;
	loop->deferred.v = NULL;
	loop->deferred.n = 0;
	loop->deferred.cap = 0;
	for (size_t i = 0; i < n; i++) {
		mono_t began = clock_mono();

		v[i].fn(v[i].arg);
		account(loop, began);
	}
	free(v);
}

static void *
event_resize(void *old, size_t size_b)
{
	return mem_resize(old, 1, size_b);
}

struct loop *
loop_new(void)
{
	struct loop *loop = mem_new(struct loop);
	struct event_config *config;

	/* It answers NULL, and that is not asked for each event. */
	event_set_mem_functions(mem_alloc, event_resize, free);
	config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!loop->base)
		abort();
	loop->defer_event = evtimer_new(loop->base, on_deferred, loop);
	return loop;
}

void
loop_free(struct loop *loop)
{
	struct loop_signal **s;

	if (!loop)
		return;
	while (loop->deferred.n)
		on_deferred(-1, 0, loop);
	VEC_FOREACH (s, &loop->signals) {
		event_free((*s)->event);
		free(*s);
	}
	vec_fini(&loop->signals);
	vec_fini(&loop->deferred);
	event_free(loop->defer_event);
	event_base_free(loop->base);
	free(loop);
}

void
loop_forget(struct loop *loop, const void *arg)
{
	for (size_t i = loop->deferred.n; i-- > 0;)
		if (loop->deferred.v[i].arg == arg)
			vec_remove(&loop->deferred, i);
}

void
loop_run(struct loop *loop)
{
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

mono_t
loop_now(const struct loop *loop)
{
	(void)loop;
	return clock_mono();
}

static void
on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *lfd = arg;
	struct loop *loop = lfd->loop;
	mono_t began = clock_mono();
	unsigned int ready = 0;

	(void)fd;
	if (what & EV_READ)
		ready |= LOOP_READ;
	if (what & EV_WRITE)
		ready |= LOOP_WRITE;
	lfd->fn(lfd->arg, ready);
	account(loop, began);
}

struct loop_fd *
loop_fd_new(struct loop *loop, int fd,
    void (*fn)(void *arg, unsigned int ready), void *arg)
{
	struct loop_fd *lfd = mem_new(struct loop_fd);

	lfd->loop = loop;
	lfd->fd = fd;
	lfd->fn = fn;
	lfd->arg = arg;
	lfd->event = event_new(loop->base, fd, 0, on_fd, lfd);
	return lfd;
}

void
loop_fd_want(struct loop_fd *lfd, unsigned int what)
{
	short flags = EV_PERSIST;

	if (what == lfd->wanted)
		return;
	lfd->wanted = what;
	event_del(lfd->event);
	if (!what)
		return;
	if (what & LOOP_READ)
		flags |= EV_READ;
	if (what & LOOP_WRITE)
		flags |= EV_WRITE;
	event_assign(lfd->event, lfd->loop->base, lfd->fd, flags, on_fd, lfd);
	event_add(lfd->event, NULL);
}

void
loop_fd_free(struct loop_fd *lfd)
{
	if (!lfd)
		return;
	event_free(lfd->event);
	free(lfd);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;
	struct loop *loop = timer->loop;
	mono_t began = clock_mono();

	(void)fd;
	(void)what;
	timer->fn(timer->arg);
	account(loop, began);
}

struct loop_timer *
loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *timer = mem_new(struct loop_timer);

	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, on_timer, timer);
	return timer;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t delay_us)
{
	int64_t us = delay_us > 0 ? delay_us : 0;
	struct timeval tv = { .tv_sec = us / MONO_S, .tv_usec = us % MONO_S };

	evtimer_add(timer->event, &tv);
}

void
loop_timer_disarm(struct loop_timer *timer)
{
	evtimer_del(timer->event);
}

int
loop_timer_is_armed(const struct loop_timer *timer)
{
	return evtimer_pending(timer->event, NULL);
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_free(timer->event);
	free(timer);
}

void
loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	/* libevent goes on with what was made active meanwhile before it looks
	 * at descriptors again; a timer has to wait for that. */
	static const struct timeval at_once = { 0 };

	vec_push(&loop->deferred, (struct deferred){ fn, arg });
	if (!evtimer_pending(loop->defer_event, NULL))
		evtimer_add(loop->defer_event, &at_once);
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)signo;
	(void)what;
	s->fn(s->arg);
}

void
loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg), void *arg)
{
	struct loop_signal *s = mem_new(struct loop_signal);

	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	s->event = evsignal_new(loop->base, signo, on_signal, s);
	event_add(s->event, NULL);
	vec_push(&loop->signals, s);
}

int64_t
loop_jitter(int64_t base_us, unsigned int percent)
{
	int64_t span = base_us * (int64_t)percent / 100;

	if (span <= 0)
		return base_us;
	return base_us - (int64_t)clock_random() % span;
}

int64_t
loop_max_stall_us(const struct loop *loop)
{
	return loop->max_stall_us;
}

void
loop_on_stall(struct loop *loop, void (*fn)(void *arg, int64_t us), void *arg)
{
	loop->on_stall = fn;
	loop->on_stall_arg = arg;
}
