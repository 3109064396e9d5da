/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/open_check.h"

#include <stdio.h>

enum {
	DETAIL_B = 160
};

static int
refuse(struct bgp_notification *err, uint8_t sub)
{
	bgp_notification_set(err, BGP_ERR_OPEN, sub, NULL, 0);
	return -1;
}

static int
check_families(const struct bgp_open *ours, struct bgp_conn *conn,
    struct bgp_notification *err, char *detail)
{
	uint8_t data[BGP_NOTIFICATION_DATA_B];
	struct wire_writer w = wire_writer(data, sizeof(data));
	const struct bgp_caps want = { .families = ours->caps.families };

	if (conn->agreed.families)
		return 0;
	snprintf(detail, DETAIL_B,
	    "the peer has none of the address families configured here");
	bgp_caps_encode(&w, &want);
	bgp_notification_set(err, BGP_ERR_OPEN, BGP_OPEN_BAD_CAPABILITY, data,
	    w.n);
	return -1;
}

int
bgp_open_check(const struct bgp_session *s, const struct bgp_open *open,
    const struct bgp_open *ours, struct bgp_conn *conn,
    struct bgp_notification *err, char detail[160])
{
	const struct bgp_session_conf *conf = &s->conf;
	uint32_t as = bgp_open_as(open);

	detail[0] = '\0';
	if (as != conf->peer_as || !as) {
		snprintf(detail, DETAIL_B, "peer says AS %u, configured %u", as,
		    conf->peer_as);
		return refuse(err, BGP_OPEN_BAD_AS);
	}
	/* RFC 6286: only within an AS must identifiers differ. */
	if (!open->id || (open->id == conf->id && as == conf->local_as)) {
		snprintf(detail, DETAIL_B, "%s",
		    open->id ? "the peer has our own router id"
			     : "the peer's router id is 0.0.0.0");
		return refuse(err, BGP_OPEN_BAD_ID);
	}
	if (open->hold_s == 1 || open->hold_s == 2) {
		snprintf(detail, DETAIL_B, "peer wants %u s", open->hold_s);
		return refuse(err, BGP_OPEN_BAD_HOLD);
	}
	conn->agreed = bgp_caps_agree(&ours->caps, &open->caps);
	if (check_families(ours, conn, err, detail) < 0)
		return -1;
	conn->peer_id = open->id;
	conn->hold_s = MIN(open->hold_s, conf->hold_s);
	conn->keepalive_s = conn->hold_s / 3;
	if (conf->keepalive_s && conf->keepalive_s < conn->keepalive_s)
		conn->keepalive_s = conf->keepalive_s;
	return 0;
}
