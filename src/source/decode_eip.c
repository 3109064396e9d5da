/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_eip: address pools, of OpenELB's versions v1alpha1 and v1alpha2 and
 * with eipd's own fields. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/pool.h"
#include "source/decode_util.h"

enum {
	RANGES_MAX = 4096
};

static int
by_first(const void *a, const void *b)
{
	const struct addr_range *r = a;
	const struct addr_range *s = b;

	return addr_cmp(&r->first, &s->first);
}

/* Sorts, and joins those that overlap; the result is their number. */
static size_t
normalize(struct addr_range *v, size_t n)
{
	size_t last = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_first);
	for (size_t i = 1; i < n; i++) {
		if (!addr_range_overlaps(&v[last], &v[i]))
			v[++last] = v[i];
		else if (addr_cmp(&v[i].last, &v[last].last) > 0)
			v[last].last = v[i].last;
	}
	return last + 1;
}

static int
read_range(struct decoder *d, const struct tree *t, struct addr_range *out)
{
	struct err why;
	const char *s;

	if (tree_string(t, &s, d->err) < 0)
		return -EINVAL;
	if (addr_range_parse(s, out, &why) < 0)
		return tree_err(t, d->err, "%s", why.text);
	return 0;
}

static int
read_ranges(struct decoder *d, const struct tree *one, const struct tree *seq,
    const struct addr_range **out, size_t *n_out)
{
	size_t n = (one != NULL) + (seq ? seq->n : 0);
	struct addr_range *v;
	size_t i = 0;

	if (n == 0)
		return 0;
	if (n > RANGES_MAX)
		return tree_err(seq, d->err, "%s: more than %d entries",
		    seq->key, RANGES_MAX);
	v = dec_array(d, struct addr_range, n);
	if (one && read_range(d, one, &v[i++]) < 0)
		return -EINVAL;
	for (const struct tree *t = seq ? seq->first : NULL; t; t = t->next) {
		if (read_range(d, t, &v[i++]) < 0)
			return -EINVAL;
	}
	*out = v;
	*n_out = normalize(v, n);
	return 0;
}

static int
read_addresses(struct decoder *d, const struct tree *spec, struct pool *p)
{
	const struct tree *one = tree_get(spec, "address");
	const struct tree *seq = NULL;
	const struct tree *exclude = NULL;

	if (dec_seq(d, spec, "addresses", &seq) < 0 ||
	    dec_seq(d, spec, "exclude", &exclude) < 0)
		return -EINVAL;
	/* the CRD makes "address" obligatory: empty beside a list is fine */
	if (one && one->kind == TREE_SCALAR && !*one->text && seq && seq->n)
		one = NULL;
	if (read_ranges(d, one, seq, &p->ranges, &p->n_ranges) < 0)
		return -EINVAL;
	if (p->n_ranges == 0)
		return tree_err(spec, d->err,
		    "spec.address or spec.addresses: one of them is needed");
	return read_ranges(d, NULL, exclude, &p->excluded, &p->n_excluded);
}

static int
read_protocol(struct decoder *d, const struct tree *spec, struct pool *p)
{
	static const enum pool_protocol all[] = { POOL_PROTOCOL_BGP,
		POOL_PROTOCOL_LAYER2, POOL_PROTOCOL_VIP,
		POOL_PROTOCOL_PASSIVE };
	const struct tree *t = tree_get(spec, "protocol");
	char shown[80];

	if (!t || (t->kind == TREE_SCALAR && !*t->text))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (t->kind != TREE_SCALAR ||
		    strcmp(t->text, pool_protocol_name(all[i])) != 0)
			continue;
		p->protocol = all[i];
		return 0;
	}
	return tree_err(t, d->err,
	    "protocol: expected bgp, layer2, vip or passive, found %s",
	    tree_show(t, shown));
}

/* OpenELB has a map of labels here; a LabelSelector is told from it by its
 * two keys having no strings as values. */
static int
read_namespace_selector(struct decoder *d, const struct tree *spec,
    struct pool *p)
{
	const struct tree *map = NULL;
	const struct tree *labels;
	const struct tree *expressions;
	bool is_full;

	if (dec_map(d, spec, "namespaceSelector", &map) < 0)
		return -EINVAL;
	if (!map || map->n == 0)
		return 0;
	labels = tree_get(map, "matchLabels");
	expressions = tree_get(map, "matchExpressions");
	is_full = (labels && labels->kind != TREE_SCALAR) ||
	    (expressions && expressions->kind != TREE_SCALAR);
	p->has_namespace_selector = true;
	return is_full ? dec_selector(d, map, &p->namespace_selector)
		       : dec_equality(d, map, &p->namespace_selector);
}

static int
read_binding(struct decoder *d, const struct tree *spec, struct pool *p)
{
	const struct tree *map = NULL;

	if (dec_strings(d, spec, "namespaces", &p->namespaces,
		&p->n_namespaces) < 0 ||
	    read_namespace_selector(d, spec, p) < 0 ||
	    dec_map(d, spec, "serviceSelector", &map) < 0)
		return -EINVAL;
	if (!map)
		return 0;
	p->has_service_selector = true;
	return dec_selector(d, map, &p->service_selector);
}

static int
read_forwarding(struct decoder *d, const struct tree *spec, struct pool *p)
{
	static const struct {
		const char *key;
		enum dec_forwarding which;
	} fields[] = {
		{ "backends", DEC_FORWARD_BACKENDS },
		{ "source", DEC_FORWARD_SOURCE },
		{ "noBackends", DEC_FORWARD_NO_BACKENDS },
	};
	char shown[80];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct tree *t = tree_get(spec, fields[i].key);
		const char *expected;

		if (!t)
			continue;
		expected = dec_forwarding(&p->forwarding, fields[i].which,
		    t->kind == TREE_SCALAR ? t->text : "");
		if (expected)
			return tree_err(t, d->err, "%s: expected %s, found %s",
			    fields[i].key, expected, tree_show(t, shown));
	}
	return 0;
}

static int
read_next_hop(struct decoder *d, const struct tree *spec, struct pool *p)
{
	const struct tree *t = tree_get(spec, "nextHop");
	const struct tree *bgp = tree_get(spec, "bgp");
	char shown[80];

	p->next_hop = "self";
	if (bgp && d->mode == DECODE_FILE)
		return err_at(d->err, -EINVAL, bgp->key_line, bgp->key_column,
		    "bgp: not supported by this version; leave it out");
	if (!t || (t->kind == TREE_SCALAR && strcmp(t->text, "self") == 0))
		return 0;
	if (t->kind == TREE_SCALAR && strcmp(t->text, "nodes") == 0)
		return tree_err(t, d->err,
		    "nextHop: \"nodes\" is not supported by this version; use self");
	return tree_err(t, d->err, "nextHop: expected self, found %s",
	    tree_show(t, shown));
}

/* v1alpha1 left out .0 and .255 unless told otherwise; v1alpha2 has the field
 * but always uses all. */
static int
read_flags(struct decoder *d, const struct tree *spec, struct pool *p)
{
	const struct tree *priority = tree_get(spec, "priority");
	bool uses_known_ips = false;
	const char *interface = "";

	if (dec_bool(d, spec, "usingKnownIPs", &uses_known_ips) < 0)
		return -EINVAL;
	p->avoid_buggy_ips = d->is_v1alpha1 && !uses_known_ips;
	if (dec_bool(d, spec, "avoidBuggyIPs", &p->avoid_buggy_ips) < 0 ||
	    dec_bool(d, spec, "disable", &p->is_disabled) < 0 ||
	    dec_string(d, spec, "interface", &interface) < 0 ||
	    (priority && tree_i64(priority, &p->priority, d->err) < 0))
		return -EINVAL;
	p->interface = dec_strdup(d, interface);
	p->sticky_us = POOL_STICKY_US;
	p->quarantine_us = POOL_QUARANTINE_US;
	if (dec_duration(d, spec, "sticky", &p->sticky_us) < 0)
		return -EINVAL;
	return dec_duration(d, spec, "quarantine", &p->quarantine_us);
}

static bool
has_true(const struct tree *map, const char *key)
{
	const char *s = dec_value(map, key);

	return s && strcasecmp(s, "true") == 0;
}

int
decode_eip(struct decoder *d, const struct tree *t, void *out)
{
	static const char *const known[] = { "address", "addresses", "exclude",
		"protocol", "interface", "disable", "usingKnownIPs",
		"avoidBuggyIPs", "priority", "namespaces", "namespaceSelector",
		"serviceSelector", "sticky", "quarantine", "backends", "source",
		"noBackends", "nextHop", "bgp" };
	const struct tree *spec = NULL;
	struct pool *p = out;

	if (dec_map(d, t, "spec", &spec) < 0)
		return -EINVAL;
	if (!spec)
		return tree_err(t, d->err, "spec: missing");
	p->is_default = has_true(d->annotations,
			    "eip.openelb.kubesphere.io/is-default-eip") ||
	    has_true(d->annotations, "eip.porter.kubesphere.io/is-default-eip");
	p->is_cni = dec_is_cni(d);
	if (dec_known(d, spec, known) < 0 || read_addresses(d, spec, p) < 0 ||
	    read_protocol(d, spec, p) < 0 || read_flags(d, spec, p) < 0 ||
	    read_binding(d, spec, p) < 0 || read_forwarding(d, spec, p) < 0)
		return -EINVAL;
	return read_next_hop(d, spec, p);
}
