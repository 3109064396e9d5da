# SPDX-License-Identifier: GPL-2.0-or-later
"""eipctl at a terminal: completion in real shells, colours, the pager."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

import objects
from lab import Eipd, LabError, find_program, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PROMPT = "READY> "
ESCAPES = re.compile(r"\x1b(\[[0-9;?=>]*[A-Za-z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, *argv, rows=50, **env):
        self.text = ""
        self.fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, 200, 0, 0))
        base = {"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": "/",
                "LC_ALL": "C.UTF-8"}
        self.proc = subprocess.Popen(
            argv, stdin=end, stdout=end, stderr=end, env=dict(base, **env),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(end)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()
        os.close(self.fd)

    def type(self, keys):
        self.text = ""
        os.write(self.fd, keys.encode())

    def read(self, is_there, timeout=20.0):
        """What came since the last type(), without escape sequences, once
        is_there() likes it or the program has ended."""
        deadline = time.monotonic() + timeout
        while not is_there(ESCAPES.sub("", self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise LabError(f"terminal shows only {self.text!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # EIO: nobody has it open any more
                data = b""
            if not data:
                break
            self.text += data.decode()
        return ESCAPES.sub("", self.text)

    def wait(self, text):
        return self.read(lambda shown: text in shown)

    def rest(self):
        """All until it ends, with the escape sequences."""
        self.read(lambda shown: False)
        self.proc.wait()
        return self.text


@pytest.fixture(scope="module")
def eipd(net):
    e = Eipd(net)
    for name, text in objects.base().items():
        e.set_object(name, text)
    e.set_object("web", objects.dump(
        objects.service("web-one", families=("IPv6",)),
        objects.service("web-two", namespace="shop")))
    e.start()
    e.wait_state("default", "web-one", "announced")
    e.wait_state("shop", "web-two", "announced")
    yield e
    e.stop()


@pytest.fixture(scope="module")
def path():
    return f"{os.path.dirname(find_program('eipctl'))}:{os.environ['PATH']}"


def shell_script(shell):
    return subprocess.run([find_program("eipctl"), "completion", shell],
                          check=True, capture_output=True, text=True).stdout


def test_bash(eipd, path, tmp_path):
    (tmp_path / "rc").write_text(
        "bind 'set enable-bracketed-paste off'\n"
        f"PS1='{PROMPT}'\n" + shell_script("bash"))
    with Terminal("bash", "--noprofile", "--rcfile", str(tmp_path / "rc"),
                  "-i", PATH=path) as t:
        t.wait(PROMPT)
        for typed, want in (
                ("eipctl sta", "eipctl status "),
                ("eipctl get ser", "eipctl get services "),
                ("eipctl get pools --out", "eipctl get pools --output "),
                (f"eipctl --socket {eipd.socket} get backends sh",
                 "get backends shop/web-two "),
                (f"eipctl --socket {eipd.socket} get pools v",
                 "get pools v"),  # v4 and v6: no more is certain
                (f"eipctl --socket {eipd.socket} get routes --peer=ro",
                 "--peer=router "),
                # readline's word begins behind the colon
                (f"eipctl --socket {eipd.socket} release 2001:db8:",
                 "release 2001:db8:51:: "),
                (f"eipctl --socket {eipd.dir}/eipd.so", "eipd.sock ")):
            t.type(typed + "\t")
            t.wait(want)
            t.type("\x15\recho $((6 * 7))\r")  # clear it; all else was read
            t.wait("42\r\n" + PROMPT)
        t.type(f"eipctl --socket {eipd.socket} get nodes n\t\t")
        assert re.search(r"n1\s+n2\s+n3", t.wait("n3"))


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
def test_fish(eipd, path, tmp_path):
    def complete(line):
        script = shell_script("fish") + f"\ncomplete -C '{line}'\n"
        return subprocess.run(
            ["fish", "--no-config", "-c", script], check=True,
            env={"PATH": path, "HOME": str(tmp_path)}, capture_output=True,
            text=True, timeout=30).stdout.splitlines()

    assert complete("eipctl statu") == ["status\tthe daemon on one page"]
    assert complete(f"eipctl --socket {eipd.socket} get backends ") == [
        "default/web-one", "shop/web-two"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
def test_zsh(eipd, path, tmp_path):
    (tmp_path / ".zshrc").write_text(
        "autoload -Uz compinit\n"
        f"compinit -u -d {tmp_path}/dump\n"
        f"PS1='{PROMPT}'\n"
        "unsetopt beep zle_bracketed_paste\n" + shell_script("zsh"))
    with Terminal("zsh", "-d", "-i", PATH=path, ZDOTDIR=str(tmp_path)) as t:
        t.wait(PROMPT)
        for typed, want in (
                ("eipctl statu", "s"),
                (f"eipctl --socket {eipd.socket} get backends sh",
                 "op/web-two "),
                (f"eipctl --socket {eipd.socket} release 2001:", "db8:51:: ")):
            t.type(typed + "\t")
            t.wait(want)
            t.type("\x15\recho $((6 * 7))\r")
            t.wait("42\r\n")
            t.wait(PROMPT)


def test_colours_only_on_a_terminal(eipd, path):
    def see(**env):
        with Terminal("eipctl", "--socket", eipd.socket, "get", "services",
                      PATH=path, **env) as t:
            return t.rest()

    assert "\x1b[32mannounced\x1b[0m" in see()
    assert "\x1b" not in see(NO_COLOR="1")
    assert "\x1b" not in see(TERM="dumb")
    assert "\x1b[32m" in see(NO_COLOR="")
    assert "\x1b" not in eipd.ctl("get", "services")[1]


def test_pager_when_it_does_not_fit(eipd, path, tmp_path):
    def see(*args, rows=5, **env):
        with Terminal("eipctl", "--socket", eipd.socket, *args, rows=rows,
                      PATH=path, **env) as t:
            return t.rest(), t.proc.returncode

    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED $(wc -l)\n")
    pager.chmod(0o755)
    nodes = ("get", "nodes")  # a title and three of them
    text, code = see(*nodes, rows=4, PAGER=str(pager))
    assert (text.strip(), code) == ("PAGED 4", 0)
    assert "PAGED" not in see(*nodes, rows=5, PAGER=str(pager))[0]
    assert "PAGED" not in see("--no-pager", *nodes, rows=4,
                              PAGER=str(pager))[0]
    assert "n3" in see(*nodes, rows=4, PAGER="")[0]
    text, code = see(*nodes, rows=4, PAGER="/nowhere/pager")
    assert "n3" in text and code == 0
    # the exit code is the command's, also when the pager is left early
    early = tmp_path / "early"
    early.write_text("#!/bin/sh\nexit 3\n")
    early.chmod(0o755)
    assert see(*nodes, rows=4, PAGER=str(early))[1] == 0


def test_help_of_every_command(eipd):
    def words(*before):
        out = subprocess.run(
            [find_program("eipctl"), "__complete", *before, ""], check=True,
            capture_output=True, text=True).stdout
        return [line.split("\t")[0] for line in out.splitlines()]

    names = [[w] for w in words()] + [["get", w] for w in words("get")]
    assert ["status"] in names and ["get", "services"] in names
    everything = eipd.ctl("--help")[1]
    for name in names:
        rc, out, _ = eipd.ctl(*name, "--help")
        text = " ".join(name)
        assert rc == 0 and f"usage: eipctl [OPTIONS] {text}" in out
        assert f"  {text} " in everything


SLOW_LAB = """\
import os, signal, sys, time
def end(*_):
    open("ending", "w").close()
    while not os.path.exists("end"):
        time.sleep(0.05)
    sys.exit(1)
signal.signal(signal.SIGINT, end)
os.mkdir(sys.argv[2])
signal.pause()
"""


def test_interrupted_again_while_it_cleans_up(tmp_path):
    """scripts/quickstart, from elsewhere and in a folder with a blank."""
    top = tmp_path / "a b"
    shutil.copytree(os.path.join(TOP, "scripts"), top / "scripts")
    script = top / "scripts" / "quickstart"
    script.write_text(script.read_text()
                      .replace("prefix=eipd\n", "prefix=no-such-lab\n")
                      .replace("folder=/tmp/eipd-quickstart\n",
                               f"folder={tmp_path}/lab\n"))
    with open(top / "scripts" / "lib.sh", "a") as f:
        f.write("need() { :; }\nbuild() { :; }\n")
    (top / "tests" / "net").mkdir(parents=True)
    (top / "tests" / "net" / "quickstart.py").write_text(SLOW_LAB)
    p = subprocess.Popen([script], start_new_session=True)
    wait_for("its lab", (tmp_path / "lab").exists)
    os.killpg(p.pid, signal.SIGINT)
    wait_for("its end", (top / "ending").exists)
    os.killpg(p.pid, signal.SIGINT)
    (top / "end").touch()
    assert p.wait(timeout=20) == 130
    assert not (tmp_path / "lab").exists()
