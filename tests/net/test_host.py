# SPDX-License-Identifier: GPL-2.0-or-later
"""A box that fails below eipd: said once, clearly, and served meanwhile;
gone as soon as the box is well again."""
import contextlib
import os
import resource
import shutil
import signal
import socket
import time

import pytest

import objects
from lab import Eipd, NftMonitor, Stream, UnixHttp, find_program, wait_for
from test_spine import no_problem, problem


def count(eipd, line):
    return eipd.text().count(line)


# /run is cleaned


def test_socket_comes_back(net, eipd, web):
    """Who was connected stays so, and nobody has to ask for it."""
    reader = UnixHttp(eipd.socket)
    with contextlib.closing(reader):
        reader.request("GET", "/healthz")
        assert reader.getresponse().read()
        os.unlink(eipd.socket)
        wait_for("a socket again", lambda: os.path.exists(eipd.socket))
        assert os.stat(eipd.socket).st_mode & 0o777 == 0o660
        assert eipd.ctl("status")[0] == 0
        reader.request("GET", "/healthz")
        assert reader.getresponse().status == 200
    assert count(eipd, f"someone removed {eipd.socket}") == 1


def test_directory_of_the_socket_removed(net, eipd, web):
    run_dir = net.path("run")
    os.mkdir(run_dir)
    eipd.stop()
    eipd.set_conf(eipd.CONF.replace("{dir}/eipd.sock", f"{run_dir}/eipd.sock"))
    eipd.socket = f"{run_dir}/eipd.sock"
    try:
        eipd.start()
        shutil.rmtree(run_dir)
        line = f"control: control.socket: directory {run_dir}: No such file"
        wait_for("told", lambda: count(eipd, line))
        assert net.get(web[0], 80)
        os.mkdir(run_dir)
        wait_for("back", lambda: eipd.ctl("status")[0] == 0)
        assert count(eipd, line) == 1
        no_problem(eipd, "control")
        assert "control: listening as configured again" in eipd.text()
    finally:
        eipd.stop()
        eipd.socket = f"{eipd.dir}/eipd.sock"
        eipd.set_conf(eipd.CONF)
        shutil.rmtree(run_dir, ignore_errors=True)
        eipd.start()


def test_http_port_taken(net, eipd, web):
    """Free again, it is used: nobody reloads."""
    eipd.stop()
    taken = net.spawn("gw", "/usr/bin/python3", "-c", """
import signal, socket
s = socket.create_server(("127.0.0.1", 9640))
signal.pause()
""", log="taken.log")
    try:
        wait_for("taken", lambda: ":9640" in net.run("gw", "ss", "-Hltn"))
        eipd.start()
        problem(eipd, "control", "127.0.0.1 port 9640", "in use")
    finally:
        net.stop(taken)
    no_problem(eipd, "control")
    assert net.get("127.0.0.1", 9640, "/healthz", host="gw")


def test_control_group_missing(eipd, web):
    try:
        eipd.set_conf(eipd.CONF.replace("group: root", "group: nosuchgroup"))
        assert eipd.ctl("reload")[0] == 0
        problem(eipd, "control", "no group nosuchgroup", "create it", "reload")
    finally:
        eipd.set_conf(eipd.CONF)
        eipd.hup()
    no_problem(eipd, "control")


def test_control_socket_that_cannot_be(net, eipd, web):
    """The old one serves until the new one is there."""
    there, elsewhere = eipd.socket, net.path("moved", "eipd.sock")
    try:
        eipd.set_conf(eipd.CONF.replace("{dir}/eipd.sock", elsewhere))
        assert eipd.ctl("reload")[0] == 0
        problem(eipd, "control", os.path.dirname(elsewhere), "create it")
        os.mkdir(os.path.dirname(elsewhere))
        wait_for("moved", lambda: not os.path.exists(there))
        eipd.socket = elsewhere
        no_problem(eipd, "control")
    finally:
        eipd.socket = there
        eipd.set_conf(eipd.CONF)
        eipd.hup()
    wait_for("back", lambda: eipd.ctl("status")[0] == 0)
    no_problem(eipd, "control")
    shutil.rmtree(os.path.dirname(elsewhere))


# Descriptors


@contextlib.contextmanager
def descriptors_left(eipd, n):
    """It can open n more than it has."""
    soft, hard = resource.prlimit(eipd.proc.pid, resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir(f"/proc/{eipd.proc.pid}/fd"))) + 1 + n
    resource.prlimit(eipd.proc.pid, resource.RLIMIT_NOFILE, (used, hard))
    try:
        yield
    finally:
        resource.prlimit(eipd.proc.pid, resource.RLIMIT_NOFILE, (soft, hard))


def cpu_s(eipd):
    with open(f"/proc/{eipd.proc.pid}/stat") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptors_exhausted(net, eipd, web):
    """Nobody spins, no session and no node is lost."""
    wait_for("session", lambda: net.session() == "Established")
    up, = eipd.items("peers")
    probes = eipd.text().count("probe ")
    with descriptors_left(eipd, 0), contextlib.ExitStack() as clients:
        for _ in range(8):
            c = clients.enter_context(contextlib.closing(UnixHttp(eipd.socket)))
            c.connect()
        clients.enter_context(contextlib.closing(
            net.connect("127.0.0.1", 9640, host="gw")))
        clients.enter_context(contextlib.closing(
            net.connect("10.91.0.2", 179, host="rt")))
        began, cpu = time.monotonic(), cpu_s(eipd)
        wait_for("told", lambda: count(
            eipd, "http: cannot accept: Too many open files; raise the limit"))
        wait_for("told", lambda: count(
            eipd, "bgp listener: cannot accept: Too many open files"))
        eipd.set_object("late", objects.dump(objects.service("late")))
        wait_for("told", lambda: count(eipd, "objects: Too many open files"))
        wait_for("a few seconds of it", lambda: time.monotonic() > began + 4)
        assert cpu_s(eipd) - cpu < 1
        assert net.get(web[0], 80)
    wait_for("it answers", lambda: eipd.ctl("status")[0] == 0)
    eipd.wait_state("default", "late", "announced")
    eipd.set_object("late", None)
    assert eipd.text().count("probe ") == probes
    assert {b["state"] for b in eipd.items("backends", "default/web")} == {
        "active"}
    now, = eipd.items("peers")
    assert now["state"] == "Established"
    assert now["sinceSeconds"] > up["sinceSeconds"] + 3


def test_doctor_counts_descriptors(eipd):
    def finding():
        return next(c for c in eipd.ctl_json("doctor")["checks"]
                    if c["check"] == "descriptors")
    assert finding()["state"] == "ok"
    with descriptors_left(eipd, 4):
        f = finding()
        assert f["state"] == "warning" and "LimitNOFILE" in f["remedy"]
    assert finding()["state"] == "ok"


# Memory


def is_sanitized():
    with open(find_program("eipd"), "rb") as f:
        return b"__asan_init" in f.read()


def test_memory_limit(net, eipd, web):
    """It ends with a word; the kernel serves, and the next start takes all of
    it over."""
    if is_sanitized():
        pytest.skip("ASan needs all address space")
    transfer = Stream(net, web[0], 80, seconds=4)
    with open(f"/proc/{eipd.proc.pid}/statm") as f:
        used = int(f.read().split()[0]) * resource.getpagesize()
    resource.prlimit(eipd.proc.pid, resource.RLIMIT_AS, (used, used))
    many = [objects.service(f"many{i}") for i in range(5000)]
    with NftMonitor(net) as monitor, eipd.extra("many", *many):
        wait_for("the end", lambda: eipd.proc.poll() is not None)
        assert eipd.proc.returncode == -signal.SIGABRT
        assert "octets cannot be had; the kernel goes on serving" in \
            eipd.text().splitlines()[-1]
        assert net.get(web[0], 80)
        eipd.set_object("many", None)
        eipd.start()
        assert eipd.wait_state("default", "web", "announced")[
            "addresses"] == web
        assert monitor.finish() == []
    transfer.finish()


# What an operator gets wrong


def test_database_and_socket_of_another(net, eipd, web):
    """Two boxes, or two namespaces, with the same files."""
    other = Eipd(net, "other", conf=Eipd.CONF.replace(
        "{dir}/eipd.db", eipd.database))
    other.proc = net.spawn("cl", *other.argv(), log="other/eipd.log")
    try:
        wait_for("ready", other.is_ready)
        status = other.ctl_json("status")["database"]
        assert eipd.database in status and "another eipd's" in status
        other.set_conf(Eipd.CONF.replace("{dir}/eipd.sock", eipd.socket))
        other.hup()
        wait_for("told", lambda: "another process answers on "
                 f"{eipd.socket}; stop it" in other.text())
        # The one of before is still there.
        assert os.path.exists(eipd.socket)
        assert eipd.ctl_json("status")["database"] == "ok"
        assert eipd.wait_state("default", "web", "announced")[
            "addresses"] == web
    finally:
        other.stop()
        shutil.rmtree(other.dir)


def test_conf_not_readable(net):
    """By the user that eipd becomes: root could read it at the start."""
    other = Eipd(net, "other", conf=Eipd.CONF.replace(
        "user: root", "user: nobody"))
    os.chmod(other.dir, 0o777)
    os.chmod(other.conf, 0o600)
    words = "Permission denied; make it readable for this user"
    try:
        other.proc = net.spawn("cl", *other.argv(), log="other/eipd.log")
        wait_for("ready", other.is_ready)
        status, _, err = other.ctl("reload")
        assert status == 1 and words in err and "nothing was changed" in err
        assert problem(other, words)["subject"] == other.conf
        assert other.is_ready()
        os.chmod(other.conf, 0o644)
        assert other.ctl("reload")[0] == 0
        no_problem(other, words)
        os.chmod(other.conf, 0o600)
        status, _, err = other.once(
            host="cl", wrap=("setpriv", "--reuid", "nobody", "--regid",
                             "nogroup", "--clear-groups"))
        assert (status, err) == (1, f"{other.conf}: {words}\n")
    finally:
        other.stop()
        shutil.rmtree(other.dir)


# The network comes after eipd


def test_start_before_the_network(net, eipd, web):
    """What is remembered is in force, the reasons are told, and links that
    come up are all that it needs."""
    links = {"up0": "fd91::2/64", "in0": "fd92::1/64"}
    eipd.stop()
    for dev in links:
        net.ip("gw", "link", "set", dev, "down")
    try:
        eipd.start()
        problem(eipd, "peer router", "Network is unreachable")
        problem(eipd, "Service default/web", "none of its nodes is healthy")
        assert eipd.wait_state("default", "web", "programmed")[
            "addresses"] == web
    finally:
        for dev, address in links.items():
            net.address("gw", dev, address)
        net.default_route("gw", "10.91.0.1", "fd91::1")
    wait_for("session", lambda: net.session() == "Established", 60)
    for a in web:
        wait_for(f"{a} reachable", lambda: net.get(a, 80))
    no_problem(eipd, "peer router")
    no_problem(eipd, "Service default/web")


# The journal


class Journal:
    """Where systemd's would listen, in a /run that only eipd has."""

    def __init__(self, net, log):
        self.run = net.path("journal-run")
        os.makedirs(f"{self.run}/systemd/journal", exist_ok=True)
        self.log = log
        self.entries = []
        self.socket = None
        self.listen()

    def listen(self):
        path = f"{self.run}/systemd/journal/socket"
        if os.path.exists(path):
            os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def wrap(self, stream=None):
        if stream is None:
            with open(self.log, "a") as f:
                st = os.fstat(f.fileno())
            stream = f"{st.st_dev}:{st.st_ino}"
        return ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /run && '
                'exec "$@"', self.run, "env", f"JOURNAL_STREAM={stream}")

    def find(self, **want):
        """The first entry with these fields; MESSAGE may have more text."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self.socket.recv(65536).decode()
                assert text.endswith("\n")
                self.entries.append(dict(
                    x.split("=", 1) for x in text[:-1].split("\n")))
        for e in self.entries:
            if all(v in e.get(k, "") if k == "MESSAGE" else e.get(k) == v
                   for k, v in want.items()):
                return e
        return None


@pytest.fixture
def journal(net, eipd):
    eipd.stop()
    j = Journal(net, eipd.log)
    yield j
    eipd.stop()
    j.socket.close()
    eipd.start()


def test_fields_in_the_journal(net, eipd, journal):
    eipd.set_conf(eipd.CONF.replace("level: debug", "level: info"))
    before = len(eipd.text())
    eipd.start(wrap=journal.wrap())
    e = wait_for("told", lambda: journal.find(
        PRIORITY="5", EIPD_PEER="router",
        MESSAGE="bgp peer router: OpenConfirm -> Established"))
    assert "EIPD_SERVICE" not in e
    assert set(journal.find(MESSAGE="eipd: ready")) == {
        "PRIORITY", "SYSLOG_IDENTIFIER", "MESSAGE"}
    assert len(eipd.text()) == before, "also on standard error"
    # One entry for a transition.
    eipd.set_object("web2", objects.dump(objects.service("web2")))
    wait_for("told", lambda: journal.find(
        PRIORITY="5", EIPD_SERVICE="default/web2", SYSLOG_IDENTIFIER="eipd",
        MESSAGE="service default/web2: Announced: "))
    eipd.set_object("web2", None)
    wait_for("told", lambda: journal.find(
        EIPD_SERVICE="default/web2", MESSAGE="ReleasedIP"))
    assert [e["MESSAGE"].split(": ")[1] for e in journal.entries
            if e.get("EIPD_SERVICE") == "default/web2"] == [
                "Announced", "ReleasedIP"]
    # What is wrong in a file, by whose object it is.
    with eipd.extra("bad", objects.service("bad", {"port": 99999}),
                    objects.bgp_peer("wrong", asn=-1)):
        for field in {"EIPD_SERVICE": "default/bad"}, {"EIPD_PEER": "wrong"}:
            wait_for("told", lambda: journal.find(
                PRIORITY="3", MESSAGE="/objects/bad.yaml:", **field))
    # journald is away: the stream that it left us, with the level.
    journal.socket.close()
    with eipd.extra("web3", objects.service("web3")):
        wait_for("told", lambda: "\n<5>service default/web3: Announced: "
                 in eipd.text())
    # It is back, as another socket of the same name.
    journal.listen()
    eipd.set_conf(eipd.CONF)
    eipd.hup()
    wait_for("told", lambda: journal.find(MESSAGE="eipd: reloaded"))


def test_not_the_journal(eipd, journal):
    """JOURNAL_STREAM is inherited, but standard error is a file."""
    eipd.start(wrap=journal.wrap(stream="1:1"))
    wait_for("told", lambda: eipd.text().splitlines()[-1][:4].isdigit())
    assert not journal.find()


def test_wrong_conf_is_an_error_in_the_journal(net, eipd, journal):
    eipd.set_conf("nonsense: 1\n")
    try:
        # Standard error is a pipe here.
        r, w = os.pipe()
        st = os.fstat(w)
        p = net.spawn("gw", *journal.wrap(f"{st.st_dev}:{st.st_ino}"),
                      *eipd.argv(), log="pipe.log", stderr=w)
        os.close(w)
        assert p.wait(20) == 1
        with open(r) as f:
            assert f.read() == ""
        e = journal.find(PRIORITY="3")
        assert e["MESSAGE"].startswith(f"{eipd.conf}:1:1: ")
    finally:
        eipd.set_conf(eipd.CONF)
