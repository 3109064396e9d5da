/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"

enum {
	SHELL_FOUND_NOTHING = 127
};

static const char default_pager[] =
    "if command -v less >/dev/null; then exec less; else exec cat; fi";

static bool
fits(const struct str *text)
{
	struct winsize size = { 0 };
	unsigned int n_lines = 0;
	const char *s;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return true;
	for (s = strchr(str_get(text), '\n'); s; s = strchr(s + 1, '\n'))
		n_lines++;
	return n_lines < size.ws_row;
}

/* "" or "cat": none is wanted. */
static const char *
find_pager(void)
{
	const char *pager = getenv("PAGER");

	if (!pager)
		return default_pager;
	return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
}

static void
become_pager(const char *pager, const int ends[2])
{
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	close(ends[1]);
	/* Colours as they are, short output stays on the screen. */
	setenv("LESS", "FRX", 0);
	execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
	_exit(SHELL_FOUND_NOTHING);
}

/* False if there was no pager that could be run. */
static bool
page(const struct str *text, const char *pager)
{
	const char *s = str_get(text);
	const char *end = s + text->n;
	int ends[2];
	int status = 0;
	pid_t pid;

	if (pipe(ends) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		become_pager(pager, ends);
	close(ends[0]);
	/* Who leaves it early has read enough; Ctrl-C is the pager's. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	while (pid > 0 && s < end) {
		ssize_t n = write(ends[1], s, (size_t)(end - s));

		if (n <= 0)
			break;
		s += n;
	}
	close(ends[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 &&
	    !(WIFEXITED(status) && WEXITSTATUS(status) == SHELL_FOUND_NOTHING);
}

int
pager_print(const struct str *text, bool is_pager_wanted)
{
	const char *pager = is_pager_wanted ? find_pager() : NULL;

	if (pager && isatty(STDOUT_FILENO) && !fits(text) && page(text, pager))
		return 0;
	fwrite(str_get(text), 1, text->n, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return errno ? -errno : -EIO;
	return 0;
}
