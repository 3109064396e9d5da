/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
	SERVICES = 5
};

struct fake {
	struct fake_verbs verbs; /* the first member */
	struct ctl_state state;
	struct world *world;
	struct lease_table *leases;
	struct decision *decisions[SERVICES];
	struct histogram histogram;
	bool is_ready;
	size_t times; /* that each Service is listed */
};

static struct addr
addr(const char *text)
{
	struct addr a = { 0 };

	if (addr_parse(text, &a) < 0)
		abort();
	return a;
}

/* ---- the world ---- */

static void
add_pool(struct fake *f, const char *cluster, const char *name,
    enum pool_protocol protocol, const char *range, const char *origin,
    bool is_disabled)
{
	struct pool *p = object_new(OBJECT_EIP, sizeof(*p), cluster, "", name);
	struct addr_range *r = arena_new(&p->o.arena, struct addr_range);

	if (addr_range_parse(range, r, NULL) < 0)
		abort();
	p->o.origin = arena_strdup(&p->o.arena, origin);
	p->ranges = r;
	p->n_ranges = 1;
	p->protocol = protocol;
	p->interface = "";
	p->next_hop = "self";
	p->is_disabled = is_disabled;
	p->sticky_us = POOL_STICKY_US;
	p->quarantine_us = POOL_QUARANTINE_US;
	world_put(f->world, &p->o);
}

static void
add_service(struct fake *f, const char *cluster, const char *name)
{
	struct service *s =
	    object_new(OBJECT_SERVICE, sizeof(*s), cluster, "default", name);
	struct service_port *ports =
	    arena_array(&s->o.arena, struct service_port, 2);

	s->o.uid = arena_printf(&s->o.arena, "uid-%s-%s", cluster, name);
	s->is_load_balancer = true;
	ports[0] = (struct service_port){ .name = "http",
		.protocol = IP_PROTOCOL_TCP,
		.port = 80,
		.node_port = 30080 };
	ports[1] = (struct service_port){ .name = "quic",
		.protocol = IP_PROTOCOL_UDP,
		.port = 443,
		.node_port = 30443 };
	s->ports = ports;
	s->n_ports = 2;
	world_put(f->world, &s->o);
}

static void
add_node(struct fake *f, const char *name, const char *ipv4, const char *ipv6)
{
	struct node *n =
	    object_new(OBJECT_NODE, sizeof(*n), "kubernetes", "", name);

	n->ipv4 = addr(ipv4);
	if (ipv6)
		n->ipv6 = addr(ipv6);
	n->is_ready = true;
	world_put(f->world, &n->o);
}

/* ---- decisions ---- */

static struct decision *
decision(const char *admission, const char *reason, const char *message)
{
	struct decision *d = mem_new(struct decision);

	d->is_ours = true;
	d->admission = admission;
	d->reason = reason;
	d->message = message;
	return d;
}

static void
add_frontend(struct decision *d, struct frontend *f, const char *address,
    uint8_t protocol, uint16_t port, uint16_t node_port)
{
	struct backend *b = arena_array(&d->backends_arena, struct backend, 2);

	b[0] = (struct backend){ .addr = addr("10.0.0.1"),
		.port = node_port,
		.weight = 1,
		.node = "n1",
		.state = BACKEND_ACTIVE,
		.probe = "up" };
	b[1] = (struct backend){ .addr = addr("10.0.0.2"),
		.port = node_port,
		.weight = 1,
		.node = "n2",
		.state = BACKEND_DOWN,
		.probe = "down" };
	if (addr(address).family == FAMILY_IPV6) {
		b[0].addr = addr("2001:db8::1");
		b[1].addr = addr("2001:db8::2");
	}
	*f = (struct frontend){ .addr = addr(address),
		.protocol = protocol,
		.port = port,
		.is_masqueraded = true,
		.backends = b,
		.n_backends = 2,
		.n_usable = 1 };
}

static struct decision *
decide_web(void)
{
	struct decision *d = decision("spec.loadBalancerClass is ours", "", "");
	struct frontend *f = arena_array(&d->arena, struct frontend, 4);
	struct candidate *c = arena_array(&d->arena, struct candidate, 2);

	add_frontend(d, &f[0], "192.0.2.1", IP_PROTOCOL_TCP, 80, 30080);
	add_frontend(d, &f[1], "192.0.2.1", IP_PROTOCOL_UDP, 443, 30443);
	add_frontend(d, &f[2], "2001:db8:1::1", IP_PROTOCOL_TCP, 80, 30080);
	add_frontend(d, &f[3], "2001:db8:1::1", IP_PROTOCOL_UDP, 443, 30443);
	d->frontends = f;
	d->n_frontends = 4;
	c[0] = (struct candidate){ "public", true,
		"chosen: it holds "
		"192.0.2.1" };
	c[1] = (struct candidate){ "old", false, "disabled" };
	d->candidates = c;
	d->n_candidates = 2;
	d->n_addrs = 2;
	d->addrs[0] = (struct decision_address){ .addr = addr("192.0.2.1"),
		.pool = "public",
		.protocol = POOL_PROTOCOL_BGP };
	d->addrs[1] = (struct decision_address){
		.addr = addr("2001:db8:1::1"),
		.pool = "wide",
		.protocol = POOL_PROTOCOL_PASSIVE,
	};
	d->has_backends = true;
	d->is_announced = true;
	return d;
}

static struct decision *
decide_passive(void)
{
	struct decision *d = decision("it comes from an object file", "", "");
	struct frontend *f = arena_array(&d->arena, struct frontend, 1);

	add_frontend(d, f, "2001:db8:1::2", IP_PROTOCOL_TCP, 80, 30080);
	d->frontends = f;
	d->n_frontends = 1;
	d->n_addrs = 1;
	d->addrs[0] = (struct decision_address){
		.addr = addr("2001:db8:1::2"),
		.pool = "wide",
		.protocol = POOL_PROTOCOL_PASSIVE,
	};
	d->has_backends = true;
	return d;
}

static struct decision *
decide_refused(void)
{
	struct decision *d = decision("spec.loadBalancerClass is ours",
	    "NoAddress", "no pool can serve it: public: full; old: disabled");
	struct candidate *c = arena_array(&d->arena, struct candidate, 2);

	d->is_refused = true;
	c[0] = (struct candidate){ "public", false,
		"full: 10 of 10 addresses held" };
	c[1] = (struct candidate){ "old", false, "disabled" };
	d->candidates = c;
	d->n_candidates = 2;
	return d;
}

static struct decision *
decide_foreign(void)
{
	struct decision *d = mem_new(struct decision);

	d->admission = "spec.loadBalancerClass is another one";
	d->reason = "";
	d->message = "";
	return d;
}

/* In order of key; the last is not ours and not listed. */
static const struct fake_service {
	const char *cluster;
	const char *name;
	struct decision *(*decide)(void); /* NULL: only kernel and database */
	enum service_state state;
	const char *reason;
	const char *message;
	bool is_programmed;
	bool has_status;
} services[SERVICES] = {
	{ "kubernetes", "api", decide_refused, SERVICE_STATE_REFUSED,
	    "NoAddress", "no pool can serve it: public: full; old: disabled",
	    false, true },
	{ "kubernetes", "gone", NULL, SERVICE_STATE_PENDING, "FirstSync",
	    "known from the kernel and the database", true, true },
	{ "kubernetes", "web", decide_web, SERVICE_STATE_ANNOUNCED, "", "",
	    true, true },
	{ "static", "web", decide_passive, SERVICE_STATE_PROGRAMMED, "", "",
	    true, false },
	{ "kubernetes", "foreign", decide_foreign, SERVICE_STATE_PENDING, "",
	    "", false, false },
};

static const struct service_totals totals[SERVICES] = {
	[1] = { 3, 300, 1 },
	[2] = { 40, 5000, 7 },
	[3] = { 2, 90, UINT64_C(1) << 40 },
};

/* ---- leases ---- */

static void
add_lease(struct fake *f, const char *address, const char *cluster,
    const char *name, const char *pool, bool is_held, wall_t quarantine,
    wall_t sticky)
{
	struct lease_op op = { .kind = LEASE_OP_PUT,
		.lease = { .address = addr(address),
		    .cluster = cluster,
		    .ns = "default",
		    .name = name,
		    .uid = "uid-lease",
		    .pool = pool,
		    .is_held = is_held,
		    .since = FAKE_NOW - 3600,
		    .quarantine_until = quarantine,
		    .sticky_until = sticky },
		.event = "allocated",
		.reason = "",
		.at = FAKE_NOW - 3600 };

	lease_table_apply(f->leases, &op);
}

static void
add_reservation(struct fake *f, const char *address, const char *name)
{
	struct lease_op op = { .kind = LEASE_OP_RESERVE,
		.lease = { .address = addr(address),
		    .cluster = "",
		    .ns = "default",
		    .name = name,
		    .uid = "",
		    .pool = "public",
		    .since = FAKE_NOW - 60 },
		.event = "reserved",
		.reason = "",
		.at = FAKE_NOW - 60 };

	lease_table_apply(f->leases, &op);
}

static void
fill(struct fake *f)
{
	add_pool(f, "static", "public", POOL_PROTOCOL_BGP,
	    "192.0.2.0-192.0.2.9", "/etc/eipd/objects/pool.yaml:1:1", false);
	add_pool(f, "kubernetes", "wide", POOL_PROTOCOL_PASSIVE,
	    "2001:db8:1::/64", NULL, false);
	add_pool(f, "kubernetes", "old", POOL_PROTOCOL_BGP, "198.51.100.7",
	    NULL, true);
	for (size_t i = 0; i < SERVICES; i++) {
		if (services[i].decide)
			add_service(f, services[i].cluster, services[i].name);
		if (services[i].decide)
			f->decisions[i] = services[i].decide();
	}
	add_node(f, "n1", "10.0.0.1", "2001:db8::1");
	add_node(f, "n2", "10.0.0.2", NULL);
	add_lease(f, "192.0.2.1", "kubernetes", "web", "public", true, 0, 0);
	add_lease(f, "2001:db8:1::1", "kubernetes", "web", "wide", true, 0, 0);
	add_lease(f, "2001:db8:1::2", "static", "web", "wide", true, 0, 0);
	add_lease(f, "192.0.2.2", "kubernetes", "gone", "public", true, 0, 0);
	add_lease(f, "192.0.2.3", "kubernetes", "was", "public", false,
	    FAKE_NOW + 300, FAKE_NOW + 86400);
	add_lease(f, "192.0.2.4", "kubernetes", "was", "public", false,
	    FAKE_NOW - 300, FAKE_NOW + 86400);
	add_lease(f, "192.0.2.5", "kubernetes", "was", "public", false,
	    FAKE_NOW - 600, FAKE_NOW - 300);
	add_reservation(f, "192.0.2.9", "mail");
}

/* ---- getters ---- */

static wall_t
get_now(void *arg)
{
	(void)arg;
	return FAKE_NOW;
}

static void
get_status(void *arg, struct daemon_status *out)
{
	const struct fake *f = arg;

	*out = (struct daemon_status){ .version = "1.2.3",
		.uptime_s = 61.5,
		.is_ready = f->is_ready,
		.waiting_for = f->is_ready ? "" : "FirstSync: services",
		.database = "ok",
		.max_stall_ms = 1.25,
		.nft_commits = 7,
		.nft_operations = 40,
		.nft_errors = 1 };
}

static void
get_histograms(void *arg, struct ctl_histograms *out)
{
	const struct fake *f = arg;

	*out = (struct ctl_histograms){ .nft_commit = &f->histogram };
}

static const struct world *
get_world(void *arg)
{
	return ((const struct fake *)arg)->world;
}

static const struct lease_table *
get_leases(void *arg)
{
	return ((const struct fake *)arg)->leases;
}

static struct service_status
status_of(const struct fake *f, size_t i)
{
	const struct fake_service *s = &services[i];

	return (struct service_status){
		.service = (const struct service *)world_get(f->world,
		    OBJECT_SERVICE, s->cluster, "default", s->name),
		.cluster = s->cluster,
		.ns = "default",
		.name = s->name,
		.decision = f->decisions[i],
		.state = s->state,
		.reason = s->reason,
		.message = s->message,
		.is_programmed = s->is_programmed,
		.is_announced = s->state == SERVICE_STATE_ANNOUNCED,
		.has_status = s->has_status,
		.is_status_written = s->state == SERVICE_STATE_ANNOUNCED,
		.status_problem =
		    s->state == SERVICE_STATE_REFUSED ? "forbidden" : "",
		.totals = s->is_programmed ? &totals[i] : NULL,
	};
}

static void
count_services(void *arg, uint64_t n[SERVICE_STATE__COUNT])
{
	for (size_t i = 0; i < SERVICES - 1; i++)
		n[status_of(arg, i).state]++;
}

/* `after` is as long as what was given. */
static bool
next_service(void *arg, struct str *after, size_t n,
    void (*fn)(void *fn_arg, const struct service_status *s), void *fn_arg)
{
	size_t end = (SERVICES - 1) * ((const struct fake *)arg)->times;
	size_t i = after->n;

	for (; n > 0 && i < end; n--, i++) {
		struct service_status s = status_of(arg, i % (SERVICES - 1));

		fn(fn_arg, &s);
		str_add(after, "*");
	}
	return i < end;
}

static bool
read_totals(void *arg, mono_t since, mono_t *as_of)
{
	*as_of = since;
	return ((const struct fake *)arg)->is_ready;
}

static int
find(const char *cluster, const char *ns, const char *name)
{
	if (strcmp(ns, "default") != 0)
		return -1;
	for (int i = 0; i < SERVICES; i++)
		if (strcmp(services[i].cluster, cluster) == 0 &&
		    strcmp(services[i].name, name) == 0)
			return i;
	return -1;
}

static bool
get_service(void *arg, const char *cluster, const char *ns, const char *name,
    struct service_status *out)
{
	int i = find(cluster, ns, name);

	if (i < 0 || i == SERVICES - 1)
		return false;
	*out = status_of(arg, (size_t)i);
	return true;
}

static struct decision *
explain(void *arg, const char *cluster, const char *ns, const char *name)
{
	int i = find(cluster, ns, name);

	(void)arg;
	return i < 0 || !services[i].decide ? NULL : services[i].decide();
}

static void
each_node(void *arg, void (*fn)(void *fn_arg, const struct node_status *n),
    void *fn_arg)
{
	const struct fake *f = arg;
	struct node_status n = {
		.node = (const struct node *)world_get(f->world, OBJECT_NODE,
		    "kubernetes", "", "n1"),
		.is_eligible = true,
		.reason = "",
		.is_probed = true,
		.probe = PROBE_UP,
		.probe_since = FAKE_NOW - 100,
		.probe_error = "",
	};

	fn(fn_arg, &n);
	n.node = (const struct node *)world_get(f->world, OBJECT_NODE,
	    "kubernetes", "", "n2");
	n.is_eligible = false;
	n.reason = "its probe fails";
	n.probe = PROBE_DOWN;
	n.probe_error = "connection refused";
	fn(fn_arg, &n);
}

static void
each_cluster(void *arg,
    void (*fn)(void *fn_arg, const struct cluster_status *c), void *fn_arg)
{
	struct cluster_status c = { .name = "kubernetes",
		.is_connected = true,
		.last_event_s = 0.5,
		.message = "",
		.n_watches = 1 };

	(void)arg;
	c.watches[0].resource = "services";
	c.watches[0].age_s = 0.5;
	c.watches[0].events = 12;
	c.watches[0].restarts = 1;
	fn(fn_arg, &c);
}

static void
each_peer(void *arg, void (*fn)(void *fn_arg, const struct peer_status *p),
    void *fn_arg)
{
	static const char *const capabilities[] = { "ipv4-unicast",
		"graceful-restart" };
	struct peer_status p = { .name = "tor1",
		.address = addr("203.0.113.1"),
		.asn = 64513,
		.state = BGP_STATE_ESTABLISHED,
		.since = FAKE_MONO - 90 * MONO_S,
		.advertised = 1,
		.last_error = "",
		.message = "",
		.capabilities = capabilities,
		.n_capabilities = 2,
		.updates_in = 1,
		.updates_out = 3,
		.notifications_out = 1 };

	(void)arg;
	fn(fn_arg, &p);
	p = (struct peer_status){ .name = "tor2",
		.address = addr("203.0.113.2"),
		.asn = 64513,
		.state = BGP_STATE_ACTIVE,
		.since = FAKE_MONO - 5 * MONO_S,
		.last_error = "connection refused",
		.message = "" };
	fn(fn_arg, &p);
}

static void
each_route(void *arg, const char *peer,
    void (*fn)(void *fn_arg, const struct route_status *r), void *fn_arg)
{
	struct addr a = addr("192.0.2.1");
	struct route_status r = { .peer = "tor1",
		.prefix = prefix_host(&a),
		.next_hop = addr("203.0.113.100"),
		.local_as = 64512,
		.has_local_pref = false };

	(void)arg;
	if (!peer || strcmp(peer, "tor1") == 0)
		fn(fn_arg, &r);
}

static void
each_problem(void *arg, void (*fn)(void *fn_arg, const struct problem *p),
    void *fn_arg)
{
	static const struct problem problems[] = {
		{ SEVERITY_WARNING, "Eip public",
		    "the newest version is refused: spec.address: bad",
		    "correct the object" },
		{ SEVERITY_ERROR, "Service default/api", "no address",
		    "see eipctl explain" },
	};

	(void)arg;
	fn(fn_arg, &problems[0]);
	fn(fn_arg, &problems[1]);
}

static void
each_finding(void *arg, doctor_fn *fn, void *fn_arg)
{
	static const struct doctor_finding findings[] = {
		{ "kernel", DOCTOR_OK, "Linux 6.1.0", "" },
		{ "net.ipv4.ip_forward", DOCTOR_ERROR, "it is 0",
		    "set it to 1" },
		{ "nf_tables", DOCTOR_WARNING, "inet filter forward drops",
		    "accept \"dnat\"" },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(findings); i++)
		fn(fn_arg, &findings[i]);
}

static int
each_history(void *arg, const char *address, const char *ns, const char *name,
    void (*fn)(void *fn_arg, const struct history_entry *h), void *fn_arg,
    struct err *err)
{
	struct history_entry h = { .time = FAKE_NOW - 3600,
		.event = "allocated",
		.address = address ? address : "192.0.2.1",
		.cluster = "kubernetes",
		.ns = ns ? ns : "default",
		.name = name ? name : "web",
		.uid = "uid-lease",
		.pool = "public",
		.reason = "" };
	const struct fake *f = arg;

	fn(fn_arg, &h);
	return f->verbs.fail
	    ? err_set(err, f->verbs.fail, "database unavailable")
	    : 0;
}

struct fake *
fake_new(void)
{
	struct fake *f = mem_new(struct fake);

	f->world = world_new();
	f->leases = lease_table_new();
	f->is_ready = true;
	f->times = 1;
	f->state = (struct ctl_state){ .arg = f,
		.now = get_now,
		.status = get_status,
		.histograms = get_histograms,
		.world = get_world,
		.leases = get_leases,
		.count_services = count_services,
		.services = next_service,
		.read_totals = read_totals,
		.service = get_service,
		.explain = explain,
		.each_node = each_node,
		.each_cluster = each_cluster,
		.each_peer = each_peer,
		.each_route = each_route,
		.each_problem = each_problem,
		.each_finding = each_finding,
		.each_history = each_history };
	fake_verbs_init(&f->state);
	histogram_add(&f->histogram, 400);
	histogram_add(&f->histogram, 30000);
	fill(f);
	return f;
}

void
fake_free(struct fake *fake)
{
	for (size_t i = 0; i < SERVICES; i++)
		decision_free(fake->decisions[i]);
	world_free(fake->world);
	lease_table_free(fake->leases);
	str_fini(&fake->verbs.last);
	free(fake);
}

const struct ctl_state *
fake_state(struct fake *fake)
{
	return &fake->state;
}

void
fake_list_times(struct fake *fake, size_t times)
{
	fake->times = times;
}

void
fake_set_ready(struct fake *fake, bool is_ready)
{
	fake->is_ready = is_ready;
}
