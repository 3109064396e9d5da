/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: what may stand where the shell's cursor is.
 *
 * The scripts of completions/ call "eipctl __complete WORD...", where the last
 * word is the one to be completed, perhaps empty.
 */
#ifndef EIPD_CLI_COMPLETE_H
#define EIPD_CLI_COMPLETE_H

#include "base/str.h"
#include "cli/client.h"

/* Asks the daemon for names; as client_ask(). */
typedef int complete_ask_fn(const struct client_request *request,
    struct str *body, struct err *err);

/* One candidate a line, some with a tab and a description.  Without a daemon
 * that answers there are no names of it, and no complaint. */
void complete_words(char *const *words, size_t n, complete_ask_fn *ask,
    struct str *out);

#endif
