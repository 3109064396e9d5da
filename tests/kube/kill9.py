#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at random moments under churn, with real kernel, BIRD and API server.

    kill9.py [--rounds N] [--seed S]

Each round changes Services, kills eipd some moment later, sometimes again
while it starts, and waits until database, kernel, BIRD and Service status
agree on who has which addresses: of IPv4, IPv6 or both, some asked for, some
shared.  No address moves; one transfer and a stream of new connections
through an EIP that nobody changes never fail.  A failing
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
ASKED = {"IPv4": "198.51.100.1%02d", "IPv6": "2001:db8:51::1%02d"}
ADDRESS = r"198\.51\.100\.\d+|2001:db8:51::[0-9a-f]+"
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


def shown(s):
    """The addresses that the Service's status has."""
    return [i["ip"] for i in s["status"]["loadBalancer"].get("ingress", [])]


class World:
    """The churn, and what must be true whenever it rests."""

    def __init__(self, net, eipd, seed):
        self.net = net
        self.eipd = eipd
        self.api = Api(net)
        self.random = random.Random(seed)
        self.types = {}  # name: the Service's type
        self.held = {}  # uid: addresses, while it is a LoadBalancer

    # Changes.

    def port(self, name):
        """No two Services have one in common: any may share an address."""
        return {"name": "http", "protocol": "TCP", "targetPort": 8080,
                "port": 80 + NAMES.index(name) +
                self.random.randrange(3) * len(NAMES)}

    def create(self, name):
        families = self.random.choice([("IPv4",), ("IPv4",), ("IPv6",),
                                       ("IPv4", "IPv6")])
        notes = self.random.choice([{}, {"eipd.io/share": "k"}, {
            "eipd.io/pool": "asked", "eipd.io/addresses": ",".join(
                ASKED[f] % NAMES.index(name) for f in families)}])
        policy = self.random.choice(["Cluster", "Local"])
        self.api.call("POST", PATH, service(
            name, self.port(name), families=families, annotations=notes,
            externalTrafficPolicy=policy))
        self.types[name] = "LoadBalancer"
        return "+".join([*families, *notes])

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
        self.patch(name, ports=[self.port(name)])

    def step(self):
        name = self.random.choice(NAMES)
        if name not in self.types:
            what = self.create
        else:
            what = self.random.choice([self.delete, self.flip,
                                       self.change_port, self.change_port])
        return f"{what.__name__} {name} {what(name) or ''}".strip()

    # What each of the four says.

    def services(self):
        """By the API server, {name: Service}."""
        return {s["metadata"]["name"]: s
                for s in self.api.call("GET", PATH)["items"]
                if s["spec"]["type"] == "LoadBalancer"}

    def nft(self, *what):
        """Of both families."""
        return "".join(self.net.run("gw", "nft", "-nn", "list", *what[:-1],
                                    "inet", "eipd", what[-1] + family)
                       for family in "46")

    def kernel(self):
        """{(address, port): name}"""
        return {(m[1], int(m[3])): m[4] for m in re.finditer(
            r'([0-9a-f.:]+) \. (\S+) \. (\d+) (?:counter .*? )?'
            r'comment "kubernetes/default/(\S+)"', self.nft("map", "svc"))}

    def kernel_addresses(self):
        return set(re.findall(ADDRESS, self.nft("set", "eip")))

    def database(self):
        """{(address, name)}"""
        db = sqlite3.connect(f"file:{self.eipd.database}?mode=ro", uri=True,
                             timeout=5)
        with contextlib.closing(db):
            return set(db.execute("SELECT address, name FROM lease WHERE held"
                                  " AND cluster = 'kubernetes'"))

    def routes(self):
        text = self.net.birdc("show", "route", "protocol", "eipd", check=False)
        return set(re.findall(rf"^({ADDRESS})/(?:32|128)\b", text, re.M))

    def disagreement(self):
        """One line, or "" when all of them say the same."""
        services = self.services()
        held = {(a, n) for n, s in services.items() for a in shown(s)}
        addresses = {a for a, _ in held}
        for n, s in services.items():
            notes = s["metadata"].get("annotations", {})
            if len(shown(s)) != len(s["spec"]["ipFamilies"]):
                return f"status of {n}: {shown(s)}"
            asked = notes.get("eipd.io/addresses")
            if asked and asked != ",".join(shown(s)):
                return f"status of {n}: {shown(s)}, asked for is {asked}"
            others = {o for a, o in held if a in shown(s)} - {n}
            if others and "eipd.io/share" not in notes:
                return f"{n} has {shown(s)}, so have {others}"
        ports = {(a, p["port"]): n for a, n in held
                 for p in services[n]["spec"]["ports"]}
        for what, got, want in (
                ("database", self.database(), held),
                ("kernel", self.kernel(), ports),
                ("kernel's addresses", self.kernel_addresses(), addresses),
                ("BIRD", self.routes(), addresses)):
            if got != want:
                return f"{what}: {got}, status: {want}"
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
        services = self.services()
        now = {s["metadata"]["uid"]: shown(s) for s in services.values()}
        for name, s in services.items():
            before = self.held.get(s["metadata"]["uid"], shown(s))
            assert before == shown(s), f"{name}: {before} to {shown(s)}"
        self.held = now

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
        objects.eip("v4", "198.51.100.20-198.51.100.69", default=True),
        objects.eip("v6", "2001:db8:51::20-2001:db8:51::69", default=True),
        objects.eip("asked", "", addresses=[
            "198.51.100.100-198.51.100.111",
            "2001:db8:51::100-2001:db8:51::111"]),
        objects.bgp_conf(), objects.bgp_peer())
    eipd.start()
    try:
        world = World(net, eipd, seed)
        world.api.call("POST", PATH, service("steady"))
        wait_for("status", lambda: not world.disagreement())
        steady, = (a for a, n in world.database() if n == "steady")
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
