# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that will not load nf_tables, for which there is no way back: a
machine of its own."""
import re

import guest
from lab import run


def test_nf_tables_is_locked_away():
    run("sysctl", "-qw", "kernel.modules_disabled=1")
    with open("/proc/modules") as f:
        assert "nf_tables" not in f.read()
    eipd = guest.Unit(guest.GuestLab())
    found, = [p for p in eipd.problems() if p["subject"] == "kernel"]
    # Debian 13 itself loads the one that is below the other.
    assert re.search("load the module nf(netlink|_tables)$", found["text"])
    assert len([x for x in eipd.said() if found["text"] in x]) == 1
    assert eipd.show("ActiveState") == "active"
    assert eipd.show("NRestarts") == "0"
