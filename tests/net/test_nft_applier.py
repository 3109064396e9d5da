# SPDX-License-Identifier: GPL-2.0-or-later
"""The nft applier alone, with real packets: spread, sources, established
connections, restart without a write, repair after foreign changes.

Needs root and nft.  The applier is driven by nft_driver."""

import collections
import contextlib
import json
import os
import re
import select
import socket
import struct
import subprocess

import pytest

import lab
from quickstart import TOP
from traffic import Hammer

EIP4, EIP6 = "198.18.0.1", "fd18::1"
NODES4 = [f"10.92.0.{i}" for i in (11, 12, 13)]
NODES6 = [f"fd92::{i}" for i in (11, 12, 13)]
TCP, UDP, SCTP = 6, 17, 132

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="session")
def program():
    return lab.find_driver("tests/net/nft_driver")


class Driver:
    """One process that holds the applier."""

    def __init__(self, net, program):
        self.p = subprocess.Popen(net.argv("gw", program), text=True,
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        assert self.ask("load").endswith("ok")

    def ask(self, *words):
        self.p.stdin.write(" ".join(words) + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def stage(self, key, *frontends):
        assert self.ask("stage", key, *frontends) == "ok"

    def commit(self):
        assert self.ask("commit") == "ok"
        for _ in range(100):
            if self.ask("flush").startswith("idle"):
                return

    def stat(self, name):
        return int(re.search(rf"\b{name}=(\d+)", self.ask("stats")).group(1))

    def is_foreign(self):
        return any(self.ask("foreign") == "yes ok" for _ in range(20))

    def end(self):
        self.p.stdin.close()
        assert self.p.wait(10) == 0


def frontend(address, protocol, port, source, backends):
    return ",".join([address, str(protocol), str(port), source, *backends])


def at(nodes, port):
    return [f"{node}@{port}" for node in nodes]


def service(nodes4=NODES4, nodes6=NODES6, source="masq"):
    return [frontend(EIP4, TCP, 80, source, at(nodes4, 30080)),
            frontend(EIP6, TCP, 80, source, at(nodes6, 30080)),
            frontend(EIP4, UDP, 53, source, at(nodes4, 30053)),
            frontend(EIP6, UDP, 53, source, at(nodes6, 30053))]


@pytest.fixture(scope="module")
def net():
    with lab.Lab() as the_lab:
        the_lab.ip("rt", "route", "add", "198.18.0.0/24", "via", "10.91.0.2")
        the_lab.ip("rt", "-6", "route", "add", "fd18::/64", "via", "fd91::2")
        yield the_lab


@pytest.fixture
def driver(net, program):
    d = Driver(net, program)
    d.stage("prod/default/web", *service())
    d.commit()
    yield d
    d.ask("remove")
    d.end()


def generation(net):
    with lab.inside(net.ns("gw")):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    with s:
        # NFT_MSG_GETGEN, NLM_F_REQUEST
        s.sendto((20).to_bytes(4, "little") + (0x0a10).to_bytes(2, "little") +
                 (1).to_bytes(2, "little") + bytes(12), (0, 0))
        return int.from_bytes(s.recv(4096)[24:28], "big")


def table(net, *options):
    return net.run("gw", "nft", *options, "list", "table", "inet", "eipd")


def totals(net, key="prod/default/web"):
    """(packets, bytes, connections) of a Service, None without counters."""
    found = {}
    listed = net.run("gw", "nft", "-j", "list", "counters")
    for thing in json.loads(listed)["nftables"]:
        counter = thing.get("counter")
        if counter and counter["table"] == "eipd":
            owner, _, kind = counter["name"].rpartition("/")
            found[owner, kind] = counter
    if (key, "packets") not in found:
        return None
    return (found[key, "packets"]["packets"], found[key, "packets"]["bytes"],
            found[key, "connections"]["packets"])


def counts(fetch, n=60):
    return collections.Counter(fetch() for _ in range(n))


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_spread(net, driver, address):
    for fetch in (lambda: net.get(address, 80)[0],
                  lambda: net.udp(address, 53)[0]):
        seen = counts(fetch)
        assert set(seen) == {"n1", "n2", "n3"}
        assert min(seen.values()) >= 6, seen


def test_source(net, driver):
    assert net.get(EIP4, 80)[1] == "10.92.0.1"
    assert net.get(EIP6, 80)[1] == "fd92::1"
    driver.stage("prod/default/web", *service(source="keep"))
    driver.commit()
    assert net.get(EIP4, 80)[1] == "10.90.0.2"
    assert net.get(EIP6, 80)[1] == "fd90::2"


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_refusal(net, driver, address):
    driver.stage("prod/default/web", *service([], []))
    driver.commit()
    for port in (80, 81, 22):
        with pytest.raises(ConnectionRefusedError):
            net.connect(address, port)
    with pytest.raises(ConnectionRefusedError):
        net.udp(address, 53)
    driver.stage("prod/default/web", *service())
    driver.commit()
    assert net.get(address, 80)[0] in lab.NODES


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_host_is_hidden(net, driver, address):
    with lab.inside(net.ns("gw")):
        s = socket.create_server(("::", 22), family=socket.AF_INET6,
                                 dualstack_ipv6=True)
    with s:
        assert net.connect("10.91.0.2", 22)
        with pytest.raises(ConnectionRefusedError):
            net.connect(address, 22)
        net.run("cl", "ping", "-c1", "-W2", address)
        assert net.get(address, 80, host="gw")[0] in lab.NODES


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_hairpin(net, driver, address):
    driver.stage("prod/default/web", *service(source="keep"))
    driver.commit()
    seen = counts(lambda: net.get(address, 80, host="n1")[0], 30)
    assert set(seen) == {"n1", "n2", "n3"}


@pytest.mark.parametrize("version", [4, 6])
def test_backend_leaves(net, driver, version):
    address = EIP4 if version == 4 else EIP6
    streams = [net.http(address, 80, "/stream?seconds=2&rate=20")
               for _ in range(12)]
    with lab.inside(net.ns("cl")):
        s = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6,
                          socket.SOCK_DGRAM)
    with s:
        s.settimeout(3)
        s.connect((address, 53))
        s.send(b"x")
        first = s.recv(100).split()[0].decode()
        left = [i for i, node in enumerate(lab.NODES) if node != first]
        driver.stage("prod/default/web",
                     *service([NODES4[i] for i in left],
                              [NODES6[i] for i in left]))
        driver.commit()
        s.send(b"x")
        assert s.recv(100).split()[0].decode() != first
    assert first not in counts(lambda: net.get(address, 80)[0], 30)
    for c, response in streams:
        lines = response.read().decode().splitlines()
        c.close()
        assert len(lines) == 40


def test_one_backend_and_many(net, driver):
    for n in (1, 2, 3, 1):
        driver.stage("prod/default/web", *service(NODES4[:n], NODES6[:n]))
        driver.commit()
        seen = counts(lambda: net.get(EIP4, 80)[0], 20)
        assert set(seen) == set(lab.NODES[:n])


def test_weights(net, driver):
    backends = [f"{NODES4[0]}@30080@3", f"{NODES4[1]}@30080@1",
                f"{NODES4[2]}@30080@1@2"]
    driver.stage("prod/default/web", frontend(EIP4, TCP, 80, "masq", backends))
    driver.commit()
    seen = counts(lambda: net.get(EIP4, 80)[0], 80)
    assert set(seen) == {"n1", "n2"}
    assert seen["n1"] > seen["n2"] * 1.5


def crc32c(data):
    crc = 0xffffffff
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_packet(source, target, tag, kind):
    """An INIT (1) or INIT ACK (2): RFC 9260, 3.3.2."""
    def packet(crc):
        return (struct.pack("!HHI", source, target, tag) +
                struct.pack("<I", crc) +
                struct.pack("!BBHIIHHI", kind, 0, 20, 7, 65536, 1, 1, 1))
    return packet(crc32c(packet(0)))


def sctp_read(s):
    """(source address, source port, port, kind) of a packet that is whole."""
    data, peer = s.recvfrom(2048)
    if s.family == socket.AF_INET:
        data = data[(data[0] & 15) * 4:]
    assert crc32c(data[:8] + bytes(4) + data[12:]) == int.from_bytes(
        data[8:12], "little")
    return (peer[0], *struct.unpack("!HH", data[:4]), data[12])


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_sctp(net, driver, address):
    """By hand: not every kernel has SCTP sockets."""
    nodes, gateway = ((NODES6, "fd92::1") if ":" in address
                      else (NODES4, "10.92.0.1"))
    driver.stage("prod/default/web", frontend(address, SCTP, 9999, "masq",
                                              at(nodes, 30132)))
    driver.commit()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        socks = {}
        for host in ("cl", *lab.NODES):
            with lab.inside(net.ns(host)):
                socks[host] = stack.enter_context(
                    socket.socket(family, socket.SOCK_RAW, SCTP))
        for n in range(8):
            socks["cl"].sendto(sctp_packet(5000 + n, 9999, 0, 1), (address, 0))
            got, _, _ = select.select([socks[h] for h in lab.NODES], [], [], 5)
            assert len(got) == 1
            peer, source, port, kind = sctp_read(got[0])
            assert (peer, port, kind) == (gateway, 30132, 1)
            got[0].sendto(sctp_packet(30132, source, 7, 2), (peer, 0))
            assert select.select([socks["cl"]], [], [], 5)[0]
            assert sctp_read(socks["cl"]) == (address, 9999, 5000 + n, 2)
        packets, octets, connections = totals(net)
        size = 32 + (40 if ":" in address else 20)
        assert (packets, octets, connections) == (16, 16 * size, 8)


def test_flows_are_forgotten(net, driver):
    net.udp(EIP4, 53)
    entries = ("conntrack", "-L", "-p", "udp", "-d", EIP4)
    assert EIP4 in net.run("gw", *entries)
    driver.stage("prod/default/web")
    driver.commit()
    assert EIP4 not in net.run("gw", *entries)
    assert EIP4 not in net.run("gw", "ip", "route", "show", "table", "local")


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_flows_from_before(net, driver, address):
    """Who sent to the address before it was ours, and was forwarded, is not
    held to that for as long as it talks."""
    route = ("route", "add", f"{address}", "via",
             "fd91::1" if ":" in address else "10.91.0.1")
    net.ip("gw", *route)
    driver.stage("prod/default/web")
    driver.commit()
    with pytest.raises(TimeoutError):
        net.udp(address, 53, own_port=9997, timeout=0.5)
    assert address in net.run("gw", "conntrack", "-L", "-p", "udp",
                              "-f", "ipv6" if ":" in address else "ipv4")
    driver.stage("prod/default/web", *service())
    driver.commit()
    net.udp(address, 53, own_port=9997)
    net.ip("gw", "route", "del", address)


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_address_of_the_host(net, driver, address):
    """The host has it already: its own route will do while it is there."""
    driver.stage("prod/default/web")
    driver.commit()
    net.ip("gw", "address", "add", address, "dev", "lo", "nodad")
    driver.stage("prod/default/web", *service())
    driver.commit()
    assert not driver.is_foreign()
    net.udp(address, 53)
    net.ip("gw", "address", "del", address, "dev", "lo")
    # IPv6 has both routes.
    assert driver.is_foreign() == (address == EIP4)
    driver.commit()
    net.udp(address, 53)
    assert not driver.is_foreign()


def test_restart_writes_nothing(net, driver, program):
    before = table(net, "-s")
    generation_before = generation(net)
    routes = net.run("gw", "ip", "route", "show", "table", "local")
    again = Driver(net, program)
    services = again.ask("services")
    assert services.startswith("prod/default/web ")
    assert f"{EIP4},6,80,masq," + ",".join(at(NODES4, 30080)) in services
    again.stage("prod/default/web", *service())
    again.commit()
    assert again.stat("commits") == 0
    assert generation(net) == generation_before
    assert table(net, "-s") == before
    assert net.run("gw", "ip", "route", "show", "table", "local") == routes
    # The numbers go on as well: one change is a handful of elements.
    again.stage("prod/default/web", *service(NODES4[:2], NODES6))
    again.commit()
    assert again.stat("commits") == 1
    assert again.stat("operations") < 200
    again.end()


@pytest.mark.parametrize("address", [EIP4, EIP6])
def test_totals(net, driver, address):
    assert totals(net) == (0, 0, 0)
    header, text = 48 if ":" in address else 28, "x" * 500
    octets = 0
    for n in range(1, 11):
        answer = " ".join([*net.udp(address, 53, text), text])
        octets += header + len(text) + header + len(answer)
        assert totals(net) == (2 * n, octets, n)
    # A flow that is there already is no connection.
    for n in range(3):
        net.udp(address, 53, own_port=9999)
        assert totals(net)[2] == 11
    packets = 26
    for n in range(12, 32):
        net.get(address, 80)
        assert totals(net)[2] == n
    # At least SYN, its answer, request and response.
    assert totals(net)[0] >= packets + 20 * 4
    # One connection with many packets is one connection.
    c, response = net.http(address, 80, "/stream?seconds=0.5&rate=100")
    octets = totals(net)[1] + len(response.read())
    c.close()
    assert totals(net)[1] > octets and totals(net)[2] == 32
    # What is refused is not forwarded.
    with pytest.raises(ConnectionRefusedError):
        net.connect(address, 81)
    assert totals(net)[2] == 32
    # The gateway's own are counted, but do not pass through it.
    net.get(address, 80, host="gw")
    assert totals(net)[2] == 33


def test_totals_of_hairpins(net, driver):
    for _ in range(10):
        net.get(EIP4, 80, host="n1")
    assert totals(net)[2] == 10


def test_totals_never_fall(net, driver, program):
    before = totals(net)

    def grown():
        nonlocal before
        net.get(EIP4, 80)
        now = totals(net)
        # The last packets of a connection may still be under way.
        assert all(a > b for a, b in zip(now, before)), (now, before)
        assert now[2] == before[2] + 1
        before = now

    for n in (1, 2, 3, 1, 3, 2):
        driver.stage("prod/default/web", *service(NODES4[:n], NODES6[:n]))
        driver.commit()
        grown()
    driver.stage("prod/default/web", *service()[:1])
    driver.commit()
    grown()
    again = Driver(net, program)
    again.stage("prod/default/web", *service())
    again.commit()
    grown()
    driver.ask("load")
    driver.stage("prod/default/web", *service())
    driver.commit()
    grown()
    again.end()
    # A table that has to be made anew goes on where the old one was.
    net.run("gw", "nft", "insert rule inet eipd in4 tcp dport 80 drop")
    assert driver.is_foreign()
    driver.ask("load")
    driver.commit()
    grown()
    driver.stage("prod/default/web")
    driver.commit()
    assert totals(net) is None
    driver.stage("prod/default/web", *service())
    driver.commit()
    assert totals(net) == (0, 0, 0)


FOREIGN = [
    ["delete element inet eipd svc4 { %s . tcp . 80 }" % EIP4],
    ["delete element inet eipd eip6 { %s }" % EIP6],
    ["flush map inet eipd slots_6_0"],
    ["delete element inet eipd be4_6_0 { 0x90000000 }",
     "add element inet eipd be4_6_0 { 0x90000000 : 10.92.0.99 . 1 }"],
    ["add element inet eipd eip4 { 198.18.0.200 }"],
    ["add element inet eipd svc4 { 198.18.0.9 . tcp . 9 comment \"a/b/c\" : "
     "0x8f000777 }"],
    ["add element inet eipd svc4 { 198.18.0.9 . tcp . 9 : 0x12345678 }"],
    ["delete element inet eipd acct4 { %s . tcp . 80 }" % EIP4],
    ["flush map inet eipd conn6"],
    ["flush map inet eipd acct4", "flush map inet eipd acct6",
     "delete counter inet eipd prod/default/web/packets"],
    ["flush chain inet eipd in4"],
    ["add chain inet eipd mine"],
    ["insert rule inet eipd pre drop"],
    ["insert rule inet eipd in4 tcp dport 80 drop"],
    ["flush chain inet eipd nope",
     "add rule inet eipd nope meta l4proto tcp counter reject",
     "add rule inet eipd nope counter reject"],
    ["flush chain inet eipd s6_6_0",
     "add rule inet eipd s6_6_0 drop; add rule inet eipd s6_6_0 drop"],
    ["chain inet eipd forward { policy drop; }"],
    ["add table inet eipd { flags dormant; }"],
    ["flush map inet eipd disp4"],
    ["delete table inet eipd"],
    ["flush ruleset"],
    ["flush ruleset", "add table inet eipd { comment \"layout 0\"; }"],
]


@pytest.mark.parametrize("commands", FOREIGN, ids=lambda c: c[-1][:40])
def test_foreign_change_is_repaired(net, driver, commands):
    before = table(net, "-s")
    assert not driver.is_foreign()
    for command in commands:
        net.run("gw", "nft", command)
    assert driver.is_foreign()
    assert driver.ask("load").endswith("ok")
    driver.commit()
    after = table(net, "-s")
    if "size" not in commands[0]:
        assert sorted(after.split()) == sorted(before.split())
    assert not driver.is_foreign()
    for address in (EIP4, EIP6):
        assert net.get(address, 80)[0] in lab.NODES


def test_comparison_ends_under_churn(net, driver, program):
    """It takes many calls, and there is a commit between any two: to sets
    that are read elsewhere, then to the one that is read."""
    assert "ok" in driver.ask("bulk 1200 4")
    again = Driver(net, program)

    def verify(churn):
        for i in range(300):
            again.stage(*churn(i))
            again.commit()
            answer = again.ask("foreign")
            if answer == "yes ok" or again.ask("verifying") == "no ok":
                return answer, i
        raise AssertionError("no end")

    def web(i):
        return "prod/default/web", *service(NODES4[:1 + i % 3])

    def neighbour(i):
        nodes = [f"10.9.{n}.1" for n in range(2 + i % 3)]
        return "prod/namespace-0/service-600", frontend(
            "100.64.2.88", TCP, 80, "masq", at(nodes, 30000))

    for churn in (web, neighbour):
        assert again.ask("verifying") == "yes ok"
        answer, rounds = verify(churn)
        assert answer == "no ok" and rounds > 3
        slots = re.findall(r"(0x\w+ \. \w+) : (0x\w+)", net.run(
            "gw", "nft", "list", "map", "inet", "eipd", "slots_6_1"))
        key, old = slots[0]
        other = next(value for _, value in slots if value != old)
        net.run("gw", "nft", f"delete element inet eipd slots_6_1 {{ {key} }}; "
                f"add element inet eipd slots_6_1 {{ {key} : {other} }}")
        assert verify(churn)[0] == "yes ok"
        assert again.ask("load").endswith("ok")
        again.commit()
        net.run("gw", "nft", "add table ip other; delete table ip other")
        again.ask("foreign")
    again.end()
    assert "ok" in driver.ask("load")
    assert "ok" in driver.ask("bulk 1200 0")


def test_foreign_change_elsewhere(net, driver):
    commits = driver.stat("commits")
    net.run("gw", "nft", "add table ip other; add chain ip other c")
    assert not driver.is_foreign()
    driver.commit()
    assert driver.stat("commits") == commits
    net.run("gw", "nft", "delete table ip other")


def test_foreign_change_before_commit(net, driver):
    """A commit that meets a change nobody has noticed fails, the next one
    repairs."""
    net.run("gw", "nft", "flush ruleset")
    driver.stage("prod/default/web", *service(NODES4[:2], NODES6[:2]))
    assert driver.ask("commit").startswith("error")
    driver.commit()
    assert set(counts(lambda: net.get(EIP4, 80)[0], 20)) == {"n1", "n2"}


def test_route_is_repaired(net, driver):
    net.run("gw", "ip", "route", "del", "local", EIP4, "dev", "lo", "table",
            "local")
    assert driver.is_foreign()
    driver.commit()
    assert net.get(EIP4, 80)[0] in lab.NODES


def test_broken_table_at_start(net, driver, program):
    net.run("gw", "nft", "flush chain inet eipd in4")
    again = Driver(net, program)
    assert "prod/default/web" in again.ask("services")
    again.stage("prod/default/web", *service())
    again.commit()
    assert net.get(EIP4, 80)[0] in lab.NODES
    with pytest.raises(ConnectionRefusedError):
        net.connect(EIP4, 81)
    again.end()


def test_table_switched_off_at_start(net, driver, program):
    """Like one of an older layout: replaced, with what it has."""
    before = totals(net)
    net.run("gw", "nft", "add table inet eipd { flags dormant; }")
    again = Driver(net, program)
    services = again.ask("services")
    assert f"{EIP4},6,80,masq," + ",".join(at(NODES4, 30080)) in services
    again.commit()
    assert totals(net) == before
    for address in (EIP4, EIP6):
        assert net.get(address, 80)[0] in lab.NODES
    again.end()


def test_change_under_load(net, driver):
    """No connection fails while the table changes all the time."""
    with Hammer(net, [EIP4]) as a, Hammer(net, [EIP4]) as b:
        for i in range(300):
            nodes = NODES4[:1 + i % 3]
            driver.stage("prod/default/web",
                         *service(nodes, NODES6, "masq" if i % 2 else "keep"))
            driver.commit()
    assert a.done and b.done and not a.failures + b.failures


def test_key_of_greatest_length(net, driver):
    key = "c" * 115 + "/" + "n" * 63 + "/" + "s" * 63
    assert len(key) == 243
    driver.stage(key, frontend("198.18.0.7", TCP, 80, "masq",
                               at(NODES4, 30080)))
    driver.commit()
    assert key in table(net)


def test_orphaned_counter(net, driver):
    """A counter of nobody, left by someone else, goes when it is seen."""
    net.run("gw", "nft", "add counter inet eipd prod/default/other/packets")
    assert driver.ask("load").endswith("ok")
    driver.commit()
    assert "prod/default/other" not in table(net)
    assert net.get(EIP4, 80)[0] in lab.NODES


def sizes(net):
    listed = json.loads(net.run("gw", "nft", "-jt", "list", "sets"))["nftables"]
    listed += json.loads(net.run("gw", "nft", "-jt", "list", "maps"))["nftables"]
    found = {}
    for thing in listed:
        for s in thing.values():
            if s.get("table") == "eipd":
                found[s["name"]] = s["size"]
    return found


def test_sets_grow(net, driver, program):
    """More frontends than the sets of an empty table have room for."""
    small = sizes(net)
    n = small["svc4"] + 1000
    assert "ok" in driver.ask(f"bulk {n} 1")
    large = sizes(net)
    for name in ("eip4", "svc4", "be4", "acct4", "conn4"):
        assert small[name] < n <= large[name], name
    assert large["svc6"] == small["svc6"]
    assert not driver.is_foreign()
    assert net.get(EIP4, 80)[0] in lab.NODES
    again = Driver(net, program)
    again.stage("prod/default/web", *service())
    assert "ok" in again.ask(f"bulk {n} 1")
    assert again.stat("commits") == 0
    again.end()
    assert "ok" in driver.ask(f"bulk {n} 0")
    assert not driver.is_foreign()
    assert net.get(EIP4, 80)[0] in lab.NODES


def test_many(net, driver):
    assert "ok" in driver.ask("bulk 1200 4")
    assert driver.ask("commit") == "ok"
    assert not driver.is_foreign()
    assert "ok" in driver.ask("bulk 1200 0")
    assert not driver.is_foreign()
    assert net.get(EIP4, 80)[0] in lab.NODES


def tcp_checksum(source, target, segment):
    data = (socket.inet_aton(source) + socket.inet_aton(target) +
            struct.pack("!HH", TCP, len(segment)) + segment)
    return -sum(struct.unpack(f"!{len(data) // 2}H", data)) % 0xffff


def acknowledgement(net, node):
    """(client's address, port, its sequence number, what it acknowledges) of
    the next packet without data that the node gets for its port 30080."""
    with lab.inside(net.ns(node)):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                          socket.htons(0x0800))
    with s:
        s.settimeout(5)
        while True:
            p, link = s.recvfrom(65536)
            p = p[:struct.unpack("!H", p[2:4])[0]]
            head = (p[0] & 15) * 4
            source, target, seq, ack, size = struct.unpack(
                "!HHIIB", p[head:head + 13])
            size = head + (size >> 4) * 4
            if (link[2], p[9], target, len(p)) == (0, TCP, 30080, size):
                return socket.inet_ntoa(p[12:16]), source, seq, ack


def test_packet_beyond_the_window(net, driver):
    """It does not end a connection: conntrack takes it for one of no
    connection at all, and the gateway would reset that."""
    key = "net.netfilter.nf_conntrack_tcp_be_liberal"
    with open(os.path.join(TOP, "systemd/sysctl.d/50-eipd.conf")) as f:
        value = re.search(rf"^-{key} = (\d+)$", f.read(), re.M).group(1)
    net.sysctl("gw", f"{key}={value}")
    stream = lab.Stream(net, EIP4, 80, seconds=2)
    lab.wait_for("began", lambda: stream.node)
    peer, port, seq, ack = acknowledgement(net, stream.node)
    node = NODES4[lab.NODES.index(stream.node)]
    segment = struct.pack("!HHIIBBHHH", 30080, port, (ack + (1 << 30)) % 2**32,
                          seq, 5 << 4, 0x10, 512, 0, 0) + b"xx"
    check = struct.pack("!H", tcp_checksum(node, peer, segment))
    with lab.inside(net.ns(stream.node)):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, TCP)
    with raw:
        raw.sendto(segment[:16] + check + segment[18:], (peer, 0))
    stream.finish()
