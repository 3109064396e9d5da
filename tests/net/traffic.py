# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that never rest."""
import threading

from lab import wait_for


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
        while not self.ending.is_set():
            for a in self.addresses:
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
