/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/decode_util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void *
dec_alloc(struct decoder *d, size_t size_b, size_t align)
{
	size_t at = (d->used_b + align - 1) & ~(align - 1);

	d->used_b = at + size_b;
	if (d->block)
		return d->block + at;
	return arena_alloc(&d->scratch, size_b);
}

const char *
dec_strdup(struct decoder *d, const char *s)
{
	size_t n;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	return memcpy(dec_alloc(d, n, 1), s, n);
}

const char *
dec_printf(struct decoder *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dec_strdup(d, text);
}

int
dec_check(struct decoder *d, const struct tree *map, const char *const *known,
    size_t n_known)
{
	char shown[80];

	if (map->kind != TREE_MAP)
		return tree_err(map, d->err, "%.64s%sexpected a map, found %s",
		    map->key ? map->key : "", map->key ? ": " : "",
		    tree_show(map, shown));
	if (d->mode == DECODE_API)
		return 0;
	for (const struct tree *t = map->first; t; t = t->next) {
		size_t i = 0;

		while (i < n_known && strcmp(known[i], t->key) != 0)
			i++;
		if (i == n_known)
			return tree_unknown_key(t, known, n_known, d->err);
	}
	return 0;
}

static int
member_of(struct decoder *d, const struct tree *map, const char *key,
    enum tree_kind kind, const struct tree **out)
{
	const struct tree *t = tree_get(map, key);
	char shown[80];

	if (!t)
		return 0;
	if (t->kind != kind)
		return tree_err(t, d->err, "%s: expected a %s, found %s", key,
		    kind == TREE_MAP ? "map" : "list", tree_show(t, shown));
	*out = t;
	return 0;
}

int
dec_map(struct decoder *d, const struct tree *map, const char *key,
    const struct tree **out)
{
	return member_of(d, map, key, TREE_MAP, out);
}

int
dec_seq(struct decoder *d, const struct tree *map, const char *key,
    const struct tree **out)
{
	return member_of(d, map, key, TREE_SEQ, out);
}

int
dec_string(struct decoder *d, const struct tree *map, const char *key,
    const char **out)
{
	const struct tree *t = tree_get(map, key);

	return t ? tree_string(t, out, d->err) : 0;
}

int
dec_bool(struct decoder *d, const struct tree *map, const char *key, bool *out)
{
	const struct tree *t = tree_get(map, key);

	return t ? tree_bool(t, out, d->err) : 0;
}

int
dec_u32(struct decoder *d, const struct tree *map, const char *key,
    uint32_t *out)
{
	const struct tree *t = tree_get(map, key);
	uint64_t v;

	if (!t)
		return 0;
	if (tree_u64(t, UINT32_MAX, &v, d->err) < 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

int
dec_asn(struct decoder *d, const struct tree *map, const char *key,
    uint32_t *out)
{
	const struct tree *t = tree_get(map, key);

	return t ? tree_asn(t, out, d->err) : 0;
}

int
dec_u16(struct decoder *d, const struct tree *map, const char *key,
    uint16_t *out)
{
	const struct tree *t = tree_get(map, key);
	uint64_t v;

	if (!t)
		return 0;
	if (tree_u64(t, UINT16_MAX, &v, d->err) < 0)
		return -EINVAL;
	*out = (uint16_t)v;
	return 0;
}

int
dec_duration(struct decoder *d, const struct tree *map, const char *key,
    int64_t *out_us)
{
	const struct tree *t = tree_get(map, key);

	return t ? tree_duration(t, out_us, d->err) : 0;
}

int
dec_addr(struct decoder *d, const struct tree *map, const char *key,
    struct addr *out)
{
	const struct tree *t = tree_get(map, key);
	char shown[80];

	if (!t || (t->kind == TREE_SCALAR && !*t->text))
		return 0;
	if (t->kind != TREE_SCALAR || addr_parse(t->text, out) < 0)
		return tree_err(t, d->err, "%s: expected an address, found %s",
		    key, tree_show(t, shown));
	return 0;
}

int
dec_protocol(struct decoder *d, const struct tree *map, uint8_t *out)
{
	static const uint8_t all[] = { IP_PROTOCOL_TCP, IP_PROTOCOL_UDP,
		IP_PROTOCOL_SCTP };
	const struct tree *t = tree_get(map, "protocol");
	char shown[80];

	*out = IP_PROTOCOL_TCP;
	if (!t)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (t->kind != TREE_SCALAR ||
		    strcmp(t->text, ip_protocol_name(all[i])) != 0)
			continue;
		*out = all[i];
		return 0;
	}
	return tree_err(t, d->err,
	    "protocol: expected TCP, UDP or SCTP, found %s",
	    tree_show(t, shown));
}

int
dec_strings(struct decoder *d, const struct tree *map, const char *key,
    const char *const **out, size_t *n)
{
	const struct tree *seq = NULL;
	const char **v;
	size_t i = 0;

	if (dec_seq(d, map, key, &seq) < 0)
		return -EINVAL;
	if (!seq)
		return 0;
	v = dec_array(d, const char *, seq->n);
	for (const struct tree *t = seq->first; t; t = t->next, i++) {
		const char *s;

		if (tree_string(t, &s, d->err) < 0)
			return -EINVAL;
		v[i] = dec_strdup(d, s);
	}
	*out = v;
	*n = seq->n;
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct label *l = a;
	const struct label *m = b;

	return strcmp(l->key, m->key);
}

int
dec_labels(struct decoder *d, const struct tree *map, struct labels *out)
{
	struct label *v;
	size_t i = 0;

	if (!map || map->n == 0)
		return 0;
	v = dec_array(d, struct label, map->n);
	for (const struct tree *t = map->first; t; t = t->next, i++) {
		const char *s = "";

		if (t->kind != TREE_NULL && tree_string(t, &s, d->err) < 0)
			return -EINVAL;
		v[i].key = dec_strdup(d, t->key);
		v[i].value = dec_strdup(d, s);
	}
	qsort(v, map->n, sizeof(*v), by_key);
	out->v = v;
	out->n = map->n;
	return 0;
}

static int
equalities(struct decoder *d, const struct tree *map,
    struct label_requirement *v)
{
	size_t i = 0;

	for (const struct tree *t = map->first; t; t = t->next, i++) {
		const char **value = dec_array(d, const char *, 1);
		const char *s = "";

		if (t->kind != TREE_NULL && tree_string(t, &s, d->err) < 0)
			return -EINVAL;
		value[0] = dec_strdup(d, s);
		v[i].key = dec_strdup(d, t->key);
		v[i].op = LABEL_IN;
		v[i].values = value;
		v[i].n_values = 1;
	}
	return 0;
}

int
dec_equality(struct decoder *d, const struct tree *map,
    struct label_selector *out)
{
	struct label_requirement *v =
	    dec_array(d, struct label_requirement, map->n);

	if (equalities(d, map, v) < 0)
		return -EINVAL;
	out->v = v;
	out->n = map->n;
	return 0;
}

static int
expression(struct decoder *d, const struct tree *t,
    struct label_requirement *out)
{
	static const char *const known[] = { "key", "operator", "values" };
	static const char *const names[] = {
		[LABEL_IN] = "In",
		[LABEL_NOT_IN] = "NotIn",
		[LABEL_EXISTS] = "Exists",
		[LABEL_DOES_NOT_EXIST] = "DoesNotExist",
	};
	const char *op = "";
	const char *key = "";
	size_t i = 0;
	bool wants_values;

	if (dec_known(d, t, known) < 0 || dec_string(d, t, "key", &key) < 0 ||
	    dec_string(d, t, "operator", &op) < 0 ||
	    dec_strings(d, t, "values", &out->values, &out->n_values) < 0)
		return -EINVAL;
	while (i < ARRAY_LEN(names) && strcmp(names[i], op) != 0)
		i++;
	if (i == ARRAY_LEN(names))
		return tree_err(t, d->err,
		    "operator: expected In, NotIn, Exists or DoesNotExist");
	if (!*key)
		return tree_err(t, d->err, "key: missing");
	out->key = dec_strdup(d, key);
	out->op = (enum label_operator)i;
	wants_values = out->op == LABEL_IN || out->op == LABEL_NOT_IN;
	if (wants_values != (out->n_values > 0))
		return tree_err(t, d->err, "operator %s %s values", op,
		    wants_values ? "needs" : "takes no");
	return 0;
}

int
dec_selector(struct decoder *d, const struct tree *map,
    struct label_selector *out)
{
	static const char *const known[] = { "matchLabels",
		"matchExpressions" };
	const struct tree *labels = NULL;
	const struct tree *expressions = NULL;
	struct label_requirement *v;
	size_t n_labels;
	size_t n;

	if (dec_known(d, map, known) < 0 ||
	    dec_map(d, map, "matchLabels", &labels) < 0 ||
	    dec_seq(d, map, "matchExpressions", &expressions) < 0)
		return -EINVAL;
	n_labels = labels ? labels->n : 0;
	n = n_labels + (expressions ? expressions->n : 0);
	v = dec_array(d, struct label_requirement, n);
	if (labels && equalities(d, labels, v) < 0)
		return -EINVAL;
	if (expressions) {
		struct label_requirement *r = v + n_labels;

		for (const struct tree *t = expressions->first; t;
		     t = t->next) {
			if (expression(d, t, r++) < 0)
				return -EINVAL;
		}
	}
	out->v = v;
	out->n = n;
	return 0;
}

const char *
dec_value(const struct tree *map, const char *key)
{
	const struct tree *t = tree_get(map, key);

	return t && t->kind == TREE_SCALAR && *t->text ? t->text : NULL;
}

bool
dec_is_cni(const struct decoder *d)
{
	return tree_get(d->labels, "openelb.kubesphere.io/cni") ||
	    tree_get(d->labels, "porter.kubesphere.io/cni");
}

static const struct forward_word {
	enum dec_forwarding which;
	const char *name;
	int value;
} forward_words[] = {
	{ DEC_FORWARD_BACKENDS, "nodeport", FORWARD_BACKENDS_NODEPORT },
	{ DEC_FORWARD_BACKENDS, "node", FORWARD_BACKENDS_NODE },
	{ DEC_FORWARD_BACKENDS, "endpoint", FORWARD_BACKENDS_ENDPOINT },
	{ DEC_FORWARD_SOURCE, "masquerade", FORWARD_SOURCE_MASQUERADE },
	{ DEC_FORWARD_SOURCE, "preserve", FORWARD_SOURCE_PRESERVE },
	{ DEC_FORWARD_NO_BACKENDS, "refuse", FORWARD_NO_BACKENDS_REFUSE },
	{ DEC_FORWARD_NO_BACKENDS, "withdraw", FORWARD_NO_BACKENDS_WITHDRAW },
};

const char *
dec_forwarding(struct forwarding *f, enum dec_forwarding which, const char *s)
{
	static const char *const expected[] = {
		[DEC_FORWARD_BACKENDS] = "nodeport, node or endpoint",
		[DEC_FORWARD_SOURCE] = "masquerade or preserve",
		[DEC_FORWARD_NO_BACKENDS] = "refuse or withdraw",
	};
	const struct forward_word *w = forward_words;
	const struct forward_word *end = w + ARRAY_LEN(forward_words);

	while (w < end && (w->which != which || strcmp(w->name, s) != 0))
		w++;
	if (w == end)
		return expected[which];
	switch (which) {
	case DEC_FORWARD_BACKENDS:
		f->backends = (enum forward_backends)w->value;
		break;
	case DEC_FORWARD_SOURCE:
		f->source = (enum forward_source)w->value;
		break;
	case DEC_FORWARD_NO_BACKENDS:
		f->no_backends = (enum forward_no_backends)w->value;
		break;
	}
	return NULL;
}
