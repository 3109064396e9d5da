# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a real control plane in a network namespace, and the driver.

Without its programs, and without Go to build them, everything here is
skipped, with the reason.
"""
import functools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(TOP / "tests/net")]
import cluster as control_plane  # noqa: E402
from lab import LabError, find_driver, wait_for  # noqa: E402

# A SIGTERM unwinds like Ctrl-C, so that no namespace is left behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          **options).stdout


def skip(reason):
    warnings.warn(f"tests/kube skipped: {reason}")
    pytest.skip(reason, allow_module_level=True)


@functools.lru_cache(maxsize=None)
def programs():
    """Builds the control plane once; it stays in a cache."""
    if os.geteuid() != 0:
        skip("needs root for network namespaces")
    for tool in "ip", "openssl":
        if not shutil.which(tool):
            skip(f"no {tool} on this machine")
    if os.environ.get("KUBE_BIN"):
        return
    if not (shutil.which("go") or os.path.exists("/usr/lib/go-1.19/bin/go")):
        skip("no Go to build kube-apiserver with; apt-get install golang-go")
    done = subprocess.run(["sh", str(HERE / "build.sh")], check=False,
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        skip("kube-apiserver could not be built; see tests/kube/build.sh")
    os.environ["KUBE_BIN"] = done.stdout.split()[-1]


@pytest.fixture(scope="session")
def netns():
    programs()
    name = f"eipdk{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.fixture(scope="session")
def cluster(netns):
    folder = tempfile.mkdtemp(prefix="eipd-kube-")
    the_cluster = control_plane.Cluster(folder, netns=netns)
    try:
        yield the_cluster.start()
    finally:
        the_cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def account(cluster):
    """The kubeconfig of the ServiceAccount that the manifests make."""
    cluster.kubectl("apply", "-f", str(TOP / "etc/manifests.yaml"))
    for crd in "eips", "bgpconfs", "bgppeers":
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=20s",
                        f"crd/{crd}.network.kubesphere.io")
    return cluster.service_account("eipd-system", "eipd")


def may(cluster, verb, resource):
    """Whether that account may do this in every namespace."""
    resource, _, sub = resource.partition("/")
    extra = [f"--subresource={sub}"] if sub else []
    try:
        cluster.kubectl("auth", "can-i", verb, resource, "-A", *extra,
                        "--as=system:serviceaccount:eipd-system:eipd")
        return True
    except RuntimeError:
        return False


@pytest.fixture(scope="session")
def driver():
    """What source/kube delivers, line by line."""
    return find_driver("tests/kube/kube_driver")


@pytest.fixture(scope="module")
def net():
    """The lab of tests/net with a control plane of its own in it."""
    programs()
    import kubelab
    with kubelab.KubeLab() as the_lab:
        yield the_lab


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what eipd says with a failure."""
    report = (yield).get_result()
    eipd = getattr(item, "funcargs", {}).get("eipd")
    if report.failed and eipd is not None:
        report.sections.extend(eipd.report())


class Driver:
    """A running kube_driver in the cluster's namespace."""

    def __init__(self, program, netns, *args):
        self.log = tempfile.NamedTemporaryFile(mode="w+", suffix=".log")
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", netns, program, *args],
            stdout=self.log, stderr=subprocess.STDOUT)

    def lines(self):
        return pathlib.Path(self.log.name).read_text().splitlines()

    def wait_line(self, text, timeout=20, after=0):
        def look():
            found = [x for x in self.lines()[after:] if text in x]
            if not found:
                raise LabError("\n".join(self.lines()[-30:]))
            return found[0]
        return wait_for(text, look, timeout)

    def watches(self):
        """{kind: {events, restarts, connected}}"""
        at = len(self.lines())
        self.proc.send_signal(signal.SIGUSR1)
        self.wait_line("watches end", after=at)
        found = {}
        for line in self.lines()[at:]:
            if line.startswith("watch "):
                kind, *values = line.split()[1:]
                found[kind] = {k: int(v) for k, v in
                               (value.split("=") for value in values)}
        return found

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        code = self.proc.wait(10)
        self.log.close()
        return code


@pytest.fixture
def start(driver, netns):
    running = []

    def one(*args):
        running.append(Driver(driver, netns, *args))
        return running[-1]
    yield one
    # A sanitizer's report is an exit status other than 0.
    assert [d.stop() for d in running] == [0] * len(running)
