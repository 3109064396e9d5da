/* SPDX-License-Identifier: GPL-2.0-or-later */
/* object: making and comparing what every kind of fact has in common. */
#include "model/object.h"

#include <string.h>

#include "base/attr.h"
#include "base/str.h"

static const char *const kind_names[] = {
	[OBJECT_SERVICE] = "Service",
	[OBJECT_SLICE] = "EndpointSlice",
	[OBJECT_NODE] = "Node",
	[OBJECT_NAMESPACE] = "Namespace",
	[OBJECT_EIP] = "Eip",
	[OBJECT_BGP_CONF] = "BgpConf",
	[OBJECT_BGP_PEER] = "BgpPeer",
};
_Static_assert(ARRAY_LEN(kind_names) == OBJECT__COUNT, "one name per kind");

const char *
object_kind_name(enum object_kind kind)
{
	return kind < OBJECT__COUNT ? kind_names[kind] : "object";
}

bool
object_is_name(const char *s, size_t max)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return n && n <= max && !s[n] && !strchr("-.", *s) &&
	    !strchr("-.", s[n - 1]);
}

/* One allocation holds the struct and the three strings: most objects are
 * small and there are many of them. */
void *
object_new(enum object_kind kind, size_t size_b, const char *cluster,
    const char *ns, const char *name)
{
	const char *text[3] = { cluster, ns, name };
	const char *copy[3];
	struct arena arena = { 0 };
	struct object *o;
	size_t total_b = size_b;
	char *p;

	for (int i = 0; i < 3; i++)
		total_b += strlen(text[i] ? text[i] : "") + 1;
	o = arena_alloc(&arena, total_b);
	p = (char *)o + size_b;
	for (int i = 0; i < 3; i++) {
		copy[i] = strcpy(p, text[i] ? text[i] : "");
		p += strlen(p) + 1;
	}
	o->kind = kind;
	o->cluster = copy[0];
	o->ns = copy[1];
	o->name = copy[2];
	o->uid = "";
	o->arena = arena;
	return o;
}

void
object_free(struct object *object)
{
	struct arena arena;

	if (!object)
		return;
	arena = object->arena; /* the object itself lies in it */
	arena_fini(&arena);
}

const char *
labels_get(const struct labels *labels, const char *key)
{
	size_t low = 0;
	size_t high = labels->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(labels->v[mid].key, key);

		if (c == 0)
			return labels->v[mid].value;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static bool
is_one_of(const char *value, const struct label_requirement *r)
{
	for (size_t i = 0; i < r->n_values; i++) {
		if (str_eq(value, r->values[i]))
			return true;
	}
	return false;
}

static bool
requirement_holds(const struct label_requirement *r, const char *value)
{
	switch (r->op) {
	case LABEL_IN:
		return value && is_one_of(value, r);
	case LABEL_NOT_IN: /* also true where the label is absent */
		return !value || !is_one_of(value, r);
	case LABEL_EXISTS:
		return value;
	case LABEL_DOES_NOT_EXIST:
		return !value;
	}
	return false;
}

bool
labels_match(const struct label_selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		const struct label_requirement *r = &selector->v[i];

		if (!requirement_holds(r, labels_get(labels, r->key)))
			return false;
	}
	return true;
}
