# SPDX-License-Identifier: GPL-2.0-or-later
"""The package's life on one box: install, run, upgrade, remove, purge.

The tests build on each other, in order.  The box is the gateway of the lab of
tests/net; dpkg runs in its network namespace and, as files know no such
thing, in a root file system made for this by tests/distro/run, which says so
with EIPD_DISTRO_PACKAGES=PREVIOUS.deb:PACKAGE.deb.
"""
import configparser
import os
import pwd
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "net"))
import lab  # noqa: E402
import objects as o  # noqa: E402

PACKAGES = os.environ.get("EIPD_DISTRO_PACKAGES")
pytestmark = pytest.mark.skipif(
    not PACKAGES, reason="installs and purges: only in tests/distro/run")

SETTINGS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
            "net/ipv6/conf/default/accept_ra", "net/ipv6/conf/up0/accept_ra",
            "net/ipv6/conf/in0/accept_ra")
BEFORE = ("0", "0", "1", "1", "0")
AFTER = ("1", "1", "2", "2", "0")
CONF = "/etc/eipd/eipd.conf"
DATABASE = "/var/lib/eipd/eipd.db"
MINE = "/etc/sysctl.d/90-mine.conf"
WANTS = "/etc/systemd/system/multi-user.target.wants/eipd.service"


class Packaged(lab.Eipd):
    """eipd as the unit starts it; there is no systemd in a chroot."""

    def __init__(self, the_lab):
        super().__init__(the_lab)
        self.socket = "/run/eipd/eipd.sock"
        self.database = DATABASE

    def argv(self, *args):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(os.path.realpath(WANTS))
        service = unit["Service"]
        caps = "-all," + ",".join(
            "+" + c.removeprefix("CAP_").lower()
            for c in service["AmbientCapabilities"].split())
        user = service["User"]
        for folder, mode in (
                ("/var/lib/" + service["StateDirectory"],
                 service["StateDirectoryMode"]),
                ("/run/" + service["RuntimeDirectory"],
                 service["RuntimeDirectoryMode"])):
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, int(mode, 8))
            os.chown(folder, pwd.getpwnam(user).pw_uid,
                     pwd.getpwnam(user).pw_gid)
        return ("setpriv", "--reuid", user, "--regid", service["Group"],
                "--init-groups", "--inh-caps", caps, "--ambient-caps", caps,
                "--bounding-set", caps, "--no-new-privs",
                *service["ExecStart"].split(), *args)

    def set_object(self, name, text):
        with open(f"/etc/eipd/objects/{name}.yaml", "w") as f:
            f.write(text)


class Box:
    def __init__(self, net):
        self.net = net
        self.eipd = Packaged(net)
        self.previous, self.package = PACKAGES.split(":")
        self.address = None

    def dpkg(self, *args):
        return self.net.run("gw", "dpkg", *args, timeout=120)

    def settings(self):
        return tuple(self.net.run("gw", "cat", f"/proc/sys/{s}").strip()
                     for s in SETTINGS)

    def kernel(self):
        """(is the table there, the local routes that are ours)"""
        routes = "".join(self.net.ip("gw", f"-{f}", "route", "show", "table",
                                     "local", "proto", "225") for f in "46")
        return "table inet eipd" in self.eipd.nft(), routes


@pytest.fixture(scope="module")
def box():
    with lab.Lab() as net:
        yield Box(net)


@pytest.fixture
def eipd(box):
    return box.eipd


def test_install(box):
    for setting, value in zip(SETTINGS, BEFORE):
        box.net.sysctl("gw", f"{setting}={value}")
    box.dpkg("-i", box.previous)
    assert pwd.getpwnam("eipd").pw_shell.endswith("nologin")
    assert os.path.exists(WANTS)
    assert box.settings() == AFTER
    assert box.dpkg("--verify", "eipd") == ""
    assert os.listdir("/etc/eipd/objects") == []


def test_untouched_example_waits(box, eipd):
    eipd.start()
    rc, out, _ = eipd.ctl("check")
    assert rc == 0
    assert "nothing to serve yet" in out
    assert "nothing to serve yet" in eipd.text()
    assert eipd.ctl("status")[0] == 0
    eipd.ctl("reload")
    eipd.stop()


def test_serves(box, eipd):
    with open(CONF, "a") as f:
        f.write("# mine\n")
    for name, text in o.base().items():
        eipd.set_object(name, text)
    eipd.set_object("web", o.dump(o.service(
        "web", families=("IPv4", "IPv6"))))
    eipd.start()
    web = eipd.wait_state("default", "web", "announced")
    assert "nothing to serve" not in eipd.ctl("check")[1]
    box.address = web["addresses"][0]
    assert box.address in box.net.ip("gw", "route", "show", "table", "local",
                                     "proto", "eipd")
    for address in web["addresses"]:
        lab.wait_for("an answer", lambda: box.net.get(address, 80))


def test_upgrade_cuts_nothing(box, eipd):
    """What the maintainer script asks of systemd is a restart after the new
    files are there."""
    stream = lab.Stream(box.net, box.address, 80, seconds=6)
    box.dpkg("-i", box.package)
    eipd.stop()
    eipd.start()
    assert eipd.wait_state("default", "web",
                           "announced")["addresses"][0] == box.address
    assert stream.is_running()
    stream.finish()
    with open(CONF) as f:
        assert f.read().endswith("# mine\n")
    assert box.settings() == AFTER


def test_remove_leaves_the_database(box, eipd):
    """And what is in the kernel, which serves until the box restarts."""
    eipd.stop()
    box.dpkg("--remove", "eipd")
    assert not os.path.exists("/usr/sbin/eipd")
    assert os.path.exists(DATABASE)
    assert os.path.exists(CONF)
    assert box.kernel()[0]
    assert box.net.get(box.address, 80)


def test_install_again_finds_the_lease(box, eipd):
    box.dpkg("-i", box.package)
    eipd.start()
    assert eipd.wait_state("default", "web",
                           "announced")["addresses"][0] == box.address
    eipd.stop()
    has_table, routes = box.kernel()
    assert has_table and box.address in routes


def test_purge_leaves_nothing_of_ours(box, eipd):
    """But for a mount point, which is emptied, and what the administrator
    wants by now as well."""
    with open(MINE, "w") as f:
        f.write("net.ipv4.ip_forward = 1\n")
    state = os.path.dirname(DATABASE)
    subprocess.run(["mount", "--bind", state, state], check=True)
    box.dpkg("--purge", "eipd")
    subprocess.run(["umount", state], check=True)
    os.rmdir(state)
    assert box.kernel() == (False, "")
    assert box.settings() == AFTER[:1] + BEFORE[1:]
    left = [path for path in (
        CONF, WANTS, "/var/lib/eipd", "/run/eipd", "/usr/share/doc/eipd",
        "/usr/lib/sysctl.d/50-eipd.conf", "/var/backups/eipd.sysctl",
        "/etc/iproute2/rt_protos.d/eipd.conf",
        "/etc/apparmor.d/usr.sbin.eipd",
        "/etc/apparmor.d/local/usr.sbin.eipd") if os.path.lexists(path)]
    assert left == []
    # What the administrator wrote is theirs; the user's id may own files.
    assert "web.yaml" in os.listdir("/etc/eipd/objects")
    assert pwd.getpwnam("eipd")
