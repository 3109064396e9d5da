# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside the machine of the case `cuts`: Services come and go until the power
does.  What the host may hold eipd to later, it is told now, a line each:

    starting            eipd is about to start
    state JSON          all Services of the object files are announced
    held NAME ADDRESS   eipctl shows the Service with these, joined by a comma
    gone NAME           its object file will now be removed

The object files and the database are on the disk that stays.
"""
import glob
import json
import os
import random
import sqlite3
import termios

import guest
import objects as o
from lab import run, wait_for

OBJECTS = "/etc/eipd/objects"
STATE = "/var/lib/eipd"
POOLS = o.dump(o.eip("v4", "198.18.0.0-198.18.15.255", default=True),
               o.eip("v6", "2001:db8:51::/112", default=True))
MANY = 16


def say(*words):
    """At the host, not just on the way, when it returns."""
    print(*words, flush=True)
    termios.tcdrain(1)


def mount():
    for path in (OBJECTS, STATE):
        kept = "/disk" + path
        os.makedirs(kept, exist_ok=True)
        os.makedirs(path, exist_ok=True)
        run("mount", "--bind", kept, path)


def sync_folder():
    fd = os.open(OBJECTS, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def write(name, text):
    """As somebody does who wants to find it again."""
    path = f"{OBJECTS}/{name}.yaml"
    with open(path + ".new", "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)
    sync_folder()


def remove(name):
    os.unlink(f"{OBJECTS}/{name}.yaml")
    sync_folder()


def names():
    return {os.path.basename(p).removesuffix(".yaml")
            for p in glob.glob(f"{OBJECTS}/s*.yaml")}


def services(eipd):
    """{name: addresses} of what is announced."""
    return {s["name"]: s["addresses"] for s in eipd.items("services")
            if s["state"] == "announced"}


def elements(eipd, name):
    listing = json.loads(run("nft", "-j", "list", "set", "inet", "eipd", name))
    return next(s["set"] for s in listing["nftables"] if "set" in s).get(
        "elem", [])


def report(net, eipd):
    wait_for("all announced", lambda: set(services(eipd)) == names())
    shown = services(eipd)
    addresses = sorted(a for held in shown.values() for a in held)
    wait_for("the kernel has them all", lambda: addresses == sorted(
        elements(eipd, "eip4") + elements(eipd, "eip6")))
    for a in addresses:
        wait_for(f"{a} reachable", lambda: net.get(a, 80))
    wait_for("nothing wrong", lambda: eipd.problems() == [])
    db = sqlite3.connect(eipd.database)
    say("state", json.dumps({
        "services": shown,
        "leases": [(x["address"], x["name"]) for x in eipd.items("leases")],
        "database": db.execute("PRAGMA integrity_check").fetchone()[0],
        "aside": glob.glob(f"{STATE}/*.corrupt-*")}))
    db.close()


def add(eipd, new):
    for name in new:
        families = random.choice((("IPv4",), ("IPv6",), ("IPv4", "IPv6")))
        write(name, o.dump(o.service(name, families=families)))

    def held():
        shown = services(eipd)
        return shown if all(n in shown for n in new) else None
    shown = wait_for(f"{new} announced", held)
    for name in new:
        say("held", name, ",".join(shown[name]))


def churn(eipd):
    former = set()
    while True:
        now = names()
        if random.random() < len(now) / MANY:
            for name in random.sample(sorted(now), random.randint(1, 4)
                                      if len(now) > 4 else 1):
                say("gone", name)
                remove(name)
                former.add(name)
        else:
            new = {f"s{random.randrange(1 << 32)}"
                   for _ in range(random.randint(1, 3))}
            back = sorted(former - now)
            if back:
                new.add(random.choice(back))
            add(eipd, sorted(new))


def main():
    mount()
    with guest.GuestLab() as net:
        for name, text in {**o.base(), "pools": POOLS}.items():
            write(name, text)
        say("starting")
        eipd = guest.Unit(net)
        report(net, eipd)
        churn(eipd)


main()
