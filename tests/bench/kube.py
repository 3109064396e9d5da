# SPDX-License-Identifier: GPL-2.0-or-later
"""The kube table of tests/bench/run: eipd against a real API server.

    kube.py BUILD CACHE [SERVICES]

Runs inside a network namespace of its own (run makes it) with etcd and
kube-apiserver of tests/kube, eipd, and a BGP peer that only notes the time of
each route.  A cluster with the Services, ten endpoints each and 5,000 nodes is
filled once and kept in CACHE.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(TOP / "tests/kube"), str(TOP / "tests/net")]
from cluster import Cluster  # noqa: E402
import objects  # noqa: E402

NODES = 5000
ENDPOINTS = 10
IN_FLIGHT = 32
SPACE = "bench"
SERVICES = f"/api/v1/namespaces/{SPACE}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices"
MERGE = "application/merge-patch+json"
JSON = "application/json"
PEER = ("127.0.0.2", 1790)
OTHER_CLASS = "example.org/none"  # not eipd's
FILL_VERSION = 1
# What the API server writes for itself.
OWN = ("leases", "ipaddresses", "selfsubjectaccessreviews",
       "subjectaccessreviews", "tokenreviews")
CONF = """\
user: root
cluster: {{kubeconfig: {kubeconfig}}}
objects: {dir}/objects
database: {dir}/eipd.db
control: {{socket: {dir}/eipd.sock, group: root}}
nodes: {{probe: off}}
"""


# What is in the cluster


def service_name(i):
    return f"s{i:05}"


def service(name, lb_class="eipd.io/eipd"):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"type": "LoadBalancer",
                     "loadBalancerClass": lb_class,
                     "ports": [{"port": 80, "targetPort": 8080}]}}


def address(first, i):
    a, b, c, d = (int(part) for part in first.split("."))
    n = (a << 24 | b << 16 | c << 8 | d) + i
    return ".".join(str(n >> shift & 255) for shift in (24, 16, 8, 0))


def endpoint_slice(i, n_ready=ENDPOINTS):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": service_name(i), "namespace": SPACE,
                         "labels": {"kubernetes.io/service-name":
                                    service_name(i)}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [
                {"addresses": [address("10.128.0.1", i * ENDPOINTS + j)],
                 "nodeName": f"node-{(i * ENDPOINTS + j) % NODES}",
                 "conditions": {"ready": j < n_ready, "serving": j < n_ready,
                                "terminating": False}}
                for j in range(ENDPOINTS)]}


def node(i):
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": f"node-{i}"},
            "status": {"addresses": [{"type": "InternalIP", "address":
                                      address("10.0.0.1", i)}],
                       "conditions": [{"type": "Ready", "status": "True"}]}}


def fill_requests(n):
    for i in range(NODES):
        yield "POST", "/api/v1/nodes", JSON, node(i)
    for i in range(n):
        yield "POST", SERVICES, JSON, service(service_name(i))
        yield "POST", SLICES, JSON, endpoint_slice(i)


def status_requests(n, ingress):
    """Other addresses than eipd gives: what is so already costs less."""
    for i in range(n):
        value = ingress and [{"ip": address("10.202.0.0", i),
                              "ipMode": "VIP"}]
        yield ("PATCH", f"{SERVICES}/{service_name(i)}/status", MERGE,
               {"status": {"loadBalancer": {"ingress": value}}})


# Those who look on


class Api:
    """One connection with a token; request() gives the decoded answer."""

    def __init__(self, cluster, token):
        self.context = ssl.create_default_context(
            cafile=cluster.dir / "pki/ca.crt")
        self.address = (cluster.listen, cluster.port)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.connection = self.connect()

    def connect(self):
        return http.client.HTTPSConnection(*self.address,
                                           context=self.context, timeout=60)

    def raw(self, method, path, body=None, content=JSON):
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data,
                                {**self.headers, "Content-Type": content})
        r = self.connection.getresponse()
        text = r.read()
        if r.status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {r.status} {text[:300]}")
        return text

    def request(self, *args, **kw):
        return json.loads(self.raw(*args, **kw))

    def writes(self):
        """Requests that changed something, by resource and verb."""
        found = {}
        for line in self.raw("GET", "/metrics").decode().splitlines():
            if not line.startswith("apiserver_request_total{"):
                continue
            labels = dict(part.split("=", 1) for part in
                          line[line.index("{") + 1:line.index("}")]
                          .replace('"', "").split(","))
            if labels["verb"] in ("GET", "LIST", "WATCH", "CONNECT"):
                continue
            what = f"{labels['verb']} {labels['resource']}" + (
                "/" + labels["subresource"] if labels["subresource"] else "")
            if what.split()[1] in OWN:
                continue
            found[what] = found.get(what, 0) + int(float(line.split()[-1]))
        return found


def difference(after, before):
    return {k: v - before.get(k, 0) for k, v in after.items()
            if v != before.get(k, 0)}


class Watch(threading.Thread):
    """When each Service was seen with an address."""

    def __init__(self, api):
        super().__init__(daemon=True)
        version = api.request("GET", f"{SERVICES}?limit=1")["metadata"][
            "resourceVersion"]
        self.seen = {}
        self.news = threading.Condition()
        connection = api.connect()
        connection.request("GET", f"{SERVICES}?watch=1&resourceVersion="
                           f"{version}", headers=api.headers)
        self.connection = connection
        self.answer = connection.getresponse()
        self.start()

    def stop(self):
        """Its thread ends with the connection."""
        self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join()

    def run(self):
        while line := self.line():
            now = time.monotonic()
            # Most of the events are of no interest, and decoding them takes
            # of the two cores what is measured.
            if b'"ingress"' not in line:
                continue
            name = line.split(b'"name":"', 1)[1].split(b'"', 1)[0].decode()
            with self.news:
                self.seen.setdefault(name, now)
                self.news.notify_all()

    def line(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.answer.readline()


class Peer(threading.Thread):
    """A router that notes when each host route came or went."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(PEER)
        self.news = threading.Condition()
        self.routes = {}
        self.gone = {}
        self.n_updates = 0
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            with contextlib.suppress(OSError, EOFError):
                self.serve(connection)
            with self.news:
                self.routes.clear()

    @staticmethod
    def message(kind, body=b""):
        return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body

    def serve(self, connection):
        capabilities = (b"\x01\x04\x00\x01\x00\x01" + b"\x41\x04" +
                        struct.pack(">I", 64500))
        body = struct.pack(">BHHIBBB", 4, 64500, 0, 0x0a000001,
                           len(capabilities) + 2, 2, len(capabilities))
        data = b""
        connection.sendall(self.message(1, body + capabilities))
        while chunk := connection.recv(1 << 18):
            now = time.monotonic()
            data += chunk
            while len(data) >= 19:
                size, kind = struct.unpack(">HB", data[16:19])
                if len(data) < size:
                    break
                if kind == 1:
                    connection.sendall(self.message(4))
                if kind == 2:
                    self.update(data[19:size], now)
                data = data[size:]

    def update(self, body, now):
        n_gone, = struct.unpack(">H", body[:2])
        n_attributes, = struct.unpack(">H", body[2 + n_gone:4 + n_gone])
        with self.news:
            self.n_updates += 1
            for ip in self.prefixes(body[2:2 + n_gone]):
                self.routes.pop(ip, None)
                self.gone[ip] = now
            for ip in self.prefixes(body[4 + n_gone + n_attributes:]):
                self.routes[ip] = now
            self.news.notify_all()

    @staticmethod
    def prefixes(data):
        assert len(data) % 5 == 0
        return [socket.inet_ntoa(data[i + 1:i + 5])
                for i in range(0, len(data), 5)]


def await_(news, condition, timeout=60):
    with news:
        if not news.wait_for(condition, timeout):
            raise TimeoutError(f"not within {timeout} s")
        return condition()


def poll(condition, timeout=60):
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if condition():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s")
        pause.wait(0.005)


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class Eipd:
    def __init__(self, build, folder, kubeconfig):
        self.build, self.dir = build, folder
        objects_dir = folder / "objects"
        objects_dir.mkdir(parents=True, exist_ok=True)
        peer = objects.bgp_peer("peer", PEER[0], 64500)
        peer["spec"]["transport"] = {"remotePort": PEER[1]}
        (objects_dir / "all.yaml").write_text(objects.dump(
            objects.eip("public", "10.200.0.0/15", default=True,
                        protocol="bgp"), objects.bgp_conf(), peer))
        (folder / "eipd.conf").write_text(
            CONF.format(dir=folder, kubeconfig=kubeconfig))
        self.process = None

    def start(self):
        """Seconds until it is ready."""
        began = time.monotonic()
        with open(self.dir / "eipd.log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.build}/eipd", "-c", self.dir / "eipd.conf"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        poll(lambda: self.get("/readyz")[0] == 200)
        return time.monotonic() - began

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def forget(self):
        """As on a machine that never ran it."""
        for path in self.dir.glob("eipd.db*"):
            path.unlink()
        subprocess.run(["nft", "flush", "ruleset"], check=True)

    def get(self, path):
        if self.process.poll() is not None:
            raise RuntimeError("eipd ended: " + (
                self.dir / "eipd.log").read_text()[-2000:])
        connection = UnixHttp(str(self.dir / "eipd.sock"))
        connection.request("GET", path)
        r = connection.getresponse()
        text = r.read().decode()
        connection.close()
        return r.status, text

    def status(self):
        return json.loads(self.get("/v1/status")[1])

    def converge(self):
        """How many changes took at most so many ms of eipd, cumulated."""
        return {float(ms) * 1000: int(n) for ms, n in re.findall(
            r'^eipd_converge_seconds_bucket\{le="(.*)"\} (\d+)',
            self.get("/metrics")[1], re.MULTILINE)}

    def stall_ms(self):
        return self.status()["loop"]["maxStallMs"]

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = fields.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(line.split()[1]) / 1024 for line in text.splitlines()
                if line.startswith(("VmRSS", "VmHWM"))][::-1]


def generation():
    """Of nf_tables in this namespace: each transaction counts one."""
    netlink, getgen = 12, 10 << 8 | 16
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink)
    with contextlib.closing(s):
        s.send(struct.pack("=IHHIIBBH", 20, getgen, 1, 1, 0, 0, 0, 0))
        answer = s.recv(4096)
    return struct.unpack(">I", answer[24:28])[0]


# The cases


class Bench:
    def __init__(self, build, cache, n):
        self.build, self.n = build, n
        self.cache = pathlib.Path(cache, f"bench-{FILL_VERSION}-{n}")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="eipd-bench-"))
        self.rows = []
        self.stalls = {}

    def row(self, what, value, floor="", target=""):
        self.rows.append((what, value, floor, target))
        print(f"{what}: {value} {floor}", file=sys.stderr, flush=True)

    def cluster(self, folder):
        return Cluster(folder,
                       extra=["--service-node-port-range=10000-32767"])

    def tokens(self, c):
        """Of an administrator, and eipd's kubeconfig."""
        account = {"metadata": {"namespace": "default", "name": "admin"}}
        binding = {"metadata": {"name": "bench"}, "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": "cluster-admin"}, "subjects": [
                {"kind": "ServiceAccount", **account["metadata"]}]}
        for kind, version, o in (
                ("ServiceAccount", "v1", account),
                ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1",
                 binding),
                ("Namespace", "v1", {"metadata": {"name": SPACE}})):
            c.apply({"apiVersion": version, "kind": kind, **o})
        c.kubectl("apply", "-f", str(TOP / "etc/manifests.yaml"))
        token = c.kubectl("create", "token", "admin", "--duration=24h")
        return token.strip(), c.service_account("eipd-system", "eipd")

    def send(self, c, token, requests):
        """Seconds that libcurl needs for them."""
        token_file = self.work / "token"
        token_file.write_text(token + "\n")
        lines = "".join(f"{method} {path} {content} "
                        f"{json.dumps(body, separators=(',', ':'))}\n"
                        for method, path, content, body in requests)
        done = subprocess.run(
            [f"{self.build}/tests/bench/bench_http", c.server,
             c.dir / "pki/ca.crt", token_file, str(IN_FLIGHT)],
            input=lines, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"bench_http: {done.stderr}")
        return float(done.stdout.split()[0])

    def filled(self):
        """The folder of a cluster that holds everything."""
        fresh = time.time() - 20 * 86400  # certificates last 30 days
        mark = self.cache / "filled"
        if not (mark.exists() and mark.stat().st_mtime > fresh):
            shutil.rmtree(self.cache, ignore_errors=True)
            self.cache.mkdir(parents=True)
            with self.cluster(self.cache) as c:
                token, _ = self.tokens(c)
                seconds = self.send(c, token, fill_requests(self.n))
                print(f"filled in {seconds:.0f} s", file=sys.stderr)
            mark.touch()
        folder = self.work / "full"
        shutil.copytree(self.cache, folder)
        for path in folder.glob("*.kubeconfig"):
            path.unlink()  # they name the other folder
        return folder

    @contextlib.contextmanager
    def eipd(self, name, kubeconfig):
        e = Eipd(self.build, self.work / name, kubeconfig)
        try:
            yield e
        finally:
            e.stop()
            e.forget()

    def note_stall(self, case, e):
        self.stalls[case] = max(self.stalls.get(case, 0), e.stall_ms())

    def creates(self, api, peer, prefix, n, by_hand):
        """Milliseconds to the status and the route of Services made one by
        one; by hand: their maker writes the status, nobody the route."""
        watch = Watch(api)
        status, route = [], []
        for i in range(n):
            name = f"{prefix}{i:04}"
            api.raw("POST", SERVICES, service(name, OTHER_CLASS) if by_hand
                    else service(name))
            began = time.monotonic()
            if by_hand:
                ip = address("10.203.0.0", i)
                api.raw("PATCH", f"{SERVICES}/{name}/status",
                        {"status": {"loadBalancer": {"ingress": [
                            {"ip": ip, "ipMode": "VIP"}]}}}, MERGE)
            seen = await_(watch.news, lambda: watch.seen.get(name))
            status.append((seen - began) * 1000)
            if by_hand:
                continue
            ip = api.request("GET", f"{SERVICES}/{name}")["status"][
                "loadBalancer"]["ingress"][0]["ip"]
            seen = await_(peer.news, lambda: peer.routes.get(ip))
            route.append((seen - began) * 1000)
        for i in range(n):
            api.raw("DELETE", f"{SERVICES}/{prefix}{i:04}")
        return status, route

    def latency(self, api, peer, e, others):
        floor, _ = self.creates(api, peer, f"floor{others}-", 100, True)
        before = e.converge()
        status, route = self.creates(api, peer, f"new{others}-", 200, False)
        took = {ms: n - before[ms] for ms, n in e.converge().items()}
        for what, values, below in (("status", status, floor),
                                    ("route at the peer", route, None)):
            self.row(f"created → {what}, {others:,} others",
                     p50_p99(values), p50_p99(below) if below else "",
                     "≤ 4 / 12 ms" if not others else "≤ 6 / 15 ms")
        self.row(f"of it in eipd, event → kernel, {others:,} others",
                 " / ".join(f"≤ {at_most(took, part):g}"
                            for part in (0.5, 0.99)) + " ms")
        self.note_stall(f"creates, {others:,} others", e)

    def burst(self, c, api, token, e, peer):
        floors, firsts, times, cpus = [], [], [], []
        for attempt in range(3):
            # The floor is watched too: that costs the same.
            watch = Watch(api)
            floors.append(self.send(c, token, status_requests(self.n, True)))
            await_(watch.news, lambda: len(watch.seen) == self.n, 300)
            floors.append(self.send(c, token, status_requests(self.n, None)))
            watch.stop()
            before = api.writes()
            watch = Watch(api)
            began = time.monotonic()
            ready = e.start()
            await_(watch.news, lambda: len(watch.seen) == self.n, 300)
            watch.stop()
            firsts.append(min(watch.seen.values()) - began)
            times.append(max(watch.seen.values()) - began)
            cpus.append(e.cpu())
            writes = settled_writes(api)
            self.note_stall("burst", e)
            if attempt < 2:
                e.stop()
                e.forget()
        floor = statistics.median(floors)
        self.row(f"{self.n:,} pending: start → all have status",
                 f"{statistics.median(times):.1f} s",
                 f"{floor:.1f} s, ratio "
                 f"{statistics.median(times) / floor:.2f}", "≤ 1.15")
        self.row("its first status", f"{statistics.median(firsts):.2f} s")
        made = difference(writes, before)
        self.row("its writes of Service status",
                 made.pop("PATCH services/status", 0), "",
                 f"{self.n:,}")
        self.row("its other writes", json.dumps(made))
        self.row("its CPU", f"{statistics.median(cpus):.1f} s")
        self.row("its ready", f"{ready:.2f} s")
        await_(peer.news, lambda: len(peer.routes) >= self.n)
        self.memory(e, "after the burst")

    def memory(self, e, when):
        rss, peak = e.memory_mib()
        self.row(f"memory {when}: now, peak",
                 f"{rss:.0f}, {peak:.0f} MiB", "", "≤ 64 MiB")

    def restart(self, api, e, peer):
        for how, name in ((signal.SIGTERM, "stopped"),
                          (signal.SIGKILL, "killed")):
            addresses = ingress_of(api)
            e.stop(how)
            before, nft_before = api.writes(), generation()
            seconds = e.start()
            used = e.cpu()
            began = time.monotonic()
            await_(peer.news, lambda: len(peer.routes) >= self.n)
            after = time.monotonic() - began
            writes = difference(settled_writes(api), before)
            self.row(f"{name}, started: ready", f"{seconds:.2f} s", "",
                     "≤ 2 s")
            self.row(f"{name}: CPU to ready; ready → all routes at the peer",
                     f"{used:.2f} s; {after:.2f} s")
            self.row(f"{name}: writes to the API, to nft; moved",
                     f"{writes or 0}, {generation() - nft_before}; "
                     f"{addresses != ingress_of(api)}", "", "0, 0; False")
            self.note_stall("restart", e)
            self.memory(e, f"{name} and started")

    def delete(self, api, e, peer):
        withdraw, writes = [], {}
        transactions = []
        for i in range(20):
            name = service_name(i * 7 % self.n)
            ip = api.request("GET", f"{SERVICES}/{name}")["status"][
                "loadBalancer"]["ingress"][0]["ip"]
            before, nft_before = settled_writes(api), generation()
            n_updates = peer.n_updates
            began = time.monotonic()
            api.raw("DELETE", f"{SERVICES}/{name}")
            gone = await_(peer.news, lambda: peer.gone.get(ip))
            withdraw.append((gone - began) * 1000)
            made = difference(settled_writes(api), before)
            made.pop("DELETE services")
            for key, value in made.items():
                writes[key] = max(writes.get(key, 0), value)
            transactions.append(generation() - nft_before)
            assert peer.n_updates == n_updates + 1
        self.row("DELETE sent → withdraw at the peer", p50_p99(withdraw))
        self.row("one deleted: transactions, writes at most",
                 f"{max(transactions)}, {writes or 0}", "", "1, 1")
        self.note_stall("delete", e)

    def updates(self, api, e, seconds=20, per_second=60):
        idle = e.cpu()
        pause = threading.Event()
        pause.wait(10)
        idle = (e.cpu() - idle) / 10 * 100
        used, began = e.cpu(), time.monotonic()
        for i in range(seconds * per_second):
            k = i % min(500, self.n)
            api.raw("PUT", f"{SLICES}/{service_name(k)}",
                    endpoint_slice(k, ENDPOINTS - 1 -
                                   i // min(500, self.n) % 2))
            pause.wait(max(0, began + (i + 1) / per_second -
                           time.monotonic()))
        took = time.monotonic() - began
        self.row(f"{seconds * per_second / took:.0f} slice updates a second: "
                 "CPU; idle before",
                 f"{(e.cpu() - used) / took * 100:.1f} %; {idle:.1f} %", "",
                 "≤ 5 %")
        self.note_stall("slice updates", e)

    def views(self, e, peer):
        """What asks for everything at once."""
        e.stop(signal.SIGKILL)
        e.start()
        await_(peer.news, lambda: len(peer.routes) >= self.n - 20)
        base = e.stall_ms()
        for path in "/v1/services", "/metrics":
            began = time.monotonic()
            text = e.get(path)[1]
            self.row(f"GET {path}",
                     f"{(time.monotonic() - began) * 1000:.0f} ms, "
                     f"{len(text) / 1e6:.1f} MB")
            now = e.stall_ms()
            self.stalls[path] = now if now > base else 0.0
            base = now

    def run(self):
        peer = Peer()
        with self.cluster(self.work / "empty") as c:
            token, kubeconfig = self.tokens(c)
            api = Api(c, token)
            api.raw("POST", "/api/v1/nodes", node(0))
            with self.eipd("small", kubeconfig) as e:
                e.start()
                self.latency(api, peer, e, 0)
                self.memory(e, "with 0 Services")
        with self.cluster(self.filled()) as c:
            token, kubeconfig = self.tokens(c)
            api = Api(c, token)
            with self.eipd("large", kubeconfig) as e:
                self.burst(c, api, token, e, peer)
                self.latency(api, peer, e, self.n)
                self.updates(api, e)
                self.restart(api, e, peer)
                self.delete(api, e, peer)
                self.views(e, peer)
        for case, ms in self.stalls.items():
            self.row(f"longest loop stall: {case}", f"{ms:.1f} ms", "",
                     "≤ 10 ms")


def p50_p99(values):
    values = sorted(values)
    return (f"{values[len(values) // 2]:.1f} / "
            f"{values[len(values) * 99 // 100]:.1f} ms")


def at_most(cumulated, part):
    """The bound below which that part of a histogram is."""
    return min(bound for bound, n in cumulated.items()
               if n >= part * max(cumulated.values()))


def settled_writes(api):
    """Once none was made for a second."""
    pause = threading.Event()
    last = api.writes()
    while True:
        pause.wait(1)
        now = api.writes()
        if now == last:
            return now
        last = now


def ingress_of(api):
    return {s["metadata"]["name"]: s["status"]["loadBalancer"]
            for s in api.request("GET", SERVICES)["items"]}


def main(build, cache, n="10000"):
    bench = Bench(build, cache, int(n))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        bench.run()
    finally:
        print("| | eipd | floor | target |\n|---|---|---|---|")
        for row in bench.rows:
            print("| " + " | ".join(str(cell) for cell in row) + " |")
        shutil.rmtree(bench.work, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
