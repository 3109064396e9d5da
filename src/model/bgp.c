/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp: names of session states, as BGP implementations print them.
 */
#include "model/bgp.h"

#include "base/attr.h"

static const char *const state_names[] = {
	[BGP_STATE_IDLE] = "Idle",
	[BGP_STATE_CONNECT] = "Connect",
	[BGP_STATE_ACTIVE] = "Active",
	[BGP_STATE_OPEN_SENT] = "OpenSent",
	[BGP_STATE_OPEN_CONFIRM] = "OpenConfirm",
	[BGP_STATE_ESTABLISHED] = "Established",
};

_Static_assert(ARRAY_LEN(state_names) == BGP_STATE__COUNT, "one name each");

const char *
bgp_state_name(enum bgp_state state)
{
	return state_names[state];
}
