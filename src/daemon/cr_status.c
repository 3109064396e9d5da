/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cr_status: what the status of Eip, BgpConf and BgpPeer objects should say,
 * in OpenELB's fields; apply/kube_cr_status writes it.
 *
 * Looked at once a second, worked out only if something changed, and then not
 * again for five seconds.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apply/bgp_speaker.h"
#include "apply/kube_cr_status.h"
#include "base/str.h"
#include "ctl/jsonw.h"
#include "daemon/app.h"
#include "model/lease.h"
#include "model/world.h"
#include "sys/clock.h"

#define PAUSE_US (5 * MONO_S)
/* After a start the sessions come back; until then what is written of them
 * stays. */
#define RETURN_US (30 * MONO_S)

/* An object has to fit into a request, with room to spare. */
enum {
	USED_MAX = 1000,
	SHARERS_MAX = 32,
	USED_TEXT_MAX_B = 256 << 10,
	HOST_B = 256,
};

struct pass {
	struct app *app;
	char host[HOST_B];
	bool is_complete; /* nothing was left for later */
};

/* Takes `status`. */
static void
want(const struct pass *pass, const struct object *o, json_t *status)
{
	char *text = json_dumps(status, JSON_COMPACT | JSON_SORT_KEYS);

	if (text)
		kube_cr_status_want(pass->app->cr_writer, o, text);
	free(text);
	json_decref(status);
}

static json_t *
text_or_null(const char *s)
{
	return *s ? json_string(s) : json_null();
}

static json_t *
seconds(unsigned int s)
{
	return json_sprintf("%u", s);
}

static json_t *
address(const struct addr *a)
{
	char text[ADDR_TEXT_B];

	return json_string(addr_is_set(a) ? addr_text(a, text) : "");
}

/* { host: value }; takes `value`. */
static json_t *
of_host(const struct pass *pass, json_t *value)
{
	json_t *map = json_object();

	json_object_set_new(map, pass->host, value);
	return map;
}

/* A file's object of that name is in force instead. */
static bool
is_hidden(const struct app *app, const struct object *o)
{
	return world_get(app->world, o->kind, CLUSTER_STATIC, "", o->name);
}

static void
want_hidden(const struct pass *pass, const struct object *o)
{
	json_t *status = json_pack("{s:s}", "message",
	    "it is in an object file of the gateway too, and the file is in "
	    "force");

	if (o->kind == OBJECT_EIP)
		json_object_set_new(status, "ready", json_false());
	want(pass, o, status);
}

/* ---- Eip ---- */

struct usage_of_pool {
	VEC(struct addr) lowest;
	uint64_t n; /* addresses held */
};

/* Of several Services that share the address, one counts. */
static bool
is_first_holder(const struct lease_table *table, const struct lease *l)
{
	const struct lease *x = lease_of_address(table, &l->address);

	while (x && (!x->is_held || strcmp(x->pool, l->pool) != 0))
		x = lease_next_of_address(x);
	return x == l;
}

static void
keep_lowest(struct usage_of_pool *u, const struct addr *a)
{
	size_t low = 0;
	size_t high = u->lowest.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr_cmp(&u->lowest.v[mid], a) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == USED_MAX)
		return;
	if (u->lowest.n == USED_MAX)
		u->lowest.n--;
	vec_insert(&u->lowest, low, *a);
}

/* "ns/name;ns2/name2" */
static void
holders_text(const struct lease_table *table, const struct addr *a,
    const char *pool, struct str *out)
{
	const struct lease *l;
	size_t n = 0;

	for (l = lease_of_address(table, a); l && n < SHARERS_MAX;
	     l = lease_next_of_address(l)) {
		if (l->is_held && strcmp(l->pool, pool) == 0)
			str_printf(out, "%s%s/%s", n++ ? ";" : "", l->ns,
			    l->name);
	}
}

static json_t *
used_json(const struct lease_table *table, const struct usage_of_pool *u,
    const char *pool)
{
	json_t *used = json_object();
	struct str text = { 0 };
	size_t total_b = 0;

	for (size_t i = 0; i < u->lowest.n && total_b < USED_TEXT_MAX_B; i++) {
		char key[ADDR_TEXT_B];

		str_clear(&text);
		holders_text(table, &u->lowest.v[i], pool, &text);
		total_b += text.n;
		json_object_set_new(used, addr_text(&u->lowest.v[i], key),
		    json_string(str_get(&text)));
	}
	str_fini(&text);
	return used;
}

static json_t *
pool_message(const struct pool *pool, const struct usage_of_pool *u,
    size_t n_listed)
{
	if (!pool_protocol_is_served(pool->protocol))
		return json_string(
		    "this protocol is not supported by this version");
	if (pool->is_disabled)
		return json_string(
		    "disabled: what is held stays, nothing new is given");
	if (u->n > n_listed)
		return json_sprintf("used lists the first %zu of %llu",
		    n_listed, (unsigned long long)u->n);
	return json_null();
}

static json_t *
pool_json(const struct app *app, const struct pool *pool)
{
	uint64_t total = MIN(pool_size(pool), JSONW_NUMBER_MAX);
	struct usage_of_pool u = { 0 };
	const struct lease *l;
	json_t *used;
	json_t *status;

	for (l = lease_of_pool(app->leases, pool->o.name); l;
	     l = lease_next_of_pool(l)) {
		if (!l->is_held || !is_first_holder(app->leases, l))
			continue;
		u.n++;
		keep_lowest(&u, &l->address);
	}
	used = used_json(app->leases, &u, pool->o.name);
	status = json_pack("{s:b, s:I, s:I, s:o, s:b, s:b, s:o}", "occupied",
	    u.n >= total, "usage", (json_int_t)u.n, "poolSize",
	    (json_int_t)total, "message",
	    pool_message(pool, &u, json_object_size(used)), "ready",
	    pool_protocol_is_served(pool->protocol) && !pool->o.is_deleting,
	    "v4", pool_has_family(pool, FAMILY_IPV4), "used", used);
	if (pool->n_ranges) {
		json_object_set_new(status, "firstIP",
		    address(&pool->ranges[0].first));
		json_object_set_new(status, "lastIP",
		    address(&pool->ranges[pool->n_ranges - 1].last));
	}
	vec_fini(&u.lowest);
	return status;
}

/* Those that overlap one in force. */
static void
want_parked(const struct pass *pass)
{
	const struct app *app = pass->app;

	for (size_t i = 0; i < app->parked.n; i++) {
		const struct object *o = app->parked.v[i];

		if (!world_get(app->world, o->kind, o->cluster, "", o->name))
			want(pass, o,
			    json_pack("{s:b, s:s}", "ready", 0, "message",
				"its addresses overlap those of another Eip; "
				"see eipctl check"));
	}
}

/* ---- BgpConf ---- */

static json_t *
conf_json(const struct pass *pass, const struct bgp_conf *conf)
{
	struct addr id = bgp_speaker_router_id(pass->app->speaker);

	if (world_bgp_conf(pass->app->world) != conf)
		return json_pack("{s:s}", "message",
		    conf->is_cni
			? "left to the CNI by its label"
			: "only the BgpConf named default is in force");
	return json_pack("{s:o, s:n}", "nodesConfStatus",
	    of_host(pass,
		json_pack("{s:o, s:I}", "routerId", address(&id), "as",
		    (json_int_t)conf->as)),
	    "message");
}

/* ---- BgpPeer ---- */

static uint32_t
local_as(const struct app *app, const struct bgp_peer *peer)
{
	const struct bgp_conf *conf = world_bgp_conf(app->world);

	if (peer->local_as)
		return peer->local_as;
	return conf ? conf->as : app->conf.bgp.as;
}

/* The states of trying follow each other every few seconds: they are one
 * here, or a router that is away would mean a write each time. */
static const char *
session_state(const struct peer_status *s, bool is_idle)
{
	if (s->state == BGP_STATE_ESTABLISHED)
		return "ESTABLISHED";
	return is_idle ? "IDLE" : "ACTIVE";
}

static json_t *
timers_json(const struct bgp_peer *peer, const struct peer_status *s)
{
	uint16_t hold_s =
	    peer->hold_time_s ? peer->hold_time_s : BGP_HOLD_DEFAULT_S;
	uint16_t retry_s =
	    peer->connect_retry_s ? peer->connect_retry_s : BGP_RETRY_DEFAULT_S;
	time_t since = (time_t)s->since_wall;
	char text[32];
	struct tm tm;
	json_t *timers = json_pack("{s:o, s:o, s:o}", "connectRetry",
	    seconds(retry_s), "holdTime", seconds(hold_s), "keepaliveInterval",
	    seconds(peer->keepalive_s ? peer->keepalive_s : hold_s / 3));

	if (s->state != BGP_STATE_ESTABLISHED)
		return timers;
	gmtime_r(&since, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(timers, "uptime", json_string(text));
	json_object_set_new(timers, "negotiatedHoldTime",
	    seconds(s->hold_time_s));
	return timers;
}

/* The password is not among it. */
static json_t *
peer_json(const struct app *app, const struct bgp_peer *peer,
    const struct peer_status *s)
{
	uint32_t as = local_as(app, peer);
	bool is_idle = peer->is_admin_down || peer->is_cni || !as;
	json_t *state = json_pack("{s:s, s:I, s:o, s:I, s:s, s:s}",
	    "description", peer->description ? peer->description : "",
	    "localAs", (json_int_t)as, "neighborAddress",
	    address(&peer->address), "peerAs", (json_int_t)peer->peer_as,
	    "adminState", peer->is_admin_down ? "DOWN" : "UP", "sessionState",
	    session_state(s, is_idle));

	if (s->peer_id) {
		struct addr id = { .family = FAMILY_IPV4,
			.b = { (uint8_t)(s->peer_id >> 24),
			    (uint8_t)(s->peer_id >> 16),
			    (uint8_t)(s->peer_id >> 8), (uint8_t)s->peer_id } };

		json_object_set_new(state, "routerId", address(&id));
	}
	return json_pack("{s:o, s:o}", "peerState", state, "timersState",
	    timers_json(peer, s));
}

static void
want_peer(void *arg, const struct peer_status *s)
{
	struct pass *pass = arg;
	const struct app *app = pass->app;
	const struct object *o = world_get(app->world, OBJECT_BGP_PEER,
	    app->conf.cluster_name, "", s->name);
	const char *message = *s->message ? s->message : "";

	if (!o || is_hidden(app, o))
		return;
	if (s->state != BGP_STATE_ESTABLISHED) {
		if (clock_mono() - app->started < RETURN_US) {
			pass->is_complete = false;
			return;
		}
		if (!*message)
			message = s->last_error;
	}
	want(pass, o,
	    json_pack("{s:o, s:o}", "nodesPeerStatus",
		of_host(pass, peer_json(app, (const struct bgp_peer *)o, s)),
		"message", text_or_null(message)));
}

/* ---- the pass ---- */

static void
want_kind(const struct pass *pass, enum object_kind kind)
{
	const struct app *app = pass->app;
	const struct object *o;

	for (o = world_first(app->world, kind); o;
	     o = world_next(app->world, o)) {
		if (strcmp(o->cluster, app->conf.cluster_name) != 0)
			continue;
		if (is_hidden(app, o))
			want_hidden(pass, o);
		else if (kind == OBJECT_EIP)
			want(pass, o, pool_json(app, (const struct pool *)o));
		else if (kind == OBJECT_BGP_CONF)
			want(pass, o,
			    conf_json(pass, (const struct bgp_conf *)o));
	}
}

static uint64_t
generation(const struct app *app)
{
	return lease_table_generation(app->leases) +
	    world_generation(app->world, OBJECT_EIP) +
	    world_generation(app->world, OBJECT_BGP_CONF) +
	    world_generation(app->world, OBJECT_BGP_PEER);
}

void
cr_status_tick(struct app *app)
{
	struct pass pass = { .app = app, .is_complete = true };
	uint64_t now_at = generation(app);
	mono_t now = clock_mono();

	if (!app->cr_writer || *app_waiting_for(app) ||
	    now < app->cr_status_due)
		return;
	if (!app->is_cr_status_dirty && now_at == app->cr_status_generation)
		return;
	if (gethostname(pass.host, sizeof(pass.host) - 1) < 0)
		return;
	app->cr_status_due = now + PAUSE_US;
	app->cr_status_generation = now_at;
	kube_cr_status_begin(app->cr_writer);
	want_kind(&pass, OBJECT_EIP);
	want_kind(&pass, OBJECT_BGP_CONF);
	want_kind(&pass, OBJECT_BGP_PEER);
	want_parked(&pass);
	bgp_speaker_each_peer(app->speaker, want_peer, &pass);
	kube_cr_status_end(app->cr_writer);
	app->is_cr_status_dirty = !pass.is_complete;
}
