# SPDX-License-Identifier: GPL-2.0-or-later
"""shim.c, built, and what it is told."""
import mmap
import os
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
NOT_SENT, REFUSED, UNANSWERED = 1, 2, 3


class Shim:
    LAYOUT = struct.Struct("=qiiiiiiii")

    def __init__(self, net):
        self.library = net.path("shim.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1",
                        "-Wall", "-Werror", "-D_GNU_SOURCE", "-o",
                        self.library, f"{HERE}/shim.c", "-ldl"], check=True)
        self.path = net.path("shim.control")
        with open(self.path, "wb") as f:
            f.write(bytes(self.LAYOUT.size))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), self.LAYOUT.size)

    def wrap(self):
        return ("env", f"LD_PRELOAD={self.library}", f"EIPD_SHIM={self.path}",
                "ASAN_OPTIONS=abort_on_error=0:verify_asan_link_order=0")

    def set(self, clock_us=0, mode=0, code=0, batches=0, dumps=0, disk=0,
            nf=0, ct=0):
        self.map[:] = self.LAYOUT.pack(clock_us, mode, code, batches, dumps,
                                       disk, nf, ct, 0)

    def left(self):
        """(batches, dumps) still to be spoiled."""
        return self.LAYOUT.unpack(self.map[:])[3:5]

    def disk_failures(self):
        return self.LAYOUT.unpack(self.map[:])[-1]
