# SPDX-License-Identifier: Apache-2.0
"""clusterList"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...remoting.errors import RemotingError
from .command import Command, CommandError, repeat, whole_number

if TYPE_CHECKING:
    import argparse

    from ...remoting.bodies import ClusterInfo
    from .command import Context, Parser

_BASE_HEAD = "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %-11s  %-12s  %-8s  %-10s"
_BASE_ROW = "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %11s  %-12s  %-8s  %10s"
_BASE_TITLES = (
    "#Cluster Name",
    "#Broker Name",
    "#BID",
    "#Addr",
    "#Version",
    "#InTPS(LOAD)",
    "#OutTPS(LOAD)",
    "#Timer(Progress)",
    "#PCWait(ms)",
    "#Hour",
    "#SPACE",
    "#ACTIVATED",
)
_MORE_HEAD = "%-16s  %-32s %14s %14s %14s %14s"
_MORE_ROW = "%-16s  %-32s %14d %14d %14d %14d"
_MORE_TITLES = ("#Cluster Name", "#Broker Name", "#InTotalYest", "#OutTotalYest", "#InTotalToday", "#OutTotalToday")

_MS_PER_HOUR = 3_600_000


def _add_options(parser: Parser) -> None:
    parser.add_argument("-m", "--moreStats", action="store_true", help="Print more stats")
    parser.add_argument("-i", "--interval", type=whole_number, help="print again after so many seconds")
    parser.add_argument("-c", "--clusterName", help="which cluster")


def _run(arguments: argparse.Namespace, context: Context) -> None:
    repeat(arguments.interval, lambda: _print(arguments, context))


def _print(arguments: argparse.Namespace, context: Context) -> None:
    info = context.admin.cluster_info()
    clusters = [arguments.clusterName.strip()] if arguments.clusterName else list(info.cluster_addr_table)
    unknown = [name for name in clusters if name not in info.cluster_addr_table]
    if unknown:
        raise CommandError(f"the name server knows no cluster {unknown[0]}")
    context.line(_MORE_HEAD % _MORE_TITLES if arguments.moreStats else _BASE_HEAD % _BASE_TITLES)
    failures: list[str] = []
    for cluster, name, broker_id, address in _brokers(info, clusters):
        try:
            runtime = context.admin.broker_runtime_info(address)
        except RemotingError as error:
            # Its row stays, with nothing in it: a broker that is registered and does not answer is what one looks for.
            failures.append(str(error))
            runtime = {}
        if arguments.moreStats:
            context.line(_MORE_ROW % (cluster, name, *_totals(runtime)))
        else:
            context.line(_BASE_ROW % (cluster, name, broker_id, address, *_state(runtime)))
    if failures:
        raise CommandError("; ".join(failures))


def _brokers(info: ClusterInfo, clusters: list[str]) -> list[tuple[str, str, int, str]]:
    return [
        (cluster, name, broker_id, address)
        for cluster in clusters
        for name in sorted(info.cluster_addr_table[cluster])
        if name in info.broker_addr_table
        for broker_id, address in sorted(info.broker_addr_table[name].broker_addrs.items())
    ]


def _state(runtime: dict[str, str]) -> tuple[str, ...]:
    """Version, loads, timer, page cache wait, hours kept, disk ratio, activity."""
    get = runtime.get
    put_tps = _first_number(get("putTps", ""))
    get_tps = _first_number(get("getTransferredTps", ""))
    sends = "{},{}ms".format(get("sendThreadPoolQueueSize"), get("sendThreadPoolQueueHeadWaitTimeMills"))
    pulls = "{},{}ms".format(get("pullThreadPoolQueueSize"), get("pullThreadPoolQueueHeadWaitTimeMills"))
    acks = "{},{}ms".format(get("ackThreadPoolQueueSize", "N"), get("ackThreadPoolQueueHeadWaitTimeMills", "N"))
    return (
        get("brokerVersionDesc", ""),
        f"{put_tps:9.2f}({sends})",
        f"{get_tps:9.2f}({pulls}|{acks})",
        _timer(runtime),
        get("pageCacheLockTimeMills", ""),
        f"{_hours_kept(runtime):2.2f}",
        f"{_first_number(get('commitLogDiskRatio', '')):.4f}",
        get("brokerActive", "false"),
    )


def _timer(runtime: dict[str, str]) -> str:
    behind, offsets, congested, enqueue, dequeue = (
        _first_number(runtime.get(name, ""))
        for name in ("timerReadBehind", "timerOffsetBehind", "timerCongestNum", "timerEnqueueTps", "timerDequeueTps")
    )
    return f"{behind:.0f}-{offsets:.0f}({congested / 10000:.1f}w, {enqueue:.1f}, {dequeue:.1f})"


def _hours_kept(runtime: dict[str, str]) -> float:
    earliest_ms = _first_number(runtime.get("earliestMessageTimeStamp", ""))
    return (int(time.time() * 1000) - earliest_ms) / _MS_PER_HOUR if earliest_ms else 0.0


def _totals(runtime: dict[str, str]) -> tuple[int, ...]:
    """Messages in and out, yesterday and today."""

    def between(kind: str, start: str, end: str) -> int:
        first, last = (_first_number(runtime.get(f"msg{kind}Total{name}", "")) for name in (start, end))
        return int(last - first)

    yesterday, today = ("YesterdayMorning", "TodayMorning"), ("TodayMorning", "TodayNow")
    return tuple(between(kind, *day) for day in (yesterday, today) for kind in ("Put", "Get"))


def _first_number(text: str) -> float:
    """Averages over several spans stand in one text, the shortest first. 0 for what a broker does not tell."""
    try:
        return float(text.split(maxsplit=1)[0])
    except (ValueError, IndexError):
        return 0.0


COMMANDS = [Command("clusterList", "List cluster infos.", _add_options, _run)]
