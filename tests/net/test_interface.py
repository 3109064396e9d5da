# SPDX-License-Identifier: GPL-2.0-or-later
"""Every name that users and scripts rely on: options, exit codes, JSON, HTTP,
metrics and what is seen in the kernel."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import stat

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families)

import objects
from lab import Eipd, UnixHttp, wait_for

MAN = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "../../man/eipd.8")

LB_CLASS = "eipd.io/eipd"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NUMBER = (int, float)
NULL = type(None)

def asks(name, *ports, pool=None, address=None, namespace="default",
         families=("IPv4",), annotations=None, **spec):
    notes = dict(annotations or {})
    if pool:
        notes["eipd.io/pool"] = pool
    if address:
        notes["eipd.io/addresses"] = address
    return objects.service(name, *ports, namespace=namespace,
                           families=families, annotations=notes, **spec)


def gone(eipd, namespace, name):
    wait_for(f"{namespace}/{name} gone",
             lambda: not eipd.service(namespace, name))


def refused(eipd, namespace, name, *words):
    s = eipd.wait_state(namespace, name, "refused")
    for word in words:
        assert word in s["message"], s
    return s


def has_types(thing, **types):
    """The object has these members at least, of these types."""
    assert set(types) <= set(thing), thing
    for key, kind in types.items():
        assert isinstance(thing[key], kind), (key, thing)
        if kind in (int, NUMBER):
            assert not isinstance(thing[key], bool), (key, thing)


def text_list(value):
    assert all(isinstance(v, str) for v in value), value


# Programs


def test_version_and_usage(eipd):
    rc, out, _ = eipd.once("-V")
    assert rc == 0 and re.match(r"eipd \S+\n", out)
    rc, out, err = eipd.once("--no-such-option")
    assert (rc, out) == (2, "") and err
    rc, out, err = eipd.once("surplus")
    assert rc == 2 and err


@pytest.fixture
def spare(net):
    e = Eipd(net, "spare")
    for f in os.listdir(os.path.join(e.dir, "objects")):
        os.unlink(os.path.join(e.dir, "objects", f))
    return e


def test_check_of_conf_and_objects(spare):
    for name, text in objects.base().items():
        spare.set_object(name, text)
    assert spare.once("-n") == (0, "", "")
    spare.set_object("bad", "apiVersion: v1\nkind: Service\nmetadata:\n"
                            "  name: x\nspec:\n  ports: 3\n")
    rc, out, err = spare.once("-n")
    assert (rc, out) == (1, "")
    assert re.search(r"objects/bad\.yaml:6:\d+: \S", err), err


def test_check_of_kubeconfig(spare):
    path = pathlib.Path(spare.dir, "kubeconfig")
    spare.set_conf(spare.CONF + f"cluster: {{{{kubeconfig: {path}}}}}\n")

    def check():
        rc, out, err = spare.once("-n")
        assert (rc, out) == (1, "") and err.startswith(f"{spare.conf}: ")
        return err
    assert "No such file" in check()
    path.write_text("clusters:\n- a\n b")
    assert re.search(rf"{path}\W+line 2: \S", check())
    path.write_text("{}")
    assert "no configuration has been provided" in check()


def test_normal_form_parses_to_itself(spare):
    spare.set_conf(spare.CONF + "forwarding: {{no-backends: withdraw}}\n")
    rc, first, err = spare.once("-nv")
    assert (rc, err) == (0, "")
    spare.set_conf(first.replace("{", "{{").replace("}", "}}"))
    assert spare.once("-nv") == (0, first, "")


def test_wrong_conf_ends_it_with_1(spare):
    spare.set_conf(spare.CONF + "service: {{}}\n")
    rc, _, err = spare.once()
    assert rc == 1
    assert re.search(r"eipd\.conf:\d+:\d+: .*services", err), err


def test_plan_offline(spare):
    for name, text in objects.base().items():
        spare.set_object(name, text)
    spare.set_object("web", objects.dump(objects.service("web")))
    folder = os.path.join(spare.dir, "cluster")
    os.makedirs(folder, exist_ok=True)
    listed = {"apiVersion": "v1", "kind": "List", "items": [
        objects.service("mine", loadBalancerClass=LB_CLASS,
                        clusterIP="10.96.0.9"),
        objects.service("other", loadBalancerClass="example.com/other"),
        {"kind": "Service", "apiVersion": "v1"}]}
    with open(os.path.join(folder, "services.json"), "w") as f:
        json.dump(listed, f)
    rc, out, _ = spare.once("--plan", "--cluster", folder)
    plan = json.loads(out)
    assert rc in (0, 1)
    assert set(plan) >= {"services", "routes", "operations", "errors"}
    for s in plan["services"]:
        assert set(s) >= {"namespace", "name", "state", "reason", "message",
                          "addresses", "pool", "backends"}, s
    names = {s["name"] for s in plan["services"]}
    assert "web" in names and "mine" in names and "other" not in names
    for r in plan["routes"]:
        assert set(r) >= {"prefix", "nextHop", "peers"}, r
    assert "198.51.100.10/32" in {r["prefix"] for r in plan["routes"]}
    for o in plan["operations"]:
        assert set(o) >= {"applier", "verb", "object"}, o
    assert plan["operations"] and plan["errors"]
    for e in plan["errors"]:
        assert set(e) >= {"file", "line", "column", "message"}, e
    assert not os.path.exists(spare.database)


def test_state_summary_on_usr1(eipd):
    before = len(eipd.text())
    eipd.proc.send_signal(signal.SIGUSR1)
    wait_for("summary", lambda: "services" in eipd.text()[before:]
             and "peers" in eipd.text()[before:])
    assert eipd.proc.poll() is None


def test_socket_mode(eipd):
    assert stat.S_IMODE(os.stat(eipd.socket).st_mode) == 0o660


# eipctl


def test_status(eipd, web):
    s = eipd.ctl_json("status")
    has_types(s, version=str, uptimeSeconds=NUMBER, ready=bool, database=str,
              clusters=list, services=dict, eips=dict, peers=dict, loop=dict)
    assert s["ready"] and s["database"] == "ok"
    for c in s["clusters"]:
        has_types(c, name=str, connected=bool,
                  lastEventSeconds=NUMBER + (NULL,),
                  staleSeconds=NUMBER + (NULL,), message=str)
    has_types(s["services"], total=int, announced=int, pending=int,
              refused=int)
    has_types(s["eips"], total=int, used=int)
    has_types(s["peers"], total=int, established=int)
    has_types(s["loop"], maxStallMs=NUMBER)
    assert s["services"]["announced"] == s["services"]["total"] == 1
    assert s["eips"] == {"total": 50 + 256, "used": 2}
    assert s["peers"] == {"total": 1, "established": 1}


def test_get_services(eipd, web):
    item, = eipd.items("services")
    has_types(item, cluster=str, namespace=str, name=str, uid=str,
              addresses=list, pool=str, pools=list, state=str, reason=str,
              message=str, ports=list)
    assert item["cluster"] == "static" and item["uid"]
    assert item["pools"] == ["v4", "v6"] and item["pool"] == "v4"
    for p in item["ports"]:
        has_types(p, protocol=str, port=int, backends=int, healthy=int)
    assert {(p["protocol"], p["port"]) for p in item["ports"]} == {
        ("TCP", 80), ("UDP", 53)}
    assert eipd.items("services", "-n", "default", "web") == [item]
    assert eipd.items("services", "-n", "elsewhere") == []
    assert eipd.ctl("get", "services", "nope")[0] == 1


def test_get_pools(eipd, web):
    pools = {p["name"]: p for p in eipd.items("pools")}
    for p in pools.values():
        has_types(p, name=str, protocol=str, total=int, used=int,
                  reserved=int, quarantined=int, sticky=int, free=int,
                  disabled=bool, source=str, message=str)
        assert p["total"] == (p["used"] + p["reserved"] + p["quarantined"] +
                              p["sticky"] + p["free"])
        assert p["protocol"] == "bgp" and not p["disabled"]
    assert pools["v4"]["total"] == 50 and pools["v4"]["used"] == 1
    assert pools["v6"]["total"] == 256


def test_get_leases(eipd, web):
    held = [x for x in eipd.items("leases") if x["state"] == "held"]
    assert {x["address"] for x in held} == set(web)
    for x in held:
        has_types(x, address=str, cluster=str, namespace=str, name=str,
                  uid=str, pool=str, state=str, since=str,
                  until=(str, NULL))
        assert TIME.fullmatch(x["since"]) and x["until"] is None


def test_get_backends(eipd, web):
    items = eipd.items("backends", "default/web")
    for x in items:
        has_types(x, address=str, port=int, node=(str, NULL), family=str,
                  weight=int, state=str, probe=(dict, str, NULL))
        assert x["state"] in ("active", "draining", "down", "degraded")
    assert {x["family"] for x in items} == {"IPv4", "IPv6"}
    assert {x["node"] for x in items} == {"n1", "n2", "n3"}
    assert {x["port"] for x in items} == {30080, 30053}
    assert eipd.ctl("get", "backends", "default/nope")[0] == 1


def test_get_nodes(eipd, web):
    items = eipd.items("nodes")
    assert [x["name"] for x in items] == ["n1", "n2", "n3"]
    for x in items:
        has_types(x, name=str, addresses=list, eligible=bool, reason=str,
                  probe=(dict, NULL))
        has_types(x["probe"], state=str, since=(str, NULL), error=str)
        assert x["probe"]["state"] == "up" and x["eligible"]
        text_list(x["addresses"])


def test_get_peers(eipd, web):
    item, = eipd.items("peers")
    has_types(item, name=str, address=str, asn=int, state=str,
              sinceSeconds=NUMBER, advertised=int, lastError=str,
              message=str, capabilities=list, bfd=NULL)
    assert (item["name"], item["address"], item["asn"], item["state"],
            item["advertised"]) == ("router", "10.91.0.1", 64500,
                                    "Established", 2)
    text_list(item["capabilities"])


def test_get_routes(eipd, web):
    items = eipd.items("routes")
    for x in items:
        has_types(x, peer=str, prefix=str, pathId=(int, NULL), nextHop=str,
                  communities=(list, NULL), localPref=(int, NULL),
                  med=(int, NULL), asPath=list)
        assert x["asPath"] == [64512]
    assert {(x["prefix"], x["nextHop"]) for x in items} == {
        (f"{web[0]}/32", "10.91.0.2"), (f"{web[1]}/128", "fd91::2")}
    assert eipd.items("routes", "--peer", "router") == items
    assert eipd.ctl("get", "routes", "--peer", "nope")[0] == 1


@pytest.mark.parametrize("what", [
    "services", "pools", "leases", "nodes", "peers", "routes",
    "backends default/web"])
def test_every_output(eipd, web, what):
    words = ("get", *what.split())
    plain, wide, form = (eipd.ctl("-o", o, *words)
                         for o in ("table", "wide", "yaml"))
    assert plain[0] == wide[0] == form[0] == 0
    assert plain[1].splitlines()[0].isupper() or "PROBE" in plain[1]
    assert len(wide[1].splitlines()) >= len(plain[1].splitlines())
    assert form[1].startswith("items:")
    assert eipd.ctl(*words)[1].splitlines()[0] == plain[1].splitlines()[0]


def test_exit_codes(eipd, web, spare):
    assert eipd.ctl("status")[0] == 0
    assert eipd.ctl("explain", "default/nope")[0] == 1
    for bad in (("no-such",), ("get",), ("-o", "xml", "status"),
                ("reserve", "198.51.100.40"), ("status", "surplus"),
                ("get", "backends", "noslash"), ()):
        rc, out, err = eipd.ctl(*bad)
        assert rc == 2 and out == "" and err, bad
    rc, _, err = spare.ctl("status")
    assert rc == 3 and spare.socket in err


def test_manifests_need_no_daemon(spare):
    rc, out, _ = spare.ctl("manifests")
    assert rc == 0
    for kind in ("Namespace", "ServiceAccount", "ClusterRole",
                 "CustomResourceDefinition"):
        assert f"kind: {kind}\n" in out


# explain


def explain(eipd, subject, status=0):
    x = eipd.ctl_json("explain", subject, status=status)
    has_types(x, subject=str, verdict=str, state=str, steps=list)
    assert x["verdict"] and "\n" not in x["verdict"]
    for s in x["steps"]:
        has_types(s, step=str, ok=(bool, NULL), text=str,
                  detail=(str, dict, list, NULL))
    return x


def test_explain_service_and_addresses(eipd, web):
    x = explain(eipd, "default/web")
    assert x["state"] == "announced"
    assert [s["step"] for s in x["steps"]] and all(
        s["ok"] is not False for s in x["steps"])
    for subject in (web[0], f"{web[0]}:80", web[1], f"[{web[1]}]:80"):
        y = explain(eipd, subject)
        assert y["state"] == "announced" and "default/web" in json.dumps(y)


def test_explain_a_pool_of_a_later_version(eipd, web):
    with eipd.extra("turn", objects.eip("turn", "198.51.100.201")), \
            eipd.extra("turned", asks("turned", objects.TCP2, pool="turn")):
        eipd.wait_state("default", "turned", "announced")
        eipd.set_object("turn", objects.dump(
            objects.eip("turn", "198.51.100.201", protocol="layer2")))
        eipd.wait_state("default", "turned", "refused")
        x = explain(eipd, "default/turned")
        assert "protocol layer2 of its pool turn" in x["verdict"]
        routes = next(s for s in x["steps"] if s["step"] == "routes")
        assert not routes["ok"] and "layer2" in routes["text"]
        assert any(p["subject"] == "Service default/turned"
                   for p in eipd.problems())
    gone(eipd, "default", "turned")


def test_explain_what_nobody_holds(eipd, web):
    x = explain(eipd, "198.51.100.59")
    assert "v4" in json.dumps(x)
    assert "free" in json.dumps(x)
    x = explain(eipd, f"{web[0]}:4444")
    assert "4444" in x["verdict"]
    for subject in ("192.0.2.77", "[2001:db8::77]:80"):
        rc, out, err = eipd.ctl("explain", subject)
        assert rc in (0, 1) and subject.strip("[]").split("]")[0] in out + err
    assert eipd.ctl("explain", "default/nope")[0] == 1
    assert eipd.ctl("explain", "not an address")[0] in (1, 2)


# reserve, unreserve, release, history, check


def lease(eipd, address):
    return [x for x in eipd.items("leases") if x["address"] == address]


def test_reserve_and_unreserve(eipd, web):
    a = "198.51.100.40"
    rc, _, err = eipd.ctl("reserve", "192.0.2.99", "default/later")
    assert rc == 1 and "192.0.2.99" in err
    rc, _, err = eipd.ctl("reserve", web[0], "default/later")
    assert rc == 1 and "default/web" in err
    assert eipd.ctl("reserve", "no-address", "default/later")[0] in (1, 2)
    assert eipd.ctl("reserve", a, "default/later")[0] == 0
    assert [(x["state"], x["name"], x["until"]) for x in lease(eipd, a)] == [
        ("reserved", "later", None)]
    rc, _, err = eipd.ctl("reserve", a, "default/someone")
    assert rc == 1 and "default/later" in err
    with eipd.extra("x", asks("thief", address=a)):
        refused(eipd, "default", "thief", a, "reserved")
    gone(eipd, "default", "thief")
    with eipd.extra("x", asks("later", objects.TCP2)):
        assert eipd.wait_state("default", "later", "announced")[
            "addresses"] == [a]
    gone(eipd, "default", "later")
    assert "reserved" in {x["state"] for x in lease(eipd, a)}
    assert eipd.ctl("unreserve", a)[0] == 0
    assert eipd.ctl("unreserve", a)[0] == 1
    assert "reserved" not in {x["state"] for x in lease(eipd, a)}


def test_release(eipd, web):
    rc, _, err = eipd.ctl("release", web[0])
    assert rc == 1 and "default/web" in err
    assert eipd.ctl("release", "198.51.100.58")[0] == 1
    with eipd.extra("x", asks("brief", address="198.51.100.41")):
        eipd.wait_state("default", "brief", "announced")
    gone(eipd, "default", "brief")
    x, = lease(eipd, "198.51.100.41")
    assert x["state"] == "quarantined" and TIME.fullmatch(x["until"])
    assert eipd.ctl("release", "198.51.100.41")[0] == 0
    assert lease(eipd, "198.51.100.41") == []


def test_history(eipd, web):
    items = eipd.ctl_json("history", web[0])["items"]
    assert items and {x["address"] for x in items} == {web[0]}
    for x in items:
        has_types(x, time=str, event=str, address=str, cluster=str,
                  namespace=str, name=str, uid=str, pool=str, reason=str)
        assert TIME.fullmatch(x["time"])
    items = eipd.ctl_json("history", "default/web")["items"]
    assert {x["address"] for x in items} == set(web)
    assert {x["name"] for x in items} == {"web"}
    assert len(eipd.ctl_json("history")["items"]) >= len(items)


def test_check(eipd, web):
    wait_for("no error", lambda: eipd.ctl("check")[0] == 0)
    assert eipd.ctl_json("check")["ok"] is True
    with eipd.extra("x", asks("wrong", pool="nowhere")):
        refused(eipd, "default", "wrong", "nowhere")
        x = eipd.ctl_json("check", status=1)
        assert x["ok"] is False
        for p in x["problems"]:
            has_types(p, severity=str, subject=str, text=str, remedy=str)
        assert "default/wrong" in json.dumps(x)
    gone(eipd, "default", "wrong")
    assert eipd.ctl("check")[0] == 0


def test_check_of_a_peer_that_is_meant_to_be_down(eipd, web):
    down = objects.bgp_peer("down", address="10.91.0.77", adminDown=True)
    with eipd.extra("down", down):
        p = wait_for("told", lambda: [p for p in eipd.problems()
                                      if p["subject"] == "peer down"])[0]
        assert p["severity"] == "warning" and "adminDown" in p["remedy"]
        assert eipd.ctl("check")[0] == 0


# withdraw-all, reload


def test_withdraw_all_is_remembered(net, eipd, web):
    assert eipd.ctl("withdraw-all")[0] == 0
    wait_for("routes gone", lambda: not net.route(f"{web[0]}/32"))
    wait_for("no rules", lambda: web[0] not in eipd.nft())
    eipd.stop()
    eipd.start()
    wait_for("session", lambda: net.session() == "Established")
    assert web[0] not in eipd.nft() and not net.route(f"{web[0]}/32")
    assert "withdraw" in json.dumps(eipd.ctl_json("explain", "default/web"))
    assert eipd.ctl("withdraw-all", "--undo")[0] == 0
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    wait_for("reachable", lambda: net.get(web[0], 80))


def test_reload(eipd, web):
    assert eipd.ctl("reload")[0] == 0
    eipd.set_conf(eipd.CONF + "nonsense: 1\n")
    rc, _, err = eipd.ctl("reload")
    assert rc == 1 and "nonsense" in err
    eipd.set_conf(eipd.CONF)
    assert eipd.ctl("reload")[0] == 0


# HTTP


def ask(eipd, method, path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", 9640, timeout=5)
    c.sock = eipd.lab.connect("127.0.0.1", 9640, "gw")
    with contextlib.closing(c):
        c.request(method, path, body)
        r = c.getresponse()
        return r.status, r.getheader("Content-Type") or "", r.read().decode()


def ask_socket(eipd, method, path, body=None):
    c = UnixHttp(eipd.socket)
    with contextlib.closing(c):
        c.request(method, path, body)
        r = c.getresponse()
        return r.status, json.loads(r.read() or b"null")


VIEWS = ("status", "services", "pools", "leases", "backends?namespace="
         "default&name=web", "nodes", "peers", "routes",
         "explain?subject=default/web", "history", "check")
VERBS = ("reserve", "unreserve", "release", "reload", "withdraw-all")


@pytest.mark.parametrize("view", VIEWS)
def test_http_views(eipd, web, view):
    code, kind, body = ask(eipd, "GET", f"/v1/{view}")
    assert code == 200 and kind.startswith("application/json")
    assert isinstance(json.loads(body), dict)
    assert ask_socket(eipd, "GET", f"/v1/{view}")[0] == 200


def error_of(body):
    e = body["error"]
    has_types(e, code=int, message=str)
    return e["code"]


def test_http_port_only_reads(eipd, web):
    for verb in VERBS:
        for method in ("POST", "PUT", "DELETE"):
            code, _, body = ask(eipd, method, f"/v1/{verb}", "{}")
            assert code == 405 and error_of(json.loads(body)) == 405
        assert ask(eipd, "GET", f"/v1/{verb}")[0] == 405
    assert ask(eipd, "POST", "/v1/services", "{}")[0] == 405
    code, _, body = ask(eipd, "GET", "/v1/nothing")
    assert code == 404 and error_of(json.loads(body)) == 404


def test_http_errors(eipd, web):
    for method, path, body, want in (
            ("POST", "/v1/reserve", "{", 400),
            ("POST", "/v1/reserve", "{}", 400),
            ("POST", "/v1/reserve", '{"address":"x"}', 400),
            ("POST", "/v1/release", json.dumps({"address": web[0]}), 409),
            ("POST", "/v1/unreserve", '{"address":"198.51.100.57"}', 404),
            ("GET", "/v1/explain", None, 400),
            ("GET", "/v1/explain?subject=default/nope", None, 404),
            ("GET", "/v1/services?name=nope", None, 404)):
        code, answer = ask_socket(eipd, method, path, body)
        assert (code, error_of(answer)) == (want, want), (path, answer)
    code, _ = ask_socket(eipd, "POST", "/v1/reserve", json.dumps(
        {"address": "198.51.100.42", "namespace": "a", "name": "b"}))
    assert code == 200
    assert ask_socket(eipd, "POST", "/v1/unreserve", json.dumps(
        {"address": "198.51.100.42"}))[0] == 200


def test_health(eipd):
    assert ask(eipd, "GET", "/healthz")[0] == 200
    assert ask(eipd, "GET", "/readyz")[0] == 200
    assert eipd.get("/readyz")[0] == 200


@contextlib.contextmanager
def event_stream(eipd):
    c = UnixHttp(eipd.socket, timeout=10)
    with contextlib.closing(c):
        c.request("GET", "/v1/events")
        r = c.getresponse()
        assert r.status == 200
        yield map(json.loads, r)


def test_event_stream(eipd, web):
    with event_stream(eipd) as events, \
            eipd.extra("x", asks("seen", objects.TCP2)):
        for event in events:
            has_types(event, time=str, kind=str, subject=str, text=str)
            assert TIME.fullmatch(event["time"])
            if "default/seen" in event["subject"]:
                break
    gone(eipd, "default", "seen")


def test_event_reasons(eipd, web):
    def put(notes, **spec):
        eipd.set_object("x", objects.dump(asks(
            "told", objects.TCP2, annotations=notes, **spec)))

    with event_stream(eipd) as events, eipd.extra("x"):
        def comes(reason, service="told"):
            kinds = []
            for event in events:
                if event["subject"] == f"default/{service}":
                    kinds.append(event["kind"])
                    if event["kind"] == reason:
                        return kinds
            raise AssertionError(f"no {reason} after {kinds}")

        withdraw = {"eipd.io/no-backends": "withdraw"}
        put(withdraw)
        assert comes("Announced") == ["Announced"]
        put(withdraw, externalTrafficPolicy="Local")
        assert comes("NoBackends") == ["Withdrawn", "NoBackends"]
        put({"eipd.io/backends": "nonsense"})
        assert "AllocationFailed" not in comes("Refused")
        put({"eipd.io/addresses": "192.0.2.99"})
        assert "Refused" not in comes("AllocationFailed")
        assert eipd.ctl("withdraw-all")[0] == 0
        assert comes("Withdrawn", "web") == ["Withdrawn"]
        assert eipd.ctl("withdraw-all", "--undo")[0] == 0
        assert comes("Announced", "web") == ["Announced"]
    gone(eipd, "default", "told")
    eipd.wait_state("default", "web", "announced")


def test_peer_events(net, eipd, web):
    with event_stream(eipd) as events:
        texts = (e["text"] for e in events if e["subject"] == "router")
        net.birdc("disable", "eipd")
        assert "Administrative Shutdown" in next(texts)
        net.birdc("enable", "eipd")
        last = next(t for t in texts if t.startswith("Established"))
        assert last == "Established", "an error that is over"
    eipd.wait_state("default", "web", "announced")


def test_waiting_peer_is_told_once(eipd, web, tmp_path):
    """Its password is looked for every second."""
    def uptime():
        return eipd.ctl_json("status")["uptimeSeconds"]

    waits = objects.bgp_peer("waits", address="10.91.0.77",
                             authPasswordFile=str(tmp_path / "none"))
    with event_stream(eipd) as events, eipd.extra("waits", waits):
        first = next(e for e in events if e["subject"] == "waits")
        assert "No such file" in first["text"]
        began = uptime()
        wait_for("some tries", lambda: uptime() > began + 3)
        with eipd.extra("x", asks("fence", objects.TCP2)):
            fence = next(e for e in events
                         if e["subject"] in ("waits", "default/fence"))
            assert fence["subject"] == "default/fence"
    gone(eipd, "default", "fence")


METRICS = {
    "gauge": {
        "eipd_services": {"state"},
        "eipd_pool_addresses": {"pool", "state"},
        "eipd_service_backends": {"namespace", "service", "state"},
        "eipd_bgp_session_up": {"peer"},
        "eipd_bgp_prefixes_advertised": {"peer"},
        "eipd_kube_stale_seconds": set()},
    "counter": {
        "eipd_service_packets": {"namespace", "service"},
        "eipd_service_bytes": {"namespace", "service"},
        "eipd_service_connections": {"namespace", "service"},
        "eipd_bgp_updates": {"peer", "direction"},
        "eipd_bgp_notifications": {"peer", "direction"},
        "eipd_nft_commits": set(),
        "eipd_nft_operations": set(),
        "eipd_nft_errors": set()},
    "histogram": {
        "eipd_nft_commit_seconds": set(),
        "eipd_db_commit_seconds": set(),
        "eipd_converge_seconds": set(),
        "eipd_loop_stall_seconds": set()}}


def metrics(eipd):
    code, kind, body = ask(eipd, "GET", "/metrics")
    assert code == 200 and kind.startswith("application/openmetrics-text")
    return {f.name: f for f in text_string_to_metric_families(body)}


def test_metrics(eipd, web):
    families = metrics(eipd)
    assert all(name.startswith("eipd_") for name in families)
    for kind, names in METRICS.items():
        for name, labels in names.items():
            assert name in families, name
            assert families[name].type == kind, name
            for s in families[name].samples:
                assert labels <= set(s.labels), s
    with open(MAN) as page:
        documented = {name for line in page if line.startswith(".It eipd_")
                      for name in re.findall(r"eipd_\w+", line)}
    assert documented == set(families)
    value = {tuple(sorted(s.labels.items())): s.value
             for s in families["eipd_services"].samples}
    assert value[(("state", "announced"),)] == 1
    states = {s.labels["state"]
              for s in families["eipd_pool_addresses"].samples}
    assert states == {"used", "reserved", "quarantined", "sticky", "free"}
    up, = families["eipd_bgp_session_up"].samples
    assert up.labels["peer"] == "router" and up.value == 1


# Kernel


def test_names_in_the_kernel(net, eipd, web):
    text = net.run("gw", "nft", "list", "table", "inet", "eipd")
    assert '"static/default/web"' in text
    routes = json.loads(net.ip("gw", "-N", "-j", "route", "show", "table",
                               "all", "proto", "225"))
    assert {r["dst"] for r in routes} >= {web[0]}
    tables = re.findall(r"^table (\S+ \S+)", eipd.nft(), re.M)
    assert set(tables) <= {"inet eipd", "netdev eipd", "bridge eipd"}


@pytest.mark.parametrize("harm", ["flush ruleset", "delete table inet eipd"])
def test_rules_that_someone_removed_come_back(net, eipd, web, harm):
    net.run("gw", "nft", *harm.split())
    wait_for("rules are back", lambda: '"static/default/web"' in eipd.nft(),
             timeout=3)
    wait_for("reachable", lambda: net.get(web[0], 80))


def test_route_that_someone_removed_comes_back(net, eipd, web):
    net.ip("gw", "route", "del", "local", web[0], "table", "local")
    wait_for("reachable again", lambda: net.get(web[0], 80, timeout=0.5))
