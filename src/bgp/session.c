/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: questions that a session answers without changing.
 */
#include "bgp/fsm.h"

struct bgp_open
bgp_session_open(const struct bgp_session *s, mono_t now)
{
	const struct bgp_session_conf *conf = &s->conf;
	struct bgp_open open = {
		.version = BGP_VERSION,
		.my_as =
		    (uint16_t)(conf->local_as > UINT16_MAX ? BGP_AS_TRANS
							   : conf->local_as),
		.hold_s = conf->hold_s,
		.id = conf->id,
	};

	if (s->caps_level >= 2)
		return open;
	open.caps.has_families = true;
	open.caps.families = conf->families;
	open.caps.as4 = true;
	open.caps.as = conf->local_as;
	if (s->caps_level == 1)
		return open;
	open.caps.route_refresh = true;
	open.caps.enhanced_refresh = true;
	if (!conf->graceful_restart)
		return open;
	open.caps.graceful_restart = true;
	open.caps.is_restarting = now < conf->restarting_until;
	open.caps.restart_s = conf->restart_s;
	open.caps.gr_families = conf->families;
	open.caps.gr_forwarding = conf->families;
	return open;
}

unsigned int
bgp_session_slot(const struct bgp_session *s)
{
	return s->conn[1].state > s->conn[0].state ? 1 : 0;
}

bool
bgp_session_next_timer(const struct bgp_session *s, mono_t *when,
    unsigned int *slot, enum bgp_timer *timer)
{
	bool is_found = false;

	for (unsigned int i = 0; i < BGP_SLOTS; i++)
		for (enum bgp_timer t = 0; t < BGP_TIMER__COUNT; t++) {
			mono_t at = s->conn[i].deadline[t];

			if (!at || (is_found && at >= *when))
				continue;
			is_found = true;
			*when = at;
			*slot = i;
			*timer = t;
		}
	return is_found;
}

static const char *const event_names[] = {
	[BGP_EVENT_RETRY_TIMER] = "connect retry timer",
	[BGP_EVENT_IDLE_TIMER] = "idle hold timer",
	[BGP_EVENT_HOLD_TIMER] = "hold timer",
	[BGP_EVENT_KEEPALIVE_TIMER] = "keepalive timer",
	[BGP_EVENT_START] = "start",
	[BGP_EVENT_STOP] = "stop",
	[BGP_EVENT_TCP_UP] = "connected",
	[BGP_EVENT_TCP_FAILED] = "connection failed",
	[BGP_EVENT_TCP_DOWN] = "connection lost",
	[BGP_EVENT_RX_OPEN] = "OPEN",
	[BGP_EVENT_RX_UPDATE] = "UPDATE",
	[BGP_EVENT_RX_KEEPALIVE] = "KEEPALIVE",
	[BGP_EVENT_RX_NOTIFICATION] = "NOTIFICATION",
	[BGP_EVENT_RX_REFRESH] = "ROUTE-REFRESH",
	[BGP_EVENT_RX_ERROR] = "malformed message",
};

_Static_assert(ARRAY_LEN(event_names) == BGP_EVENT__COUNT, "one name each");

const char *
bgp_event_name(enum bgp_event_kind kind)
{
	return event_names[kind];
}
