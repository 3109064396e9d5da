/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_kubeconfig: a kubeconfig in which every file that is named holds the
 * kubeconfig itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

struct input {
	const uint8_t *data;
	size_t size_b;
};

static int
read_input(void *arg, const char *path, char **text, size_t *size_b,
    struct err *err)
{
	const struct input *in = arg;

	(void)path;
	(void)err;
	*text = mem_alloc(in->size_b + 1);
	if (in->size_b)
		memcpy(*text, in->data, in->size_b);
	*size_b = in->size_b;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct input in = { data, size_b };
	struct kubeconfig config = { 0 };
	struct err err = { 0 };

	if (kubeconfig_load("/d/config", NULL, read_input, &in, &config, &err) <
	    0) {
		if (err.code >= 0 || !err.text[0])
			abort();
		return 0;
	}
	if (!config.server || !config.context ||
	    !kubeconfig_same_but_token(&config, &config))
		abort();
	kubeconfig_fini(&config);
	return 0;
}
