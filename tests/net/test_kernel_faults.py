# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel or a disk that refuses, and a clock that jumps: what is served
goes on."""
import contextlib
import errno
import os
import time

import pytest

import objects
from lab import Eipd, NftMonitor, Stream, wait_for
from shim import NOT_SENT, REFUSED, UNANSWERED, Shim
from test_spine import ask_again, open_flow_to, problem, wait_backends
from traffic import Hammer

ADDRESS = "198.51.100.10"
DAY_US = 86400 * 1000000


@pytest.fixture(scope="module")
def shim(net):
    return Shim(net)


@pytest.fixture(scope="module")
def eipd(net, shim):
    e = Eipd(net, "kernel")
    for name, text in objects.base().items():
        e.set_object(name, text)
    e.set_object("web", objects.dump(objects.service("web")))
    e.start(wrap=shim.wrap())
    yield e
    e.stop()


@pytest.fixture
def served(net, eipd, shim):
    """web, through all of it."""
    eipd.wait_state("default", "web", "announced")
    wait_for("route", lambda: net.route(f"{ADDRESS}/32"))
    with Hammer(net, [ADDRESS]) as hammer:
        transfer = Stream(net, ADDRESS, 80, seconds=2)
        hammer.wait_more()
        yield
        hammer.wait_more()
        transfer.finish()
    shim.set()
    assert not hammer.failures
    assert eipd.wait_state("default", "web", "announced")[
        "addresses"] == [ADDRESS]


@pytest.mark.parametrize("mode, code", [
    (REFUSED, errno.EBUSY), (REFUSED, errno.ENOBUFS), (REFUSED, errno.ENOMEM),
    (REFUSED, errno.EINTR), (NOT_SENT, errno.ENOBUFS),
    (NOT_SENT, errno.ENOMEM), (UNANSWERED, errno.ENOBUFS)],
    ids=["EBUSY", "ENOBUFS", "ENOMEM", "EINTR", "send-ENOBUFS", "send-ENOMEM",
         "unanswered"])
def test_transaction_refused(net, eipd, served, shim, mode, code):
    """Shown, tried again, and nothing is said that is not so."""
    # What was carried out unseen is found by the next reading.
    times = 1 if mode == UNANSWERED else 3
    with NftMonitor(net) as monitor:
        shim.set(mode=mode, code=code, batches=times)
        eipd.set_object("new", objects.dump(objects.service("new")))

        def told():
            return [p for p in eipd.problems() if p["subject"] == "kernel" and
                    os.strerror(code) in p["text"]]
        wait_for("told", told)
        s = eipd.service("default", "new")
        if shim.left()[0]:
            assert (s["state"], s["reason"]) == ("pending", "Kernel")
        s = eipd.wait_state("default", "new", "announced")
        assert shim.left()[0] == 0
        wait_for("reachable", lambda: net.get(s["addresses"][0], 80))
        assert not [p for p in eipd.problems() if p["subject"] == "kernel"]
        # Nobody else's elements were written again.
        assert not [x for x in monitor.finish() if f"{ADDRESS} " in x]
    shim.set(mode=mode, code=code, batches=times)
    eipd.set_object("new", None)
    wait_for("gone", lambda: not eipd.service("default", "new"))
    wait_for("out of the kernel",
             lambda: s["addresses"][0] not in eipd.nft())


def test_withdraw_all_refused(net, eipd, shim):
    """Said, remembered over a crash all the same, done when it can be."""
    eipd.wait_state("default", "web", "announced")
    wait_for("route", lambda: net.route(f"{ADDRESS}/32"))
    shim.set(mode=REFUSED, code=errno.ENOBUFS, batches=1000)
    try:
        for _ in range(2):
            rc, _, err = eipd.ctl("withdraw-all")
            assert rc == 1 and os.strerror(errno.ENOBUFS) in err
        wait_for("no route", lambda: not net.route(f"{ADDRESS}/32"))
        assert ADDRESS in eipd.nft()
        eipd.kill9()
    finally:
        shim.set()
    eipd.start(wrap=shim.wrap())
    wait_for("no rules", lambda: ADDRESS not in eipd.nft())
    assert eipd.service("default", "web")["reason"] == "Withdrawn"
    assert eipd.ctl("withdraw-all", "--undo")[0] == 0
    eipd.wait_state("default", "web", "announced")
    wait_for("reachable", lambda: net.get(ADDRESS, 80))


def test_dump_interrupted(net, eipd, served, shim):
    """A start and a repair while something else changes the tables."""
    eipd.stop()
    with NftMonitor(net) as monitor:
        shim.set(dumps=3)
        eipd.start(wrap=shim.wrap())
        eipd.wait_state("default", "web", "announced")
        assert shim.left()[1] == 0
        assert monitor.finish() == []
    wait_for("session", lambda: net.session() == "Established")
    shim.set(dumps=3)
    net.run("gw", "nft", "add", "chain", "inet", "eipd", "foreign")
    wait_for("repaired", lambda: "foreign" not in eipd.nft())
    assert shim.left()[1] == 0


@pytest.mark.parametrize("harm", [
    "flush ruleset", "delete table inet eipd", "flush table inet eipd",
    "flush map inet eipd svc4", "flush chain inet eipd nat_pre"])
def test_repaired_within_a_second(net, eipd, harm):
    """A flow that was silent meanwhile lives on; who sends into the gap
    meets a host without rules."""
    eipd.wait_state("default", "web", "announced")
    flow = wait_for("a flow", lambda: open_flow_to(net, ADDRESS, "n2"))
    before = eipd.nft()
    net.run("gw", "nft", *harm.split())
    began = time.monotonic()

    def is_back():
        return '"static/default/web"' in eipd.nft() and net.get(
            ADDRESS, 80, timeout=0.5)
    wait_for("repaired", is_back)
    assert time.monotonic() - began < 1
    with contextlib.closing(flow):
        assert ask_again(flow) == "n2"
    assert len(eipd.nft().splitlines()) == len(before.splitlines())


@pytest.mark.parametrize("days", [30, -30])
def test_clock_jumps(net, eipd, served, shim, days):
    """Sessions, probes and retries have a clock that does not; what is
    released then is dated by the one that did."""
    up, = eipd.items("peers")
    with NftMonitor(net) as monitor:
        shim.set(clock_us=days * DAY_US)
        eipd.set_object("note", objects.dump(objects.eip(
            "note", "203.0.113.1")))
        wait_for("it goes on", lambda: [
            p for p in eipd.items("pools") if p["name"] == "note"])
        began = time.monotonic()
        wait_for("a few seconds of it",
                 lambda: time.monotonic() - began > 2)
        assert monitor.finish() == []
    eipd.set_object("note", None)
    now, = eipd.items("peers")
    assert now["state"] == "Established"
    assert now["sinceSeconds"] >= up["sinceSeconds"] + 1
    assert {b["state"] for b in eipd.items("backends", "default/web")} == {
        "active"}
    eipd.set_object("brief", objects.dump(objects.service("brief")))
    a, = eipd.wait_state("default", "brief", "announced")["addresses"]
    eipd.set_object("brief", None)
    wait_for("quarantined", lambda: [
        x for x in eipd.items("leases")
        if x["address"] == a and x["state"] == "quarantined"])
    shim.set()
    assert net.session() == "Established"
    assert eipd.ctl("release", a)[0] == 0


@pytest.mark.parametrize("days", [1, -1])
def test_clock_set_in_quarantine(net, eipd, shim, days):
    """It ends when it would have, not at once and not a day later."""
    only = "203.0.113.1"
    eipd.set_object("pool", objects.dump(objects.eip(
        "only", only, quarantine="5s", sticky="7s")))
    web = objects.service("late", annotations={"eipd.io/pool": "only"})
    eipd.set_object("late", objects.dump(web))
    assert eipd.wait_state("default", "late", "announced")[
        "addresses"] == [only]
    eipd.set_object("late", None)
    wait_for("quarantined", lambda: [x["state"] for x in eipd.items("leases")
                                     if x["address"] == only] ==
             ["quarantined"])
    began = time.monotonic()
    shim.set(clock_us=days * DAY_US)
    try:
        web["metadata"]["name"] = "other"
        eipd.set_object("other", objects.dump(web))
        eipd.wait_state("default", "other", "refused")
        assert eipd.wait_state("default", "other", "announced")[
            "addresses"] == [only]
        assert 3 < time.monotonic() - began < 15
        assert f"clock: set by {days * 86400:+}s" in eipd.text()
    finally:
        eipd.set_object("other", None)
        eipd.set_object("pool", None)
        shim.set()
        wait_for("released", lambda: eipd.ctl("release", only)[0] == 0)


@pytest.fixture
def dns(net, eipd, shim):
    """Its address, with TCP and UDP; eipd has logged nothing yet."""
    eipd.stop()
    eipd.start(wrap=shim.wrap())
    eipd.set_object("dns", objects.dump(objects.service(
        "dns", objects.TCP, objects.UDP)))
    address, = eipd.wait_state("default", "dns", "announced")["addresses"]
    wait_for("route", lambda: net.route(f"{address}/32"))
    yield address
    shim.set()
    eipd.set_object("dns", None)
    for node in objects.ADDRESS:
        net.set_healthy(node, True)
    wait_for("gone", lambda: not eipd.service("default", "dns"))
    wait_backends(eipd, "default/web",
                  **dict.fromkeys(objects.ADDRESS, "active"))


def refuse_to_forget(eipd, shim, change):
    """The kernel has the change, its old flows are still there."""
    words = "old flows may keep a backend that is gone"
    n = eipd.text().count(words)
    shim.set(ct=errno.EPERM)
    change()
    wait_for("refused", lambda: eipd.text().count(words) > n)


@pytest.mark.parametrize("is_killed", [False, True],
                         ids=["tried-again", "killed"])
def test_flows_not_forgotten_yet(net, eipd, served, shim, dns, is_killed):
    """A second later, or by the next process: UDP flows leave a node
    that is down, established TCP stays."""
    def node():
        return net.udp(dns, 53, own_port=9999)[0]
    down = node()
    with contextlib.closing(open_flow_to(net, dns, down)) as flow:
        transfer = Stream(net, dns, 80, seconds=60)
        refuse_to_forget(eipd, shim, lambda: net.set_healthy(down, False))
        wait_backends(eipd, "default/dns", **{down: "down"})
        assert node() == down
        if is_killed:
            eipd.kill9()
            shim.set()
            with NftMonitor(net) as monitor:
                eipd.start(wrap=shim.wrap())
                eipd.wait_state("default", "dns", "announced")
                assert monitor.finish() == []
        else:
            shim.set()
        wait_for("moved", lambda: node() != down)
        assert ask_again(flow) == down
        transfer.stop()
        kept = node()
        assert {node() for _ in range(9)} == {kept}


def test_killed_before_a_service_is_forgotten(net, eipd, served, shim, dns):
    """Nothing of it is left, whoever has its number by now."""
    def flows():
        return net.run("gw", "conntrack", "-L", "-d", dns)
    net.udp(dns, 53)
    with contextlib.closing(open_flow_to(net, dns, "n1")):
        refuse_to_forget(eipd, shim, lambda: eipd.set_object("dns", None))
        assert "udp" in flows() and "ESTABLISHED" in flows()
        eipd.kill9()
        shim.set()
        eipd.set_object("heir", objects.dump(objects.service(
            "heir", objects.UDP)))
        eipd.start(wrap=shim.wrap())
        wait_for("forgotten", lambda: dns not in flows())
    eipd.set_object("heir", None)
    wait_for("gone", lambda: not eipd.service("default", "heir"))


def test_change_unanswered(net, eipd, served, shim, dns):
    """It is found done when all is read back; its flows are forgotten."""
    node = net.udp(dns, 53, own_port=9998)[0]
    shim.set(mode=UNANSWERED, code=errno.ENOBUFS, batches=1)
    net.set_healthy(node, False)
    wait_for("moved", lambda: net.udp(dns, 53, own_port=9998)[0] != node)
    assert shim.left()[0] == 0


@pytest.mark.parametrize("code, words", [
    (errno.ENOSPC, "no space left on its disk"),
    (errno.EROFS, "read-only; mount it writable"),
    (errno.EIO, "Input/output error); check the disk")])
def test_disk_fails_under_it(net, eipd, served, shim, code, words):
    """As ext4 does it, which mounts itself read-only after an error.  That
    it is over is said when it is."""
    over = eipd.text().count("database: usable again")
    shim.set(disk=code)
    eipd.set_object("new", objects.dump(objects.service("new")))
    s = eipd.wait_state("default", "new", "pending")
    assert s["reason"] == "DatabaseUnavailable" and words in s["message"]
    assert words in eipd.ctl_json("status")["database"]
    assert eipd.text().count(f"error database: database {eipd.database}") > 0
    assert [p for p in eipd.problems() if p["subject"] == "database"]
    failures = shim.disk_failures()
    wait_for("tried again", lambda: shim.disk_failures() > failures + 1, 30)
    assert eipd.text().count("database: usable again") == over
    shim.set()
    eipd.wait_state("default", "new", "announced")
    assert eipd.text().count("database: usable again") == over + 1
    assert eipd.ctl_json("status")["database"] == "ok"
    eipd.set_object("new", None)
    wait_for("gone", lambda: not eipd.service("default", "new"))


def test_no_nf_tables(net, shim):
    """One line for each that is wrong, and it serves once nothing is."""
    other = Eipd(net, "without")
    shim.set(nf=errno.EPROTONOSUPPORT)
    try:
        other.proc = net.spawn("cl", *shim.wrap(), *other.argv(),
                               log="without/eipd.log")
        for code, words in (
                (errno.EPROTONOSUPPORT, "load the module nfnetlink"),
                (errno.EINVAL, "load the module nf_tables"),
                (errno.EPERM, "give the process CAP_NET_ADMIN")):
            shim.set(nf=code)
            found = problem(other, words)
            assert found["subject"] == "kernel"
            line, = [x for x in other.text().splitlines() if words in x]
            assert " error kernel: " in line
            assert other.get("/readyz")[0] == 503
        status, _, err = other.ctl("withdraw-all")
        assert status == 1 and words in err
        assert other.ctl("withdraw-all", "--undo")[0] == 0
        shim.set()
        wait_for("ready", other.is_ready)
        assert "kernel" not in [p["subject"] for p in other.problems()]
    finally:
        shim.set()
        other.stop()
        net.run("cl", "nft", "delete table inet eipd")
