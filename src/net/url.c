/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/url.h"

#include <string.h>

void
url_escape(struct str *out, const char *s)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	while (*s) {
		size_t n = strspn(s, plain);

		str_add_n(out, s, n);
		s += n;
		if (*s)
			str_printf(out, "%%%02X", (unsigned char)*s++);
	}
}
