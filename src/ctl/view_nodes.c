/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_nodes: which nodes may get traffic, and what their probe says.
 */
#include "ctl/list.h"

static void
write_node(void *arg, const struct node_status *n)
{
	struct list *list = arg;
	struct jsonw *json = &list->json;
	const struct node *node = n->node;

	if (!list_wants(list, node->o.cluster, NULL, node->o.name))
		return;
	jsonw_object(json, NULL);
	jsonw_str(json, "cluster", node->o.cluster);
	jsonw_str(json, "name", node->o.name);
	jsonw_array(json, "addresses");
	if (addr_is_set(&node->ipv4))
		jsonw_addr(json, NULL, &node->ipv4);
	if (addr_is_set(&node->ipv6))
		jsonw_addr(json, NULL, &node->ipv6);
	jsonw_array_end(json);
	jsonw_bool(json, "eligible", n->is_eligible);
	jsonw_str(json, "reason", n->reason);
	if (n->is_probed) {
		jsonw_object(json, "probe");
		jsonw_str(json, "state", probe_state_name(n->probe));
		jsonw_time(json, "since", n->probe_since);
		jsonw_str(json, "error", n->probe_error);
		jsonw_object_end(json);
	} else {
		jsonw_null(json, "probe");
	}
	jsonw_object_end(json);
}

void
view_nodes(const struct ctl_request *req, struct ctl_answer *answer)
{
	const struct ctl_state *s = req->state;
	struct list list;

	list_begin(&list, req, answer);
	s->each_node(s->arg, write_node, &list);
	list_end(&list, "Node");
}
