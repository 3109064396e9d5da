/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode: kind, version and metadata; the rest is up to the kind's decoder. */
#include "source/decode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/bgp.h"
#include "model/pool.h"
#include "source/decode_util.h"

#define CRD_GROUP "network.kubesphere.io"

static const struct kind_decoder {
	const char *versions[2];
	size_t size_b;
	bool is_namespaced;
	bool is_custom;
	int (*fn)(struct decoder *d, const struct tree *t, void *out);
} kinds[] = {
	[OBJECT_SERVICE] = { { "v1", NULL }, sizeof(struct service), true,
	    false, decode_service },
	[OBJECT_SLICE] = { { "discovery.k8s.io/v1", NULL },
	    sizeof(struct slice), true, false, decode_slice },
	[OBJECT_NODE] = { { "v1", NULL }, sizeof(struct node), false, false,
	    decode_node },
	[OBJECT_NAMESPACE] = { { "v1", NULL }, sizeof(struct namespace), false,
	    false, decode_namespace },
	[OBJECT_EIP] = { { CRD_GROUP "/v1alpha2", CRD_GROUP "/v1alpha1" },
	    sizeof(struct pool), false, true, decode_eip },
	[OBJECT_BGP_CONF] = { { CRD_GROUP "/v1alpha2", CRD_GROUP "/v1alpha1" },
	    sizeof(struct bgp_conf), false, true, decode_bgp_conf },
	[OBJECT_BGP_PEER] = { { CRD_GROUP "/v1alpha2", CRD_GROUP "/v1alpha1" },
	    sizeof(struct bgp_peer), false, true, decode_bgp_peer },
};
_Static_assert(ARRAY_LEN(kinds) == OBJECT__COUNT, "one decoder per kind");

static const char *
text_of(const struct tree *map, const char *key)
{
	const char *s = dec_value(map, key);

	return s ? s : "";
}

static int
check_version(const struct tree *tree, enum object_kind kind, struct err *err)
{
	const struct tree *t = tree_get(tree, "apiVersion");
	const struct kind_decoder *k = &kinds[kind];
	char shown[80];

	if (!t)
		return tree_err(tree, err,
		    "apiVersion: missing; %s is read as %s",
		    object_kind_name(kind), k->versions[0]);
	for (size_t i = 0; i < ARRAY_LEN(k->versions); i++) {
		if (t->kind == TREE_SCALAR && str_eq(t->text, k->versions[i]))
			return 0;
	}
	return tree_err(t, err, "apiVersion: %s is read as %s%s%s, found %s",
	    object_kind_name(kind), k->versions[0],
	    k->versions[1] ? " or " : "", k->versions[1] ? k->versions[1] : "",
	    tree_show(t, shown));
}

static int
find_kind(const struct tree *tree, enum object_kind *out, struct err *err)
{
	const struct tree *t = tree_get(tree, "kind");
	char shown[80];

	if (!t)
		return tree_err(tree, err, "kind: missing");
	for (int k = 0; k < OBJECT__COUNT; k++) {
		if (t->kind != TREE_SCALAR ||
		    strcmp(t->text, object_kind_name(k)) != 0)
			continue;
		*out = k;
		return 0;
	}
	return tree_err(t, err,
	    "kind: expected Service, EndpointSlice, Node, Namespace, Eip, BgpConf or BgpPeer, found %s",
	    tree_show(t, shown));
}

/* Names become keys, comments of rules and labels of metrics. */
static bool
is_name(const char *s, size_t max, bool is_strict)
{
	size_t n = strlen(s);

	if (is_strict)
		return object_is_name(s, max);
	if (n == 0 || n > max)
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || strchr("/\"\\\x7f", *s))
			return false;
	}
	return true;
}

static int
check_names(const struct tree *meta, enum object_kind kind,
    enum decode_mode mode, struct err *err)
{
	size_t max =
	    kind == OBJECT_SERVICE || kind == OBJECT_NAMESPACE ? 63 : 253;
	const struct tree *name = tree_get(meta, "name");
	const struct tree *ns = tree_get(meta, "namespace");
	char shown[80];

	if (!name)
		return tree_err(meta, err, "metadata.name: missing");
	if (name->kind != TREE_SCALAR ||
	    !is_name(name->text, max, mode == DECODE_FILE))
		return tree_err(name, err,
		    "metadata.name: expected lower-case letters, digits, \"-\" and \".\", at most %zu, found %s",
		    max, tree_show(name, shown));
	if (ns && kinds[kind].is_namespaced &&
	    (ns->kind != TREE_SCALAR ||
		!is_name(ns->text, 63, mode == DECODE_FILE)))
		return tree_err(ns, err,
		    "metadata.namespace: expected lower-case letters, digits and \"-\", at most 63, found %s",
		    tree_show(ns, shown));
	return 0;
}

int
decode_identity(const struct tree *tree, const enum object_kind *kind,
    enum decode_mode mode, struct decode_identity *identity, struct err *err)
{
	const struct tree *meta = tree_get(tree, "metadata");
	const char *ns = text_of(meta, "namespace");
	const char *name = text_of(meta, "name");

	memset(identity, 0, sizeof(*identity));
	identity->kind = OBJECT__COUNT;
	if (strlen(name) < sizeof(identity->name))
		strcpy(identity->name, name);
	if (tree->kind != TREE_MAP)
		return tree_err(tree, err, "expected an object, a map");
	if (kind)
		identity->kind = *kind;
	else if (find_kind(tree, &identity->kind, err) < 0)
		return -EINVAL;
	if (kinds[identity->kind].is_namespaced && !*ns)
		ns = "default";
	if (kinds[identity->kind].is_namespaced &&
	    strlen(ns) < sizeof(identity->ns))
		strcpy(identity->ns, ns);
	if (!kind && check_version(tree, identity->kind, err) < 0)
		return -EINVAL;
	if (!meta)
		return tree_err(tree, err, "metadata: missing");
	return check_names(meta, identity->kind, mode, err);
}

/* A static Service has no uid unless its author gave one; leases need one
 * that is the same after a restart. */
static const char *
derived_uid(struct decoder *d, const struct decode_identity *id)
{
	char text[sizeof(id->ns) + sizeof(id->name) + 16];
	uint64_t high;
	uint64_t low;

	snprintf(text, sizeof(text), "eipd static %s/%s", id->ns, id->name);
	high = str_hash(text);
	text[0] = 'E';
	low = str_hash(text);
	/* version 8 (made by rules of our own), variant of RFC 9562 */
	return dec_printf(d, "%08x-%04x-8%03x-%04x-%012" PRIx64,
	    (unsigned int)(high >> 32), (unsigned int)(high >> 16 & 0xffff),
	    (unsigned int)(high & 0xfff),
	    (unsigned int)(low >> 48 & 0x3fff) | 0x8000u,
	    low & UINT64_C(0xffffffffffff));
}

static int
decode_meta(struct decoder *d, const struct tree *tree,
    const struct decode_identity *id, struct object *o)
{
	static const char *const top[] = { "apiVersion", "kind", "metadata",
		"spec", "status", "addressType", "endpoints", "ports" };
	static const char *const known[] = { "name", "generateName",
		"namespace", "uid", "resourceVersion", "generation",
		"creationTimestamp", "deletionTimestamp",
		"deletionGracePeriodSeconds", "labels", "annotations",
		"ownerReferences", "finalizers", "managedFields", "selfLink" };
	size_t n_top = id->kind == OBJECT_SLICE ? ARRAY_LEN(top) : 5;
	const struct tree *meta = tree_get(tree, "metadata");
	const char *uid = "";

	if (dec_check(d, tree, top, n_top) < 0 ||
	    dec_known(d, meta, known) < 0 ||
	    dec_string(d, meta, "uid", &uid) < 0 ||
	    dec_map(d, meta, "labels", &d->labels) < 0 ||
	    dec_map(d, meta, "annotations", &d->annotations) < 0)
		return -EINVAL;
	o->is_deleting = tree_get(meta, "deletionTimestamp") != NULL;
	if (*uid)
		o->uid = dec_strdup(d, uid);
	else if (d->mode == DECODE_FILE && id->kind == OBJECT_SERVICE)
		o->uid = derived_uid(d, id);
	else
		o->uid = "";
	return 0;
}

static int
decode_whole(struct decoder *d, const struct tree *tree,
    const struct decode_identity *id, struct object *o)
{
	if (decode_meta(d, tree, id, o) < 0)
		return -EINVAL;
	return kinds[id->kind].fn(d, tree, o);
}

static void
add_member(struct str *out, const char *separator, const struct tree *map,
    const char *key)
{
	const struct tree *t = tree_get(map, key);

	if (!t)
		return;
	str_printf(out, "%s\"%s\":", separator, key);
	tree_to_json(t, out);
}

/* What is left out changes without changing what the object is: its status
 * above all. */
static const char *
manifest_of(const struct tree *tree, struct object *o)
{
	const struct tree *metadata = tree_get(tree, "metadata");
	struct str text = { 0 };
	const char *manifest;

	str_add(&text, "{\"metadata\":{");
	add_member(&text, "", metadata, "name");
	add_member(&text, ",", metadata, "uid");
	add_member(&text, ",", metadata, "deletionTimestamp");
	add_member(&text, ",", metadata, "labels");
	add_member(&text, ",", metadata, "annotations");
	str_add(&text, "}");
	add_member(&text, ",", tree, "apiVersion");
	add_member(&text, ",", tree, "spec");
	str_add(&text, "}");
	manifest = arena_strdup(&o->arena, text.s);
	str_fini(&text);
	return manifest;
}

int
decode_object(const struct tree *tree, const enum object_kind *kind,
    const char *cluster, enum decode_mode mode, struct object **out,
    struct decode_identity *identity, struct err *err)
{
	struct decode_identity own = { 0 };
	struct decode_identity *id = identity ? identity : &own;
	struct decoder d = { .mode = mode, .err = err };
	const struct kind_decoder *k;
	struct object *o;
	size_t size_b;
	int rc;

	if (decode_identity(tree, kind, mode, id, err) < 0)
		return -EINVAL;
	k = &kinds[id->kind];
	d.is_v1alpha1 =
	    strcmp(text_of(tree, "apiVersion"), CRD_GROUP "/v1alpha1") == 0;
	o = arena_alloc(&d.scratch, k->size_b);
	rc = decode_whole(&d, tree, id, o);
	arena_fini(&d.scratch);
	if (rc < 0)
		return rc;

	size_b = (k->size_b + alignof(max_align_t) - 1) &
	    ~(alignof(max_align_t) - 1);
	o = object_new(id->kind, size_b + d.used_b, cluster, id->ns, id->name);
	d.block = (unsigned char *)o + size_b;
	d.used_b = 0;
	rc = decode_whole(&d, tree, id, o);
	if (rc < 0) { /* cannot be: the same input passed a moment ago */
		object_free(o);
		return rc;
	}
	if (k->is_custom)
		o->manifest = manifest_of(tree, o);
	*out = o;
	return 0;
}
