/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show: answers as tables, and the three that are no table.
 */
#include <inttypes.h>
#include <string.h>

#include "base/attr.h"
#include "cli/cmd.h"

static int
show_items(const json_t *answer, const struct column *columns, size_t n,
    const struct look *look, struct str *out)
{
	table_render(columns, n, json_object_get(answer, "items"), look, out);
	return EXIT_DONE;
}

/* "TCP/80,UDP/443" */
static void
cell_ports(const json_t *item, struct str *out)
{
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(item, "ports"), i, port)
	{
		if (i)
			str_add(out, ",");
		table_value(json_object_get(port, "protocol"), out);
		str_add(out, "/");
		table_value(json_object_get(port, "port"), out);
	}
}

/* Healthy of all, over all ports. */
static void
cell_backends(const json_t *item, struct str *out)
{
	json_int_t healthy = 0;
	json_int_t all = 0;
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(item, "ports"), i, port)
	{
		healthy += json_integer_value(json_object_get(port, "healthy"));
		all += json_integer_value(json_object_get(port, "backends"));
	}
	str_printf(out, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
	    healthy, all);
}

static void
cell_probe(const json_t *item, struct str *out)
{
	table_value(json_object_get(json_object_get(item, "probe"), "state"),
	    out);
}

static void
cell_probe_since(const json_t *item, struct str *out)
{
	table_value(json_object_get(json_object_get(item, "probe"), "since"),
	    out);
}

static void
cell_probe_error(const json_t *item, struct str *out)
{
	table_value(json_object_get(json_object_get(item, "probe"), "error"),
	    out);
}

static void
add_duration(double seconds, struct str *out)
{
	uint64_t s = seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0;

	if (s >= 86400)
		str_printf(out, "%" PRIu64 "d%" PRIu64 "h", s / 86400,
		    s % 86400 / 3600);
	else if (s >= 3600)
		str_printf(out, "%" PRIu64 "h%" PRIu64 "m", s / 3600,
		    s % 3600 / 60);
	else if (s >= 60)
		str_printf(out, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
	else
		str_printf(out, "%" PRIu64 "s", s);
}

static void
cell_since(const json_t *item, struct str *out)
{
	const json_t *value = json_object_get(item, "sinceSeconds");

	if (json_is_number(value))
		add_duration(json_number_value(value), out);
}

/* NAMESPACE/NAME, as explain and history take it. */
static void
cell_service(const json_t *item, struct str *out)
{
	const char *name = json_string_value(json_object_get(item, "name"));

	if (!name || !*name)
		return;
	table_value(json_object_get(item, "namespace"), out);
	str_add(out, "/");
	table_text(name, out);
}

int
show_services(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "CLUSTER", .key = "cluster", .is_wide = true },
		{ .title = "NAMESPACE", .key = "namespace" },
		{ .title = "NAME", .key = "name" },
		{ .title = "ADDRESSES", .key = "addresses" },
		{ .title = "POOL", .key = "pools" },
		{ .title = "PORTS", .fn = cell_ports },
		{ .title = "BACKENDS", .fn = cell_backends },
		{ .title = "STATE", .key = "state", .is_state = true },
		{ .title = "REASON", .key = "reason" },
		{ .title = "UID", .key = "uid", .is_wide = true },
		{ .title = "MESSAGE", .key = "message", .is_wide = true },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_pools(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "NAME", .key = "name" },
		{ .title = "PROTOCOL", .key = "protocol" },
		{ .title = "TOTAL", .key = "total" },
		{ .title = "USED", .key = "used" },
		{ .title = "RESERVED", .key = "reserved" },
		{ .title = "QUARANTINED", .key = "quarantined" },
		{ .title = "STICKY", .key = "sticky" },
		{ .title = "FREE", .key = "free" },
		{ .title = "DISABLED", .key = "disabled", .is_wide = true },
		{ .title = "SOURCE", .key = "source", .is_wide = true },
		{ .title = "MESSAGE", .key = "message" },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_leases(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "ADDRESS", .key = "address" },
		{ .title = "CLUSTER", .key = "cluster", .is_wide = true },
		{ .title = "SERVICE", .fn = cell_service },
		{ .title = "POOL", .key = "pool" },
		{ .title = "STATE", .key = "state", .is_state = true },
		{ .title = "SINCE", .key = "since" },
		{ .title = "UNTIL", .key = "until" },
		{ .title = "UID", .key = "uid", .is_wide = true },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_backends(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "ADDRESS", .key = "address" },
		{ .title = "PORT", .key = "port" },
		{ .title = "PROTOCOL", .key = "protocol" },
		{ .title = "NODE", .key = "node" },
		{ .title = "FAMILY", .key = "family", .is_wide = true },
		{ .title = "WEIGHT", .key = "weight", .is_wide = true },
		{ .title = "STATE", .key = "state", .is_state = true },
		{ .title = "PROBE", .key = "probe", .is_state = true },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_nodes(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "CLUSTER", .key = "cluster", .is_wide = true },
		{ .title = "NAME", .key = "name" },
		{ .title = "ADDRESSES", .key = "addresses" },
		{ .title = "ELIGIBLE", .key = "eligible", .is_state = true },
		{ .title = "PROBE", .fn = cell_probe, .is_state = true },
		{ .title = "REASON", .key = "reason" },
		{ .title = "SINCE", .fn = cell_probe_since, .is_wide = true },
		{ .title = "ERROR", .fn = cell_probe_error, .is_wide = true },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_peers(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "NAME", .key = "name" },
		{ .title = "ADDRESS", .key = "address" },
		{ .title = "ASN", .key = "asn" },
		{ .title = "STATE", .key = "state", .is_state = true },
		{ .title = "SINCE", .fn = cell_since },
		{ .title = "ADVERTISED", .key = "advertised" },
		{ .title = "LAST ERROR", .key = "lastError" },
		{ .title = "CAPABILITIES",
		    .key = "capabilities",
		    .is_wide = true },
		{ .title = "MESSAGE", .key = "message" },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_routes(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "PEER", .key = "peer" },
		{ .title = "PREFIX", .key = "prefix" },
		{ .title = "NEXT HOP", .key = "nextHop" },
		{ .title = "AS PATH", .key = "asPath" },
		{ .title = "LOCAL PREF", .key = "localPref" },
		{ .title = "MED", .key = "med", .is_wide = true },
		{ .title = "COMMUNITIES",
		    .key = "communities",
		    .is_wide = true },
		{ .title = "PATH ID", .key = "pathId", .is_wide = true },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

int
show_history(const json_t *answer, const struct look *look, struct str *out)
{
	static const struct column columns[] = {
		{ .title = "TIME", .key = "time" },
		{ .title = "EVENT", .key = "event" },
		{ .title = "ADDRESS", .key = "address" },
		{ .title = "CLUSTER", .key = "cluster", .is_wide = true },
		{ .title = "SERVICE", .fn = cell_service },
		{ .title = "POOL", .key = "pool" },
		{ .title = "UID", .key = "uid", .is_wide = true },
		{ .title = "REASON", .key = "reason" },
	};

	return show_items(answer, columns, ARRAY_LEN(columns), look, out);
}

/* ---- no tables ---- */

/* "STATE  SUBJECT: TEXT", and the remedy in a line of its own. */
static void
show_judged(const json_t *item, const char *state_key, const char *subject_key,
    const struct look *look, struct str *out)
{
	const char *state = json_string_value(json_object_get(item, state_key));
	const char *remedy = json_string_value(json_object_get(item, "remedy"));

	table_state(state ? state : "error", look, out);
	str_add(out, "  ");
	table_value(json_object_get(item, subject_key), out);
	str_add(out, ": ");
	table_value(json_object_get(item, "text"), out);
	str_add(out, "\n");
	if (remedy && *remedy) {
		str_add(out, "         ");
		table_text(remedy, out);
		str_add(out, "\n");
	}
}

int
show_check(const json_t *answer, const struct look *look, struct str *out)
{
	const json_t *p;
	size_t i;

	if (json_array_size(json_object_get(answer, "problems")) == 0)
		str_add(out, "no problems\n");
	json_array_foreach(json_object_get(answer, "problems"), i, p)
	{
		show_judged(p, "severity", "subject", look, out);
	}
	return EXIT_DONE;
}

int
show_doctor(const json_t *answer, const struct look *look, struct str *out)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(answer, "checks"), i, check)
	{
		show_judged(check, "state", "check", look, out);
	}
	return EXIT_DONE;
}

int
show_explain(const json_t *answer, const struct look *look, struct str *out)
{
	const json_t *step;
	size_t i;

	table_value(json_object_get(answer, "verdict"), out);
	str_add(out, "\n\n");
	json_array_foreach(json_object_get(answer, "steps"), i, step)
	{
		bool is_ok = json_is_true(json_object_get(step, "ok"));
		const char *name =
		    json_string_value(json_object_get(step, "step"));

		table_state(is_ok ? "ok" : "no", look, out);
		str_printf(out, "  %-9s ", name ? name : "");
		table_value(json_object_get(step, "text"), out);
		str_add(out, "\n");
	}
	return EXIT_DONE;
}

static void
add_line(struct str *out, const char *title)
{
	str_printf(out, "%-11s", title);
}

static void
add_part(struct str *out, const json_t *of, const char *key, const char *title)
{
	table_value(json_object_get(of, key), out);
	str_printf(out, " %s", title);
}

static void
add_clusters(const json_t *clusters, struct str *out)
{
	const json_t *c;
	size_t i;

	if (json_array_size(clusters) == 0) {
		add_line(out, "cluster");
		str_add(out, "none: object files only\n");
	}
	json_array_foreach(clusters, i, c)
	{
		bool is_up = json_is_true(json_object_get(c, "connected"));
		const char *message =
		    json_string_value(json_object_get(c, "message"));
		double stale =
		    json_number_value(json_object_get(c, "staleSeconds"));

		json_int_t remembered =
		    json_integer_value(json_object_get(c, "remembered"));

		add_line(out, "cluster");
		table_value(json_object_get(c, "name"), out);
		str_add(out, ": ");
		str_add(out, is_up ? "connected" : "not connected");
		if (stale > 0) {
			str_add(out, ", stale for ");
			add_duration(stale, out);
		}
		if (!is_up && remembered)
			str_printf(out,
			    ", %" JSON_INTEGER_FORMAT
			    " objects remembered from before the start",
			    remembered);
		if (message && *message) {
			str_add(out, ": ");
			table_text(message, out);
		}
		str_add(out, "\n");
	}
}

static void
add_sums(const json_t *answer, struct str *out)
{
	const json_t *of = json_object_get(answer, "services");

	add_line(out, "services");
	add_part(out, of, "total", "in all, ");
	add_part(out, of, "announced", "announced, ");
	add_part(out, of, "programmed", "programmed, ");
	add_part(out, of, "pending", "pending, ");
	add_part(out, of, "refused", "refused\n");
	of = json_object_get(answer, "eips");
	add_line(out, "addresses");
	add_part(out, of, "used", "used of ");
	table_value(json_object_get(of, "total"), out);
	str_add(out, "\n");
	of = json_object_get(answer, "peers");
	add_line(out, "peers");
	add_part(out, of, "established", "established of ");
	table_value(json_object_get(of, "total"), out);
	str_add(out, "\n");
}

int
show_status(const json_t *answer, const struct look *look, struct str *out)
{
	bool is_ready = json_is_true(json_object_get(answer, "ready"));

	add_line(out, "version");
	table_value(json_object_get(answer, "version"), out);
	str_add(out, ", up ");
	add_duration(json_number_value(
			 json_object_get(answer, "uptimeSeconds")),
	    out);
	str_add(out, "\n");
	add_line(out, "ready");
	table_state(is_ready ? "yes" : "no", look, out);
	if (!is_ready) {
		str_add(out, ": waiting for ");
		table_value(json_object_get(answer, "waitingFor"), out);
	}
	str_add(out, "\n");
	if (json_is_true(json_object_get(answer, "withdrawn"))) {
		add_line(out, "withdrawn");
		str_add(out, "everything, by eipctl withdraw-all\n");
	}
	add_line(out, "database");
	table_value(json_object_get(answer, "database"), out);
	str_add(out, "\n");
	add_clusters(json_object_get(answer, "clusters"), out);
	add_sums(answer, out);
	add_line(out, "loop");
	add_part(out, json_object_get(answer, "loop"), "maxStallMs",
	    "ms at most\n");
	return EXIT_DONE;
}
