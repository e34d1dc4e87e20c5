# SPDX-License-Identifier: Apache-2.0
"""brokerStatus, getBrokerConfig, updateBrokerConfig, haStatus"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.errors import RemotingError
from .command import Command, CommandError, add_target, boolean, date_text, repeat, target_masters, whole_number

if TYPE_CHECKING:
    import argparse

    from ...remoting.bodies import HAClientRuntimeInfo, HARuntimeInfo
    from .command import Context, Parser

_SLAVE_HEAD = "%-32s  %-16s %16s %16s %16s %16s"
_SLAVE_ROW = "%-32s  %-16d %16d %16.2f %16s %16d"
_SLAVE_TITLES = ("#SlaveAddr", "#SlaveAckOffset", "#Diff", "#TransferSpeed(KB/s)", "#Status", "#TransferFromWhere")


def _status_options(parser: Parser) -> None:
    add_target(parser, verb="status of")


def _status(arguments: argparse.Namespace, context: Context) -> None:
    if arguments.brokerAddr is not None:
        for key, value in sorted(context.admin.broker_runtime_info(arguments.brokerAddr.strip()).items()):
            context.line(f"{key:<32}: {value}")
        return
    failures: list[str] = []
    for _, address in _members(arguments.clusterName.strip(), context):
        try:
            runtime = context.admin.broker_runtime_info(address)
        except RemotingError as error:
            failures.append(str(error))
            continue
        for key, value in sorted(runtime.items()):
            context.line(f"{address:<24} {key:<32}: {value}")
    if failures:
        raise CommandError("; ".join(failures))


def _members(cluster: str, context: Context) -> list[tuple[str, str]]:
    """Master (or NO_MASTER) and address of each broker of the cluster, masters before their slaves."""
    return [
        (broker.master_address or "NO_MASTER", address)
        for broker in context.admin.brokers_of(cluster)
        for _, address in sorted(broker.broker_addrs.items())
    ]


def _config_options(parser: Parser) -> None:
    add_target(parser, verb="get")


def _config(arguments: argparse.Namespace, context: Context) -> None:
    if arguments.brokerAddr is not None:
        address = arguments.brokerAddr.strip()
        _print_config(f"============{address}============", address, context)
        return
    for master, address in _members(arguments.clusterName.strip(), context):
        title = f"Master: {master}" if address == master else f"My Master: {master}=====Slave: {address}"
        _print_config(f"============{title}============", address, context)


def _print_config(title: str, address: str, context: Context) -> None:
    text = context.admin.broker_config(address)
    context.line(title)
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            context.line(f"{key:<50}=  {value}")
    context.line()


def _update_options(parser: Parser) -> None:
    add_target(parser, verb="update")
    parser.add_argument("-a", "--updateAllBroker", type=boolean, default=False, help="with -c: slaves too")
    parser.add_argument("-k", "--key", required=True, help="config key")
    parser.add_argument("-v", "--value", required=True, help="config value")


def _update(arguments: argparse.Namespace, context: Context) -> None:
    """A broker that refuses does not keep the others from being asked."""
    addresses = target_masters(arguments, context)
    if arguments.updateAllBroker and arguments.clusterName is not None:
        addresses = [address for _, address in _members(arguments.clusterName.strip(), context)]
    failures = []
    for address in addresses:
        try:
            context.admin.update_broker_config(address, {arguments.key.strip(): arguments.value.strip()})
            context.line(f"update broker config success, {address}")
        except RemotingError as error:
            failures.append(str(error))
    if failures:
        raise CommandError("; ".join(failures))


def _ha_options(parser: Parser) -> None:
    add_target(parser, verb="HA status of")
    parser.add_argument("-i", "--interval", type=whole_number, help="print again after so many seconds")


def _ha(arguments: argparse.Namespace, context: Context) -> None:
    def show() -> None:
        for address in target_masters(arguments, context):
            status = context.admin.ha_status(address)
            if status.master:
                _print_master(address, status, context)
            else:
                _print_slave(status.ha_client_runtime_info, context)

    repeat(arguments.interval, show)


def _print_master(address: str, status: HARuntimeInfo, context: Context) -> None:
    context.line(f"\n#MasterAddr\t{address}")
    context.line(f"#MasterCommitLogMaxOffset\t{status.master_commit_log_max_offset}")
    context.line(f"#SlaveNum\t{len(status.ha_connection_info)}")
    context.line(f"#InSyncSlaveNum\t{status.in_sync_slave_nums}")
    context.line(_SLAVE_HEAD % _SLAVE_TITLES)
    for slave in status.ha_connection_info:
        row = (
            slave.addr,
            slave.slave_ack_offset,
            slave.diff,
            slave.transferred_byte_in_second / 1024,
            "OK" if slave.in_sync else "Fall Behind",
            slave.transfer_from_where,
        )
        context.line(_SLAVE_ROW % row)


def _print_slave(status: HAClientRuntimeInfo, context: Context) -> None:
    context.line(f"\n#MasterAddr\t{status.master_addr}")
    context.line(f"#CommitLogMaxOffset\t{status.max_offset}")
    context.line(f"#TransferSpeed(KB/s)\t{status.transferred_byte_in_second / 1024:.2f}")
    context.line(f"#LastReadTime\t{date_text(status.last_read_timestamp)}")
    context.line(f"#LastWriteTime\t{date_text(status.last_write_timestamp)}")
    context.line(f"#MasterFlushOffset\t{status.master_flush_offset}")


COMMANDS = [
    Command("brokerStatus", "Fetch broker runtime status data.", _status_options, _status),
    Command("getBrokerConfig", "Get broker config by cluster or special broker.", _config_options, _config),
    Command("updateBrokerConfig", "Update broker's config.", _update_options, _update),
    Command("haStatus", "Fetch ha runtime status data.", _ha_options, _ha),
]
