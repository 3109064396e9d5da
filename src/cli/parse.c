/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse: the command line, and the request it stands for.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/option.h"
#include "cli/run.h"

static int
set_output(struct call *call, const char *value, struct err *err)
{
	static const char *const names[] = {
		[OUTPUT_TABLE] = "table",
		[OUTPUT_WIDE] = "wide",
		[OUTPUT_JSON] = "json",
		[OUTPUT_YAML] = "yaml",
	};

	assert(value);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], value) == 0) {
			call->output = (enum output)i;
			return 0;
		}
	return err_set(err, -EINVAL,
	    "output %s is not known: table, wide, json or yaml", value);
}

static int
set_option(struct call *call, const struct option *o, const char *value,
    struct err *err)
{
	switch (o->kind) {
	case OPTION_SOCKET:
		call->socket = value;
		return 0;
	case OPTION_OUTPUT:
		return set_output(call, value, err);
	case OPTION_NAMESPACE:
		call->ns = value;
		return 0;
	case OPTION_PEER:
		call->peer = value;
		return 0;
	case OPTION_CLUSTER:
		call->cluster = value;
		return 0;
	case OPTION_UNDO:
		call->is_undo = true;
		return 0;
	case OPTION_NO_PAGER:
		call->no_pager = true;
		return 0;
	case OPTION_HELP:
		call->wants_help = true;
		return 0;
	case OPTION_VERSION:
		call->wants_version = true;
		return 0;
	}
	return 0;
}

/* Options may stand anywhere, as with kubectl; `*used` collects their
 * flags. */
static int
take_words(int argc, char **argv, struct call *call, unsigned int *used,
    struct err *err)
{
	bool is_plain = false; /* behind "--" */

	for (int i = 1; i < argc; i++) {
		const struct option *o;
		const char *value;

		if (!is_plain && strcmp(argv[i], "--") == 0) {
			is_plain = true;
			continue;
		}
		if (is_plain || argv[i][0] != '-' || !argv[i][1]) {
			if (call->n_words == RUN_WORDS_MAX)
				return err_set(err, -EINVAL,
				    "too many arguments");
			call->words[call->n_words++] = argv[i];
			continue;
		}
		o = option_find(argv[i], &value);
		if (!o || (value && !o->has_value))
			return err_set(err, -EINVAL, "unknown option %s",
			    argv[i]);
		if (o->has_value && !value)
			value = ++i < argc ? argv[i] : NULL;
		if (o->has_value && (!value || !*value))
			return err_set(err, -EINVAL, "%s needs a value",
			    o->name);
		if (set_option(call, o, value, err) < 0)
			return -EINVAL;
		*used |= o->flag;
	}
	return 0;
}

static int
unknown_command(const struct call *call, struct err *err)
{
	const char *near = cmd_suggest(call->words, call->n_words);
	bool is_get = strcmp(call->words[0], "get") == 0;

	if (is_get && call->n_words == 1)
		return err_set(err, -EINVAL, "get what? see eipctl get --help");
	return err_set(err, -EINVAL, "unknown command %s%s%s%s%s%s",
	    call->words[0], is_get ? " " : "", is_get ? call->words[1] : "",
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int
run_parse(int argc, char **argv, struct call *out, struct err *err)
{
	unsigned int used = 0;
	size_t n_name = 0;

	*out = (struct call){ .socket = CLIENT_SOCKET };
	if (take_words(argc, argv, out, &used, err) < 0)
		return -EINVAL;
	if (out->n_words && strcmp(out->words[0], "help") == 0) {
		out->wants_help = true;
		memmove(out->words, out->words + 1,
		    --out->n_words * sizeof(out->words[0]));
	}
	if (out->wants_version || (out->wants_help && out->n_words == 0))
		return 0;
	if (out->n_words == 0)
		return err_set(err, -EINVAL, "no command");
	out->cmd = cmd_find(out->words, out->n_words, &n_name);
	if (!out->cmd) {
		if (out->wants_help && out->n_words == 1 &&
		    strcmp(out->words[0], "get") == 0)
			return 0;
		return unknown_command(out, err);
	}
	out->n_words -= n_name;
	memmove(out->words, out->words + n_name,
	    out->n_words * sizeof(out->words[0]));
	if (used & ~out->cmd->options)
		return err_set(err, -EINVAL, "%s does not take this option",
		    out->cmd->name);
	return 0;
}

static void
add_param(const struct call *call, struct str *path, json_t *body,
    const char *name, const char *value)
{
	if (!value)
		return;
	if (call->cmd->is_verb)
		json_object_set_new(body, name, json_string(value));
	else
		client_add_param(path, name, value);
}

static int
add_service(const struct call *call, const char *word, struct str *path,
    json_t *body, struct err *err)
{
	const char *slash = strchr(word, '/');
	char *ns;

	if (!slash || slash == word || !slash[1] || strchr(slash + 1, '/'))
		return err_set(err, -EINVAL, "%s is not NAMESPACE/NAME", word);
	ns = mem_strndup(word, (size_t)(slash - word));
	add_param(call, path, body, "namespace", ns);
	add_param(call, path, body, "name", slash + 1);
	free(ns);
	return 0;
}

static int
add_arguments(const struct call *call, struct str *path, json_t *body,
    struct err *err)
{
	const struct cmd *cmd = call->cmd;
	size_t i;

	for (i = 0; i < CMD_ARGS_MAX && cmd->args[i].kind != CMD_ARG_NONE;
	     i++) {
		if (i >= call->n_words) {
			if (cmd->args[i].is_optional)
				return 0;
			return err_set(err, -EINVAL, "%s needs %s", cmd->name,
			    cmd->synopsis);
		}
		if (cmd->args[i].kind == CMD_ARG_TEXT)
			add_param(call, path, body, cmd->args[i].param,
			    call->words[i]);
		else if (add_service(call, call->words[i], path, body, err) < 0)
			return -EINVAL;
	}
	if (call->n_words > i)
		return err_set(err, -EINVAL, "%s: %s is too much", cmd->name,
		    call->words[i]);
	return 0;
}

int
run_request(const struct call *call, struct str *path, struct str *body,
    struct err *err)
{
	json_t *json = json_object();
	char *text;
	int rc;

	str_add(path, call->cmd->path ? call->cmd->path : "");
	rc = add_arguments(call, path, json, err);
	add_param(call, path, json, "peer", call->peer);
	add_param(call, path, json, "cluster", call->cluster);
	add_param(call, path, json, "namespace", call->ns);
	if (call->is_undo)
		json_object_set_new(json, "undo", json_true());
	if (call->cmd->is_verb && rc == 0) {
		text = json_dumps(json, JSON_COMPACT);
		str_add(body, text ? text : "{}");
		free(text);
	}
	json_decref(json);
	return rc;
}
