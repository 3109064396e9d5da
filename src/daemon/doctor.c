/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: what the box needs, whatever eipd is configured to serve.
 */
#include "sys/doctor.h"

#include "apply/nft_foreign.h"
#include "daemon/app.h"
#include "model/world.h"
#include "sys/log.h"

enum {
	PORTS_MAX = 2 * CONF_LISTEN_MAX
};

static size_t
listen_ports(const struct app *app, uint16_t out[PORTS_MAX])
{
	const struct bgp_conf *conf = world_bgp_conf(app->world);
	size_t n = 0;

	for (size_t i = 0; i < app->conf.n_http; i++)
		out[n++] = app->conf.http[i].port;
	if (conf)
		out[n++] = conf->listen_port ? conf->listen_port : BGP_PORT;
	else
		for (size_t i = 0; i < app->conf.bgp.n_listen; i++)
			out[n++] = app->conf.bgp.listen[i].port;
	return n;
}

static void
check_foreign_chains(doctor_fn *fn, void *fn_arg)
{
	struct doctor_finding finding = { .check = "nf_tables", .remedy = "" };
	struct str chains = { 0 };
	struct str text = { 0 };
	struct err err = { 0 };

	if (nft_foreign_drops(&chains, &err) < 0) {
		finding.level = DOCTOR_ERROR;
		str_add(&text, err.text);
		finding.remedy = "modprobe nf_tables; eipd needs CAP_NET_ADMIN";
	} else if (chains.n) {
		finding.level = DOCTOR_WARNING;
		str_printf(&text,
		    "by its policy the chain %s drops what eipd forwards, "
		    "unless a rule accepts it",
		    str_get(&chains));
		finding.remedy = "add the rule \"ct status dnat accept\" there";
	} else {
		str_add(&text, "no chain of others drops by its policy");
	}
	finding.text = str_get(&text);
	fn(fn_arg, &finding);
	str_fini(&chains);
	str_fini(&text);
}

void
app_each_setting(const struct app *app, doctor_fn *fn, void *fn_arg)
{
	uint16_t ports[PORTS_MAX];
	size_t n = listen_ports(app, ports);

	doctor_run(DOCTOR_PROC_NET, ports, n, fn, fn_arg);
}

static void
log_setting(void *arg, const struct doctor_finding *f)
{
	(void)arg;
	if (f->level == DOCTOR_ERROR)
		log_err("%s: %s; %s", f->check, f->text, f->remedy);
}

void
app_log_settings(const struct app *app)
{
	app_each_setting(app, log_setting, NULL);
}

void
app_each_finding(void *arg, doctor_fn *fn, void *fn_arg)
{
	const struct app *app = arg;

	app_each_setting(app, fn, fn_arg);
	check_foreign_chains(fn, fn_arg);
}
