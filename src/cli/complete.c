/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/complete.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/vec.h"
#include "cli/cmd.h"
#include "cli/option.h"
#include "cli/run.h"

/* Nobody waits longer for what TAB gives. */
enum {
	TIMEOUT_S = 2
};

struct candidate {
	char *word; /* owned */
	const char *help; /* NULL: none */
};

/* The words before the one to be completed, understood as far as possible. */
struct line {
	const char *socket;
	const char *ns;
	const char *cluster;
	const struct option *pending; /* wants a value */
	char *words[RUN_WORDS_MAX];
	size_t n_words;
	complete_ask_fn *ask;

	const char *current;
	const char *lead; /* stands before each candidate: "--peer=" */
	size_t lead_b;
	VEC(struct candidate) found;
};

/* Where live names are: the members of the items of a view. */
static const struct source {
	const char *path;
	const char *key;
	const char *second; /* "KEY/SECOND"; NULL: just the one */
} sources[NAMES__COUNT] = {
	[NAMES_SERVICE] = { "/v1/services", "namespace", "name" },
	[NAMES_SERVICE_NAME] = { "/v1/services", "name", NULL },
	[NAMES_NAMESPACE] = { "/v1/services", "namespace", NULL },
	[NAMES_CLUSTER] = { "/v1/services", "cluster", NULL },
	[NAMES_POOL] = { "/v1/pools", "name", NULL },
	[NAMES_NODE] = { "/v1/nodes", "name", NULL },
	[NAMES_PEER] = { "/v1/peers", "name", NULL },
	[NAMES_ADDRESS] = { "/v1/leases", "address", NULL },
};

static const char *const formats[] = { "table", "wide", "json", "yaml", NULL };
static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static void
offer(struct line *line, const char *word, size_t word_b, const char *help)
{
	const char *typed = line->current + line->lead_b;
	struct candidate c = { .help = help };
	struct str text = { 0 };

	/* What a shell would split or expand is no candidate. */
	if (word_b == 0 || strcspn(word, " \t\n'\"\\$`") < word_b ||
	    strncmp(word, typed, MIN(word_b, strlen(typed))) != 0 ||
	    strlen(typed) > word_b)
		return;
	str_add_n(&text, line->lead, line->lead_b);
	str_add_n(&text, word, word_b);
	c.word = str_steal(&text);
	vec_push(&line->found, c);
}

static void
offer_list(struct line *line, const char *const *words)
{
	for (; *words; words++)
		offer(line, *words, strlen(*words), NULL);
}

static void
offer_items(struct line *line, const struct source *source, const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		struct str word = { 0 };
		const char *first =
		    json_string_value(json_object_get(item, source->key));
		const char *second = source->second
		    ? json_string_value(json_object_get(item, source->second))
		    : "";

		if (!first || !second)
			continue;
		str_printf(&word, "%s%s%s", first, source->second ? "/" : "",
		    second);
		offer(line, str_get(&word), word.n, NULL);
		str_fini(&word);
	}
}

static void
offer_live(struct line *line, enum names names)
{
	const struct source *source = &sources[names];
	struct client_request request = { .socket = line->socket,
		.timeout_s = TIMEOUT_S };
	struct str path = { 0 };
	struct str body = { 0 };
	struct err err = { 0 };
	json_t *answer = NULL;

	str_add(&path, source->path);
	if (line->ns && names == NAMES_SERVICE_NAME)
		client_add_param(&path, "namespace", line->ns);
	if (line->cluster && names != NAMES_CLUSTER)
		client_add_param(&path, "cluster", line->cluster);
	request.path = str_get(&path);
	if (line->ask(&request, &body, &err) == 200)
		answer = json_loadb(str_get(&body), body.n, 0, NULL);
	offer_items(line, source, json_object_get(answer, "items"));
	json_decref(answer);
	str_fini(&path);
	str_fini(&body);
}

static void
offer_names(struct line *line, enum names names)
{
	switch (names) {
	case NAMES_NONE:
	case NAMES__COUNT:
		return;
	case NAMES_FORMAT:
		offer_list(line, formats);
		return;
	case NAMES_SHELL:
		offer_list(line, shells);
		return;
	case NAMES_SUBJECT:
		offer_live(line, NAMES_SERVICE);
		offer_live(line, NAMES_ADDRESS);
		return;
	case NAMES_SERVICE:
	case NAMES_SERVICE_NAME:
	case NAMES_NAMESPACE:
	case NAMES_CLUSTER:
	case NAMES_POOL:
	case NAMES_NODE:
	case NAMES_PEER:
	case NAMES_ADDRESS:
		offer_live(line, names);
		return;
	}
}

/* `group` NULL: first words; else the second ones of "group ...". */
static void
offer_commands(struct line *line, const char *group)
{
	size_t group_b = group ? strlen(group) : 0;

	for (size_t i = 0; i < cmd_table_n; i++) {
		const char *name = cmd_table[i].name;
		size_t first_b = strcspn(name, " ");

		if (!group)
			offer(line, name, first_b,
			    name[first_b] ? "show what there is"
					  : cmd_table[i].help);
		else if (first_b == group_b && name[first_b] &&
		    memcmp(name, group, group_b) == 0)
			offer(line, name + first_b + 1,
			    strlen(name + first_b + 1), cmd_table[i].help);
	}
}

static void
offer_options(struct line *line, const struct cmd *cmd)
{
	for (size_t i = 0; i < option_table_n; i++) {
		const struct option *o = &option_table[i];

		if (!o->flag || (cmd && (cmd->options & o->flag)))
			offer(line, o->name, strlen(o->name), NULL);
	}
}

static void
set_option(struct line *line, const struct option *o, const char *value)
{
	if (o->kind == OPTION_SOCKET)
		line->socket = value;
	else if (o->kind == OPTION_NAMESPACE)
		line->ns = value;
	else if (o->kind == OPTION_CLUSTER)
		line->cluster = value;
}

static void
read_words(struct line *line, char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct option *o;
		const char *value;

		if (words[i][0] != '-' || !words[i][1]) {
			if (line->n_words < RUN_WORDS_MAX)
				line->words[line->n_words++] = words[i];
			continue;
		}
		o = option_find(words[i], &value);
		if (!o || !o->has_value)
			continue;
		if (value || ++i < n)
			set_option(line, o, value ? value : words[i]);
		else
			line->pending = o;
	}
	if (line->n_words && strcmp(line->words[0], "help") == 0)
		memmove(line->words, line->words + 1,
		    --line->n_words * sizeof(line->words[0]));
}

static void
offer_what_fits(struct line *line)
{
	size_t n_name = 0;
	const struct cmd *cmd = line->n_words
	    ? cmd_find(line->words, line->n_words, &n_name)
	    : NULL;
	const struct option *o;
	const char *value;

	if (line->pending) {
		offer_names(line, line->pending->names);
	} else if (line->current[0] == '-') {
		o = option_find(line->current, &value);
		if (!o || !value || value[-1] != '=') {
			offer_options(line, cmd);
			return;
		}
		line->lead = line->current;
		line->lead_b = (size_t)(value - line->current);
		offer_names(line, o->names);
	} else if (line->n_words == 0) {
		offer_commands(line, NULL);
	} else if (!cmd) {
		if (line->n_words == 1)
			offer_commands(line, line->words[0]);
	} else if (line->n_words - n_name < CMD_ARGS_MAX) {
		offer_names(line, cmd->args[line->n_words - n_name].names);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	return strcmp(x->word, y->word);
}

void
complete_words(char *const *words, size_t n, complete_ask_fn *ask,
    struct str *out)
{
	struct line line = { .socket = CLIENT_SOCKET, .ask = ask, .lead = "" };
	const struct candidate *c;
	const char *last = "";

	if (n == 0)
		return;
	line.current = words[n - 1];
	read_words(&line, words, n - 1);
	offer_what_fits(&line);
	vec_sort(&line.found, compare);
	VEC_FOREACH (c, &line.found) {
		if (strcmp(c->word, last) != 0)
			str_printf(out, "%s%s%s\n", c->word,
			    c->help ? "\t" : "", c->help ? c->help : "");
		last = c->word;
	}
	VEC_FOREACH (c, &line.found)
		free(c->word);
	vec_fini(&line.found);
}
