# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of tests/vm/run, which calls this."""
import argparse
import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time

from machine import Image, MachineError

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """What went wrong, in one line."""


def payload(args, work):
    """What is /payload inside."""
    folder = os.path.join(work, "payload")
    for part in ("net", "vm"):
        shutil.copytree(os.path.join(HERE, "..", part),
                        os.path.join(folder, "tests", part),
                        ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(args.package, os.path.join(folder, "eipd.deb"))
    return folder


@contextlib.contextmanager
def image(args, command, **kw):
    with tempfile.TemporaryDirectory(prefix="eipd-vm-") as work:
        yield Image(work, args.emulator, args.base, payload(args, work),
                    command, **kw)


def run_pytest(args, name):
    """test_NAME.py inside; a machine of its own."""
    command = ("PYTHONDONTWRITEBYTECODE=1 python3 -m pytest "
               "-p no:cacheprovider -x -v -rs --tb=short --color=no "
               f"tests/vm/test_{name}.py && exit; "
               "journalctl -u eipd -n 60; exit 1")
    passed = 0
    with image(args, command) as it, it.boot(limit=1200) as machine:
        for line in machine.lines():
            print(line, flush=True)
            found = re.match(r"=+ (\d+) passed", line)
            if found:
                passed = int(found.group(1))
        if machine.status is None:
            raise Failed(f"{name}: the machine went away; {machine.tail()}")
        if machine.status or not passed:
            raise Failed(f"{name}: exit {machine.status}")
    return f"{name}: {passed} tests passed"


class Record:
    """What eipd has answered for, told by tests/vm/churn.py: kept here, where
    no power is cut."""

    def __init__(self):
        self.held = {}  # {Service: its addresses}
        self.leases = set()  # (address, Service), also of those gone

    def take(self, line):
        word, *args = line.split(" ", 2)
        if word == "held":
            self.hold(args[0], args[1].split(","))
        elif word == "gone":
            del self.held[args[0]]
        elif word == "state":
            self.compare(json.loads(line.removeprefix("state ")))

    def compare(self, state):
        for name, addresses in self.held.items():
            if state["services"].get(name) != addresses:
                raise Failed(f"{name} had {addresses}, after the cut "
                             f"{state['services'].get(name)}")
        leases = [tuple(x) for x in state["leases"]]
        if self.leases - set(leases):
            raise Failed("leases lost: "
                         f"{sorted(self.leases - set(leases))}")
        if len({address for address, _ in leases}) != len(leases):
            raise Failed(f"an address twice in {sorted(leases)}")
        if (state["database"], state["aside"]) != ("ok", []):
            raise Failed(f"the database: {state}")
        for name, addresses in state["services"].items():
            self.hold(name, addresses)

    def hold(self, name, addresses):
        self.held[name] = addresses
        self.leases |= {(a, name) for a in addresses}


def boot_and_cut(it, record, word, seconds):
    """So long after the line that begins with the word."""
    said = []

    def has_said(word, until=None):
        for line in machine.lines(until):
            said.append(line)
            record.take(line)
            if line.split(" ")[0] == word:
                return True
        return False

    with it.boot(limit=300) as machine:
        met = has_said(word)
        if met:
            has_said(None, time.monotonic() + seconds)
        machine.cut()
        has_said(None)  # what was on its way
        if not met or machine.status is not None:
            raise Failed("\n".join([*said, machine.tail()]))


def run_cuts(args):
    record = Record()
    with image(args, "python3 tests/vm/churn.py", disk_mb=256) as it:
        for n in range(1, args.cuts + 1):
            word = random.choice(("starting", "state", "state", "state"))
            boot_and_cut(it, record, word, random.uniform(0, 5))
            print(f"cut {n} of {args.cuts}, {WHEN[word]}: "
                  f"{len(record.held)} Services, {len(record.leases)} leases",
                  flush=True)
        boot_and_cut(it, record, "state", 0)
    return f"cuts: {args.cuts}, none of {len(record.leases)} leases lost"


WHEN = {"starting": "while it starts", "state": "while Services come and go"}
CASES = {"service": functools.partial(run_pytest, name="service"),
         "bad": functools.partial(run_pytest, name="bad"),
         "locked": functools.partial(run_pytest, name="locked"),
         "cuts": run_cuts}


def main():
    # Both unwind, so that neither machine nor folder is left behind.
    for signo in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signo, signal.default_int_handler)
    p = argparse.ArgumentParser()
    p.add_argument("--emulator", required=True)
    p.add_argument("--base", required=True)
    p.add_argument("--package", required=True)
    p.add_argument("--cuts", type=int, required=True)
    p.add_argument("suite")
    p.add_argument("case", nargs="+", choices=CASES)
    args = p.parse_args()
    done = []
    for case in args.case:
        print(f"==> {args.suite}: {case}", flush=True)
        try:
            done.append(CASES[case](args))
        except (Failed, MachineError) as e:
            print(f"{args.suite}: FAILED: {e}")
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"{args.suite}: {', '.join(done)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
