/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_httpd: the head of a request as a client may send it, then its query
 * and what is asked for through every parser of ctl/.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/lookup.h"
#include "net/httpd_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	static const char *const names[] = { "namespace", "name", "subject" };
	size_t n = httpd_head_length((const char *)data, size_b);
	struct httpd_head head;
	struct subject subject;
	char *buf;

	if (n == 0 || n > size_b)
		return 0;
	/* Exactly `n` octets: one too many read is seen. */
	buf = malloc(n);
	if (!buf)
		abort();
	memcpy(buf, data, n);
	if (httpd_head_parse(buf, n, &head) == 0) {
		if (*head.path != '/')
			abort();
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			char *value = httpd_query_get(head.query, names[i]);

			if (value && subject_parse(value, &subject) == 0)
				subject_fini(&subject);
			free(value);
		}
	}
	free(buf);
	return 0;
}
