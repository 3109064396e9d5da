/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * completions: the shells' own parts, from completions/ by the build.
 */
#ifndef EIPD_CLI_COMPLETIONS_H
#define EIPD_CLI_COMPLETIONS_H

extern const char eipctl_completion_bash[];
extern const char eipctl_completion_zsh[];
extern const char eipctl_completion_fish[];

#endif
