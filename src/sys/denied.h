/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * denied: who it is that does not let eipd have a file.
 */
#ifndef EIPD_SYS_DENIED_H
#define EIPD_SYS_DENIED_H

/* The end of a message about `path`, which `code` (0 or a negative errno)
 * keeps from us: `remedy`, unless eipd's profile of AppArmor forbids what the
 * mode permits. */
const char *denied_remedy(int code, const char *path, const char *remedy);
/* Likewise, of what eipd has to read. */
const char *denied_reading(int code, const char *path);

#endif
