/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kube_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/kube_request.h"

enum {
	REQUESTS_MAX = 64
};

static struct request {
	char *text;
	void (*fn)(void *arg, const struct kube_reply *reply);
	void *arg;
} requests[REQUESTS_MAX];
static size_t n;

void
kube_request(struct kube *kube, const char *method, const char *path,
    const char *content_type, const char *body,
    void (*fn)(void *arg, const struct kube_reply *reply), void *arg)
{
	struct str text = { 0 };

	(void)kube;
	assert_int_equal(content_type != NULL, body != NULL);
	assert_true(n < REQUESTS_MAX);
	str_printf(&text, "%s %s%s%s", method, path, body ? " " : "",
	    body ? body : "");
	requests[n++] = (struct request){ str_steal(&text), fn, arg };
}

size_t
kube_fake_waiting(void)
{
	return n;
}

const char *
kube_fake_first(void)
{
	return n ? requests[0].text : "";
}

void
kube_fake_answer(long status, const char *body)
{
	struct request r = requests[0];
	struct err err = { 0 };
	struct kube_reply reply = { .status = status,
		.body = body,
		.body_b = strlen(body),
		.content_type = "application/json",
		.err = &err };

	assert_true(n > 0);
	if (!status)
		err_set(&err, -ECONNREFUSED, "refused");
	memmove(requests, requests + 1, --n * sizeof(requests[0]));
	free(r.text);
	r.fn(r.arg, &reply);
}

void
kube_fake_clear(void)
{
	while (n)
		free(requests[--n].text);
}
