# SPDX-License-Identifier: Apache-2.0
"""The rules of machines: what nodes that live on one machine must not share."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Dict, Iterable, List, Sequence, Set, Tuple

from .rule import Rule

if TYPE_CHECKING:
    from .fault import Fault
    from .node import Node
    from .topology import Topology

# The guide's own files keep this distance between brokers on one machine; it leaves room for -2 and +1.
PORT_STEP = 10


def faults(topology: Topology) -> Iterable[Fault]:
    """Every fault between nodes on one machine."""
    for nodes in topology.machines().values():
        if len(nodes) > 1:
            yield from _ports(nodes)
            yield from _stores(nodes)
            yield from _logs(nodes)
            yield from _homes(nodes)


def ports_of(node: Node) -> Dict[int, str]:
    """The ports that a node takes, each with the key of RocketMQ that it comes from."""
    if not node.is_broker:
        return {node.listen_port: "listenPort"}
    ha_port = node.config_value("haListenPort")
    ports = {
        node.listen_port: "listenPort",
        node.listen_port - 2: "listenPort-2",
        int(ha_port) if _is_port(ha_port) else node.listen_port + 1: "haListenPort",
    }
    if node.config_value("metricsExporterType") in ("PROM", "2"):
        metrics_port = node.config_value("metricsPromExporterPort") or "5557"
        if _is_port(metrics_port):
            ports[int(metrics_port)] = "metricsPromExporterPort"
    return ports


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0


def _ports(nodes: Sequence[Node]) -> Iterable[Fault]:
    usable = [node for node in nodes if node.is_right("rocketmq_listen_port")]
    taken: Set[int] = {port for node in usable for port in ports_of(node)}
    for at, node in enumerate(usable):
        mine = ports_of(node)
        for other in usable[:at]:
            theirs = ports_of(other)
            shared = sorted(set(mine) & set(theirs))
            if not shared:
                continue
            clashes = ", ".join(_clash(port, mine[port], theirs[port], other) for port in shared)
            free = _free_port(node, taken)
            taken.update((free - 2, free, free + 1))
            shown = f"port {clashes} on the machine of {other.host}"
            yield Rule.PORTS_ONCE.fault(node.host, shown, f"Write rocketmq_listen_port: {free}")
            break


def _clash(port: int, mine: str, theirs: str, other: Node) -> str:
    return f"{port} ({mine})" if mine == theirs else f"{port} ({mine}, {other.host}'s {theirs})"


def _free_port(node: Node, taken: Set[int]) -> int:
    """The next port at the usual distance that leaves every node its ports."""
    for port in range(node.listen_port + PORT_STEP, 65000, PORT_STEP):
        if not taken.intersection((port - 2, port, port + 1)):
            return port
    return node.listen_port


def _stores(nodes: Sequence[Node]) -> Iterable[Fault]:
    places: List[Tuple[Node, str]] = []
    for node in nodes:
        paths = [("rocketmq_store_dir", node.store_dir)]
        for key in ("storePathCommitLog", "readOnlyCommitLogStorePaths"):
            paths += [(key, path) for path in node.config_value(key).split(",")]
        mine = [(name, posixpath.normpath(path)) for name, path in paths if node.is_broker and path]
        for name, path in mine:
            other = next((entry for entry in places if _overlap(entry[1], path)), None)
            if other is not None:
                shown = f"{name}: {path}, and {other[1]} is {other[0].host}'s"
                same = other[1] == path
                mend = _own_path("rocketmq_store_dir", path) if same else "Put neither of the two inside the other"
                yield Rule.STORE_ONCE.fault(node.host, shown, mend)
                break
        places.extend((node, path) for name, path in mine)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other.rstrip("/") + "/") or other.startswith(one.rstrip("/") + "/")


def _logs(nodes: Sequence[Node]) -> Iterable[Fault]:
    seen: Dict[str, Node] = {}
    for node in nodes:
        if not node.log_dir:
            continue
        path = posixpath.normpath(node.log_dir)
        other = seen.setdefault(path, node)
        if other is not node:
            shown = f"rocketmq_log_dir: {path}, like {other.host}"
            yield Rule.LOG_ONCE.fault(node.host, shown, _own_path("rocketmq_log_dir", path))


def _homes(nodes: Sequence[Node]) -> Iterable[Fault]:
    seen: Dict[str, Node] = {}
    for node in nodes:
        if not node.home:
            continue
        path = posixpath.normpath(node.home)
        other = seen.setdefault(path, node)
        if other.cluster != node.cluster:
            shown = f"rocketmq_home: {path} for {node.cluster}, and for {other.cluster} at {other.host}"
            mend = f"Write rocketmq_home: {path}/{node.cluster} for one of the clusters"
            yield Rule.HOME_ONE_CLUSTER.fault(node.host, shown, mend)


def _own_path(variable: str, path: str) -> str:
    return f"Write {variable}: {path.rstrip('/')}/{{{{ inventory_hostname }}}}"
