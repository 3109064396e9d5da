/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bgp/rib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/mem.h"
#include "bgp/msg.h"

enum {
	SENT_WORDS = BGP_RIB_PEERS_MAX / 64,
	BUCKETS_MIN = 64
};

TAILQ_HEAD(route_list, route);
TAILQ_HEAD(group_list, group);

struct route {
	TAILQ_ENTRY(route) link; /* in its group, oldest change first */
	struct route *hash_next;
	struct group *group;
	uint64_t version; /* of its last change */
	uint64_t sent[SENT_WORDS]; /* bit per peer */
	struct prefix prefix;
};

/* One family and one set of attributes.  The groups of withdrawn routes are
 * the first two; their routes stay until no peer holds them any more. */
struct group {
	TAILQ_ENTRY(group) link;
	struct route_list routes;
	enum family family;
	bool is_withdrawn;
	struct bgp_attrs attrs;
};

struct bgp_rib {
	uint64_t version;
	struct group_list groups;
	struct group *withdrawn[FAMILY_IPV6 + 1];
	struct route **buckets;
	size_t n_buckets;
	size_t n_routes; /* in the table */
	size_t n_wanted;
	struct bgp_out *outs[BGP_RIB_PEERS_MAX];
};

struct bgp_out {
	struct bgp_rib *rib;
	unsigned int slot;
	struct bgp_export export;
	uint64_t done[FAMILY_IPV6 + 1]; /* told up to this version */
	uint64_t target; /* of the walk */
	bool is_walking;
	struct group *group; /* NULL: the walk is at its end */
	struct route *next; /* in `group`; NULL: the group is finished */
	unsigned int refresh; /* families asked for */
	unsigned int refreshing; /* families whose end is to be marked */
	unsigned int eor_sent;
	size_t n_sent;
	uint64_t n_updates;
};

static size_t
hash(const struct bgp_rib *rib, const struct prefix *p)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ p->len;

	for (size_t i = 0; i < sizeof(p->addr.b); i++)
		h = (h ^ p->addr.b[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 29) & (rib->n_buckets - 1);
}

static struct route **
find(struct bgp_rib *rib, const struct prefix *p)
{
	struct route **at = &rib->buckets[hash(rib, p)];

	while (*at && prefix_cmp(&(*at)->prefix, p) != 0)
		at = &(*at)->hash_next;
	return at;
}

static void
grow(struct bgp_rib *rib)
{
	struct route **old = rib->buckets;
	size_t n_old = rib->n_buckets;

	rib->n_buckets *= 2;
	rib->buckets = mem_alloc(rib->n_buckets * sizeof(*old));
	for (size_t i = 0; i < n_old; i++) {
		struct route *next;

		for (struct route *r = old[i]; r; r = next) {
			size_t b = hash(rib, &r->prefix);

			next = r->hash_next;
			r->hash_next = rib->buckets[b];
			rib->buckets[b] = r;
		}
	}
	free(old);
}

static struct group *
group_new(struct bgp_rib *rib, enum family family,
    const struct bgp_attrs *attrs)
{
	struct group *g = mem_new(struct group);

	TAILQ_INIT(&g->routes);
	g->family = family;
	if (attrs)
		g->attrs = *attrs;
	else
		g->is_withdrawn = true;
	TAILQ_INSERT_TAIL(&rib->groups, g, link);
	return g;
}

static struct group *
group_get(struct bgp_rib *rib, enum family family,
    const struct bgp_attrs *attrs)
{
	struct group *g;

	TAILQ_FOREACH (g, &rib->groups, link)
		if (!g->is_withdrawn && g->family == family &&
		    g->attrs.origin == attrs->origin &&
		    g->attrs.local_pref == attrs->local_pref)
			return g;
	return group_new(rib, family, attrs);
}

/* Nobody's walk may keep pointing at it. */
static void
group_unlink_route(struct bgp_rib *rib, struct route *r)
{
	struct group *g = r->group;

	for (size_t i = 0; i < BGP_RIB_PEERS_MAX; i++) {
		struct bgp_out *out = rib->outs[i];

		if (out && out->next == r)
			out->next = TAILQ_PREV(r, route_list, link);
	}
	TAILQ_REMOVE(&g->routes, r, link);
	r->group = NULL;
	if (g->is_withdrawn || !TAILQ_EMPTY(&g->routes))
		return;
	for (size_t i = 0; i < BGP_RIB_PEERS_MAX; i++) {
		struct bgp_out *out = rib->outs[i];

		if (!out || out->group != g)
			continue;
		out->group = TAILQ_NEXT(g, link);
		out->next = out->group
		    ? TAILQ_LAST(&out->group->routes, route_list)
		    : NULL;
	}
	TAILQ_REMOVE(&rib->groups, g, link);
	free(g);
}

static void
group_link_route(struct bgp_rib *rib, struct group *g, struct route *r)
{
	r->group = g;
	r->version = ++rib->version;
	TAILQ_INSERT_TAIL(&g->routes, r, link);
}

static bool
is_sent_to_any(const struct route *r)
{
	for (size_t i = 0; i < SENT_WORDS; i++)
		if (r->sent[i])
			return true;
	return false;
}

static void
route_free(struct bgp_rib *rib, struct route *r)
{
	struct route **at = find(rib, &r->prefix);

	*at = r->hash_next;
	group_unlink_route(rib, r);
	rib->n_routes--;
	free(r);
}

struct bgp_rib *
bgp_rib_new(void)
{
	struct bgp_rib *rib = mem_new(struct bgp_rib);

	TAILQ_INIT(&rib->groups);
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++)
		rib->withdrawn[f] = group_new(rib, f, NULL);
	rib->n_buckets = BUCKETS_MIN;
	rib->buckets = mem_alloc(rib->n_buckets * sizeof(struct route *));
	return rib;
}

void
bgp_rib_free(struct bgp_rib *rib)
{
	struct group *g;

	if (!rib)
		return;
	for (size_t i = 0; i < rib->n_buckets; i++)
		while (rib->buckets[i])
			route_free(rib, rib->buckets[i]);
	while ((g = TAILQ_FIRST(&rib->groups))) {
		TAILQ_REMOVE(&rib->groups, g, link);
		free(g);
	}
	free(rib->buckets);
	free(rib);
}

bool
bgp_rib_announce(struct bgp_rib *rib, const struct prefix *prefix,
    const struct bgp_attrs *attrs)
{
	struct group *g = group_get(rib, prefix->addr.family, attrs);
	struct route **at = find(rib, prefix);
	struct route *r = *at;

	if (r && r->group == g)
		return false;
	if (!r) {
		r = mem_new(struct route);
		r->prefix = *prefix;
		*at = r;
		rib->n_routes++;
		rib->n_wanted++;
	} else {
		rib->n_wanted += r->group->is_withdrawn;
		group_unlink_route(rib, r);
	}
	group_link_route(rib, g, r);
	if (rib->n_routes > rib->n_buckets)
		grow(rib);
	return true;
}

bool
bgp_rib_withdraw(struct bgp_rib *rib, const struct prefix *prefix)
{
	struct route *r = *find(rib, prefix);

	if (!r || r->group->is_withdrawn)
		return false;
	rib->n_wanted--;
	if (!is_sent_to_any(r)) {
		route_free(rib, r);
		return true;
	}
	group_unlink_route(rib, r);
	group_link_route(rib, rib->withdrawn[prefix->addr.family], r);
	return true;
}

size_t
bgp_rib_count(const struct bgp_rib *rib)
{
	return rib->n_wanted;
}

struct bgp_out *
bgp_out_new(struct bgp_rib *rib, const struct bgp_export *export)
{
	struct bgp_out *out;
	unsigned int slot = 0;

	while (slot < BGP_RIB_PEERS_MAX && rib->outs[slot])
		slot++;
	if (slot == BGP_RIB_PEERS_MAX)
		return NULL;
	out = mem_new(struct bgp_out);
	out->rib = rib;
	out->slot = slot;
	out->export = *export;
	rib->outs[slot] = out;
	return out;
}

static bool
is_sent(const struct bgp_out *out, const struct route *r)
{
	return r->sent[out->slot / 64] >> out->slot % 64 & 1;
}

static void
set_sent(struct bgp_out *out, struct route *r, bool sent)
{
	uint64_t bit = UINT64_C(1) << out->slot % 64;

	if (is_sent(out, r) == sent)
		return;
	r->sent[out->slot / 64] ^= bit;
	out->n_sent = sent ? out->n_sent + 1 : out->n_sent - 1;
}

void
bgp_out_free(struct bgp_out *out)
{
	struct bgp_rib *rib;

	if (!out)
		return;
	rib = out->rib;
	rib->outs[out->slot] = NULL;
	for (size_t i = 0; i < rib->n_buckets; i++) {
		struct route *next;

		for (struct route *r = rib->buckets[i]; r; r = next) {
			next = r->hash_next;
			set_sent(out, r, false);
			if (r->group->is_withdrawn && !is_sent_to_any(r))
				route_free(rib, r);
		}
	}
	free(out);
}

bool
bgp_out_is_pending(const struct bgp_out *out)
{
	if (out->is_walking || out->refresh ||
	    out->eor_sent != out->export.families)
		return true;
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++)
		if (out->done[f] < out->rib->version)
			return true;
	return false;
}

static bool
has_family(const struct bgp_out *out, enum family f)
{
	return out->export.families & BGP_FAMILY(f);
}

static void
put_mark(struct wire_writer *w, enum family family, uint8_t kind)
{
	bgp_refresh_encode(w,
	    &(struct bgp_refresh){ .family = family, .kind = kind });
}

static void
enter_group(struct bgp_out *out, struct group *g)
{
	out->group = g;
	out->next = g ? TAILQ_LAST(&g->routes, route_list) : NULL;
}

/* RFC 7313 4: no BoRR before the initial End-of-RIB. */
static void
walk_begin(struct bgp_out *out, struct wire_writer *w)
{
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		if (!(out->refresh & BGP_FAMILY(f)))
			continue;
		out->done[f] = 0;
		if (!out->export.enhanced_refresh ||
		    !(out->eor_sent & BGP_FAMILY(f)))
			continue;
		put_mark(w, f, BGP_REFRESH_BEGIN);
		out->refreshing |= BGP_FAMILY(f);
	}
	out->refresh = 0;
	out->target = out->rib->version;
	out->is_walking = true;
	enter_group(out, TAILQ_FIRST(&out->rib->groups));
}

static void
walk_end(struct bgp_out *out, struct wire_writer *w)
{
	for (enum family f = FAMILY_IPV4; f <= FAMILY_IPV6; f++) {
		out->done[f] = out->target;
		if (out->refreshing & BGP_FAMILY(f))
			put_mark(w, f, BGP_REFRESH_END);
		if (has_family(out, f) && !(out->eor_sent & BGP_FAMILY(f))) {
			struct bgp_update_writer eor;

			bgp_update_begin(&eor, w->p + w->n, f, NULL,
			    &out->export);
			w->n += bgp_update_end(&eor);
			out->eor_sent |= BGP_FAMILY(f);
			out->n_updates++;
		}
	}
	out->refreshing = 0;
	out->is_walking = false;
}

/* Is this route to be told at all, in this walk?  What changed after the walk
 * began belongs to the next one. */
static bool
is_due(const struct bgp_out *out, const struct route *r)
{
	if (r->version > out->target)
		return false;
	return !r->group->is_withdrawn || is_sent(out, r);
}

static bool
is_group_due(const struct bgp_out *out, const struct group *g)
{
	return has_family(out, g->family) &&
	    (g->is_withdrawn || addr_is_set(&out->export.next_hop[g->family]));
}

static void
told(struct bgp_out *out, struct route *r)
{
	bool is_withdrawn = r->group->is_withdrawn;

	set_sent(out, r, !is_withdrawn);
	if (is_withdrawn && !is_sent_to_any(r))
		route_free(out->rib, r);
}

/* One message of the current group, or none and the next group. */
static void
walk_message(struct bgp_out *out, struct wire_writer *w)
{
	struct group *g = out->group;
	uint64_t done = out->done[g->family];
	struct bgp_update_writer u;
	bool is_begun = false;

	if (!is_group_due(out, g))
		out->next = NULL;
	while (out->next && out->next->version > done) {
		struct route *r = out->next;
		bool is_told = is_due(out, r);

		if (is_told) {
			if (!is_begun)
				bgp_update_begin(&u, w->p + w->n, g->family,
				    g->is_withdrawn ? NULL : &g->attrs,
				    &out->export);
			is_begun = true;
			if (!bgp_update_add(&u, &r->prefix))
				break;
		}
		out->next = TAILQ_PREV(r, route_list, link);
		if (is_told)
			told(out, r);
	}
	if (is_begun) {
		w->n += bgp_update_end(&u);
		out->n_updates++;
	}
	if (!out->next || out->next->version <= done)
		enter_group(out, TAILQ_NEXT(g, link));
}

size_t
bgp_out_fill(struct bgp_out *out, uint8_t *buf, size_t cap_b)
{
	struct wire_writer w = wire_writer(buf, cap_b);

	while (bgp_out_is_pending(out) && w.cap_b - w.n >= BGP_MSG_MAX_B) {
		if (!out->is_walking)
			walk_begin(out, &w);
		else if (out->group)
			walk_message(out, &w);
		else
			walk_end(out, &w);
	}
	assert(!w.failed);
	return w.n;
}

void
bgp_out_refresh(struct bgp_out *out, enum family family)
{
	if (has_family(out, family))
		out->refresh |= BGP_FAMILY(family);
}

void
bgp_out_set_next_hop(struct bgp_out *out, enum family family,
    const struct addr *next_hop)
{
	if (addr_eq(&out->export.next_hop[family], next_hop))
		return;
	out->export.next_hop[family] = *next_hop;
	bgp_out_refresh(out, family);
}

const struct bgp_export *
bgp_out_export(const struct bgp_out *out)
{
	return &out->export;
}

size_t
bgp_out_count(const struct bgp_out *out)
{
	return out->n_sent;
}

uint64_t
bgp_out_updates(const struct bgp_out *out)
{
	return out->n_updates;
}

bool
bgp_out_is_end_of_rib_sent(const struct bgp_out *out)
{
	return out->eor_sent == out->export.families;
}

void
bgp_out_each(const struct bgp_out *out,
    void (*fn)(void *arg, const struct prefix *prefix,
	const struct bgp_attrs *attrs),
    void *arg)
{
	const struct group *g;
	const struct route *r;

	TAILQ_FOREACH (g, &out->rib->groups, link) {
		if (g->is_withdrawn)
			continue;
		TAILQ_FOREACH (r, &g->routes, link)
			if (is_sent(out, r))
				fn(arg, &r->prefix, &g->attrs);
	}
}
