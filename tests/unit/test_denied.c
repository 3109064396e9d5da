/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_denied: what is said of a file that eipd is not let have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "conf/conf.h"
#include "source/kube.h"
#include "sys/denied.h"

#define DENIED "/srv/denied"
#define LABEL "/proc/self/attr/apparmor/current"
#define PROFILE                                                                \
	"; its mode permits it, AppArmor does not: allow it in "               \
	"/etc/apparmor.d/local/usr.sbin.eipd, then systemctl reload apparmor"

/* The kernel of the test: see --wrap in Makefile.inc. */
static const char *label; /* NULL: it has no AppArmor */
static int by_mode; /* what it says of the mode of DENIED: 0 or an errno */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap___open_2(const char *path, int flags);
int __wrap_faccessat(int dir, const char *path, int mode, int flags);

int
__wrap_open(const char *path, int flags, ...)
{
	int fd;

	assert_int_equal(flags & O_CREAT, 0);
	if (strcmp(path, DENIED) == 0) {
		errno = EACCES;
		return -1;
	}
	if (strcmp(path, LABEL) != 0)
		return __real_open(path, flags);
	if (!label) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("label", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, label, strlen(label), 0), strlen(label));
	return fd;
}

/* What fortified headers make of it with clang. */
int
__wrap___open_2(const char *path, int flags)
{
	return __wrap_open(path, flags);
}

int
__wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	assert_int_equal(dir, AT_FDCWD);
	assert_string_equal(path, DENIED);
	assert_int_equal(mode, R_OK);
	assert_int_equal(flags, AT_EACCESS);
	errno = by_mode;
	return by_mode ? -1 : 0;
}

static const struct denied_case {
	const char *name;
	const char *label;
	int code;
	int by_mode;
	const char *want;
} cases[] = {
	{ "the profile", "eipd (enforce)\n", -EACCES, 0, PROFILE },
	{ "the profile, of a file to be made", "eipd (enforce)\n", -EACCES,
	    ENOENT, PROFILE },
	{ "the mode, with the profile", "eipd (enforce)\n", -EACCES, EACCES,
	    "; r" },
	{ "the profile only watches", "eipd (complain)\n", -EACCES, 0, "; r" },
	{ "a profile that is not ours", "eipd-lab (enforce)\n", -EACCES, 0,
	    "; r" },
	{ "not confined", "unconfined\n", -EACCES, 0, "; r" },
	{ "no AppArmor", NULL, -EACCES, EACCES, "; r" },
	{ "it is not there", "eipd (enforce)\n", -ENOENT, ENOENT, "; r" },
	{ "nothing is wrong with opening it", "eipd (enforce)\n", 0, 0, "; r" },
};

static void
test_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct denied_case *c = &cases[i];
		const char *got;

		label = c->label;
		by_mode = c->by_mode;
		got = denied_remedy(c->code, DENIED, "; r");
		if (strcmp(got, c->want) != 0)
			fail_msg("%s: \"%s\"", c->name, got);
	}
}

static void
expect_error(void *arg, const struct err *err)
{
	assert_string_equal(err->text, arg);
}

static void
test_conf(void **state)
{
	char by_profile[] = "Permission denied" PROFILE;
	char mode[] = "Permission denied; make it readable for this user";
	struct conf conf;

	(void)state;
	label = "eipd (enforce)\n";
	by_mode = 0;
	assert_int_equal(conf_load(DENIED, &conf, expect_error, by_profile),
	    -EACCES);
	by_mode = EACCES;
	assert_int_equal(conf_load(DENIED, &conf, expect_error, mode), -EACCES);
}

static void
test_kubeconfig(void **state)
{
	struct kube_conf conf = { .kubeconfig = DENIED };
	struct err err;

	(void)state;
	by_mode = EACCES;
	assert_int_equal(kube_server(&conf, &err), 0);
	assert_string_equal(err.text,
	    "open " DENIED ": Permission denied; make it readable for the user "
	    "eipd runs as");
}

static void
test_hidden_by_the_unit(void **state)
{
	const char *got = denied_reading(-EACCES, "/root/.kube/config");

	(void)state;
	assert_non_null(strstr(got, "put it into /etc/eipd"));
	assert_string_equal(denied_reading(-EACCES, "/home/a/config"), got);
	assert_string_equal(denied_reading(-ENOENT, "/root/.kube/config"), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remedy),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_kubeconfig),
		cmocka_unit_test(test_hidden_by_the_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
