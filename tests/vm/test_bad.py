# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong around a unit: one line that says what to do, tried again
without end, well as soon as it is mended, and the kernel serves meanwhile."""
import contextlib
import os
import sqlite3

import pytest

from guest import PACKAGE
from lab import run, wait_for
from traffic import Hammer


@pytest.fixture(autouse=True)
def served(net, eipd, web):
    """Whatever is done in the test, its clients do not notice."""
    with Hammer(net, web) as hammer:
        yield
        hammer.wait_more()
    assert hammer.failures == []
    assert eipd.wait_state("default", "web", "announced")["addresses"] == web
    wait_for("no problem", lambda: eipd.problems() == [])


def start(eipd):
    """As far as it comes; what it says meanwhile."""
    eipd.stop()
    before = len(eipd.said())
    run("systemctl", "start", "eipd", check=False, timeout=120)
    return eipd.said()[before:]


@contextlib.contextmanager
def refused(eipd, *words):
    """It says nothing but that, again each time, and goes on trying; after the
    block it comes back by itself."""
    said = start(eipd)
    assert said and len(set(said)) == 1, said
    assert all(w in said[0] for w in words), said
    eipd.wait_tries()
    yield
    wait_for("ready", lambda: eipd.show("ActiveState") == "active")


def test_no_capabilities(eipd):
    eipd.drop_in("caps", "AmbientCapabilities=\nCapabilityBoundingSet=")
    with refused(eipd, "CAP_NET_ADMIN", "AmbientCapabilities="):
        eipd.drop_in("caps", None)


def test_conf_not_readable(eipd):
    os.chmod(eipd.conf, 0o600)
    with refused(eipd, eipd.conf, "make it readable"):
        os.chmod(eipd.conf, 0o644)


def test_conf_wrong(eipd):
    with open(eipd.conf) as f:
        good = f.read()
    eipd.lab.write(eipd.conf, "objets: /etc/eipd/objects\n")
    with refused(eipd, f"{eipd.conf}:1:1:", "objets"):
        eipd.lab.write(eipd.conf, good)


def test_no_such_group(eipd):
    with open(eipd.conf) as f:
        good = f.read()
    eipd.lab.write(eipd.conf, good + "control: {group: operators}\n")
    said = start(eipd)
    found = [line for line in said if "operators" in line]
    assert len(found) == 1 and "create it" in found[0], said
    assert eipd.ctl("status")[0] == 0
    assert [p for p in eipd.problems() if "operators" in p["text"]]
    eipd.lab.write(eipd.conf, good)
    eipd.systemctl("reload")


def test_directory_outside_of_the_profile(eipd):
    os.makedirs("/srv/eipd", mode=0o755)
    with open(eipd.conf) as f:
        good = f.read()
    eipd.lab.write(eipd.conf, good + "objects: /srv/eipd\n")
    eipd.systemctl("reload")
    found, = [p for p in eipd.problems() if p["subject"] == "/srv/eipd"]
    assert "/etc/apparmor.d/local/usr.sbin.eipd" in found["text"]
    eipd.lab.write(eipd.conf, good)
    eipd.systemctl("reload")


def set_version(eipd, version):
    with contextlib.closing(sqlite3.connect(eipd.database)) as db:
        old, = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
    return old


def test_database_of_a_newer_package(eipd):
    eipd.stop()
    version = set_version(eipd, 99)
    run("dpkg", "-i", PACKAGE, timeout=120)
    eipd.systemctl("start")
    found = [line for line in eipd.said() if "schema 99" in line]
    assert len(found) == 1 and "newer eipd" in found[0], found
    assert "newer" in eipd.ctl_json("status")["database"]
    assert set_version(eipd, version) == 99
