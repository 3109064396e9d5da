/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_driver KUBECONFIG [MODE]: prints what source/kube delivers; with MODE
 * "vip" or "proxy" it also writes 10.200.N.M into the status of every Service
 * of type LoadBalancer named "sNUMBER".
 *
 * SIGUSR1 prints the state of the watches, SIGHUP reads the kubeconfig again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_status.h"
#include "source/kube.h"
#include "sys/log.h"
#include "sys/loop.h"

struct driver {
	struct loop *loop;
	struct kube *kube;
	struct kube_status_writer *writer;
	const char *mode; /* NULL: write nothing */
};

static void
want(struct driver *d, const struct service *s)
{
	struct ingress in = { .addr = { .family = FAMILY_IPV4,
				  .b = { 10, 200 } },
		.ip_mode = strcmp(d->mode, "proxy") == 0 ? IP_MODE_PROXY
							 : IP_MODE_VIP };
	int number;

	if (!s->is_load_balancer || sscanf(s->o.name, "s%d", &number) != 1)
		return;
	in.addr.b[2] = (uint8_t)(number >> 8);
	in.addr.b[3] = (uint8_t)number;
	kube_status_want(d->writer, s, &in, 1);
}

static void
on_put(void *arg, struct object *object)
{
	struct driver *d = arg;

	printf("put %s %s/%s\n", object_kind_name(object->kind), object->ns,
	    object->name);
	if (d->mode && object->kind == OBJECT_SERVICE)
		want(d, (const struct service *)object);
	object_free(object);
}

static void
on_gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	struct driver *d = arg;

	(void)cluster;
	printf("gone %s %s/%s\n", object_kind_name(kind), ns, name);
	if (kind == OBJECT_SERVICE)
		kube_status_forget(d->writer, ns, name);
}

static void
on_refused(void *arg, enum object_kind kind, const char *cluster,
    const char *ns, const char *name, const char *where, const struct err *err)
{
	(void)arg;
	(void)cluster;
	printf("refused %s %s/%s %s: %s\n", object_kind_name(kind), ns, name,
	    where, err->text);
}

static void
on_begin(void *arg, enum object_kind kind, const char *cluster)
{
	(void)arg;
	(void)cluster;
	printf("begin %s\n", object_kind_name(kind));
}

static void
on_end(void *arg, enum object_kind kind, const char *cluster)
{
	(void)arg;
	(void)cluster;
	printf("end %s\n", object_kind_name(kind));
}

static void
on_change(void *arg)
{
	const struct driver *d = arg;
	struct kube_status st;

	kube_get_status(d->kube, &st);
	printf("status connected=%d synced=%d message=%s\n", st.is_connected,
	    st.is_synced, st.message);
}

static void
on_written(void *arg, const char *ns, const char *name)
{
	(void)arg;
	printf("written %s/%s\n", ns, name);
}

static void
on_usr1(void *arg)
{
	const struct driver *d = arg;
	struct kube_status st;

	kube_get_status(d->kube, &st);
	for (size_t i = 0; i < OBJECT__COUNT; i++)
		printf("watch %s events=%llu restarts=%llu connected=%d\n",
		    object_kind_name(st.watches[i].kind),
		    (unsigned long long)st.watches[i].events,
		    (unsigned long long)st.watches[i].restarts,
		    st.watches[i].is_connected);
	printf("watches end\n");
}

static void
on_hup(void *arg)
{
	struct driver *d = arg;

	kube_reload(d->kube);
}

static void
on_term(void *arg)
{
	struct driver *d = arg;

	loop_stop(d->loop);
}

int
main(int argc, char **argv)
{
	struct driver d = { .mode = argc > 2 ? argv[2] : NULL };
	struct kube_conf conf = { .name = "kubernetes" };
	struct sink sink = { on_put, on_gone, on_refused, on_begin, on_end,
		&d };

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_INFO);
	conf.kubeconfig = argv[1];
	d.loop = loop_new();
	d.kube = kube_new(d.loop, &conf, &sink, on_change, &d);
	d.writer = kube_status_new(d.loop, d.kube, on_written, &d);
	loop_on_signal(d.loop, SIGTERM, on_term, &d);
	loop_on_signal(d.loop, SIGUSR1, on_usr1, &d);
	loop_on_signal(d.loop, SIGHUP, on_hup, &d);
	loop_run(d.loop);
	kube_status_free(d.writer);
	kube_free(d.kube);
	loop_free(d.loop);
	return 0;
}
