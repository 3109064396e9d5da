# SPDX-License-Identifier: GPL-2.0-or-later
"""An API server that answers nonsense, a kubeconfig that is none, and a start
without the API server: one clear line, and the rest serves on."""
import contextlib
import json
import os
import time

import pytest

from lab import NODES, NftMonitor, wait_for
import objects
from shim import Shim
from test_kube_interface import (  # noqa: F401: two are fixtures
    address_of, clean, conf, eipd, load, problem, reach, route, unchanged)
from test_kube_spine import CONF, ingress, service


BAD_SERVER = """\
import socketserver, sys
ANSWER = {
    "html": b"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\n"
            b"Content-Length: 26\\r\\n\\r\\n<html><b>Login</b></html>\\n",
    "cut": b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n"
           b"Content-Length: 9999\\r\\n\\r\\n"
           b'{"kind":"List","apiVersion":"v1","metadata":'
           b'{"resourceVersion":"7"},"items":[{"metadata":{"na',
    "busy": b"HTTP/1.1 429 Too Many Requests\\r\\nRetry-After: 1\\r\\n"
            b"Content-Type: text/plain\\r\\nContent-Length: 18\\r\\n\\r\\n"
            b"Too many requests\\n",
    "empty": b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n"
             b"Content-Length: 3\\r\\n\\r\\n{}\\n",
}[sys.argv[1]]
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(ANSWER)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(("10.92.0.20", 8081), Handler).serve_forever()
"""


def wrong_kubeconfig(net, what):
    c = load(net.kubeconfig)
    if what == "token":
        c["users"][0]["user"]["token"] = "wrong"
    else:
        c["clusters"][0]["cluster"] = {"server": "http://10.92.0.20:8081"}
    return net.write(f"{what}.kubeconfig", json.dumps(c))


def serves_on(net, eipd, address):
    """What was there goes on, and files are still taken."""
    eipd.set_object("side", objects.dump(
        objects.eip("side", "198.51.100.200-198.51.100.201")))
    try:
        wait_for("pool of a file", lambda: [
            p for p in eipd.items("pools") if p["name"] == "side"])
    finally:
        eipd.set_object("side", None)
    assert net.get(address, 80)[0] in NODES
    assert route(net, address)
    assert eipd.service("default", "web")


@pytest.mark.parametrize("what, words", [
    ("html", ("no Kubernetes list",)), ("cut", ("10.92.0.20:8081",)),
    ("busy", ("429", "Too many requests")),
    ("empty", ("no Kubernetes list",)),
    ("token", ("Unauthorized",))])
@pytest.mark.parametrize("when", ["reload", "start"])
def test_bad_server(net, eipd, what, words, when):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    reach(net, address)
    eipd.wait_state("default", "web", "announced")
    server = None
    if what != "token":
        server = net.spawn("api", "python3", "-c", BAD_SERVER, what,
                           log="bad-server.log")
    path = wrong_kubeconfig(net, what)
    old = net.kubeconfig
    at = len(eipd.text())
    try:
        if when == "start":
            eipd.stop()
            eipd.set_conf(CONF.replace("KUBECONFIG", path))
            eipd.start(ready=False)
            wait_for("socket", lambda: eipd.get("/healthz")[0] == 200)
        else:
            eipd.set_conf(CONF.replace("KUBECONFIG", path))
            assert eipd.ctl("reload")[0] == 0
        p = problem(eipd, "API server", *words)
        assert "\n" not in p["text"] and len(p["text"]) < 600
        serves_on(net, eipd, address)
        lines = [x for x in eipd.text()[at:].splitlines()
                 if "warn" in x.lower() or "err" in x.lower()]
        assert len(lines) < 40, lines
    finally:
        if server:
            net.stop(server)
        eipd.set_conf(CONF.replace("KUBECONFIG", old))
        assert eipd.ctl("reload")[0] == 0
    wait_for("connected", lambda: eipd.json(
        "/v1/status")["clusters"][0]["connected"], 60)
    wait_for("ready", eipd.is_ready, 60)
    assert ingress(net, "web") == [address]


@pytest.mark.parametrize("text, words", [
    ("%PDF-1.4 \x01\x02", ()), ("", ()), ("[]", ()), ("a: [", ()),
    (None, ("No such file",))])
def test_garbage_kubeconfig(net, eipd, text, words):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    reach(net, address)
    path = net.path("garbage.kubeconfig")
    if text is not None:
        net.write("garbage.kubeconfig", text)
    elif os.path.exists(path):
        os.unlink(path)
    with conf(net, eipd, replace=[(net.kubeconfig, path)]):
        p = problem(eipd, "garbage.kubeconfig", *words)
        assert "\n" not in p["text"]
        serves_on(net, eipd, address)
    wait_for("connected", lambda: eipd.json(
        "/v1/status")["clusters"][0]["connected"], 60)


def test_start_without_the_api_server(net, eipd):
    """Kernel and database are there: traffic and route stay meanwhile, with
    pool and peers from a file too."""
    eipd.set_object("bgp", objects.dump(
        objects.bgp_conf(), objects.bgp_peer(),
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True)))
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    reach(net, address)
    eipd.wait_state("default", "web", "announced")
    eipd.stop()
    net.kube.kill("kube-apiserver")
    try:
        with NftMonitor(net) as monitor:
            eipd.start(ready=False)
            wait_for("socket", lambda: eipd.get("/readyz")[0] == 503)
            assert "FirstSync" in eipd.get("/readyz")[1]
            problem(eipd, "10.92.0.20")
            wait_for("session", lambda: net.session() == "Established", 40)
            unchanged(5, lambda: net.get(address, 80)[0] in NODES,
                      lambda: bool(route(net, address)))
            assert monitor.finish() == []
    finally:
        eipd.set_object("bgp", None)
        net.kube.start_apiserver()
        net.restart_proxies()
    wait_for("ready", eipd.is_ready, 60)
    eipd.wait_state("default", "web", "announced")
    assert ingress(net, "web") == [address]
    net.kube.apply(service("next"))
    address_of(net, "next")


# Started before the world is there: what is remembered serves, and nobody has
# to do anything once it is.


def serves_without_and_recovers(net, eipd, wrap, words, mend):
    net.kube.apply(service("web"))
    address = address_of(net, "web")
    wait_for("every kube-proxy knows it", lambda: net.spread(address, 80, 30), 60)
    eipd.wait_state("default", "web", "announced")
    eipd.stop()
    with NftMonitor(net) as monitor:
        eipd.start(ready=False, wrap=wrap)
        wait_for("socket", lambda: eipd.get("/readyz")[0] == 503)
        assert "FirstSync: the API server" in eipd.get("/readyz")[1]
        problem(eipd, "API server", *words)
        wait_for("session", lambda: net.session() == "Established", 40)
        unchanged(3, lambda: net.get(address, 80)[0] in NODES,
                  lambda: bool(route(net, address)),
                  lambda: eipd.get("/healthz")[0])
        assert monitor.finish() == []
    mend()
    wait_for("ready", eipd.is_ready, 60)
    assert eipd.wait_state("default", "web", "announced")[
        "addresses"] == [address]
    assert not [p for p in eipd.problems() if p["subject"] == "API server"]


NAME_SERVER = r"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.92.0.20", 53))
while True:
    asked, peer = s.recvfrom(512)
    end = asked.index(b"\0", 12) + 5
    a = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\x5c\0\x14" \
        if asked[end - 4:end] == b"\0\1\0\1" else b""
    s.sendto(asked[:2] + b"\x81\x80\0\1\0" + (b"\1" if a else b"\0") +
             b"\0\0\0\0" + asked[12:end] + a, peer)
"""


def test_start_without_the_name_server(net, eipd):
    c = load(net.kubeconfig)
    at = c["clusters"][0]["cluster"]
    port = at["server"].rpartition(":")[2]
    at.update({"server": f"https://api.example.test:{port}",
               "tls-server-name": "kubernetes.default.svc"})
    path = net.write("named.kubeconfig", json.dumps(c))
    resolv = net.write("resolv.conf", "nameserver 10.92.0.20\n"
                       "options timeout:1 attempts:1\n")
    wrap = ("unshare", "-m", "sh", "-c",
            'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv)

    def start_name_server():
        return net.spawn("api", "python3", "-c", NAME_SERVER, log="dns.log")
    with contextlib.ExitStack() as stack:
        first = start_name_server()
        stack.callback(lambda: (eipd.stop(), eipd.set_conf(
            CONF.replace("KUBECONFIG", net.kubeconfig)), eipd.start()))
        eipd.stop()
        eipd.set_conf(CONF.replace("KUBECONFIG", path))
        eipd.start(wrap=wrap)

        def mend():
            stack.callback(net.stop, start_name_server())
        net.stop(first)
        serves_without_and_recovers(
            net, eipd, wrap, ("api.example.test", "no such host"), mend)


def test_start_before_the_clock_is_right(net, eipd):
    """A box without a battery: certificates are of the future in 1970."""
    shim = Shim(net)
    shim.set(clock_us=-(int(time.time()) - 864000) * 1000000)
    try:
        serves_without_and_recovers(
            net, eipd, shim.wrap(),
            ("certificate", "not yet valid", "check the clock"), shim.set)
        assert "notice clock: set by +" in eipd.text()
    finally:
        eipd.stop()
        eipd.start()
