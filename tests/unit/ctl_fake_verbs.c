/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_fake_verbs: what the fake daemon is told to do, remembered as text.
 */
#include <stdarg.h>
#include <stdio.h>

#include "ctl_fake.h"

static int ATTR_PRINTF(3, 4)
    verb(struct fake_verbs *f, struct err *err, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_clear(&f->last);
	str_add(&f->last, text);
	return f->fail ? err_set(err, f->fail, "told to fail") : 0;
}

static int
reserve(void *arg, const struct addr *address, const char *ns, const char *name,
    struct err *err)
{
	char text[ADDR_TEXT_B];

	return verb(arg, err, "reserve %s %s/%s", addr_text(address, text), ns,
	    name);
}

static int
unreserve(void *arg, const struct addr *address, struct err *err)
{
	char text[ADDR_TEXT_B];

	return verb(arg, err, "unreserve %s", addr_text(address, text));
}

static int
release(void *arg, const struct addr *address, struct err *err)
{
	char text[ADDR_TEXT_B];

	return verb(arg, err, "release %s", addr_text(address, text));
}

static int
reload(void *arg, struct err *err)
{
	return verb(arg, err, "reload");
}

static int
withdraw_all(void *arg, bool undo, struct err *err)
{
	return verb(arg, err, "withdraw-all%s", undo ? " undo" : "");
}

void
fake_verbs_init(struct ctl_state *state)
{
	state->reserve = reserve;
	state->unreserve = unreserve;
	state->release = release;
	state->reload = reload;
	state->withdraw_all = withdraw_all;
}

const char *
fake_last_verb(const struct fake *fake)
{
	return str_get(&((const struct fake_verbs *)fake)->last);
}

void
fake_fail(struct fake *fake, int code)
{
	((struct fake_verbs *)fake)->fail = code;
}
