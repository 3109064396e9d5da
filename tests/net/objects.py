# SPDX-License-Identifier: GPL-2.0-or-later
"""The objects that eipd is given in the lab, as YAML text."""
import json

API = "network.kubesphere.io/v1alpha2"
ADDRESS = {"n1": ("10.92.0.11", "fd92::11"), "n2": ("10.92.0.12", "fd92::12"),
           "n3": ("10.92.0.13", "fd92::13")}
TCP = {"name": "http", "protocol": "TCP", "port": 80, "nodePort": 30080}
TCP2 = {"name": "alt", "protocol": "TCP", "port": 81, "nodePort": 30081}
UDP = {"name": "dns", "protocol": "UDP", "port": 53, "nodePort": 30053}


def dump(*objects):
    """JSON is YAML."""
    return "".join(f"---\n{json.dumps(o)}\n" for o in objects)


def node(name, ready=True):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": a}
                                     for a in ADDRESS[name]],
                       "conditions": [{"type": "Ready",
                                       "status": str(ready)}]}}


def eip(name, address, default=False, **spec):
    annotations = {"eip.openelb.kubesphere.io/is-default-eip":
                   str(default).lower()}
    return {"apiVersion": API, "kind": "Eip",
            "metadata": {"name": name, "annotations": annotations},
            "spec": dict(address=address, **spec)}


def bgp_conf(name="default", **spec):
    return {"apiVersion": API, "kind": "BgpConf", "metadata": {"name": name},
            "spec": {"as": 64512, "routerId": "10.91.0.2", **spec}}


def bgp_peer(name="router", address="10.91.0.1", asn=64500, **conf):
    families = [{"config": {"enabled": True,
                            "family": {"afi": afi, "safi": "SAFI_UNICAST"}}}
                for afi in ("AFI_IP", "AFI_IP6")]
    return {"apiVersion": API, "kind": "BgpPeer", "metadata": {"name": name},
            "spec": {"conf": {"peerAs": asn, "neighborAddress": address,
                              **conf},
                     "afiSafis": families}}


def service(name, *ports, namespace="default", families=("IPv4",),
            annotations=None, **spec):
    policy = "RequireDualStack" if len(families) == 2 else "SingleStack"
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace,
                         "annotations": annotations or {}},
            "spec": {"type": "LoadBalancer", "ports": list(ports or (TCP,)),
                     "ipFamilies": list(families), "ipFamilyPolicy": policy,
                     **spec}}


def base():
    """What every test file starts with: nodes, router, two default pools."""
    return {"nodes": dump(*map(node, ADDRESS)),
            "bgp": dump(bgp_conf(), bgp_peer()),
            "pools": dump(
                eip("v4", "198.51.100.10-198.51.100.59", default=True),
                eip("v6", "2001:db8:51::/120", default=True))}
