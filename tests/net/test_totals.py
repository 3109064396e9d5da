# SPDX-License-Identifier: GPL-2.0-or-later
"""What the metrics count of each Service: exactly what clients sent, at the
time of the scrape, and never less than before."""
import concurrent.futures
import http.client
import re

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families)

import objects
from lab import NftMonitor, inside, wait_for

HEADERS = {4: 28, 6: 48}  # of IP and UDP


def scrape(eipd):
    """{(metric, namespace, service): value} of the counters."""
    status, body = eipd.get("/metrics")
    assert status == 200
    return {(s.name.split("_")[2], s.labels["namespace"], s.labels["service"]):
            s.value
            for family in text_string_to_metric_families(body)
            if family.type == "counter" and "_service_" in family.name
            for s in family.samples if s.name.endswith("_total")}


def totals(eipd, name="web", namespace="default"):
    """(packets, bytes, connections)."""
    found = scrape(eipd)
    return tuple(found[kind, namespace, name]
                 for kind in ("packets", "bytes", "connections"))


@pytest.mark.parametrize("version", [4, 6])
def test_datagrams_to_the_octet(net, eipd, web, version):
    address = web[0] if version == 4 else web[1]
    tcp = "tcp", "ESTABLISHED"
    wait_for("end of other connections", lambda: not any(
        all(w in line for w in (*tcp, address))
        for line in net.run("gw", "conntrack", "-L").splitlines()))
    packets, octets, connections = totals(eipd)
    for size in range(100, 1100, 100):
        text = "x" * size
        answer = " ".join([*net.udp(address, 53, text), text])
        packets += 2
        octets += 2 * HEADERS[version] + size + len(answer)
        connections += 1
        assert totals(eipd) == (packets, octets, connections)


def test_connections(net, eipd, web):
    before = totals(eipd)[2]
    for n in range(1, 31):
        net.get(web[n % 2], 80)
        assert totals(eipd)[2] == before + n
    with pytest.raises(OSError):
        net.connect(web[0], 81)
    assert totals(eipd)[2] == before + 30
    # Of the gateway itself.
    net.get(web[0], 80, host="gw")
    assert totals(eipd)[2] == before + 31


def http_scrape(net):
    with inside(net.ns("gw")):
        c = http.client.HTTPConnection("127.0.0.1", 9640, timeout=10)
        c.connect()
    c.request("GET", "/metrics")
    response = c.getresponse()
    kind, body = response.getheader("Content-Type"), response.read().decode()
    c.close()
    assert response.status == 200
    assert kind.startswith("application/openmetrics-text")
    return next(s.value for f in text_string_to_metric_families(body)
                if f.name == "eipd_service_connections" for s in f.samples
                if s.labels["service"] == "web")


def test_many_scrapes_at_once(net, eipd, web):
    """None of them shows less than what was there when it was asked."""
    def one(_):
        net.get(web[0], 80)
        least = next(counted)
        return http_scrape(net), least

    start = int(totals(eipd)[2])
    counted = iter(range(start + 1, start + 1000))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for value, least in pool.map(one, range(200)):
            assert value >= least
    assert totals(eipd)[2] == start + 200


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_restart_keeps_them(net, eipd, web, how):
    before = totals(eipd)
    assert before[2] > 0
    with NftMonitor(net) as monitor:
        getattr(eipd, how)()
        net.get(web[0], 80)
        eipd.start()
        assert totals(eipd)[2] == before[2] + 1
        assert all(a > b for a, b in zip(totals(eipd), before))
        eipd.wait_state("default", "web", "announced")
        assert totals(eipd)[2] == before[2] + 1
        assert not monitor.finish()


def healthy(net, eipd, *nodes):
    for node in objects.ADDRESS:
        net.set_healthy(node, node in nodes)
    wait_for(f"backends {nodes}", lambda: {
        b["node"] for b in eipd.items("backends", "default/web")
        if b["state"] == "active"} == set(nodes))


def has_port(eipd, port):
    # Without /etc/protocols nft knows no name.
    return re.search(rf"\. (tcp|6) \. {port} ", eipd.nft())


def test_changes_keep_them(net, eipd, web):
    before = totals(eipd)

    def grown(port=80):
        nonlocal before
        net.get(web[0], port)
        now = totals(eipd)
        assert now[2] == before[2] + 1
        assert all(a > b for a, b in zip(now, before))
        before = now

    for nodes in (("n1",), ("n1", "n2"), ("n3",), ("n1", "n2", "n3")):
        healthy(net, eipd, *nodes)
        grown()
    for port, other in ((81, 80), (80, 81)):
        eipd.set_object("web", objects.dump(objects.service(
            "web", dict(objects.TCP, port=port), objects.UDP,
            families=("IPv4", "IPv6"))))
        wait_for("other port", lambda: has_port(eipd, port)
                 and not has_port(eipd, other))
        grown(port)


def test_repair_keeps_them(net, eipd, web):
    before = totals(eipd)
    net.run("gw", "nft", "insert rule inet eipd local4 drop")
    wait_for("repaired", lambda: "drop" not in net.run(
        "gw", "nft", "list", "chain", "inet", "eipd", "local4"))
    net.get(web[0], 80)
    now = totals(eipd)
    assert now[2] == before[2] + 1
    assert all(a > b for a, b in zip(now, before))


def test_series_go_with_the_service(net, eipd, web):
    eipd.set_object("shop", objects.dump(objects.service("shop")))
    address, = eipd.wait_state("default", "shop", "announced")["addresses"]
    wait_for("reachable", lambda: net.get(address, 80))
    assert totals(eipd, "shop")[2] >= 1
    eipd.set_object("shop", None)
    wait_for("gone", lambda: not eipd.service("default", "shop"))
    assert {key[2] for key in scrape(eipd)} == {"web"}
    eipd.set_object("shop", objects.dump(objects.service("shop")))
    eipd.wait_state("default", "shop", "announced")
    assert totals(eipd, "shop") == (0, 0, 0)
    eipd.set_object("shop", None)
    wait_for("gone", lambda: not eipd.service("default", "shop"))


def test_nothing_is_counted_while_withdrawn(net, eipd, web):
    assert eipd.ctl("withdraw-all")[0] == 0
    assert scrape(eipd) == {}
    assert eipd.ctl("withdraw-all", "--undo")[0] == 0
    eipd.wait_state("default", "web", "announced")
    assert totals(eipd) == (0, 0, 0)
    wait_for("reachable", lambda: net.get(web[0], 80))


def test_openelb_names(eipd, web):
    eipd.set_conf(eipd.CONF.replace("http: {{",
                                    "http: {{openelb-metrics: true, "))
    try:
        assert eipd.ctl("reload")[0] == 0
        body = eipd.get("/metrics")[1]
    finally:
        eipd.set_conf(eipd.CONF)
        assert eipd.ctl("reload")[0] == 0
    found = {f.name: f for f in text_string_to_metric_families(body)}
    assert {"addresses_total", "addresses_in_use_total",
            "services_allocated_total", "session_up", "updates",
            "announced_prefixes_total", "pending_prefixes_total",
            "requests_received", "responses_sent",
            "gratuitous_sent"} <= set(found)
    value = {s.labels["eipName"]: s.value
             for s in found["addresses_in_use_total"].samples}
    assert value == {"v4": 1, "v6": 1}
    up, = found["session_up"].samples
    assert up.labels["peerIP"] == "10.91.0.1" and up.value == 5
    assert "addresses_total" not in eipd.get("/metrics")[1]
