# SPDX-License-Identifier: GPL-2.0-or-later
"""An API server that misbehaves: what is served stays as it is, nothing is
written, the user is told, and it goes on as soon as the server does."""
import contextlib
import json
import time

import pytest

from faultserver import Cut, FaultServer, status
from lab import Eipd, NftMonitor, Stream, wait_for
import objects
from test_kube_cr_status import fetch
from test_kube_interface import address_of, problem, reach, route
from test_kube_spine import CONF, delete, ingress, service
from traffic import Hammer

RECOVERY_S = 12  # the longest pause between two attempts, and some


@pytest.fixture(scope="module")
def server(net):
    s = FaultServer(net)
    yield s
    s.close()


@pytest.fixture(scope="module")
def eipd(net, server):
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", server.kubeconfig()))
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.bgp_conf(), objects.bgp_peer())
    e.start()
    wait_for("session", lambda: net.session() == "Established")
    yield e
    e.stop()


@pytest.fixture(scope="module")
def web(net, eipd):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    reach(net, address)
    eipd.wait_state("default", "web", "announced")
    return address


@pytest.fixture(autouse=True)
def clean(net, eipd, server):
    yield
    server.clear()
    delete(net, "next")


def cluster_of(eipd):
    return eipd.json("/v1/status")["clusters"][0]


def nudge(net, text):
    """A change of web that changes nothing here."""
    net.kube.kubectl("patch", "service", "web", "--type=merge", "-p",
                     json.dumps({"metadata": {"annotations": {
                         "nudge": text}}}))


@contextlib.contextmanager
def calm(net, eipd, server, web):
    """Meanwhile web is served as before and nothing is written; afterwards
    the news comes soon."""
    wait_for("the Eip's status rests", lambda: fetch(
        net, "eip/v4").get("status", {}).get("used") == {web: "default/web"})
    at = len(server.log)
    with NftMonitor(net) as monitor, Hammer(net, [web]) as hammer:
        transfer = Stream(net, web, 80, seconds=2)
        hammer.wait_more()
        yield
        hammer.wait_more()
        server.clear()
        began = time.monotonic()
        wait_for("connected", lambda: cluster_of(eipd)["connected"],
                 RECOVERY_S)
        kernel = monitor.finish()
    transfer.finish()
    assert not hammer.failures
    assert kernel == []
    assert server.writes(at) == []
    assert ingress(net, "web") == [web]
    assert route(net, web)
    net.kube.apply(service("next"))
    wait_for("status of next", lambda: ingress(net, "next"),
             RECOVERY_S - (time.monotonic() - began))
    delete(net, "next")
    wait_for("next gone", lambda: not eipd.service("default", "next"))
    wait_for("no complaint left", lambda: not [
        p for p in eipd.problems() if p["subject"] != "nodes"], RECOVERY_S)


# Answers to a watch


def event(kind, thing):
    return json.dumps({"type": kind, "object": thing}).encode() + b"\n"


def gone_status(x):
    x.reply(410, status(410, "Expired", "too old resource version: 1 (2)"))


def gone_event(x):
    x.begin()
    x.send(event("ERROR", status(410, "Expired",
                                 "too old resource version: 1 (2)")))
    x.end()


def busy(x):
    x.reply(429, "Too many requests, please try again later.\n", "text/plain",
            Retry_After="1")


def login_page(x):
    x.reply(200, "<!DOCTYPE html>\n<html><title>Login</title></html>\n",
            "text/html")


def bad_gateway(x):
    x.reply(502, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n",
            "text/html")


def hang_up(x):
    raise Cut


def cut_in(mark, inside):
    def fault(x):
        for line in x.lines():
            at = line.find(mark)
            if at >= 0:
                x.send(line[:at + inside])
                raise Cut
            x.send(line)
    return fault


def slow(x):
    """The first octets of each event one by one, as through a thin pipe."""
    for line in x.lines():
        for i in range(len(line)):
            x.send(line[i:i + 1])
            if i < 10:
                time.sleep(0.1)


def repeated(x):
    for line in x.lines():
        for _ in range(3):
            x.send(line)


def swapped(x):
    held = b""
    for line in x.lines():
        x.send(line)
        x.send(held)
        held = b"" if held else line


def deleted_before(x):
    """A deletion of long ago comes late."""
    for line in x.lines():
        x.send(line)
        thing = json.loads(line)["object"]
        thing["metadata"]["resourceVersion"] = "5"
        x.send(event("DELETED", thing))


def backwards(x):
    x.begin()
    x.send(event("BOOKMARK", {"metadata": {"resourceVersion": "2"}}))
    for line in x.lines():
        x.send(line)


@pytest.mark.parametrize("fault, text, words", [
    (gone_status, "", ()),
    (gone_event, "", ()),
    (busy, "", ("429", "Too many requests")),
    (login_page, "", ("no Kubernetes list or watch",)),
    (bad_gateway, "", ("502",)),
    (hang_up, "", ("10.92.0.20:7443",)),
    (cut_in(b'"spec"', 3), "cut", ()),
    (cut_in("ü".encode(), 1), "grün", ()),
    (cut_in(b"\\u0000", 4), "a\u0000b", ()),
    (slow, "slow", ()),
    (repeated, "again", ()),
    (swapped, "first", ()),
    (deleted_before, "still there", ()),
    (backwards, "", ()),
], ids=["410", "410-event", "429", "html", "502", "hang-up", "cut-object",
        "cut-utf8", "cut-escape", "slow", "repeated", "out-of-order",
        "old-deletion", "back-in-time"])
def test_watch(net, eipd, server, web, fault, text, words):
    with calm(net, eipd, server, web):
        server.fault("watch", "services", fault)
        server.cut("watch", "services")
        server.wait_given("watch", "services")
        at = len(server.log)
        if text:
            nudge(net, text)
            nudge(net, text + " 2")
        if words:
            problem(eipd, "API server", *words)
        if fault not in (slow, repeated):
            server.wait_given("watch", "services", 2)
            # Not in a hot loop.
            assert len(server.seen("list", "services", at)) < 5
    # The rest was not touched by it.
    assert cluster_of(eipd)["staleSeconds"] == 0
