# SPDX-License-Identifier: GPL-2.0-or-later
"""List, watch and status writes against a real API server."""
import concurrent.futures
import json
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import TOP, may
from lab import wait_for

OTHER = "198.51.100.9"


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


def ingress(cluster, name):
    text = cluster.kubectl("get", "service", name, "-o", "json")
    return json.loads(text)["status"]["loadBalancer"].get("ingress")


def status_patch(cluster, name, address):
    cluster.kubectl("patch", "service", name, "--subresource=status",
                    "--type=merge", "-p", json.dumps({"status": {
                        "loadBalancer": {"ingress": [{"ip": address}]}}}))


def remove(cluster, *names):
    cluster.kubectl("delete", "--ignore-not-found", "service", *names)


def test_everything_arrives(cluster, account, start):
    cluster.apply(service("first"))
    d = start(account)
    d.wait_line("connected=1 synced=1")
    cluster.apply(
        service("second"), {"apiVersion": "v1", "kind": "Node",
                            "metadata": {"name": "n1"}},
        {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Eip",
         "metadata": {"name": "pool"}, "spec": {"address": "10.0.0.0/24"}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": "first-1", "namespace": "default", "labels": {
             "kubernetes.io/service-name": "first"}},
         "addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"]}],
         "ports": [{"port": 80}]})
    for text in ("put Service default/first", "put Service default/second",
                 "put Node /n1", "put Eip /pool", "put Namespace /default",
                 "put EndpointSlice default/first-1"):
        d.wait_line(text)
    remove(cluster, "first", "second")
    cluster.kubectl("delete", "node/n1", "eip/pool", "endpointslice/first-1")
    for text in ("gone Service default/first", "gone Node /n1",
                 "gone Eip /pool", "gone EndpointSlice default/first-1"):
        d.wait_line(text)
    assert not [line for line in d.lines() if line.startswith("refused")]


def test_restart_of_the_api_server(cluster, account, start):
    cluster.apply(service("kept"), service("lost"))
    d = start(account)
    d.wait_line("connected=1 synced=1")
    cluster.kill("kube-apiserver")
    d.wait_line("connected=0 synced=1")
    at = len(d.lines())
    cluster.start_apiserver()
    remove(cluster, "lost")
    cluster.apply(service("late"))
    d.wait_line("connected=1 synced=1", timeout=60, after=at)
    d.wait_line("put Service default/late", after=at)
    # Told one by one, or by a list that does without it.
    wait_for("default/lost gone", lambda: any(
        "gone Service default/lost" in line for line in d.lines()[at:])
        or ("end Service" in d.lines()[at:]
            and "put Service default/lost" not in d.lines()[at:]))
    assert all(w["connected"] for w in d.watches().values())
    remove(cluster, "kept", "late")


def test_watches_come_back_together(cluster, account, start):
    """None waits out its own backoff; the server's CRDs come last."""
    d = start(account)
    d.wait_line("connected=1 synced=1")
    cluster.kill("kube-apiserver")
    d.wait_line("connected=0 synced=1")
    killed = time.monotonic()
    back = {}

    def all_are_back():
        for kind, w in d.watches().items():
            if w["connected"]:
                back.setdefault(kind, time.monotonic())
        return len(back) == 7
    wait_for("25 s without it", lambda: time.monotonic() > killed + 25, 30)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = pool.submit(cluster.start_apiserver)
        wait_for("all connected", all_are_back, 90)
        started.result()
    assert max(back.values()) - min(back.values()) < 5.0


def test_paused_and_cut_connections_resume(cluster, account, netns, start):
    def nft(*args):
        subprocess.run(["ip", "netns", "exec", netns, "nft", *args],
                       check=True)
    d = start(account)
    d.wait_line("connected=1 synced=1")
    at = len(d.lines())
    nft("add table inet cut; add chain inet cut in "
        "{ type filter hook input priority 0; }; "
        "add rule inet cut in tcp dport 6443 drop; "
        "add rule inet cut in tcp sport 6443 drop")
    try:
        d.wait_line("connected=0 synced=1", timeout=60, after=at)
    finally:
        nft("delete", "table", "inet", "cut")
    d.wait_line("connected=1 synced=1", timeout=60, after=at)
    assert all(w["restarts"] == 0 for w in d.watches().values())


def test_a_right_is_missing(cluster, account, start):
    cluster.kubectl("patch", "clusterrole", "eipd", "--type=json", "-p",
                    json.dumps([{"op": "replace", "path": "/rules/0/resources",
                                 "value": ["services", "namespaces"]}]))
    # The authorizer hears of it a moment later.
    wait_for("forbidden", lambda: not may(cluster, "list", "nodes"))
    d = start(account)
    try:
        line = d.wait_line("status connected=0 synced=0 message=forbidden")
        assert "cannot list nodes" in line
        assert "eipctl manifests" in line
        d.wait_line("end Service")
    finally:
        cluster.kubectl("apply", "-f", str(TOP / "etc/manifests.yaml"))
    wait_for("allowed", lambda: may(cluster, "watch", "nodes"))
    d.proc.send_signal(signal.SIGHUP)
    d.wait_line("connected=1 synced=1")


def test_a_token_that_is_replaced(cluster, account, start, tmp_path):
    config = json.loads(pathlib.Path(account).read_text())
    user = config["users"][0]["user"]
    good = user.pop("token")
    user["tokenFile"] = "token"
    (tmp_path / "token").write_text("nonsense")
    (tmp_path / "config").write_text(json.dumps(config))
    d = start(str(tmp_path / "config"))
    d.wait_line("message=you must be logged in to the server (Unauthorized)")
    (tmp_path / "token").write_text(good + "\n")
    d.wait_line("connected=1 synced=1", timeout=60)


@pytest.mark.parametrize("change, want", [
    ({"server": "https://127.0.0.1:1"}, "was refused - did you specify"),
    ({"server": "https://no.such.invalid"}, "no such host"),
    ({"server": "http://127.0.0.1:6443"}, "HTTP request to an HTTPS server"),
    ({"tls-server-name": "other.example"}, "valid for other names"),
    ({"certificate-authority": None}, "signed by unknown authority"),
    ({"certificate-authority": "/none"}, "unable to read"),
])
def test_what_users_are_told(account, start, tmp_path, change, want):
    config = json.loads(pathlib.Path(account).read_text())
    for key, value in change.items():
        config["clusters"][0]["cluster"][key] = value
        if value is None:
            del config["clusters"][0]["cluster"][key]
    (tmp_path / "config").write_text(json.dumps(config))
    d = start(str(tmp_path / "config"))
    assert want in d.wait_line("message=")


def test_another_name_for_the_server(account, start, tmp_path):
    config = json.loads(pathlib.Path(account).read_text())
    config["clusters"][0]["cluster"]["tls-server-name"] = \
        "kubernetes.default.svc"
    (tmp_path / "config").write_text(json.dumps(config))
    start(str(tmp_path / "config")).wait_line("connected=1 synced=1")


def test_nul_in_an_annotation(cluster, account, start):
    d = start(account)
    d.wait_line("connected=1 synced=1")
    poisoned = service("nul")
    poisoned["metadata"]["annotations"] = {"a": "x\0y"}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(poisoned))
    d.wait_line("put Service default/nul")
    remove(cluster, "nul")
    d.wait_line("gone Service default/nul")


def test_crds_that_come_later(cluster, account, start):
    cluster.kubectl("delete", "crd", "eips.network.kubesphere.io")
    d = start(account)
    d.wait_line("connected=1 synced=1")
    cluster.kubectl("apply", "-f", str(TOP / "etc/manifests.yaml"))
    cluster.kubectl("wait", "--for=condition=Established",
                    "crd/eips.network.kubesphere.io", "--timeout=20s")
    cluster.apply({"apiVersion": "network.kubesphere.io/v1alpha2",
                   "kind": "Eip", "metadata": {"name": "new"},
                   "spec": {"address": "10.0.0.0/24"}})
    d.wait_line("put Eip /new", timeout=45)
    cluster.kubectl("delete", "eip/new")


@pytest.mark.parametrize("mode", ["vip", "proxy"])
def test_status(cluster, account, start, mode):
    names = [f"s{n}" for n in range(20)]
    cluster.apply(*(service(name) for name in names))
    d = start(account, mode)
    want = {"vip": "VIP", "proxy": "Proxy"}[mode]
    for n, name in enumerate(names):
        d.wait_line(f"written default/{name}")
        assert ingress(cluster, name) == [
            {"ip": f"10.200.0.{n}", "ipMode": want}]
    # Each was written once: the server's defaults are no difference.
    assert len([x for x in d.lines() if x.startswith("written")]) == len(names)
    remove(cluster, *names)


def test_status_that_someone_else_changes(cluster, account, start):
    cluster.apply(service("s1"))
    d = start(account, "vip")
    d.wait_line("written default/s1")

    def events():
        return sum(line.startswith("put Service default/s1")
                   for line in d.lines())
    for _ in range(3):
        before = events()
        status_patch(cluster, "s1", OTHER)
        wait_for("corrected",
                 lambda: ingress(cluster, "s1")[0]["ip"] == "10.200.0.1")
        # That change and its own correction have come as events.
        wait_for("events", lambda: events() >= before + 2)
    status_patch(cluster, "s1", OTHER)
    wait_for("told", lambda: "StatusConflict" in cluster.kubectl(
        "get", "events.events.k8s.io", "-n", "default"))
    assert ingress(cluster, "s1")[0]["ip"] == OTHER
    remove(cluster, "s1")
