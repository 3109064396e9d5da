# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine with Debian's own kernel and systemd: one command, run as
root, and its output as it comes.  Inside there is no network."""
import os
import re
import select
import shutil
import subprocess
import time

PAYLOAD = """\
{mount}
cd /payload
echo @started
( {command} ) </dev/null
echo "@status $?"
"""
MOUNT = "modprobe virtio_blk; mkdir /disk; mount /dev/vda /disk"
# The emulator's root sees the work folder and /dev, nobody else sees that it
# does; the process stays the same, for kill().
START = """\
mount --bind "$2" "$1/mnt"
mount --rbind /dev "$1/dev"
root=$1
shift 2
exec chroot "$root" qemu-system-x86_64 "$@"
"""


class MachineError(Exception):
    """What went wrong, in one line."""


def has_kvm():
    """The processor's own; there are others, for kernels made for them."""
    with open("/proc/cpuinfo") as f:
        if not re.search(r"\b(vmx|svm)\b", f.read()):
            return False
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def cpio(folder, out):
    names = subprocess.run(["find", ".", "-print0"], cwd=folder, check=True,
                           stdout=subprocess.PIPE).stdout
    subprocess.run(["cpio", "-0o", "-H", "newc", "--quiet"], cwd=folder,
                   check=True, input=names, stdout=out)


class Image:
    """What boots: a base of tests/vm/run, a folder that is /payload inside,
    the command, and a disk that outlives the machine as /disk."""

    def __init__(self, work, emulator, base, payload, command, disk_mb=0):
        self.work = work
        self.emulator = emulator
        self.disk_mb = disk_mb
        add = os.path.join(work, "add")
        os.makedirs(add)
        os.rename(payload, os.path.join(add, "payload"))
        with open(os.path.join(add, "payload.sh"), "w") as f:
            f.write(PAYLOAD.format(mount=MOUNT if disk_mb else "",
                                   command=command))
        with open(os.path.join(work, "initrd"), "wb") as f:
            with open(os.path.join(base, "root.cpio"), "rb") as root:
                shutil.copyfileobj(root, f)
            f.flush()
            cpio(add, f)
        shutil.copy(os.path.join(base, "vmlinuz"), work)
        if disk_mb:
            disk = os.path.join(work, "disk")
            with open(disk, "wb") as f:
                f.truncate(disk_mb << 20)
            subprocess.run(["mkfs.ext4", "-q", disk], check=True)

    def argv(self):
        kvm = has_kvm()
        argv = ["unshare", "--mount", "sh", "-euc", START, "sh",
                self.emulator, self.work,
                "-cpu", "max" if kvm else "Nehalem", "-m", "3072",
                "-display", "none", "-nic", "none", "-no-reboot",
                "-kernel", "/mnt/vmlinuz", "-initrd", "/mnt/initrd",
                "-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 "
                "mitigations=off", "-serial", "file:/mnt/console",
                "-chardev", "stdio,id=out,signal=off",
                "-serial", "chardev:out", "-accel", "tcg,thread=single"]
        if kvm:
            argv[-2:-2] = ["-accel", "kvm"]
        if self.disk_mb:
            argv += ["-drive", "file=/mnt/disk,format=raw,if=virtio,"
                     "cache=writethrough"]
        return argv

    def boot(self, limit):
        return Machine(self, limit)


class Machine:
    """One run of an image, ended with the block; limit is in seconds."""

    def __init__(self, image, limit):
        self.console = os.path.join(image.work, "console")
        self.limit = limit
        self.deadline = time.monotonic() + limit
        self.status = None
        self.rest = b""  # of a line that has not ended
        self.proc = subprocess.Popen(image.argv(), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.cut()
        self.proc.stdout.close()

    def cut(self):
        """Power off: what the disk has not been given is lost."""
        self.proc.kill()
        self.proc.wait()

    def lines(self, until=None):
        """What the command prints, until it ends or it is that late."""
        fd = self.proc.stdout.fileno()
        end = min(until or self.deadline, self.deadline)
        while True:
            left = max(end - time.monotonic(), 0)
            if not select.select([fd], [], [], left)[0]:
                if end < self.deadline:
                    return
                raise MachineError(f"not done within {self.limit} s; "
                                   f"{self.tail()}")
            data = os.read(fd, 1 << 16)
            if not data:
                return
            *whole, self.rest = (self.rest + data).split(b"\n")
            for line in whole:
                text = line.decode(errors="replace").rstrip("\r")
                if text.startswith("@status "):
                    self.status = int(text.split()[1])
                elif text != "@started":
                    yield text

    def tail(self):
        with open(self.console, errors="replace") as f:
            return "end of the console:\n" + f.read()[-2000:]
