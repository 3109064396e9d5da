/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd: the commands of eipctl, as one table.
 */
#ifndef EIPD_CLI_CMD_H
#define EIPD_CLI_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "cli/table.h"

enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* or not found */
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
};

enum cmd_arg_kind {
	CMD_ARG_NONE,
	CMD_ARG_TEXT,
	CMD_ARG_SERVICE, /* NAMESPACE/NAME: parameters namespace and name */
};

/* What the shell offers for an argument or the value of an option. */
enum names {
	NAMES_NONE,
	NAMES_SERVICE, /* NAMESPACE/NAME */
	NAMES_SERVICE_NAME,
	NAMES_NAMESPACE,
	NAMES_CLUSTER,
	NAMES_POOL,
	NAMES_NODE,
	NAMES_PEER,
	NAMES_ADDRESS,
	NAMES_SUBJECT, /* NAMESPACE/NAME or an address */
	NAMES_FORMAT,
	NAMES_SHELL,
	NAMES__COUNT,
};

enum {
	CMD_OPT_NAMESPACE = 1,
	CMD_OPT_PEER = 2,
	CMD_OPT_UNDO = 4,
	CMD_OPT_CLUSTER = 8,
};

enum {
	CMD_ARGS_MAX = 2
};

/* Shows the answer as text; returns the exit code. */
typedef int cmd_show_fn(const json_t *answer, const struct look *look,
    struct str *out);

/* `arg` NULL: none was given; NULL: it is not known. */
typedef const char *cmd_text_fn(const char *arg);

struct cmd {
	const char *name; /* one word or two */
	const char *alias; /* another second word, NULL: none */
	const char *synopsis;
	const char *help; /* one line */
	const char *path; /* NULL: the daemon is not asked */
	cmd_text_fn *text; /* where it is not: what is printed */
	bool is_verb; /* POST */
	struct {
		enum cmd_arg_kind kind;
		const char *param;
		bool is_optional;
		enum names names;
	} args[CMD_ARGS_MAX];
	unsigned int options;
	cmd_show_fn *show; /* NULL: "done" */
};

extern const struct cmd cmd_table[];
extern const size_t cmd_table_n;

/* By the first words; `*used` tells how many.  NULL if there is none. */
const struct cmd *cmd_find(char *const *words, size_t n, size_t *used);

/* The command nearest to what was written, NULL if none is near. */
const char *cmd_suggest(char *const *words, size_t n);

/* cmd NULL: of eipctl as a whole; `group` ("get") narrows it. */
void cmd_help(const struct cmd *cmd, const char *group, struct str *out);

/* show.c */
cmd_show_fn show_status, show_services, show_pools, show_leases, show_backends,
    show_nodes, show_peers, show_routes, show_explain, show_history, show_check,
    show_doctor;

/* What the exit code is, whatever the output format. */
int cmd_exit_of(const struct cmd *cmd, const json_t *answer);

#endif
