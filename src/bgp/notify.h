/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify: the content of a NOTIFICATION, and its words.
 *
 * Pure.  Codes as the IANA registry numbers them; text of a shutdown
 * communication (RFC 9003) is shown with everything unprintable escaped.
 */
#ifndef EIPD_BGP_NOTIFY_H
#define EIPD_BGP_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

enum {
	BGP_NOTIFICATION_DATA_B = 256,
	BGP_NOTIFICATION_TEXT_B = 480
};

enum bgp_err {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN,
	BGP_ERR_UPDATE,
	BGP_ERR_HOLD,
	BGP_ERR_FSM,
	BGP_ERR_CEASE,
};

enum {
	BGP_HEADER_NOT_SYNCHRONIZED = 1,
	BGP_HEADER_BAD_LENGTH = 2,
	BGP_HEADER_BAD_TYPE = 3,
};

enum {
	BGP_OPEN_UNSPECIFIC = 0,
	BGP_OPEN_BAD_VERSION = 1,
	BGP_OPEN_BAD_AS = 2,
	BGP_OPEN_BAD_ID = 3,
	BGP_OPEN_BAD_PARAMETER = 4,
	BGP_OPEN_BAD_HOLD = 6,
	BGP_OPEN_BAD_CAPABILITY = 7,
};

enum {
	BGP_UPDATE_MALFORMED = 1,
	BGP_UPDATE_OPTIONAL = 9,
	BGP_UPDATE_BAD_NETWORK = 10,
};

/* RFC 6608. */
enum {
	BGP_FSM_OPEN_SENT = 1,
	BGP_FSM_OPEN_CONFIRM = 2,
	BGP_FSM_ESTABLISHED = 3,
};

enum bgp_cease {
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG_CHANGE = 6,
	BGP_CEASE_COLLISION = 7,
};

struct bgp_notification {
	uint8_t code;
	uint8_t sub;
	uint16_t n_data; /* what exceeds `data` is cut off */
	uint8_t data[BGP_NOTIFICATION_DATA_B];
};

void bgp_notification_set(struct bgp_notification *n, uint8_t code, uint8_t sub,
    const void *data, size_t n_data);

/* Cease with a text for the other operator (RFC 9003); NULL: none. */
void bgp_notification_cease(struct bgp_notification *n, enum bgp_cease sub,
    const char *text);

/* "Cease/Administrative Shutdown: text". */
void bgp_notification_text(const struct bgp_notification *n,
    char out[BGP_NOTIFICATION_TEXT_B]);

#endif
