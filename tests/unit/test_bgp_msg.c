/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP messages: round trips, malformed input and its answer, octet streams cut
 * in every way, the send queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bgp/sendq.h"
#include "bgp/stream.h"

#define MARKER                                                                 \
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
/* A message of a literal body, whose length is known to be below 256. */
#define MSG(len, type, body)                                                   \
	MARKER "\x00" len type body, sizeof(MARKER "\x00" len type body) - 1

static void
test_open_round_trip(void **state)
{
	static const struct bgp_open opens[] = {
		{ .version = 4, .my_as = 65001, .hold_s = 90, .id = 1 },
		{ .version = 4,
		    .my_as = 23456,
		    .hold_s = 0,
		    .id = UINT32_MAX,
		    .caps = { .has_families = true,
			.families =
			    BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6),
			.route_refresh = true,
			.enhanced_refresh = true,
			.as4 = true,
			.as = 4200000001,
			.graceful_restart = true,
			.is_restarting = true,
			.restart_s = 4095,
			.gr_families =
			    BGP_FAMILY(FAMILY_IPV4) | BGP_FAMILY(FAMILY_IPV6),
			.gr_forwarding = BGP_FAMILY(FAMILY_IPV6) } },
		{ .version = 4,
		    .my_as = 1,
		    .hold_s = 3,
		    .id = 7,
		    .caps = { .graceful_restart = true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opens); i++) {
		uint8_t buf[BGP_MSG_MAX_B];
		struct wire_writer w = wire_writer(buf, sizeof(buf));
		struct bgp_notification err;
		struct bgp_open got;

		bgp_open_encode(&w, &opens[i]);
		assert_false(w.failed);
		assert_int_equal(bgp_msg_frame(buf, w.n, &err), w.n);
		assert_int_equal(bgp_open_decode(buf, w.n, &got, &err), 0);
		assert_int_equal(got.my_as, opens[i].my_as);
		assert_int_equal(got.hold_s, opens[i].hold_s);
		assert_int_equal(got.id, opens[i].id);
		assert_memory_equal(&got.caps, &opens[i].caps,
		    sizeof(got.caps));
		assert_int_equal(bgp_open_as(&got),
		    opens[i].caps.as4 ? opens[i].caps.as : opens[i].my_as);
	}
}

/* What comes out of one message: "" nothing, else kind or the answer with its
 * data. */
static const struct malformed_case {
	const char *name;
	const char *data;
	size_t n;
	const char *want;
} malformed_cases[] = {
	{ "keepalive", MSG("\x13", "\x04", ""), "KEEPALIVE" },
	{ "keepalive with a body", MSG("\x14", "\x04", "x"), "1/2 0014" },
	{ "length 18", MSG("\x12", "\x04", ""), "1/2 0012" },
	{ "marker", "\xff\xfe", 2, "1/1" },
	{ "type 0", MSG("\x13", "\x00", ""), "1/3 00" },
	{ "type 6", MSG("\x13", "\x06", ""), "1/3 06" },
	{ "length 4097", MARKER "\x10\x01\x02", 19, "1/2 1001" },
	{ "half a header", MARKER, 16, "" },
	{ "short OPEN", MSG("\x1c", "\x01", "\4\0\1\0\x5a\1\2\3\4"),
	    "1/2 001c" },
	{ "OPEN", MSG("\x1d", "\x01", "\4\0\1\0\x5a\1\2\3\4\0"), "OPEN" },
	{ "version 3", MSG("\x1d", "\x01", "\3\0\1\0\x5a\1\2\3\4\0"),
	    "2/1 0004" },
	{ "parameters beyond the end",
	    MSG("\x1d", "\x01", "\4\0\1\0\x5a\1\2\3\4\1"), "2/0" },
	{ "unknown parameter",
	    MSG("\x1f", "\x01", "\4\0\1\0\x5a\1\2\3\4\2\1\0"), "2/4" },
	{ "unknown capability",
	    MSG("\x22", "\x01", "\4\0\1\0\x5a\1\2\3\4\5\2\3\xc8\1\0"), "OPEN" },
	{ "capability beyond its parameter",
	    MSG("\x21", "\x01", "\4\0\1\0\x5a\1\2\3\4\4\2\2\x41\4"), "2/0" },
	{ "4-octet AS of 2 octets",
	    MSG("\x23", "\x01", "\4\0\1\0\x5a\1\2\3\4\6\2\4\x41\2\0\1"),
	    "2/0" },
	{ "extended parameters", /* RFC 9072 */
	    MSG("\x25", "\x01", "\4\0\1\0\x5a\1\2\3\4\xff\xff\0\5\2\0\2\2\0"),
	    "OPEN" },
	{ "short NOTIFICATION", MSG("\x14", "\x03", "\6"), "1/2 0014" },
	{ "NOTIFICATION", MSG("\x15", "\x03", "\6\2"), "NOTIFICATION" },
	{ "ROUTE-REFRESH", MSG("\x17", "\x05", "\0\1\0\1"), "REFRESH" },
	{ "short ROUTE-REFRESH", MSG("\x16", "\x05", "\0\1\0"), "1/2 0016" },
	{ "short UPDATE", MSG("\x16", "\x02", "\0\0\0"), "1/2 0016" },
	{ "withdrawn beyond the end", MSG("\x17", "\x02", "\0\1\0\0"), "3/1" },
	{ "attributes beyond the end", MSG("\x17", "\x02", "\0\0\0\1"), "3/1" },
	{ "prefix of 33 bits", MSG("\x1d", "\x02", "\0\0\0\0\x21\1\2\3\4\5"),
	    "3/10" },
	{ "withdrawn prefix cut off", MSG("\x1a", "\x02", "\0\3\x20\1\2\0\0"),
	    "3/10" },
	{ "End-of-RIB", MSG("\x17", "\x02", "\0\0\0\0"), "UPDATE good eor4" },
	{ "End-of-RIB of IPv6", MSG("\x1d", "\x02", "\0\0\0\6\x80\x0f\3\0\2\1"),
	    "UPDATE good eor6" },
	{ "prefix without attributes",
	    MSG("\x1c", "\x02", "\0\0\0\0\x20\1\2\3\4"), "UPDATE odd" },
	{ "attribute beyond the end, RFC 7606 4",
	    MSG("\x1f", "\x02", "\0\0\0\3\x40\1\2\x20\1\2\3\4"), "UPDATE odd" },
	{ "origin 3", MSG("\x1b", "\x02", "\0\0\0\4\x40\1\1\3"), "UPDATE odd" },
	{ "origin twice: the first counts",
	    MSG("\x1f", "\x02", "\0\0\0\x08\x40\1\1\0\x40\1\1\3"),
	    "UPDATE good" },
	{ "MP_UNREACH twice",
	    MSG("\x23", "\x02", "\0\0\0\x0c\x80\x0f\3\0\2\1\x80\x0f\3\0\2\1"),
	    "3/1" },
	{ "IPv6 prefix of 129 bits",
	    MSG("\x1e", "\x02", "\0\0\0\7\x80\x0f\4\0\2\1\x81"),
	    "3/9 800f0400020181" },
	{ "MP_REACH that ends within its next hop, behind another attribute",
	    MSG("\x24", "\x02",
		"\0\0\0\x0d\x40\1\1\0\x90\x0e\0\5\0\2\1\x10\xfe"),
	    "3/9 900e000500020110fe" },
	{ "unknown family is not ours to judge",
	    MSG("\x1e", "\x02", "\0\0\0\7\x80\x0f\4\0\x19\x41\xff"),
	    "UPDATE good" },
};

static void
describe(const struct bgp_rx *rx, char *out, size_t cap)
{
	static const char *const names[] = { "OPEN", "UPDATE", "NOTIFICATION",
		"KEEPALIVE", "REFRESH" };
	static const char *const eor[] = { "", " eor4", " eor6" };

	if (rx->kind == BGP_RX_ERROR) {
		const struct bgp_notification *e = &rx->notification;
		int at = snprintf(out, cap, "%u/%u%s", e->code, e->sub,
		    e->n_data ? " " : "");

		for (size_t i = 0; i < e->n_data; i++)
			at += snprintf(out + at, cap - (size_t)at, "%02x",
			    e->data[i]);
	} else if (rx->kind == BGP_RX_UPDATE)
		snprintf(out, cap, "UPDATE %s%s",
		    rx->update.verdict == BGP_UPDATE_GOOD ? "good" : "odd",
		    rx->update.verdict == BGP_UPDATE_GOOD
			? eor[rx->update.end_of_rib]
			: "");
	else
		snprintf(out, cap, "%s", names[rx->kind]);
}

/* All events of `data` given in pieces of `step` octets, as one text. */
static void
replay(const uint8_t *data, size_t n, size_t step, char *out, size_t cap)
{
	struct bgp_stream *s = mem_new(struct bgp_stream);
	size_t at = 0;

	out[0] = '\0';
	while (n) {
		struct bgp_rx rx;
		size_t room;
		uint8_t *p = bgp_stream_room(s, &room);
		size_t piece = MIN(MIN(step, n), room);

		if (!piece)
			break; /* broken: nothing is taken out any more */
		memcpy(p, data, piece);
		bgp_stream_add(s, piece);
		data += piece;
		n -= piece;
		while (bgp_stream_next(s, &rx)) {
			if (at)
				at += (size_t)snprintf(out + at, cap - at, ",");
			describe(&rx, out + at, cap - at);
			at += strlen(out + at);
		}
	}
	free(s);
}

static void
test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(malformed_cases); i++) {
		const struct malformed_case *c = &malformed_cases[i];
		char got[128];

		replay((const uint8_t *)c->data, c->n, c->n, got, sizeof(got));
		if (strcmp(got, c->want) != 0)
			fail_msg("%s: got %s want %s", c->name, got, c->want);
	}
}

static void
test_any_split(void **state)
{
	static uint8_t all[4096];
	size_t n = 0;
	static char whole[2048];
	static char got[2048];

	(void)state;
	for (unsigned int round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_LEN(malformed_cases); i++) {
			const struct malformed_case *c = &malformed_cases[i];

			if (strchr(c->want, '/') || !c->want[0])
				continue;
			memcpy(all + n, c->data, c->n);
			n += c->n;
		}
	/* And an end that breaks. */
	memcpy(all + n, MARKER "\x00\x13\x09", 19);
	n += 19;
	replay(all, n, n, whole, sizeof(whole));
	assert_non_null(strstr(whole, "UPDATE odd"));
	assert_string_equal(whole + strlen(whole) - 7, ",1/3 09");
	for (size_t step = 1; step < 128; step++) {
		replay(all, n, step, got, sizeof(got));
		assert_string_equal(got, whole);
	}
}

static void
test_notification_text(void **state)
{
	static const struct {
		uint8_t code, sub;
		const char *data;
		const char *want;
	} cases[] = {
		{ 6, 2, "\x04time", "Cease/Administrative Shutdown: time" },
		{ 6, 2, "\x09time", "Cease/Administrative Shutdown" },
		{ 6, 4,
		    "\x03"
		    "a\033b",
		    "Cease/Administrative Reset: a\\x1bb" },
		{ 2, 2, "", "OPEN Message Error/Bad Peer AS" },
		{ 4, 0, "", "Hold Timer Expired" },
		{ 3, 7, "", "UPDATE Message Error/7" },
		{ 3, 77, "", "UPDATE Message Error/77" },
		{ 0, 0, "", "error 0/0" },
		{ 99, 1, "", "error 99/1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[BGP_NOTIFICATION_TEXT_B];
		struct bgp_notification n;

		bgp_notification_set(&n, cases[i].code, cases[i].sub,
		    cases[i].data, strlen(cases[i].data));
		bgp_notification_text(&n, text);
		assert_string_equal(text, cases[i].want);
	}
}

static size_t
make(uint8_t *buf, size_t len, uint8_t type)
{
	memset(buf, 0xff, 16);
	buf[16] = (uint8_t)(len >> 8);
	buf[17] = (uint8_t)len;
	buf[18] = type;
	memset(buf + 19, 0, len - 19);
	return len;
}

/* Types of the messages that a receiver would see. */
static void
drain(struct bgp_sendq *q, size_t step, char *out)
{
	struct bgp_stream *s = mem_new(struct bgp_stream);
	size_t n;
	const uint8_t *p;

	while (p = bgp_sendq_get(q, &n), n) {
		size_t room;
		uint8_t *to = bgp_stream_room(s, &room);
		struct bgp_notification err;
		int len;

		n = MIN(MIN(n, step), room);
		memcpy(to, p, n);
		bgp_stream_add(s, n);
		bgp_sendq_sent(q, n);
		while (s->n &&
		    (len = bgp_msg_frame(s->buf + s->begin, s->n, &err)) > 0) {
			*out++ = (char)('0' + s->buf[s->begin + 18]);
			s->begin += (size_t)len;
			s->n -= (size_t)len;
		}
	}
	assert_int_equal(s->n, 0);
	*out = '\0';
	free(s);
}

static void
test_send_queue(void **state)
{
	struct bgp_sendq *q = mem_new(struct bgp_sendq);
	uint8_t keepalive[19];
	uint8_t last[21];
	char got[64];
	size_t room;

	(void)state;
	make(keepalive, sizeof(keepalive), 4);
	make(last, sizeof(last), 3);
	for (size_t step = 1; step < 300; step += 7) {
		for (size_t i = 0; i < 3; i++) {
			uint8_t *p = bgp_sendq_room(q, &room);

			bgp_sendq_add(q, make(p, 100 + i, 2));
		}
		/* Inside the first message: the keepalive is the second. */
		bgp_sendq_sent(q, 20);
		assert_true(bgp_sendq_urgent(q, keepalive, 19));
		bgp_sendq_sent(q, 80); /* at a boundary: it goes first */
		assert_true(bgp_sendq_urgent(q, keepalive, 19));
		drain(q, step, got);
		assert_string_equal(got, "4422");
	}
	bgp_sendq_add(q, make(bgp_sendq_room(q, &room), 200, 2));
	bgp_sendq_add(q, make(bgp_sendq_room(q, &room), 200, 2));
	bgp_sendq_sent(q, 1);
	bgp_sendq_last(q, last, sizeof(last));
	{
		size_t n;

		bgp_sendq_get(q, &n);
		assert_int_equal(n, 199 + 21);
	}
	free(q);
}

static void
test_send_queue_is_bounded(void **state)
{
	struct bgp_sendq *q = mem_new(struct bgp_sendq);
	uint8_t keepalive[19];
	size_t n_keepalives = 0;
	size_t room;

	(void)state;
	make(keepalive, sizeof(keepalive), 4);
	for (;;) {
		uint8_t *p = bgp_sendq_room(q, &room);

		if (room < BGP_MSG_MAX_B)
			break;
		bgp_sendq_add(q, make(p, BGP_MSG_MAX_B, 2));
	}
	bgp_sendq_sent(q, 1);
	while (bgp_sendq_urgent(q, keepalive, sizeof(keepalive)))
		n_keepalives++;
	assert_in_range(n_keepalives, 400, 700);
	bgp_sendq_last(q, keepalive, sizeof(keepalive));
	bgp_sendq_get(q, &room);
	assert_int_equal(room, BGP_MSG_MAX_B - 1 + 19);
	free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_round_trip),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_any_split),
		cmocka_unit_test(test_notification_text),
		cmocka_unit_test(test_send_queue),
		cmocka_unit_test(test_send_queue_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
