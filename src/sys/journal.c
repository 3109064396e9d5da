/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/journal.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static int fd = -1;

/* "DEVICE:INODE" of the stream that systemd made for us. */
static bool
is_stderr(const char *stream)
{
	char own[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(own, stream) == 0;
}

bool
journal_open(void)
{
	if (!is_stderr(getenv("JOURNAL_STREAM")))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return true;
}

/* "EIPD_SERVICE=default/web\n" of "service default/web: ...", or "". */
static void
object_field(const char *text, char *out, size_t size_b)
{
	static const struct {
		const char *area;
		const char *field;
	} areas[] = {
		{ "service ", "EIPD_SERVICE" },
		{ "Service ", "EIPD_SERVICE" },
		{ "status ", "EIPD_SERVICE" }, /* of others: "Eip NAME" */
		{ "bgp peer ", "EIPD_PEER" },
		{ "BgpPeer ", "EIPD_PEER" },
	};

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
		const char *object = text + strlen(areas[i].area);
		size_t n;

		if (!str_starts_with(text, areas[i].area))
			continue;
		n = strcspn(object, " ");
		if (n > 1 && object[n - 1] == ':' && n < size_b / 2)
			snprintf(out, size_b, "%s=%.*s\n", areas[i].field,
			    (int)n - 1, object);
		return;
	}
}

bool
journal_send(int priority, const char *text)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket" };
	char object[1024];
	char entry[2400];
	int n;

	if (fd < 0)
		return false;
	object_field(text, object, sizeof(object));
	n = snprintf(entry, sizeof(entry),
	    "PRIORITY=%d\nSYSLOG_IDENTIFIER=eipd\n%sMESSAGE=%s\n", priority,
	    object, text);
	return n < (int)sizeof(entry) &&
	    sendto(fd, entry, (size_t)n, MSG_NOSIGNAL,
		(const struct sockaddr *)&address, sizeof(address)) == n;
}
