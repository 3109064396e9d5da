# SPDX-License-Identifier: GPL-2.0-or-later
"""From `kubectl apply` to a client's request: a real API server, real
kube-proxies, a real router, and the rights of etc/manifests.yaml only."""
import contextlib
import json

import pytest

from kubelab import node, pod
from lab import NODES, Eipd, NftMonitor, Stream, wait_for
import objects

CONF = """\
user: root
cluster: {{kubeconfig: KUBECONFIG}}
objects: {dir}/objects
database: {dir}/eipd.db
control: {{socket: {dir}/eipd.sock, group: root}}
http: {{listen: ["127.0.0.1:9640"]}}
nodes: {{probe: {{interval: 200ms, timeout: 500ms, fall: 2, rise: 1}}}}
log: {{level: debug}}
"""
CLASS = {"loadBalancerClass": "eipd.io/eipd"}
HTTP = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}
DNS = {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353}


def service(name, *ports, families=("IPv4",), annotations=None, **spec):
    policy = "RequireDualStack" if len(families) == 2 else "SingleStack"
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default",
                         "annotations": annotations or {}},
            "spec": {"type": "LoadBalancer", "selector": {"app": "web"},
                     "ports": list(ports or (HTTP,)),
                     "ipFamilies": list(families), "ipFamilyPolicy": policy,
                     **CLASS, **spec}}


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", net.kubeconfig))
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.eip("v6", "2001:db8:51::/120", default=True),
        objects.bgp_conf(), objects.bgp_peer())
    e.start()
    yield e
    e.stop()


def get(net, name, namespace="default"):
    return json.loads(net.kube.kubectl("get", "service", "-n", namespace,
                                       name, "-o", "json"))


def ingress(net, name, namespace="default"):
    status = get(net, name, namespace)["status"].get("loadBalancer", {})
    return [i["ip"] for i in status.get("ingress", [])]


def delete(net, name):
    net.kube.kubectl("delete", "service", name, "--ignore-not-found",
                     "--wait=true")


@pytest.fixture(scope="module")
def web(net, eipd):
    """The addresses that kubectl shows for default/web, reachable."""
    net.kube.apply(service("web", HTTP, DNS, families=("IPv4", "IPv6")))
    wait_for("status of web", lambda: len(ingress(net, "web")) == 2)
    addresses = ingress(net, "web")
    for a in addresses:
        wait_for(f"{a} reachable", lambda: net.get(a, 80))
    return addresses


def test_status_route_and_every_node(net, eipd, web):
    s = eipd.wait_state("default", "web", "announced")
    assert s["addresses"] == web
    assert "." in web[0] and ":" in web[1]
    for a in web:
        assert net.route(f"{a}/{128 if ':' in a else 32}")
        # kube-proxy spreads again over the pods; what counts here is that
        # each answers and nothing is lost.
        count = net.spread(a, 80, 60)
        assert all(count.values()), count
        assert net.udp(a, 53)[0] in NODES


def test_events_tell_the_address(net, eipd, web):
    def look():
        events = json.loads(net.kube.kubectl(
            "get", "events.events.k8s.io", "-o", "json"))["items"]
        return [e for e in events if e["regarding"]["name"] == "web" and
                web[0] in e["note"]]
    assert wait_for("an Event with the address", look)


def test_foreign_status_is_corrected(net, eipd, web):
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    net.kube.kubectl("patch", "service", "web", "--subresource=status",
                     "--type=merge", "-p", json.dumps(patch))
    wait_for("status back", lambda: ingress(net, "web") == web)


def test_another_class_is_left_alone(net, eipd, web):
    s = service("foreign")
    s["spec"]["loadBalancerClass"] = "example.org/lb"
    net.kube.apply(s)
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    net.kube.kubectl("patch", "service", "foreign", "--subresource=status",
                     "--type=merge", "-p", json.dumps(patch))
    # One that is ours, made later, shows that the other was seen.
    net.kube.apply(service("later"))
    wait_for("status of later", lambda: ingress(net, "later"))
    assert ingress(net, "foreign") == ["203.0.113.9"]
    assert eipd.service("default", "foreign") is None
    delete(net, "foreign")
    delete(net, "later")
    wait_for("later gone", lambda: eipd.service("default", "later") is None)


def test_type_change_releases_and_returns(net, eipd, web):
    net.kube.apply(service("flip"))
    wait_for("status", lambda: ingress(net, "flip"))
    address, = ingress(net, "flip")
    net.kube.kubectl("patch", "service", "flip", "--type=merge", "-p",
                     '{"spec": {"type": "ClusterIP"}}')
    wait_for("released", lambda: eipd.service("default", "flip") is None)
    wait_for("withdrawn", lambda: not net.route(f"{address}/32"))
    lease, = [x for x in eipd.items("leases") if x["address"] == address]
    assert lease["state"] == "quarantined"
    assert not ingress(net, "flip")
    net.kube.kubectl("patch", "service", "flip", "--type=merge", "-p",
                     '{"spec": {"type": "LoadBalancer", '
                     '"loadBalancerClass": "eipd.io/eipd"}}')
    wait_for("the same address", lambda: ingress(net, "flip") == [address])
    delete(net, "flip")
    wait_for("gone", lambda: eipd.service("default", "flip") is None)


def test_local_policy_uses_nodes_with_endpoints(net, eipd, web):
    net.kube.kubectl("delete", "pod", "web-n3", "--force",
                     "--grace-period=0")
    try:
        net.kube.apply(service("local", externalTrafficPolicy="Local"))

        def only_two():
            items = eipd.items("backends", "default/local")
            return sorted(b["node"] for b in items) == ["n1", "n2"]
        wait_for("two nodes", only_two)
        address, = wait_for("status", lambda: ingress(net, "local"))
        wait_for("reachable", lambda: net.get(address, 80))
        count = net.spread(address, 80, 40)
        assert count["n3"] == 0 and count["n1"] and count["n2"], count
    finally:
        delete(net, "local")
        net.kube.apply(pod("web-n3", "n3"))


def test_node_gone_and_back(net, eipd, web):
    net.kube.kubectl("delete", "node", "n3")
    wait_for("two backends left", lambda: sorted(
        {b["node"] for b in eipd.items("backends", "default/web")}) ==
        ["n1", "n2"])
    net.kube.apply(node("n3", 3), pod("web-n3", "n3"))
    wait_for("three again", lambda: {
        b["node"] for b in eipd.items("backends", "default/web")
        if b["state"] == "active"} == set(NODES))


def test_nul_in_an_annotation_harms_nobody(net, eipd, web):
    bad = service("nul")
    bad["metadata"]["annotations"] = {"note": "x\u0000y"}
    net.kube.kubectl("create", "-f", "-", stdin=json.dumps(bad))
    net.kube.apply(service("after"))
    wait_for("the one after", lambda: ingress(net, "after"))
    wait_for("itself", lambda: ingress(net, "nul"))
    delete(net, "nul")
    delete(net, "after")
    wait_for("gone", lambda: eipd.service("default", "after") is None)


def test_api_server_killed_and_back(net, eipd, web):
    stream = Stream(net, web[0], 80, 8)
    with NftMonitor(net) as monitor:
        net.kube.kill("kube-apiserver")
        wait_for("disconnected", lambda: not eipd.json(
            "/v1/status")["clusters"][0]["connected"])
        assert eipd.get("/readyz")[0] == 200
        for a in web:
            assert net.get(a, 80)[0] in NODES
            assert net.route(f"{a}/{128 if ':' in a else 32}")
        net.kube.start_apiserver()
        wait_for("connected", lambda: eipd.json(
            "/v1/status")["clusters"][0]["connected"], 60)
        assert monitor.finish() == []
    stream.finish()
    net.restart_proxies()
    net.kube.apply(service("again"))
    wait_for("new ones are served", lambda: ingress(net, "again"))
    delete(net, "again")
    wait_for("gone", lambda: eipd.service("default", "again") is None)


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_restart_changes_nothing(net, eipd, web, how):
    before = get(net, "web")["metadata"]["resourceVersion"]
    stream = Stream(net, web[0], 80, 6)
    with NftMonitor(net) as monitor:
        getattr(eipd, how)()
        assert net.get(web[0], 80)[0] in NODES
        eipd.start()
        eipd.wait_state("default", "web", "announced")
        wait_for("session", lambda: net.session() == "Established")
        assert monitor.finish() == []
    stream.finish()
    assert get(net, "web")["metadata"]["resourceVersion"] == before
    assert ingress(net, "web") == web


def test_missing_right_is_named(net, eipd, web):
    """Without `list nodes` the rest goes on; the text names the right."""
    role = json.loads(net.kube.kubectl("get", "clusterrole", "eipd", "-o",
                                       "json"))
    less = json.loads(json.dumps(role))
    for rule in less["rules"]:
        if "nodes" in rule["resources"]:
            rule["resources"].remove("nodes")
    eipd.stop()
    net.kube.kubectl("replace", "-f", "-", stdin=json.dumps(less))
    try:
        eipd.start(ready=False)

        def named():
            with contextlib.suppress(OSError):
                return [p for p in eipd.problems()
                        if "nodes" in p["text"] and "forbidden" in
                        p["text"].lower()]
        wait_for("problem naming nodes", named)
        assert net.get(web[0], 80)[0] in NODES
    finally:
        del role["metadata"]["resourceVersion"]
        net.kube.kubectl("replace", "-f", "-", stdin=json.dumps(role))
    eipd.stop()
    eipd.start()
    eipd.wait_state("default", "web", "announced")


def test_deleted_service_is_withdrawn(net, eipd, web):
    delete(net, "web")
    wait_for("gone", lambda: eipd.service("default", "web") is None)
    for a in web:
        wait_for("withdrawn",
                 lambda: not net.route(f"{a}/{128 if ':' in a else 32}"))
    states = {x["address"]: x["state"] for x in eipd.items("leases")}
    assert all(states[a] == "quarantined" for a in web)
