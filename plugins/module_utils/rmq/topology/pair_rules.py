# SPDX-License-Identifier: Apache-2.0
"""The rules of pairs and of the mode: who is master, who is slave, how many copies a send waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, Sequence

from .keys import KEYS_OF
from .kind import Kind, Mode
from .rule import Rule

if TYPE_CHECKING:
    from .fault import Fault
    from .node import Node
    from .topology import Topology

_ID = "rocketmq_broker_id"
_COMMIT_LOG_SIZE = "mappedFileSizeCommitLog"


def faults(topology: Topology) -> Iterable[Fault]:
    """Every fault of every pair, and of the number of pairs in each cluster."""
    for pair in topology.pairs().values():
        yield from _ids(topology.mode, pair)
        if topology.mode is not None:
            yield from _in_sync(topology.mode, pair)
        yield from _file_sizes(pair)
    for cluster, nodes in topology.clusters().items():
        brokers = [node for node in nodes if node.is_broker]
        # A broker whose name or id is wrong may be the master that seems to be missing.
        if brokers and all(node.is_right("rocketmq_broker_name", _ID) for node in brokers):
            yield from _masters(topology.mode, cluster, brokers)


def _ids(mode: object, pair: Sequence[Node]) -> Iterable[Fault]:
    right = [node for node in pair if node.is_right(_ID)]
    masters = [node for node in right if not node.is_slave]
    slaves = [node for node in right if node.is_slave]
    for extra in masters[1:]:
        shown = f"{_ID}: 0 in {extra.broker_name}, like {masters[0].host}"
        yield Rule.ONE_MASTER.fault(extra.host, shown, f"Write {_ID}: {_free_id(right)}, or another broker name")
    for at, slave in enumerate(slaves):
        twin = next((node for node in slaves[:at] if node.broker_id == slave.broker_id), None)
        if twin is not None:
            shown = f"{_ID}: {slave.broker_id} in {slave.broker_name}, like {twin.host}"
            yield Rule.ID_ONCE.fault(slave.host, shown, f"Write {_ID}: {_free_id(right)}")
    if isinstance(mode, Mode) and not mode.has_slaves:
        for slave in slaves:
            shown = f"{_ID}: {slave.broker_id} in {slave.broker_name}"
            mend = f"Remove the host, write {_ID}: 0 and a broker name of its own, or run a mode with slaves"
            yield Rule.NO_SLAVES.fault(slave.host, shown, mend, mode=mode.value)
        return
    if len(right) < len(pair):
        return
    if not masters:
        ids = ", ".join(str(node.broker_id) for node in slaves)
        shown = f"{_ID}: {ids} in {pair[0].broker_name}"
        yield Rule.SLAVE_HAS_MASTER.fault(pair[0].host, shown, f"Write {_ID}: 0 at one of the pair, or add its master")
    elif not slaves and len(masters) == 1 and isinstance(mode, Mode):
        shown = f"{masters[0].broker_name} has no slave"
        mend = f"Add a host with rocketmq_broker_name: {masters[0].broker_name} and {_ID}: 1, or run 2m-noslave"
        yield Rule.SLAVES_NEEDED.fault(masters[0].host, shown, mend, mode=mode.value)


def _free_id(pair: Sequence[Node]) -> int:
    taken = {node.broker_id for node in pair}
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _masters(mode: object, cluster: str, brokers: Sequence[Node]) -> Iterable[Fault]:
    names = sorted({node.broker_name for node in brokers})
    shown = f"{cluster} has {', '.join(names)}"
    if mode is Mode.SINGLE_MASTER and len(names) > 1:
        mend = "Remove the others, give each a cluster of its own, or run 2m-noslave"
        yield Rule.ONE_MASTER_ONLY.fault(brokers[0].host, shown, mend)
    if isinstance(mode, Mode) and mode is not Mode.SINGLE_MASTER and len(names) < 2:
        mend = "Add a master with another rocketmq_broker_name, or run single-master"
        yield Rule.TWO_MASTERS.fault(brokers[0].host, shown, mend, mode=mode.value)


def _in_sync(mode: Mode, pair: Sequence[Node]) -> Iterable[Fault]:
    variable = "rocketmq_in_sync_replicas"
    given: List[Node] = [node for node in pair if node.in_sync_replicas is not None]
    for node in given:
        shown = f"{variable}: {node.in_sync_replicas}"
        if mode is not Mode.SYNC:
            yield Rule.IN_SYNC_MODE.fault(node.host, shown, "Remove it, or run 2m-2s-sync")
        elif len(pair) > 1 and not 2 <= (node.in_sync_replicas or 0) <= len(pair):
            choice = "2" if len(pair) == 2 else f"a number from 2 to {len(pair)}"
            mend = f"Write {choice}, or remove it: {len(pair)} is the default"
            yield Rule.IN_SYNC_BOUNDS.fault(node.host, shown, mend, size=len(pair))
    if mode is Mode.SYNC and len({node.in_sync_replicas for node in pair}) > 1:
        values = ", ".join(f"{node.host} {node.in_sync_replicas or 'none'}" for node in pair)
        mend = f"Set {variable} for the whole pair, in a group's variables"
        yield Rule.IN_SYNC_SAME.fault(given[0].host, f"{variable}: {values}", mend)


def _file_sizes(pair: Sequence[Node]) -> Iterable[Fault]:
    default = KEYS_OF[Kind.BROKER][_COMMIT_LOG_SIZE].default
    sizes = [(node, node.config_value(_COMMIT_LOG_SIZE) or default) for node in pair]
    for node, size in sizes[1:]:
        first, wanted = sizes[0]
        if size != wanted:
            shown = f"{_COMMIT_LOG_SIZE}={size}, {wanted} at {first.host}"
            mend = f"Set {_COMMIT_LOG_SIZE} for the whole pair, in a group's rocketmq_broker_config"
            yield Rule.FILE_SIZE_SAME.fault(node.host, shown, mend)
