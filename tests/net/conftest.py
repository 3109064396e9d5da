# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one lab and one eipd per test file."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402

# A SIGTERM unwinds like Ctrl-C, so that no namespace is left behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="module")
def net():
    with lab.Lab() as the_lab:
        yield the_lab


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of eipd's log with a failure."""
    report = (yield).get_result()
    eipd = getattr(item, "funcargs", {}).get("eipd")
    if report.failed and eipd is not None:
        report.sections.append((f"end of {eipd.log}", eipd.tail()))
