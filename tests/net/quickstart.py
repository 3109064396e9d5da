# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of scripts/quickstart that runs in the lab.

    quickstart.py PREFIX FOLDER

Makes the lab, starts eipd on etc/examples/, shows what came of it and leaves
everything running.
"""
import os
import shlex
import sys

import lab

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CONF = """\
user: root
objects: {top}/etc/examples
database: {dir}/eipd.db
control: {{socket: {dir}/eipd.sock, group: root}}
"""
FINAL = ("announced", "programmed", "refused")


def say(text):
    print(f"==> {text}", flush=True)


def show(argv, text):
    print(f"$ {shlex.join(argv)}")
    print("".join(f"    {line}\n" for line in text.splitlines()), flush=True)


def settled(eipd):
    """The services, once nothing is on its way any more."""
    items = eipd.items("services")
    if items and all(s["state"] in FINAL for s in items):
        return items
    raise lab.LabError(", ".join(f"{s['namespace']}/{s['name']} {s['state']}"
                                 for s in items) or "no services yet")


def show_requests(net, address, ports):
    for port in ports:
        fetch = net.udp if port["protocol"] == "UDP" else net.get
        if port["protocol"] not in ("TCP", "UDP"):
            continue
        spread = net.spread(address, port["port"], 60, fetch)
        print(f"    {port['protocol']} {address} port {port['port']}: "
              + ", ".join(f"{node} {n}" for node, n in spread.items()),
              flush=True)


def main(prefix, folder):
    net = lab.Lab(prefix, folder)
    say(f"lab: client -- router (BIRD) -- eipd -- three nodes, "
        f"as namespaces {prefix}-*")
    net.up()

    eipd = lab.Eipd(net, conf=CONF.replace("{top}", TOP))
    say("eipd on etc/examples/")
    eipd.start()
    services = lab.wait_for("services", lambda: settled(eipd))
    ctl = ("eipctl", "--socket", eipd.socket)
    show(ctl + ("get", "services"), eipd.ctl("get", "services")[1])

    say("the router has learned the routes")
    lab.wait_for("BGP session", lambda: net.session() == "Established")
    announced = [a for s in services if s["state"] == "announced"
                 for a in s["addresses"]]
    for a in announced:
        prefix_text = f"{a}/{128 if ':' in a else 32}"
        lab.wait_for(f"route {prefix_text}", lambda: net.route(prefix_text))
    show(("birdc", "show", "route"), net.birdc("show", "route"))

    say("60 requests of the client to each EIP, by the node that answered")
    for s in services:
        if s["state"] == "announced":
            for a in s["addresses"]:
                show_requests(net, a, s["ports"])

    say("it goes on running; try")
    build = os.environ["EIPD_BUILD"]
    print(f"    {build}/eipctl --socket {eipd.socket} get backends "
          f"{services[0]['namespace']}/{services[0]['name']}\n"
          f"    ip netns exec {prefix}-cl bash\n"
          f"    scripts/quickstart --down")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (lab.LabError, AssertionError) as e:
        sys.exit(f"quickstart: {e}")
