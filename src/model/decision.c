/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/decision.h"

#include <stdlib.h>

const char *
service_state_name(enum service_state state)
{
	static const char *const names[] = {
		[SERVICE_STATE_PENDING] = "pending",
		[SERVICE_STATE_PROGRAMMED] = "programmed",
		[SERVICE_STATE_ANNOUNCED] = "announced",
		[SERVICE_STATE_DRAINING] = "draining",
		[SERVICE_STATE_REFUSED] = "refused",
	};

	_Static_assert(ARRAY_LEN(names) == SERVICE_STATE__COUNT, "names");
	return names[state];
}

const char *
backend_state_name(enum backend_state state)
{
	switch (state) {
	case BACKEND_ACTIVE:
		return "active";
	case BACKEND_DRAINING:
		return "draining";
	case BACKEND_DOWN:
		return "down";
	case BACKEND_DEGRADED:
		return "degraded";
	}
	return "?";
}

bool
decision_same_frontends(const struct decision *a, const struct decision *b)
{
	size_t n = a ? a->n_frontends : 0;

	if (n != (b ? b->n_frontends : 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct frontend *x = &a->frontends[i];
		const struct frontend *y = &b->frontends[i];

		if (!addr_eq(&x->addr, &y->addr) || x->port != y->port ||
		    x->protocol != y->protocol)
			return false;
	}
	return true;
}

void
decision_drop_backends(struct decision *decision)
{
	struct frontend *f;

	for (size_t i = 0; i < decision->n_frontends; i++) {
		/* The array is the decision's own, const only to readers. */
		f = (struct frontend *)(uintptr_t)&decision->frontends[i];
		f->backends = NULL;
	}
	arena_fini(&decision->backends_arena);
}

void
decision_free(struct decision *decision)
{
	if (!decision)
		return;
	arena_fini(&decision->backends_arena);
	arena_fini(&decision->arena);
	free(decision);
}
