/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/httpd_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

/* Bare LF is accepted as a line end, as RFC 9112, 2.2 allows. */
size_t
httpd_head_length(const char *buf, size_t n)
{
	const char *p = buf;
	const char *end = buf + n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && *p == '\n')
			return (size_t)(p + 1 - buf);
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p + 2 - buf);
	}
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place, "+" as a blank when `is_query`.  -EINVAL for a broken escape or
 * one that stands for NUL. */
static int
decode(char *s, bool is_query)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '%') {
			int high = hex_digit(s[1]);
			int low = high < 0 ? -1 : hex_digit(s[2]);

			if (low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*out++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*out++ = *s == '+' && is_query ? ' ' : *s;
		}
	}
	*out = '\0';
	return 0;
}

char *
httpd_query_get(const char *query, const char *name)
{
	size_t name_b = strlen(name);

	while (*query) {
		size_t n = strcspn(query, "&");

		if (n > name_b && query[name_b] == '=' &&
		    memcmp(query, name, name_b) == 0) {
			char *value =
			    mem_strndup(query + name_b + 1, n - name_b - 1);

			if (decode(value, true) == 0)
				return value;
			free(value);
			return NULL;
		}
		query += n + (query[n] == '&');
	}
	return NULL;
}

/* Cuts the next line off; NULL at the end. */
static char *
next_line(char **rest)
{
	char *line = *rest;
	char *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*rest = end + 1;
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static bool
is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?={}", *s))
			return false;
	return true;
}

static int
parse_request_line(char *line, struct httpd_head *out)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	char *query;

	if (!version)
		return -EINVAL;
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || *target != '/')
		return -EINVAL;
	if (strcmp(version, "HTTP/1.0") == 0)
		out->is_http_1_0 = true;
	else if (strcmp(version, "HTTP/1.1") != 0)
		return -EINVAL;
	out->wants_close = out->is_http_1_0;
	out->method = line;
	out->path = target;
	out->query = "";
	query = strchr(target, '?');
	if (query) {
		*query = '\0';
		out->query = query + 1;
	}
	return decode(out->path, false);
}

static int
parse_field(char *line, struct httpd_head *out, bool *has_length)
{
	char *value = strchr(line, ':');
	char *end;

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (!is_token(line))
		return -EINVAL;
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (strcasecmp(line, "Content-Length") == 0) {
		uint64_t length;

		/* Two lengths are a way to smuggle a request. */
		if (str_to_u64(value, UINT64_MAX, &length) < 0 ||
		    (*has_length && length != out->body_b))
			return -EINVAL;
		*has_length = true;
		out->body_b = length;
	} else if (strcasecmp(line, "Transfer-Encoding") == 0) {
		out->is_chunked = true;
	} else if (strcasecmp(line, "Connection") == 0) {
		if (strcasestr(value, "close"))
			out->wants_close = true;
		else if (strcasestr(value, "keep-alive"))
			out->wants_close = false;
	} else if (strcasecmp(line, "Expect") == 0) {
		out->wants_continue = strcasecmp(value, "100-continue") == 0;
	}
	return 0;
}

int
httpd_head_parse(char *buf, size_t n, struct httpd_head *out)
{
	bool has_length = false;
	char *rest = buf;
	char *line;

	*out = (struct httpd_head){ 0 };
	if (memchr(buf, '\0', n))
		return -EINVAL;
	buf[n - 1] = '\0'; /* the last LF: the empty line ends before it */
	line = next_line(&rest);
	if (!line || parse_request_line(line, out) < 0)
		return -EINVAL;
	while ((line = next_line(&rest)) && *line)
		if (parse_field(line, out, &has_length) < 0)
			return -EINVAL;
	return 0;
}

const char *
httpd_reason(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *text;
	} phrases[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return "Status";
}
