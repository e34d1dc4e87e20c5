# SPDX-License-Identifier: Apache-2.0
"""resetOffsetByTime, skipAccumulatedMessage"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .command import Command, CommandError, boolean, timestamp, whole_number

if TYPE_CHECKING:
    import argparse

    from ...remoting.bodies import MessageQueue
    from .command import Context, Parser

_ROW = "%-40s  %-40s  %-40s"
_TITLES = ("#brokerName", "#queueId", "#offset")

#: A time that stands for the end of each queue.
_END = -1


def _reset_options(parser: Parser) -> None:
    parser.add_argument("-g", "--group", required=True, help="set the consumer group")
    parser.add_argument("-t", "--topic", required=True, help="set the topic")
    help_text = "set the timestamp[now|currentTimeMillis|yyyy-MM-dd#HH:mm:ss:SSS]"
    parser.add_argument("-s", "--timestamp", required=True, type=_time_option, help=help_text)
    parser.add_argument("-f", "--force", type=boolean, default=True, help="also set an offset forward")
    parser.add_argument("-b", "--broker", help="broker addr, with -q")
    parser.add_argument("-q", "--queue", type=whole_number, help="queue id, with -b")
    parser.add_argument("-o", "--offset", type=whole_number, help="queue offset, with -b and -q, instead of the time")


def _reset(arguments: argparse.Namespace, context: Context) -> None:
    text, timestamp_ms = arguments.timestamp
    group, topic = arguments.group.strip(), arguments.topic.strip()
    if (arguments.broker is None) != (arguments.queue is None) or (
        arguments.offset is not None and arguments.broker is None
    ):
        raise CommandError("-b and -q go together, and -o needs both")
    if arguments.broker is not None:
        _reset_queue(arguments, context)
        return
    context.line(
        f"start reset consumer offset by specified, group[{group}], topic[{topic}], "
        f"force[{'true' if arguments.force else 'false'}], timestamp(string)[{text}], timestamp(long)[{timestamp_ms}]"
    )
    _print(_reset_everywhere(group, topic, timestamp_ms, context, is_force=arguments.force), context)


def _reset_queue(arguments: argparse.Namespace, context: Context) -> None:
    text, timestamp_ms = arguments.timestamp
    group, topic, broker = arguments.group.strip(), arguments.topic.strip(), arguments.broker.strip()
    context.line(
        f"start reset consumer offset by specified, group[{group}], topic[{topic}], queueId[{arguments.queue}], "
        f"broker[{broker}], timestamp(string)[{text}], timestamp(long)[{timestamp_ms}]"
    )
    offset = arguments.offset
    if offset is None:
        offset = context.admin.search_offset(broker, topic, arguments.queue, timestamp_ms)
    context.admin.reset_offset(broker, group, topic, timestamp_ms, queue_id=arguments.queue, offset=offset)
    context.line(f"reset consumer offset to {offset}")


def _skip_options(parser: Parser) -> None:
    parser.add_argument("-g", "--group", required=True, help="set the consumer group")
    parser.add_argument("-t", "--topic", required=True, help="set the topic")
    parser.add_argument("-f", "--force", type=boolean, default=True, help="also set an offset forward")


def _skip(arguments: argparse.Namespace, context: Context) -> None:
    table = _reset_everywhere(arguments.group.strip(), arguments.topic.strip(), _END, context, is_force=arguments.force)
    _print(table, context)


def _reset_everywhere(
    group: str, topic: str, timestamp_ms: int, context: Context, *, is_force: bool
) -> dict[MessageQueue, int]:
    """At each master of the topic's route."""
    table: dict[MessageQueue, int] = {}
    for broker in context.admin.topic_route(topic).broker_datas:
        if broker.master_address is None:
            raise CommandError(f"broker {broker.broker_name} has no master at the moment, so nothing is reset there")
        table.update(context.admin.reset_offset(broker.master_address, group, topic, timestamp_ms, is_force=is_force))
    return table


def _print(table: dict[MessageQueue, int], context: Context) -> None:
    context.line(_ROW % _TITLES)
    for queue, offset in sorted(table.items(), key=lambda item: (item[0].broker_name, item[0].queue_id)):
        context.line(_ROW % (queue.broker_name[:32], queue.queue_id, offset))


def _time_option(text: str) -> tuple[str, int]:
    """The text, and milliseconds since 1970."""
    text = text.strip()
    return text, int(time.time() * 1000) if text == "now" else timestamp(text)


COMMANDS = [
    Command("resetOffsetByTime", "Reset consumer offset by timestamp(without client restart).", _reset_options, _reset),
    Command(
        "skipAccumulatedMessage",
        "Skip all messages that are accumulated (not consumed) currently.",
        _skip_options,
        _skip,
    ),
]
