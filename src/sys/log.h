/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: levels, journal or stderr, rate limit of repeated lines.
 *
 * Form of a line: "area object: what happened key=value", lower case, no full
 * stop.  err needs an operator, warn is degraded but handled, notice is a
 * state change that operators follow, info is once per operation.
 */
#ifndef EIPD_SYS_LOG_H
#define EIPD_SYS_LOG_H

#include <stdbool.h>

#include "base/attr.h"

/* Values of syslog(3), so that journald reads "<N>". */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Lines go to the journal, with fields, when stderr is its; if it does not
 * take them, to stderr with "<N>" in front.  Otherwise with a time stamp. */
void log_init(enum log_level max);
void log_set_level(enum log_level max);
bool log_wants(enum log_level level);

/* A line equal to one of the last few within 10 s is counted, not written;
 * the count follows with the next different moment. */
void log_line(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Why it cannot go on: on a terminal without any decoration. */
void log_fatal(const char *text);

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_wants(LOG_LEVEL_DEBUG))                                \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                \
	} while (0)

#endif
