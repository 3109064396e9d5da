# SPDX-License-Identifier: GPL-2.0-or-later
"""Cluster mode as a user of kubectl meets it: whose Services are taken, from
which pool, what a change of each field does, and what a restart finds again.
"""
import contextlib
import json
import os
import time

import pytest

from kubelab import node, pod
from lab import NODES, Eipd, NftMonitor, wait_for
import objects
from test_kube_spine import CONF, HTTP, delete, get, ingress, service

MARK = "lb.kubesphere.io/v1alpha1"
ADDRESS = "eip.{}.kubesphere.io/v1alpha1"
POOL = "eip.{}.kubesphere.io/v1alpha2"


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", net.kubeconfig))
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.eip("other", "198.51.100.100-198.51.100.109"),
        objects.bgp_conf(), objects.bgp_peer())
    e.start()
    wait_for("session", lambda: net.session() == "Established")
    yield e
    e.stop()


@pytest.fixture(autouse=True)
def clean(net, eipd):
    """Each test begins without Services and released addresses."""
    yield
    if not eipd.proc:
        eipd.start()
    net.kube.kubectl("delete", "service", "-l", "!provider", "-A",
                     "--wait=true")
    wait_for("no Services", lambda: not eipd.items("services"))
    for lease in eipd.items("leases"):
        eipd.ctl("release", lease["address"])


def unclassed(name, *ports, **kw):
    s = service(name, *ports, **kw)
    del s["spec"]["loadBalancerClass"]
    return s


def address_of(net, name, namespace="default"):
    return wait_for(f"status of {name}",
                    lambda: ingress(net, name, namespace))[0]


def refused(eipd, name, namespace="default"):
    return eipd.wait_state(namespace, name, "refused")


def patch(net, kind, name, body, *args):
    net.kube.kubectl("patch", kind, name, "--type=merge", "-p",
                     json.dumps(body), *args)


def spec(net, name, **fields):
    patch(net, "service", name, {"spec": fields})


def annotate(net, kind, name, **annotations):
    patch(net, kind, name, {"metadata": {"annotations": annotations}})


def route(net, address):
    return net.route(f"{address}/32")


def reach(net, address, port=80):
    """kube-proxy may take its time after the API server was away."""
    return wait_for(f"{address} port {port}", lambda: net.get(address, port),
                    60)


def fails(net, address, error, port=80):
    def look():
        try:
            net.get(address, port, timeout=1.0)
        except error:
            return True
        return False
    return wait_for(f"{address}: {error.__name__}", look)


def problem(eipd, *words):
    """The first one of `eipctl check` with all the words in it."""
    def look():
        for p in eipd.problems():
            text = f"{p['severity']} {p['subject']} {p['text']} {p['remedy']}"
            if all(w.lower() in text.lower() for w in words):
                return p
        return None
    return wait_for(f"a problem with {words}", look)


def unchanged(seconds, *claims):
    """The claims give the same for that long."""
    before = [c() for c in claims]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.5)
        assert [c() for c in claims] == before


# Whose Service, which pool, which address


@pytest.mark.parametrize("word", ["openelb", "porter"])
def test_annotations_of_old(net, eipd, word):
    both = unclassed("asked", annotations={
        MARK: word, ADDRESS.format(word): "198.51.100.33"})
    pool = unclassed("pooled", annotations={
        MARK: word, POOL.format(word): "other"})
    plain = unclassed("plain", annotations={MARK: word})
    net.kube.apply(both, pool, plain)
    assert address_of(net, "asked") == "198.51.100.33"
    assert address_of(net, "pooled") == "198.51.100.100"
    assert address_of(net, "plain") == "198.51.100.10"
    for a in ("198.51.100.33", "198.51.100.100", "198.51.100.10"):
        reach(net, a)
        assert route(net, a)


def test_nobody_elses_service(net, eipd):
    """Without class and mark, or with another mark: not ours."""
    net.kube.apply(unclassed("nomark"),
                   unclassed("wrong", annotations={MARK: "metallb"}),
                   unclassed("classed", annotations={MARK: "openelb"}),
                   service("ours"))
    net.kube.kubectl("delete", "service", "classed")
    s = unclassed("classed", annotations={MARK: "openelb"})
    s["spec"]["loadBalancerClass"] = "example.org/lb"
    net.kube.apply(s)
    address_of(net, "ours")
    wait_for("only ours", lambda: [
        x["name"] for x in eipd.items("services")] == ["ours"])
    assert not ingress(net, "nomark") and not ingress(net, "wrong")
    assert not ingress(net, "classed")


def test_requested_addresses(net, eipd):
    net.kube.apply(service("field", loadBalancerIP="198.51.100.40"),
                   service("taken", loadBalancerIP="198.51.100.40"),
                   service("outside", loadBalancerIP="192.0.2.77"),
                   service("both", loadBalancerIP="198.51.100.41",
                           annotations={ADDRESS.format("openelb"):
                                        "198.51.100.42"}))
    assert address_of(net, "both") == "198.51.100.42"
    wait_for("one of the two", lambda: sorted(
        (eipd.service("default", n) or {}).get("state", "")
        for n in ("field", "taken")) == ["announced", "refused"])
    s = refused(eipd, "outside")
    assert "192.0.2.77" in s["message"]
    assert not ingress(net, "outside")
    spec(net, "outside", loadBalancerIP="198.51.100.43")
    wait_for("moved", lambda: ingress(net, "outside") == ["198.51.100.43"])


def test_annotation_with_a_typing_error(net, eipd):
    """Served all the same, and told where a user looks."""
    key = "eipd.io/adresses"
    net.kube.apply(service("typo", annotations={key: "198.51.100.41"}))
    address_of(net, "typo")
    problem(eipd, "warning", "default/typo", key, "eipd.io/addresses")
    wait_for("an Event", lambda: key in net.kube.kubectl(
        "get", "events", "-o", "json"))
    annotate(net, "service", "typo", **{key: None})
    wait_for("no problem", lambda: key not in str(eipd.problems()))


def test_default_pool_annotation_at_run_time(net, eipd):
    key = "eip.openelb.kubesphere.io/is-default-eip"
    net.kube.apply(service("held"))
    held = address_of(net, "held")
    annotate(net, "eip", "v4", **{key: "false"})
    try:
        net.kube.apply(service("waits"))
        s = refused(eipd, "waits")
        assert "v4" in s["message"] and "other" in s["message"]
        assert ingress(net, "held") == [held]
        annotate(net, "eip", "other", **{key: "true"})
        assert address_of(net, "waits").startswith("198.51.100.10")
    finally:
        annotate(net, "eip", "other", **{key: "false"})
        annotate(net, "eip", "v4", **{key: "true"})


def test_pools_of_namespaces(net, eipd):
    net.kube.apply(
        {"apiVersion": "v1", "kind": "Namespace",
         "metadata": {"name": "team-a"}},
        {"apiVersion": "v1", "kind": "Namespace",
         "metadata": {"name": "team-b", "labels": {"tier": "gold"}}},
        {"apiVersion": "v1", "kind": "Namespace",
         "metadata": {"name": "team-c"}},
        objects.eip("bound-a", "198.51.100.120-198.51.100.123",
                    namespaces=["team-a"]),
        objects.eip("gold", "198.51.100.130-198.51.100.133",
                    namespaceSelector={"tier": "gold"}))
    try:
        for ns in ("team-a", "team-b", "team-c"):
            s = service("web")
            s["metadata"]["namespace"] = ns
            net.kube.apply(s)
        assert address_of(net, "web", "team-a") == "198.51.100.120"
        assert address_of(net, "web", "team-b") == "198.51.100.130"
        default = address_of(net, "web", "team-c")
        assert default.startswith("198.51.100.1")
        # A label that comes later serves the next ones; none moves.
        patch(net, "namespace", "team-c",
              {"metadata": {"labels": {"tier": "gold"}}})
        s = service("second")
        s["metadata"]["namespace"] = "team-c"

        def bound():
            net.kube.apply(s)
            got = address_of(net, "second", "team-c")
            return got == "198.51.100.131"
        wait_for("of the pool bound by label", bound)
        assert ingress(net, "web", "team-c") == [default]
    finally:
        net.kube.kubectl("delete", "namespace", "team-a", "team-b", "team-c",
                         "--wait=true")
        net.kube.kubectl("delete", "eip", "bound-a", "gold")


# Changes of a Service


def test_node_port_and_port_change(net, eipd):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    reach(net, address)
    port = get(net, "web")["spec"]["ports"][0]
    port["nodePort"] = 31777
    spec(net, "web", ports=[port])
    wait_for("follows the node port", lambda: {
        b["port"] for b in eipd.items("backends", "default/web")} == {31777})
    reach(net, address)
    port["port"] = 8000
    spec(net, "web", ports=[port])
    reach(net, address, 8000)
    fails(net, address, OSError, 80)
    assert ingress(net, "web") == [address]
    assert get(net, "web")["spec"]["ports"][0]["nodePort"] == 31777


def test_no_endpoints_are_refused_at_once(net, eipd):
    """Policy Local, all pods gone: a reset and a port unreachable; with a
    pod back it serves again."""
    dns = {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353}
    net.kube.apply(service("local", HTTP, dns, externalTrafficPolicy="Local"))
    address = address_of(net, "local")
    reach(net, address)
    try:
        for name in NODES:
            net.kube.kubectl("delete", "pod", f"web-{name}", "--force",
                             "--grace-period=0")
        wait_for("no backends",
                 lambda: not eipd.items("backends", "default/local"))
        fails(net, address, ConnectionRefusedError)

        def unreachable():
            try:
                net.udp(address, 53, timeout=1.0)
            except ConnectionRefusedError:
                return True
            return False
        wait_for("ICMP port unreachable", unreachable)
        assert route(net, address)
        assert ingress(net, "local") == [address]
    finally:
        net.kube.apply(*[pod(f"web-{n}", n) for n in NODES])
    reach(net, address)


def test_node_ports_off_then_on(net, eipd):
    net.kube.apply(service("np", allocateLoadBalancerNodePorts=False))
    s = refused(eipd, "np")
    assert s["reason"] == "NoNodePort"
    assert "allocateLoadBalancerNodePorts" in s["message"]
    spec(net, "np", allocateLoadBalancerNodePorts=True)
    reach(net, address_of(net, "np"))


def test_type_changes_both_ways(net, eipd):
    s = service("flip")
    del s["spec"]["loadBalancerClass"]
    s["spec"]["type"] = "ClusterIP"
    net.kube.apply(s)
    spec(net, "flip", type="NodePort")
    spec(net, "flip", type="LoadBalancer", loadBalancerClass="eipd.io/eipd")
    address = address_of(net, "flip")
    reach(net, address)
    spec(net, "flip", type="NodePort", loadBalancerClass=None)
    wait_for("withdrawn", lambda: not route(net, address))
    wait_for("not ours", lambda: eipd.service("default", "flip") is None)
    assert not ingress(net, "flip")
    spec(net, "flip", type="LoadBalancer", loadBalancerClass="eipd.io/eipd")
    wait_for("same address", lambda: ingress(net, "flip") == [address])


def test_mark_removed_takes_the_status_back(net, eipd):
    net.kube.apply(unclassed("marked", annotations={MARK: "openelb"}))
    address = address_of(net, "marked")
    annotate(net, "service", "marked", **{MARK: None})
    wait_for("status taken back", lambda: not ingress(net, "marked"))
    wait_for("withdrawn", lambda: not route(net, address))


def test_same_name_gets_the_same_address(net, eipd):
    net.kube.apply(service("first"), service("again"))
    address_of(net, "first")
    address = address_of(net, "again")
    delete(net, "first")
    delete(net, "again")
    net.kube.apply(service("again"))
    assert address_of(net, "again") == address
    reach(net, address)


def test_status_of_others_is_left_alone(net, eipd):
    s = service("foreign")
    s["spec"]["loadBalancerClass"] = "example.org/lb"
    none = unclassed("none")
    net.kube.apply(s, none)
    body = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    for name in "foreign", "none":
        patch(net, "service", name, body, "--subresource=status")
    before = [get(net, n)["metadata"] for n in ("foreign", "none")]
    eipd.stop()
    eipd.start()
    net.kube.apply(service("later"))
    address_of(net, "later")
    assert [get(net, n)["metadata"] for n in ("foreign", "none")] == before


def test_writes_nothing_without_a_change(net, eipd):
    net.kube.apply(service("web"))
    reach(net, address_of(net, "web"))
    eipd.wait_state("default", "web", "announced")

    def version():
        return get(net, "web")["metadata"]["resourceVersion"]
    first = version()
    with NftMonitor(net) as monitor:
        unchanged(10, version)
        eipd.stop()
        eipd.start()
        eipd.wait_state("default", "web", "announced")
        unchanged(3, version)
        assert monitor.finish() == []
    assert version() == first


# What a restart finds


def test_created_and_deleted_while_down(net, eipd):
    net.kube.apply(service("goes"), service("stays"))
    goes, stays = address_of(net, "goes"), address_of(net, "stays")
    reach(net, stays)
    eipd.stop()
    delete(net, "goes")
    net.kube.apply(service("comes"))
    eipd.start()
    comes = address_of(net, "comes")
    assert comes not in (goes, stays)
    reach(net, comes)
    wait_for("withdrawn", lambda: not route(net, goes))
    states = {x["address"]: x["state"] for x in eipd.items("leases")}
    assert states[goes] == "quarantined" and states[stays] == "held"
    assert ingress(net, "stays") == [stays]


def forget_database(net, eipd):
    for name in os.listdir(eipd.dir):
        if name.startswith("eipd.db"):
            os.unlink(os.path.join(eipd.dir, name))


def forget_kernel(net, eipd):
    net.run("gw", "nft", "delete", "table", "inet", "eipd")


@pytest.mark.parametrize("lost", [(forget_database,), (forget_kernel,),
                                  (forget_database, forget_kernel)],
                         ids=["database", "kernel", "both"])
def test_addresses_survive_the_loss(net, eipd, lost):
    """zz-old keeps what it shows, though aa-new is planned before it and the
    lowest address looks free."""
    net.kube.apply(service("zz-low"))
    low = address_of(net, "zz-low")
    net.kube.apply(service("zz-old"), service("zz-older"))
    held = {n: address_of(net, n) for n in ("zz-low", "zz-old", "zz-older")}
    assert held["zz-low"] == low
    eipd.wait_state("default", "zz-older", "announced")
    eipd.stop()
    for forget in lost:
        forget(net, eipd)
    net.kube.apply(service("aa-new"),
                   service("aa-asks", loadBalancerIP=held["zz-old"]))
    eipd.start()
    assert address_of(net, "aa-new") not in held.values()
    refused(eipd, "aa-asks")
    for name, address in held.items():
        eipd.wait_state("default", name, "announced")
        assert ingress(net, name) == [address]
        reach(net, address)
        assert route(net, address)
    leases = {x["address"]: x["name"] for x in eipd.items("leases")
              if x["state"] == "held"}
    for name, address in held.items():
        assert leases[address] == name


# Eip, BgpConf and BgpPeer of the cluster


def test_eip_edited_at_run_time(net, eipd):
    net.kube.apply(service("web"))
    held = address_of(net, "web")
    patch(net, "eip", "v4", {"spec": {"disable": True}})
    try:
        net.kube.apply(service("late"))
        assert "disabled" in refused(eipd, "late")["message"]
        assert ingress(net, "web") == [held]
        reach(net, held)
    finally:
        patch(net, "eip", "v4", {"spec": {"disable": False}})
    address_of(net, "late")
    # Shrunk below what is held: that stays, the next comes from the rest.
    patch(net, "eip", "v4",
          {"spec": {"address": "198.51.100.50-198.51.100.59"}})
    try:
        net.kube.apply(service("shrunk"))
        assert address_of(net, "shrunk") == "198.51.100.50"
        reach(net, held)
        assert ingress(net, "web") == [held]
    finally:
        patch(net, "eip", "v4",
              {"spec": {"address": "198.51.100.10-198.51.100.59"}})


def test_broken_eip_keeps_the_good_one(net, eipd):
    net.kube.apply(service("web"))
    held = address_of(net, "web")
    patch(net, "eip", "v4", {"spec": {"address": "nonsense"}})
    try:
        problem(eipd, "error", "eip v4", "nonsense")
        net.kube.apply(service("next"))
        reach(net, address_of(net, "next"))
        reach(net, held)
    finally:
        patch(net, "eip", "v4",
              {"spec": {"address": "198.51.100.10-198.51.100.59"}})
    wait_for("healed", lambda: not [p for p in eipd.problems()
                                    if "nonsense" in p["text"]])


def test_bgp_edited_at_run_time(net, eipd):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    wait_for("route", lambda: route(net, address))
    net.kube.kubectl("delete", "bgppeer", "router")
    wait_for("route gone", lambda: not route(net, address))
    assert not eipd.items("peers")
    wait_for("not announced to anyone", lambda: eipd.service(
        "default", "web")["state"] == "programmed")
    net.kube.apply(objects.bgp_peer())
    wait_for("route back", lambda: route(net, address))
    eipd.wait_state("default", "web", "announced")
    patch(net, "bgpconf", "default", {"spec": {"routerId": "10.91.0.99"}})
    wait_for("new router id", lambda: "10.91.0.99" in net.birdc(
        "show", "protocols", "all", "eipd"))
    wait_for("route", lambda: route(net, address))
    net.kube.kubectl("delete", "bgpconf", "default")
    wait_for("it says what to set", lambda: [
        p for p in eipd.items("peers")
        if p["state"] == "Idle" and "as" in p["lastError"]])
    net.kube.apply(objects.bgp_conf())
    wait_for("route again", lambda: route(net, address))


def test_file_wins_over_cluster(net, eipd):
    net.kube.apply(objects.eip("both", "198.51.100.140-198.51.100.149"))
    wait_for("pool", lambda: [p for p in eipd.items("pools")
                              if p["name"] == "both" and p["total"] == 10])
    eipd.set_object("both", objects.dump(
        objects.eip("both", "198.51.100.144-198.51.100.145")))
    try:
        wait_for("the file's", lambda: [
            p["total"] for p in eipd.items("pools")
            if p["name"] == "both"] == [2])
        problem(eipd, "warning", "eip both", "file is in force")
        net.kube.apply(service("web", annotations={"eipd.io/pool": "both"}))
        assert address_of(net, "web") == "198.51.100.144"
    finally:
        eipd.set_object("both", None)
    wait_for("the cluster's", lambda: [
        p["total"] for p in eipd.items("pools")
        if p["name"] == "both"] == [10])
    assert ingress(net, "web") == ["198.51.100.144"]
    net.kube.kubectl("delete", "eip", "both")


def test_overlapping_eips(net, eipd):
    net.kube.apply(objects.eip("over", "198.51.100.105-198.51.100.115"))
    p = problem(eipd, "error", "eip over", "overlap")
    assert "other" in p["text"]
    net.kube.apply(service("web", annotations={"eipd.io/pool": "over"}))
    refused(eipd, "web")
    net.kube.apply(objects.eip("over", "198.51.100.110-198.51.100.115"))
    assert address_of(net, "web") == "198.51.100.110"
    assert not [q for q in eipd.problems() if "overlap" in q["text"]]
    net.kube.kubectl("delete", "eip", "over")
    reach(net, "198.51.100.110")


# Nodes


def nodes_of(eipd, name, *states):
    return sorted({b["node"] for b in eipd.items("backends", name)
                   if b["state"] in (states or ("active",))})


def test_exclude_label_and_conditions(net, eipd):
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    wait_for("all", lambda: nodes_of(eipd, "default/web") == list(NODES))
    net.kube.kubectl("label", "node", "n2", f"{label}=")
    wait_for("without n2",
             lambda: nodes_of(eipd, "default/web") == ["n1", "n3"])
    net.kube.kubectl("label", "node", "n2", f"{label}-")
    wait_for("with n2", lambda: nodes_of(eipd, "default/web") == list(NODES))
    net.kube.kubectl("cordon", "n1")
    condition = {"type": "NetworkUnavailable", "status": "True",
                 "reason": "Test", "message": ""}
    broken = node("n3", 3)
    broken["status"]["conditions"].append(condition)
    net.kube.apply(broken)
    try:
        # The condition came later than the cordon: both are known by then.
        wait_for("without n3",
                 lambda: nodes_of(eipd, "default/web") == ["n1", "n2"])
        n3, = [n for n in eipd.items("nodes") if n["name"] == "n3"]
        assert "NetworkUnavailable" in n3["reason"]
    finally:
        net.kube.kubectl("uncordon", "n1")
        net.kube.apply(node("n3", 3))
    wait_for("all again", lambda: nodes_of(eipd, "default/web") ==
             list(NODES))
    reach(net, address)


def test_dead_proxy_gets_no_new_flows(net, eipd):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    wait_for("all", lambda: nodes_of(eipd, "default/web") == list(NODES))
    net.kube.kill("kube-proxy-n2")
    try:
        wait_for("n2 down",
                 lambda: nodes_of(eipd, "default/web") == ["n1", "n3"])
        for _ in range(40):
            assert net.get(address, 80)[0] in NODES
        n2, = [n for n in eipd.items("nodes") if n["name"] == "n2"]
        assert n2["probe"]["state"] == "down" and n2["probe"]["error"]
    finally:
        net.kube.start_proxy("n2", net.ns("n2"))
    wait_for("n2 back", lambda: nodes_of(eipd, "default/web") == list(NODES))


# eipd.conf


@contextlib.contextmanager
def conf(net, eipd, **change):
    """eipd.conf with other lines, in force after a reload."""
    text = CONF.replace("KUBECONFIG", net.kubeconfig)
    for old, new in change.get("replace", ()):
        assert old in text
        text = text.replace(old, new)
    eipd.set_conf(text + change.get("add", ""))
    rc, _, err = eipd.ctl("reload")
    assert rc == 0, err
    try:
        yield
    finally:
        eipd.set_conf(CONF.replace("KUBECONFIG", net.kubeconfig))
        rc, _, err = eipd.ctl("reload")
    assert rc == 0, err


def test_services_default(net, eipd):
    net.kube.apply(unclassed("bare"), service("classed"))
    address_of(net, "classed")
    assert not ingress(net, "bare")
    foreign = service("foreign")
    foreign["spec"]["loadBalancerClass"] = "example.org/lb"
    net.kube.apply(foreign)
    with conf(net, eipd, add="services: {{default: true}}\n"):
        reach(net, address_of(net, "bare"))
        assert eipd.service("default", "foreign") is None
    wait_for("given up", lambda: not ingress(net, "bare"))
    assert ingress(net, "classed")


@pytest.mark.parametrize("mode, want", [("proxy", "Proxy"), ("omit", "VIP")])
def test_ip_mode(net, eipd, mode, want):
    """Left out, the server fills in VIP: no reason to write it for ever."""
    def entry():
        status = get(net, "web")["status"]["loadBalancer"]
        return status["ingress"][0]["ipMode"]
    net.kube.apply(service("web"))
    address_of(net, "web")
    assert entry() == "VIP"
    with conf(net, eipd, add=f"services: {{{{ip-mode: {mode}}}}}\n"):
        wait_for(want, lambda: entry() == want)
        net.kube.apply(service("next"))
        address_of(net, "next")
        unchanged(3, lambda: get(net, "web")["metadata"]["resourceVersion"],
                  lambda: get(net, "next")["metadata"]["resourceVersion"])
    wait_for("VIP", lambda: entry() == "VIP")


def load(path):
    with open(path) as f:
        return json.load(f)


def test_two_kubeconfigs_and_a_context(net, eipd):
    """A colon list is merged; `context` picks the one with the rights."""
    good = load(net.kubeconfig)
    good["contexts"][0]["name"] = "prod"
    good.pop("current-context")
    bad = load(net.kubeconfig)
    bad["clusters"][0] = {"name": "nowhere", "cluster": {
        "server": "https://10.92.0.99:6443"}}
    bad["contexts"] = [{"name": "dev", "context": {
        "cluster": "nowhere", "user": bad["users"][0]["name"]}}]
    bad["current-context"] = "dev"
    a = net.write("dev.kubeconfig", json.dumps(bad))
    b = net.write("prod.kubeconfig", json.dumps(good))
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    old = f"kubeconfig: {net.kubeconfig}"
    with conf(net, eipd, replace=[(old, f'kubeconfig: "{a}:{b}", '
                                   "context: prod")]):
        net.kube.apply(service("next"))
        reach(net, address_of(net, "next"))
    with conf(net, eipd, replace=[(old, f'kubeconfig: "{a}:{b}", '
                                   "context: missing")]):
        problem(eipd, 'context "missing" does not exist')
        reach(net, address)
        assert route(net, address)
    wait_for("connected", lambda: eipd.json(
        "/v1/status")["clusters"][0]["connected"])
