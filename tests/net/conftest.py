# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one lab and one eipd per test file."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
import objects  # noqa: E402

# A SIGTERM unwinds like Ctrl-C, so that no namespace is left behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="module")
def net():
    with lab.Lab() as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def eipd(net):
    e = lab.Eipd(net)
    for name, text in objects.base().items():
        e.set_object(name, text)
    e.set_object("web", objects.dump(objects.service(
        "web", objects.TCP, objects.UDP, families=("IPv4", "IPv6"))))
    e.start()
    yield e
    e.stop()


@pytest.fixture
def web(eipd):
    """The two addresses of default/web, announced and reachable."""
    s = eipd.wait_state("default", "web", "announced")
    for a in s["addresses"]:
        lab.wait_for(f"{a} reachable", lambda: eipd.lab.get(a, 80))
    return s["addresses"]


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what eipd says with a failure."""
    report = (yield).get_result()
    eipd = getattr(item, "funcargs", {}).get("eipd")
    if report.failed and eipd is not None:
        report.sections.extend(eipd.report())
