/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/admit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/pool.h"

void
decision_refuse(struct decision *decision, const char *reason, const char *fmt,
    ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	decision->is_refused = true;
	decision->reason = reason;
	decision->message = arena_strdup(&decision->arena, text);
}

/* The class decides before annotations do: a Service of another class is
 * another controller's, whatever else it carries. */
static bool
is_ours(const struct plan_input *in, const struct service *s, const char **why)
{
	if (!s->is_load_balancer) {
		*why = "spec.type is not LoadBalancer";
		return false;
	}
	if (strcmp(s->o.cluster, CLUSTER_STATIC) == 0) {
		*why = "it comes from an object file";
		return true;
	}
	if (s->lb_class) {
		*why = "spec.loadBalancerClass is another one";
		if (!str_eq(s->lb_class, in->conf.service_class))
			return false;
		*why = "spec.loadBalancerClass is ours";
		return true;
	}
	if (s->is_marked) {
		*why = "annotation lb.kubesphere.io/v1alpha1 is ours";
		return true;
	}
	if (in->conf.service_default) {
		*why = "services.default takes Services without a class";
		return true;
	}
	*why = "it has neither our loadBalancerClass nor our annotation, "
	       "and services.default is false";
	return false;
}

static bool
has_node_port(const struct service *s)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].node_port)
			return true;
	return false;
}

void
admit_service(const struct plan_input *in, const struct service *service,
    struct decision *decision)
{
	decision->is_ours = is_ours(in, service, &decision->admission);
	if (service->o.is_deleting) {
		decision->is_ours = false;
		decision->admission = "it is being deleted";
	}
	if (!decision->is_ours)
		return;
	if (service->invalid)
		decision_refuse(decision, "InvalidAnnotation", "%s",
		    service->invalid);
	else if (service->unsupported)
		decision_refuse(decision, "NotSupported", "%s",
		    service->unsupported);
	else if (service->n_ports == 0)
		decision_refuse(decision, "NoPorts",
		    "spec.ports is empty; give at least one port");
}

void
admit_protocols(struct decision *decision)
{
	for (size_t i = 0; i < decision->n_addrs; i++) {
		const struct decision_address *a = &decision->addrs[i];
		char text[ADDR_TEXT_B];

		if (decision->is_refused ||
		    pool_protocol_is_served(a->protocol))
			continue;
		decision_refuse(decision, "NotSupported",
		    "%s is not announced: protocol %s of its pool %s is not "
		    "supported by this version",
		    addr_text(&a->addr, text), pool_protocol_name(a->protocol),
		    a->pool);
	}
}

void
admit_forwarding(const struct service *service, struct forwarding f,
    struct decision *decision)
{
	if (decision->is_refused)
		return;
	if (f.backends == FORWARD_BACKENDS_NODE)
		decision_refuse(decision, "NotSupported",
		    "backends \"node\" is not supported by this version; "
		    "use nodeport or endpoint");
	else if (service->is_headless &&
	    f.backends == FORWARD_BACKENDS_NODEPORT)
		decision_refuse(decision, "Headless",
		    "a headless Service (clusterIP: None) has no node ports; "
		    "set a clusterIP or backends \"endpoint\"");
	else if (!has_node_port(service) &&
	    f.backends == FORWARD_BACKENDS_NODEPORT)
		decision_refuse(decision, "NoNodePort",
		    "no port has a nodePort; set "
		    "allocateLoadBalancerNodePorts: true or backends "
		    "\"endpoint\"");
}
