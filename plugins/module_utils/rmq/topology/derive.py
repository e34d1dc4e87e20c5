# SPDX-License-Identifier: Apache-2.0
"""What each node's settings are, from the mode and the node's variables: the one place where that is decided.

Three layers, the later one wins: what follows from mode and variables, our defaults where they differ from Apache's
(`DIFFERING`, with the reason for each), what the user wrote in `rocketmq_broker_config` or `rocketmq_namesrv_config`.
`inventory` has checked that the third does not contradict the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Tuple

from .address import ip_of, is_loopback
from .kind import Engine, Kind, Mode

if TYPE_CHECKING:
    from .node import Node
    from .topology import Topology

BOTH = (Engine.PYTHON, Engine.APACHE)
# `inSyncReplicas` above this is a slip of the pen: nobody waits for 64 copies.
_IN_SYNC_MAX = 64


@dataclass(frozen=True)
class Differing:
    """One default that is not Apache's. ``where`` and ``value`` are for people where ``fixed`` is empty."""

    key: str
    value: str
    where: str
    reason: str
    engines: Tuple[Engine, ...] = BOTH
    fixed: bool = True


DIFFERING: Tuple[Differing, ...] = (
    Differing(
        "inSyncReplicas",
        "1 + the pair's slaves",
        "2m-2s-sync",
        "the mode promises success only when the slaves have the message; with Apache's 1 a SYNC_MASTER answers alone. "
        "rocketmq_in_sync_replicas lowers it, to 2 at least",
        fixed=False,
    ),
    Differing(
        "slaveReadEnable",
        "true",
        "slaves",
        "the modes with slaves promise that consumers read on from the slave; with Apache's false a slave of 5.x "
        "refuses every pull",
        fixed=False,
    ),
    Differing(
        "enabledAppendPropCRC",
        "true",
        "every broker",
        "a checksum over the whole record: without it damage in a record's header or properties goes unseen",
        engines=(Engine.PYTHON,),
    ),
    Differing(
        "cleanFileForciblyEnable",
        "false",
        "every broker",
        "with Apache's true a full disk deletes messages that nobody has read yet; here sends are refused instead",
    ),
    Differing(
        "enablePropertyFilter",
        "true",
        "every broker",
        "consumers may filter by SQL92, as the clients' examples do",
    ),
    Differing(
        "recallMessageEnable",
        "true",
        "every broker",
        "a scheduled message can be taken back before it is delivered",
    ),
    Differing(
        "autoCreateTopicEnable",
        "false",
        "every broker; the inventories for this machine set true",
        "a topic that a send creates lands on one broker, and a misspelt one goes unnoticed",
    ),
    Differing(
        "bindAddress",
        "the node's addresses and loopback",
        "nodes whose addresses are IPs, unless rocketmq_check_address is false",
        "a port that administers a broker listens where it is needed, not on every interface. Apache binds one address "
        "or all: 127.0.0.1 where that is the node's address, else all",
        fixed=False,
    ),
)


def settings_of(topology: Topology, node: Node, *, store_dir: str = "", data_dir: str = "") -> Dict[str, str]:
    """The node's whole settings in RocketMQ's spelling, in the order in which they are to be written.

    ``store_dir`` is where the broker's store lies and ``data_dir`` where a name server keeps its files, as resolved on
    the host; an empty one leaves the keys out. An address that is not known yet leaves its keys out too.
    """
    settings = decided(topology, node)
    if node.is_broker:
        if store_dir or node.store_dir:
            settings["storePathRootDir"] = store_dir or node.store_dir
    elif data_dir:
        settings["kvConfigPath"] = f"{data_dir}/kvConfig.json"
        settings["configStorePath"] = f"{data_dir}/namesrv.properties"
    return {**settings, **dict(node.config)}


def decided(topology: Topology, node: Node) -> Dict[str, str]:
    """The first two layers: everything but paths and what the user wrote in RocketMQ's own spelling."""
    settings = _broker(topology, node) if node.kind is Kind.BROKER else _name_server(topology, node)
    settings.update(_listeners(node))
    if node.kind is Kind.BROKER:
        for item in DIFFERING:
            if item.fixed and node.engine in item.engines:
                settings[item.key] = item.value
    return {key: value for key, value in settings.items() if value}


def broker_role(topology: Topology, node: Node) -> str:
    """``brokerRole`` as mode and id have it; empty for a master whose mode is not known."""
    if node.is_slave:
        return "SLAVE"
    return topology.mode.master_role if topology.mode is not None else ""


def in_sync_replicas(topology: Topology, node: Node) -> int:
    """``inSyncReplicas``: how many nodes of the pair have a message when a send succeeds, the master among them."""
    wanted = node.in_sync_replicas
    if topology.mode is not Mode.SYNC:
        return 1
    if wanted is not None and 1 <= wanted <= _IN_SYNC_MAX:
        return wanted
    return min(_IN_SYNC_MAX, max(1, len(topology.pair_of(node))))


def _broker(topology: Topology, node: Node) -> Dict[str, str]:
    settings = {
        "brokerClusterName": node.cluster,
        "brokerName": node.broker_name,
        "brokerId": str(node.broker_id),
        "brokerRole": broker_role(topology, node),
        "namesrvAddr": topology.namesrv_addr_of(node),
        "brokerIP1": node.address,
        "brokerIP2": node.replication_address or node.address,
        "listenPort": str(node.listen_port),
        "haListenPort": str(node.listen_port + 1),
    }
    if topology.mode is Mode.SYNC:
        settings["inSyncReplicas"] = str(in_sync_replicas(topology, node))
    if node.is_slave:
        settings["slaveReadEnable"] = "true"
    if node.engine is Engine.PYTHON:
        settings["haPeers"] = ";".join(_pair_addresses(topology, node))
    return settings


def _pair_addresses(topology: Topology, node: Node) -> List[str]:
    """The addresses of the pair's other brokers: a master that comes back is not registered when it asks its slaves."""
    others = (other for other in topology.pair_of(node) if other is not node)
    found = {host for other in others for host in (other.address, other.replication_address)}
    return sorted(host for host in found if ip_of(host) is not None and not is_loopback(host))


def _name_server(topology: Topology, node: Node) -> Dict[str, str]:
    settings = {"listenPort": str(node.listen_port)}
    if node.engine is Engine.PYTHON:
        settings["registrationNetworks"] = ";".join(_registering(topology, node))
    return settings


def _registering(topology: Topology, node: Node) -> List[str]:
    """The addresses from which the name server's brokers register: its clusters' own.

    None where one of them is not known or not the broker's own (a name, a NAT): the engine's default is wider then.
    """
    key = topology.key_of(node)
    brokers = [broker for broker in topology.brokers if key in topology.name_server_keys_of(broker)]
    if not all(broker.check_address and ip_of(broker.address) is not None for broker in brokers):
        return []
    # What Ansible connects to is another address of the same machine; a broker with several may come from any.
    found = {host for broker in brokers for host in (broker.address, broker.replication_address, broker.machine)}
    return sorted(host for host in found if ip_of(host) is not None and not is_loopback(host))


def _listeners(node: Node) -> Dict[str, str]:
    """Where the node listens; empty for every interface."""
    if is_loopback(node.address) and ip_of(node.address) is not None:
        return {"bindAddress": node.address}
    if node.engine is Engine.APACHE or not node.check_address or ip_of(node.address) is None:
        return {}
    wanted: List[str] = [node.address]
    if node.replication_address:
        if ip_of(node.replication_address) is None:
            return {}
        wanted.append(node.replication_address)
    return {"bindAddresses": ";".join(dict.fromkeys([*wanted, "127.0.0.1"]))}
