# SPDX-License-Identifier: Apache-2.0
"""consumerProgress, updateSubGroup, deleteSubGroup"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...client.errors import ResponseError
from ...remoting.bodies import (
    ConsumerConnection,
    ConsumeStats,
    MessageQueue,
    OffsetWrapper,
    SubscriptionGroupConfig,
)
from ...remoting.topic_names import RETRY_GROUP_TOPIC_PREFIX, check_group, dlq_topic, retry_topic
from ...remoting.version import version_description
from .command import Command, CommandError, add_target, boolean, date_text, target_masters, whole_number

if TYPE_CHECKING:
    import argparse

    from .command import Context, Parser

_QUEUE_HEAD = "%-64s  %-32s  %-4s  %-20s  %-20s  %-20s %-20s%s"
_QUEUE_ROW = "%-64s  %-32s  %-4d  %-20d  %-20d  %-20d %-20d %s"
_QUEUE_TITLES = (
    "#Topic",
    "#Broker Name",
    "#QID",
    "#Broker Offset",
    "#Consumer Offset",
    "#Diff",
    "#Inflight",
    "#LastTime",
)
_GROUP_HEAD = "%-64s  %-6s  %-24s %-5s  %-14s  %-7s  %s"
_GROUP_TITLES = ("#Group", "#Count", "#Version", "#Type", "#Model", "#TPS", "#Diff Total")


def _progress_options(parser: Parser) -> None:
    parser.add_argument("-g", "--groupName", help="consumer group name")
    parser.add_argument("-t", "--topicName", help="topic name")


def _progress(arguments: argparse.Namespace, context: Context) -> None:
    if arguments.groupName is None:
        _all_groups(context)
        return
    topic = None if arguments.topicName is None else arguments.topicName.strip()
    stats = _stats(arguments.groupName.strip(), topic, context)
    if not stats.offset_table:
        raise CommandError(
            f"group {arguments.groupName.strip()} has no offsets: maybe it has not consumed anything yet"
        )
    context.line(_QUEUE_HEAD % _QUEUE_TITLES)
    diff_total = inflight_total = 0
    for queue, offset in sorted(stats.offset_table.items(), key=lambda item: _queue_order(item[0])):
        diff, inflight = _diff(offset), offset.pull_offset - offset.consumer_offset
        diff_total, inflight_total = diff_total + diff, inflight_total + inflight
        last = date_text(offset.last_timestamp, with_milliseconds=False) if offset.last_timestamp else "N/A"
        offsets = (offset.broker_offset, offset.consumer_offset, diff, inflight, last)
        context.line(_QUEUE_ROW % (queue.topic[:64], queue.broker_name[:32], queue.queue_id, *offsets))
    context.line()
    context.line(f"Consume TPS: {stats.consume_tps:.2f}")
    context.line(f"Consume Diff Total: {diff_total}")
    context.line(f"Consume Inflight Total: {inflight_total}")


def _queue_order(queue: MessageQueue) -> tuple[str, str, int]:
    return queue.topic, queue.broker_name, queue.queue_id


def _diff(offset: OffsetWrapper) -> int:
    return offset.broker_offset - offset.consumer_offset


def _brokers_of(group: str, context: Context) -> list[str]:
    """Brokers that know the group are those that have its retry topic."""
    route = context.admin.topic_route(retry_topic(group))
    addresses = (broker.select_address() for broker in route.broker_datas)
    return [address for address in addresses if address is not None]


def _stats(group: str, topic: str | None, context: Context) -> ConsumeStats:
    offsets: dict[MessageQueue, OffsetWrapper] = {}
    tps = 0.0
    for address in _brokers_of(group, context):
        stats = context.admin.consume_stats(address, group, topic)
        offsets.update(stats.offset_table)
        tps += stats.consume_tps
    return ConsumeStats(tps, offsets)


def _all_groups(context: Context) -> None:
    context.line(_GROUP_HEAD % _GROUP_TITLES)
    for topic in context.admin.topic_list():
        if topic.startswith(RETRY_GROUP_TOPIC_PREFIX):
            context.line(_GROUP_HEAD % _group_row(topic[len(RETRY_GROUP_TOPIC_PREFIX) :], context))


def _group_row(group: str, context: Context) -> tuple[object, ...]:
    stats = ConsumeStats()
    with contextlib.suppress(ResponseError):
        # A group that has consumed nothing yet is shown without figures.
        stats = _stats(group, None, context)
    consumer = _connection(group, context)
    online = consumer.connection_set
    version, kind, model = "OFFLINE", "", ""
    if online:
        version = version_description(min(connection.version for connection in online))
        kind = "PULL" if consumer.consume_type == "CONSUME_ACTIVELY" else "PUSH"
        model = consumer.message_model or "" if kind == "PUSH" else ""
    diff = sum(_diff(offset) for offset in stats.offset_table.values())
    return group[:64], len(online), version, kind, model, int(stats.consume_tps), diff


def _connection(group: str, context: Context) -> ConsumerConnection:
    """The consumers as the first broker sees them that knows any."""
    with contextlib.suppress(ResponseError):
        for address in _brokers_of(group, context):
            with contextlib.suppress(ResponseError):
                return context.admin.consumer_connection(address, group)
    return ConsumerConnection()


def _update_options(parser: Parser) -> None:
    add_target(parser, verb="create subscription group to")
    parser.add_argument("-g", "--groupName", required=True, help="consumer group name")
    parser.add_argument("-s", "--consumeEnable", type=boolean, default=True, help="consume enable")
    parser.add_argument("-m", "--consumeFromMinEnable", type=boolean, default=False, help="from min offset")
    parser.add_argument("-d", "--consumeBroadcastEnable", type=boolean, default=False, help="broadcast")
    parser.add_argument("-o", "--consumeMessageOrderly", type=boolean, default=False, help="consume orderly")
    parser.add_argument("-q", "--retryQueueNums", type=whole_number, default=1, help="retry queue nums")
    parser.add_argument("-r", "--retryMaxTimes", type=whole_number, default=16, help="retry max times")
    parser.add_argument("-i", "--brokerId", type=whole_number, default=0, help="consumer from which broker id")
    parser.add_argument(
        "-w", "--whichBrokerWhenConsumeSlowly", type=whole_number, default=1, help="broker id when slow"
    )
    parser.add_argument(
        "-a", "--notifyConsumerIdsChanged", type=boolean, default=True, help="notify consumerId changed"
    )


def _update(arguments: argparse.Namespace, context: Context) -> None:
    name = arguments.groupName.strip()
    fault = check_group(name)
    if fault is not None:
        raise CommandError(fault)
    group = SubscriptionGroupConfig(
        broker_id=arguments.brokerId,
        consume_broadcast_enable=arguments.consumeBroadcastEnable,
        consume_enable=arguments.consumeEnable,
        consume_from_min_enable=arguments.consumeFromMinEnable,
        consume_message_orderly=arguments.consumeMessageOrderly,
        group_name=name,
        notify_consumer_ids_changed_enable=arguments.notifyConsumerIdsChanged,
        retry_max_times=arguments.retryMaxTimes,
        retry_queue_nums=arguments.retryQueueNums,
        which_broker_when_consume_slowly=arguments.whichBrokerWhenConsumeSlowly,
    )
    for address in target_masters(arguments, context):
        context.admin.create_subscription_group(address, group)
        context.line(f"create subscription group to {address} success.")
    context.line(_group_text(group))


def _delete_options(parser: Parser) -> None:
    add_target(parser, verb="delete subscription group from")
    parser.add_argument("-g", "--groupName", required=True, help="subscription group name")
    parser.add_argument("-r", "--removeOffset", type=boolean, default=False, help="remove offset")


def _delete(arguments: argparse.Namespace, context: Context) -> None:
    """With -c its retry and dead letter topics go too, where there are any."""
    group = arguments.groupName.strip()
    place = "" if arguments.clusterName is None else f" in cluster [{arguments.clusterName.strip()}]"
    masters = target_masters(arguments, context)
    for address in masters:
        context.admin.delete_subscription_group(address, group, arguments.removeOffset)
        context.line(f"delete subscription group [{group}] from broker [{address}]{place} success.")
    if arguments.clusterName is None:
        return
    for topic in (retry_topic(group), dlq_topic(group)):
        for address in masters:
            context.admin.delete_topic(address, topic)
        context.admin.name_servers.delete_topic(topic, arguments.clusterName.strip())


def _group_text(group: SubscriptionGroupConfig) -> str:
    """As Apache's tool shows it."""
    policy = group.group_retry_policy
    retry = f"type={policy.get('type')}, exponentialRetryPolicy={_java_text(policy.get('exponentialRetryPolicy'))}"
    return (
        f"SubscriptionGroupConfig{{groupName={group.group_name}, consumeEnable={_java_text(group.consume_enable)}, "
        f"consumeFromMinEnable={_java_text(group.consume_from_min_enable)}, "
        f"consumeBroadcastEnable={_java_text(group.consume_broadcast_enable)}, "
        f"consumeMessageOrderly={_java_text(group.consume_message_orderly)}, "
        f"retryQueueNums={group.retry_queue_nums}, retryMaxTimes={group.retry_max_times}, "
        f"groupRetryPolicy=GroupRetryPolicy{{{retry}, "
        f"customizedRetryPolicy={_java_text(policy.get('customizedRetryPolicy'))}}}, brokerId={group.broker_id}, "
        f"whichBrokerWhenConsumeSlowly={group.which_broker_when_consume_slowly}, "
        f"notifyConsumerIdsChangedEnable={_java_text(group.notify_consumer_ids_changed_enable)}, "
        f"groupSysFlag={group.group_sys_flag}, consumeTimeoutMinute={group.consume_timeout_minute}, "
        f"subscriptionDataSet={_java_text(group.subscription_data_set)}, attributes={{}}}}"
    )


def _java_text(value: object) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


COMMANDS = [
    Command("updateSubGroup", "Update or create subscription group.", _update_options, _update),
    Command("deleteSubGroup", "Delete subscription group from broker.", _delete_options, _delete),
    Command("consumerProgress", "Query consumer's progress, speed.", _progress_options, _progress),
]
