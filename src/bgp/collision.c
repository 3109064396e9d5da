/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * collision: which of two connections with one peer survives.
 */
#include "bgp/fsm.h"

enum bgp_collision
bgp_collision_resolve(const struct bgp_collision_facts *f)
{
	bool is_ours_wanted;

	switch (f->old_state) {
	case BGP_FSM_STATE_IDLE:
	case BGP_FSM_STATE_CONNECT:
	case BGP_FSM_STATE_ACTIVE:
	case BGP_FSM_STATE_OPEN_SENT:
		return BGP_COLLISION_NONE;
	case BGP_FSM_STATE_ESTABLISHED:
		/* Two dials that raced look like a restart as well, and the
		 * peer is closing the loser at this very moment. */
		return f->is_new_incoming && f->is_old_graceful &&
			f->is_old_settled
		    ? BGP_COLLISION_REPLACE_OLD
		    : BGP_COLLISION_CLOSE_NEW;
	case BGP_FSM_STATE_OPEN_CONFIRM:
	case BGP_FSM_STATE__COUNT:
		break;
	}
	if (f->is_new_incoming == f->is_old_incoming)
		return BGP_COLLISION_CLOSE_OLD;
	is_ours_wanted = f->our_id != f->peer_id ? f->our_id > f->peer_id
						 : f->our_as > f->peer_as;
	return is_ours_wanted == f->is_new_incoming ? BGP_COLLISION_CLOSE_NEW
						    : BGP_COLLISION_CLOSE_OLD;
}
