# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers that misbehave: only their own session suffers, the user is told
why, and memory stays bounded."""
import contextlib
import socket
import struct
import threading
import time

import pytest

import objects
from lab import Eipd, inside, wait_for
from traffic import MEASURED, Hammer, rss_kb

BAD = "10.92.0.11"  # n1's address: a second router beside BIRD
BAD_AS = 64999
MARKER = b"\xff" * 16
OPEN, UPDATE, KEEPALIVE = 1, 2, 4
STALL_MS = 800  # sanitized; 50 otherwise
RSS_KB = 16 << 10


def message(kind, body=b"", length=None):
    size = 19 + len(body) if length is None else length
    return MARKER + struct.pack("!HB", size, kind) + body


def open_message(asn=BAD_AS, hold=9):
    caps = b"\x01\x04\x00\x01\x00\x01" + b"\x41\x04" + struct.pack("!I", asn)
    params = b"\x02" + bytes([len(caps)]) + caps
    return message(OPEN, struct.pack("!BHH4sB", 4, asn, hold,
                                     socket.inet_aton(BAD), len(params)) +
                   params)


def million_routes():
    """UPDATEs of a thousand /24 each."""
    path = b"\x02\x01" + struct.pack("!I", BAD_AS)
    attrs = (b"\x40\x01\x01\x00" + b"\x40\x02" + bytes([len(path)]) + path +
             b"\x40\x03\x04" + socket.inet_aton(BAD))
    out = []
    for block in range(1000):
        nlri = b"".join(b"\x18" + struct.pack("!I", (1 << 24) + (
            block * 1000 + i << 8))[:3] for i in range(1000))
        out.append(message(UPDATE, b"\x00\x00" + struct.pack(
            "!H", len(attrs)) + attrs + nlri))
    return b"".join(out)


class Speaker:
    """Listens on port 179 of n1; `act` has each connection to itself."""

    def __init__(self, net, act, rcvbuf=None):
        self.act = act
        self.connections = 0
        self.done = 0  # times that act() came to its end
        self.ending = threading.Event()
        with inside(net.ns("n1")):
            self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     rcvbuf)
        self.listener.bind((BAD, 179))
        self.listener.listen()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.ending.is_set():
            with contextlib.suppress(OSError):
                s, _ = self.listener.accept()
                with s:
                    self.connections += 1
                    s.settimeout(20)
                    self.act(self, s)
                    self.done += 1

    def keep_alive(self, s, seconds=60):
        end = time.monotonic() + seconds
        while not self.ending.wait(1) and time.monotonic() < end:
            s.send(message(KEEPALIVE))

    def drain(self, s):
        while not self.ending.is_set() and s.recv(65536):
            pass

    def close(self):
        self.ending.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def establish(s, asn=BAD_AS):
    s.send(open_message(asn) + message(KEEPALIVE))
    while message(KEEPALIVE) not in s.recv(4096):
        pass


def say(*messages):
    """After the session is up; then whatever eipd has to say is read."""
    def act(speaker, s):
        establish(s)
        s.send(b"".join(messages))
        speaker.drain(s)
    return act


def wrong_as(speaker, s):
    s.send(open_message(64998) + message(KEEPALIVE))
    speaker.drain(s)


def never_reads(speaker, s):
    s.send(open_message() + message(KEEPALIVE))
    speaker.keep_alive(s)


def flap(speaker, s):
    establish(s)
    speaker.ending.wait(1)


ROUTES = million_routes()


def many_routes(speaker, s):
    establish(s)
    s.sendall(ROUTES)
    speaker.done += 1
    speaker.keep_alive(s)


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, "routers")
    for name, text in objects.base().items():
        e.set_object(name, text)
    e.set_object("web", objects.dump(objects.service("web")))
    e.start(wrap=MEASURED)
    e.wait_state("default", "web", "announced")
    yield e
    e.stop()


def peer(eipd, name):
    found = [p for p in eipd.items("peers") if p["name"] == name]
    return found[0] if found else None


@contextlib.contextmanager
def bad_router(net, eipd, act, **options):
    """BIRD's session lasts and clients are served meanwhile."""
    wait_for("BIRD", lambda: net.session() == "Established" and
             net.route("198.51.100.10/32"))
    before, began = peer(eipd, "router"), time.monotonic()
    memory = rss_kb(eipd)
    speaker = Speaker(net, act, **options)
    eipd.set_object("bad", objects.dump(
        objects.bgp_peer("bad", BAD, BAD_AS)))
    try:
        with Hammer(net, ["198.51.100.10"]) as hammer:
            yield speaker
            hammer.wait_more()
        assert not hammer.failures
        after = peer(eipd, "router")
        assert after["state"] == "Established"
        assert after["sinceSeconds"] >= before["sinceSeconds"] + \
            time.monotonic() - began - 2
        assert net.session() == "Established"
        assert rss_kb(eipd) < memory + RSS_KB
        assert eipd.json("/v1/status")["loop"]["maxStallMs"] < STALL_MS
    finally:
        speaker.close()
        eipd.set_object("bad", None)
    wait_for("bad gone", lambda: not peer(eipd, "bad"))


@pytest.mark.parametrize("act, words", [
    (say(message(KEEPALIVE) + b"no BGP at all" * 9),
     "Connection Not Synchronized"),
    (say(message(KEEPALIVE, length=18)), "Bad Message Length"),
    (say(message(UPDATE, length=65535)), "Bad Message Length"),
    (say(message(77)), "Bad Message Type"),
    (wrong_as, "Bad Peer AS"),
], ids=["garbage", "length-18", "length-65535", "type-77", "wrong-as"])
def test_wrong_messages(net, eipd, act, words):
    with bad_router(net, eipd, act) as speaker:
        wait_for("it is told", lambda: words in (
            peer(eipd, "bad") or {"lastError": ""})["lastError"])
        # It may come back, but not without a break.
        wait_for("another attempt", lambda: speaker.connections > 1, 60)


def test_never_reads(net, eipd):
    with bad_router(net, eipd, never_reads, rcvbuf=2048):
        wait_for("up", lambda: peer(eipd, "bad") and
                 peer(eipd, "bad")["state"] == "Established")
        names = [f"s{i}" for i in range(30)]
        for _ in range(3):
            eipd.set_object("many", objects.dump(*(
                objects.service(n) for n in names)))
            for i in range(30):
                wait_for("route", lambda: net.route(f"198.51.100.{11 + i}/32"))
            eipd.set_object("many", None)
            for i in range(30):
                wait_for("withdrawn",
                         lambda: not net.route(f"198.51.100.{11 + i}/32"))


def test_flaps(net, eipd):
    with bad_router(net, eipd, flap) as speaker:
        wait_for("three times", lambda: speaker.done > 2, 60)
        assert "connection" in peer(eipd, "bad")["lastError"]


def test_million_routes(net, eipd):
    with bad_router(net, eipd, many_routes) as speaker:
        wait_for("all taken", lambda: speaker.done, 60)
        wait_for("up", lambda: peer(eipd, "bad")["state"] == "Established")
        wait_for("all read", lambda: updates_in(eipd) == 1000, 30)


def updates_in(eipd):
    line = 'eipd_bgp_updates_total{peer="bad",direction="in"} '
    return [int(float(x.split()[-1])) for x in
            eipd.get("/metrics")[1].splitlines() if x.startswith(line)][0]
