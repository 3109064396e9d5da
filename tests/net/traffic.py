# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that never rest, and what they cost."""
import itertools
import threading

from lab import wait_for

# For an eipd that is measured: its own time, not that of a busy machine, and
# its own memory, not what a sanitizer keeps.
MEASURED = ("env", "ASAN_OPTIONS=abort_on_error=0:quarantine_size_mb=4",
            "nice", "-n", "-19")


def rss_kb(eipd):
    with open(f"/proc/{eipd.proc.pid}/statm") as f:
        return int(f.read().split()[1]) * 4


# Of a client's 28,232 ports each stays closed for a minute towards an address.
PER_SECOND = 200


class Hammer:
    """New connections all the time; any that fails is remembered."""

    def __init__(self, lab, addresses):
        self.lab = lab
        self.addresses = addresses
        self.done = 0
        self.failures = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        for a in itertools.cycle(self.addresses):
            if self.ending.wait(1 / PER_SECOND):
                return
            try:
                self.lab.get(a, 80)
                self.done += 1
            except OSError as e:
                self.failures.append((a, repr(e)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ending.set()
        self.thread.join()

    def wait_more(self, n=20):
        want = self.done + n
        wait_for(f"{n} more connections",
                 lambda: self.failures or self.done >= want)
