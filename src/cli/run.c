/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/complete.h"
#include "cli/pager.h"
#include "cli/yaml.h"

static int
usage(const struct err *err)
{
	fprintf(stderr, "eipctl: %s\nsee eipctl --help\n", err->text);
	return EXIT_USAGE;
}

/* A full disk or a closed pipe must not look like success. */
static int
print(const struct call *call, const struct str *text, int code)
{
	int rc = pager_print(text, !call->no_pager);

	if (rc < 0) {
		fprintf(stderr, "eipctl: cannot write: %s\n", strerror(-rc));
		return EXIT_REFUSED;
	}
	return code;
}

static bool
wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_colour && *no_colour)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int
show_json(const struct call *call, const json_t *answer,
    const struct look *look, struct str *out)
{
	const json_t *items = json_object_get(answer, "items");

	if (call->output == OUTPUT_YAML) {
		yaml_render(answer, out);
		return cmd_exit_of(call->cmd, answer);
	}
	if (!call->cmd->show) {
		str_add(out, "done\n");
		return EXIT_DONE;
	}
	if (json_is_array(items) && json_array_size(items) == 0)
		fprintf(stderr, "eipctl: none found\n");
	else
		call->cmd->show(answer, look, out);
	return cmd_exit_of(call->cmd, answer);
}

int
run_show(const struct call *call, const struct str *body,
    const struct look *look, struct str *out, struct err *err)
{
	json_error_t error;
	json_t *answer = json_loadb(str_get(body), body->n, 0, &error);
	int code;

	if (!json_is_object(answer)) {
		err_set(err, -EPROTO, "the answer cannot be read: %s",
		    answer ? "no object" : error.text);
		json_decref(answer);
		return EXIT_UNREACHABLE;
	}
	if (call->output == OUTPUT_JSON) {
		str_add_n(out, str_get(body), body->n);
		code = cmd_exit_of(call->cmd, answer);
	} else {
		code = show_json(call, answer, look, out);
	}
	json_decref(answer);
	return code;
}

static int
show_refusal(int status, const struct str *body)
{
	json_t *answer = json_loadb(str_get(body), body->n, 0, NULL);
	const char *message = json_string_value(
	    json_object_get(json_object_get(answer, "error"), "message"));
	struct str text = { 0 };

	table_text(message ? message : "no reason given", &text);
	if (message)
		fprintf(stderr, "eipctl: %s\n", str_get(&text));
	else
		fprintf(stderr, "eipctl: refused with status %d\n", status);
	str_fini(&text);
	json_decref(answer);
	return EXIT_REFUSED;
}

static int
ask(const struct call *call, const struct str *path, const struct str *body)
{
	struct client_request request = { .socket = call->socket,
		.path = str_get(path),
		.body = call->cmd->is_verb ? str_get(body) : NULL };
	struct look look = { .is_wide = call->output == OUTPUT_WIDE,
		.has_colour = wants_colour() };
	struct str answer = { 0 };
	struct str out = { 0 };
	struct err err = { 0 };
	int code = EXIT_UNREACHABLE;
	int status = client_ask(&request, &answer, &err);

	if (status >= 200 && status < 300)
		code = run_show(call, &answer, &look, &out, &err);
	else if (status > 0)
		code = show_refusal(status, &answer);
	if (*err.text)
		fprintf(stderr, "eipctl: %s\n", err.text);
	code = print(call, &out, code);
	str_fini(&answer);
	str_fini(&out);
	return code;
}

static int
print_text(const struct call *call, const char *text)
{
	struct str out = { 0 };
	int code;

	str_add(&out, text);
	code = print(call, &out, EXIT_DONE);
	str_fini(&out);
	return code;
}

static int
print_local(const struct call *call)
{
	const char *text =
	    call->cmd->text(call->n_words ? call->words[0] : NULL);
	struct err err;

	if (text)
		return print_text(call, text);
	err_set(&err, -EINVAL, "%s %s: %s", call->cmd->name, call->words[0],
	    call->cmd->synopsis);
	return usage(&err);
}

static int
complete(char *const *words, size_t n)
{
	struct str out = { 0 };
	int code;

	complete_words(words, n, client_ask, &out);
	code = pager_print(&out, false) < 0 ? EXIT_REFUSED : EXIT_DONE;
	str_fini(&out);
	return code;
}

int
run(int argc, char **argv)
{
	struct call call;
	struct err err = { 0 };
	struct str path = { 0 };
	struct str body = { 0 };
	struct str help = { 0 };
	int code;

	if (argc > 1 && strcmp(argv[1], "__complete") == 0)
		return complete(argv + 2, (size_t)argc - 2);
	if (run_parse(argc, argv, &call, &err) < 0)
		return usage(&err);
	if (call.wants_version)
		return print_text(&call, "eipctl " PACKAGE_VERSION "\n");
	if (call.wants_help) {
		cmd_help(call.cmd, call.n_words ? call.words[0] : NULL, &help);
		code = print(&call, &help, EXIT_DONE);
		str_fini(&help);
		return code;
	}
	if (run_request(&call, &path, &body, &err) < 0)
		code = usage(&err);
	else if (!call.cmd->path)
		code = print_local(&call);
	else
		code = ask(&call, &path, &body);
	str_fini(&path);
	str_fini(&body);
	return code;
}
