/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_notify: what the service manager gets to read; one instance.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "sys/instance.h"
#include "sys/notify.h"

/* A manager that listens at `name`, '@' for abstract. */
static int
manager(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, name, n);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	else
		unlink(name);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			     (socklen_t)(offsetof(struct sockaddr_un,
					     sun_path) +
				 n)),
	    0);
	return fd;
}

static void
assert_told(int fd, const char *want)
{
	char got[1024];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	if (!want) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
talk(const char *name)
{
	int fd = manager(name);
	struct notify *notify;

	setenv("NOTIFY_SOCKET", name, 1);
	notify = notify_new();
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_reloading(notify, 1234567);
	notify_reloaded(notify);
	assert_told(fd, NULL);
	notify_ready(notify);
	assert_told(fd, "READY=1");
	notify_reloading(notify, 1234567);
	assert_told(fd, "RELOADING=1\nMONOTONIC_USEC=1234567");
	notify_reloaded(notify);
	assert_told(fd, "READY=1");
	notify_status(notify, "serving 3\nSTOPPING=1");
	assert_told(fd, "STATUS=serving 3");
	notify_watchdog(notify);
	assert_told(fd, "WATCHDOG=1");
	notify_stopping(notify);
	assert_told(fd, "STOPPING=1");
	assert_told(fd, NULL);
	close(fd);
	notify_ready(notify); /* nobody there any more */
	notify_free(notify);
}

static void
test_messages(void **state)
{
	char path[] = "/tmp/eipd-test-XXXXXX";
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@eipd-test-%d", (int)getpid());
	talk(name);
	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/notify", path);
	talk(name);
	unlink(name);
	rmdir(path);
}

/* A manager whose queue is full hears of it later. */
static void
test_ready_is_not_lost(void **state)
{
	char name[64];
	char got[64];
	struct notify *notify;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@eipd-test-%d", (int)getpid());
	fd = manager(name);
	setenv("NOTIFY_SOCKET", name, 1);
	notify = notify_new();
	/* More than any queue holds. */
	for (int i = 0; i < 10000; i++)
		notify_watchdog(notify);
	notify_ready(notify);
	while (recv(fd, got, sizeof(got), 0) > 0)
		assert_memory_equal(got, "WATCHDOG=1", 10);
	notify_watchdog(notify);
	assert_told(fd, "READY=1");
	assert_told(fd, "WATCHDOG=1");
	assert_told(fd, NULL);
	close(fd);
	notify_free(notify);
}

static const struct watchdog_case {
	const char *socket;
	const char *usec;
	const char *pid; /* "me": ours */
	int64_t want_us;
} watchdogs[] = {
	{ "@eipd-test", "30000000", NULL, 15000000 },
	{ "@eipd-test", "30000000", "me", 15000000 },
	{ "@eipd-test", "30000000", "1", 0 },
	{ "@eipd-test", "30000000", "x", 0 },
	{ "@eipd-test", "30s", NULL, 0 },
	{ "@eipd-test", "-1", NULL, 0 },
	{ "@eipd-test", NULL, NULL, 0 },
	{ NULL, "30000000", NULL, 0 },
	{ "", "30000000", NULL, 0 },
	{ "@", "30000000", NULL, 0 },
	{ "vsock:2:1234", "30000000", NULL, 0 },
	{ "relative/path", "30000000", NULL, 0 },
	{ "/a-name-that-is-much-too-long-for-a-socket/aaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "30000000", NULL, 0 },
};

static void
set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void
test_watchdog(void **state)
{
	char me[16];

	(void)state;
	snprintf(me, sizeof(me), "%d", (int)getpid());
	for (size_t i = 0; i < ARRAY_LEN(watchdogs); i++) {
		const struct watchdog_case *c = &watchdogs[i];
		struct notify *notify;

		set("NOTIFY_SOCKET", c->socket);
		set("WATCHDOG_USEC", c->usec);
		set("WATCHDOG_PID",
		    c->pid && strcmp(c->pid, "me") == 0 ? me : c->pid);
		notify = notify_new();
		assert_int_equal(notify_watchdog_us(notify), c->want_us);
		notify_ready(notify);
		assert_null(getenv("WATCHDOG_USEC"));
		notify_free(notify);
	}
}

/* In a network namespace of its own where that is allowed: an eipd may run
 * on this machine. */
static void
test_instance(void **state)
{
	struct err err = { 0 };
	char want[32];
	int status = 0;
	pid_t pid;

	(void)state;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 &&
	    unshare(CLONE_NEWNET) < 0)
		skip();
	assert_int_equal(instance_lock(&err), 0);
	snprintf(want, sizeof(want), "pid %d;", (int)getpid());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* As a unit that is restarted again and again. */
		for (int i = 0; i < 20; i++)
			if (instance_lock(&err) != -EEXIST ||
			    !strstr(err.text, want))
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_ready_is_not_lost),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
