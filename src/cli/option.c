/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/option.h"

#include <string.h>

#include "base/attr.h"

const struct option option_table[] = {
	{ "--socket", NULL, OPTION_SOCKET, true, 0, NAMES_NONE },
	{ "--output", "-o", OPTION_OUTPUT, true, 0, NAMES_FORMAT },
	{ "--namespace", "-n", OPTION_NAMESPACE, true, CMD_OPT_NAMESPACE,
	    NAMES_NAMESPACE },
	{ "--peer", NULL, OPTION_PEER, true, CMD_OPT_PEER, NAMES_PEER },
	{ "--cluster", NULL, OPTION_CLUSTER, true, CMD_OPT_CLUSTER,
	    NAMES_CLUSTER },
	{ "--undo", NULL, OPTION_UNDO, false, CMD_OPT_UNDO, NAMES_NONE },
	{ "--no-pager", NULL, OPTION_NO_PAGER, false, 0, NAMES_NONE },
	{ "--help", "-h", OPTION_HELP, false, 0, NAMES_NONE },
	{ "--version", "-V", OPTION_VERSION, false, 0, NAMES_NONE },
};
const size_t option_table_n = ARRAY_LEN(option_table);

const struct option *
option_find(const char *word, const char **value)
{
	size_t name_b = strcspn(word, "=");

	*value = NULL;
	for (size_t i = 0; i < option_table_n; i++) {
		const struct option *o = &option_table[i];

		if (strlen(o->name) == name_b &&
		    memcmp(o->name, word, name_b) == 0) {
			if (word[name_b])
				*value = word + name_b + 1;
			return o;
		}
		if (o->letter && word[1] != '-' && word[1] == o->letter[1]) {
			if (word[2])
				*value = word + 2;
			return o;
		}
	}
	return NULL;
}
