/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_json: any octets as what the API server answers, for every kind. */
#include <stddef.h>
#include <stdint.h>

#include "conf/tree.h"
#include "source/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct arena arena = { 0 };
	const struct tree *t;
	struct err err;

	if (tree_parse_json((const char *)data, size_b, &arena, &t, &err) < 0) {
		arena_fini(&arena);
		return 0;
	}
	for (int k = 0; k < OBJECT__COUNT; k++) {
		enum object_kind kind = (enum object_kind)k;
		struct decode_identity id;
		struct object *o = NULL;

		if (decode_object(t, &kind, "kubernetes", DECODE_API, &o, &id,
			&err) == 0)
			object_free(o);
	}
	arena_fini(&arena);
	return 0;
}
