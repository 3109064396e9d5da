/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * option: the options of eipctl, as one table.
 */
#ifndef EIPD_CLI_OPTION_H
#define EIPD_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cmd.h"

enum option_kind {
	OPTION_SOCKET,
	OPTION_OUTPUT,
	OPTION_NAMESPACE,
	OPTION_PEER,
	OPTION_CLUSTER,
	OPTION_UNDO,
	OPTION_NO_PAGER,
	OPTION_HELP,
	OPTION_VERSION,
};

struct option {
	const char *name;
	const char *letter; /* NULL: none */
	enum option_kind kind;
	bool has_value;
	unsigned int flag; /* of the command; 0: goes with any */
	enum names names; /* of its values, for the shell */
};

extern const struct option option_table[];
extern const size_t option_table_n;

/* "--name", "--name=value", "-l" or "-lvalue"; `*value` points behind it when
 * it is in the same word, else it is NULL.  NULL: no such option. */
const struct option *option_find(const char *word, const char **value);

#endif
