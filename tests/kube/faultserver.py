# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS proxy in front of the real API server that misbehaves on demand.

    server.fault("watch", "services", fn)    until server.clear()

fn(exchange) answers in place of the API server, or spoils what that answers:
exchange.forward() passes the request on, exchange.lines() gives the events
of a watch one by one.  Everything else is passed on as it is.
"""
import contextlib
import http.client
import http.server
import json
import re
import socket
import socketserver
import ssl
import threading
import weakref

from lab import inside, wait_for

VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update",
         "DELETE": "delete"}


class Cut(Exception):
    """Ends the connection there, without the end of the answer."""


def status(code, reason, message, **details):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": reason, "message": message,
            "details": details}


class Exchange:
    """One request and its answer."""

    def __init__(self, handler, verb, resource, body):
        self.handler = handler
        self.server = handler.server
        self.path = handler.path
        self.verb = verb
        self.resource = resource
        self.body = body
        self.n = 0  # how often the fault was met before

    # What the API server says.

    def ask(self):
        """The API server's answer, its body not read yet."""
        c = http.client.HTTPSConnection(self.server.upstream[0])
        c.sock = self.server.connect()
        self.server.opened.add(c.sock)
        headers = {k: v for k, v in self.handler.headers.items()
                   if k.lower() in ("authorization", "accept", "content-type",
                                    "user-agent")}
        c.request(self.handler.command, self.path, self.body, headers)
        return c.getresponse()

    def lines(self):
        """The events of a watch, each with its newline."""
        answer = self.ask()
        if answer.status != 200:
            self.reply(answer.status, answer.read(),
                       answer.getheader("Content-Type"))
            raise Cut
        self.begin()
        try:
            while line := answer.readline():
                yield line
        finally:
            answer.close()

    # What the client gets.

    def reply(self, code, body, kind="application/json", **headers):
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str)
                    else json.dumps(body)).encode()
        h = self.handler
        h.send_response(code)
        h.send_header("Content-Type", kind or "text/plain")
        h.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        h.end_headers()
        h.wfile.write(body)

    def begin(self):
        h = self.handler
        h.send_response(200)
        h.send_header("Content-Type", "application/json")
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()

    def send(self, data):
        """A piece of a stream, after begin() or out of lines()."""
        if data:
            self.handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self):
        self.handler.wfile.write(b"0\r\n\r\n")

    def forward(self):
        """As if there were no fault."""
        if self.verb == "watch":
            for line in self.lines():
                self.send(line)
            self.end()
            return
        answer = self.ask()
        self.reply(answer.status, answer.read(),
                   answer.getheader("Content-Type"))
        answer.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.request.settimeout(30)
        self.request.do_handshake()
        super().setup()

    def log_message(self, *args):
        pass

    def handle_any(self):
        m = re.match(r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/[^/]+/)?"
                     r"([^/?]+)", self.path)
        resource = m.group(1) if m else self.path
        verb = VERBS.get(self.command, "watch" if "watch=1" in self.path
                         else "list")
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        x = Exchange(self, verb, resource, body)
        try:
            fault = self.server.take(x)
            with self.server.stream(x, self.connection):
                (fault or Exchange.forward)(x)
        except (Cut, OSError, http.client.HTTPException, ValueError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any


class FaultServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, net, port=7443):
        pki = net.kube.dir / "pki"
        self.net = net
        self.upstream = net.kube.listen, net.kube.port
        self.client_tls = ssl.create_default_context(cafile=pki / "ca.crt")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pki / "server.crt", pki / "server.key")
        self.lock = threading.Lock()
        self.faults = {}  # (verb, resource): fn
        self.given = {}  # the same: how often
        self.log = []  # (verb, resource, path) of each request
        self.streams = []  # (verb, resource, connection)
        self.opened = weakref.WeakSet()
        self.port = port
        with inside(net.ns("api")):
            super().__init__((net.kube.listen, port), Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def get_request(self):
        s, peer = self.socket.accept()
        return self.tls.wrap_socket(s, server_side=True,
                                    do_handshake_on_connect=False), peer

    def handle_error(self, request, client_address):
        pass  # a client that hangs up

    def connect(self):
        s = self.net.connect(*self.upstream, host="api")
        s.settimeout(None)
        return self.client_tls.wrap_socket(s,
                                           server_hostname=self.upstream[0])

    @contextlib.contextmanager
    def stream(self, x, connection):
        entry = x.verb, x.resource, connection
        with self.lock:
            self.streams.append(entry)
        try:
            yield
        finally:
            with self.lock:
                self.streams.remove(entry)

    def take(self, x):
        with self.lock:
            self.log.append((x.verb, x.resource, x.path))
            for key in (x.verb, x.resource), (x.verb, "*"):
                if key in self.faults:
                    x.n = self.given.get(key, 0)
                    self.given[key] = x.n + 1
                    return self.faults[key]
        return None

    # For tests.

    def kubeconfig(self, name="proxy.kubeconfig", **user):
        """The lab's, by way of this server; `user` replaces credentials."""
        with open(self.net.kubeconfig) as f:
            config = json.load(f)
        config["clusters"][0]["cluster"]["server"] = \
            f"https://{self.upstream[0]}:{self.port}"
        if user:
            config["users"][0]["user"] = user
        return self.net.write(name, json.dumps(config))

    def fault(self, verb, resource, fn):
        with self.lock:
            self.faults[verb, resource] = fn
            self.given[verb, resource] = 0

    def clear(self):
        with self.lock:
            self.faults.clear()

    def seen(self, verb, resource="*", after=0):
        """Paths of the requests of that kind since then."""
        with self.lock:
            return [path for v, r, path in self.log[after:]
                    if v == verb and resource in ("*", r)]

    def writes(self, after=0):
        """Other than Kubernetes Events."""
        with self.lock:
            return [(v, path) for v, r, path in self.log[after:]
                    if v in VERBS.values() and r != "events"]

    def wait_given(self, verb, resource, n=1, timeout=20):
        """Until that many requests have met the fault."""
        wait_for(f"{n} faults on {verb} {resource}",
                 lambda: self.given.get((verb, resource), 0) >= n, timeout)

    def cut(self, verb="watch", resource="*"):
        """Ends the connections on which such an answer is under way."""
        with self.lock:
            found = [c for v, r, c in self.streams
                     if v == verb and resource in ("*", r)]
        for c in found:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(c, socket.SHUT_RDWR)

    def close(self):
        self.shutdown()
        self.server_close()
        with self.lock:
            found = [c for _, _, c in self.streams] + list(self.opened)
        for c in found:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(c, socket.SHUT_RDWR)

