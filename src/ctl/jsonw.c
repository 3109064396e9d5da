/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/jsonw.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Octets of the UTF-8 sequence at `s` (RFC 3629), 0 if it is none. */
static size_t
utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t n;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
			continue;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].n; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].n;
	}
	return 0;
}

static void
add_escaped(struct str *out, unsigned char c)
{
	static const char short_forms[] = "b\bf\fn\nr\rt\t";

	if (c == '"' || c == '\\') {
		str_printf(out, "\\%c", c);
		return;
	}
	for (const char *p = short_forms; *p; p += 2)
		if (p[1] == (char)c) {
			str_printf(out, "\\%c", p[0]);
			return;
		}
	str_printf(out, "\\u%04x", c);
}

static void
add_quoted(struct str *out, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	str_add_n(out, "\"", 1);
	while (*s) {
		const unsigned char *plain = s;
		size_t n;

		while (*s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\')
			s++;
		if (s > plain)
			str_add_n(out, (const char *)plain,
			    (size_t)(s - plain));
		if (!*s)
			break;
		if (*s < 0x80) {
			add_escaped(out, *s++);
			continue;
		}
		n = utf8_length(s);
		if (n)
			str_add_n(out, (const char *)s, n);
		else
			str_add(out, "\xef\xbf\xbd");
		s += n ? n : 1;
	}
	str_add_n(out, "\"", 1);
}

/* Keys are this program's own words and need no escape. */
static void
begin_value(struct jsonw *json, const char *key)
{
	char text[64];
	size_t n;

	if (!key) {
		if (json->needs_comma)
			str_add_n(json->out, ",", 1);
		json->needs_comma = true;
		return;
	}
	n = strlen(key);
	assert(n + 4 <= sizeof(text));
	text[0] = ',';
	text[1] = '"';
	memcpy(text + 2, key, n);
	text[n + 2] = '"';
	text[n + 3] = ':';
	str_add_n(json->out, json->needs_comma ? text : text + 1,
	    n + (json->needs_comma ? 4 : 3));
	json->needs_comma = true;
}

void
jsonw_begin(struct jsonw *json, struct str *out)
{
	json->out = out;
	json->needs_comma = false;
}

void
jsonw_object(struct jsonw *json, const char *key)
{
	begin_value(json, key);
	str_add_n(json->out, "{", 1);
	json->needs_comma = false;
}

void
jsonw_object_end(struct jsonw *json)
{
	str_add_n(json->out, "}", 1);
	json->needs_comma = true;
}

void
jsonw_array(struct jsonw *json, const char *key)
{
	begin_value(json, key);
	str_add_n(json->out, "[", 1);
	json->needs_comma = false;
}

void
jsonw_array_end(struct jsonw *json)
{
	str_add_n(json->out, "]", 1);
	json->needs_comma = true;
}

void
jsonw_null(struct jsonw *json, const char *key)
{
	begin_value(json, key);
	str_add(json->out, "null");
}

void
jsonw_bool(struct jsonw *json, const char *key, bool value)
{
	begin_value(json, key);
	str_add(json->out, value ? "true" : "false");
}

void
jsonw_u64(struct jsonw *json, const char *key, uint64_t value)
{
	char text[20];
	char *p = text + sizeof(text);

	begin_value(json, key);
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	str_add_n(json->out, p, (size_t)(text + sizeof(text) - p));
}

void
jsonw_seconds(struct jsonw *json, const char *key, double value)
{
	if (!(value >= 0)) {
		jsonw_null(json, key);
		return;
	}
	begin_value(json, key);
	str_printf(json->out, "%.3f", value);
}

void
jsonw_str(struct jsonw *json, const char *key, const char *value)
{
	if (!value) {
		jsonw_null(json, key);
		return;
	}
	begin_value(json, key);
	add_quoted(json->out, value);
}

void
jsonw_addr(struct jsonw *json, const char *key, const struct addr *value)
{
	char text[ADDR_TEXT_B];

	jsonw_str(json, key,
	    addr_is_set(value) ? addr_text(value, text) : NULL);
}

const char *
jsonw_time_text(wall_t value, char out[32])
{
	struct tm tm = { 0 };
	time_t t = value;

	if (!gmtime_r(&t, &tm) ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, 32, "1970-01-01T00:00:00Z");
	return out;
}

void
jsonw_time(struct jsonw *json, const char *key, wall_t value)
{
	char text[32];

	jsonw_str(json, key, value ? jsonw_time_text(value, text) : NULL);
}
