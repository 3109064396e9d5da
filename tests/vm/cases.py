# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of tests/vm/run, which calls this."""
import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile

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
    shutil.copy(args.package, folder)
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


def run_service(args):
    return run_pytest(args, "service")


CASES = {"service": run_service}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--emulator", required=True)
    p.add_argument("--base", required=True)
    p.add_argument("--package", required=True)
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
    print(f"{args.suite}: {', '.join(done)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
