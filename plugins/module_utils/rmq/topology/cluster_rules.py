# SPDX-License-Identifier: Apache-2.0
"""The rules of clusters: name servers, names and addresses that more than one node sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, Sequence, Tuple

from .address import is_loopback
from .kind import Kind
from .rule import Rule

if TYPE_CHECKING:
    from .fault import Fault
    from .node import Node
    from .topology import Topology

_LIST = "rocketmq_namesrv_addr"


def faults(topology: Topology, *, resolved: bool) -> Iterable[Fault]:
    """Every fault between the nodes of a cluster, and between clusters that share a name server."""
    for cluster, nodes in topology.clusters().items():
        yield from _name_servers(topology, cluster, [node for node in nodes if node.is_broker])
        yield from _loopback(nodes)
    yield from _one_cluster(topology)
    yield from _address_once(topology.nodes)
    if resolved:
        for node in topology.nodes:
            if not node.address and node.is_right("rocketmq_address"):
                shown = "rocketmq_address is not set, ansible_host is no IP, and the host has no default route"
                yield Rule.ADDRESS_GIVEN.fault(node.host, shown, "Set rocketmq_address")


def missing(topology: Topology) -> Iterable[Fault]:
    """The faults of an inventory without brokers, or without name servers that somebody needs."""
    if not topology.brokers:
        yield Rule.NODES_GIVEN.fault("inventory", "no broker", "Add the brokers' hosts to it", group="rocketmq_broker")
    needs = [node for node in topology.brokers if not node.namesrv_addr and node.is_right(_LIST)]
    if (needs or not topology.brokers) and all(node.is_broker for node in topology.nodes):
        mend = f"Add the name servers' hosts to it, or set {_LIST}"
        yield Rule.NODES_GIVEN.fault("inventory", "no name server", mend, group="rocketmq_namesrv")


def _name_servers(topology: Topology, cluster: str, brokers: Sequence[Node]) -> Iterable[Fault]:
    usable = [node for node in brokers if node.is_right(_LIST)]
    has_any = any(not node.is_broker for node in topology.nodes)
    lacking = [node for node in usable if not topology.name_server_keys_of(node)]
    if lacking and has_any:
        mend = f"Give a host of rocketmq_namesrv the rocketmq_cluster_name {cluster}, or set {_LIST}"
        yield Rule.NAMESRV_NEEDED.fault(lacking[0].host, f"{cluster} has no name server", mend)
    able = [node for node in usable if topology.name_server_keys_of(node)]
    # The first broker of each list; of these, the first broker's own list counts as the right one.
    first_of = {topology.name_server_keys_of(node): node for node in reversed(able)}
    for keys, node in sorted(first_of.items()):
        wanted = topology.name_server_keys_of(able[0])
        if keys != wanted:
            shown = f"{';'.join(keys)}, but {';'.join(wanted)} at {able[0].host}"
            mend = f"Set {_LIST} once for the whole cluster, or nowhere"
            yield Rule.NAMESRV_LIST_SAME.fault(node.host, shown, mend)


def _loopback(nodes: Sequence[Node]) -> Iterable[Fault]:
    if len({node.machine for node in nodes}) < 2:
        return
    mend = "Set rocketmq_address to an address that the other machines reach"
    for node in nodes:
        if is_loopback(node.address):
            yield Rule.ADDRESS_LOOPBACK.fault(node.host, f"address {node.address}", mend)
        if is_loopback(node.replication_address):
            shown = f"rocketmq_replication_address: {node.replication_address}"
            yield Rule.ADDRESS_LOOPBACK.fault(node.host, shown, "Write an address that the pair's machines reach")
        for endpoint in node.namesrv_addr:
            if is_loopback(endpoint.host):
                shown = f"{_LIST}: {endpoint.text()}"
                yield Rule.ADDRESS_LOOPBACK.fault(node.host, shown, "Write the name server's address on the network")


def _one_cluster(topology: Topology) -> Iterable[Fault]:
    seen: Dict[Tuple[str, str], Node] = {}
    for (cluster, name), pair in topology.pairs().items():
        for key in topology.name_server_keys_of(pair[0]):
            other = seen.setdefault((key, name), pair[0])
            if other.cluster != cluster:
                shown = f"rocketmq_broker_name: {name} in {cluster}, and in {other.cluster} at {other.host}"
                mend = f"Rename one of the two; both register at {key}"
                yield Rule.BROKER_NAME_ONE_CLUSTER.fault(pair[0].host, shown, mend)
                break


def _address_once(nodes: Sequence[Node]) -> Iterable[Fault]:
    """Two nodes at one address. On one machine that is a matter of ports, and loopback is its own matter."""
    seen: Dict[Tuple[str, int], Node] = {}
    for node in nodes:
        if not node.address or is_loopback(node.address) or not node.is_right("rocketmq_listen_port"):
            continue
        other = seen.setdefault((node.address, node.listen_port), node)
        if other.machine != node.machine:
            variable = "ansible_host or rocketmq_address" if node.kind is Kind.BROKER else "ansible_host"
            shown = f"address {node.endpoint.text()}, like {other.host}"
            yield Rule.ADDRESS_ONCE.fault(node.host, shown, f"Correct {variable}, or set rocketmq_listen_port")
