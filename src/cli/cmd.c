/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cmd.h"

#include <string.h>

#include "base/attr.h"
#include "cli/client.h"
#include "cli/completions.h"
#include "cli/manifests.h"

static const char *
text_manifests(const char *arg)
{
	(void)arg;
	return eipd_manifests;
}

static const char *
text_completion(const char *arg)
{
	if (strcmp(arg, "bash") == 0)
		return eipctl_completion_bash;
	if (strcmp(arg, "zsh") == 0)
		return eipctl_completion_zsh;
	return strcmp(arg, "fish") == 0 ? eipctl_completion_fish : NULL;
}

const struct cmd cmd_table[] = {
	{ .name = "status",
	    .synopsis = "",
	    .help = "the daemon on one page",
	    .path = "/v1/status",
	    .show = show_status },
	{ .name = "get services",
	    .alias = "svc",
	    .synopsis = "[-n NAMESPACE] [NAME]",
	    .help = "Services, their addresses and state",
	    .path = "/v1/services",
	    .args = { { CMD_ARG_TEXT, "name", true, NAMES_SERVICE_NAME } },
	    .options = CMD_OPT_NAMESPACE | CMD_OPT_CLUSTER,
	    .show = show_services },
	{ .name = "get pools",
	    .alias = "eips",
	    .synopsis = "[NAME]",
	    .help = "address pools and how much of them is used",
	    .path = "/v1/pools",
	    .args = { { CMD_ARG_TEXT, "name", true, NAMES_POOL } },
	    .show = show_pools },
	{ .name = "get leases",
	    .synopsis = "[-n NAMESPACE]",
	    .help = "who holds, held or has reserved which address",
	    .path = "/v1/leases",
	    .options = CMD_OPT_NAMESPACE | CMD_OPT_CLUSTER,
	    .show = show_leases },
	{ .name = "get backends",
	    .synopsis = "NAMESPACE/NAME",
	    .help = "where the packets of a Service go",
	    .path = "/v1/backends",
	    .args = { { CMD_ARG_SERVICE, NULL, false, NAMES_SERVICE } },
	    .options = CMD_OPT_CLUSTER,
	    .show = show_backends },
	{ .name = "get nodes",
	    .synopsis = "[NAME]",
	    .help = "nodes, whether they get traffic, and their probe",
	    .path = "/v1/nodes",
	    .args = { { CMD_ARG_TEXT, "name", true, NAMES_NODE } },
	    .options = CMD_OPT_CLUSTER,
	    .show = show_nodes },
	{ .name = "get peers",
	    .synopsis = "[NAME]",
	    .help = "BGP sessions",
	    .path = "/v1/peers",
	    .args = { { CMD_ARG_TEXT, "name", true, NAMES_PEER } },
	    .show = show_peers },
	{ .name = "get routes",
	    .synopsis = "[--peer PEER]",
	    .help = "what is announced to the peers",
	    .path = "/v1/routes",
	    .options = CMD_OPT_PEER,
	    .show = show_routes },
	{ .name = "explain",
	    .synopsis = "NAMESPACE/NAME | ADDRESS[:PORT]",
	    .help = "why it is as it is, step by step",
	    .path = "/v1/explain",
	    .args = { { CMD_ARG_TEXT, "subject", false, NAMES_SUBJECT } },
	    .options = CMD_OPT_CLUSTER,
	    .show = show_explain },
	{ .name = "history",
	    .synopsis = "[ADDRESS | NAMESPACE/NAME]",
	    .help = "what happened to addresses",
	    .path = "/v1/history",
	    .args = { { CMD_ARG_TEXT, "subject", true, NAMES_SUBJECT } },
	    .show = show_history },
	{ .name = "check",
	    .synopsis = "",
	    .help = "everything that is wrong; exit code 1 if any error",
	    .path = "/v1/check",
	    .show = show_check },
	{ .name = "doctor",
	    .synopsis = "",
	    .help = "what the box needs; exit code 1 if any error",
	    .path = "/v1/doctor",
	    .show = show_doctor },
	{ .name = "reserve",
	    .synopsis = "ADDRESS NAMESPACE/NAME",
	    .help = "keep an address for one Service without end",
	    .path = "/v1/reserve",
	    .is_verb = true,
	    .args = { { CMD_ARG_TEXT, "address", false, NAMES_ADDRESS },
		{ CMD_ARG_SERVICE, NULL, false, NAMES_SERVICE } } },
	{ .name = "unreserve",
	    .synopsis = "ADDRESS",
	    .help = "end a reservation",
	    .path = "/v1/unreserve",
	    .is_verb = true,
	    .args = { { CMD_ARG_TEXT, "address", false, NAMES_ADDRESS } } },
	{ .name = "release",
	    .synopsis = "ADDRESS",
	    .help = "end the quarantine and stickiness of an address",
	    .path = "/v1/release",
	    .is_verb = true,
	    .args = { { CMD_ARG_TEXT, "address", false, NAMES_ADDRESS } } },
	{ .name = "withdraw-all",
	    .synopsis = "[--undo]",
	    .help = "stop serving: routes first, then rules; remembered over "
		    "restarts",
	    .path = "/v1/withdraw-all",
	    .is_verb = true,
	    .options = CMD_OPT_UNDO },
	{ .name = "reload",
	    .synopsis = "",
	    .help = "read eipd.conf and the object files again",
	    .path = "/v1/reload",
	    .is_verb = true },
	{ .name = "manifests",
	    .synopsis = "",
	    .help = "print what a cluster needs, for kubectl apply -f -",
	    .text = text_manifests },
	{ .name = "completion",
	    .synopsis = "bash | zsh | fish",
	    .help = "print what lets that shell complete eipctl's words",
	    .text = text_completion,
	    .args = { { CMD_ARG_TEXT, "shell", false, NAMES_SHELL } } },
};
const size_t cmd_table_n = ARRAY_LEN(cmd_table);

/* "service" and "services" are one word to a user. */
static bool
same_word(const char *want, size_t want_n, const char *word)
{
	size_t n = strlen(word);

	if (want_n != n && !(want_n == n + 1 && want[n] == 's'))
		return false;
	return memcmp(want, word, n) == 0;
}

static bool
matches(const struct cmd *cmd, char *const *words, size_t n, size_t *used)
{
	const char *blank = strchr(cmd->name, ' ');

	*used = blank ? 2 : 1;
	if (!blank)
		return n >= 1 && strcmp(cmd->name, words[0]) == 0;
	if (n < 2 || strlen(words[0]) != (size_t)(blank - cmd->name) ||
	    memcmp(cmd->name, words[0], strlen(words[0])) != 0)
		return false;
	return same_word(blank + 1, strlen(blank + 1), words[1]) ||
	    (cmd->alias && same_word(cmd->alias, strlen(cmd->alias), words[1]));
}

const struct cmd *
cmd_find(char *const *words, size_t n, size_t *used)
{
	for (size_t i = 0; i < cmd_table_n; i++)
		if (matches(&cmd_table[i], words, n, used))
			return &cmd_table[i];
	return NULL;
}

const char *
cmd_suggest(char *const *words, size_t n)
{
	const char *names[ARRAY_LEN(cmd_table)];
	struct str text = { 0 };
	const char *nearest;

	for (size_t i = 0; i < cmd_table_n; i++)
		names[i] = cmd_table[i].name;
	str_add(&text, words[0]);
	if (n > 1 && strcmp(words[0], "get") == 0)
		str_printf(&text, " %s", words[1]);
	nearest = str_nearest(str_get(&text), names, cmd_table_n);
	str_fini(&text);
	return nearest;
}

static const struct {
	unsigned int option;
	const char *text;
} option_help[] = {
	{ CMD_OPT_NAMESPACE, "-n, --namespace NAMESPACE" },
	{ CMD_OPT_CLUSTER, "    --cluster NAME   where a name is in several" },
	{ CMD_OPT_PEER, "    --peer PEER      only what this one is told" },
	{ CMD_OPT_UNDO, "    --undo           serve again" },
};

static void
help_of_one(const struct cmd *cmd, struct str *out)
{
	str_printf(out, "usage: eipctl [OPTIONS] %s%s%s\n\n%s\n", cmd->name,
	    *cmd->synopsis ? " " : "", cmd->synopsis, cmd->help);
	for (size_t i = 0; i < ARRAY_LEN(option_help); i++)
		if (cmd->options & option_help[i].option)
			str_printf(out, "\n  %s", option_help[i].text);
	if (cmd->options)
		str_add(out, "\n");
}

void
cmd_help(const struct cmd *cmd, const char *group, struct str *out)
{
	size_t group_b = group ? strlen(group) : 0;

	if (cmd) {
		help_of_one(cmd, out);
		return;
	}
	str_printf(out, "usage: eipctl [OPTIONS] %s...\n\n",
	    group ? "get " : "COMMAND ");
	for (size_t i = 0; i < cmd_table_n; i++) {
		struct str left = { 0 };

		if (group_b &&
		    (strncmp(cmd_table[i].name, group, group_b) ||
			cmd_table[i].name[group_b] != ' '))
			continue;
		str_printf(&left, "%s %s", cmd_table[i].name,
		    cmd_table[i].synopsis);
		str_printf(out, "  %-41s  %s\n", str_get(&left),
		    cmd_table[i].help);
		str_fini(&left);
	}
	str_add(out,
	    "\noptions:\n"
	    "  --socket PATH                 the daemon's control socket "
	    "(" CLIENT_SOCKET ")\n"
	    "  -o, --output FORMAT           table, wide, json or yaml\n"
	    "      --no-pager                never show it through $PAGER\n"
	    "  -h, --help                    of eipctl or of a command\n"
	    "  -V, --version\n");
}

int
cmd_exit_of(const struct cmd *cmd, const json_t *answer)
{
	if ((cmd->show == show_check || cmd->show == show_doctor) &&
	    json_is_false(json_object_get(answer, "ok")))
		return EXIT_REFUSED;
	return EXIT_DONE;
}
