/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: eipd.conf as a struct, read by one table of options.
 */
#ifndef EIPD_CONF_CONF_H
#define EIPD_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/service.h"

enum {
	CONF_LISTEN_MAX = 16
};

struct conf_listen {
	struct addr addr;
	uint16_t port;
};

struct conf {
	struct arena arena; /* owns the strings */
	const char *user; /* default "eipd" */
	const char *kubeconfig; /* NULL: stand-alone */
	const char *context; /* NULL: current-context */
	const char *cluster_name; /* cluster.name, default "kubernetes" */
	const char *objects;
	const char *database;
	const char *socket;
	const char *socket_group;
	struct conf_listen http[CONF_LISTEN_MAX];
	size_t n_http;
	bool openelb_metrics; /* http.openelb-metrics */
	const char *service_class;
	bool service_default;
	enum ip_mode ip_mode; /* IP_MODE_NONE: omit */
	struct {
		bool is_on;
		uint16_t port;
		const char *path;
		int64_t interval_us;
		int64_t timeout_us;
		unsigned int fall;
		unsigned int rise;
	} probe;
	struct forwarding forwarding;
	struct {
		uint32_t as; /* 0: not set */
		struct addr router_id; /* FAMILY_NONE: not set */
		struct conf_listen listen[CONF_LISTEN_MAX];
		size_t n_listen;
	} bgp;
	int log_level; /* enum log_level's values: 3..7 */
};

/* Every error of the file is given to `on_error` (line and column set); the
 * result is 0 only if there was none, and then `*out` is filled.  An unknown
 * key names the nearest known one. */
ATTR_NODISCARD int conf_parse(const char *text, size_t size_b, struct conf *out,
    void (*on_error)(void *arg, const struct err *err), void *arg);
/* -ENOENT and the like with the remedy, else as conf_parse().  Defined in
 * source/conf_load.c: conf/ itself does no I/O. */
ATTR_NODISCARD int conf_load(const char *path, struct conf *out,
    void (*on_error)(void *arg, const struct err *err), void *arg);
/* The defaults, as an empty file gives them. */
void conf_defaults(struct conf *out);
/* Normal form: every option, in order; parses to itself. */
void conf_print(const struct conf *conf, struct str *out);
void conf_fini(struct conf *conf);

#endif
