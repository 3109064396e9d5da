/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tell: one log line, one Event and one line of /v1/events for each change of
 * a Service's state.
 */
#ifndef EIPD_DAEMON_TELL_H
#define EIPD_DAEMON_TELL_H

struct app;
struct lease;
struct record;
struct service;

/* Compares with what was told last; says nothing when nothing changed. */
void tell_state(struct app *app, struct record *record);
void tell_released(struct app *app, const struct service *service,
    const struct lease *lease);

#endif
