/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	/* Debian 12's; older ones are not tried. */
	KERNEL_MAJOR = 6,
	KERNEL_MINOR = 1,
	CONNTRACK_MAX = 262144,
	FULL_PERCENT = 95,
	CROWDED_PERCENT = 75,
	STRICT = 1, /* rp_filter */
	VALUE_B = 512,
};

struct doctor {
	const char *proc_net;
	const uint16_t *ports;
	size_t n_ports;
	doctor_fn *fn;
	void *arg;
};

static void tell(const struct doctor *d, enum doctor_level level,
    const char *check, const char *remedy, const char *fmt, ...)
    ATTR_PRINTF(5, 6);

static void
tell(const struct doctor *d, enum doctor_level level, const char *check,
    const char *remedy, const char *fmt, ...)
{
	struct doctor_finding finding = { check, level, NULL,
		level == DOCTOR_OK ? "" : remedy };
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	finding.text = text;
	d->fn(d->arg, &finding);
}

/* Without the newline; false if it cannot be read. */
static bool
read_value(const struct doctor *d, const char *name, char out[VALUE_B])
{
	char path[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", d->proc_net, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, out, VALUE_B - 1);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return n >= 0;
}

/* -1 if it cannot be read or is no number. */
static long long
read_number(const struct doctor *d, const char *name)
{
	char text[VALUE_B];
	uint64_t value;

	if (!read_value(d, name, text) ||
	    str_to_u64(text, INT64_MAX, &value) < 0)
		return -1;
	return (long long)value;
}

static void
check_kernel(const struct doctor *d)
{
	unsigned long minor = 0;
	unsigned long major;
	struct utsname name;
	bool is_old;
	char *end;

	uname(&name);
	major = strtoul(name.release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	is_old = major < KERNEL_MAJOR ||
	    (major == KERNEL_MAJOR && minor < KERNEL_MINOR);
	tell(d, is_old ? DOCTOR_WARNING : DOCTOR_OK, "kernel",
	    "run Debian 12's kernel or a newer one", "Linux %s%s", name.release,
	    is_old ? " is older than 6.1, the oldest that eipd is tried on"
		   : "");
}

static void
check_forwarding(const struct doctor *d, const char *file, const char *check,
    const char *family, const char *remedy)
{
	long long value = read_number(d, file);

	if (value < 0)
		tell(d, DOCTOR_OK, check, "", "this kernel has no %s", family);
	else if (value == 0)
		tell(d, DOCTOR_ERROR, check, remedy,
		    "the kernel forwards no %s packets: %s is 0, set it to 1",
		    family, check);
	else
		tell(d, DOCTOR_OK, check, "", "%s packets are forwarded",
		    family);
}

static const char not_in_use[] = "connection tracking is not in use yet";

static void
check_conntrack(const struct doctor *d)
{
	static const char check[] = "net.netfilter.nf_conntrack_max";
	static const char remedy[] =
	    "sysctl -w net.netfilter.nf_conntrack_max=1048576";
	long long max = read_number(d, "netfilter/nf_conntrack_max");
	long long used = read_number(d, "netfilter/nf_conntrack_count");
	long long percent;

	if (max < 0 || used < 0) {
		tell(d, DOCTOR_OK, check, "", not_in_use);
		return;
	}
	/* 0: no limit */
	percent = max > 0 ? used * 100 / max : 0;
	if (percent >= FULL_PERCENT)
		tell(d, DOCTOR_ERROR, check, remedy,
		    "%lld of %lld connections: new ones are refused when all "
		    "are in use",
		    used, max);
	else if (percent >= CROWDED_PERCENT)
		tell(d, DOCTOR_WARNING, check, remedy,
		    "%lld of %lld connections are in use", used, max);
	else if (max > 0 && max < CONNTRACK_MAX)
		tell(d, DOCTOR_WARNING, check, remedy,
		    "room for %lld connections only", max);
	else
		tell(d, DOCTOR_OK, check, "",
		    "%lld of %lld connections are in use", used, max);
}

/* What belongs to no connection goes to the local TCP, which resets it. */
static void
check_windows(const struct doctor *d)
{
	static const char check[] = "net.netfilter.nf_conntrack_tcp_be_liberal";
	static const char remedy[] =
	    "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1";
	long long is_liberal =
	    read_number(d, "netfilter/nf_conntrack_tcp_be_liberal");

	if (is_liberal < 0)
		tell(d, DOCTOR_OK, check, "", not_in_use);
	else if (is_liberal == 0)
		tell(d, DOCTOR_WARNING, check, remedy,
		    "a packet beyond the window ends its connection");
	else
		tell(d, DOCTOR_OK, check, "",
		    "a packet beyond the window ends no connection");
}

/* "80,8000-8010" */
static bool
is_in_list(const char *list, unsigned int port)
{
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first <= port && port <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

/* A connection of this host's own may sit on a port when eipd starts. */
static void
check_ports(const struct doctor *d)
{
	static const char check[] = "net.ipv4.ip_local_port_range";
	char reserved[VALUE_B] = "";
	char range[VALUE_B];
	unsigned long first;
	unsigned long last;
	char *end;

	if (!read_value(d, "ipv4/ip_local_port_range", range))
		return;
	first = strtoul(range, &end, 10);
	last = strtoul(end, NULL, 10);
	(void)read_value(d, "ipv4/ip_local_reserved_ports", reserved);
	for (size_t i = 0; i < d->n_ports; i++) {
		if (d->ports[i] < first || d->ports[i] > last ||
		    is_in_list(reserved, d->ports[i]))
			continue;
		tell(d, DOCTOR_WARNING, check,
		    "add it to net.ipv4.ip_local_reserved_ports",
		    "port %u, which eipd listens on, may be taken by a "
		    "connection of this host: the range is %lu to %lu",
		    d->ports[i], first, last);
		return;
	}
	tell(d, DOCTOR_OK, check, "",
	    "%lu to %lu, beside the ports that eipd listens on", first, last);
}

/* The kernel takes the higher of "all" and the interface's; 2 is loose. */
static void
check_rp_filter(const struct doctor *d)
{
	static const char check[] = "net.ipv4.conf.all.rp_filter";
	long long all = read_number(d, "ipv4/conf/all/rp_filter");
	struct str strict = { 0 };
	const struct dirent *entry;
	char path[1024];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/ipv4/conf", d->proc_net);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		long long own;

		if (entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, "all") == 0 ||
		    strcmp(entry->d_name, "default") == 0 ||
		    strcmp(entry->d_name, "lo") == 0)
			continue;
		snprintf(path, sizeof(path), "ipv4/conf/%.64s/rp_filter",
		    entry->d_name);
		own = read_number(d, path);
		if (MAX(all, own) == STRICT)
			str_printf(&strict, "%s%s", strict.n ? ", " : "",
			    entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (strict.n)
		tell(d, DOCTOR_WARNING, check,
		    "sysctl -w net.ipv4.conf.all.rp_filter=2",
		    "strict on %s: packets that come another way than the "
		    "answers go are dropped",
		    str_get(&strict));
	else
		tell(d, DOCTOR_OK, check, "", "strict on no interface");
	str_fini(&strict);
}

static void
check_descriptors(const struct doctor *d)
{
	static const char check[] = "descriptors";
	struct rlimit limit = { 0 };
	DIR *dir = opendir("/proc/self/fd");
	bool is_full = !dir && (errno == EMFILE || errno == ENFILE);
	long long max;
	long long used = -3; /* "." and "..", and `dir` */

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	max = (long long)limit.rlim_cur;
	while (dir && readdir(dir))
		used++;
	if (dir)
		closedir(dir);
	if (is_full || used * 100 >= max * CROWDED_PERCENT)
		tell(d, is_full ? DOCTOR_ERROR : DOCTOR_WARNING, check,
		    "raise LimitNOFILE= of the unit",
		    "%lld of %lld descriptors are in use", is_full ? max : used,
		    max);
	else
		tell(d, DOCTOR_OK, check, "",
		    "%lld of %lld descriptors are in use", used, max);
}

void
doctor_run(const char *proc_net, const uint16_t *ports, size_t n_ports,
    doctor_fn *fn, void *arg)
{
	struct doctor d = { proc_net, ports, n_ports, fn, arg };

	check_kernel(&d);
	check_forwarding(&d, "ipv4/ip_forward", "net.ipv4.ip_forward", "IPv4",
	    "sysctl -w net.ipv4.ip_forward=1");
	check_forwarding(&d, "ipv6/conf/all/forwarding",
	    "net.ipv6.conf.all.forwarding", "IPv6",
	    "sysctl -w net.ipv6.conf.all.forwarding=1");
	check_conntrack(&d);
	check_windows(&d);
	check_ports(&d);
	check_rp_filter(&d);
	check_descriptors(&d);
}
