# SPDX-License-Identifier: GPL-2.0-or-later
"""What allocation, backends and the database promise, as a user sees it on a
real kernel with a real router."""
import contextlib
import os
import pwd
import shutil
import sqlite3

import pytest

import objects
from lab import Eipd, Stream, run, wait_for

OLD_API = "network.kubesphere.io/v1alpha1"
VIP = {"apiVersion": "v1", "kind": "Service",
       "metadata": {"name": "vip", "namespace": "kube",
                    "annotations": {"eipd.io/backends": "endpoint"}},
       "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"],
                "ports": [{"name": "http", "protocol": "TCP", "port": 6443}]}}


def vip_slice(*addresses, name="vip"):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": "kube",
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "protocol": "TCP", "port": 30080}],
            "endpoints": [{"addresses": [a]} for a in addresses]}


def asks(name, *ports, pool=None, address=None, share=None, **spec):
    """A Service with the annotations of eipd."""
    notes = {"eipd.io/pool": pool, "eipd.io/addresses": address,
             "eipd.io/share": share, **spec.pop("notes", {})}
    return objects.service(name, *ports, annotations={
        k: v for k, v in notes.items() if v}, **spec)


def labelled(thing, **labels):
    thing["metadata"]["labels"] = labels
    return thing


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": labels}}


def port(number, node_port=30080):
    return {"name": f"p{number}", "protocol": "TCP", "port": number,
            "nodePort": node_port}


@contextlib.contextmanager
def pools(eipd, *things):
    with eipd.extra("extra-pools", *things):
        names = {t["metadata"]["name"] for t in things}
        wait_for("pools", lambda: names <= {
            p["name"] for p in eipd.items("pools")})
        yield
    wait_for("pools gone", lambda: not names & {
        p["name"] for p in eipd.items("pools") if not p["used"]})


@contextlib.contextmanager
def service(eipd, thing, state="announced"):
    """The Service in that state, as `get services` shows it."""
    ns, name = thing["metadata"]["namespace"], thing["metadata"]["name"]
    with eipd.extra(f"service-{ns}-{name}", thing):
        yield eipd.wait_state(ns, name, state)
    wait_for(f"{ns}/{name} gone", lambda: not eipd.service(ns, name))


def states_of(eipd, address):
    return {x["state"] for x in eipd.items("leases")
            if x["address"] == address}


# Allocation


def test_quarantined_then_sticky_then_free(eipd):
    only = "203.0.113.1"
    with pools(eipd, objects.eip("one", only, quarantine="6s",
                                 sticky="14s")):
        with service(eipd, asks("a", pool="one")) as s:
            assert s["addresses"] == [only]
        assert states_of(eipd, only) == {"quarantined"}
        with service(eipd, asks("b", pool="one"), "refused") as s:
            assert "one" in s["message"]
            # Nothing else is free: once only sticky, b may have it.
            assert eipd.wait_state("default", "b",
                                   "announced")["addresses"] == [only]
        wait_for("sticky", lambda: states_of(eipd, only) == {"sticky"})
        wait_for("free", lambda: states_of(eipd, only) == set())


def test_quarantine_and_sticky_are_for_the_same_service(eipd):
    with pools(eipd, objects.eip("three", "203.0.113.1-203.0.113.3",
                                 quarantine="1s", sticky="1h")):
        with service(eipd, asks("a", pool="three")) as s:
            assert s["addresses"] == ["203.0.113.1"]
        with service(eipd, asks("b", pool="three")) as s:
            assert s["addresses"] == ["203.0.113.2"]
            with service(eipd, asks("a", pool="three")) as s:
                assert s["addresses"] == ["203.0.113.1"]
        wait_for("sticky", lambda: states_of(
            eipd, "203.0.113.1") == states_of(eipd, "203.0.113.2") ==
            {"sticky"})
        with service(eipd, asks("c", pool="three")) as s:
            assert s["addresses"] == ["203.0.113.3"]
            with service(eipd, asks("d", pool="three")) as t:
                # The longest released first.
                assert t["addresses"] == ["203.0.113.2"] or \
                    t["addresses"] == ["203.0.113.1"]
    for n in (1, 2, 3):
        eipd.ctl("release", f"203.0.113.{n}")


def test_exclude_and_several_ranges(eipd):
    pool = objects.eip("holes", "203.0.113.0/30")
    pool["spec"].update(addresses=["203.0.113.8-203.0.113.9"],
                        exclude=["203.0.113.0-203.0.113.2"])
    with pools(eipd, pool):
        p, = (p for p in eipd.items("pools") if p["name"] == "holes")
        assert p["total"] == 3
        with service(eipd, asks("a", pool="holes")) as s:
            assert s["addresses"] == ["203.0.113.3"]
            with service(eipd, asks("b", pool="holes")) as s:
                assert s["addresses"] == ["203.0.113.8"]
        with service(eipd, asks("c", pool="holes", address="203.0.113.1"),
                     "refused") as s:
            assert "203.0.113.1" in s["message"]


def test_pool_bound_by_service_selector(eipd):
    bound = objects.eip("gold", "203.0.113.16/30",
                        serviceSelector={"matchLabels": {"tier": "gold"}})
    with pools(eipd, bound):
        with service(eipd, labelled(asks("rich"), tier="gold")) as s:
            assert s["pool"] == "gold"
        with service(eipd, asks("poor")) as s:
            assert s["pool"] == "v4"


def test_pool_bound_by_namespace_selector(eipd):
    bound = objects.eip("team", "203.0.113.20/30",
                        namespaceSelector={"team": "blue"})
    with pools(eipd, bound), eipd.extra("ns", namespace("blue", team="blue"),
                                  namespace("red", team="red")):
        with service(eipd, asks("a", namespace="blue")) as s:
            assert s["pool"] == "team"
        with service(eipd, asks("a", namespace="red")) as s:
            assert s["pool"] == "v4"


def test_priority_between_bound_pools(eipd):
    with pools(eipd,
               objects.eip("a-low", "203.0.113.24", namespaces=["prio"],
                           priority=1),
               objects.eip("z-high", "203.0.113.25", namespaces=["prio"],
                           priority=9)):
        with service(eipd, asks("x", namespace="prio")) as s:
            assert s["pool"] == "z-high"
            with service(eipd, asks("y", namespace="prio")) as t:
                assert t["pool"] == "a-low"
                with service(eipd, asks("z", namespace="prio"),
                             "refused") as u:
                    assert "a-low" in u["message"]
                    assert "z-high" in u["message"]


def test_sharing_by_key_across_namespaces(net, eipd):
    with service(eipd, asks("a", port(1080), share="k",
                            namespace="one")) as s, \
            service(eipd, asks("b", port(1081, 30081), share="k",
                               namespace="two")) as t:
        assert s["addresses"] == t["addresses"]
        a = s["addresses"][0]
        for number in (1080, 1081):
            wait_for("reachable", lambda: net.get(a, number))
        items = [x for x in eipd.items("leases") if x["address"] == a]
        assert {x["namespace"] for x in items} == {"one", "two"}
        # The same port again: another address, or none if it is asked for.
        with service(eipd, asks("c", port(1080), share="k")) as u:
            assert u["addresses"] != [a]
        with service(eipd, asks("d", port(1080), share="k", address=a),
                     "refused") as u:
            assert a in u["message"] and "1080" in u["message"]
        with service(eipd, asks("e", port(1082), address=a),
                     "refused") as u:
            assert a in u["message"]


def test_sharing_within_a_namespace_that_asks_for_it(eipd):
    a = "198.51.100.50"
    with service(eipd, asks("a", port(80), address=a)), \
            service(eipd, asks("b", port(81, 30081), address=a)) as t:
        assert t["addresses"] == [a]


@pytest.mark.parametrize("address,words", [
    ("192.0.2.1", ["192.0.2.1", "pool"]),
    ("WEB", ["default/web"]),
    ("not-an-address", ["not-an-address"])])
def test_requested_address_is_refused_with_reason(eipd, web, address, words):
    with service(eipd, asks("x", address=address.replace("WEB", web[0]),
                            namespace="other"), "refused") as s:
        assert s["addresses"] == []
        for word in words:
            assert word in s["message"], s


def test_require_dual_stack_needs_both(eipd):
    with pools(eipd, objects.eip("four", "203.0.113.28/30")):
        with service(eipd, asks("dual", pool="four",
                                families=("IPv6", "IPv4")), "refused") as s:
            assert s["addresses"] == [] and "IPv6" in s["message"]
            assert states_of(eipd, "203.0.113.28") <= {"quarantined"}
    with service(eipd, asks("dual", families=("IPv6", "IPv4"))) as s:
        assert ":" in s["addresses"][0] and "." in s["addresses"][1]
        assert s["pools"] == ["v6", "v4"]


def test_held_stays_when_its_pool_goes(net, eipd):
    with pools(eipd, objects.eip("gone", "203.0.113.32/30")):
        eipd.set_object("stay", objects.dump(asks("stay", pool="gone")))
        a, = eipd.wait_state("default", "stay", "announced")["addresses"]
    wait_for("pool gone", lambda: "gone" not in {
        p["name"] for p in eipd.items("pools") if p["total"]})
    assert eipd.service("default", "stay")["addresses"] == [a]
    wait_for("still reachable", lambda: net.get(a, 80))
    with service(eipd, asks("late", pool="gone"), "refused"):
        pass
    eipd.set_object("stay", None)
    wait_for("gone", lambda: not eipd.service("default", "stay"))


def test_pools_skip_buggy_addresses_and_disabled_ones_give_none(eipd):
    with pools(eipd,
               objects.eip("nice", "203.0.113.254-203.0.114.1",
                           avoidBuggyIPs=True),
               dict(objects.eip("old", "203.0.114.255-203.0.115.1",
                                usingKnownIPs=False), apiVersion=OLD_API),
               objects.eip("off", "203.0.113.40", disable=True)):
        with service(eipd, asks("a", pool="nice")) as s:
            assert s["addresses"] == ["203.0.113.254"]
            with service(eipd, asks("b", pool="nice")) as t:
                assert t["addresses"] == ["203.0.114.1"]
        with service(eipd, asks("c", pool="old")) as s:
            assert s["addresses"] == ["203.0.115.1"]
        with service(eipd, asks("d", pool="off"), "refused") as s:
            assert "off" in s["message"]


@pytest.mark.parametrize("spelling", [
    {"notes": {"eip.openelb.kubesphere.io/v1alpha2": "named"}},
    {"notes": {"eip.porter.kubesphere.io/v1alpha2": "named"}}])
def test_pool_by_the_annotations_of_before(eipd, spelling):
    with pools(eipd, objects.eip("named", "203.0.113.44/30")):
        with service(eipd, asks("a", **spelling)) as s:
            assert s["pool"] == "named"


@pytest.mark.parametrize("spelling", [
    {"loadBalancerIP": "198.51.100.55"},
    {"notes": {"eip.openelb.kubesphere.io/v1alpha1": "198.51.100.55"}},
    {"loadBalancerIP": "198.51.100.56", "address": "198.51.100.55"}])
def test_address_by_the_fields_of_before(eipd, spelling):
    with service(eipd, asks("a", **spelling)) as s:
        assert s["addresses"] == ["198.51.100.55"]
    eipd.ctl("release", "198.51.100.55")


def test_port_of_a_sharer_changes_hands(eipd):
    """Whoever has to wait for a port gets it once the other is off it."""
    def write(name, number):
        eipd.set_object(f"service-default-{name}", objects.dump(
            asks(name, port(number), share="k")))
    with service(eipd, asks("a", port(1080), share="k")):
        with service(eipd, asks("b", port(1081), share="k")):
            for number in (1081, 1082, 1083):
                write("a", number)
                assert "b" in eipd.wait_state("default", "a",
                                              "refused")["message"]
                write("b", number + 1)
                eipd.wait_state("default", "a", "announced")


# No backends


def is_refused(net, address):
    try:
        net.connect(address, 6443, timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_no_backends_refuses(net, eipd):
    udp = {"name": "u", "protocol": "UDP", "port": 6443}
    vip = {**VIP, "spec": {**VIP["spec"], "ports": VIP["spec"]["ports"] +
                           [udp]}}
    with eipd.extra("slice", vip_slice()), service(eipd, vip) as s:
        a = s["addresses"][0]
        assert net.route(f"{a}/32")
        wait_for("TCP reset", lambda: is_refused(net, a))
        with pytest.raises(ConnectionRefusedError):
            net.udp(a, 6443, timeout=2)
        assert "no backends" in eipd.ctl("check")[1]


def test_no_backends_withdraws(net, eipd):
    vip = {**VIP, "metadata": {**VIP["metadata"], "annotations": {
        "eipd.io/backends": "endpoint", "eipd.io/no-backends": "withdraw"}}}
    with eipd.extra("slice", vip_slice("10.92.0.11")):
        with service(eipd, vip) as s:
            route = f"{s['addresses'][0]}/32"
            wait_for("route", lambda: net.route(route))
            eipd.set_object("slice", objects.dump(vip_slice()))
            wait_for("no route", lambda: not net.route(route))
            assert eipd.service("kube", "vip")["addresses"]
            eipd.set_object("slice", objects.dump(vip_slice("10.92.0.12")))
            wait_for("route again", lambda: net.route(route))
            assert wait_for("reachable", lambda: net.get(
                s["addresses"][0], 6443))[0] == "n2"


# Backends


def test_endpoints_of_a_static_service(net, eipd):
    with eipd.extra("slice", vip_slice("10.92.0.11", "10.92.0.12")):
        with service(eipd, VIP) as s:
            a = s["addresses"][0]
            wait_for("reachable", lambda: net.get(a, 6443))
            count = net.spread(a, 6443, 40)
            assert count["n1"] and count["n2"] and not count["n3"], count
            items = eipd.items("backends", "kube/vip")
            assert {(b["address"], b["port"]) for b in items} == {
                ("10.92.0.11", 30080), ("10.92.0.12", 30080)}
            assert s["ports"] == [{"protocol": "TCP", "port": 6443,
                                   "backends": 2, "healthy": 2}]


def test_file_is_one_change_however_long_it_is(eipd):
    whole = {**VIP, "metadata": {**VIP["metadata"], "name": "whole"}}
    others = [namespace(f"other-{i}") for i in range(3000)]
    with eipd.extra("whole", whole, *others,
                    vip_slice("10.92.0.11", name="whole")):
        eipd.wait_state("kube", "whole", "announced")
    wait_for("gone", lambda: not eipd.service("kube", "whole"))
    assert "service kube/whole: NoBackends" not in eipd.text()


# The database


def pending(eipd, name):
    s = eipd.wait_state("default", name, "pending")
    assert s["reason"] == "DatabaseUnavailable", s
    assert s["addresses"] == [], s


def remove_database(eipd):
    for f in os.listdir(eipd.dir):
        if f.startswith("eipd.db"):
            path = os.path.join(eipd.dir, f)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def test_garbage_in_the_database(net, eipd, web):
    transfer = Stream(net, web[0], 80, seconds=3)
    eipd.stop()
    remove_database(eipd)
    with open(eipd.database, "w") as f:
        f.write("this is no database\n" * 200)
    eipd.start()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    assert [f for f in os.listdir(eipd.dir)
            if f.startswith("eipd.db.corrupt-")]
    assert eipd.ctl_json("status")["database"] == "ok"
    held = {x["address"] for x in eipd.items("leases")}
    assert set(web) <= held
    transfer.finish()


def test_truncated_database(net, eipd, web):
    """Half of it is gone: set aside, and filled again from the kernel."""
    eipd.stop()
    os.truncate(eipd.database, os.path.getsize(eipd.database) // 2)
    corrupt = {f for f in os.listdir(eipd.dir) if "corrupt" in f}
    eipd.start()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    assert {f for f in os.listdir(eipd.dir) if "corrupt" in f} > corrupt
    assert eipd.ctl_json("status")["database"] == "ok"
    assert set(web) <= {x["address"] for x in eipd.items("leases")}
    with service(eipd, asks("new")):
        pass


def set_version(eipd, version):
    with contextlib.closing(sqlite3.connect(eipd.database)) as db:
        old, = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
    return old


def test_database_of_a_newer_version(net, eipd, web):
    """Left as it is: going back to the newer version finds it all."""
    eipd.stop()
    version = set_version(eipd, 99)
    eipd.start()
    assert "newer" in eipd.ctl_json("status")["database"]
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    with eipd.extra("new", asks("new")):
        pending(eipd, "new")
        assert net.get(web[0], 80)
        assert set_version(eipd, version) == 99
        eipd.wait_state("default", "new", "announced", timeout=20)
    wait_for("gone", lambda: not eipd.service("default", "new"))
    assert eipd.ctl_json("status")["database"] == "ok"


def test_removed_database_is_filled_from_the_kernel(net, eipd, web):
    eipd.stop()
    remove_database(eipd)
    # Lower addresses are free and another Service is named before it.
    eipd.set_object("aaa", objects.dump(asks("aaa")))
    eipd.start()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    assert eipd.wait_state("default", "aaa", "announced")[
        "addresses"] != web[:1]
    eipd.set_object("aaa", None)
    wait_for("gone", lambda: not eipd.service("default", "aaa"))


def test_directory_at_the_path_of_the_database(net, eipd, web):
    eipd.stop()
    remove_database(eipd)
    os.mkdir(eipd.database)
    eipd.start()
    status = eipd.ctl_json("status")
    assert status["database"] != "ok"
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    with eipd.extra("new", asks("new")):
        pending(eipd, "new")
        assert net.get(web[0], 80)
        os.rmdir(eipd.database)
        s = eipd.wait_state("default", "new", "announced", timeout=20)
        assert s["addresses"] != web[:1]
    wait_for("gone", lambda: not eipd.service("default", "new"))
    assert eipd.ctl_json("status")["database"] == "ok"


@contextlib.contextmanager
def own_disk(eipd, size):
    """The database on a file system of its own; eipd is not running yet."""
    disk = eipd.lab.path("disk")
    os.makedirs(disk, exist_ok=True)
    eipd.stop()
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk)
    try:
        eipd.set_conf(eipd.CONF.replace("{dir}/eipd.db", f"{disk}/eipd.db"))
        yield disk
    finally:
        eipd.stop()
        eipd.set_conf(eipd.CONF)
        run("umount", disk)
        eipd.start()


def fill(disk):
    with contextlib.suppress(OSError), open(f"{disk}/fill", "wb",
                                            buffering=0) as f:
        while True:
            f.write(bytes(4096))


def test_disk_that_is_full_at_the_start(net, eipd, web):
    with own_disk(eipd, "1m") as disk:
        fill(disk)
        eipd.start()
        assert "no space left on its disk" in eipd.ctl_json(
            "status")["database"]
        assert eipd.wait_state("default", "web",
                               "announced")["addresses"] == web
        with eipd.extra("new", asks("new")):
            pending(eipd, "new")
            assert net.get(web[0], 80)
            os.unlink(f"{disk}/fill")
            s = eipd.wait_state("default", "new", "announced", timeout=20)
            assert s["addresses"] != web[:1]
        wait_for("gone", lambda: not eipd.service("default", "new"))


def test_full_disk(net, eipd, web):
    with own_disk(eipd, "16m") as disk:
        eipd.start()
        s = eipd.wait_state("default", "web", "announced")
        assert s["addresses"] == web
        fill(disk)
        many = [asks(f"many{i}", address=None) for i in range(30)]
        with eipd.extra("many", *many):
            def stuck():
                return [s for s in eipd.json("/v1/services")["items"]
                        if s["reason"] == "DatabaseUnavailable"]
            wait_for("DatabaseUnavailable", stuck)
            assert all(s["state"] == "pending" and not s["addresses"]
                       for s in stuck())
            assert "no space left on its disk" in eipd.ctl_json(
                "status")["database"]
            assert net.get(web[0], 80)
            os.unlink(f"{disk}/fill")
            for i in range(30):
                eipd.wait_state("default", f"many{i}", "announced",
                                timeout=20)
            assert eipd.ctl_json("status")["database"] == "ok"
        wait_for("gone", lambda: not eipd.service("default", "many29"))


def test_database_made_read_only(net, eipd, web):
    """Sessions come up also if it cannot be written that a Service is gone."""
    with own_disk(eipd, "16m") as disk:
        with eipd.extra("gone", asks("gone")):
            eipd.start()
            eipd.wait_state("default", "web", "announced")
            gone = eipd.wait_state("default", "gone", "announced")["addresses"]
            eipd.stop()
        run("mount", "-o", "remount,ro", disk)
        eipd.start()
        assert eipd.wait_state("default", "web", "announced",
                               timeout=10)["addresses"] == web
        assert net.session() == "Established"
        with eipd.extra("new", asks("new")):
            pending(eipd, "new")
            assert net.get(web[0], 80)
            assert "database" in eipd.ctl("check")[1]
            # ip netns exec gave it a mount namespace of its own.
            run("nsenter", "-t", str(eipd.proc.pid), "-m",
                "mount", "-o", "remount,rw", disk)
            s = eipd.wait_state("default", "new", "announced")
            assert s["addresses"] != web[:1]
            assert {x["address"]: x["state"] for x in eipd.items("leases")
                    if x["name"] == "gone"} == {gone[0]: "quarantined"}
        wait_for("gone", lambda: not eipd.service("default", "new"))


def test_database_removed_while_it_runs(net, eipd, web):
    def times_over():
        return eipd.text().count("notice database: usable again")
    over = times_over()
    remove_database(eipd)
    with service(eipd, asks("new")) as s:
        eipd.wait_state("default", "new", "announced")
        wait_for("a file again", lambda: times_over() == over + 1)
        assert os.path.exists(eipd.database)
        assert f"error database: database {eipd.database} was " in eipd.text()
        a = s["addresses"]
        wait_for("reachable", lambda: net.get(a[0], 80))
        eipd.stop()
        eipd.start()
        assert eipd.wait_state("default", "new",
                               "announced")["addresses"] == a
        assert eipd.wait_state("default", "web",
                               "announced")["addresses"] == web


def test_withdraw_all_outlives_its_database(net, eipd, web):
    assert eipd.ctl("withdraw-all")[0] == 0
    wait_for("no rules", lambda: web[0] not in eipd.nft())
    remove_database(eipd)
    wait_for("a file again", lambda: os.path.exists(eipd.database))
    wait_for("usable", lambda: not [
        p for p in eipd.problems() if p["subject"] == "database"])
    eipd.stop()
    eipd.start()
    wait_for("session", lambda: net.session() == "Established")
    assert web[0] not in eipd.nft() and not net.route(f"{web[0]}/32")
    assert eipd.ctl("withdraw-all", "--undo")[0] == 0
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web


def commits(eipd):
    return [int(line.split()[-1]) for line in
            eipd.get("/metrics")[1].splitlines()
            if line.startswith("eipd_db_commit_seconds_count ")][0]


def test_many_that_go_are_few_transactions(eipd):
    """Each waits for the disk, and everything waits for it."""
    names = [f"many{i}" for i in range(30)]
    with eipd.extra("many", *(asks(n) for n in names)):
        for n in names:
            eipd.wait_state("default", n, "announced")
        before = commits(eipd)
    for n in names:
        wait_for("gone", lambda: not eipd.service("default", n))
    assert commits(eipd) - before < 6


def test_after_a_reboot_all_is_as_it_was(net, eipd, web):
    eipd.stop()
    net.run("gw", "nft", "delete", "table", "inet", "eipd")
    net.ip("gw", "route", "flush", "table", "all", "proto", "225",
           check=False)
    eipd.set_object("aaa", objects.dump(asks("aaa")))
    eipd.start()
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    wait_for("reachable", lambda: net.get(web[0], 80))
    eipd.set_object("aaa", None)
    wait_for("gone", lambda: not eipd.service("default", "aaa"))


# Rights


@contextlib.contextmanager
def other_instance(eipd):
    """A second eipd with nothing to do, in place of the first."""
    eipd.stop()
    other = Eipd(eipd.lab, "other", conf=Eipd.CONF.replace(
        "user: root", "user: nobody"))
    os.chmod(other.dir, 0o777)
    try:
        yield other
    finally:
        other.stop()
        shutil.rmtree(other.dir)
        eipd.start()


def status_of(eipd):
    with open(f"/proc/{eipd.proc.pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def test_root_is_given_up(eipd):
    with other_instance(eipd) as other:
        other.start()
        status = status_of(other)
        assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody")[2])}
        # CAP_NET_ADMIN and CAP_NET_BIND_SERVICE
        assert int(status["CapEff"], 16) == 1 << 12 | 1 << 10
        assert not int(status["CapBnd"], 16) & ~(1 << 12 | 1 << 10)


def test_started_as_someone_else(eipd):
    with other_instance(eipd) as other:
        other.start(wrap=("setpriv", "--reuid", "nobody", "--regid",
                          "nogroup", "--clear-groups", "--inh-caps",
                          "+net_admin", "--ambient-caps", "+net_admin"))
        assert int(status_of(other)["CapEff"], 16) == 1 << 12
        other.set_object("bgp", objects.dump(objects.bgp_conf(),
                                             objects.bgp_peer()))
        # Shown, and sessions that it opens itself work.
        wait_for("shown", lambda: "CAP_NET_BIND_SERVICE"
                 in other.ctl("check")[1])
        wait_for("session", lambda: [p for p in other.items("peers")
                                     if p["state"] == "Established"])
