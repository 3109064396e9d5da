# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of the control socket and the http port that misbehave: the loop
never stalls, memory stays bounded and others are still answered."""
import contextlib
import http.client
import json
import random
import socket
import time

import pytest

import objects
from lab import Eipd, wait_for
from traffic import MEASURED, Hammer, rss_kb

CLIENTS = 1000
STALL_MS = 800  # sanitized; 50 otherwise
RSS_KB = 32 << 10
ANSWER_S = 2.0


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, "http")
    for name, text in objects.base().items():
        e.set_object(name, text)
    e.set_object("web", objects.dump(objects.service("web")))
    # Something to answer with.
    e.set_object("many", objects.dump(*(
        objects.service(f"many{i}", families=("IPv6",)) for i in range(200))))
    e.start(wrap=MEASURED)
    e.wait_state("default", "web", "announced")
    e.wait_state("default", "many199", "announced")
    yield e
    e.stop()


def unix(eipd):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(eipd.socket)
    return s


def tcp(eipd):
    return eipd.lab.connect("127.0.0.1", 9640, "gw", timeout=10)


@pytest.fixture(params=[unix, tcp], ids=["socket", "port"])
def door(request, eipd):
    """Opens a connection to one of the two ways in."""
    return lambda: request.param(eipd)


def answers(eipd, door):
    """Another client, on a connection of its own."""
    began = time.monotonic()
    c = http.client.HTTPConnection("eipd", timeout=10)
    with contextlib.closing(c):
        c.sock = door()
        c.request("GET", "/v1/status")
        r = c.getresponse()
        assert r.status == 200 and json.loads(r.read())["ready"]
    assert time.monotonic() - began < ANSWER_S


@pytest.fixture(autouse=True)
def bounded(net, eipd):
    memory = rss_kb(eipd)
    with Hammer(net, ["198.51.100.10"]) as hammer:
        yield
        hammer.wait_more()
    assert not hammer.failures
    assert rss_kb(eipd) < memory + RSS_KB
    assert eipd.json("/v1/status")["loop"]["maxStallMs"] < STALL_MS
    assert eipd.ctl("status")[0] == 0


def test_idle_clients(eipd, door):
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(door())
        for _ in range(5):
            answers(eipd, door)


def test_slow_senders(eipd, door):
    """One octet at a time, from many."""
    request = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(door()) for _ in range(50)]
        for i in range(len(request)):
            for s in clients:
                s.sendall(request[i:i + 1])
            if i % 10 == 0:
                answers(eipd, door)
        for s in clients:
            assert s.recv(64).startswith(b"HTTP/1.1 200")


def test_slow_readers(eipd, door):
    """They ask for all there is, and take none of it."""
    request = b"GET /v1/services HTTP/1.1\r\nHost: x\r\n\r\n" * 50
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            s = stack.enter_context(door())
            s.settimeout(1)
            with contextlib.suppress(OSError):
                s.sendall(request)
        for _ in range(5):
            answers(eipd, door)


@pytest.mark.parametrize("head", [
    b"POST /v1/reserve HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n"
    b"\r\n",
    b"POST /v1/reserve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"\r\nA00000\r\n",
    b"GET /v1/services?name=", b"GET / HTTP/1.1\r\nX: "],
    ids=["body", "chunked", "path", "header"])
def test_large_requests(eipd, door, head):
    with door() as s:
        got = b""
        with contextlib.suppress(OSError):
            s.sendall(head)
            for _ in range(160):
                s.sendall(b"x" * 65536)
        with contextlib.suppress(OSError):
            got = s.recv(64)
        assert got[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 411",
                            b"HTTP/1.1 413", b"HTTP/1.1 414", b"HTTP/1.1 431",
                            b"HTTP/1.1 501"), got
        answers(eipd, door)


def test_garbage(eipd, door):
    rnd = random.Random(1)
    for _ in range(200):
        with door() as s, contextlib.suppress(OSError):
            s.sendall(rnd.randbytes(rnd.randint(1, 3000)) + b"\r\n\r\n")
            if rnd.random() < 0.5:
                assert s.recv(64)[:9] in (b"HTTP/1.1 ", b"HTTP/1.0 ", b"")
    answers(eipd, door)


def test_pipelined(eipd, door):
    """A hundred at once, answered in order."""
    with door() as s:
        paths = ["/healthz" if i % 2 else "/v1/nothing" for i in range(100)]
        s.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" %
                           p.encode() for p in paths))
        f = s.makefile("rb")
        for path in paths:
            line = f.readline()
            assert line.startswith(b"HTTP/1.1 200" if path == "/healthz"
                                   else b"HTTP/1.1 404"), line
            size = 0
            while line := f.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            f.read(size)
    answers(eipd, door)


def test_event_readers_that_sleep(eipd):
    """Streams that nobody reads, while much happens."""
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            s = stack.enter_context(unix(eipd))
            s.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        for i in range(3):
            eipd.set_object("flip", objects.dump(*(
                objects.service(f"flip{k}", families=("IPv6",))
                for k in range(40))))
            eipd.wait_state("default", "flip39", "announced")
            eipd.set_object("flip", None)
            wait_for("gone", lambda: not eipd.service("default", "flip39"))
        answers(eipd, lambda: unix(eipd))
