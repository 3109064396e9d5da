/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_node: Nodes and Namespaces. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/decode_util.h"

#define EXCLUDE_LABEL "node.kubernetes.io/exclude-from-external-load-balancers"
#define DELETION_TAINT "ToBeDeletedByClusterAutoscaler"

/* Kubernetes 1.34 and later read the value as Go's strconv.ParseBool() does;
 * before, and where it cannot be read, the label alone excludes. */
static bool
is_excluding(const char *value)
{
	static const char *const no[] = { "false", "False", "FALSE", "f", "F",
		"0" };

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		if (strcmp(value, no[i]) == 0)
			return false;
	}
	return true;
}

static int
read_taints(struct decoder *d, const struct tree *t, struct node *n)
{
	static const char *const known[] = { "podCIDR", "podCIDRs",
		"providerID", "unschedulable", "taints", "configSource",
		"externalID" };
	const struct tree *spec = NULL;
	const struct tree *taints = NULL;

	if (dec_map(d, t, "spec", &spec) < 0)
		return -EINVAL;
	if (!spec)
		return 0;
	if (dec_known(d, spec, known) < 0 ||
	    dec_seq(d, spec, "taints", &taints) < 0)
		return -EINVAL;
	for (const struct tree *i = taints ? taints->first : NULL; i;
	     i = i->next) {
		const char *key = dec_value(i, "key");

		n->is_to_be_deleted |= key && strcmp(key, DELETION_TAINT) == 0;
	}
	return 0;
}

/* The first InternalIP of each family; kube-proxy listens on no other. */
static int
read_addresses(struct decoder *d, const struct tree *status, struct node *n)
{
	static const char *const known[] = { "type", "address" };
	const struct tree *seq = NULL;
	char shown[80];

	if (dec_seq(d, status, "addresses", &seq) < 0)
		return -EINVAL;
	for (const struct tree *t = seq ? seq->first : NULL; t; t = t->next) {
		const char *type = dec_value(t, "type");
		const char *text = dec_value(t, "address");
		struct addr *slot;
		struct addr a;

		if (dec_known(d, t, known) < 0)
			return -EINVAL;
		if (!type || strcmp(type, "InternalIP") != 0)
			continue;
		if (!text || addr_parse(text, &a) < 0) {
			const struct tree *at = tree_get(t, "address");

			if (d->mode == DECODE_API)
				continue;
			return tree_err(at ? at : t, d->err,
			    "address: expected an address, found %s",
			    at ? tree_show(at, shown) : "nothing");
		}
		slot = a.family == FAMILY_IPV4 ? &n->ipv4 : &n->ipv6;
		if (!addr_is_set(slot))
			*slot = a;
	}
	return 0;
}

static int
read_conditions(struct decoder *d, const struct tree *status, struct node *n)
{
	const struct tree *seq = NULL;
	bool has_ready = false;

	if (dec_seq(d, status, "conditions", &seq) < 0)
		return -EINVAL;
	for (const struct tree *t = seq ? seq->first : NULL; t; t = t->next) {
		const char *type = dec_value(t, "type");
		const char *value = dec_value(t, "status");
		bool is_true = value && strcmp(value, "True") == 0;

		if (!type)
			continue;
		if (strcmp(type, "Ready") == 0) {
			has_ready = true;
			n->is_ready = is_true;
		} else if (strcmp(type, "NetworkUnavailable") == 0) {
			n->is_network_unavailable = is_true;
		}
	}
	/* nobody keeps the conditions of a node in a file */
	if (d->mode == DECODE_FILE && !has_ready)
		n->is_ready = true;
	return 0;
}

int
decode_node(struct decoder *d, const struct tree *t, void *out)
{
	const struct tree *status = NULL;
	struct node *n = out;
	const char *excluded;

	if (dec_labels(d, d->labels, &n->labels) < 0 ||
	    read_taints(d, t, n) < 0 || dec_map(d, t, "status", &status) < 0 ||
	    read_addresses(d, status, n) < 0 ||
	    read_conditions(d, status, n) < 0)
		return -EINVAL;
	excluded = labels_get(&n->labels, EXCLUDE_LABEL);
	n->is_excluded = excluded && is_excluding(excluded);
	if (d->mode == DECODE_FILE && !addr_is_set(&n->ipv4) &&
	    !addr_is_set(&n->ipv6))
		return tree_err(status ? status : t, d->err,
		    "status.addresses: an address of type InternalIP is needed");
	return 0;
}

int
decode_namespace(struct decoder *d, const struct tree *t, void *out)
{
	struct namespace *n = out;

	(void)t;
	return dec_labels(d, d->labels, &n->labels);
}
