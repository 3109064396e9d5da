/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/notify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

enum {
	SUB_MAX = 12
};

static const struct {
	const char *name;
	const char *sub[SUB_MAX];
} names[] = {
	[BGP_ERR_HEADER] = { "Message Header Error",
	    { [1] = "Connection Not Synchronized",
		"Bad Message Length",
		"Bad Message Type" } },
	[BGP_ERR_OPEN] = { "OPEN Message Error",
	    { [1] = "Unsupported Version Number",
		"Bad Peer AS",
		"Bad BGP Identifier",
		"Unsupported Optional Parameter",
		[6] = "Unacceptable Hold Time",
		"Unsupported Capability",
		[11] = "Role Mismatch" } },
	[BGP_ERR_UPDATE] = { "UPDATE Message Error",
	    { [1] = "Malformed Attribute List",
		"Unrecognized Well-known Attribute",
		"Missing Well-known Attribute",
		"Attribute Flags Error",
		"Attribute Length Error",
		"Invalid ORIGIN Attribute",
		[8] = "Invalid NEXT_HOP Attribute",
		"Optional Attribute Error",
		"Invalid Network Field",
		"Malformed AS_PATH" } },
	[BGP_ERR_HOLD] = { "Hold Timer Expired", { NULL } },
	[BGP_ERR_FSM] = { "Finite State Machine Error",
	    { [1] = "Unexpected Message in OpenSent",
		"Unexpected Message in OpenConfirm",
		"Unexpected Message in Established" } },
	[BGP_ERR_CEASE] = { "Cease",
	    { [1] = "Maximum Number of Prefixes Reached",
		"Administrative Shutdown",
		"Peer De-configured",
		"Administrative Reset",
		"Connection Rejected",
		"Other Configuration Change",
		"Connection Collision Resolution",
		"Out of Resources",
		"Hard Reset",
		"BFD Down" } },
	[7] = { "ROUTE-REFRESH Message Error",
	    { [1] = "Invalid Message Length" } },
	[8] = { "Send Hold Timer Expired", { NULL } },
};

void
bgp_notification_set(struct bgp_notification *n, uint8_t code, uint8_t sub,
    const void *data, size_t n_data)
{
	n->code = code;
	n->sub = sub;
	n->n_data = (uint16_t)MIN(n_data, sizeof(n->data));
	if (n->n_data)
		memcpy(n->data, data, n->n_data);
}

void
bgp_notification_cease(struct bgp_notification *n, enum bgp_cease sub,
    const char *text)
{
	uint8_t data[BGP_NOTIFICATION_DATA_B];
	size_t len = text ? strlen(text) : 0;

	bgp_notification_set(n, BGP_ERR_CEASE, (uint8_t)sub, NULL, 0);
	if (!len || len > sizeof(data) - 1)
		return;
	data[0] = (uint8_t)len;
	memcpy(data + 1, text, len);
	bgp_notification_set(n, BGP_ERR_CEASE, (uint8_t)sub, data, len + 1);
}

/* The peer's words go to a terminal: printable ASCII passes,
 * everything else is escaped. */
static void
escape(const uint8_t *s, size_t n, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 5 < cap; i++) {
		bool is_plain = s[i] >= 0x20 && s[i] < 0x7f && s[i] != '\\';

		if (is_plain)
			out[at++] = (char)s[i];
		else
			at += (size_t)snprintf(out + at, cap - at, "\\x%02x",
			    s[i]);
	}
	out[at] = '\0';
}

static bool
has_communication(const struct bgp_notification *n)
{
	return n->code == BGP_ERR_CEASE &&
	    (n->sub == BGP_CEASE_SHUTDOWN || n->sub == BGP_CEASE_RESET) &&
	    n->n_data > 1 && n->data[0] && n->data[0] < n->n_data;
}

void
bgp_notification_text(const struct bgp_notification *n,
    char out[BGP_NOTIFICATION_TEXT_B])
{
	const char *name = NULL;
	const char *sub = NULL;
	char text[BGP_NOTIFICATION_TEXT_B - 100];
	int at;

	if (n->code < ARRAY_LEN(names))
		name = names[n->code].name;
	if (name && n->sub < SUB_MAX)
		sub = names[n->code].sub[n->sub];
	if (!name)
		at = snprintf(out, BGP_NOTIFICATION_TEXT_B, "error %u/%u",
		    n->code, n->sub);
	else if (sub)
		at = snprintf(out, BGP_NOTIFICATION_TEXT_B, "%s/%s", name, sub);
	else if (n->sub)
		at = snprintf(out, BGP_NOTIFICATION_TEXT_B, "%s/%u", name,
		    n->sub);
	else
		at = snprintf(out, BGP_NOTIFICATION_TEXT_B, "%s", name);
	if (!has_communication(n))
		return;
	escape(n->data + 1, n->data[0], text, sizeof(text));
	snprintf(out + at, BGP_NOTIFICATION_TEXT_B - (size_t)at, ": %s", text);
}
