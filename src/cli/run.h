/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run: eipctl from its arguments to its exit code.
 */
#ifndef EIPD_CLI_RUN_H
#define EIPD_CLI_RUN_H

#include "base/err.h"
#include "base/str.h"
#include "cli/cmd.h"

enum output {
	OUTPUT_TABLE,
	OUTPUT_WIDE,
	OUTPUT_JSON,
	OUTPUT_YAML,
};

enum {
	RUN_WORDS_MAX = 8
};

/* A command line, understood. */
struct call {
	const struct cmd *cmd; /* NULL with wants_help or wants_version */
	enum output output;
	const char *socket;
	const char *ns;
	const char *peer;
	const char *cluster;
	bool is_undo;
	bool no_pager;
	bool wants_help;
	bool wants_version;
	char *words[RUN_WORDS_MAX]; /* what is left are the arguments */
	size_t n_words;
};

/* -EINVAL: usage. */
ATTR_NODISCARD int run_parse(int argc, char **argv, struct call *out,
    struct err *err);
/* The path with its query, and the body of a verb.  -EINVAL: usage. */
ATTR_NODISCARD int run_request(const struct call *call, struct str *path,
    struct str *body, struct err *err);
/* What is printed for an answer of status 200; the exit code. */
int run_show(const struct call *call, const struct str *body,
    const struct look *look, struct str *out, struct err *err);

int run(int argc, char **argv);

#endif
