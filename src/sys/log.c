/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/clock.h"
#include "sys/journal.h"

enum {
	TEXT_B = 1024,
	REMEMBERED = 16,
	QUIET_S = 10
};

static enum log_level max_level = LOG_LEVEL_INFO;
static bool to_journal;

/* The last different lines, so that a failure that repeats (or two that
 * alternate) is written once with its count. */
static struct {
	uint64_t hash;
	mono_t since;
	unsigned int suppressed;
} recent[REMEMBERED];

void
log_init(enum log_level max)
{
	max_level = max;
	to_journal = journal_open();
}

void
log_set_level(enum log_level max)
{
	max_level = max;
}

bool
log_wants(enum log_level level)
{
	return level <= max_level;
}

/* How often this line was held back since it was last written; -1: hold it
 * back now. */
static int
repeated(const char *text, mono_t now)
{
	uint64_t hash = str_hash(text);
	size_t oldest = 0;

	for (size_t i = 0; i < REMEMBERED; i++) {
		if (recent[i].hash == hash) {
			int held = (int)recent[i].suppressed;

			if (now - recent[i].since < QUIET_S * MONO_S) {
				recent[i].suppressed++;
				return -1;
			}
			recent[i].since = now;
			recent[i].suppressed = 0;
			return held;
		}
		if (recent[i].since < recent[oldest].since)
			oldest = i;
	}
	recent[oldest].hash = hash;
	recent[oldest].since = now;
	recent[oldest].suppressed = 0;
	return 0;
}

static const char *
level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "error";
	case LOG_LEVEL_WARN:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "?";
}

static void
prefix(enum log_level level, char *out, size_t size_b)
{
	wall_t now = clock_wall();
	struct tm tm;

	if (to_journal) {
		snprintf(out, size_b, "<%d>", (int)level);
		return;
	}
	gmtime_r(&now, &tm);
	strftime(out, size_b, "%Y-%m-%dT%H:%M:%SZ ", &tm);
	strncat(out, level_name(level), size_b - strlen(out) - 1);
	strncat(out, " ", size_b - strlen(out) - 1);
}

/* Text from outside must not forge lines or drive a terminal. */
static void
escape_controls(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char text[1100];
	char head[64];
	char line[1200];
	va_list ap;
	int held = 0;
	int n;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, TEXT_B, fmt, ap);
	va_end(ap);
	escape_controls(text);
	if (level != LOG_LEVEL_DEBUG)
		held = repeated(text, clock_mono());
	if (held < 0)
		return;
	if (held > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    " repeated=%d", held);
	if (to_journal && journal_send((int)level, text))
		return;
	prefix(level, head, sizeof(head));
	n = snprintf(line, sizeof(line), "%s%s\n", head, text);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}

void
log_fatal(const char *text)
{
	if (to_journal)
		log_err("%s", text);
	else
		fprintf(stderr, "%s\n", text);
}
