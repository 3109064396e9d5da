/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_split: a body of the API server through the splitter and the state
 * machine.  The first octet chooses list or watch and the size of the pieces;
 * the result must not depend on the latter.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/kube_split.h"
#include "source/kube_watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

static void
put(void *arg, struct object *object)
{
	(void)arg;
	object_free(object);
}

static void
gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	(void)arg;
	(void)kind;
	(void)cluster;
	(void)ns;
	(void)name;
}

static void
refused(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name, const char *where, const struct err *err)
{
	(void)where;
	(void)err;
	gone(arg, kind, cluster, ns, name);
}

static void
listing(void *arg, enum object_kind kind, const char *cluster)
{
	(void)arg;
	(void)kind;
	(void)cluster;
}

static struct str
split(enum kube_split_mode mode, const char *data, size_t size_b,
    size_t piece_b)
{
	struct kube_split s;
	struct str out = { 0 };
	bool is_bad = false;

	kube_split_init(&s, mode);
	s.item_max_b = 512;
	for (size_t at = 0; at < size_b && !is_bad;) {
		size_t n = size_b - at < piece_b ? size_b - at : piece_b;
		size_t used = 0;

		switch (kube_split_feed(&s, data + at, n, &used)) {
		case KUBE_SPLIT_MORE:
			break;
		case KUBE_SPLIT_ITEM:
			str_add_n(&out, s.item.s, s.item.n);
			str_add(&out, "\n");
			break;
		case KUBE_SPLIT_TOO_BIG:
			str_add(&out, "big\n");
			break;
		case KUBE_SPLIT_BAD:
			is_bad = true;
			break;
		}
		at += used;
	}
	str_printf(&out, "%d %d", is_bad, !is_bad && s.is_complete);
	kube_split_fini(&s);
	return out;
}

static void
watch(const char *data, size_t size_b, bool is_list)
{
	struct sink sink = { put, gone, refused, listing, listing, NULL };
	struct kube_watch_todo todo = { 0 };
	struct kube_watch w;
	struct err err = { 0 };
	size_t used = 0;

	kube_watch_init(&w, OBJECT_SERVICE, "c", &sink, 1);
	kube_watch_begin(&w, true, 1, &todo);
	if (!is_list) {
		snprintf(w.rv, sizeof(w.rv), "1");
		w.state = KUBE_WATCH_WAIT;
		w.next = KUBE_WATCH_STREAM;
		kube_watch_on_timer(&w, 1, &todo);
	}
	kube_watch_on_response(&w, 200, 0, 1);
	while (used < size_b) {
		todo = (struct kube_watch_todo){ 0 };
		used += kube_watch_on_data(&w, data + used, size_b - used, 1,
		    &todo);
		if (todo.stop)
			break;
	}
	if (!todo.stop)
		kube_watch_on_end(&w, &err, false, 1, &todo);
	kube_watch_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	static const char *const path[] = { "object", "metadata", "name" };
	enum kube_split_mode mode;
	struct str whole;
	struct str pieces;
	char name[64];
	char *text;

	if (size_b < 1)
		return 0;
	mode = data[0] & 1 ? KUBE_SPLIT_LIST : KUBE_SPLIT_WATCH;
	text = mem_dup(data + 1, size_b - 1);
	size_b--;
	whole = split(mode, text, size_b, SIZE_MAX);
	pieces = split(mode, text, size_b, (data[0] >> 1) + 1U);
	if (whole.n != pieces.n || memcmp(whole.s, pieces.s, whole.n) != 0)
		abort();
	str_fini(&whole);
	str_fini(&pieces);
	(void)kube_split_find(text, size_b, path, 3, name, sizeof(name));
	watch(text, size_b, mode == KUBE_SPLIT_LIST);
	free(text);
	return 0;
}
