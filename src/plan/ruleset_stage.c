/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset_stage: from the decision for one Service to the state its frontends
 * should have, keeping numbers and indexes that the kernel has already.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/ruleset_impl.h"

enum {
	FRONTENDS_MAX = 4096
};

static struct rs_key
key_of(const struct frontend *frontend)
{
	struct rs_key key = { .family = frontend->addr.family,
		.protocol = frontend->protocol,
		.port = frontend->port };

	memcpy(key.addr, frontend->addr.b, sizeof(key.addr));
	return key;
}

static int
cmp_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rs_key));
}

static bool
is_usable(const struct backend *backend)
{
	return backend->weight > 0 &&
	    (backend->state == BACKEND_ACTIVE ||
		backend->state == BACKEND_DEGRADED);
}

static int
check_backends(const struct frontend *frontend, const char *text,
    struct err *err)
{
	size_t n_usable = 0;

	for (size_t i = 0; i < frontend->n_backends; i++) {
		const struct backend *backend = &frontend->backends[i];
		char addr[ADDR_TEXT_B];

		if (!is_usable(backend))
			continue;
		if (backend->addr.family != frontend->addr.family)
			return err_set(err, -EINVAL,
			    "%s: backend %s is of the other address family; "
			    "give it backends of its own family",
			    text, addr_text(&backend->addr, addr));
		n_usable++;
	}
	if (n_usable > SLOTS_BACKENDS_MAX)
		return err_set(err, -ENOSPC,
		    "%s: %zu backends, at most %d fit; use a Service with "
		    "fewer nodes or endpoints",
		    text, n_usable, SLOTS_BACKENDS_MAX);
	return 0;
}

static int
check_frontend(struct ruleset *rs, const char *key,
    const struct frontend *frontend, struct err *err)
{
	struct rs_key fe_key = key_of(frontend);
	struct rs_frontend *fe;
	char addr[ADDR_TEXT_B];
	char text[ADDR_TEXT_B + 24];

	if (!addr_is_set(&frontend->addr))
		return err_set(err, -EINVAL, "%s: frontend without an address",
		    key);
	snprintf(text, sizeof(text), "%s %s %u",
	    addr_text(&frontend->addr, addr),
	    ip_protocol_name(frontend->protocol), frontend->port);
	HASH_FIND(hh, rs->frontends, &fe_key, sizeof(fe_key), fe);
	if (fe && fe->service && strcmp(fe->service->key, key) != 0)
		return err_set(err, -EEXIST,
		    "%s: %s belongs to %s; choose another port or address", key,
		    text, fe->service->key);
	return check_backends(frontend, text, err);
}

static int
check_twice(const char *key, const struct frontend *frontends, size_t n,
    struct err *err)
{
	VEC(struct rs_key) keys = { 0 };
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		vec_push(&keys, key_of(&frontends[i]));
	vec_sort(&keys, cmp_key);
	for (size_t i = 1; i < n && rc == 0; i++) {
		if (cmp_key(&keys.v[i - 1], &keys.v[i]) == 0)
			rc = err_set(err, -EEXIST,
			    "%s: port %u is listed twice on one address; "
			    "remove one",
			    key, keys.v[i].port);
	}
	vec_fini(&keys);
	return rc;
}

static int
check(struct ruleset *rs, const char *key, const struct frontend *frontends,
    size_t n, struct err *err)
{
	size_t len = strlen(key);

	if (len == 0 || len > RULESET_KEY_MAX)
		return err_set(err, -ENOSPC,
		    "%.60s: a service key has 1 to %d octets, this one %zu; "
		    "shorten the cluster name",
		    key, RULESET_KEY_MAX, len);
	if (n > FRONTENDS_MAX)
		return err_set(err, -ENOSPC,
		    "%s: %zu ports and addresses, at most %d fit; split the "
		    "Service",
		    key, n, FRONTENDS_MAX);
	for (size_t i = 0; i < n; i++) {
		int rc = check_frontend(rs, key, &frontends[i], err);

		if (rc < 0)
			return rc;
	}
	/* Twice what is there: each may want a second number. */
	if (HASH_COUNT(rs->frontends) * 2 + n * 2 > RULESET_NUMBERS_MAX)
		return err_set(err, -ENOSPC,
		    "%s: the rule set has %u frontends, no more fit; use "
		    "another appliance",
		    key, HASH_COUNT(rs->frontends));
	return check_twice(key, frontends, n, err);
}

static unsigned int
class_of(struct ruleset *rs, const struct frontend *frontend, size_t n_usable)
{
	if (n_usable == 0)
		return SLOTS_CLASS_NONE;
	vec_clear(&rs->weights);
	for (size_t i = 0; i < frontend->n_backends; i++) {
		const struct backend *backend = &frontend->backends[i];

		if (backend->weight > 0 &&
		    backend->addr.family == frontend->addr.family)
			vec_push(&rs->weights, backend->weight);
	}
	return slots_class(rs->weights.v, rs->weights.n);
}

static int
cmp_slots_backend(const void *va, const void *vb)
{
	const struct slots_backend *a = va;
	const struct slots_backend *b = vb;
	int rc = addr_cmp(&a->addr, &b->addr);

	return rc != 0 ? rc : (int)a->port - (int)b->port;
}

/* The usable ones, sorted; the same address and port twice is one. */
static size_t
usable_of(const struct frontend *frontend, struct slots_backend *out)
{
	size_t n = 0;
	size_t n_kept = 0;

	for (size_t i = 0; i < frontend->n_backends; i++) {
		const struct backend *backend = &frontend->backends[i];

		if (is_usable(backend))
			out[n++] = (struct slots_backend){
				.addr = backend->addr,
				.port = backend->port,
				.weight = backend->weight,
				.index = SLOTS_NO_BACKEND,
			};
	}
	if (n > 1)
		qsort(out, n, sizeof(*out), cmp_slots_backend);
	for (size_t i = 0; i < n; i++) {
		if (n_kept == 0 ||
		    cmp_slots_backend(&out[n_kept - 1], &out[i]) != 0)
			out[n_kept++] = out[i];
	}
	return n_kept;
}

/* Whoever had an index keeps it; new ones get those least recently used, so
 * that flows of a backend that left are not taken for those of a new one. */
static uint8_t
give_indexes(const struct rs_state *base, struct slots_backend *backends,
    size_t n)
{
	bool is_used[SLOTS_BACKENDS_MAX] = { false };
	size_t next = base ? base->next_index : 0;
	size_t at = 0;

	for (size_t i = 0; i < n && base; i++) {
		struct rs_backend want = { .port = backends[i].port };
		struct rs_backend had;

		memcpy(want.addr, backends[i].addr.b, sizeof(want.addr));
		if (rs_backend_seek(base, &at, &want, &had) &&
		    !is_used[had.index]) {
			backends[i].index = had.index;
			is_used[had.index] = true;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (backends[i].index != SLOTS_NO_BACKEND)
			continue;
		while (is_used[next % SLOTS_BACKENDS_MAX])
			next++;
		backends[i].index = (uint8_t)(next % SLOTS_BACKENDS_MAX);
		is_used[backends[i].index] = true;
		next++;
	}
	return (uint8_t)(next % SLOTS_BACKENDS_MAX);
}

static uint32_t
number_for(struct ruleset *rs, const struct rs_state *base, unsigned int class)
{
	if (base &&
	    (base->class == class ||
		rs_number_has_room(rs, base->number, class)))
		return base->number;
	return rs_number_find(rs, class);
}

/* NULL if there is no number left. */
static struct rs_state *
make_state(struct ruleset *rs, struct rs_service *service,
    const struct rs_state *base, const struct frontend *frontend)
{
	struct slots_backend backends[SLOTS_BACKENDS_MAX];
	size_t n = usable_of(frontend, backends);
	unsigned int class = class_of(rs, frontend, n);
	uint32_t number = number_for(rs, base, class);
	struct rs_state *state;

	if (number == RS_NO_NUMBER)
		return NULL;
	if (base && base->number != number)
		base = NULL;
	rs_number_ref(rs, number);
	state = rs_state_new(service, frontend->addr.family, number, class,
	    frontend->is_masqueraded);
	state->counted = RS_COUNTED;
	state->next_index = give_indexes(base, backends, n);
	if (base) {
		state->eras |= base->eras;
		state->direct_index = base->direct_index;
	}
	if (class == SLOTS_CLASS_DIRECT)
		state->direct_index = backends[0].index;
	for (size_t i = 0; i < n; i++) {
		struct rs_backend backend = { .port = backends[i].port,
			.index = backends[i].index };

		memcpy(backend.addr, backends[i].addr.b, sizeof(backend.addr));
		rs_backend_add(state, &backend);
	}
	if (state->slots)
		slots_fill(backends, n, state->slots, slots_count(class));
	return state;
}

/* What will be staged, once there is a number for each of the Service. */
struct prepared {
	struct rs_frontend *fe;
	struct rs_state *want;
};

/* NULL if there is no number left. */
static struct rs_state *
prepare(struct ruleset *rs, struct rs_service *service,
    const struct rs_frontend *fe, const struct frontend *frontend)
{
	const struct rs_state *base = NULL;
	struct rs_state *want;
	bool is_shared;

	if (fe->have && fe->have->service == service)
		base = fe->have;
	else if (fe->want && fe->want->service == service)
		base = fe->want;
	want = make_state(rs, service, base, frontend);
	if (!want)
		return NULL;
	/* What the kernel has holds the place in its shard for both. */
	is_shared = base && base == fe->have && base->number == want->number &&
	    base->class == want->class;
	if (!is_shared)
		rs_count(rs, want);
	return want;
}

static void
stage_prepared(struct ruleset *rs, struct rs_service *service,
    const struct prepared *prepared, size_t n)
{
	struct rs_frontend *fe;
	struct rs_frontend *next;

	rs->stage++;
	TAILQ_FOREACH (fe, &service->frontends, sibling)
		fe->is_listed = false;
	for (size_t i = 0; i < n; i++) {
		fe = prepared[i].fe;
		rs_frontend_stage(rs, fe, prepared[i].want);
		if (fe->have && rs_state_eq(fe->have, fe->want))
			rs_frontend_unstage(rs, fe);
		fe->is_listed = true;
	}
	for (fe = TAILQ_FIRST(&service->frontends); fe; fe = next) {
		next = TAILQ_NEXT(fe, sibling);
		if (fe->is_listed)
			continue;
		if (fe->have)
			rs_frontend_stage(rs, fe, NULL);
		else
			rs_frontend_unstage(rs, fe);
		rs_frontend_prune(rs, fe);
	}
}

int
ruleset_stage(struct ruleset *rs, const char *key,
    const struct frontend *frontends, size_t n, struct err *err)
{
	VEC(struct prepared) all = { 0 };
	struct rs_service *service;
	int rc = check(rs, key, frontends, n, err);

	if (rc < 0)
		return rc;
	service = rs_service_get(rs, key);
	service->n_refs++;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct rs_key fe_key = key_of(&frontends[i]);
		struct prepared one = { .fe = rs_frontend_get(rs, &fe_key) };

		one.want = prepare(rs, service, one.fe, &frontends[i]);
		if (!one.want)
			rc = err_set(err, -ENOSPC,
			    "%s: the numbers of the rule set are used up; "
			    "use another appliance",
			    key);
		vec_push(&all, one);
	}
	if (rc == 0)
		stage_prepared(rs, service, all.v, all.n);
	for (size_t i = 0; rc < 0 && i < all.n; i++) {
		rs_state_free(rs, all.v[i].want);
		rs_frontend_prune(rs, all.v[i].fe);
	}
	vec_fini(&all);
	service->n_refs--;
	rs_service_prune(rs, service);
	return rc;
}

void
ruleset_stage_none(struct ruleset *rs)
{
	struct rs_frontend *fe;
	struct rs_frontend *next;

	rs->stage++;
	for (fe = rs->frontends; fe; fe = next) {
		next = fe->hh.next;
		if (fe->have)
			rs_frontend_stage(rs, fe, NULL);
		else
			rs_frontend_unstage(rs, fe);
		rs_frontend_prune(rs, fe);
	}
}
