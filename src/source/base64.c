/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/base64.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

enum {
	BASE64_BAD = 0xff
};

static uint8_t
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	if (c == '+')
		return 62;
	return c == '/' ? 63 : BASE64_BAD;
}

const char *
base64_decode(struct arena *arena, const char *s)
{
	char *out = arena_alloc(arena, strlen(s) / 4 * 3 + 4);
	size_t n = 0;
	size_t quads = 0;
	uint32_t bits = 0;
	size_t pad = 0;

	for (; *s; s++) {
		uint8_t v = base64_value(*s);

		if (*s == '\n' || *s == '\r')
			continue;
		if (*s == '=')
			pad++;
		else if (v == BASE64_BAD || pad)
			return NULL;
		bits = bits << 6 | (*s == '=' ? 0U : v);
		if (++quads % 4 != 0)
			continue;
		if (pad > 2)
			return NULL;
		out[n++] = (char)(bits >> 16 & 0xff);
		if (pad < 2)
			out[n++] = (char)(bits >> 8 & 0xff);
		if (pad < 1)
			out[n++] = (char)(bits & 0xff);
	}
	if (quads % 4 != 0)
		return NULL;
	out[n] = '\0';
	return out;
}
