#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at random moments under churn, with real kernel, BIRD and API server.

    kill9.py [--rounds N] [--seed S]

Each round changes Services, kills eipd some moment later, sometimes again
while it starts, and waits until database, kernel, BIRD and Service status
agree on who has which address.  No address moves; one transfer and a stream
of new connections through an EIP that nobody changes never fail.  A failing
round is repeated with its seed (the moments differ, the changes do not).
"""
import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "net")]
from kubelab import KubeLab  # noqa: E402
from lab import Eipd, LabError, Stream, wait_for  # noqa: E402
from test_kube_spine import CLASS, CONF, service  # noqa: E402
from traffic import Hammer  # noqa: E402
import objects  # noqa: E402

NAMES = [f"churn{i:02}" for i in range(12)]
PATH = "/api/v1/namespaces/default/services"
SETTLE_S = 30


class Api:
    """The API server, as admin, on one connection: kubectl takes longer than
    eipd needs for all of it."""

    def __init__(self, net):
        kube = net.kube
        tls = ssl.create_default_context(cafile=kube.dir / "pki/ca.crt")
        kube.kubeconfig("admin", groups=["system:masters"])
        tls.load_cert_chain(kube.dir / "pki/admin.crt",
                            kube.dir / "pki/admin.key")
        self.http = http.client.HTTPSConnection(kube.listen)
        self.http.sock = tls.wrap_socket(
            net.connect(kube.listen, kube.port, host="api"),
            server_hostname=kube.listen)
        self.http.sock.settimeout(30)

    def call(self, method, path, body=None):
        kind = "application/merge-patch+json" if method == "PATCH" else \
            "application/json"
        self.http.request(method, path, body and json.dumps(body),
                          {"Content-Type": kind})
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise LabError(f"{method} {path}: {answer.status} {text!r}")
        return json.loads(text)


class World:
    """The churn, and what must be true whenever it rests."""

    def __init__(self, net, eipd, seed):
        self.net = net
        self.eipd = eipd
        self.api = Api(net)
        self.random = random.Random(seed)
        self.types = {}  # name: the Service's type
        self.held = {}  # uid: address, while it is a LoadBalancer

    # Changes.

    def create(self, name):
        port = {"name": "http", "protocol": "TCP", "targetPort": 8080,
                "port": self.random.randint(80, 89)}
        policy = self.random.choice(["Cluster", "Local"])
        self.api.call("POST", PATH, service(name, port,
                                            externalTrafficPolicy=policy))
        self.types[name] = "LoadBalancer"

    def delete(self, name):
        self.api.call("DELETE", f"{PATH}/{name}")
        del self.types[name]

    def patch(self, name, **spec):
        self.api.call("PATCH", f"{PATH}/{name}", {"spec": spec})

    def flip(self, name):
        if self.types[name] == "ClusterIP":
            self.types[name] = "LoadBalancer"
            self.patch(name, type="LoadBalancer", **CLASS)
        else:
            self.types[name] = "ClusterIP"
            self.patch(name, type="ClusterIP", loadBalancerClass=None)

    def change_port(self, name):
        self.patch(name, ports=[{
            "name": "http", "protocol": "TCP", "targetPort": 8080,
            "port": self.random.randint(80, 89)}])

    def step(self):
        name = self.random.choice(NAMES)
        if name not in self.types:
            what = self.create
        else:
            what = self.random.choice([self.delete, self.flip,
                                       self.change_port, self.change_port])
        what(name)
        return f"{what.__name__} {name}"

    # What each of the four says: {(address, port): name}.

    def services(self):
        """By the API server, {name: Service}."""
        return {s["metadata"]["name"]: s
                for s in self.api.call("GET", PATH)["items"]
                if s["spec"]["type"] == "LoadBalancer"}

    def kernel(self):
        text = self.net.run("gw", "nft", "-nn", "list", "map", "inet", "eipd",
                            "svc4")
        return {(m[1], int(m[3])): m[4] for m in re.finditer(
            r'([0-9.]+) \. (\S+) \. (\d+) (?:counter .*? )?'
            r'comment "kubernetes/default/(\S+)"', text)}

    def kernel_addresses(self):
        text = self.net.run("gw", "nft", "list", "set", "inet", "eipd",
                            "eip4")
        return set(re.findall(r"198\.51\.100\.\d+", text))

    def database(self):
        db = sqlite3.connect(f"file:{self.eipd.database}?mode=ro", uri=True,
                             timeout=5)
        with contextlib.closing(db):
            rows = db.execute("SELECT address, name FROM lease WHERE held"
                              " AND cluster = 'kubernetes'").fetchall()
        assert len(rows) == len(dict(rows)), f"held twice: {rows}"
        return {name: address for address, name in rows}

    def routes(self):
        text = self.net.birdc("show", "route", "protocol", "eipd", check=False)
        return set(re.findall(r"^(198\.51\.100\.\d+)/32", text, re.M))

    def disagreement(self):
        """One line, or "" when all of them say the same."""
        services = self.services()
        shown = {n: [i["ip"] for i in s["status"]["loadBalancer"].get(
            "ingress", [])] for n, s in services.items()}
        if not all(len(a) == 1 for a in shown.values()):
            return f"status: {shown}"
        address = {n: a[0] for n, a in shown.items()}
        if len(set(address.values())) < len(address):
            return f"shared by chance: {address}"
        ports = {(address[n], p["port"]): n for n, s in services.items()
                 for p in s["spec"]["ports"]}
        for what, is_same, got in (
                ("database", self.database() == address, self.database),
                ("kernel", self.kernel() == ports, self.kernel),
                ("kernel's addresses", self.kernel_addresses() ==
                 set(address.values()), self.kernel_addresses),
                ("BIRD", self.routes() == set(address.values()),
                 self.routes)):
            if not is_same:
                return f"{what}: {got()}, status: {ports}"
        # While BIRD waits for the routes of a session that is back, one more
        # crash makes it drop what it kept (RFC 4724, 4.2).
        bgp = self.net.birdc("show", "protocols", "all", "eipd")
        if "Established" not in bgp or "graceful restart active" in bgp:
            return "the session is not back"
        return ""

    def settle(self):
        def agree():
            trouble = self.disagreement()
            if trouble:
                raise LabError(trouble)
            return True
        wait_for("all four agree", agree, SETTLE_S)
        now = {s["metadata"]["uid"]: (
            n, s["status"]["loadBalancer"]["ingress"][0]["ip"])
            for n, s in self.services().items()}
        for uid, (name, address) in now.items():
            before = self.held.get(uid, address)
            assert before == address, f"{name} moved: {before} to {address}"
        self.held = {uid: address for uid, (_, address) in now.items()}

    def forget_flipped(self):
        """A LoadBalancer that was something else in between may move."""
        present = {s["metadata"]["uid"] for s in self.services().values()}
        self.held = {u: a for u, a in self.held.items() if u in present}


def play_round(world, eipd):
    story = []
    rnd = world.random

    def change(most):
        for _ in range(rnd.randint(0, most)):
            story.append(world.step())
            world.forget_flipped()

    change(6)
    # A second one before the session is back: between the session and its
    # routes the router would drop all that it kept (RFC 4724, 4.2).
    pauses = [rnd.choice([0.02, 0.1, 0.5]) * rnd.random(),
              0.05 * rnd.random()]
    for pause in pauses[:rnd.choice([1, 1, 2])]:
        time.sleep(pause)  # the moment is what is under test
        eipd.kill9()
        story.append(f"kill after {pause * 1000:.1f} ms")
        change(2)
        eipd.start(ready=False)
    change(2)
    return story


def play(net, rounds, seed, say=print):
    """Raises with the story of the round that failed."""
    eipd = Eipd(net, conf=CONF.replace("KUBECONFIG", net.kubeconfig))
    net.kube.apply(
        objects.eip("v4", "198.51.100.10-198.51.100.59", default=True),
        objects.bgp_conf(), objects.bgp_peer())
    eipd.start()
    try:
        world = World(net, eipd, seed)
        world.api.call("POST", PATH, service("steady"))
        wait_for("status", lambda: not world.disagreement())
        steady = world.database()["steady"]
        wait_for("every kube-proxy knows it",
                 lambda: all(net.spread(steady, 80, 30).values()), 60)
        transfer = Stream(net, steady, 80, seconds=100000, rate=20)
        with Hammer(net, [steady]) as hammer:
            for n in range(rounds):
                began = time.monotonic()
                story = []
                lines = transfer.lines
                try:
                    story = play_round(world, eipd)
                    rested = time.monotonic()
                    world.settle()
                    assert not hammer.failures, hammer.failures
                    assert transfer.error is None, transfer.error
                    wait_for("the transfer goes on",
                             lambda: transfer.lines > lines)
                except (AssertionError, LabError) as e:
                    raise AssertionError(
                        f"seed {seed} round {n}: {e}; "
                        f"{', '.join(story)}") from e
                say(f"round {n}: {', '.join(story)}; agreed after "
                    f"{time.monotonic() - rested:.1f} s, "
                    f"{time.monotonic() - began:.1f} s in all")
            done = hammer.done
        assert not hammer.failures, hammer.failures
        say(f"{rounds} rounds, {done} connections and {transfer.lines} lines "
            "of one transfer without a failure")
    finally:
        if eipd.proc:
            eipd.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {args.seed}", flush=True)
    from conftest import programs
    programs()
    with KubeLab() as net:
        play(net, args.rounds, args.seed,
             lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
