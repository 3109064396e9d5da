# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab of tests/net with a real control plane in it.

A host `api` beside the nodes runs etcd and kube-apiserver; each node runs a
real kube-proxy and one pod (an address on its loopback with a server behind
it), so that node ports and /healthz answer as in production.
"""
import contextlib
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "net")]
from cluster import Cluster  # noqa: E402
from lab import NODES, Lab, run, wait_for  # noqa: E402
import lab as lab_module  # noqa: E402

API = "10.92.0.20"
POD = {node: (f"10.244.{k}.10", f"fd00:244:{k}::10")
       for k, node in enumerate(NODES, 1)}
MANIFESTS = os.path.join(HERE, "..", "..", "etc", "manifests.yaml")


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def node(name, k, ready=True):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "spec": {"podCIDRs": [f"10.244.{k}.0/24", f"fd00:244:{k}::/64"],
                     "podCIDR": f"10.244.{k}.0/24"},
            "status": {
                "addresses": [{"type": "InternalIP", "address": a}
                              for a in (f"10.92.0.{10 + k}",
                                        f"fd92::{10 + k}")],
                "conditions": [{"type": "Ready", "status": str(ready),
                                "reason": "Test", "message": "",
                                "lastHeartbeatTime": stamp(),
                                "lastTransitionTime": stamp()}]}}


def pod(name, on, app="web"):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default",
                         "labels": {"app": app}},
            "spec": {"nodeName": on,
                     "containers": [{"name": "web", "image": "none"}]},
            "status": {"phase": "Running", "podIP": POD[on][0],
                       "podIPs": [{"ip": a} for a in POD[on]],
                       "conditions": [{"type": "Ready", "status": "True",
                                       "lastTransitionTime": stamp()}]}}


class KubeLab(Lab):
    """kube: the Cluster; kubeconfig: eipd's, with the rights of
    etc/manifests.yaml and nothing more."""

    def build_network(self):
        super().build_network()
        run("ip", "netns", "add", self.ns("api"))
        self.sysctl("api", "net.ipv6.conf.all.accept_dad=0",
                    "net.ipv6.conf.default.accept_dad=0")
        self.ip("api", "link", "set", "lo", "up")
        self.plug("api", "eth0", f"{API}/24", "fd92::20/64")
        self.default_route("api", "10.92.0.1", "fd92::1")
        for k, (name, addresses) in enumerate(POD.items(), 1):
            self.sysctl(name, "net.ipv4.ip_forward=1",
                        "net.ipv6.conf.all.forwarding=1",
                        "net.ipv4.conf.all.route_localnet=1")
            self.ip(name, "addr", "add", f"{addresses[0]}/32", "dev", "lo")
            self.ip(name, "addr", "add", f"{addresses[1]}/128", "dev", "lo")
            for other in POD:
                if other == name:
                    continue
                self.ip(other, "route", "add", f"10.244.{k}.0/24", "via",
                        f"10.92.0.{10 + k}")
                self.ip(other, "-6", "route", "add", f"fd00:244:{k}::/64",
                        "via", f"fd92::{10 + k}")

    def start_nodes(self):
        for name in NODES:
            self.spawn(name, sys.executable,
                       os.path.abspath(lab_module.__file__), "pod", name,
                       f"::ffff:{POD[name][0]}", POD[name][1],
                       log=f"{name}.log")
        self.kube = Cluster(self.path("kube"), listen=API,
                            netns=self.ns("api"),
                            controllers="endpointslice-controller,"
                                        "namespace-controller")
        self.kube.start()
        self.kube.apply({"apiVersion": "v1", "kind": "ServiceAccount",
                         "metadata": {"name": "default",
                                      "namespace": "default"}})
        for k, name in enumerate(NODES, 1):
            self.kube.apply(node(name, k), pod(f"web-{name}", name))
            self.kube.start_proxy(name, self.ns(name))
        with open(MANIFESTS) as f:
            self.kube.kubectl("apply", "-f", "-", stdin=f.read())
        wait_for("CRDs", lambda: self.kube.kubectl(
            "get", "--raw", "/apis/network.kubesphere.io/v1alpha2/eips"))
        self.kubeconfig = self.kube.service_account("eipd-system", "eipd")

    def restart_proxies(self):
        """Each of a kube-proxy's watches waits up to 60 s when the API server
        was away; a new kube-proxy knows everything at once.  It says that it
        is healthy before it has written its rules, so that is no sign."""
        for name in NODES:
            self.kube.kill(f"kube-proxy-{name}")
            self.kube.start_proxy(name, self.ns(name))
        for name in NODES:
            wait_for(f"rules of kube-proxy of {name}",
                     lambda n=name: self.proxy_has_synced(n))

    def proxy_has_synced(self, name):
        """Both its families were written to the kernel."""
        c, response = self.http("127.0.0.1", 10249, "/metrics", host=name)
        with contextlib.closing(c):
            text = response.read().decode()
        return len(re.findall(
            r"^kubeproxy_sync_proxy_rules_last_timestamp_seconds{.*} [1-9]",
            text, re.MULTILINE)) == 2

    def down(self):
        if hasattr(self, "kube"):
            self.kube.stop()
        if os.path.exists(f"/run/netns/{self.ns('api')}"):
            self.end_all_in("api")
            run("ip", "netns", "del", self.ns("api"))
        super().down()
