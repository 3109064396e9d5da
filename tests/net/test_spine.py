# SPDX-License-Identifier: GPL-2.0-or-later
"""From an object file to a client's request: the whole path, on a real
kernel, with a real router, over starts, restarts and failures."""
import contextlib
import fcntl
import os
import socket
import threading

import pytest

import objects
from lab import Eipd, LabError, NftMonitor, Stream, wait_for
from traffic import Hammer

FLOWS = 60


def host_prefix(address):
    return f"{address}/{128 if ':' in address else 32}"


def wait_backends(eipd, name, **want):
    """Waits until each node named has the state it is given with."""
    def look():
        items = eipd.items("backends", name)
        state = {b["node"]: b["state"] for b in items}
        if all(state.get(node) == s for node, s in want.items()):
            return items
        raise LabError(f"now {state}")
    return wait_for(f"backends {want}", look)


def problem(eipd, *words):
    """Waits for a problem that mentions all the words; it, once."""
    def look():
        found = [p for p in eipd.problems()
                 if all(w in f"{p['subject']} {p['text']} {p['remedy']}"
                        for w in words)]
        if not found:
            raise LabError(f"problems are {eipd.problems()}")
        return found
    found = wait_for(f"problem with {words}", look)
    rc, out, _ = eipd.ctl("check")
    assert found[0]["subject"] in out
    assert "\n" not in found[0]["text"] + found[0]["remedy"]
    if found[0]["severity"] == "error":
        assert rc == 1
    return found[0]


def no_problem(eipd, *words):
    def look():
        return not [p for p in eipd.problems() if all(
            w in f"{p['subject']} {p['text']} {p['remedy']}" for w in words)]
    wait_for(f"no problem with {words}", look)


# Reaching an EIP


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_reachable_and_every_node_gets_its_share(net, web, family, protocol):
    fetch, port = (net.get, 80) if protocol == "tcp" else (net.udp, 53)
    count = net.spread(web[family], port, FLOWS, fetch)
    assert min(count.values()) >= FLOWS // 10, count


def test_source_is_masqueraded(net, web):
    assert net.get(web[0], 80)[1] == "10.92.0.1"
    assert net.get(web[1], 80)[1] == "fd92::1"


def test_router_has_both_routes(net, web):
    assert "10.91.0.2" in net.route(host_prefix(web[0]))
    assert "fd91::2" in net.route(host_prefix(web[1]))


def test_other_ports_of_the_eip_answer_nothing(net, web):
    with pytest.raises(OSError):
        net.get(web[0], 8080, timeout=1.0)


def test_families_in_the_order_of_the_service(eipd):
    with eipd.extra("six", objects.service("six", objects.TCP,
                                           families=("IPv6", "IPv4"))):
        s = eipd.wait_state("default", "six", "announced")
        assert [":" in a for a in s["addresses"]] == [True, False]
        assert s["pools"] == ["v6", "v4"] and s["pool"] == "v6"


# Nodes that fail


@pytest.fixture
def healthy(net, eipd):
    yield
    for node in objects.ADDRESS:
        net.set_healthy(node, True)
    wait_backends(eipd, "default/web",
                  **dict.fromkeys(objects.ADDRESS, "active"))


def open_flow_to(net, address, node):
    """An established connection (kept alive) that `node` answers."""
    for _ in range(200):
        c, response = net.http(address, 80)
        if response.read().decode().split()[0] == node:
            return c
        c.close()
    raise AssertionError(f"no flow reached {node}")


def ask_again(c):
    c.request("GET", "/")
    return c.getresponse().read().decode().split()[0]


def test_failed_probe_takes_new_flows_away_only(net, eipd, web, healthy):
    with contextlib.closing(open_flow_to(net, web[0], "n2")) as flow:
        net.set_healthy("n2", False)
        wait_backends(eipd, "default/web", n1="active", n2="down",
                      n3="active")
        count = net.spread(web[0], 80, FLOWS)
        assert count["n2"] == 0 and min(count["n1"], count["n3"]) > 0
        count = net.spread(web[1], 53, FLOWS, net.udp)
        assert count["n2"] == 0
        assert ask_again(flow) == "n2"
        nodes = {n["name"]: n for n in eipd.items("nodes")}
        assert nodes["n2"]["probe"]["state"] == "down"
        assert "503" in nodes["n2"]["probe"]["error"]
        assert not nodes["n2"]["eligible"] and nodes["n1"]["eligible"]
        net.set_healthy("n2", True)
        wait_backends(eipd, "default/web", n2="active")
        assert net.spread(web[0], 80, FLOWS)["n2"] > 0


def test_all_probes_failing_at_once_change_nothing(net, eipd, web, healthy):
    for node in objects.ADDRESS:
        net.set_healthy(node, False)
    wait_backends(eipd, "default/web",
                  **dict.fromkeys(objects.ADDRESS, "degraded"))
    assert min(net.spread(web[0], 80, FLOWS).values()) > 0
    assert eipd.service("default", "web")["state"] == "announced"
    problem(eipd, "default/web")


def test_nodes_not_asked_yet_do_not_fail(net, eipd, healthy):
    def told():
        return [word for word in ("Degraded", "Recovered")
                if f"service default/asks: {word}" in eipd.text()]

    nodes = objects.base()["nodes"]
    with eipd.extra("asks", objects.service("asks")):
        eipd.set_object("nodes", None)
        problem(eipd, "default/asks", "no backends")
        eipd.set_object("nodes", nodes)
        wait_backends(eipd, "default/asks", n1="active", n2="active",
                      n3="active")
        assert told() == []

        # Nor do they end it for those that do.
        net.set_healthy("n3", False)
        eipd.set_object("nodes", objects.dump(objects.node("n3")))
        problem(eipd, "default/asks", "none of its nodes is healthy")
        for node in ("n1", "n2"):
            net.set_healthy(node, False)
        eipd.set_object("nodes", nodes)
        wait_for("all asked", lambda: [n["probe"]["state"] for n in eipd.items(
            "nodes")] == ["down"] * 3)
        assert told() == ["Degraded"]
        net.set_healthy("n1", True)
        wait_backends(eipd, "default/asks", n1="active", n3="down")
        assert told() == ["Degraded", "Recovered"]


def test_without_probe_not_ready_does_the_same(net, eipd, web):
    conf = Eipd.CONF.replace("probe: {{interval: 200ms, timeout: 500ms, "
                             "fall: 2, rise: 1}}", "probe: off")
    assert conf != Eipd.CONF
    eipd.stop()
    eipd.set_conf(conf)
    eipd.start()
    try:
        with contextlib.closing(open_flow_to(net, web[0], "n3")) as flow:
            eipd.set_object("nodes", objects.dump(
                objects.node("n1"), objects.node("n2"),
                objects.node("n3", ready=False)))
            wait_backends(eipd, "default/web", n1="active", n3="down")
            assert net.spread(web[0], 80, FLOWS)["n3"] == 0
            assert ask_again(flow) == "n3"
    finally:
        eipd.set_object("nodes", objects.base()["nodes"])
        eipd.stop()
        eipd.set_conf(Eipd.CONF)
        eipd.start()
    wait_backends(eipd, "default/web", n3="active")


# A Service that comes and goes


def test_deleted_service_goes_and_comes_back_with_its_address(net, eipd):
    text = objects.dump(objects.service("shop", objects.TCP))
    eipd.set_object("shop", text)
    address = eipd.wait_state("default", "shop", "announced")["addresses"][0]
    prefix = host_prefix(address)
    wait_for("route", lambda: net.route(prefix))
    assert address in eipd.nft()
    wait_for("reachable", lambda: net.get(address, 80))

    eipd.set_object("shop", None)
    wait_for("route withdrawn", lambda: not net.route(prefix))
    wait_for("rule gone", lambda: address not in eipd.nft())
    wait_for("service gone", lambda: not eipd.service("default", "shop"))

    def lease():
        return [i for i in eipd.items("leases") if i["address"] == address]
    wait_for("quarantined",
             lambda: [i["state"] for i in lease()] == ["quarantined"])

    # Nobody else gets it meanwhile.
    with eipd.extra("other", objects.service("other", objects.TCP)):
        other = eipd.wait_state("default", "other", "announced")
        assert other["addresses"] != [address]

    eipd.set_object("shop", text)
    back = eipd.wait_state("default", "shop", "announced")
    assert back["addresses"] == [address]
    wait_for("reachable again", lambda: net.get(address, 80))
    events = [h["event"] for h in eipd.ctl_json("history", address)["items"]]
    assert len(events) >= 3
    eipd.set_object("shop", None)
    wait_for("service gone", lambda: not eipd.service("default", "shop"))


# Restarts


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_restart_under_traffic(net, eipd, web, how):
    leases = eipd.items("leases")
    with NftMonitor(net) as monitor, Hammer(net, web) as hammer:
        streams = [Stream(net, a, 80, seconds=5) for a in web]
        hammer.wait_more()
        getattr(eipd, how)()
        hammer.wait_more()
        eipd.start()
        wait_for("session", lambda: net.session() == "Established")
        assert eipd.wait_state("default", "web", "announced")[
            "addresses"] == web
        hammer.wait_more()
        for s in streams:
            s.finish()
        events = monitor.finish()
    assert not hammer.failures
    assert not events, "an unchanged restart wrote to the kernel"
    after = eipd.items("leases")
    assert [(i["address"], i["name"], i["state"]) for i in after] == [
        (i["address"], i["name"], i["state"]) for i in leases]


def test_change_while_it_was_down_is_carried_out(net, eipd):
    eipd.set_object("late", objects.dump(objects.service("late")))
    address = eipd.wait_state("default", "late", "announced")["addresses"][0]
    eipd.kill9()
    eipd.set_object("late", None)
    assert address in eipd.nft()
    eipd.start()
    wait_for("rule gone", lambda: address not in eipd.nft())
    wait_for("route gone", lambda: not net.route(host_prefix(address)))


# Pools


def test_passive_pool_is_programmed_but_not_announced(net, eipd):
    with eipd.extra("passive",
                    objects.eip("passive", "198.51.100.60",
                                protocol="passive"),
                    objects.service("quiet", annotations={
                        "eipd.io/pool": "passive"})):
        s = eipd.wait_state("default", "quiet", "programmed")
        assert s["addresses"] == ["198.51.100.60"]
        assert not net.route("198.51.100.60/32")
        net.ip("rt", "route", "add", "198.51.100.60/32", "via", "10.91.0.2")
        try:
            assert min(net.spread("198.51.100.60", 80).values()) > 0
        finally:
            net.ip("rt", "route", "del", "198.51.100.60/32")
        assert not [r for r in eipd.items("routes")
                    if r["prefix"] == "198.51.100.60/32"]
    wait_for("gone", lambda: not eipd.service("default", "quiet"))


def test_shared_address(net, eipd):
    key = {"eipd.io/share": "front"}
    with eipd.extra("shared",
                    objects.service("one", objects.TCP, annotations=key),
                    objects.service("two", objects.TCP2, namespace="elsewhere",
                                    annotations=key)):
        one = eipd.wait_state("default", "one", "announced")
        two = eipd.wait_state("elsewhere", "two", "announced")
        assert one["addresses"] == two["addresses"]
        address = one["addresses"][0]
        wait_for("reachable", lambda: net.get(address, 80))
        wait_for("reachable", lambda: net.get(address, 81))
        holders = [i["name"] for i in eipd.items("leases")
                   if i["address"] == address]
        assert sorted(holders) == ["one", "two"]

        # One goes, the other keeps route and address.
        eipd.set_object("shared", objects.dump(objects.service(
            "two", objects.TCP2, namespace="elsewhere", annotations=key)))
        wait_for("one gone", lambda: not eipd.service("default", "one"))
        assert net.get(address, 81)
        assert net.route(host_prefix(address))
        with pytest.raises(OSError):
            net.get(address, 80, timeout=1.0)


def test_pool_by_namespace_then_priority_then_name(eipd):
    with eipd.extra("bound",
                    objects.eip("a-low", "198.51.100.70", namespaces=["team"]),
                    objects.eip("b-high", "198.51.100.71", namespaces=["team"],
                                priority=10),
                    objects.service("first", namespace="team"),
                    objects.service("plain", namespace="other")):
        s = eipd.wait_state("team", "first", "announced")
        assert (s["pool"], s["addresses"]) == ("b-high", ["198.51.100.71"])
        assert eipd.wait_state("other", "plain", "announced")["pool"] == "v4"
        with eipd.extra("bound2",
                        objects.service("second", namespace="team"),
                        objects.service("third", namespace="team")):
            pools = {}
            for name in ("second", "third"):
                s = wait_for(name, lambda: eipd.service("team", name))
                s = wait_for(f"{name} decided", lambda: settled(eipd, name))
                pools[s["state"]] = s
            # One address was left in a-low; the default pool is not asked.
            assert pools["announced"]["pool"] == "a-low"
            assert "a-low" in pools["refused"]["message"]
            assert "b-high" in pools["refused"]["message"]


def settled(eipd, name):
    s = eipd.service("team", name)
    return s if s and s["state"] in ("announced", "refused") else None


# Inputs that are wrong: one clear line each, and everything else goes on


def once_fails(eipd, status, *words, conf=None, **kw):
    """eipd ends at once with that status and one line with these words."""
    if conf is not None:
        eipd.set_conf(conf)
    rc, _, err = eipd.once(**kw)
    assert rc == status, err
    lines = [line for line in err.splitlines()
             if all(w in line for w in words)]
    assert len(lines) == 1, err


@pytest.mark.parametrize("args, words", [
    (("reload",), "eipd: unexpected argument: reload"),
    (("--cluster", "lists"), "eipd: --cluster needs --plan")])
def test_wrong_command_line(spare, args, words):
    rc, _, err = spare.once(*args)
    assert rc == 2 and err.splitlines()[0] == words


@pytest.fixture
def spare(net):
    """Another eipd, not started, that shares nothing with the first."""
    return Eipd(net, "spare")


def test_unknown_key_names_the_nearest(eipd, spare):
    once_fails(spare, 1, "eipd.conf:2:", "serivces", "services",
               conf="user: root\nserivces: {{default: true}}\n")


def test_check_prints_every_error_with_its_place(spare):
    spare.set_conf("user: root\nlog: {{level: loud}}\nobjekts: /x\n")
    rc, out, err = spare.once("-n")
    assert (rc, out) == (1, "")
    assert f"{spare.conf}:2:" in err and f"{spare.conf}:3:" in err


def test_normal_form_parses_to_itself(spare):
    rc, out, err = spare.once("-nv")
    assert rc == 0, err
    spare.set_conf(out.replace("{", "{{").replace("}", "}}"))
    assert spare.once("-nv") == (0, out, err)


def test_reload_of_a_wrong_conf_changes_nothing(net, eipd, web):
    good = eipd.CONF
    try:
        eipd.set_conf(good + "nonsense: 1\n")
        rc, out, err = eipd.ctl("reload")
        assert rc == 1 and "nonsense" in out + err
        assert net.get(web[0], 80)
        problem(eipd, "nonsense")
    finally:
        eipd.set_conf(good)
    assert eipd.ctl("reload")[0] == 0
    no_problem(eipd, "nonsense")


def test_what_a_reload_cannot_change_is_told(eipd, web):
    try:
        eipd.set_conf(eipd.CONF.replace("eipd.db", "other.db"))
        assert eipd.ctl("reload")[0] == 0
        p = problem(eipd, "eipd.conf: database", "other.db", "restart")
        assert p["severity"] == "warning" and "eipd.db stays" in p["text"]
    finally:
        eipd.set_conf(eipd.CONF)
    assert eipd.ctl("reload")[0] == 0
    no_problem(eipd, "eipd.conf: database")


def test_broken_yaml_is_refused_alone(net, eipd, web):
    eipd.set_object("broken", "kind: Service\n  nonsense: [\n")
    try:
        p = problem(eipd, "broken.yaml:2")
        assert p["severity"] == "error"
        assert net.get(web[0], 80)
    finally:
        eipd.set_object("broken", None)
    no_problem(eipd, "broken.yaml")


def test_bad_version_never_replaces_a_good_one(net, eipd):
    eipd.set_object("steady", objects.dump(
        objects.eip("steady", "198.51.100.80"),
        objects.service("steady", annotations={"eipd.io/pool": "steady"})))
    eipd.wait_state("default", "steady", "announced")
    wait_for("reachable", lambda: net.get("198.51.100.80", 80))
    bad = objects.eip("steady", "198.51.100.300")
    eipd.set_object("steady", objects.dump(bad, objects.service(
        "steady", annotations={"eipd.io/pool": "steady"})))
    problem(eipd, "steady", "198.51.100.300")
    assert eipd.service("default", "steady")["state"] == "announced"
    assert net.get("198.51.100.80", 80)
    eipd.set_object("steady", None)
    wait_for("gone", lambda: not eipd.service("default", "steady"))


def test_overlapping_pools(eipd):
    with eipd.extra("overlap",
                    objects.eip("overlap", "198.51.100.50-198.51.100.60")):
        problem(eipd, "overlap", "v4")
    no_problem(eipd, "overlap")


def test_conf_of_another_name(eipd):
    with eipd.extra("extra", objects.bgp_conf(name="extra")):
        problem(eipd, "BgpConf extra", "default")
    no_problem(eipd, "BgpConf extra")


def test_duplicate_peers(net, eipd):
    with eipd.extra("twin", objects.bgp_peer("twin")):
        problem(eipd, "twin", "router")
        assert net.session() == "Established"
    no_problem(eipd, "twin")


def test_file_written_slowly_in_place(eipd):
    """As by `kubectl get -o yaml >file`, which begins with an empty one."""
    names = ("slow1", "slow2", "slow3")
    pause = threading.Event()
    with eipd.extra("slow", *map(objects.service, names)):
        for name in names:
            eipd.wait_state("default", name, "announced")
        with open(f"{eipd.dir}/objects/slow.yaml", "w") as f:
            for name in names + ("last",):
                pause.wait(0.3)
                f.write(objects.dump(objects.service(name)))
                f.flush()
        eipd.wait_state("default", "last", "announced")
        for name in names:
            assert [h["event"] for h in eipd.ctl_json(
                "history", f"default/{name}")["items"]] == ["allocated"]
    wait_for("gone", lambda: not eipd.service("default", "last"))


def test_object_twice(eipd, web):
    with eipd.extra("zz-again", objects.service("web", objects.TCP2)):
        problem(eipd, "web.yaml", "zz-again.yaml")
        s = eipd.service("default", "web")
        assert [p["port"] for p in s["ports"]] == [80, 53]
    no_problem(eipd, "zz-again.yaml")


def with_peer(eipd, peer):
    eipd.set_object("bgp", objects.dump(objects.bgp_conf(), peer))


def test_wrong_as(net, eipd, web):
    try:
        with_peer(eipd, objects.bgp_peer(asn=64999))
        problem(eipd, "router", "64999")
        peers = eipd.items("peers")
        assert peers[0]["state"] != "Established" and peers[0]["lastError"]
    finally:
        with_peer(eipd, objects.bgp_peer())
    wait_for("session", lambda: net.session() == "Established", 40)
    no_problem(eipd, "router")


def test_wrong_password(net, eipd, web):
    try:
        net.reconfigure_bird(password="right")
        with_peer(eipd, objects.bgp_peer(authPassword="wrong"))
        p = problem(eipd, "router")
        assert "wrong" not in str(p), "a password is shown"
        with_peer(eipd, objects.bgp_peer(authPassword="right"))
        wait_for("session", lambda: net.session() == "Established", 40)
    finally:
        net.reconfigure_bird()
        with_peer(eipd, objects.bgp_peer())
    wait_for("session", lambda: net.session() == "Established", 40)
    assert "right" not in eipd.ctl("-o", "json", "get", "peers")[1]
    for a in web:
        wait_for("reachable again", lambda: net.get(a, 80), 40)


def test_port_179_taken(net, eipd, web):
    eipd.stop()
    taken = net.spawn("gw", "/usr/bin/python3", "-c", """
import signal, socket
s = socket.create_server(("0.0.0.0", 179), reuse_port=False)
signal.pause()
""", log="taken.log")
    try:
        wait_for("taken", lambda: ":179" in net.run("gw", "ss", "-Hltn"))
        eipd.start()
        problem(eipd, "179")
        # The session that it opens itself works all the same.
        wait_for("session", lambda: net.session() == "Established", 40)
        assert net.get(web[0], 80)
    finally:
        net.stop(taken)
    no_problem(eipd, "179")
    assert "bgp listener: listens on 0.0.0.0 port 179" in eipd.text()


@pytest.mark.parametrize("pool, hole, owner", [
    ("10.91.0.0/24", "10.91.0.1", "BgpPeer router"),
    ("fd92::/120", "fd92::11-fd92::13", "Node n1")])
def test_pool_offers_what_is_not_free(eipd, pool, hole, owner):
    with eipd.extra("taken", objects.eip("taken", pool)):
        problem(eipd, "Eip taken", owner, hole.split("-", maxsplit=1)[0],
                "spec.exclude")
        eipd.set_object("taken", objects.dump(
            objects.eip("taken", pool, exclude=[hole])))
        no_problem(eipd, "Eip taken")


def test_without_net_admin(spare):
    once_fails(spare, 1, "CAP_NET_ADMIN", host="cl",
               wrap=("capsh", "--drop=cap_net_admin", "--shell=/usr/bin/env",
                     "--"))


def test_second_instance_names_the_first(eipd, spare):
    once_fails(spare, 1, str(eipd.proc.pid))


@pytest.mark.parametrize("key, word", [
    ("net.ipv4.ip_forward", "ip_forward"),
    ("net.ipv6.conf.all.forwarding", "forwarding")])
def test_forwarding_off(net, eipd, key, word):
    net.sysctl("gw", f"{key}=0")
    try:
        found = problem(eipd, word)
        eipd.stop()
        eipd.start()
        assert f" error {key}: {found['text']}; {found['remedy']}\n" \
            in eipd.text()
    finally:
        net.sysctl("gw", f"{key}=1")
        # Switching it off and on again has dropped IPv6 routes.
        net.ip("gw", "-6", "route", "replace", "default", "via", "fd91::1")
    no_problem(eipd, word)


# Leaving service on request


def test_withdraw_all_and_undo(net, eipd, web):
    assert eipd.ctl("withdraw-all")[0] == 0
    for a in web:
        wait_for("route gone", lambda: not net.route(host_prefix(a)))
        wait_for("rule gone", lambda: a not in eipd.nft())
    eipd.stop()
    eipd.start()
    assert not net.route(host_prefix(web[0])), "forgotten over a restart"
    assert eipd.ctl("withdraw-all", "--undo")[0] == 0
    s = eipd.wait_state("default", "web", "announced")
    assert s["addresses"] == web
    for a in web:
        wait_for("reachable again", lambda: net.get(a, 80))


def test_stopped_eipd_leaves_the_kernel_serving(net, eipd, web):
    eipd.stop()
    assert web[0] in eipd.nft()
    assert net.get(web[0], 80) and net.get(web[1], 80)
    eipd.start()


def test_a_signal_that_comes_early_waits(net, eipd, web):
    """By default SIGHUP ends a process.  This one has got no further than to
    its first line of log, which nobody takes."""
    def has_name():
        with open(f"/proc/{eipd.proc.pid}/net/unix") as f:
            return " @eipd\n" in f.read()
    eipd.stop()
    log, stderr = os.pipe()
    size = fcntl.fcntl(stderr, fcntl.F_GETPIPE_SZ)
    os.write(stderr, b"\n" * size)
    eipd.proc = net.spawn("gw", *eipd.argv(), log="unused", stderr=stderr)
    os.close(stderr)
    wait_for("its name", has_name)
    eipd.hup()
    with open(log) as f:
        assert any("eipd: reloaded" in line for line in f)
    eipd.stop()
    eipd.start()


def test_log_and_outputs_show_no_password(eipd):
    assert "authPassword" not in eipd.text()


def test_the_service_manager_is_told(net, eipd, web):
    eipd.stop()
    with contextlib.closing(socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(net.path("notify"))
        manager.settimeout(20)
        eipd.start(wrap=("env", f"NOTIFY_SOCKET={net.path('notify')}"))
        told = [manager.recv(4096).decode()]
        while not told[-1].endswith("1 of 1"):
            told.append(manager.recv(4096).decode())
    assert "READY=1" in told
    assert told[-1] == ("STATUS=serving; Services: 1, addresses announced: "
                        "2, peers established: 1 of 1")
