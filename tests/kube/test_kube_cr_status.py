# SPDX-License-Identifier: GPL-2.0-or-later
"""What kubectl shows of pools and sessions: the status that eipd writes,
with the rights of etc/manifests.yaml only."""
import json
import socket

import pytest

from lab import Eipd, wait_for
from test_kube_spine import CONF, delete, ingress, service
import objects

HOST = socket.gethostname()
PASSWORD = "not-for-everyone"


def fetch(net, what):
    return json.loads(net.kube.kubectl("get", what, "-o", "json"))


def status(net, what):
    return fetch(net, what).get("status", {})


def version(net, what):
    return fetch(net, what)["metadata"]["resourceVersion"]


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", net.kubeconfig))
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.eip("two", "203.0.113.8/31", protocol="passive"),
        objects.bgp_conf(), objects.bgp_peer(description="the router"),
        objects.bgp_peer("away", "10.91.0.77", authPassword=PASSWORD))
    e.start()
    yield e
    e.stop()


def test_pool(net, eipd):
    net.kube.apply(service("web"))
    wait_for("status", lambda: ingress(net, "web"))
    address, = ingress(net, "web")
    wait_for("usage", lambda: status(net, "eip/v4").get("usage") == 1)
    assert status(net, "eip/v4") == {
        "occupied": False, "usage": 1, "poolSize": 50,
        "used": {address: "default/web"}, "firstIP": "198.51.100.10",
        "lastIP": "198.51.100.59", "ready": True, "v4": True}
    header, line, _ = net.kube.kubectl(
        "get", "eip", "v4", "two").split("\n", 2)[:3]
    row = dict(zip(header.split(), line.split()))
    assert (row["USAGE"], row["TOTAL"]) == ("1", "50")


def test_pool_occupied_and_released(net, eipd):
    names = "a", "b"
    for name in names:
        net.kube.apply(service(name, annotations={"eipd.io/pool": "two"}))
    wait_for("occupied", lambda: status(net, "eip/two").get("occupied"))
    assert sorted(status(net, "eip/two")["used"].values()) == [
        "default/a", "default/b"]
    for name in names:
        delete(net, name)
    wait_for("released", lambda: status(net, "eip/two").get("usage") == 0)
    assert status(net, "eip/two").get("used", {}) == {}
    assert not status(net, "eip/two")["occupied"]


def test_bgp_conf(net, eipd):
    wait_for("status", lambda: status(net, "bgpconf/default").get(
        "nodesConfStatus") == {HOST: {"as": 64512, "routerId": "10.91.0.2"}})


def test_session(net, eipd):
    wait_for("session", lambda: net.session() == "Established")
    wait_for("status", lambda: status(net, "bgppeer/router"))
    seen = status(net, "bgppeer/router")["nodesPeerStatus"][HOST]
    assert seen["peerState"] == {
        "sessionState": "ESTABLISHED", "adminState": "UP",
        "neighborAddress": "10.91.0.1", "peerAs": 64500, "localAs": 64512,
        "description": "the router",
        "routerId": seen["peerState"]["routerId"]}
    assert seen["timersState"]["uptime"].endswith("Z")
    assert int(seen["timersState"]["negotiatedHoldTime"]) > 0


def test_session_down(net, eipd):
    """Also one that never was up, and its password stays a secret."""
    wait_for("status", lambda: status(net, "bgppeer/away"), 60)
    seen = status(net, "bgppeer/away")
    assert seen["nodesPeerStatus"][HOST]["peerState"][
        "sessionState"] == "ACTIVE"
    assert seen["message"]
    assert PASSWORD not in json.dumps(seen)
    assert PASSWORD not in eipd.text()


def test_restart_writes_nothing(net, eipd):
    quiet = "eip/v4", "eip/two", "bgpconf/default", "bgppeer/away"
    before = [version(net, o) for o in quiet]
    eipd.stop()
    eipd.start()
    eipd.wait_state("default", "web", "announced")
    # A session that came back is news.
    up = status(net, "bgppeer/router")["nodesPeerStatus"][HOST]
    wait_for("session", lambda: status(net, "bgppeer/router")[
        "nodesPeerStatus"][HOST]["timersState"].get("uptime") !=
        up["timersState"]["uptime"])
    # The next pass is over: what is not written by now never will be.
    net.kube.apply(objects.eip("next", "203.0.113.99"))
    wait_for("next pass", lambda: status(net, "eip/next"))
    assert [version(net, o) for o in quiet] == before


def test_other_gateways_are_left_alone(net, eipd):
    other = {"nodesConfStatus": {"gw-b": {"as": 1, "routerId": "192.0.2.1"}}}
    net.kube.kubectl("patch", "bgpconf", "default", "--subresource=status",
                     "--type=merge", "-p", json.dumps({"status": other}))
    net.kube.apply(objects.bgp_conf(routerId="10.91.0.3"))
    wait_for("ours", lambda: status(net, "bgpconf/default")[
        "nodesConfStatus"][HOST]["routerId"] == "10.91.0.3")
    assert "gw-b" in status(net, "bgpconf/default")["nodesConfStatus"]


def test_made_anew(net, eipd):
    net.kube.kubectl("delete", "eip", "two")
    net.kube.apply(objects.eip("two", "203.0.113.8/31", protocol="passive"))
    wait_for("status", lambda: status(net, "eip/two").get("poolSize") == 2)


def test_overlap_is_told(net, eipd):
    net.kube.apply(objects.eip("late", "198.51.100.20"))
    wait_for("message", lambda: "overlap" in
             status(net, "eip/late").get("message", ""))
    assert status(net, "eip/late")["ready"] is False


def test_missing_right_is_named(net, eipd):
    role = fetch(net, "clusterrole/eipd")
    less = json.loads(json.dumps(role))
    for rule in less["rules"]:
        if "eips/status" in rule["resources"]:
            rule["resources"].remove("eips/status")
    net.kube.kubectl("replace", "-f", "-", stdin=json.dumps(less))
    net.kube.apply(service("more"))
    wait_for("problem", lambda: [p for p in eipd.problems() if
                                 "eips/status" in p["text"]])
    wait_for("Services go on", lambda: ingress(net, "more"))
