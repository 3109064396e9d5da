/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bgp_conf: BgpConf and BgpPeer objects, or eipd.conf, to the speaker.
 */
#include <stdlib.h>

#include "apply/bgp_speaker.h"
#include "daemon/app.h"
#include "model/world.h"
#include "sys/loop.h"

static void
listen_add(struct bgp_global *g, const struct addr *addr, uint16_t port)
{
	if (g->n_listen == ARRAY_LEN(g->listen))
		return;
	g->listen[g->n_listen].addr = *addr;
	g->listen[g->n_listen].port = port;
	g->n_listen++;
}

static void
from_object(const struct bgp_conf *conf, struct bgp_global *g)
{
	uint16_t port = conf->listen_port ? conf->listen_port : BGP_PORT;
	struct addr any4 = { .family = FAMILY_IPV4 };
	struct addr any6 = { .family = FAMILY_IPV6 };

	g->as = conf->as;
	g->router_id = conf->router_id;
	g->graceful_restart = conf->graceful_restart;
	for (size_t i = 0; i < conf->n_listen_addresses; i++)
		listen_add(g, &conf->listen_addresses[i], port);
	if (!conf->n_listen_addresses) {
		listen_add(g, &any4, port);
		listen_add(g, &any6, port);
	}
}

static void
from_file(const struct conf *conf, struct bgp_global *g)
{
	g->as = conf->bgp.as;
	g->router_id = conf->bgp.router_id;
	for (size_t i = 0; i < conf->bgp.n_listen; i++)
		listen_add(g, &conf->bgp.listen[i].addr,
		    conf->bgp.listen[i].port);
}

void
app_configure_bgp(struct app *app)
{
	struct bgp_global g = { 0 };
	const struct bgp_conf *conf = world_bgp_conf(app->world);
	size_t n;
	const struct bgp_peer **peers = world_bgp_peers(app->world, &n);

	if (conf)
		from_object(conf, &g);
	else
		from_file(&app->conf, &g);
	bgp_speaker_configure(app->speaker, &g, peers, n);
	free(peers);
}

static void
configure(void *arg)
{
	struct app *app = arg;

	app->is_bgp_scheduled = false;
	app_configure_bgp(app);
}

void
app_schedule_bgp(struct app *app)
{
	if (app->is_bgp_scheduled)
		return;
	app->is_bgp_scheduled = true;
	loop_defer(app->loop, configure, app);
}
