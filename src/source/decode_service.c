/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_service: Services; annotations in eipd's, OpenELB's and Porter's
 * spelling, in this order. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "model/pool.h"
#include "source/decode_util.h"

enum {
	PORTS_MAX = 1024,
	INGRESS_MAX = 64
};

static const char *const pool_keys[] = {
	"eipd.io/pool",
	"eip.openelb.kubesphere.io/v1alpha2",
	"eip.porter.kubesphere.io/v1alpha2",
};

static const char *const address_keys[] = {
	"eipd.io/addresses",
	"eip.openelb.kubesphere.io/v1alpha1",
	"eip.porter.kubesphere.io/v1alpha1",
};

static const char *const protocol_keys[] = {
	"protocol.openelb.kubesphere.io/v1alpha1",
	"protocol.porter.kubesphere.io/v1alpha1",
};

static const struct {
	const char *key;
	enum dec_forwarding which;
} forwarding_keys[] = {
	{ "eipd.io/backends", DEC_FORWARD_BACKENDS },
	{ "eipd.io/source", DEC_FORWARD_SOURCE },
	{ "eipd.io/no-backends", DEC_FORWARD_NO_BACKENDS },
};

/* All that begins with eipd.io/, to find typing errors. */
static const char *const own_keys[] = {
	"eipd.io/pool",
	"eipd.io/addresses",
	"eipd.io/share",
	"eipd.io/backends",
	"eipd.io/source",
	"eipd.io/no-backends",
};

/* Value of the first key that is there; `*from` is that key. */
static const char *
first_of(const struct tree *map, const char *const *keys, size_t n,
    const char **from)
{
	for (size_t i = 0; i < n; i++) {
		const char *s = dec_value(map, keys[i]);

		if (!s)
			continue;
		*from = keys[i];
		return s;
	}
	return NULL;
}

/* The first complaint is kept. */
static void
set_invalid(struct decoder *d, struct service *s, const char *key,
    const char *expected, const char *found)
{
	if (!s->invalid)
		s->invalid = dec_printf(d, "%s: expected %s, found \"%.80s\"",
		    key, expected, found);
}

/* "a" or "a, b", one address per family. */
static void
read_wanted(struct decoder *d, struct service *s, const char *list)
{
	static const char expected[] =
	    "an address, or one per family with a comma between";
	char text[2 * ADDR_TEXT_B + 8];
	char *rest = text;
	char *word;

	if (strlen(list) >= sizeof(text)) {
		set_invalid(d, s, s->wanted_from, expected, list);
		return;
	}
	strcpy(text, list);
	while ((word = strsep(&rest, ","))) {
		struct addr a;

		word += strspn(word, " \t");
		word[strcspn(word, " \t")] = '\0';
		if (addr_parse(word, &a) < 0 ||
		    s->n_wanted == SERVICE_FAMILIES_MAX ||
		    (s->n_wanted && s->wanted[0].family == a.family)) {
			set_invalid(d, s, s->wanted_from, expected, list);
			s->n_wanted = 0;
			return;
		}
		s->wanted[s->n_wanted++] = a;
	}
}

static void
read_protocol(struct decoder *d, struct service *s)
{
	static const enum pool_protocol all[] = { POOL_PROTOCOL_BGP,
		POOL_PROTOCOL_LAYER2, POOL_PROTOCOL_VIP,
		POOL_PROTOCOL_PASSIVE };
	const char *from = NULL;
	const char *text = first_of(d->annotations, protocol_keys,
	    ARRAY_LEN(protocol_keys), &from);

	if (!text)
		return;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (strcmp(text, pool_protocol_name(all[i])) == 0)
			s->protocol = pool_protocol_name(all[i]);
	}
	if (!s->protocol)
		set_invalid(d, s, from, "bgp, layer2, vip or passive", text);
}

/* A person who edits a file is told at once; what a cluster has is served all
 * the same, as it may be written for another version. */
static int
check_keys(struct decoder *d, struct service *s)
{
	const struct tree *t = d->annotations ? d->annotations->first : NULL;
	struct err why = { 0 };

	for (; t; t = t->next) {
		size_t i = 0;

		if (d->mode == DECODE_FILE && t->kind != TREE_NULL &&
		    t->kind != TREE_SCALAR)
			return tree_err(t, d->err, "%.64s: expected a string",
			    t->key);
		if (!str_starts_with(t->key, "eipd.io/"))
			continue;
		while (
		    i < ARRAY_LEN(own_keys) && strcmp(own_keys[i], t->key) != 0)
			i++;
		if (i < ARRAY_LEN(own_keys))
			continue;
		if (d->mode == DECODE_FILE)
			return tree_unknown_key(t, own_keys,
			    ARRAY_LEN(own_keys), d->err);
		(void)tree_unknown_key(t, own_keys, ARRAY_LEN(own_keys), &why);
		if (!s->unknown)
			s->unknown =
			    dec_printf(d, "metadata.annotations: %s", why.text);
	}
	return 0;
}

static int
read_annotations(struct decoder *d, struct service *s,
    const char *load_balancer_ip)
{
	const char *mark =
	    dec_value(d->annotations, "lb.kubesphere.io/v1alpha1");
	const char *wanted;

	s->is_marked = mark &&
	    (strcmp(mark, "openelb") == 0 || strcmp(mark, "porter") == 0);
	s->pool = dec_strdup(d,
	    first_of(d->annotations, pool_keys, ARRAY_LEN(pool_keys),
		&s->pool_from));
	wanted = first_of(d->annotations, address_keys, ARRAY_LEN(address_keys),
	    &s->wanted_from);
	if (!wanted && *load_balancer_ip) {
		wanted = load_balancer_ip;
		s->wanted_from = "spec.loadBalancerIP";
	}
	if (wanted)
		read_wanted(d, s, wanted);
	read_protocol(d, s);
	s->share_key =
	    dec_strdup(d, dec_value(d->annotations, "eipd.io/share"));
	for (size_t i = 0; i < ARRAY_LEN(forwarding_keys); i++) {
		const char *key = forwarding_keys[i].key;
		const char *text = dec_value(d->annotations, key);
		const char *expected = text
		    ? dec_forwarding(&s->forwarding, forwarding_keys[i].which,
			  text)
		    : NULL;

		if (expected)
			set_invalid(d, s, key, expected, text);
	}
	return check_keys(d, s);
}

static int
read_port(struct decoder *d, const struct tree *t, struct service_port *out)
{
	static const char *const known[] = { "name", "protocol", "port",
		"targetPort", "nodePort", "appProtocol" };
	const char *name = "";

	if (dec_known(d, t, known) < 0 || dec_string(d, t, "name", &name) < 0 ||
	    dec_protocol(d, t, &out->protocol) < 0 ||
	    dec_u16(d, t, "port", &out->port) < 0 ||
	    dec_u16(d, t, "nodePort", &out->node_port) < 0)
		return -EINVAL;
	if (out->port == 0)
		return tree_err(t, d->err,
		    "port: missing; it must be from 1 to 65535");
	out->name = dec_strdup(d, name);
	return 0;
}

static int
read_ports(struct decoder *d, const struct tree *spec, struct service *s)
{
	const struct tree *seq = NULL;
	struct service_port *v;
	size_t n = 0;

	if (dec_seq(d, spec, "ports", &seq) < 0)
		return -EINVAL;
	if (d->mode == DECODE_FILE && (!seq || seq->n == 0))
		return tree_err(seq ? seq : spec, d->err,
		    "spec.ports: at least one port is needed");
	if (!seq)
		return 0;
	if (seq->n > PORTS_MAX)
		return tree_err(seq, d->err, "spec.ports: more than %d",
		    PORTS_MAX);
	v = dec_array(d, struct service_port, seq->n);
	for (const struct tree *t = seq->first; t; t = t->next, n++) {
		if (read_port(d, t, &v[n]) < 0)
			return -EINVAL;
		for (size_t i = 0; i < n; i++) {
			if (v[i].port == v[n].port &&
			    v[i].protocol == v[n].protocol)
				return tree_err(t, d->err,
				    "port %u/%s is given twice",
				    (unsigned int)v[n].port,
				    ip_protocol_name(v[n].protocol));
		}
	}
	s->ports = v;
	s->n_ports = n;
	return 0;
}

static int
read_families(struct decoder *d, const struct tree *spec, struct service *s)
{
	static const char *const policies[] = {
		[IP_FAMILY_SINGLE_STACK] = "SingleStack",
		[IP_FAMILY_PREFER_DUAL_STACK] = "PreferDualStack",
		[IP_FAMILY_REQUIRE_DUAL_STACK] = "RequireDualStack",
	};
	const char *policy = policies[0];
	const struct tree *seq = NULL;
	size_t i = 0;

	if (dec_seq(d, spec, "ipFamilies", &seq) < 0 ||
	    dec_string(d, spec, "ipFamilyPolicy", &policy) < 0)
		return -EINVAL;
	for (const struct tree *t = seq ? seq->first : NULL; t; t = t->next) {
		enum family f = FAMILY_NONE;

		if (t->kind == TREE_SCALAR && strcmp(t->text, "IPv4") == 0)
			f = FAMILY_IPV4;
		else if (t->kind == TREE_SCALAR && strcmp(t->text, "IPv6") == 0)
			f = FAMILY_IPV6;
		if (f == FAMILY_NONE || s->n_families == SERVICE_FAMILIES_MAX ||
		    (s->n_families && s->families[0] == f))
			return tree_err(t, d->err,
			    "ipFamilies: expected IPv4 and IPv6, each at most once");
		s->families[s->n_families++] = f;
	}
	while (i < ARRAY_LEN(policies) && strcmp(policies[i], policy) != 0)
		i++;
	if (i == ARRAY_LEN(policies))
		return tree_err(tree_get(spec, "ipFamilyPolicy"), d->err,
		    "ipFamilyPolicy: expected SingleStack, PreferDualStack or RequireDualStack");
	s->family_policy = (enum ip_family_policy)i;
	return 0;
}

static int
read_traffic(struct decoder *d, const struct tree *spec, struct service *s)
{
	const char *policy = "Cluster";

	if (dec_string(d, spec, "externalTrafficPolicy", &policy) < 0 ||
	    dec_u16(d, spec, "healthCheckNodePort",
		&s->health_check_node_port) < 0)
		return -EINVAL;
	s->is_local = strcmp(policy, "Local") == 0;
	if (!s->is_local && *policy && strcmp(policy, "Cluster") != 0)
		return tree_err(tree_get(spec, "externalTrafficPolicy"), d->err,
		    "externalTrafficPolicy: expected Cluster or Local");
	return 0;
}

/* kube-proxy filters only what reaches it with the external address; behind
 * our translation nobody would.  Open to all is what we do anyway. */
static int
read_source_ranges(struct decoder *d, const struct tree *spec,
    struct service *s)
{
	const struct tree *ranges = NULL;

	if (dec_seq(d, spec, "loadBalancerSourceRanges", &ranges) < 0)
		return -EINVAL;
	for (ranges = ranges ? ranges->first : NULL; ranges;
	     ranges = ranges->next) {
		if (ranges->kind == TREE_SCALAR &&
		    (strcmp(ranges->text, "0.0.0.0/0") == 0 ||
			strcmp(ranges->text, "::/0") == 0))
			continue;
		s->unsupported = dec_strdup(d,
		    "spec.loadBalancerSourceRanges is not enforced by this "
		    "version; remove it and filter before this box");
		break;
	}
	return 0;
}

static int
read_spec(struct decoder *d, const struct tree *t, struct service *s)
{
	static const char *const known[] = { "ports", "selector", "clusterIP",
		"clusterIPs", "type", "externalIPs", "sessionAffinity",
		"sessionAffinityConfig", "loadBalancerIP",
		"loadBalancerSourceRanges", "loadBalancerClass", "externalName",
		"externalTrafficPolicy", "internalTrafficPolicy",
		"healthCheckNodePort", "publishNotReadyAddresses", "ipFamilies",
		"ipFamilyPolicy", "allocateLoadBalancerNodePorts",
		"trafficDistribution" };
	const struct tree *spec = NULL;
	const char *type = "ClusterIP";
	const char *cluster_ip = "";
	const char *lb_class = NULL;
	const char *lb_ip = "";

	if (dec_map(d, t, "spec", &spec) < 0)
		return -EINVAL;
	if (!spec)
		return tree_err(t, d->err, "spec: missing");
	if (dec_known(d, spec, known) < 0 ||
	    dec_string(d, spec, "type", &type) < 0 ||
	    dec_string(d, spec, "clusterIP", &cluster_ip) < 0 ||
	    dec_string(d, spec, "loadBalancerClass", &lb_class) < 0 ||
	    dec_string(d, spec, "loadBalancerIP", &lb_ip) < 0)
		return -EINVAL;
	s->is_load_balancer = strcmp(type, "LoadBalancer") == 0;
	s->is_headless = strcmp(cluster_ip, "None") == 0;
	if (d->mode == DECODE_FILE && !s->is_load_balancer) {
		const struct tree *at = tree_get(spec, "type");

		return tree_err(at ? at : spec, d->err,
		    "spec.type: a Service in a file must have type LoadBalancer");
	}
	if (lb_class && *lb_class)
		s->lb_class = dec_strdup(d, lb_class);
	if (read_ports(d, spec, s) < 0 || read_families(d, spec, s) < 0 ||
	    read_traffic(d, spec, s) < 0 || read_source_ranges(d, spec, s) < 0)
		return -EINVAL;
	return read_annotations(d, s, lb_ip);
}

/* What cannot be read there was written by somebody else: the status is
 * corrected, the object is not refused. */
static void
read_ingress(struct decoder *d, const struct tree *t, struct service *s)
{
	const struct tree *seq =
	    tree_get(tree_get(tree_get(t, "status"), "loadBalancer"),
		"ingress");
	struct ingress *v;

	if (!seq || seq->kind != TREE_SEQ || seq->n == 0)
		return;
	v = dec_array(d, struct ingress, MIN(seq->n, (size_t)INGRESS_MAX));
	s->ingress = v;
	for (const struct tree *i = seq->first; i; i = i->next) {
		const char *ip = dec_value(i, "ip");
		const char *mode = dec_value(i, "ipMode");
		struct ingress *in = &v[s->n_ingress];

		if (!ip || dec_value(i, "hostname") ||
		    s->n_ingress == INGRESS_MAX ||
		    addr_parse(ip, &in->addr) < 0) {
			s->has_foreign_ingress = true;
			continue;
		}
		if (mode && strcmp(mode, "VIP") == 0)
			in->ip_mode = IP_MODE_VIP;
		else if (mode && strcmp(mode, "Proxy") == 0)
			in->ip_mode = IP_MODE_PROXY;
		s->n_ingress++;
	}
}

int
decode_service(struct decoder *d, const struct tree *t, void *out)
{
	struct service *s = out;

	if (dec_labels(d, d->labels, &s->labels) < 0 || read_spec(d, t, s) < 0)
		return -EINVAL;
	if (d->mode == DECODE_API)
		read_ingress(d, t, s);
	return 0;
}
