# SPDX-License-Identifier: GPL-2.0-or-later
"""The BGP speaker against BIRD, in two network namespaces joined by a veth.

Needs root, iproute2 and BIRD 2.  The speaker is driven by bgp_driver."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lab import find_driver, wait_for

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("bird"), reason="needs BIRD 2"),
]


def sh(*argv, check=True):
    return subprocess.run(argv, check=check, capture_output=True, text=True)


@pytest.fixture(scope="session")
def driver():
    return find_driver("tests/net/bgp_driver")


class Bird:
    """BIRD and its control socket."""

    def __init__(self, lab, config):
        self.lab = lab
        self.ctl = str(lab.tmp / "bird.ctl")
        path = lab.tmp / "bird.conf"
        path.write_text("router id 10.98.0.2;\nlog \"%s\" all;\n"
                        "protocol device {}\n" % (lab.tmp / "bird.log")
                        + config)
        self.proc = lab.spawn("b", ["bird", "-f", "-c", str(path), "-s",
                                    self.ctl, "-P", str(lab.tmp / "bird.pid")])
        wait_for("BIRD's socket", lambda: os.path.exists(self.ctl))

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.ctl)
            s.sendall(command.encode() + b"\n")
            data = b""
            # A code and a blank: the last line, of the greeting, of the answer.
            while len(re.findall(rb"(?m)^\d{4} .*\n", data)) < 2:
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
            return data.decode()

    def has(self, prefix):
        return prefix in self.ask(f"show route {prefix}")

    def state(self):
        return self.ask("show protocols all up")

    def count(self):
        got = re.findall(r"(\d+) of \d+ routes .* in table",
                         self.ask("show route count"))
        return sum(map(int, got))


class Driver:
    """One run of the speaker."""

    def __init__(self, lab, argv):
        self.log = open(lab.tmp / "driver.log", "ab")
        self.proc = lab.spawn("a", argv, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=self.log)

    def tell(self, *lines):
        self.proc.stdin.write(("\n".join(lines) + "\n").encode())
        self.proc.stdin.flush()

    def ask(self, line):
        self.tell(line)
        out = []
        while True:
            got = self.proc.stdout.readline().decode()
            assert got, "the driver has died"
            if got == ".\n":
                return out
            out.append(got.strip())

    def peer(self, name="up"):
        for line in self.ask("status"):
            if line.startswith(f"peer {name} "):
                return line
        return ""

    def problem(self):
        return self.ask("status")[-1]

    def is_up(self, name="up"):
        return f"peer {name} Established" in self.peer(name)

    def wait_up(self, name="up", timeout=15):
        wait_for(f"session {name}", lambda: self.is_up(name), timeout)

    def quit(self, how="stop"):
        self.tell(f"quit {how}")
        assert self.proc.wait(10) == 0

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait(10)


class Lab:
    def __init__(self, tmp, driver):
        self.tmp = tmp
        self.driver = driver
        self.prefix = f"eipdbgp{os.getpid()}"
        self.procs = []
        for n in "ab":
            sh("ip", "netns", "add", self.ns(n))
            sh("ip", "-n", self.ns(n), "link", "set", "lo", "up")
        sh("ip", "-n", self.ns("a"), "link", "add", "eth0", "type", "veth",
           "peer", "name", "eth0", "netns", self.ns("b"))
        for i, n in enumerate("ab", 1):
            sh("ip", "-n", self.ns(n), "addr", "add", f"10.98.0.{i}/24",
               "dev", "eth0")
            sh("ip", "-n", self.ns(n), "addr", "add", f"fd98::{i}/64",
               "dev", "eth0", "nodad")
        for n in "ab":
            sh("ip", "-n", self.ns(n), "link", "set", "eth0", "up")

    def ns(self, n):
        return f"{self.prefix}-{n}"

    def spawn(self, n, argv, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        p = subprocess.Popen(["ip", "netns", "exec", self.ns(n)] + argv, **kw)
        self.procs.append(p)
        return p

    def bird(self, config):
        return Bird(self, config)

    def speaker(self, *lines):
        d = Driver(self, [self.driver])
        d.tell(*lines)
        return d

    def close(self):
        for p in self.procs[::-1]:
            if p.poll() is None:
                p.kill()
                p.wait(10)
        for n in "ab":
            sh("ip", "netns", "del", self.ns(n), check=False)


@pytest.fixture
def lab(tmp_path, driver):
    made = Lab.__new__(Lab)
    made.procs = []
    made.prefix = f"eipdbgp{os.getpid()}"
    try:
        made.__init__(tmp_path, driver)
        yield made
    finally:
        made.close()


CHANNELS = "ipv4 { import all; export none; };" \
           "ipv6 { import all; export none; };"
FAST_PLAIN = "connect delay time 1; connect retry time 1; " \
             "error wait time 1, 1; hold time 9;"
FAST = FAST_PLAIN + " graceful restart aware;"


def bird_peer(extra="passive yes;", remote=65001, channels=CHANNELS,
              local="10.98.0.2", neighbor="10.98.0.1", local_as=65000,
              fast=FAST):
    return (f"protocol bgp up {{ local {local} as {local_as}; "
            f"neighbor {neighbor} as {remote}; {fast} {extra} {channels} }}\n")


GLOBAL = "global 65001 10.98.0.1"
LISTEN = f"{GLOBAL} 0.0.0.0 179 :: 179"
PEER = "peer up 10.98.0.2 65000 hold=9"


def test_routes_of_both_families(lab):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1",
                    "announce 2001:db8::1", "start")
    d.wait_up()
    wait_for("routes", lambda: bird.has("192.0.2.1/32")
             and bird.has("2001:db8::1/128"))
    text = bird.ask("show route all")
    assert "BGP.as_path: 65001" in text
    assert "BGP.next_hop: 10.98.0.1" in text
    assert "BGP.next_hop: fd98::1" in text
    assert "eor=1" in d.peer() and "advertised=2" in d.peer()
    assert "4-octet-as" in d.peer() and "graceful-restart" in d.peer()
    d.tell("withdraw 192.0.2.1")
    wait_for("no route", lambda: not bird.has("192.0.2.1/32"))
    assert bird.has("2001:db8::1/128")
    d.tell("withdraw 2001:db8::1")
    wait_for("no routes", lambda: bird.count() == 0)
    assert "advertised=0" in d.peer()


def test_session_over_ipv6(lab):
    bird = lab.bird(bird_peer(local="fd98::2", neighbor="fd98::1"))
    d = lab.speaker(GLOBAL, "peer up fd98::2 65000 hold=9", "commit",
                    "announce 192.0.2.1", "announce 2001:db8::1", "start")
    d.wait_up()
    wait_for("routes", lambda: bird.count() == 2)
    text = bird.ask("show route all")
    assert "BGP.next_hop: fd98::1" in text
    assert "BGP.next_hop: 10.98.0.1" in text


def test_link_numbered_with_169_254(lab):
    for i, n in enumerate("ab", 1):
        sh("ip", "-n", lab.ns(n), "addr", "add", f"169.254.7.{i}/30", "dev",
           "eth0")
    bird = lab.bird(bird_peer(local="169.254.7.2", neighbor="169.254.7.1"))
    d = lab.speaker(GLOBAL, "peer up 169.254.7.2 65000 hold=9", "commit",
                    "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    assert "BGP.next_hop: 169.254.7.1" in bird.ask("show route all")


def test_ibgp(lab):
    bird = lab.bird(bird_peer(remote=65000))
    d = lab.speaker("global 65000 10.98.0.1", PEER, "commit",
                    "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    text = bird.ask("show route all")
    assert "BGP.local_pref: 100" in text
    assert "BGP.as_path: \n" in text


def test_hold_time_zero(lab):
    """No BGP message tells whether the peer is still there, so TCP asks."""
    bird = lab.bird(bird_peer(fast="hold time 0;"))
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    wait_for("acknowledged", lambda: "timer:(keepalive," in sh(
        "ip", "netns", "exec", lab.ns("a"), "ss", "-Htno", "dst",
        "10.98.0.2").stdout)


def test_four_octet_as(lab):
    bird = lab.bird(bird_peer(remote=4200000001))
    d = lab.speaker("global 4200000001 10.98.0.1", PEER, "commit",
                    "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("attribute", lambda: "BGP.as_path: 4200000001" in bird.ask(
        "show route all"))


def test_peer_with_two_octet_as(lab):
    bird = lab.bird(bird_peer("passive yes; enable as4 no;"))
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("attribute", lambda: "BGP.as_path: 65001" in bird.ask(
        "show route all"))
    assert "4-octet-as" not in d.peer()


def test_peer_without_capabilities(lab):
    bird = lab.bird(bird_peer(
        "passive yes; capabilities no; graceful restart off; "
        "enable route refresh no; enable as4 no; "
        "long lived graceful restart off;",
        channels="ipv4 { import all; export none; };", fast=FAST_PLAIN))
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    assert "did not agree to IPv6 unicast" in d.peer()


def test_we_are_passive(lab):
    lab.bird(bird_peer(""))
    d = lab.speaker(LISTEN, PEER + " passive=1", "commit", "start")
    wait_for("peer", lambda: "passive: waits" in d.peer() or d.is_up())
    d.wait_up()


def up_since(bird):
    """Seconds of the day; what BIRD prints jumps by a millisecond or so."""
    h, m, s = re.search(r" up +(\d+):(\d+):([0-9.]+) +Established",
                        bird.ask("show protocols up")).groups()
    return int(h) * 3600 + int(m) * 60 + float(s)


@pytest.mark.parametrize("our_id", ["10.98.0.1", "10.98.0.3"])
def test_both_dial(lab, our_id):
    bird = lab.bird(bird_peer("connect delay time 1;"))
    d = lab.speaker(f"global 65001 {our_id} 0.0.0.0 179", PEER, "commit",
                    "announce 192.0.2.1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    since = up_since(bird)
    time.sleep(3)
    assert d.is_up()
    assert abs(up_since(bird) - since) < 1, "the session flapped"


def test_md5(lab):
    bird = lab.bird(bird_peer("passive yes; password \"secret\";"))
    d = lab.speaker(GLOBAL, PEER + " password=wrong", "commit",
                    "announce 192.0.2.1", "start")
    wait_for("peer", lambda: "TCP-MD5 password differs" in d.peer(), 20)
    assert "wrong" not in d.peer()
    d.tell(GLOBAL, PEER + " password-file=/none", "commit")
    assert "No such file" in d.peer() and "TCP-MD5" not in d.peer()
    d.tell(GLOBAL, PEER + " password=secret", "commit")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))


def test_md5_incoming(lab, tmp_path):
    key = tmp_path / "key"
    key.write_text("secret\n")
    lab.bird(bird_peer("password \"secret\";"))
    d = lab.speaker(LISTEN, f"{PEER} passive=1 password-file={key}", "commit",
                    "start")
    d.wait_up()


def test_md5_incoming_changes(lab, tmp_path):
    """Nobody dials who would read the file again."""
    key = tmp_path / "key"
    key.write_text("before\n")
    lab.bird(bird_peer("password \"secret\";"))
    d = lab.speaker(LISTEN, f"{PEER} passive=1 password-file={key}", "commit",
                    "start")
    wait_for("peer", lambda: "waits for the peer" in d.peer())
    key.unlink()
    wait_for("peer", lambda: "No such file" in d.peer())
    key.write_text("secret\n")
    d.wait_up()


def test_password_file_is_missing(lab, tmp_path):
    lab.bird(bird_peer("passive yes; password \"secret\";"))
    key = tmp_path / "key"
    d = lab.speaker(GLOBAL, f"{PEER} password-file={key}", "commit", "start")
    assert "No such file" in d.peer() and "Idle" in d.peer()
    key.write_text("")
    wait_for("peer", lambda: "it is empty" in d.peer())
    key.write_text("secret\n")
    d.wait_up()
    key.unlink()
    d.tell(f"{PEER} password-file={key}", "commit")
    assert d.is_up()


def test_wrong_as(lab):
    lab.bird(bird_peer(local_as=65009))
    d = lab.speaker(GLOBAL, PEER, "commit", "start")
    want = "sent OPEN Message Error/Bad Peer AS: " \
           "peer says AS 65009, configured 65000"
    wait_for("peer", lambda: want in d.peer() or "received" in d.peer())
    assert want in d.peer()


def test_peer_says_why(lab):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "start")
    d.wait_up()
    bird.ask('disable up "maintenance until noon"')
    wait_for("peer", lambda: "received Cease/Administrative Shutdown: "
             "maintenance until noon" in d.peer())
    bird.ask("enable up")
    d.wait_up()


def test_stop_withdraws_at_once(lab):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1", "start")
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    d.quit("stop")
    wait_for("no route", lambda: not bird.has("192.0.2.1/32"), 1)
    assert "eipd is stopping" in bird.state() + \
        (lab.tmp / "bird.log").read_text()


@pytest.mark.parametrize("how", ["keep", "kill"])
def test_graceful_restart(lab, how):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1",
                    "announce 2001:db8::1", "announce 192.0.2.9", "start")
    wait_for("routes", lambda: bird.count() == 3)
    if how == "keep":
        d.quit("keep")
    else:
        d.kill()
    time.sleep(2)
    assert bird.count() == 3, "the peer forgot the routes"
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1",
                    "announce 2001:db8::1", "start")
    d.wait_up()
    # the stale one goes with our End-of-RIB, the others never do
    wait_for("no route", lambda: not bird.has("192.0.2.9/32"))
    assert bird.count() == 2


def test_route_refresh(lab):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.0 10", "start")
    wait_for("routes", lambda: bird.count() == 10)
    before = d.peer()
    bird.ask("reload in up")
    wait_for("peer", lambda: d.peer() != before)
    time.sleep(0.3)
    assert bird.count() == 10
    assert d.is_up()


def test_many_routes_one_flush(lab):
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 100.64.0.0 100000",
                    "start")
    d.wait_up()
    wait_for("routes", lambda: bird.count() == 100000)
    sent = int(re.search(r"updates_out=(\d+)", d.peer()).group(1))
    assert sent <= 100000 // 810 + 1 + 2
    d.tell("withdraw 100.64.0.0 100000")
    wait_for("no routes", lambda: bird.count() == 0)
    assert d.is_up()


def test_configuration_touches_only_what_changed(lab):
    lab.bird(bird_peer())
    other = "peer other 10.98.0.77 65005"
    d = lab.speaker(GLOBAL, PEER, other, "commit", "start")
    d.wait_up()
    d.tell(LISTEN, PEER, "peer other 10.98.0.78 65006", "commit")
    d.tell(LISTEN, PEER, "commit")
    time.sleep(0.3)
    assert d.is_up()
    assert "error=\"\"" in d.peer()
    d.tell(LISTEN, PEER, "peer twin 10.98.0.2 65000", "commit")
    assert d.is_up()
    assert "same neighborAddress" in d.peer("twin")
    d.tell(LISTEN, PEER + " down=1", "commit")
    wait_for("peer", lambda: "administratively down" in d.peer())
    d.tell(LISTEN, PEER, "commit")
    d.wait_up()


def test_nothing_known(lab):
    d = lab.speaker("global 0 -", PEER, "commit", "start")
    assert "no local AS known" in d.peer() and "Idle" in d.peer()


def test_port_is_taken(lab):
    lab.bird(bird_peer())
    holder = lab.spawn("a", ["python3", "-c",
                             "import socket,time\n"
                             "s=socket.socket()\n"
                             "s.bind(('0.0.0.0',179))\n"
                             "s.listen()\n"
                             "time.sleep(60)"])
    wait_for("listener", lambda: ":179" in sh(
        "ip", "netns", "exec", lab.ns("a"), "ss", "-Hltn").stdout)
    d = lab.speaker(f"{GLOBAL} 0.0.0.0 179", PEER, "commit", "start")
    assert "another BGP daemon" in d.problem()
    d.wait_up()
    holder.kill()
    holder.wait()
    wait_for("no problem", lambda: d.problem() == "problem \"\"", 10)


def test_next_hop_is_missing(lab):
    sh("ip", "-n", lab.ns("a"), "addr", "del", "fd98::1/64", "dev", "eth0")
    bird = lab.bird(bird_peer())
    d = lab.speaker(GLOBAL, PEER, "commit", "announce 192.0.2.1",
                    "announce 2001:db8::1", "start")
    d.wait_up()
    wait_for("route", lambda: bird.has("192.0.2.1/32"))
    assert "IPv6 routes are not sent" in d.peer()
    assert not bird.has("2001:db8::1/128")
    d.tell(GLOBAL, PEER + " next-hop6=fd98::1234", "commit")
    wait_for("attribute", lambda: "BGP.next_hop: fd98::1234" in bird.ask(
        "show route all"))
    assert "IPv6 routes are not sent" not in d.peer()


def test_ttl_security(lab):
    lab.bird(bird_peer("passive yes; ttl security yes;"))
    d = lab.speaker(GLOBAL, PEER + " gtsm=1", "commit", "start")
    d.wait_up()


def test_ttl_security_incoming(lab):
    lab.bird(bird_peer("ttl security yes;"))
    d = lab.speaker(LISTEN, PEER + " gtsm=1 passive=1", "commit", "start")
    d.wait_up()
