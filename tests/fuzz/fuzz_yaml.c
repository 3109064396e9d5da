/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_yaml: any octets as eipd.conf and as a file of objects.
 *
 * What is accepted as eipd.conf must print as a text that is accepted, too,
 * and prints as itself.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/tree.h"
#include "source/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

static void
check_conf(const char *text, size_t size_b)
{
	struct str first = { 0 };
	struct str second = { 0 };
	struct conf conf;
	int rc;

	if (conf_parse(text, size_b, &conf, NULL, NULL) < 0)
		return;
	conf_print(&conf, &first);
	conf_fini(&conf);
	rc = conf_parse(str_get(&first), first.n, &conf, NULL, NULL);
	assert(rc == 0);
	conf_print(&conf, &second);
	conf_fini(&conf);
	assert(strcmp(str_get(&first), str_get(&second)) == 0);
	str_fini(&first);
	str_fini(&second);
}

static void
check_objects(const char *text, size_t size_b)
{
	struct tree_part rest = { text, size_b, 1 };
	struct tree_part part;

	while (tree_next_part(&rest, &part)) {
		struct decode_identity id;
		struct arena arena = { 0 };
		struct object *o = NULL;
		const struct tree *doc;
		struct err err;

		tree_read(&part, &arena, &doc, NULL, NULL);
		if (doc &&
		    decode_object(doc, NULL, CLUSTER_STATIC, DECODE_FILE, &o,
			&id, &err) == 0)
			object_free(o);
		arena_fini(&arena);
	}
	assert(rest.size_b == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	check_conf((const char *)data, size_b);
	check_objects((const char *)data, size_b);
	return 0;
}
