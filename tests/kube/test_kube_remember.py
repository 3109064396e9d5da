# SPDX-License-Identifier: GPL-2.0-or-later
"""A start while the API server is away: the pools and peers that only the
cluster has are remembered, until it answers again."""
import contextlib
import os
import socket
import time

import pytest

from lab import NODES, Eipd, NftMonitor, wait_for
import objects
from test_kube_interface import (  # noqa: F401: `clean` is a fixture
    address_of, clean, problem, reach, route, unchanged)
from test_kube_spine import CONF, ingress, service

RESTART_S = 9
PASSWORD = "rosebud"


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", net.kubeconfig))
    net.reconfigure_bird(PASSWORD)
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.bgp_conf(gracefulRestart={"enabled": True,
                                          "restartTime": RESTART_S}),
        objects.bgp_peer(authPassword=PASSWORD))
    e.start()
    wait_for("session", lambda: net.session() == "Established")
    yield e
    e.stop()
    net.reconfigure_bird()


def cluster(eipd):
    return eipd.json("/v1/status")["clusters"][0]


def names(eipd, what):
    return [x["name"] for x in eipd.items(what)]


def start_alone(eipd, wrap=()):
    eipd.start(ready=False, wrap=wrap)
    wait_for("socket", lambda: eipd.get("/healthz")[0] == 200)


def back(net, eipd):
    net.kube.start_apiserver()
    net.restart_proxies()
    wait_for("ready", eipd.is_ready, 60)
    wait_for("connected", lambda: cluster(eipd)["connected"], 60)


def test_pools_and_peers_are_remembered(net, eipd):
    net.kube.apply(service("web"),
                   objects.eip("gone", "198.51.100.200-198.51.100.209"),
                   objects.bgp_peer("gone", "10.91.0.9"))
    address = address_of(net, "web")
    reach(net, address)
    eipd.wait_state("default", "web", "announced")
    wait_for("both peers", lambda: len(eipd.items("peers")) == 2)
    assert os.stat(eipd.database).st_mode & 0o777 == 0o600
    eipd.kill9()
    net.kube.kubectl("delete", "eip/gone", "bgppeer/gone", "--wait=true")
    net.kube.kill("kube-apiserver")
    killed = time.monotonic()
    try:
        with NftMonitor(net) as monitor, contextlib.closing(socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
            manager.bind(net.path("notify"))
            manager.settimeout(2 * RESTART_S)
            start_alone(eipd, ("env", f"NOTIFY_SOCKET={net.path('notify')}"))
            # Neither systemctl start nor dpkg waits for the API server.
            while manager.recv(4096) != b"READY=1":
                pass
            while time.monotonic() < killed + 2 * RESTART_S:
                assert route(net, address)
                assert net.get(address, 80)[0] in NODES
            assert net.session() == "Established"
            assert monitor.finish() == []
        assert eipd.get("/readyz")[0] == 503
        assert names(eipd, "pools") == ["gone", "v4"]
        assert names(eipd, "peers") == ["gone", "router"]
        assert cluster(eipd)["remembered"] == 5
        assert cluster(eipd)["staleSeconds"] >= RESTART_S
        p = problem(eipd, "remembered", "5 Eip, BgpConf and BgpPeer")
        assert time.strftime("since %Y-%m-%dT", time.gmtime()) in p["text"]
        assert "5 objects remembered" in eipd.ctl("status")[1]
    finally:
        back(net, eipd)
    wait_for("what was deleted is gone", lambda: (
        names(eipd, "pools"), names(eipd, "peers")) == (["v4"], ["router"]))
    assert cluster(eipd)["remembered"] == 0
    assert not [p for p in eipd.problems() if "remembered" in p["subject"]]
    assert net.session() == "Established" and route(net, address)
    assert ingress(net, "web") == [address]
    net.kube.apply(service("next"))
    reach(net, address_of(net, "next"))


def test_another_cluster_does_not_inherit(net, eipd):
    """Nor does it, while it is away, make what was there vanish."""
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    eipd.wait_state("default", "web", "announced")
    reach(net, address)
    eipd.stop()
    with open(net.kubeconfig) as f:
        text = f.read()
    other = net.write("other.kubeconfig", text.replace(":6443", ":6444"))
    assert text != open(other).read()
    eipd.set_conf(CONF.replace("KUBECONFIG", other))
    try:
        start_alone(eipd)
        assert not eipd.items("peers") and not eipd.items("pools")
        assert cluster(eipd)["remembered"] == 0
        assert net.get(address, 80)[0] in NODES
        eipd.stop()
    finally:
        eipd.set_conf(CONF.replace("KUBECONFIG", net.kubeconfig))
    net.kube.kill("kube-apiserver")
    try:
        start_alone(eipd)
        assert names(eipd, "pools") == ["v4"]
        wait_for("session", lambda: net.session() == "Established")
        unchanged(1, lambda: bool(route(net, address)))
    finally:
        back(net, eipd)


def lose_everything(net, eipd):
    """Neither database nor kernel knows anything any more."""
    eipd.stop()
    for suffix in "", "-wal", "-shm":
        with contextlib.suppress(FileNotFoundError):
            os.unlink(eipd.database + suffix)
    net.run("gw", "nft", "delete", "table", "inet", "eipd")


SIDE = objects.dump(objects.eip("side", "198.51.100.200-198.51.100.209"))


@pytest.fixture
def files(eipd):
    """A pool, and when called two Services; one of these asks for an
    address."""
    eipd.set_object("side", SIDE)
    yield lambda: eipd.set_object("services", objects.dump(
        *[objects.node(n) for n in NODES],
        objects.service("any", annotations={"eipd.io/pool": "side"}),
        objects.service("asks", annotations={
            "eipd.io/addresses": "198.51.100.205"})))
    eipd.set_object("services", None)
    eipd.set_object("side", None)
    wait_for("pool gone", lambda: "side" not in names(eipd, "pools"))


def test_files_ask_the_cluster_first(net, eipd, files):
    """With nothing left, what the status of a Service shows is in use."""
    net.kube.apply(service("web", annotations={"eipd.io/pool": "side"}))
    assert address_of(net, "web") == "198.51.100.200"
    lose_everything(net, eipd)
    files()
    net.kube.pause()
    try:
        start_alone(eipd)
        eipd.wait_state("default", "asks", "programmed")
    finally:
        net.kube.resume()
    s = eipd.wait_state("default", "any", "announced")
    assert s["addresses"] == ["198.51.100.201"]
    s = eipd.wait_state("default", "web", "announced")
    assert s["addresses"] == ingress(net, "web") == ["198.51.100.200"]


def test_files_do_not_wait_for_ever(net, eipd, files):
    lose_everything(net, eipd)
    net.kube.kill("kube-apiserver")
    try:
        files()
        start_alone(eipd)
        assert eipd.wait_state("default", "asks", "programmed")
        s = eipd.service("default", "any")
        assert (s["state"], s["reason"]) == ("pending", "FirstSync")
        assert not s["addresses"]
        eipd.wait_state("default", "any", "programmed", timeout=90)
    finally:
        back(net, eipd)
