/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/tree_text.h"

#include <string.h>

#include "base/arena.h"

const char *
tree_text(struct arena *arena, const char *s, size_t n)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t nuls = 0;
	char *out;
	char *p;

	for (size_t i = 0; i < n; i++)
		nuls += s[i] == '\0';
	if (nuls == 0)
		return arena_strndup(arena, s, n);
	out = p = arena_alloc(arena, n + 2 * nuls + 1);
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\0')
			*p++ = s[i];
		else
			p = (char *)memcpy(p, replacement, 3) + 3;
	}
	return out;
}
