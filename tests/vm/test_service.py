# SPDX-License-Identifier: GPL-2.0-or-later
"""The package as installed: its unit, as it is, in its sandbox, and whatever
may happen to it under traffic that must not notice."""
import contextlib
import json
import os
import pwd
import signal

import pytest

import objects as o
from guest import PACKAGE
from lab import Stream, run, wait_for
from traffic import Hammer

CAPS = 1 << 10 | 1 << 12  # CAP_NET_BIND_SERVICE, CAP_NET_ADMIN


def test_started_as_the_unit_says(eipd):
    assert eipd.show("ActiveState") == "active"
    assert eipd.show("DropInPaths") == ""
    assert eipd.show("NRestarts") == "0"
    assert (eipd.show("Type"), eipd.show("WatchdogUSec")) == ("notify", "30s")
    with open(f"/proc/{eipd.pid()}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f)
    uid = str(pwd.getpwnam("eipd").pw_uid)
    assert set(status["Uid"].split()) == {uid}
    for which in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[which], 16) == CAPS, which
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_sees_what_the_unit_lets_it(eipd):
    with open(f"/proc/{eipd.pid()}/mountinfo") as f:
        mounts = {line.split()[4]: line.split()[5].split(",") for line in f}
    assert "ro" in mounts["/"]
    assert "ro" in mounts["/proc/sys"]
    assert "rw" in mounts["/var/lib/eipd"] and "rw" in mounts["/run/eipd"]
    assert not os.path.exists(f"/proc/{eipd.pid()}/root/dev/kmsg")


def test_apparmor_confines_it(eipd):
    with open(f"/proc/{eipd.pid()}/attr/current") as f:
        assert f.read().strip("\0\n") == "eipd (enforce)"


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_serves(net, web, family, protocol):
    fetch, port = (net.get, 80) if protocol == "tcp" else (net.udp, 53)
    count = net.spread(web[family], port, fetch=fetch)
    assert min(count.values()) > 0, count


def test_nothing_is_wrong(eipd, web):
    assert eipd.problems() == []
    rc, out, _ = eipd.ctl("doctor")
    assert rc == 0, out


def test_room_for_connections():
    """Since the package is there, before any boot with it."""
    with open("/proc/sys/net/netfilter/nf_conntrack_max") as f:
        assert f.read() == "1048576\n"


# Every size of slot table, in both families.
SIZES = (1, 2, 8, 32, 120)


def sized(n):
    """A Service with n endpoints and its slices."""
    name = f"size{n}"
    slices = [{
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name + kind.lower(), "namespace": "default",
                     "labels": {"kubernetes.io/service-name": name}},
        "addressType": kind, "ports": [{"name": "http", "port": 30080}],
        "endpoints": [{"addresses": [prefix + form(i)]}
                      for i in range(2, n + 2)]}
        for kind, prefix, form in (("IPv4", "10.92.0.", str),
                                   ("IPv6", "fd92::", "{:x}".format))]
    return [o.service(name, o.TCP, families=("IPv4", "IPv6"), annotations={
        "eipd.io/backends": "endpoint"}), *slices]


def test_nft_reads_the_whole_table(net, eipd, web):
    with eipd.extra("sizes", *(thing for n in SIZES for thing in sized(n))):
        for n in SIZES:
            s = eipd.wait_state("default", f"size{n}", "announced")
            assert s["ports"][0]["backends"] == 2 * n
        text = eipd.nft()
        assert "[invalid" not in text and "unknown" not in text
        things = json.loads(net.run("gw", "nft", "-j", "list", "ruleset"))
    elements = {m["map"]["name"]: len(m["map"].get("elem", ()))
                for m in things["nftables"] if "map" in m}
    # Two frontends each, but of three with one backend.
    assert [elements[f"slots_{c}_0"] for c in (4, 6, 8, 10)] == [
        2 * 16, 2 * 64 + 4 * 64, 2 * 256, 2 * 1024]
    for n in (4, 6, 8, 10):
        for family in "46":
            assert f"chain s{family}_{n}_0 " in text


@contextlib.contextmanager
def traffic(net, web):
    """Transfers that span the block, new connections during it: none may
    break."""
    with Hammer(net, web) as hammer:
        streams = [Stream(net, a, 80, seconds=3600, rate=10) for a in web]
        hammer.wait_more()
        yield
        hammer.wait_more()
        for s in streams:
            s.stop()
    assert hammer.failures == []


def restarted(eipd, pid, restarts):
    """A process after `pid`, ready, by systemd's own decision."""
    def look():
        return (eipd.show("ActiveState") == "active" and
                eipd.pid() not in (0, pid) and
                int(eipd.show("NRestarts")) > restarts)
    wait_for("started again", look)


def test_restart(net, eipd, web):
    pid = eipd.pid()
    with traffic(net, web):
        eipd.systemctl("restart")
        assert eipd.pid() not in (0, pid)
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web


def test_reload(net, eipd, web):
    pid = eipd.pid()
    with traffic(net, web):
        eipd.systemctl("reload")
    assert eipd.pid() == pid


def test_crash(net, eipd, web):
    pid, restarts = eipd.pid(), int(eipd.show("NRestarts"))
    with traffic(net, web):
        os.kill(pid, signal.SIGSEGV)
        restarted(eipd, pid, restarts)
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web


def test_watchdog(net, eipd, web):
    """It no longer answers, not even the SIGABRT."""
    eipd.drop_in("watchdog", "WatchdogSec=2s\nTimeoutAbortSec=1s")
    try:
        eipd.systemctl("restart")
        eipd.wait_state("default", "web", "announced")
        pid, restarts = eipd.pid(), int(eipd.show("NRestarts"))
        with traffic(net, web):
            os.kill(pid, signal.SIGSTOP)
            restarted(eipd, pid, restarts)
    finally:
        eipd.drop_in("watchdog", None)
    assert "result 'watchdog'" in eipd.text()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    eipd.systemctl("restart")


def test_out_of_memory(net, eipd, web):
    """The kernel kills it as long as it may have next to nothing; systemd
    does not give up."""
    pid, restarts = eipd.pid(), int(eipd.show("NRestarts"))
    with traffic(net, web):
        try:
            limit(eipd, "256K")
            eipd.wait_tries()
        finally:
            limit(eipd, "infinity")
        restarted(eipd, pid, restarts)
    assert "result 'oom-kill'" in eipd.text()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web


def limit(eipd, memory):
    run("systemctl", "set-property", "--runtime", "eipd",
        f"MemoryMax={memory}")


def test_upgrade(net, eipd, web):
    with traffic(net, web):
        pid = eipd.pid()
        run("dpkg", "-i", PACKAGE, timeout=120)
        wait_for("restarted", lambda: eipd.pid() not in (0, pid))
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web


def test_apparmor_refused_nothing(net):
    """In all of the above."""
    assert [line for line in net.run("gw", "dmesg").splitlines()
            if 'apparmor="DENIED"' in line and 'profile="eipd"' in line] == []
