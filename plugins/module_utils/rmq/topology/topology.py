# SPDX-License-Identifier: Apache-2.0
"""The nodes of an inventory together: clusters, pairs, machines, and which name servers a broker uses.

- A node belongs to its cluster. A pair is the brokers with one brokerName in one cluster.
- A broker uses the name servers of its cluster unless its own list is set.
- Several nodes may live on one machine, and several clusters may share machines and an inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, Hashable, List, Optional, Sequence, Tuple, TypeVar

from .kind import Kind, Mode

if TYPE_CHECKING:
    from .node import Node

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Topology:
    """All nodes of one run, in the inventory's order. ``mode`` is None when it is no known one."""

    mode: Optional[Mode]
    nodes: Tuple[Node, ...]

    @property
    def brokers(self) -> Tuple[Node, ...]:
        """All brokers, of every cluster."""
        return tuple(node for node in self.nodes if node.is_broker)

    def clusters(self) -> Dict[str, Tuple[Node, ...]]:
        """The nodes of each cluster; a node whose cluster's name broke a rule is in none."""
        return _grouped(
            [node for node in self.nodes if node.is_right("rocketmq_cluster_name")], lambda node: node.cluster
        )

    def machines(self) -> Dict[str, Tuple[Node, ...]]:
        """The nodes on each machine."""
        return _grouped(self.nodes, lambda node: node.machine)

    def pairs(self) -> Dict[Tuple[str, str], Tuple[Node, ...]]:
        """The brokers of each (cluster, brokerName), those whose names are right."""
        named = [node for node in self.brokers if node.is_right("rocketmq_cluster_name", "rocketmq_broker_name")]
        return _grouped(named, lambda node: (node.cluster, node.broker_name))

    def pair_of(self, broker: Node) -> Tuple[Node, ...]:
        """The nodes of the broker's pair, itself among them."""
        key = (broker.cluster, broker.broker_name)
        return tuple(node for node in self.brokers if (node.cluster, node.broker_name) == key)

    def name_servers_of(self, cluster: str) -> Tuple[Node, ...]:
        """The cluster's name servers in this inventory."""
        return tuple(node for node in self.nodes if node.kind is Kind.NAMESRV and node.cluster == cluster)

    def namesrv_addr_of(self, broker: Node) -> str:
        """The broker's ``namesrvAddr``; empty while an address is still to be looked up on a host."""
        endpoints = broker.namesrv_addr or tuple(node.endpoint for node in self.name_servers_of(broker.cluster))
        if not all(endpoint.host for endpoint in endpoints):
            return ""
        return ";".join(endpoint.text() for endpoint in endpoints)

    def name_server_keys_of(self, broker: Node) -> Tuple[str, ...]:
        """What tells the broker's name servers apart, known or not: ``host:port``, else the inventory's name."""
        if broker.namesrv_addr:
            return tuple(sorted(endpoint.text() for endpoint in broker.namesrv_addr))
        return tuple(sorted(self.key_of(node) for node in self.name_servers_of(broker.cluster)))

    def key_of(self, name_server: Node) -> str:
        """What tells a name server of this inventory apart from others."""
        return name_server.endpoint.text() if name_server.address else name_server.host


def _grouped(nodes: Sequence[Node], key_of: Callable[[Node], K]) -> Dict[K, Tuple[Node, ...]]:
    groups: Dict[K, List[Node]] = {}
    for node in nodes:
        groups.setdefault(key_of(node), []).append(node)
    return {key: tuple(group) for key, group in groups.items()}
