/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify: readiness, status and watchdog towards the service manager
 * (sd_notify's protocol).
 *
 * Does nothing when there is no such manager.
 */
#ifndef EIPD_SYS_NOTIFY_H
#define EIPD_SYS_NOTIFY_H

#include <stdint.h>

#include "base/mono.h"

struct notify;

/* Takes the manager's variables out of the environment, so that no child
 * speaks for us.  Never NULL. */
struct notify *notify_new(void);
void notify_free(struct notify *notify);

void notify_ready(struct notify *notify);
/* Nothing is said before notify_ready(): the end of a reload is told with the
 * same word. */
void notify_reloading(struct notify *notify, mono_t now);
void notify_reloaded(struct notify *notify);
void notify_stopping(struct notify *notify);
/* One line, as `systemctl status` shows it. */
void notify_status(struct notify *notify, const char *text);
void notify_watchdog(struct notify *notify);

/* How often to call notify_watchdog(): half of what the manager allows; 0:
 * it does not watch. */
int64_t notify_watchdog_us(const struct notify *notify);

#endif
