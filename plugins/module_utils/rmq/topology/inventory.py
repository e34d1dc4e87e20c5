# SPDX-License-Identifier: Apache-2.0
"""Check a whole inventory before anything starts: all faults at once, each with host, value, rule and mend.

    nodes = [
        {"host": "ns-1", "kind": "namesrv", "ansible_host": "192.0.2.11"},
        {"host": "broker-a", "kind": "broker", "rocketmq_broker_name": "broker-a", "rocketmq_broker_id": 0, ...},
    ]

A node is a mapping with its inventory host, its kind and the host's variables as Ansible has them: every
``rocketmq_*`` one, ``ansible_host``, ``ansible_port``, ``ansible_connection``, and ``default_address``, the address
of the host's default route once somebody has looked. Apache's broker swallows nearly all that is checked here:
``brokerRole=SLAV`` starts a second master under the same name, and prints "boot success".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from . import cluster_rules, derive, machine_rules, pair_rules
from .fault import Fault, quoted
from .kind import Kind, Mode
from .node_reader import NodeReader
from .properties import Setting
from .rule import Rule
from .settings import check, nearest
from .topology import Topology

if TYPE_CHECKING:
    from .node import Node

# A cluster of RocketMQ has some dozens of nodes. This many would be a slip, and the rules between nodes are quadratic.
NODES_MAX = 1000

# Keys of RocketMQ that follow from a variable of ours (or from the mode): written in both places they must agree.
_FOLLOWS: Mapping[Kind, Mapping[str, str]] = {
    Kind.BROKER: {
        "brokerClusterName": "rocketmq_cluster_name",
        "brokerName": "rocketmq_broker_name",
        "brokerId": "rocketmq_broker_id",
        "namesrvAddr": "rocketmq_namesrv_addr",
        "brokerIP1": "rocketmq_address",
        "brokerIP2": "rocketmq_replication_address",
        "listenPort": "rocketmq_listen_port",
        "storePathRootDir": "rocketmq_store_dir",
    },
    Kind.NAMESRV: {"listenPort": "rocketmq_listen_port"},
}


def check_topology(mode: object, nodes: object, *, resolved: bool = False) -> List[Fault]:
    """All faults, sorted; nothing is raised.

    ``resolved``: the hosts were looked at, so an address that is still missing is a fault too.
    """
    return examine(mode, nodes, resolved=resolved)[1]


def examine(mode: object, nodes: object, *, resolved: bool = False) -> Tuple[Topology, List[Fault]]:
    """The nodes as they were read, and all faults. With faults, nothing may be started from the topology."""
    known_mode, faults = _mode(mode)
    read: List[Node] = []
    for host, kind, variables in _well_formed(nodes, faults):
        reader = NodeReader(host, kind, variables)
        read.append(reader.read())
        faults.extend(reader.faults)
    topology = Topology(known_mode, tuple(read))
    if not any(fault.name == Rule.NODE_FORM.slug for fault in faults):
        faults.extend(cluster_rules.missing(topology))
    faults.extend(_modes_agree(topology))
    faults.extend(pair_rules.faults(topology))
    faults.extend(cluster_rules.faults(topology, resolved=resolved))
    faults.extend(machine_rules.faults(topology))
    for node in topology.nodes:
        faults.extend(_config_faults(topology, node))
    return topology, sorted(set(faults))


def _mode(mode: object) -> Tuple[Optional[Mode], List[Fault]]:
    names = [item.value for item in Mode]
    if isinstance(mode, str) and mode in names:
        return Mode(mode), []
    near = nearest(mode, names) if isinstance(mode, str) else ""
    mend = f"Write {near or names[-1]}"
    return None, [Rule.MODE_KNOWN.fault("inventory", f"mode: {quoted(mode)}", mend, choices=", ".join(names))]


def _well_formed(nodes: object, faults: List[Fault]) -> Iterable[Tuple[str, Kind, Mapping[str, object]]]:
    mend = "Give a list of mappings, each with host, kind and the host's variables"
    if not isinstance(nodes, Sequence) or isinstance(nodes, (str, bytes)) or len(nodes) > NODES_MAX:
        faults.append(Rule.NODE_FORM.fault("inventory", quoted(nodes), mend))
        return
    seen: Dict[str, Kind] = {}
    for item in nodes:
        host = item.get("host") if isinstance(item, Mapping) else None
        kind = item.get("kind") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(host, str) or not host or kind not in ("broker", "namesrv"):
            faults.append(Rule.NODE_FORM.fault("inventory", quoted(item), mend))
            continue
        if host in seen:
            shown = f"as {seen[host].value} and as {kind}"
            one_more = "Add a second host for it; both may have the same ansible_host"
            faults.append(Rule.HOST_ONCE.fault(host, shown, one_more))
            if seen[host].value == kind:
                continue
        seen.setdefault(host, Kind(kind))
        yield host, Kind(kind), {str(name): value for name, value in item.items()}


def _modes_agree(topology: Topology) -> Iterable[Fault]:
    if topology.mode is None:
        return
    for node in topology.nodes:
        if node.mode and node.mode != topology.mode.value:
            mend = f"Run the playbook of {quoted(node.mode)}, or write rocketmq_mode: {topology.mode.value}"
            shown = f"rocketmq_mode: {quoted(node.mode)}"
            yield Rule.MODE_AGREES.fault(node.host, shown, mend, mode=topology.mode.value)


def _config_faults(topology: Topology, node: Node) -> Iterable[Fault]:
    """What the user wrote in RocketMQ's own spelling: against the variables and the mode, then against the registry."""
    decided = derive.decided(topology, node)
    written = dict(node.config)
    for key, value in node.config:
        followed = _followed(topology, node, key, decided)
        if followed is not None:
            del written[key]
            yield from _agrees(node, key, value, *followed)
    settings = [Setting(key, value, 0, node.host) for key, value in {**decided, **written}.items()]
    for fault in check(settings, engine=node.engine, kind=node.kind).faults:
        yield replace(fault, value=f"{node.config_variable}: {fault.value}")


def _followed(topology: Topology, node: Node, key: str, decided: Mapping[str, str]) -> Optional[Tuple[str, str]]:
    """The value that the key follows, and the variable it follows from (empty: the mode); None for a free key."""
    variable = _FOLLOWS[node.kind].get(key)
    if variable is not None:
        return (node.store_dir if key == "storePathRootDir" else decided.get(key, "")), variable
    if not node.is_broker or topology.mode is None:
        return None
    if key == "brokerRole" or (key == "slaveReadEnable" and node.is_slave):
        return decided[key], ""
    if key == "inSyncReplicas" and topology.mode is Mode.SYNC:
        return decided[key], "rocketmq_in_sync_replicas"
    return None


def _agrees(node: Node, key: str, value: str, wanted: str, variable: str) -> Iterable[Fault]:
    if value == wanted or not node.is_right(*([variable] if variable else ["rocketmq_broker_id"])):
        return
    shown = f"{node.config_variable}: {key}={quoted(value)}" + (f", not {wanted}" if wanted else "")
    if variable:
        mend = f"Remove {key}, or set {variable} to what is meant"
        yield Rule.CONFIG_AGREES.fault(node.host, shown, mend, key=key, source=variable)
    elif key == "brokerRole":
        mend = f"Remove it, or write {key}: {wanted}; for another role run another mode or change rocketmq_broker_id"
        yield Rule.ROLE_AGREES.fault(node.host, shown, mend, role=wanted)
    else:
        yield Rule.CONFIG_AGREES.fault(node.host, shown, "Remove it", key=key, source="the mode's promise")
