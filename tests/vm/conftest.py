# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures for what runs inside the machine."""
import os

import pytest

import guest
import objects as o

collect_ignore_glob = [] if os.path.exists(guest.PACKAGE) else ["test_*"]


@pytest.fixture(scope="session")
def net():
    with guest.GuestLab() as the_lab:
        yield the_lab


@pytest.fixture(scope="session")
def eipd(net):
    unit = guest.Unit(net)
    for name, text in o.base().items():
        unit.set_object(name, text)
    unit.set_object("web", o.dump(o.service("web", o.TCP, o.UDP,
                                            families=("IPv4", "IPv6"))))
    return unit


@pytest.fixture
def web(net, eipd):
    """The two addresses of default/web, announced and reachable."""
    s = eipd.wait_state("default", "web", "announced")
    for a in s["addresses"]:
        guest.lab.wait_for(f"{a} reachable", lambda: net.get(a, 80))
    return s["addresses"]
