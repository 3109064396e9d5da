# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a client, a router, the gateway that runs eipd and three nodes.

    cl ---- rt (BIRD, AS 64500) ---- gw (eipd, AS 64512) ---- sw (bridge) -+- n1
       10.90.0.0/24       10.91.0.0/24                    10.92.0.0/24     +- n2
       fd90::/64          fd91::/64                       fd92::/64        +- n3

Every host is a network namespace called PREFIX-NAME; nothing outside them and
the lab's own folder is touched.  Each node answers like a NodePort: HTTP on
TCP 30080 and 30081, an echo on UDP 30053, and kube-proxy's health check on
10256.  The tests of tests/net and scripts/quickstart use the same lab:

    lab.py up|down PREFIX FOLDER      without a test around it
"""
import contextlib
import ctypes
import http.client
import http.server
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

import objects

HOSTS = ("cl", "rt", "gw", "sw", "n1", "n2", "n3")
NODES = ("n1", "n2", "n3")
ROUTER_AS = 64500
EIPD_AS = 64512
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
# Every deadline is that many times later: for machines that are emulated.
patience = 1


class LabError(Exception):
    """What went wrong, in one line."""


def run(*argv, check=True, **kw):
    """Runs a command to its end; its standard output."""
    kw.setdefault("timeout", 60)
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, **kw)
    if check and r.returncode:
        raise LabError(f"{' '.join(argv)}: exit {r.returncode}: "
                       f"{(r.stderr or r.stdout).strip()}")
    return r.stdout


def wait_for(what, condition, timeout=20.0):
    """The first true value of condition(), polled; LabError after timeout.

    An exception of LabError, OSError or HTTPException counts as not yet, and
    the last one is named if it never comes true.
    """
    timeout *= patience
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (LabError, OSError, http.client.HTTPException) as e:
            last = repr(e)
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout:g} s; last: {last!r}")
        pause.wait(0.02)


@contextlib.contextmanager
def inside(netns):
    """The calling thread is in the named network namespace meanwhile; sockets
    made there stay there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {netns}")
        finally:
            os.close(there)
        yield
    finally:
        if libc.setns(back, CLONE_NEWNET):
            os._exit(70)  # in the wrong namespace: nothing may go on
        os.close(back)


# What a node runs


class NodeHttp(http.server.BaseHTTPRequestHandler):
    """GET / answers "NAME PEER-ADDRESS"; /stream?seconds=S&rate=R sends R
    numbered lines a second for S seconds."""
    protocol_version = "HTTP/1.1"
    timeout = 120

    def log_message(self, *args):
        pass

    def peer(self):
        return self.client_address[0].removeprefix("::ffff:")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/stream"):
            self.stream()
        else:
            self.answer(200, f"{self.server.node} {self.peer()}\n")

    def stream(self):
        seconds = float(re.search(r"seconds=([0-9.]+)", self.path).group(1))
        rate = float(re.search(r"rate=([0-9.]+)", self.path).group(1))
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        pause = threading.Event()
        for i in range(int(seconds * rate)):
            self.wfile.write(f"{i} {self.server.node}\n".encode())
            self.wfile.flush()
            pause.wait(1 / rate)
        self.close_connection = True


class NodeHealth(NodeHttp):
    """/healthz as kube-proxy's; the node's file `unhealthy` makes it fail."""

    def do_GET(self):
        bad = os.path.exists(self.server.unhealthy)
        self.answer(503 if bad else 200, "{}\n")


class DualStackServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)


def serve_udp(node, address, port):
    """A pod's own address is named: from a wildcard socket the answer would
    leave with the node's."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((address, port))
    while True:
        data, peer = s.recvfrom(2048)
        address = peer[0].removeprefix("::ffff:")
        s.sendto(f"{node} {address} {data.decode()}".encode(), peer)


NODE_PORTS = ((30080, NodeHttp), (30081, NodeHttp), (10256, NodeHealth))
POD_PORTS = ((8080, NodeHttp), (8081, NodeHttp))


def serve(node, unhealthy, ports, udp_port, udp_addresses):
    """Runs inside the node's namespace until it is killed."""
    for port, handler in ports:
        server = DualStackServer(("::", port), handler)
        server.node = node
        server.unhealthy = unhealthy
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for address in udp_addresses[1:]:
        threading.Thread(target=serve_udp, args=(node, address, udp_port),
                         daemon=True).start()
    serve_udp(node, udp_addresses[0], udp_port)


# The network

BIRD_CONF = """\
log "{dir}/bird.log" all;
router id 10.91.0.1;
protocol device {{ scan time 1; }}
protocol kernel k4 {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol kernel k6 {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}
protocol bgp eipd {{
	local 10.91.0.1 as 64500;
	neighbor 10.91.0.2 as 64512;
	passive yes;
	hold time 9;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	graceful restart aware;
	{password}
	ipv4 {{ import all; export none; }};
	ipv6 {{ import all; export none; }};
}}
"""


class Lab:
    """up() builds it, down() removes every trace, also of a half-built one."""

    def __init__(self, prefix=None, folder=None):
        self.prefix = prefix or os.environ.get("EIPD_LAB_PREFIX",
                                               f"eipdt{os.getpid()}")
        self.own_folder = folder is None
        self.dir = folder or tempfile.mkdtemp(prefix=f"{self.prefix}-")
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.procs = []

    def ns(self, host):
        return f"{self.prefix}-{host}"

    def path(self, *name):
        return os.path.join(self.dir, *name)

    def write(self, name, text):
        path = self.path(name)
        with open(path + ".tmp", "w") as f:
            f.write(text)
        os.rename(path + ".tmp", path)
        return path

    def argv(self, host, *argv):
        return ("ip", "netns", "exec", self.ns(host)) + argv

    def run(self, host, *argv, **kw):
        return run(*self.argv(host, *argv), **kw)

    def ip(self, host, *argv, **kw):
        return run("ip", "-n", self.ns(host), *argv, **kw)

    def spawn(self, host, *argv, log, **kw):
        """Starts a program in the host; `log` gets both its outputs."""
        with open(self.path(log), "ab") as out:
            kw.setdefault("stdout", out)
            kw.setdefault("stderr", out)
            p = subprocess.Popen(self.argv(host, *argv),
                                 stdin=subprocess.DEVNULL, cwd=self.dir,
                                 start_new_session=True, **kw)
        self.procs.append(p)
        return p

    def sysctl(self, host, *settings):
        self.run(host, "sysctl", "-qw", *settings)

    def link(self, a, a_if, b, b_if):
        self.ip(a, "link", "add", a_if, "type", "veth", "peer", "name", b_if,
                "netns", self.ns(b))

    def address(self, host, dev, *addresses):
        for a in addresses:
            nodad = ("nodad",) if ":" in a else ()
            self.ip(host, "addr", "add", a, "dev", dev, *nodad)
        self.ip(host, "link", "set", dev, "up")

    def default_route(self, host, v4, v6):
        self.ip(host, "route", "add", "default", "via", v4)
        self.ip(host, "-6", "route", "add", "default", "via", v6)

    def up(self):
        try:
            self.build_network()
            self.start_bird()
            self.start_nodes()
        except BaseException:
            self.down()
            raise

    def add_host(self, host):
        run("ip", "netns", "add", self.ns(host))

    def build_network(self):
        for host in HOSTS:
            self.add_host(host)
            self.sysctl(host, "net.ipv6.conf.all.accept_dad=0",
                        "net.ipv6.conf.default.accept_dad=0")
            self.ip(host, "link", "set", "lo", "up")
        for host in ("rt", "gw"):
            self.sysctl(host, "net.ipv4.ip_forward=1",
                        "net.ipv6.conf.all.forwarding=1")
        self.link("cl", "eth0", "rt", "cl0")
        self.address("cl", "eth0", "10.90.0.2/24", "fd90::2/64")
        self.address("rt", "cl0", "10.90.0.1/24", "fd90::1/64")
        self.link("rt", "gw0", "gw", "up0")
        self.address("rt", "gw0", "10.91.0.1/24", "fd91::1/64")
        self.address("gw", "up0", "10.91.0.2/24", "fd91::2/64")
        self.ip("sw", "link", "add", "br0", "type", "bridge",
                "forward_delay", "0", "stp_state", "0", "mcast_snooping", "0")
        self.ip("sw", "link", "set", "br0", "up")
        self.plug("gw", "in0", "10.92.0.1/24", "fd92::1/64")
        for i, node in enumerate(NODES, 11):
            self.plug(node, "eth0", f"10.92.0.{i}/24", f"fd92::{i}/64")
            self.default_route(node, "10.92.0.1", "fd92::1")
        self.default_route("cl", "10.90.0.1", "fd90::1")
        self.default_route("gw", "10.91.0.1", "fd91::1")

    def plug(self, host, dev, *addresses):
        port = f"p-{host}"
        self.link(host, dev, "sw", port)
        self.ip("sw", "link", "set", port, "master", "br0", "up")
        self.address(host, dev, *addresses)

    def start_bird(self, password=None):
        line = f'password "{password}";' if password else ""
        conf = self.write("bird.conf",
                          BIRD_CONF.format(dir=self.dir, password=line))
        bird = shutil.which("bird", path=os.environ["PATH"] + ":/usr/sbin")
        if not bird:
            raise LabError("bird is missing; on Debian: apt-get install bird2")
        self.bird = self.spawn("rt", bird, "-f", "-c", conf, "-s",
                               self.path("bird.ctl"), "-P",
                               self.path("bird.pid"), log="bird.out")
        wait_for("BIRD", lambda: "BIRD" in self.birdc("show", "status"))

    def reconfigure_bird(self, password=None):
        line = f'password "{password}";' if password else ""
        self.write("bird.conf", BIRD_CONF.format(dir=self.dir, password=line))
        self.birdc("configure")

    def birdc(self, *command, check=True):
        birdc = shutil.which("birdc", path=os.environ["PATH"] + ":/usr/sbin")
        return self.run("rt", birdc, "-s", self.path("bird.ctl"), *command,
                        check=check)

    def session(self):
        """State of the router's session with the gateway, as BIRD has it."""
        m = re.search(r"BGP state: +(\w+)",
                      self.birdc("show", "protocols", "all", "eipd"))
        return m.group(1) if m else ""

    def route(self, prefix):
        """What the router has learned for exactly this prefix, or ""."""
        text = self.birdc("show", "route", prefix, "all", check=False)
        if "BIRD" not in text:
            raise LabError(f"no answer from BIRD: {text}")
        return text if prefix in text else ""

    def start_nodes(self):
        for node in NODES:
            self.spawn(node, sys.executable, os.path.abspath(__file__), "node",
                       node, self.path(f"{node}.unhealthy"),
                       log=f"{node}.log")
        for i, node in enumerate(NODES, 11):
            for port in (30080, 30081, 10256):
                wait_for(f"{node} port {port}", lambda: self.get(
                    f"10.92.0.{i}", port, host="gw"))

    def set_healthy(self, node, healthy):
        path = self.path(f"{node}.unhealthy")
        if not healthy:
            open(path, "w").close()
        elif os.path.exists(path):
            os.unlink(path)

    def stop(self, p, signo=signal.SIGTERM, timeout=10):
        """Ends a program started by spawn(); its exit status."""
        if p.poll() is None:
            p.send_signal(signo)
            try:
                p.wait(timeout)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if p in self.procs:
            self.procs.remove(p)
        return p.returncode

    def down(self):
        for p in reversed(self.procs[:]):
            self.stop(p, timeout=5)
        for host in HOSTS:
            if os.path.exists(f"/run/netns/{self.ns(host)}"):
                self.end_all_in(host)
                run("ip", "netns", "del", self.ns(host))
        if self.own_folder and not os.environ.get("EIPD_LAB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def end_all_in(self, host):
        """Also what an earlier process of ours has left there."""
        for pid in run("ip", "netns", "pids", self.ns(host)).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *exc):
        self.down()

    # What the client sees; `host` may be another one.

    def connect(self, address, port, host="cl", timeout=3.0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with inside(self.ns(host)):
            s = socket.socket(family, socket.SOCK_STREAM)
        try:
            s.settimeout(timeout * patience)
            s.connect((address, port))
        except BaseException:
            s.close()
            raise
        return s

    def http(self, address, port, path="/", host="cl", timeout=3.0):
        """An open (connection, response); the caller closes the former."""
        c = http.client.HTTPConnection(address, port, timeout=timeout)
        c.sock = self.connect(address, port, host, timeout)
        try:
            c.request("GET", path)
            return c, c.getresponse()
        except BaseException:
            c.close()
            raise

    def get(self, address, port, path="/", host="cl", timeout=3.0):
        """(node, address it saw) of one HTTP request on a new connection."""
        c, response = self.http(address, port, path, host, timeout)
        with contextlib.closing(c):
            words = response.read().decode().split() + ["", ""]
        return words[0], words[1]

    # The kernel's choice may be a port that was in use a moment ago: then it
    # is the same flow again.
    own_ports = itertools.cycle(range(10000, 30000))

    def udp(self, address, port, text="x", host="cl", timeout=3.0,
            own_port=None):
        """(node, address it saw) of one datagram: a flow of its own, or that
        of `own_port`."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with inside(self.ns(host)):
            s = socket.socket(family, socket.SOCK_DGRAM)
        with s:
            s.settimeout(timeout)
            s.bind(("", own_port or next(self.own_ports)))
            s.connect((address, port))
            s.send(text.encode())
            words = s.recv(2048).decode().split()
        return words[0], words[1]

    def spread(self, address, port, n=60, fetch=None):
        """How many of n new flows each node answered."""
        count = dict.fromkeys(NODES, 0)
        for _ in range(n):
            count[(fetch or self.get)(address, port)[0]] += 1
        return count


class Stream:
    """A long transfer from the EIP that a thread reads and checks."""

    def __init__(self, lab, address, port, seconds, rate=50):
        self.conn, self.response = lab.http(
            address, port, f"/stream?seconds={seconds}&rate={rate}",
            timeout=10.0)
        self.want = int(seconds * rate)
        self.lines = 0
        self.node = ""
        self.error = None
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for line in self.response:
                number, self.node = line.decode().split()
                if int(number) != self.lines:
                    raise LabError(f"line {number}, expected {self.lines}")
                self.lines += 1
                if self.lines >= self.want:
                    return
        except Exception as e:  # whatever it is, finish() reports it
            self.error = e

    def is_running(self):
        return self.thread.is_alive()

    def finish(self, timeout=60):
        """Every line arrived, in order; else LabError."""
        self.thread.join(timeout)
        self.conn.close()
        if self.error:
            raise LabError(f"transfer broken after {self.lines} lines: "
                           f"{self.error!r}")
        if self.lines < self.want:
            raise LabError(f"{self.lines} of {self.want} lines came")

    def stop(self):
        """It goes on until now, and after one more line ends."""
        self.want = self.lines + 1
        self.finish()


# The daemon


def find_program(name):
    """$EIPD_BUILD/name, else what is built in the tree, else the PATH's."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    for folder in (os.environ.get("EIPD_BUILD"), top,
                   os.path.join(top, "build")):
        if folder and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(os.path.abspath(folder), name)
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        raise LabError(f"{name} is not built: set EIPD_BUILD to the folder "
                       "of the build")
    return found


def find_driver(name):
    """The program of that build, brought up to date by its make."""
    build = os.path.dirname(find_program("eipd"))
    run("make", "-s", "-C", build, name, timeout=600)
    return os.path.join(build, name)


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path, timeout=5.0):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Eipd:
    """One eipd in the lab's gateway, its files in a folder of their own."""

    CONF = """\
user: root
objects: {dir}/objects
database: {dir}/eipd.db
control: {{socket: {dir}/eipd.sock, group: root}}
http: {{listen: ["127.0.0.1:9640"]}}
nodes: {{probe: {{interval: 200ms, timeout: 500ms, fall: 2, rise: 1}}}}
log: {{level: debug}}
"""

    def __init__(self, lab, name="eipd", conf=None):
        self.lab = lab
        self.name = name
        self.dir = lab.path(name)
        os.makedirs(os.path.join(self.dir, "objects"), exist_ok=True)
        self.conf = os.path.join(self.dir, "eipd.conf")
        self.socket = os.path.join(self.dir, "eipd.sock")
        self.database = os.path.join(self.dir, "eipd.db")
        self.log = os.path.join(self.dir, "eipd.log")
        self.proc = None
        self.set_conf(conf or self.CONF)

    def set_conf(self, text):
        self.lab.write(f"{self.name}/eipd.conf", text.format(dir=self.dir))

    def set_object(self, name, text):
        """Writes objects/NAME.yaml in one step; None removes it."""
        file = f"{self.name}/objects/{name}.yaml"
        if text is not None:
            self.lab.write(file, text)
        elif os.path.exists(self.lab.path(file)):
            os.unlink(self.lab.path(file))

    @contextlib.contextmanager
    def extra(self, name, *things):
        """An object file that is there during the block."""
        self.set_object(name, objects.dump(*things))
        try:
            yield
        finally:
            self.set_object(name, None)

    def argv(self, *args):
        return (find_program("eipd"), "-c", self.conf) + args

    def start(self, ready=True, wrap=()):
        self.proc = self.lab.spawn("gw", *wrap, *self.argv(),
                                   log=f"{self.name}/eipd.log")
        if ready:
            wait_for("eipd ready", self.is_ready)

    def is_ready(self):
        if self.proc.poll() is not None:
            raise AssertionError(f"eipd ended with {self.proc.returncode}:\n"
                                 f"{self.tail()}")
        return self.get("/readyz")[0] == 200

    def once(self, *args, wrap=(), host="gw", timeout=30):
        """Runs eipd to its own end: (exit status, stdout, stderr)."""
        r = subprocess.run(self.lab.argv(host, *wrap, *self.argv(*args)),
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, cwd=self.dir, timeout=timeout)
        return r.returncode, r.stdout, r.stderr

    def stop(self):
        """SIGTERM, and it must end well: exit 0, no sanitizer report."""
        if self.proc:
            status = self.lab.stop(self.proc)
            self.proc = None
            assert status == 0, f"eipd ended with {status}:\n{self.tail()}"
        self.assert_clean()

    def kill9(self):
        self.lab.stop(self.proc, signal.SIGKILL)
        self.proc = None
        self.assert_clean()

    def hup(self):
        self.proc.send_signal(signal.SIGHUP)

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def tail(self, n=4000):
        return self.text()[-n:] if os.path.exists(self.log) else ""

    def report(self):
        """(title, text) of what a failed test is understood by."""
        yield f"end of {self.log}", self.tail()
        for path in "/v1/check", "/v1/services":
            try:
                yield path, self.get(path)[1]
            except OSError as e:
                yield path, str(e)
        yield "nft list ruleset", self.nft()

    def assert_clean(self):
        text = self.tail(1 << 20)
        for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                     "runtime error:"):
            at = text.find(mark)
            assert at < 0, text[max(at - 200, 0):at + 4000]

    def get(self, path):
        """(status, body) of GET on the control socket."""
        c = UnixHttp(self.socket)
        with contextlib.closing(c):
            c.request("GET", path)
            r = c.getresponse()
            return r.status, r.read().decode()

    def json(self, path):
        status, body = self.get(path)
        if status != 200:
            raise LabError(f"GET {path}: {status}: {body.strip()}")
        return json.loads(body)

    def ctl(self, *args):
        """eipctl: (exit status, stdout, stderr)."""
        r = subprocess.run(
            self.lab.argv("gw", find_program("eipctl"), "--socket",
                          self.socket, *args),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30)
        return r.returncode, r.stdout, r.stderr

    def ctl_json(self, *args, status=0):
        rc, out, err = self.ctl("-o", "json", *args)
        if rc != status:
            raise LabError(f"eipctl {' '.join(args)}: exit {rc}: "
                           f"{err.strip()}")
        return json.loads(out)

    def items(self, *args):
        return self.ctl_json("get", *args)["items"]

    def service(self, namespace, name):
        for s in self.json("/v1/services")["items"]:
            if (s["namespace"], s["name"]) == (namespace, name):
                return s
        return None

    def wait_state(self, namespace, name, state, timeout=20.0):
        """Waits until the service is in that state; the service then."""
        def look():
            s = self.service(namespace, name)
            if s and s["state"] == state:
                return s
            raise LabError(f"now {s}")
        return wait_for(f"{namespace}/{name} {state}", look, timeout)

    def problems(self):
        return self.json("/v1/check")["problems"]

    def nft(self):
        """The rule set as text, "" if there is none."""
        return self.lab.run("gw", "nft", "list", "ruleset")


class NftMonitor:
    """What happens in the gateway's nf_tables between with and quiet()."""

    MARK = "eipd_lab_mark"

    def __init__(self, lab):
        self.lab = lab
        self.file = lab.path("nft-monitor.log")
        open(self.file, "w").close()
        self.proc = lab.spawn("gw", "stdbuf", "-oL", "nft", "monitor",
                              log="nft-monitor.log")
        self.marks = 0
        wait_for("nft monitor", self.mark)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.lab.stop(self.proc)

    def read(self):
        with open(self.file) as f:
            return f.read()

    def mark(self):
        """Puts a mark into the stream and waits a moment for it."""
        self.marks += 1
        name = f"{self.MARK}{self.marks}"
        self.lab.run("gw", "nft", f"add table inet {name}")
        self.lab.run("gw", "nft", f"delete table inet {name}")
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if f"delete table inet {name}" in self.read():
                return name
            select.select([], [], [], 0.01)
        return None

    def finish(self):
        """The lines that are not ours, once all events are in."""
        wait_for("nft monitor", self.mark)
        self.lab.stop(self.proc)
        return [line for line in self.read().splitlines()
                if line and self.MARK not in line
                and not re.match(r"# new generation .*\(nft\)", line)]


def main(argv):
    if argv[:1] == ["node"] and len(argv) == 3:
        serve(argv[1], argv[2], NODE_PORTS, 30053, ["::"])
    if argv[:1] == ["pod"] and len(argv) > 2:
        serve(argv[1], "", POD_PORTS, 5353, argv[2:])
    if len(argv) == 3 and argv[0] in ("up", "down"):
        lab = Lab(argv[1], argv[2])
        if argv[0] == "up":
            lab.up()
        else:
            lab.down()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
