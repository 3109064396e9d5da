/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/jsonw.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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
	const unsigned char *end = s + strlen(value);

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
		n = str_utf8_length((const char *)s, (size_t)(end - s));
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
