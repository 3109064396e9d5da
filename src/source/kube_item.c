/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/kube_item.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/tree.h"
#include "source/decode.h"
#include "source/kube_split.h"

static const struct {
	const char *text;
	enum kube_item_type type;
} types[] = {
	{ "ADDED", KUBE_ITEM_PUT },
	{ "MODIFIED", KUBE_ITEM_PUT },
	{ "DELETED", KUBE_ITEM_DELETED },
	{ "BOOKMARK", KUBE_ITEM_BOOKMARK },
	{ "ERROR", KUBE_ITEM_ERROR },
	{ "", KUBE_ITEM_NO_EVENT },
};

static const char *
text_of(const struct tree *map, const char *key)
{
	const struct tree *t = tree_get(map, key);

	return t && t->kind == TREE_SCALAR ? t->text : "";
}

static enum kube_item_type
type_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].text, text) == 0)
			return types[i].type;
	}
	return KUBE_ITEM_UNKNOWN;
}

static void
refuse(const struct kube_item *item, const struct decode_identity *identity,
    const struct sink *sink, const struct err *err)
{
	sink->refused(sink->arg, item->kind, item->cluster, identity->ns,
	    identity->name, item->where, err);
}

/* Decided before anything is delivered: an old event that comes late would
 * take away what came back since. */
static bool
note_age(struct kube_item *item)
{
	item->is_old = item->is_event && item->rv[0] &&
	    kube_item_rv_cmp(item->rv, item->not_before) < 0;
	return item->is_old;
}

/* A member of metadata in a text that no parser accepts. */
static void
find(const struct kube_item *item, const char *text, size_t size_b,
    const char *key, char *out, size_t out_b)
{
	const char *path[] = { "object", "metadata", key };
	size_t skip = item->is_event ? 0 : 1;

	out[0] = '\0';
	if (!kube_split_find(text, size_b, path + skip, ARRAY_LEN(path) - skip,
		out, out_b))
		out[0] = '\0';
}

/* The stream goes on after it; it may even be a deletion, which needs no more
 * than the name. */
static void
read_broken(struct kube_item *item, const char *text, size_t size_b,
    const struct sink *sink, struct err *err)
{
	const char *path[] = { "type" };
	struct decode_identity identity = { .kind = item->kind };
	char type[16] = "";

	find(item, text, size_b, "namespace", identity.ns, sizeof(identity.ns));
	find(item, text, size_b, "name", identity.name, sizeof(identity.name));
	find(item, text, size_b, "resourceVersion", item->rv, sizeof(item->rv));
	if (item->is_event &&
	    kube_split_find(text, size_b, path, 1, type, sizeof(type)))
		item->type = type_of(type);
	if (note_age(item))
		return;
	err->line = 0; /* of an event that nobody has in a file */
	if (item->type == KUBE_ITEM_DELETED && identity.name[0])
		sink->gone(sink->arg, item->kind, item->cluster, identity.ns,
		    identity.name);
	else
		refuse(item, &identity, sink, err);
}

static void
read_status(struct kube_item *item, const struct tree *status)
{
	const struct tree *details = tree_get(status, "details");
	const struct tree *causes = tree_get(details, "causes");
	const struct tree *code = tree_get(status, "code");
	const struct tree *after = tree_get(details, "retryAfterSeconds");
	uint64_t n = 0;

	if (code && tree_u64(code, 999, &n, NULL) == 0)
		item->code = (long)n;
	n = 0;
	if (after && tree_u64(after, 3600, &n, NULL) == 0)
		item->retry_after_us = (int64_t)n * 1000000;
	if (strcmp(text_of(status, "reason"), "Expired") == 0 ||
	    strcmp(text_of(status, "reason"), "Gone") == 0)
		item->code = 410;
	for (const struct tree *c = causes ? causes->first : NULL; c;
	     c = c->next) {
		if (strcmp(text_of(c, "reason"), "ResourceVersionTooLarge") ==
		    0)
			item->is_rv_too_large = true;
	}
	snprintf(item->message, sizeof(item->message), "%s",
	    text_of(status, "message"));
}

static void
deliver(const struct kube_item *item, const struct tree *object,
    const struct sink *sink)
{
	struct decode_identity identity = { .kind = item->kind };
	struct object *decoded = NULL;
	struct err err = { 0 };

	if (!object) {
		err_set(&err, -EINVAL, "the event has no object");
		refuse(item, &identity, sink, &err);
		return;
	}
	if (decode_object(object, &item->kind, item->cluster, DECODE_API,
		&decoded, &identity, &err) < 0) {
		refuse(item, &identity, sink, &err);
		return;
	}
	sink->put(sink->arg, decoded);
}

static void
read_tree(struct kube_item *item, const struct tree *root,
    const struct sink *sink)
{
	const struct tree *object = root;
	const struct tree *metadata;
	const char *name;

	item->type = KUBE_ITEM_PUT;
	if (item->is_event) {
		item->type = type_of(text_of(root, "type"));
		object = tree_get(root, "object");
	}
	metadata = tree_get(object, "metadata");
	name = text_of(metadata, "name");
	if (item->type != KUBE_ITEM_ERROR)
		snprintf(item->rv, sizeof(item->rv), "%s",
		    text_of(metadata, "resourceVersion"));
	if (note_age(item))
		return;
	switch (item->type) {
	case KUBE_ITEM_PUT:
		deliver(item, object, sink);
		break;
	case KUBE_ITEM_DELETED:
		if (*name)
			sink->gone(sink->arg, item->kind, item->cluster,
			    text_of(metadata, "namespace"), name);
		break;
	case KUBE_ITEM_ERROR:
		read_status(item, object);
		break;
	case KUBE_ITEM_UNKNOWN:
		snprintf(item->message, sizeof(item->message),
		    "an event of the unknown type \"%.40s\" was left out",
		    text_of(root, "type"));
		break;
	case KUBE_ITEM_BOOKMARK:
	case KUBE_ITEM_NO_EVENT:
		break;
	}
}

void
kube_item_read(struct kube_item *item, const char *text, size_t size_b,
    const struct sink *sink)
{
	struct arena arena = { 0 };
	const struct tree *root = NULL;
	struct err err = { 0 };

	if (item->is_too_big) {
		err_set(&err, -E2BIG, "it is larger than %d MiB",
		    KUBE_SPLIT_ITEM_MAX_B >> 20);
		read_broken(item, text, size_b, sink, &err);
	} else if (tree_parse_json(text, size_b, &arena, &root, &err) < 0) {
		read_broken(item, text, size_b, sink, &err);
	} else {
		item->is_read = true;
		read_tree(item, root, sink);
	}
	arena_fini(&arena);
}

static bool
is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

int
kube_item_rv_cmp(const char *a, const char *b)
{
	size_t na = strlen(a);
	size_t nb = strlen(b);

	if (!is_number(a) || !is_number(b))
		return 0;
	if (na != nb)
		return na < nb ? -1 : 1;
	return strcmp(a, b);
}

void
kube_item_status_message(const char *body, size_t size_b, char *out,
    size_t out_b)
{
	struct arena arena = { 0 };
	const struct tree *root = NULL;
	struct err err = { 0 };

	out[0] = '\0';
	if (size_b && body[0] == '{' &&
	    tree_parse_json(body, size_b, &arena, &root, &err) == 0)
		snprintf(out, out_b, "%s", text_of(root, "message"));
	else
		snprintf(out, out_b, "%.*s", (int)strcspn(body, "\r\n"), body);
	arena_fini(&arena);
	for (char *p = out; *p; p++) {
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	}
}
