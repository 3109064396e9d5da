# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab of tests/net in a virtual machine of tests/vm/run, whose own network
is the gateway's: eipd runs there as its package and systemd have it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "net"))
import lab  # noqa: E402

lab.patience = 6
PACKAGE = "/payload/eipd.deb"


class GuestLab(lab.Lab):
    def __init__(self):
        super().__init__("vm")

    def add_host(self, host):
        if host == "gw":
            lab.run("ip", "netns", "attach", self.ns(host), "1")
        else:
            super().add_host(host)

    def down(self):
        """The machine ends with its command, and the lab with it."""


class Unit(lab.Eipd):
    """eipd.service."""

    def __init__(self, the_lab):
        lab.run("dpkg", "-i", PACKAGE, timeout=120)
        super().__init__(the_lab, "/etc/eipd")
        self.socket = "/run/eipd/eipd.sock"
        self.database = "/var/lib/eipd/eipd.db"

    def set_conf(self, text):
        """The package's stays."""

    def start(self):
        self.systemctl("start")

    def stop(self):
        self.systemctl("stop")

    def systemctl(self, verb):
        lab.run("systemctl", verb, "eipd", timeout=120)

    def show(self, name):
        return lab.run("systemctl", "show", "-P", name, "eipd").strip()

    def pid(self):
        return int(self.show("MainPID"))

    def wait_tries(self):
        """More of them than systemd allows by default."""
        tries = int(self.show("NRestarts")) + 6
        lab.wait_for("six more tries", lambda: int(
            self.show("NRestarts")) >= tries)

    def drop_in(self, name, text):
        """Says that in the section [Service] too; None takes it back."""
        path = f"/run/systemd/system/eipd.service.d/{name}.conf"
        if text is None:
            os.unlink(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.lab.write(path, f"[Service]\n{text}\n")
        lab.run("systemctl", "daemon-reload")

    def text(self):
        return lab.run("journalctl", "-u", "eipd", "-o", "cat")

    def said(self):
        """The lines of eipd itself, not systemd's about it."""
        return lab.run("journalctl", "-t", "eipd", "-o", "cat").splitlines()
