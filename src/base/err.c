/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cut in the middle of a character would make the text unfit for JSON. */
static void
drop_cut_character(char *text, size_t cap_b)
{
	size_t n = strlen(text);
	size_t tail = 0;
	unsigned char lead;

	if (n + 1 < cap_b)
		return;
	while (tail < 3 && tail < n &&
	    ((unsigned char)text[n - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail == n)
		return;
	lead = (unsigned char)text[n - 1 - tail];
	if (lead >= 0xc0 &&
	    tail < (size_t)(lead >= 0xf0  ? 3
			   : lead >= 0xe0 ? 2
					  : 1))
		text[n - 1 - tail] = '\0';
}

/* By way of a copy: the arguments may be the old text itself. */
static void ATTR_PRINTF(2, 0)
    set_text(struct err *err, const char *fmt, va_list ap)
{
	char text[sizeof(err->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	drop_cut_character(text, sizeof(text));
	memcpy(err->text, text, strlen(text) + 1);
}

void
err_fill(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	err->code = code;
	err->line = 0;
	err->column = 0;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
}

int
err_at(struct err *err, int code, unsigned int line, unsigned int column,
    const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	err->line = line;
	err->column = column;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	return code;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	size_t n;
	va_list ap;

	if (!err)
		return 0;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	drop_cut_character(err->text, sizeof(err->text));
	return err->code;
}

bool
err_is_exhausted(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOBUFS ||
	    code == -ENOMEM;
}
