/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value: reading and printing the value of one option. */
#include <errno.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/schema.h"
#include "conf/tree.h"

static int
refuse(const struct schema_option *o, const struct tree *t, struct err *err)
{
	char shown[80];

	return tree_err(t, err, "%s: expected %s, found %s", o->path, o->form,
	    tree_show(t, shown));
}

static void *
member(const struct schema_option *o, struct conf *conf)
{
	return (char *)conf + o->offset;
}

static const void *
member_const(const struct schema_option *o, const struct conf *conf)
{
	return (const char *)conf + o->offset;
}

static void
store_number(const struct schema_option *o, struct conf *conf, uint64_t v)
{
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	if (o->size_b == sizeof(u16))
		memcpy(member(o, conf), &u16, sizeof(u16));
	else
		memcpy(member(o, conf), &u32, sizeof(u32));
}

static uint64_t
load_number(const struct schema_option *o, const struct conf *conf)
{
	uint16_t u16;
	uint32_t u32;

	if (o->size_b == sizeof(u16)) {
		memcpy(&u16, member_const(o, conf), sizeof(u16));
		return u16;
	}
	memcpy(&u32, member_const(o, conf), sizeof(u32));
	return u32;
}

static int
set_string(const struct schema_option *o, struct conf *conf,
    const struct tree *t, struct err *err)
{
	const char *s;

	if (tree_string(t, &s, err) < 0 ||
	    !(o->is_valid ? o->is_valid(s) : *s != '\0'))
		return refuse(o, t, err);
	s = arena_strdup(&conf->arena, s);
	memcpy(member(o, conf), &s, sizeof(s));
	return 0;
}

static void
store_is_on(const struct schema_option *o, struct conf *conf, bool is_on)
{
	memcpy(member(o, conf), &is_on, sizeof(is_on));
}

static int
set_switch(const struct schema_option *o, struct conf *conf,
    const struct tree *t, struct err *err)
{
	bool is_on = false;

	if (t->kind == TREE_MAP)
		is_on = true;
	else if (t->kind != TREE_SCALAR || t->is_quoted)
		return refuse(o, t, err);
	else if (strcmp(t->text, "on") == 0)
		is_on = true;
	else if (strcmp(t->text, "off") != 0 && tree_bool(t, &is_on, err) < 0)
		return refuse(o, t, err);
	store_is_on(o, conf, is_on);
	return 0;
}

static int
set_choice(const struct schema_option *o, struct conf *conf,
    const struct tree *t, struct err *err)
{
	const struct schema_choice *c;

	if (t->kind != TREE_SCALAR)
		return refuse(o, t, err);
	for (c = o->choices; c->name; c++) {
		if (strcmp(c->name, t->text) == 0)
			break;
	}
	if (!c->name)
		return refuse(o, t, err);
	memcpy(member(o, conf), &c->value, sizeof(c->value));
	return 0;
}

static int
set_addr(const struct schema_option *o, struct conf *conf, const struct tree *t,
    struct err *err)
{
	struct addr a;

	if (t->kind != TREE_SCALAR || addr_parse(t->text, &a) < 0 ||
	    a.family != FAMILY_IPV4 || addr_is_unspecified(&a))
		return refuse(o, t, err);
	memcpy(member(o, conf), &a, sizeof(a));
	return 0;
}

/* "192.0.2.1:80" or "[2001:db8::1]:80". */
static int
parse_listen(const char *s, struct conf_listen *out)
{
	const char *colon = strrchr(s, ':');
	char host[ADDR_TEXT_B + 2];
	char *from = host;
	uint64_t port;
	size_t n;
	bool is_v6;

	n = colon ? (size_t)(colon - s) : 0;
	if (n == 0 || n >= sizeof(host) ||
	    str_to_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = '\0';
	is_v6 = host[0] == '[' && host[n - 1] == ']';
	if (is_v6) {
		host[n - 1] = '\0';
		from = host + 1;
	}
	if (is_v6 != (strchr(from, ':') != NULL) ||
	    addr_parse(from, &out->addr) < 0)
		return -EINVAL;
	out->port = (uint16_t)port;
	return 0;
}

static int
set_listen(const struct schema_option *o, struct conf *conf,
    const struct tree *t, struct err *err)
{
	struct conf_listen v[CONF_LISTEN_MAX] = { 0 };
	size_t n = 0;

	if (t->kind != TREE_SEQ)
		return refuse(o, t, err);
	if (t->n > CONF_LISTEN_MAX)
		return tree_err(t, err, "%s: more than %d entries", o->path,
		    CONF_LISTEN_MAX);
	for (const struct tree *item = t->first; item; item = item->next) {
		if (item->kind != TREE_SCALAR ||
		    parse_listen(item->text, &v[n]) < 0)
			return refuse(o, item, err);
		for (size_t i = 0; i < n; i++) {
			if (v[i].port == v[n].port &&
			    addr_eq(&v[i].addr, &v[n].addr))
				return tree_err(item, err,
				    "%s: \"%s\" is given twice", o->path,
				    item->text);
		}
		n++;
	}
	memcpy(member(o, conf), v, n * sizeof(v[0]));
	memcpy((char *)conf + o->count_offset, &n, sizeof(n));
	return 0;
}

int
schema_set(const struct schema_option *o, struct conf *conf,
    const struct tree *value, struct err *err)
{
	uint64_t v;
	uint32_t asn;
	int64_t us;

	switch (o->type) {
	case SCHEMA_STRING:
		return set_string(o, conf, value, err);
	case SCHEMA_BOOL:
		if (tree_bool(value, member(o, conf), err) < 0)
			return refuse(o, value, err);
		return 0;
	case SCHEMA_SWITCH:
		return set_switch(o, conf, value, err);
	case SCHEMA_NUMBER:
		if (tree_u64(value, (uint64_t)o->max, &v, err) < 0 ||
		    v < (uint64_t)o->min)
			return refuse(o, value, err);
		store_number(o, conf, v);
		return 0;
	case SCHEMA_ASN:
		if (tree_asn(value, &asn, err) < 0 || asn == 0)
			return refuse(o, value, err);
		store_number(o, conf, asn);
		return 0;
	case SCHEMA_DURATION:
		if (tree_duration(value, &us, err) < 0 || us < o->min ||
		    us > o->max)
			return refuse(o, value, err);
		memcpy(member(o, conf), &us, sizeof(us));
		return 0;
	case SCHEMA_CHOICE:
		return set_choice(o, conf, value, err);
	case SCHEMA_ADDR:
		return set_addr(o, conf, value, err);
	case SCHEMA_LISTEN:
		return set_listen(o, conf, value, err);
	}
	return -EINVAL;
}

void
schema_set_default(const struct schema_option *o, struct conf *conf)
{
	struct tree items[CONF_LISTEN_MAX] = { 0 };
	struct tree t = { .kind = TREE_SCALAR, .text = o->fallback };
	char text[64];
	char *rest = text;
	char *word;
	int rc;

	if (!o->fallback)
		return;
	if (o->type == SCHEMA_LISTEN) {
		memcpy(text, o->fallback, strlen(o->fallback) + 1);
		t.kind = TREE_SEQ;
		t.first = items;
		while ((word = strsep(&rest, " "))) {
			items[t.n].kind = TREE_SCALAR;
			items[t.n].text = word;
			if (t.n)
				items[t.n - 1].next = &items[t.n];
			t.n++;
		}
	}
	rc = schema_set(o, conf, &t, NULL);
	(void)rc; /* test_conf proves every default valid */
}

bool
schema_is_on(const struct schema_option *o, const struct conf *conf)
{
	bool is_on;

	memcpy(&is_on, member_const(o, conf), sizeof(is_on));
	return is_on;
}

/* Plain where it reads as the same string, else in double quotes. */
static void
print_string(const char *s, struct str *out)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_.-0123456789";
	struct tree t = { .kind = TREE_SCALAR, .text = s };
	const char *same;

	/* 53: digits and the like may only follow a letter or "/" */
	if (!s[strspn(s, plain)] && strspn(s, plain) && memchr(plain, *s, 53) &&
	    tree_string(&t, &same, NULL) == 0 && strcasecmp(s, "null") != 0) {
		str_add(out, s);
		return;
	}
	str_add(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			str_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 127)
			str_printf(out, "\\x%02x", (unsigned int)*s);
		else
			str_add_n(out, s, 1);
	}
	str_add(out, "\"");
}

static void
print_listen(const struct schema_option *o, const struct conf *conf,
    struct str *out)
{
	const struct conf_listen *v = member_const(o, conf);
	char text[ADDR_TEXT_B];
	size_t n;

	memcpy(&n, (const char *)conf + o->count_offset, sizeof(n));
	str_add(out, "[");
	for (size_t i = 0; i < n; i++) {
		bool is_v6 = v[i].addr.family == FAMILY_IPV6;

		str_printf(out, "%s\"%s%s%s:%u\"", i ? ", " : "",
		    is_v6 ? "[" : "", addr_text(&v[i].addr, text),
		    is_v6 ? "]" : "", (unsigned int)v[i].port);
	}
	str_add(out, "]");
}

static const char *
choice_name(const struct schema_option *o, const struct conf *conf)
{
	const struct schema_choice *c = o->choices;
	int value;

	memcpy(&value, member_const(o, conf), sizeof(value));
	while (c->name && c->value != value)
		c++;
	return c->name ? c->name : "null";
}

void
schema_print(const struct schema_option *o, const struct conf *conf,
    struct str *out)
{
	char text[ADDR_TEXT_B];
	const char *s;
	struct addr a;
	int64_t us;

	switch (o->type) {
	case SCHEMA_STRING:
		memcpy(&s, member_const(o, conf), sizeof(s));
		if (s)
			print_string(s, out);
		else
			str_add(out, "null");
		break;
	case SCHEMA_BOOL:
		str_add(out, schema_is_on(o, conf) ? "true" : "false");
		break;
	case SCHEMA_SWITCH:
		str_add(out, schema_is_on(o, conf) ? "on" : "off");
		break;
	case SCHEMA_NUMBER:
	case SCHEMA_ASN:
		if (load_number(o, conf))
			str_printf(out, "%llu",
			    (unsigned long long)load_number(o, conf));
		else
			str_add(out, "null");
		break;
	case SCHEMA_DURATION:
		memcpy(&us, member_const(o, conf), sizeof(us));
		str_duration(us, text);
		str_add(out, text);
		break;
	case SCHEMA_CHOICE:
		str_add(out, choice_name(o, conf));
		break;
	case SCHEMA_ADDR:
		memcpy(&a, member_const(o, conf), sizeof(a));
		str_add(out, addr_is_set(&a) ? addr_text(&a, text) : "null");
		break;
	case SCHEMA_LISTEN:
		print_listen(o, conf, out);
		break;
	}
}
