# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/manifests.yaml against a real API server."""
import json

import pytest
from conftest import may

MAY = [
    ("list", "services"), ("watch", "services"), ("list", "nodes"),
    ("watch", "nodes"), ("list", "namespaces"), ("watch", "namespaces"),
    ("list", "endpointslices.discovery.k8s.io"),
    ("watch", "endpointslices.discovery.k8s.io"),
    ("patch", "services/status"), ("create", "events.events.k8s.io"),
    ("patch", "events.events.k8s.io"),
    ("list", "eips.network.kubesphere.io"),
    ("patch", "eips.network.kubesphere.io/status"),
]
MAY_NOT = [
    ("get", "secrets"), ("list", "secrets"), ("list", "pods"),
    ("patch", "services"), ("update", "services/status"),
    ("patch", "nodes"), ("patch", "eips.network.kubesphere.io"),
    ("delete", "services"), ("create", "serviceaccounts/token"),
]


@pytest.mark.parametrize("verb, resource", MAY)
def test_rights(cluster, account, verb, resource):
    assert may(cluster, verb, resource)


@pytest.mark.parametrize("verb, resource", MAY_NOT)
def test_no_more_rights(cluster, account, verb, resource):
    assert not may(cluster, verb, resource)


def get(cluster, what):
    return json.loads(cluster.kubectl("get", what, "-o", "json"))


def put(cluster, version, kind, name, spec):
    cluster.kubectl("apply", "--validate=strict", "-f", "-", stdin=json.dumps({
        "apiVersion": f"network.kubesphere.io/{version}", "kind": kind,
        "metadata": {"name": name}, "spec": spec}))


def test_every_field_survives(cluster, account):
    specs = {
        "Eip": {"addresses": ["192.0.2.1", "fd00::1-fd00::9"],
                "exclude": ["192.0.2.7/32"], "protocol": "passive",
                "namespaceSelector": {"team": "a"}, "priority": 3,
                "serviceSelector": {"matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["b"]}]},
                "sticky": "7d", "quarantine": "10m", "backends": "node",
                "source": "preserve", "noBackends": "withdraw",
                "avoidBuggyIPs": True, "nextHop": "self"},
        "BgpConf": {"as": 4294967294, "routerId": "192.0.2.1",
                    "listenPort": 1790, "listenAddresses": ["::"],
                    "asPerRack": {"r1": 4200000000},
                    "gracefulRestart": {"enabled": True, "restartTime": 90}},
        "BgpPeer": {"conf": {"neighborAddress": "192.0.2.9", "peerAs": 65001,
                             "authPasswordFile": "/etc/eipd/secret"},
                    "timers": {"config": {"holdTime": "90"}},
                    "transport": {"bindInterface": "eth0",
                                  "nextHopIPv6": "fd00::2",
                                  "ttlSecurity": True},
                    "afiSafis": [{"config": {"enabled": True, "family": {
                        "afi": "AFI_IP6", "safi": "SAFI_UNICAST"}}}]},
    }
    for kind, spec in specs.items():
        put(cluster, "v1alpha2", kind, "full", spec)
        assert get(cluster, f"{kind.lower()}/full")["spec"] == spec


def test_v1alpha1_keeps_its_fields(cluster, account):
    put(cluster, "v1alpha1", "BgpPeer", "old", {
        "config": {"neighborAddress": "192.0.2.9", "peerAs": 65001},
        "addPaths": {"sendMax": 8}, "usingPortForward": True})
    put(cluster, "v1alpha1", "BgpConf", "old", {
        "as": 65000, "routerID": "192.0.2.1", "port": 17900})
    new = get(cluster, "bgppeers.v1alpha2.network.kubesphere.io/old")
    assert new["spec"]["config"]["peerAs"] == 65001
    new = get(cluster, "bgpconfs.v1alpha2.network.kubesphere.io/old")
    assert new["spec"]["routerID"] == "192.0.2.1"


def test_nonsense_is_refused(cluster, account):
    for kind, spec in (("Eip", {"address": 5}), ("Eip", {"protocol": "ospf"}),
                       ("BgpConf", {"as": 4294967296}),
                       ("BgpPeer", {"conf": {"peerAs": -1}})):
        with pytest.raises(RuntimeError):
            put(cluster, "v1alpha2", kind, "bad", spec)
