/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/problems.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct entry {
	enum severity severity;
	enum object_kind kind;
	bool is_stale; /* a listing began and it was not set again */
	char *cluster;
	char *subject;
	char *text;
	char *remedy;
};

/* Few at any time: something is wrong with each of them. */
struct problems {
	VEC(struct entry) entries;
};

struct problems *
problems_new(void)
{
	return mem_new(struct problems);
}

static void
entry_fini(struct entry *e)
{
	free(e->cluster);
	free(e->subject);
	free(e->text);
	free(e->remedy);
}

void
problems_free(struct problems *problems)
{
	struct entry *e;

	if (!problems)
		return;
	VEC_FOREACH (e, &problems->entries)
		entry_fini(e);
	vec_fini(&problems->entries);
	free(problems);
}

static struct entry *
find(struct problems *problems, const char *subject)
{
	struct entry *e;

	VEC_FOREACH (e, &problems->entries) {
		if (strcmp(e->subject, subject) == 0)
			return e;
	}
	return NULL;
}

bool
problems_set(struct problems *problems, enum severity severity,
    enum object_kind kind, const char *cluster, const char *subject,
    const char *text, const char *remedy)
{
	struct entry *e = find(problems, subject);

	if (e) {
		bool is_same = strcmp(e->text, text) == 0;

		e->is_stale = false;
		e->severity = severity;
		if (is_same)
			return false;
		free(e->text);
		free(e->remedy);
		e->text = mem_strdup(text);
		e->remedy = mem_strdup(remedy);
		return true;
	}
	vec_push(&problems->entries,
	    (struct entry){ .severity = severity,
		.kind = kind,
		.cluster = mem_strdup(cluster),
		.subject = mem_strdup(subject),
		.text = mem_strdup(text),
		.remedy = mem_strdup(remedy) });
	return true;
}

bool
problems_clear(struct problems *problems, const char *subject)
{
	struct entry *e = find(problems, subject);

	if (!e)
		return false;
	entry_fini(e);
	vec_remove(&problems->entries, (size_t)(e - problems->entries.v));
	return true;
}

void
problems_list_begin(struct problems *problems, enum object_kind kind,
    const char *cluster)
{
	struct entry *e;

	VEC_FOREACH (e, &problems->entries) {
		if (e->kind == kind && str_eq(e->cluster, cluster))
			e->is_stale = true;
	}
}

void
problems_list_end(struct problems *problems, enum object_kind kind,
    const char *cluster)
{
	for (size_t i = problems->entries.n; i-- > 0;) {
		struct entry *e = &problems->entries.v[i];

		if (!e->is_stale || e->kind != kind ||
		    !str_eq(e->cluster, cluster))
			continue;
		entry_fini(e);
		vec_remove(&problems->entries, i);
	}
}

void
problems_each(const struct problems *problems,
    void (*fn)(void *arg, const struct problem *p), void *arg)
{
	const struct entry *e;

	VEC_FOREACH (e, &problems->entries) {
		struct problem p = { .severity = e->severity,
			.subject = e->subject,
			.text = e->text,
			.remedy = e->remedy };

		fn(arg, &p);
	}
}
