# SPDX-License-Identifier: Apache-2.0
"""statsAll, brokerConsumeStats"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...client.errors import ResponseError
from ...remoting.topic_names import is_dlq_topic, is_retry_topic
from .command import Command, boolean, date_text, whole_number

if TYPE_CHECKING:
    import argparse

    from .command import Context, Parser

_ALL_HEAD = "%-64s  %-64s %12s %11s %11s %14s %14s"
_ALL_TITLES = (
    "#Topic",
    "#Consumer Group",
    "#Accumulation",
    "#InTPS",
    "#OutTPS",
    "#InMsg24Hour",
    "#OutMsg24Hour",
)
_BROKER_HEAD = "%-64s  %-64s  %-32s  %-4s  %-20s  %-20s  %-20s  %s"
_BROKER_TITLES = (
    "#Topic",
    "#Group",
    "#Broker Name",
    "#QID",
    "#Broker Offset",
    "#Consumer Offset",
    "#Diff",
    "#LastTime",
)


def _all_options(parser: Parser) -> None:
    parser.add_argument("-a", "--activeTopic", action="store_true", help="print active topic only")
    parser.add_argument("-t", "--topic", help="print select topic only")


def _all(arguments: argparse.Namespace, context: Context) -> None:
    context.line(_ALL_HEAD % _ALL_TITLES)
    for topic in context.admin.topic_list():
        wanted = arguments.topic is None or topic == arguments.topic.strip()
        if wanted and not is_retry_topic(topic) and not is_dlq_topic(topic):
            _topic(topic, context, active_only=arguments.activeTopic)


def _topic(topic: str, context: Context, *, active_only: bool) -> None:
    """A topic that went meanwhile, and one that no master has, is passed over."""
    with contextlib.suppress(ResponseError):
        brokers = context.admin.topic_route(topic).broker_datas
        masters = [broker.master_address for broker in brokers if broker.master_address is not None]
        in_tps, in_day = _flow(masters, "TOPIC_PUT_NUMS", topic, context)
        groups = sorted({group for master in masters for group in context.admin.groups_of_topic(master, topic)})
        if not groups and (in_day or not active_only):
            context.line(_ALL_HEAD % (topic[:64], "", 0, f"{in_tps:.2f}", "", in_day, "NO_CONSUMER"))
        for group in groups:
            out_tps, out_day = _flow(masters, "GROUP_GET_NUMS", f"{topic}@{group}", context)
            if in_day or out_day or not active_only:
                waiting = sum(_accumulated(master, group, topic, context) for master in masters)
                rates = (f"{in_tps:.2f}", f"{out_tps:.2f}", in_day, out_day)
                context.line(_ALL_HEAD % (topic[:64], group[:64], max(0, waiting), *rates))


def _flow(masters: list[str], name: str, key: str, context: Context) -> tuple[float, int]:
    """Messages a second and in the last day. A broker that has counted nothing says that there is no such thing."""
    tps, day = 0.0, 0
    for master in masters:
        with contextlib.suppress(ResponseError):
            data = context.admin.broker_stats(master, name, key)
            tps, day = tps + data.stats_minute.tps, day + data.day_sum
    return tps, day


def _accumulated(master: str, group: str, topic: str, context: Context) -> int:
    with contextlib.suppress(ResponseError):
        return context.admin.consume_stats(master, group, topic).total_diff
    return 0


def _broker_options(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerAddr", required=True, help="Broker address")
    parser.add_argument("-l", "--level", type=whole_number, default=0, help="threshold of print diff")
    parser.add_argument("-o", "--order", type=boolean, default=False, help="order topic")


def _broker(arguments: argparse.Namespace, context: Context) -> None:
    stats = context.admin.all_consume_stats(arguments.brokerAddr.strip(), only_ordered=arguments.order)
    context.line(_BROKER_HEAD % _BROKER_TITLES)
    rows = [
        (queue, group, offset)
        for each in stats.consume_stats_list
        for group, listed in each.items()
        for one in listed
        for queue, offset in one.offset_table.items()
    ]
    for queue, group, offset in sorted(rows, key=lambda row: (row[1], row[0].topic, row[0].queue_id)):
        diff = offset.broker_offset - offset.consumer_offset
        if diff >= arguments.level and offset.last_timestamp > 0:
            last = date_text(offset.last_timestamp, with_milliseconds=False)
            offsets = (offset.broker_offset, offset.consumer_offset, diff, last)
            context.line(_BROKER_HEAD % (queue.topic[:64], group, queue.broker_name[:32], queue.queue_id, *offsets))
    context.line(f"\nDiff Total: {stats.total_diff}")


COMMANDS = [
    Command("statsAll", "Topic and Consumer tps stats.", _all_options, _all),
    Command("brokerConsumeStats", "Fetch broker consume stats data.", _broker_options, _broker),
]
