/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_slice: EndpointSlices; there are more endpoints than of anything
 * else, so little is kept of each. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/decode_util.h"

enum {
	NAMES = 256
};

/* Node names seen in this slice, by hash: usually each stands there often. */
struct names {
	const char *v[NAMES];
};

static const char *
intern(struct decoder *d, struct names *names, const char *s)
{
	const char **slot = &names->v[str_hash(s) % NAMES];

	if (!*slot || strcmp(*slot, s) != 0)
		*slot = dec_strdup(d, s);
	return *slot;
}

static int
read_ports(struct decoder *d, const struct tree *t, struct slice *s)
{
	static const char *const known[] = { "name", "protocol", "port",
		"appProtocol" };
	const struct tree *seq = NULL;
	struct slice_port *v;

	if (dec_seq(d, t, "ports", &seq) < 0)
		return -EINVAL;
	if (!seq)
		return 0;
	v = dec_array(d, struct slice_port, seq->n);
	s->ports = v;
	for (const struct tree *p = seq->first; p; p = p->next) {
		struct slice_port *port = &v[s->n_ports];
		const char *name = "";

		port->port = 0;
		if (dec_known(d, p, known) < 0 ||
		    dec_string(d, p, "name", &name) < 0 ||
		    dec_protocol(d, p, &port->protocol) < 0 ||
		    dec_u16(d, p, "port", &port->port) < 0)
			return -EINVAL;
		if (port->port == 0 && d->mode == DECODE_FILE)
			return tree_err(p, d->err,
			    "port: missing; it must be from 1 to 65535");
		if (port->port == 0)
			continue; /* "all ports": of no use to a proxy */
		port->name = dec_strdup(d, name);
		s->n_ports++;
	}
	return 0;
}

static int
read_conditions(struct decoder *d, const struct tree *t, struct endpoint *e)
{
	static const char *const known[] = { "ready", "serving",
		"terminating" };
	const struct tree *map = NULL;

	e->is_ready = true;
	e->is_serving = true;
	e->is_terminating = false;
	if (dec_map(d, t, "conditions", &map) < 0)
		return -EINVAL;
	if (!map)
		return 0;
	if (dec_known(d, map, known) < 0 ||
	    dec_bool(d, map, "ready", &e->is_ready) < 0 ||
	    dec_bool(d, map, "serving", &e->is_serving) < 0 ||
	    dec_bool(d, map, "terminating", &e->is_terminating) < 0)
		return -EINVAL;
	return 0;
}

/* Only the first address has a meaning.  1: used, 0: to be left out. */
static int
read_endpoint(struct decoder *d, const struct tree *t, enum family family,
    struct names *names, struct endpoint *e)
{
	static const char *const known[] = { "addresses", "conditions",
		"hostname", "targetRef", "nodeName", "zone", "hints",
		"deprecatedTopology" };
	const struct tree *seq = NULL;
	const char *node = NULL;
	char shown[80];

	if (dec_known(d, t, known) < 0 ||
	    dec_seq(d, t, "addresses", &seq) < 0 ||
	    dec_string(d, t, "nodeName", &node) < 0 ||
	    read_conditions(d, t, e) < 0)
		return -EINVAL;
	if (!seq || !seq->first || seq->first->kind != TREE_SCALAR ||
	    addr_parse(seq->first->text, &e->addr) < 0 ||
	    e->addr.family != family) {
		if (d->mode == DECODE_API)
			return 0;
		return tree_err(seq && seq->first ? seq->first : t, d->err,
		    "addresses: expected an %s address, found %s",
		    family_name(family),
		    seq && seq->first ? tree_show(seq->first, shown)
				      : "nothing");
	}
	e->node = node && *node ? intern(d, names, node) : NULL;
	return 1;
}

static int
read_endpoints(struct decoder *d, const struct tree *t, struct slice *s)
{
	struct names names = { 0 };
	const struct tree *seq = NULL;
	struct endpoint *v;

	if (dec_seq(d, t, "endpoints", &seq) < 0)
		return -EINVAL;
	if (!seq || s->family == FAMILY_NONE)
		return 0;
	v = dec_array(d, struct endpoint, seq->n);
	s->endpoints = v;
	for (const struct tree *e = seq->first; e; e = e->next) {
		int rc =
		    read_endpoint(d, e, s->family, &names, &v[s->n_endpoints]);

		if (rc < 0)
			return rc;
		s->n_endpoints += rc > 0;
	}
	return 0;
}

int
decode_slice(struct decoder *d, const struct tree *t, void *out)
{
	static const char label[] = "kubernetes.io/service-name";
	const char *service = dec_value(d->labels, label);
	const struct tree *type_at = tree_get(t, "addressType");
	struct slice *s = out;
	const char *type = "";

	if (dec_string(d, t, "addressType", &type) < 0)
		return -EINVAL;
	if (strcmp(type, "IPv4") == 0)
		s->family = FAMILY_IPV4;
	else if (strcmp(type, "IPv6") == 0)
		s->family = FAMILY_IPV6;
	else if (d->mode == DECODE_FILE)
		return tree_err(type_at ? type_at : t, d->err,
		    "addressType: expected IPv4 or IPv6");
	if (!service && d->mode == DECODE_FILE)
		return tree_err(t, d->err,
		    "label %s: missing; it names the Service", label);
	s->service = service ? dec_strdup(d, service) : "";
	if (read_ports(d, t, s) < 0)
		return -EINVAL;
	return read_endpoints(d, t, s);
}
