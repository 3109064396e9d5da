/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of a /proc/sys/net that the test wrote.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "sys/doctor.h"

#define WELL                                                                   \
	"ipv4/ip_forward=1\n"                                                  \
	"ipv6/conf/all/forwarding=1\n"                                         \
	"netfilter/nf_conntrack_max=1048576\n"                                 \
	"netfilter/nf_conntrack_count=10\n"                                    \
	"ipv4/ip_local_port_range=32768\t60999\n"                              \
	"ipv4/ip_local_reserved_ports=\n"                                      \
	"ipv4/conf/all/rp_filter=0\n"                                          \
	"ipv4/conf/default/rp_filter=1\n"                                      \
	"ipv4/conf/eth0/rp_filter=0\n"

static const struct doctor_case {
	const char *name;
	const char *files; /* later lines go before earlier ones */
	uint16_t port;
	const char *check;
	enum doctor_level level;
	const char *text; /* part of it */
} cases[] = {
	{ "well", WELL, 179, "net.ipv4.ip_forward", DOCTOR_OK, "forwarded" },
	{ "well", WELL, 179, "net.ipv6.conf.all.forwarding", DOCTOR_OK,
	    "forwarded" },
	{ "well", WELL, 179, "net.netfilter.nf_conntrack_max", DOCTOR_OK,
	    "10 of 1048576" },
	{ "well", WELL, 179, "net.ipv4.ip_local_port_range", DOCTOR_OK,
	    "32768 to 60999" },
	{ "well", WELL, 179, "net.ipv4.conf.all.rp_filter", DOCTOR_OK, "no" },
	{ "off", WELL "ipv4/ip_forward=0\n", 0, "net.ipv4.ip_forward",
	    DOCTOR_ERROR, "no IPv4 packets: net.ipv4.ip_forward is 0" },
	{ "v6 off", WELL "ipv6/conf/all/forwarding=0\n", 0,
	    "net.ipv6.conf.all.forwarding", DOCTOR_ERROR, "no IPv6 packets" },
	{ "no v6", "ipv4/ip_forward=1\n", 0, "net.ipv6.conf.all.forwarding",
	    DOCTOR_OK, "no IPv6" },
	{ "no conntrack", "ipv4/ip_forward=1\n", 0,
	    "net.netfilter.nf_conntrack_max", DOCTOR_OK, "not in use" },
	{ "no windows", "ipv4/ip_forward=1\n", 0,
	    "net.netfilter.nf_conntrack_tcp_be_liberal", DOCTOR_OK,
	    "not in use" },
	{ "small", WELL "netfilter/nf_conntrack_max=65536\n", 0,
	    "net.netfilter.nf_conntrack_max", DOCTOR_WARNING, "65536" },
	{ "no limit", WELL "netfilter/nf_conntrack_max=0\n", 0,
	    "net.netfilter.nf_conntrack_max", DOCTOR_OK, "10 of 0" },
	{ "crowded", WELL "netfilter/nf_conntrack_count=786432\n", 0,
	    "net.netfilter.nf_conntrack_max", DOCTOR_WARNING, "in use" },
	{ "full", WELL "netfilter/nf_conntrack_count=1048576\n", 0,
	    "net.netfilter.nf_conntrack_max", DOCTOR_ERROR, "refused" },
	{ "liberal", WELL "netfilter/nf_conntrack_tcp_be_liberal=1\n", 0,
	    "net.netfilter.nf_conntrack_tcp_be_liberal", DOCTOR_OK, "ends no" },
	{ "not liberal", WELL "netfilter/nf_conntrack_tcp_be_liberal=0\n", 0,
	    "net.netfilter.nf_conntrack_tcp_be_liberal", DOCTOR_WARNING,
	    "ends its connection" },
	{ "port", WELL, 60999, "net.ipv4.ip_local_port_range", DOCTOR_WARNING,
	    "port 60999" },
	{ "reserved",
	    WELL "ipv4/ip_local_reserved_ports=80,60000-61000,65000\n", 60999,
	    "net.ipv4.ip_local_port_range", DOCTOR_OK, "beside" },
	{ "other reserved", WELL "ipv4/ip_local_reserved_ports=80,50000-60\n",
	    60999, "net.ipv4.ip_local_port_range", DOCTOR_WARNING, "60999" },
	{ "strict", WELL "ipv4/conf/eth0/rp_filter=1\n", 0,
	    "net.ipv4.conf.all.rp_filter", DOCTOR_WARNING, "strict on eth0" },
	{ "all strict", WELL "ipv4/conf/all/rp_filter=1\n", 0,
	    "net.ipv4.conf.all.rp_filter", DOCTOR_WARNING, "strict on eth0" },
	{ "loose wins",
	    WELL "ipv4/conf/all/rp_filter=2\nipv4/conf/eth0/rp_filter=1\n", 0,
	    "net.ipv4.conf.all.rp_filter", DOCTOR_OK, "no interface" },
	{ "odd", WELL "ipv4/ip_forward=\n", 0, "net.ipv4.ip_forward", DOCTOR_OK,
	    "no IPv4" },
};

static void
write_file(const char *folder, const char *name, const char *value)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *s = path + strlen(folder) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		mkdir(path, 0700);
		*s = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", value);
	assert_int_equal(fclose(file), 0);
}

static void
write_files(const char *folder, const char *files)
{
	char *text = strdup(files);
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		*value++ = '\0';
		write_file(folder, line, value);
	}
	free(text);
}

struct seen {
	const struct doctor_case *c;
	size_t n;
};

static void
on_finding(void *arg, const struct doctor_finding *f)
{
	struct seen *seen = arg;

	assert_true(f->level == DOCTOR_OK ? !*f->remedy : *f->remedy);
	if (strcmp(f->check, seen->c->check) != 0)
		return;
	seen->n++;
	if (f->level != seen->c->level || !strstr(f->text, seen->c->text))
		fail_msg("%s: %d %s", seen->c->name, (int)f->level, f->text);
}

static void
test_findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char folder[] = "/tmp/eipd-test-XXXXXX";
		char command[64];
		struct seen seen = { &cases[i], 0 };

		assert_non_null(mkdtemp(folder));
		write_files(folder, cases[i].files);
		doctor_run(folder, &cases[i].port, 1, on_finding, &seen);
		assert_int_equal(seen.n, 1);
		snprintf(command, sizeof(command), "rm -rf %s", folder);
		assert_int_equal(system(command), 0);
	}
}

static void
count(void *arg, const struct doctor_finding *f)
{
	(void)f;
	++*(size_t *)arg;
}

static void
test_this_machine(void **state)
{
	size_t n = 0;

	(void)state;
	doctor_run(DOCTOR_PROC_NET, NULL, 0, count, &n);
	assert_int_equal(n, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
