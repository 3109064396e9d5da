/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_speaker_status: a peer as its operator sees it, with a hint where the
 * protocol itself says nothing.
 */
#include "apply/bgp_speaker_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
	TIMEOUTS_TO_HINT = 2
};

static void
say(struct str *s, const char *text)
{
	if (str_get(s)[0])
		str_add(s, "; ");
	str_add(s, text);
}

static void
say_family(struct str *s, const struct speaker_peer *p, enum family family)
{
	const struct bgp_export *export = bgp_out_export(p->out);
	char text[SPEAKER_MESSAGE_B];
	char addr[ADDR_TEXT_B];
	const struct addr *local =
	    &p->conn[bgp_session_slot(&p->session)].local;

	if (!(p->conf.families & BGP_FAMILY(family)))
		return;
	if (!(export->families & BGP_FAMILY(family))) {
		snprintf(text, sizeof(text),
		    "the peer did not agree to %s unicast, those routes are "
		    "not sent",
		    family_name(family));
		say(s, text);
	} else if (!addr_is_set(&export->next_hop[family])) {
		snprintf(text, sizeof(text),
		    "%s routes are not sent: the interface of %s has no global "
		    "%s address to be their next hop%s",
		    family_name(family), addr_text(local, addr),
		    family_name(family),
		    family == FAMILY_IPV6 ? ", set spec.transport.nextHopIPv6"
					  : "");
		say(s, text);
	}
}

static void
say_established(struct str *s, const struct speaker_peer *p)
{
	if (!p->out) {
		say(s, "too many sessions, this one gets no routes");
		return;
	}
	say_family(s, p, FAMILY_IPV4);
	say_family(s, p, FAMILY_IPV6);
	if (p->session.caps_level)
		say(s,
		    "the peer refuses some capabilities, the session runs "
		    "with fewer");
}

static void
say_unanswered(struct str *s, const struct speaker_peer *p)
{
	char text[SPEAKER_MESSAGE_B];

	snprintf(text, sizeof(text), "nothing answers on TCP port %u: %s",
	    p->conf.remote_port,
	    p->conf.password
		? "if the address is reachable, the TCP-MD5 password differs "
		  "or is not set at the other end"
		: "is the address reachable, does the peer know ours, does it "
		  "want a TCP-MD5 password?");
	say(s, text);
}

static void
say_all(struct str *s, const struct speaker_peer *p)
{
	if (p->conf.is_cni)
		say(s, "left to the CNI by its label");
	else if (p->conf.is_admin_down)
		say(s, "administratively down");
	else if (p->shown == BGP_FSM_STATE_ESTABLISHED)
		say_established(s, p);
	else if (!p->session.is_started)
		return;
	else if (p->session.timeouts >= TIMEOUTS_TO_HINT)
		say_unanswered(s, p);
	else if (p->conf.is_passive && p->shown == BGP_FSM_STATE_ACTIVE)
		say(s, "passive: waits for the peer to connect");
}

void
speaker_peer_refresh_message(struct speaker_peer *p)
{
	struct str s = { 0 };

	say_all(&s, p);
	if (strncmp(p->message, str_get(&s), sizeof(p->message) - 1) != 0) {
		snprintf(p->message, sizeof(p->message), "%.*s",
		    (int)sizeof(p->message) - 1, str_get(&s));
		p->has_news = true;
		bgp_speaker_schedule(p->speaker);
	}
	str_fini(&s);
}

struct peer_status
speaker_peer_status(const struct speaker_peer *p,
    const char *caps[BGP_CAPS_TEXT_MAX])
{
	const struct bgp_conn *c =
	    &p->session.conn[bgp_session_slot(&p->session)];
	struct peer_status status = {
		.name = p->name,
		.address = p->conf.address,
		.asn = p->conf.peer_as,
		.state = (enum bgp_state)p->shown,
		.since = p->since,
		.since_wall = p->since_wall,
		.last_error =
		    p->blocked[0] ? p->blocked : p->session.last_error,
		.message = p->message,
		.updates_in = p->updates_in,
		.updates_out = p->updates_out,
		.notifications_in = p->notifications_in,
		.notifications_out = p->notifications_out,
		.is_off = p->conf.is_admin_down || p->conf.is_cni,
	};

	if (!p->out)
		return status;
	status.capabilities = caps;
	status.n_capabilities = bgp_agreed_text(&c->agreed, caps);
	status.advertised = bgp_out_count(p->out);
	status.updates_out += bgp_out_updates(p->out);
	status.peer_id = c->peer_id;
	status.hold_time_s = c->hold_s;
	status.is_end_of_rib_sent = bgp_out_is_end_of_rib_sent(p->out);
	return status;
}
