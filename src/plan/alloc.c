/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "plan/admit.h"
#include "plan/eligible.h"
#include "plan/share.h"

struct hint {
	const char *pool; /* owned */
	enum family family;
	bool is_full;
	bool has_no_sticky;
	struct addr from;
};

struct alloc_hints {
	VEC(struct hint) hints;
};

/* One Service looking for addresses. */
struct search {
	const struct plan_input *in;
	struct alloc_hints *hints;
	const struct service *service;
	struct decision *decision;
	bool has_bound; /* a pool is bound to it */
	/* Why the request for an address cannot be met. */
	char why[400];
};

struct alloc_hints *
alloc_hints_new(void)
{
	return mem_new(struct alloc_hints);
}

void
alloc_hints_reset(struct alloc_hints *hints)
{
	for (size_t i = 0; i < hints->hints.n; i++)
		free((void *)(uintptr_t)hints->hints.v[i].pool);
	vec_clear(&hints->hints);
}

void
alloc_hints_free(struct alloc_hints *hints)
{
	alloc_hints_reset(hints);
	vec_fini(&hints->hints);
	free(hints);
}

static struct hint *
hint_of(struct alloc_hints *hints, const char *pool, enum family family)
{
	struct hint *h;

	VEC_FOREACH (h, &hints->hints) {
		if (h->family == family && strcmp(h->pool, pool) == 0)
			return h;
	}
	vec_push(&hints->hints,
	    (struct hint){ .pool = mem_strdup(pool), .family = family });
	return &hints->hints.v[hints->hints.n - 1];
}

static const char *
objection(const struct search *q, const struct pool *pool, bool by_address)
{
	return eligible_objection(q->in, q->service, q->has_bound, pool,
	    by_address, &q->decision->arena);
}

static bool
may_serve(const struct search *q, const struct pool *pool, enum family family)
{
	return pool_has_family(pool, family) && !objection(q, pool, false) &&
	    (q->service->pool || q->has_bound ||
		pool == eligible_default_pool(q->in, family));
}

static void
take(struct search *q, const struct pool *pool, const struct addr *addr,
    const char *how)
{
	struct decision *d = q->decision;

	d->addrs[d->n_addrs++] = (struct decision_address){ .addr = *addr,
		.pool = arena_strdup(&d->arena, pool->o.name),
		.protocol = pool_serves_as(pool),
		.is_new = true,
		.how = how };
}

static bool
is_mine(const struct search *q, const struct lease *l)
{
	const struct object *o = &q->service->o;

	return strcmp(l->name, o->name) == 0 && strcmp(l->ns, o->ns) == 0 &&
	    strcmp(l->cluster, o->cluster) == 0;
}

static const struct addr *
wanted_of_family(const struct service *s, enum family family)
{
	for (size_t i = 0; i < s->n_wanted; i++)
		if (s->wanted[i].family == family)
			return &s->wanted[i];
	return NULL;
}

const struct pool *
alloc_pool_of(const struct world *world, const struct lease *l)
{
	size_t n;
	const struct pool *const *pools = world_pools(world, &n);

	if (*l->pool)
		return world_pool(world, l->pool);
	for (size_t i = 0; i < n; i++)
		if (pool_offers(pools[i], &l->address))
			return pools[i];
	return NULL;
}

/* What it holds stays its own unless it asks for something else by now. */
static bool
keep_held(struct search *q, enum family family)
{
	const struct service *s = q->service;
	const struct addr *wanted = wanted_of_family(s, family);
	struct decision *d = q->decision;
	const struct lease *l;

	for (l = lease_of_service(q->in->leases, s->o.cluster, s->o.ns,
		 s->o.name);
	     l; l = lease_next_of_service(l)) {
		const struct pool *pool;
		const char *name;

		if (!l->is_held || l->address.family != family)
			continue;
		pool = alloc_pool_of(q->in->world, l);
		name = pool ? pool->o.name : l->pool;
		if (wanted && !addr_eq(wanted, &l->address))
			continue;
		if (s->pool && *name && strcmp(s->pool, name) != 0)
			continue;
		d->addrs[d->n_addrs++] =
		    (struct decision_address){ .addr = l->address,
			    .pool = arena_strdup(&d->arena, name),
			    .protocol = pool	? pool_serves_as(pool)
				: l->is_passive ? POOL_PROTOCOL_PASSIVE
						: POOL_PROTOCOL_BGP,
			    .how = "" };
		return true;
	}
	return false;
}

enum availability {
	ADDRESS_FREE,
	ADDRESS_STICKY, /* someone else may come back for it */
	ADDRESS_SHARED, /* held, and it may be shared */
	ADDRESS_TAKEN, /* q->why says by whom */
};

static enum availability
lease_blocks(struct search *q, const struct lease *l)
{
	const struct plan_input *in = q->in;

	switch (lease_state(l, in->now)) {
	case LEASE_HELD:
		if (share_allowed(in->world, q->service, l, q->why,
			sizeof(q->why)))
			return ADDRESS_SHARED;
		return ADDRESS_TAKEN;
	case LEASE_QUARANTINED:
		snprintf(q->why, sizeof(q->why),
		    "quarantined for %s/%s, which released it; free in %" PRId64
		    " s or by \"eipctl release\"",
		    l->ns, l->name, l->quarantine_until - in->now);
		return ADDRESS_TAKEN;
	case LEASE_STICKY:
		return ADDRESS_STICKY;
	case LEASE_EXPIRED:
		break;
	}
	return ADDRESS_FREE;
}

/* It released the address, perhaps together with who shared it: none of them
 * keeps it from the other. */
static bool
has_claim(const struct search *q, const struct lease *l)
{
	for (; l; l = lease_next_of_address(l))
		if (is_mine(q, l) &&
		    lease_state(l, q->in->now) != LEASE_EXPIRED)
			return true;
	return false;
}

static enum availability
check_address(struct search *q, const struct addr *addr)
{
	const struct plan_input *in = q->in;
	const struct service *s = q->service;
	const struct reservation *r = reservation_of_address(in->leases, addr);
	const struct lease *l = lease_of_address(in->leases, addr);
	bool may_return = has_claim(q, l);
	enum availability all = ADDRESS_FREE;

	if (r &&
	    (strcmp(r->ns, s->o.ns) != 0 || strcmp(r->name, s->o.name) != 0)) {
		snprintf(q->why, sizeof(q->why), "reserved for %s/%s", r->ns,
		    r->name);
		return ADDRESS_TAKEN;
	}
	for (; l; l = lease_next_of_address(l)) {
		enum availability one;

		if (is_mine(q, l) || (may_return && !l->is_held))
			continue;
		one = lease_blocks(q, l);
		if (one == ADDRESS_TAKEN)
			return one;
		all = MAX(all, one);
	}
	return all;
}

/* The pool that offers an address and may give it to who asks for it;
 * otherwise q->why. */
static const struct pool *
pool_for_address(struct search *q, const struct addr *addr)
{
	size_t n;
	const struct pool *const *pools = world_pools(q->in->world, &n);

	snprintf(q->why, sizeof(q->why), "outside every pool");
	for (size_t i = 0; i < n; i++) {
		const char *text;

		if (!pool_spans(pools[i], addr))
			continue;
		text = pool_offers(pools[i], addr)
		    ? objection(q, pools[i], true)
		    : "left out by its exclude or avoidBuggyIPs";
		if (!text)
			return pools[i];
		snprintf(q->why, sizeof(q->why), "pool %s: %s",
		    pools[i]->o.name, text);
	}
	return NULL;
}

static bool
take_wanted(struct search *q, const struct addr *wanted)
{
	const struct pool *pool = pool_for_address(q, wanted);
	enum availability a;

	if (!pool)
		return false;
	a = check_address(q, wanted);
	if (a == ADDRESS_TAKEN)
		return false;
	take(q, pool, wanted, a == ADDRESS_SHARED ? "shared" : "allocated");
	return true;
}

/* What the Service's status shows already: another box's or OpenELB's
 * choice, or our own before the database was lost. */
static bool
take_shown(struct search *q, enum family family)
{
	const struct service *s = q->service;

	for (size_t i = 0; i < s->n_ingress; i++) {
		const struct addr *addr = &s->ingress[i].addr;
		const struct pool *pool;

		if (addr->family != family)
			continue;
		pool = pool_for_address(q, addr);
		if (!pool || check_address(q, addr) == ADDRESS_TAKEN)
			continue;
		take(q, pool, addr, "adopted");
		return true;
	}
	return false;
}

static bool
take_reserved(struct search *q, enum family family)
{
	const struct service *s = q->service;
	size_t n;
	const struct pool *const *pools = world_pools(q->in->world, &n);

	for (size_t i = 0; i < n; i++) {
		const struct reservation *r;

		if (!may_serve(q, pools[i], family))
			continue;
		r = reservation_of_service(q->in->leases, s->o.ns, s->o.name,
		    pools[i]->o.name, family);
		if (!r || check_address(q, &r->address) >= ADDRESS_SHARED)
			continue;
		take(q, pools[i], &r->address, "allocated");
		return true;
	}
	return false;
}

/* The address it released last, if nobody has it by now who does not share. */
static bool
take_returned(struct search *q, enum family family)
{
	const struct service *s = q->service;
	const struct lease *best = NULL;
	const struct lease *l;

	for (l = lease_of_service(q->in->leases, s->o.cluster, s->o.ns,
		 s->o.name);
	     l; l = lease_next_of_service(l)) {
		const struct pool *pool = world_pool(q->in->world, l->pool);

		if (l->is_held || l->address.family != family || !pool ||
		    lease_state(l, q->in->now) == LEASE_EXPIRED)
			continue;
		if (!may_serve(q, pool, family) ||
		    !pool_offers(pool, &l->address) ||
		    check_address(q, &l->address) == ADDRESS_TAKEN)
			continue;
		if (!best || l->since > best->since)
			best = l;
	}
	if (best)
		take(q, world_pool(q->in->world, best->pool), &best->address,
		    "returned");
	return best != NULL;
}

static bool
take_by_share_key(struct search *q, enum family family)
{
	size_t n;
	const struct pool *const *pools = world_pools(q->in->world, &n);

	if (!q->service->share_key)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct lease *l;

		if (!may_serve(q, pools[i], family))
			continue;
		for (l = lease_of_pool(q->in->leases, pools[i]->o.name); l;
		     l = lease_next_of_pool(l)) {
			if (!l->is_held || l->address.family != family ||
			    !share_has_key(q->in->world, l,
				q->service->share_key) ||
			    check_address(q, &l->address) != ADDRESS_SHARED)
				continue;
			take(q, pools[i], &l->address, "shared");
			return true;
		}
	}
	return false;
}

static bool
take_lowest_free(struct search *q, const struct pool *pool, enum family family)
{
	struct hint *h = hint_of(q->hints, pool->o.name, family);
	bool from_hint = addr_is_set(&h->from);
	struct addr addr;
	bool found;

	if (h->is_full)
		return false;
	found = pool_next(pool, family, from_hint ? &h->from : NULL, &addr);
	while (found) {
		struct addr next;

		if (check_address(q, &addr) == ADDRESS_FREE) {
			/* Not beyond it: the caller may decide not to have
			 * it after all. */
			h->from = addr;
			take(q, pool, &addr, "allocated");
			return true;
		}
		found = addr_add(&addr, 1, &next) &&
		    pool_next(pool, family, &next, &addr);
	}
	h->is_full = true;
	return false;
}

static bool
take_longest_released(struct search *q, const struct pool *pool,
    enum family family)
{
	struct hint *h = hint_of(q->hints, pool->o.name, family);
	const struct lease *best = NULL;
	const struct lease *l;

	if (h->has_no_sticky)
		return false;
	for (l = lease_of_pool(q->in->leases, pool->o.name); l;
	     l = lease_next_of_pool(l)) {
		if (l->address.family != family ||
		    lease_state(l, q->in->now) != LEASE_STICKY ||
		    !pool_offers(pool, &l->address) ||
		    check_address(q, &l->address) != ADDRESS_STICKY)
			continue;
		if (!best || l->since < best->since ||
		    (l->since == best->since &&
			addr_cmp(&l->address, &best->address) < 0))
			best = l;
	}
	if (best)
		take(q, pool, &best->address, "allocated");
	h->has_no_sticky = best == NULL;
	return best != NULL;
}

static bool
take_from_pools(struct search *q, enum family family,
    bool (*fn)(struct search *q, const struct pool *pool, enum family family))
{
	size_t n;
	const struct pool *const *pools = world_pools(q->in->world, &n);

	for (size_t i = 0; i < n; i++)
		if (may_serve(q, pools[i], family) && fn(q, pools[i], family))
			return true;
	return false;
}

static bool
take_any(struct search *q, enum family family)
{
	const struct addr *wanted = wanted_of_family(q->service, family);

	if (wanted)
		return take_wanted(q, wanted);
	return take_shown(q, family) || take_reserved(q, family) ||
	    take_returned(q, family) || take_by_share_key(q, family) ||
	    take_from_pools(q, family, take_lowest_free) ||
	    take_from_pools(q, family, take_longest_released);
}

static bool
any_pool_serves(const struct search *q, enum family family)
{
	size_t n;
	const struct pool *const *pools = world_pools(q->in->world, &n);

	for (size_t i = 0; i < n; i++)
		if (may_serve(q, pools[i], family))
			return true;
	return false;
}

/* Families in order; a Service from a file may leave them to us. */
static size_t
families_of(const struct search *q, enum family out[SERVICE_FAMILIES_MAX])
{
	const struct service *s = q->service;
	const struct lease *l;

	if (s->n_families) {
		memcpy(out, s->families, s->n_families * sizeof(out[0]));
		return s->n_families;
	}
	if (s->n_wanted) {
		for (size_t i = 0; i < s->n_wanted; i++)
			out[i] = s->wanted[i].family;
		return s->n_wanted;
	}
	out[0] = FAMILY_IPV4;
	out[1] = FAMILY_IPV6;
	if (s->family_policy != IP_FAMILY_SINGLE_STACK)
		return 2;
	l = lease_of_service(q->in->leases, s->o.cluster, s->o.ns, s->o.name);
	if (l && l->is_held)
		out[0] = l->address.family;
	else if (!any_pool_serves(q, FAMILY_IPV4) &&
	    any_pool_serves(q, FAMILY_IPV6))
		out[0] = FAMILY_IPV6;
	return 1;
}

/* What a pool has to say about the families: all that the Service has, or the
 * one that is missing. */
static const char *
candidate_text(struct search *q, const struct pool *pool,
    const enum family *families, size_t n, bool is_missing)
{
	const struct addr *wanted = wanted_of_family(q->service, families[0]);
	struct arena *arena = &q->decision->arena;
	const char *text = objection(q, pool, q->service->n_wanted > 0);
	char addr[ADDR_TEXT_B];
	bool fits = false;

	for (size_t i = 0; i < n; i++)
		fits |= pool_has_family(pool, families[i]);
	if (text)
		return text;
	if (!fits && is_missing)
		return arena_printf(arena, "has no %s address",
		    family_name(families[0]));
	if (!fits)
		return "has no address of the Service's family";
	if (!is_missing)
		return q->decision->n_addrs ? "not needed" : "not asked";
	if (!wanted)
		return "no address is free";
	if (!pool_offers(pool, wanted))
		return arena_printf(arena, "does not have %s",
		    addr_text(wanted, addr));
	return arena_strdup(arena, q->why);
}

/* Every pool's word on this Service, for messages and `explain`. */
static void
fill_candidates(struct search *q, const enum family *families, size_t n,
    bool is_missing)
{
	struct decision *d = q->decision;
	size_t n_pools;
	const struct pool *const *pools = world_pools(q->in->world, &n_pools);
	struct candidate *c = arena_array(&d->arena, struct candidate, n_pools);

	for (size_t i = 0; i < n_pools; i++) {
		c[i].pool = arena_strdup(&d->arena, pools[i]->o.name);
		for (size_t j = 0; j < d->n_addrs; j++)
			c[i].is_chosen |=
			    strcmp(d->addrs[j].pool, c[i].pool) == 0;
		c[i].text = c[i].is_chosen && !is_missing
		    ? "serves"
		    : candidate_text(q, pools[i], families, n, is_missing);
	}
	d->candidates = c;
	d->n_candidates = n_pools;
}

/* Of the pool that it names, or of all. */
static const char *
candidates_text(const struct search *q)
{
	struct decision *d = q->decision;
	const char *named = q->service->pool;
	struct str text = { 0 };
	const char *copy;

	for (size_t i = 0; i < d->n_candidates; i++)
		if (!named || strcmp(named, d->candidates[i].pool) == 0)
			str_printf(&text, "%spool %s: %s", text.n ? "; " : "",
			    d->candidates[i].pool, d->candidates[i].text);
	if (named && !text.n)
		str_printf(&text, "there is no Eip %s, which %s asks for",
		    named, q->service->pool_from);
	else if (!text.n)
		str_add(&text, "there is no Eip object; apply one");
	copy = arena_strdup(&d->arena, str_get(&text));
	str_fini(&text);
	return copy;
}

static void
refuse_no_address(struct search *q, enum family family)
{
	const struct service *s = q->service;
	const struct addr *wanted = wanted_of_family(s, family);
	char text[ADDR_TEXT_B];

	if (wanted)
		decision_refuse(q->decision, "AddressUnavailable",
		    "%s, asked for by %s, cannot be had: %s",
		    addr_text(wanted, text),
		    s->wanted_from ? s->wanted_from : "the Service", q->why);
	else
		decision_refuse(q->decision, "NoAddress", "no %s address: %s",
		    family_name(family), candidates_text(q));
}

void
alloc_drop_new(struct decision *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n_addrs; i++)
		if (!d->addrs[i].is_new)
			d->addrs[kept++] = d->addrs[i];
	d->n_addrs = kept;
}

static bool
wants_absent_family(const struct service *s, const enum family *families,
    size_t n)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		bool found = false;

		for (size_t j = 0; j < n; j++)
			found |= families[j] == s->wanted[i].family;
		if (!found)
			return true;
	}
	return false;
}

void
alloc_addresses(const struct plan_input *in, struct alloc_hints *hints,
    const struct service *service, struct decision *decision)
{
	struct search q = { .in = in,
		.hints = hints,
		.service = service,
		.decision = decision,
		.has_bound = eligible_has_bound_pool(in, service) };
	enum family families[SERVICE_FAMILIES_MAX];
	enum family missing = FAMILY_NONE;
	size_t n = families_of(&q, families);
	bool is_lost;

	if (!decision->is_refused && wants_absent_family(service, families, n))
		decision_refuse(decision, "AddressUnavailable",
		    "%s asks for an address of a family that is not in "
		    "spec.ipFamilies",
		    service->wanted_from);
	is_lost = decision->is_refused;
	for (size_t i = 0; i < n; i++) {
		if (keep_held(&q, families[i]) ||
		    (!is_lost && take_any(&q, families[i])))
			continue;
		if (missing == FAMILY_NONE)
			missing = families[i];
		is_lost |=
		    service->family_policy == IP_FAMILY_REQUIRE_DUAL_STACK ||
		    wanted_of_family(service, families[i]);
	}
	decision->lacks_address = missing != FAMILY_NONE;
	if (missing == FAMILY_NONE || decision->is_refused ||
	    (decision->n_addrs && !is_lost)) {
		fill_candidates(&q, families, n, false);
		return;
	}
	/* Both or nothing, but nothing that is held is given up for it. */
	alloc_drop_new(decision);
	fill_candidates(&q, &missing, 1, true);
	refuse_no_address(&q, missing);
}
