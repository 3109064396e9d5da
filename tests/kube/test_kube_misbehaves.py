# SPDX-License-Identifier: GPL-2.0-or-later
"""An API server that misbehaves: what is served stays as it is, nothing is
written, the user is told, and it goes on as soon as the server does."""
import contextlib
import http.client
import json
import os
import socket
import time

import pytest

from faultserver import Cut, FaultServer, status
from kubelab import MANIFESTS
from lab import Eipd, NftMonitor, Stream, wait_for
import objects
from test_kube_cr_status import fetch
from test_kube_interface import address_of, problem, route
from test_kube_spine import CONF, delete, ingress, service
from traffic import Hammer

RECOVERY_S = 12  # the longest pause between two attempts, and some


def token_of(net):
    return net.kube.kubectl("create", "token", "eipd", "-n", "eipd-system",
                            "--duration=24h")


@pytest.fixture(scope="module")
def server(net):
    s = FaultServer(net)
    yield s
    s.close()


@pytest.fixture(scope="module")
def eipd(net, server):
    net.write("token", token_of(net))
    path = server.kubeconfig(tokenFile=net.path("token"))
    e = Eipd(net, conf=CONF.replace("KUBECONFIG", path))
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
    wait_for("every kube-proxy knows it",
             lambda: all(net.spread(address, 80, 30).values()), 60)
    eipd.wait_state("default", "web", "announced")
    return address


@pytest.fixture(autouse=True)
def clean(net, eipd, server):
    yield
    server.clear()
    delete(net, "next")


def cluster_of(eipd):
    return eipd.json("/v1/status")["clusters"][0]


def metric(eipd, name, resource):
    line = f'{name}{{resource="{resource}"}} '
    return [int(float(x[len(line):])) for x in
            eipd.get("/metrics")[1].splitlines() if x.startswith(line)][0]


def events(eipd, resource):
    return metric(eipd, "eipd_kube_watch_events_total", resource)


def restarts(eipd):
    return [metric(eipd, "eipd_kube_watch_restarts_total", r)
            for r in RESOURCES]


def nudge(net, text):
    """A change of web that changes nothing here."""
    net.kube.kubectl("patch", "service", "web", "--type=merge", "-p",
                     json.dumps({"metadata": {"annotations": {
                         "nudge": text}}}))


@contextlib.contextmanager
def calm(net, eipd, server, web, writes=()):
    """Meanwhile web is served as before and nothing but `writes` is written;
    afterwards the news comes soon."""
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
    assert server.writes(at) == list(writes)
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


# Answers to a list


def once(fault):
    return lambda x: x.forward() if x.n else fault(x)


def empty(x):
    answer = json.loads(x.ask().read())
    answer["items"] = []
    x.reply(200, answer)


def outdated(x):
    answer = json.loads(x.ask().read())
    answer["items"] = []
    answer["metadata"]["resourceVersion"] = "3"
    x.reply(200, answer)


def cut_list(x):
    body = x.ask().read()
    x.begin()
    x.send(body[:body.index(b'"spec"')])
    raise Cut


def no_list(x):
    x.reply(200, {})


@pytest.mark.parametrize("fault, words", [
    (busy, ("429", "Too many requests")),
    (no_list, ("no Kubernetes list",)),
    (cut_list, ("10.92.0.20:7443",)), (gone_status, ())],
    ids=["429", "braces", "cut", "410"])
def test_list(net, eipd, server, web, fault, words):
    with calm(net, eipd, server, web):
        server.fault("list", "services", fault)
        server.fault("watch", "services", once(gone_event))
        server.cut("watch", "services")
        if words:
            problem(eipd, "API server", *words)
        server.wait_given("list", "services", 2)


RESOURCES = ("services", "endpointslices", "nodes", "namespaces", "eips",
             "bgpconfs", "bgppeers")


@pytest.mark.parametrize("fault", [empty, outdated],
                         ids=["empty", "outdated"])
def test_list_that_is_wrong_once(net, eipd, server, web, fault):
    with calm(net, eipd, server, web):
        for r in RESOURCES:
            server.fault("list", r, once(fault))
            server.fault("watch", r, once(gone_event))
        server.cut()
        for r in RESOURCES:
            server.wait_given("list", r, 2)


def uptime(net):
    """Of the session, as its object has it; None if it has not."""
    found = fetch(net, "bgppeer/router").get("status", {}).get(
        "nodesPeerStatus", {}).get(socket.gethostname(), {})
    return found.get("timersState", {}).get("uptime")


def test_start_with_empty_lists(net, eipd, server, web):
    """The session is a new one, which its object is told."""
    before = uptime(net)
    with calm(net, eipd, server, web, [
            ("patch", "/apis/network.kubesphere.io/v1alpha2/bgppeers/router"
             "/status?fieldManager=eipd")]):
        eipd.stop()
        for r in RESOURCES:
            server.fault("list", r, once(empty))
        eipd.start()
        wait_for("session", lambda: net.session() == "Established")
        eipd.wait_state("default", "web", "announced")
        wait_for("the session's status", lambda: uptime(net) != before)


# Large events


def large(size_b):
    """Events of web carry an annotation of that size."""
    def fault(x):
        for line in x.lines():
            e = json.loads(line)
            if e["object"]["metadata"]["name"] == "web":
                e["object"]["metadata"]["annotations"]["large"] = "x" * size_b
            x.send(json.dumps(e).encode() + b"\n")
    return fault


@pytest.mark.parametrize("size_b, words", [
    (3 << 20, ()), (16 << 20, ("default/web", "larger than 4 MiB"))],
    ids=["below", "above"])
def test_large_event(net, eipd, server, web, size_b, words):
    with calm(net, eipd, server, web):
        server.fault("watch", "services", large(size_b))
        server.cut("watch", "services")
        server.wait_given("watch", "services")
        seen = events(eipd, "services")
        nudge(net, f"large {size_b}")
        wait_for("the event", lambda: events(eipd, "services") > seen)
        if words:
            problem(eipd, *words)
        # Sanitized and on a busy machine; 50 ms elsewhere.
        assert eipd.json("/v1/status")["loop"]["maxStallMs"] < 800
        nudge(net, "small again")
        server.clear()
        server.cut("watch", "services")
        nudge(net, "smaller")


# Versions that cannot be used


def unusable(x):
    """Each later version of next."""
    for line in x.lines():
        e = json.loads(line)
        thing = e["object"]
        if e["type"] == "MODIFIED" and thing["metadata"]["name"] == "next":
            thing["spec"]["ports"][0]["port"] = 0
        x.send(json.dumps(e).encode() + b"\n")


def test_refused_and_then_deleted(net, eipd, server, web):
    server.fault("watch", "services", unusable)
    server.cut("watch", "services")
    server.wait_given("watch", "services")
    net.kube.apply(service("next"))
    wait_for("status of next", lambda: ingress(net, "next"))
    address = ingress(net, "next")[0]
    problem(eipd, "default/next", "port: missing")
    assert route(net, address)
    delete(net, "next")
    wait_for("next gone", lambda: not eipd.service("default", "next"))
    wait_for("no route", lambda: not route(net, address))
    wait_for("no complaint left", lambda: not [
        p for p in eipd.problems() if p["subject"] != "nodes"])


# Status writes


@pytest.mark.parametrize("fault, state, words", [
    (busy, "pending", "429"), (login_page, "announced", ""),
    (hang_up, "pending", "10.92.0.20:7443")],
    ids=["429", "html", "hang-up"])
def test_status_write(net, eipd, server, web, fault, state, words):
    """Served meanwhile, and the status follows."""
    at = len(server.log)
    server.fault("patch", "services", fault)
    net.kube.apply(service("next"))
    next_ = eipd.wait_state("default", "next", state)
    assert next_["reason"] == ("ApiServer" if state == "pending" else "")
    address, = next_["addresses"]
    server.wait_given("patch", "services", 2)
    assert net.get(address, 80)
    assert route(net, address)
    wait_for("told", lambda: words in
             eipd.ctl("explain", "default/next")[1])
    assert len(server.seen("patch", "services", at)) < 5
    server.clear()
    assert wait_for("status", lambda: ingress(net, "next"),
                    RECOVERY_S) == [address]
    assert eipd.wait_state("default", "next", "announced")
    assert ingress(net, "web") == [web]


def test_writes_after_an_outage(net, eipd, server, web):
    """Who waits longer and longer waits no longer once the watches are back."""
    server.fault("patch", "services", hang_up)
    net.kube.apply(service("next"))
    server.wait_given("patch", "services", 5)
    server.clear()
    server.cut()
    assert wait_for("status", lambda: ingress(net, "next"), 3)


# Credentials and rights


def is_refused(server, token):
    c = http.client.HTTPSConnection("api")
    c.sock = server.connect()
    with contextlib.closing(c):
        c.request("GET", "/api/v1/services?limit=1",
                  headers={"Authorization": "Bearer " + token.strip()})
        return c.getresponse().status == 401


def test_token_replaced(net, eipd, server, web):
    """The account is made anew: what eipd has is worth nothing any more."""
    with open(net.path("token")) as f:
        old = f.read()
    with calm(net, eipd, server, web):
        for verb in "delete", "create":
            net.kube.kubectl(verb, "serviceaccount", "eipd", "-n",
                             "eipd-system")
        # The API server remembers a good token for 10 s.
        wait_for("the old one is refused", lambda: is_refused(server, old))
        server.cut()
        problem(eipd, "API server", "Unauthorized")
        net.write("token", token_of(net))


@pytest.fixture
def role(net):
    """Changes the verbs of a resource; all is well again afterwards."""
    def change(verb, resource, how):
        text = net.kube.kubectl("get", "clusterrole", "eipd", "-o", "json")
        the_role = json.loads(text)
        for rule in the_role["rules"]:
            if resource in rule["resources"]:
                getattr(rule["verbs"], how)(verb)
                rule["verbs"] = rule["verbs"] or ["get"]
        net.kube.kubectl("replace", "-f", "-", stdin=json.dumps(the_role))
        resource, _, sub = resource.partition("/")
        sub = ["--subresource=" + sub] if sub else []

        def is_known():
            try:
                net.kube.kubectl(
                    "auth", "can-i", verb, resource, "-A", *sub,
                    "--as=system:serviceaccount:eipd-system:eipd")
            except RuntimeError:
                return how == "remove"
            return how == "append"
        wait_for("known to the authorizer", is_known)
    yield change
    with open(MANIFESTS) as f:
        net.kube.kubectl("apply", "-f", "-", stdin=f.read())


def test_right_lost_and_regained(net, eipd, server, web, role):
    with calm(net, eipd, server, web):
        role("watch", "services", "remove")
        server.cut("watch", "services")
        p = problem(eipd, "API server", "cannot watch services")
        assert "eipctl manifests" in p["text"] + p["remedy"]
        role("watch", "services", "append")
        assert eipd.ctl("reload")[0] == 0


def test_right_to_write_lost_and_regained(net, eipd, server, web, role):
    at = len(server.log)
    role("patch", "services/status", "remove")
    net.kube.apply(service("next"))
    next_ = eipd.wait_state("default", "next", "pending")
    assert next_["reason"] == "ApiServer"
    address, = next_["addresses"]
    wait_for("told", lambda: "cannot patch services/status" in
             eipd.ctl("explain", "default/next")[1])
    assert len(server.seen("patch", "services", at)) < 3
    role("patch", "services/status", "append")
    assert eipd.ctl("reload")[0] == 0
    assert wait_for("status", lambda: ingress(net, "next"),
                    RECOVERY_S) == [address]


def test_client_certificate_replaced(net, eipd, server, web):
    def issue(name):
        net.kube._sign(name, "/CN=eipd-by-certificate",
                       "extendedKeyUsage=clientAuth")
        return [(net.kube.dir / "pki" / f"{name}.{end}").read_text()
                for end in ("crt", "key")]
    old, new = issue("first"), issue("second")
    net.kube.kubectl("create", "clusterrolebinding", "by-certificate",
                     "--clusterrole=eipd", "--user=eipd-by-certificate")
    crt, key = (net.write(f"eipd.{end}", text)
                for end, text in zip(("crt", "key"), old))
    with open(net.kubeconfig) as f:
        config = json.load(f)
    config["users"][0]["user"] = {"client-certificate": crt,
                                  "client-key": key}
    before = CONF.replace("KUBECONFIG", net.path("proxy.kubeconfig"))
    with calm(net, eipd, server, web):
        eipd.set_conf(CONF.replace("KUBECONFIG", net.write(
            "by-certificate.kubeconfig", json.dumps(config))))
        try:
            assert eipd.ctl("reload")[0] == 0
            wait_for("connected", lambda: cluster_of(eipd)["connected"])
            lists = restarts(eipd)
            # The key first: for a moment the two do not belong together.
            net.write("eipd.key", new[1])
            eipd.ctl("reload")
            p = problem(eipd, "API server", "key")
            assert "\n" not in p["text"]
            net.write("eipd.crt", new[0])
            assert eipd.ctl("reload")[0] == 0
            wait_for("connected", lambda: cluster_of(eipd)["connected"])
            wait_for("no complaint", lambda: not [
                p for p in eipd.problems() if "key" in p["text"]])
            seen = events(eipd, "services")
            nudge(net, "with the new one")
            wait_for("news", lambda: events(eipd, "services") > seen)
            assert restarts(eipd) == lists
        finally:
            eipd.set_conf(before)
            assert eipd.ctl("reload")[0] == 0


def test_kubeconfig_of_another_server(net, eipd, server, web):
    """Nothing answers there; the right one is found without being asked."""
    before = CONF.replace("KUBECONFIG", net.path("proxy.kubeconfig"))
    with open(net.path("proxy.kubeconfig")) as f:
        good = f.read()
    config = json.loads(good)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    with calm(net, eipd, server, web):
        eipd.set_conf(CONF.replace("KUBECONFIG", net.write(
            "other.kubeconfig", json.dumps(config))))
        try:
            assert eipd.ctl("reload")[0] == 0
            problem(eipd, "API server", "127.0.0.1:9")
            net.write("other.kubeconfig", good)
            wait_for("connected", lambda: cluster_of(eipd)["connected"])
        finally:
            eipd.set_conf(before)
            assert eipd.ctl("reload")[0] == 0


# Silence


@pytest.mark.skipif(not os.environ.get("EIPD_FULL"),
                    reason="takes 3 minutes; scripts/check --full")
def test_silence(net, eipd, server, web):
    """A watch that is open and says nothing, not even a bookmark."""
    def silent(x):
        for _ in x.lines():
            pass
    server.fault("watch", "services", once(silent))
    server.cut("watch", "services")
    server.wait_given("watch", "services")
    with Hammer(net, [web]) as hammer:
        net.kube.apply(service("next"))
        wait_for("seen at last", lambda: ingress(net, "next"), 170)
    assert not hammer.failures
    assert ingress(net, "web") == [web]
