# SPDX-License-Identifier: GPL-2.0-or-later
"""eipctl doctor: what is wrong with the box, seen by the running daemon."""
import contextlib

import pytest

from lab import Eipd


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net, conf=Eipd.CONF.replace("9640", "40960"))
    e.start()
    yield e
    e.stop()


def findings(eipd, status=0):
    answer = eipd.ctl_json("doctor", status=status)
    assert answer["ok"] is (status == 0)
    for f in answer["checks"]:
        assert f["state"] in ("ok", "warning", "error") and f["text"]
        assert bool(f["remedy"]) is (f["state"] != "ok")
    return {f["check"]: f for f in answer["checks"]}


@contextlib.contextmanager
def setting(net, name, value):
    old = net.run("gw", "sysctl", "-n", name).strip()
    net.sysctl("gw", f"{name}={value}")
    try:
        yield
    finally:
        net.sysctl("gw", f"{name}={old}")


def test_forwarding(net, eipd):
    assert findings(eipd)["net.ipv4.ip_forward"]["state"] == "ok"
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        with setting(net, name, 0):
            assert findings(eipd, status=1)[name]["state"] == "error"
            assert name in eipd.ctl("check")[1]
            rc, out, _ = eipd.ctl("doctor")
            assert rc == 1 and f"sysctl -w {name}=1" in out
    assert findings(eipd)["net.ipv6.conf.all.forwarding"]["state"] == "ok"


def test_ports(net, eipd):
    name = "net.ipv4.ip_local_port_range"
    assert "40960" in findings(eipd)[name]["text"]
    with setting(net, "net.ipv4.ip_local_reserved_ports", "40960"):
        assert findings(eipd)[name]["state"] == "ok"


def test_strict_reverse_path(net, eipd):
    name = "net.ipv4.conf.all.rp_filter"
    with setting(net, name, 1):
        assert "up0" in findings(eipd)[name]["text"]
    with setting(net, name, 2):
        assert findings(eipd)[name]["state"] == "ok"


@pytest.mark.parametrize("family", ["inet", "ip", "ip6"])
def test_firewall_of_others(net, eipd, family):
    assert findings(eipd)["nf_tables"]["state"] == "ok"
    net.run("gw", "nft", f"add table {family} other; "
            f"add chain {family} other onward {{ type filter hook forward "
            "priority 0; policy drop; }")
    try:
        found = findings(eipd)["nf_tables"]
        assert found["state"] == "warning"
        assert f"{family} other onward" in found["text"]
        net.run("gw", "nft", f"chain {family} other onward {{ policy accept; }}")
        assert findings(eipd)["nf_tables"]["state"] == "ok"
    finally:
        net.run("gw", "nft", f"delete table {family} other")
