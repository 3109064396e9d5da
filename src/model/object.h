/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * object: what every fact from the API server or a file has in common.
 *
 * Each kind is a struct that begins with a struct object and lives, with all
 * it points to, in its own arena: it is made once by a decoder, never changed,
 * and freed whole.
 */
#ifndef EIPD_MODEL_OBJECT_H
#define EIPD_MODEL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum object_kind {
	OBJECT_SERVICE,
	OBJECT_SLICE,
	OBJECT_NODE,
	OBJECT_NAMESPACE,
	OBJECT_EIP,
	OBJECT_BGP_CONF,
	OBJECT_BGP_PEER,
	OBJECT__COUNT,
};

/* The cluster name of objects that come from files. */
#define CLUSTER_STATIC "static"

struct object {
	enum object_kind kind;
	struct arena arena;
	const char *cluster;
	const char *ns; /* "" for cluster-scoped kinds */
	const char *name;
	const char *uid; /* "" if it has none */
	const char *origin; /* "FILE:LINE:COLUMN", NULL if from an API server */
	bool is_deleting; /* metadata.deletionTimestamp is set */
	/* Eip, BgpConf and BgpPeer: all that decides what they are (so not
	 * their status), as JSON that decodes to the same; NULL for others. */
	const char *manifest;
};

/* A label or annotation. */
struct label {
	const char *key;
	const char *value;
};

/* Sorted by key. */
struct labels {
	const struct label *v;
	size_t n;
};

enum label_operator {
	LABEL_IN,
	LABEL_NOT_IN,
	LABEL_EXISTS,
	LABEL_DOES_NOT_EXIST,
};

struct label_requirement {
	const char *key;
	enum label_operator op;
	const char *const *values;
	size_t n_values;
};

/* metav1.LabelSelector: all requirements hold; an empty one selects
 * everything.  matchLabels are requirements of LABEL_IN with one value. */
struct label_selector {
	const struct label_requirement *v;
	size_t n;
};

/* "Service", "EndpointSlice", "Eip", ... as in the manifests. */
const char *object_kind_name(enum object_kind kind);

/* As Kubernetes has names: lower-case letters, digits, "-" and ".", the last
 * two not at an end; at most `max` of them. */
bool object_is_name(const char *s, size_t max);

/* A zeroed object of `size_b` octets with its arena begun; NULL strings are
 * never left in `cluster`, `ns`, `name` and `uid`. */
void *object_new(enum object_kind kind, size_t size_b, const char *cluster,
    const char *ns, const char *name);
void object_free(struct object *object); /* NULL is fine */

/* NULL if absent. */
const char *labels_get(const struct labels *labels, const char *key);
bool labels_match(const struct label_selector *selector,
    const struct labels *labels);

#endif
