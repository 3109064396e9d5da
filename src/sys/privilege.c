/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sys/log.h"

static const cap_value_t wanted[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

static bool
is_permitted(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value = CAP_CLEAR;

	return cap_get_flag(caps, cap, CAP_PERMITTED, &value) == 0 &&
	    value == CAP_SET;
}

/* Exactly those of `wanted` that are permitted. */
static int
keep_wanted(struct err *err)
{
	cap_t have = cap_get_proc();
	cap_t caps = cap_init();
	int code = 0;

	if (!have || !caps) {
		code = err_set(err, -ENOMEM, "capabilities: out of memory");
		goto out;
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (!is_permitted(have, wanted[i]))
			continue;
		cap_set_flag(caps, CAP_PERMITTED, 1, &wanted[i], CAP_SET);
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &wanted[i], CAP_SET);
	}
	if (!is_permitted(caps, CAP_NET_ADMIN)) {
		code = err_set(err, -EPERM,
		    "needs CAP_NET_ADMIN: start as root, or by a unit "
		    "whose AmbientCapabilities= and CapabilityBoundingSet= "
		    "have it (systemctl revert eipd: as shipped)");
		goto out;
	}
	if (!is_permitted(caps, CAP_NET_BIND_SERVICE))
		log_warn("privilege: no CAP_NET_BIND_SERVICE, so no listening "
			 "on ports below 1024; sessions that eipd opens work");
	if (cap_set_proc(caps) < 0)
		code =
		    err_set(err, -errno, "capabilities: %s", strerror(errno));
out:
	cap_free(have);
	cap_free(caps);
	return code;
}

static int
become(const char *user, struct err *err)
{
	struct passwd pw;
	struct passwd *found = NULL;
	char buf[4096];
	int rc = getpwnam_r(user, &pw, buf, sizeof(buf), &found);

	if (rc != 0)
		return err_set(err, -rc, "user %.64s: %s", user, strerror(rc));
	if (!found)
		return err_set(err, -ENOENT,
		    "user %.64s does not exist; create it (systemd-sysusers) or set user: in eipd.conf",
		    user);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    initgroups(user, pw.pw_gid) < 0 ||
	    setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
	    setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
		return err_set(err, -errno, "cannot become user %.64s: %s",
		    user, strerror(errno));
	return 0;
}

/* What a program that we start could get back. */
static void
drop_bounding_set(void)
{
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			keep = keep || cap == wanted[i];
		/* Without CAP_SETPCAP the set is somebody else's choice. */
		if (!keep)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
}

int
privilege_prepare(const char *user, struct err *err)
{
	int code;

	if (geteuid() == 0) {
		drop_bounding_set();
		code = become(user, err);
		if (code < 0)
			return code;
	}
	code = keep_wanted(err);
	if (code < 0)
		return code;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "no_new_privs: %s",
		    strerror(errno));
	return 0;
}
