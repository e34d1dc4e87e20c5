# SPDX-License-Identifier: Apache-2.0
"""Offsets: 29, 30, 31, 32 of a queue, 43 and 45 of the broker (for slaves), 208 and 303 of a group, 317 of all groups,
308 the lowest of a topic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ....remoting.bodies import (
    ConsumeStats,
    ConsumeStatsList,
    MessageQueue,
    OffsetWrapper,
    QueryConsumeTimeSpanBody,
    QueryCorrectionOffsetBody,
    QueueTimeSpan,
)
from ....remoting.codes import ResponseCode
from ....remoting.fields import LONG_MAX, bool_field, int_field, long_field, text_field
from ....store.get_message import BoundaryType

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext


class OffsetAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._store = context.store

    def search_by_time(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        boundary = BoundaryType.UPPER if fields.get("boundaryType", "").lower() == "upper" else BoundaryType.LOWER
        offset = self._store.offset_by_time(
            text_field(fields, "topic"), int_field(fields, "queueId"), long_field(fields, "timestamp"), boundary
        )
        return request.response(ResponseCode.SUCCESS, None, {"offset": str(offset)})

    def max_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        offset = self._store.max_offset(*_queue(request))
        return request.response(ResponseCode.SUCCESS, None, {"offset": str(offset)})

    def min_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Apache's answer has an empty remark here, and only here."""
        offset = self._store.min_offset(*_queue(request))
        return request.response(ResponseCode.SUCCESS, "", {"offset": str(offset)})

    def earliest_store_time(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        timestamp_ms = self._store.earliest_store_time(*_queue(request))
        return request.response(ResponseCode.SUCCESS, None, {"timestamp": str(timestamp_ms)})

    def all_consumer_offsets(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=self._context.offsets.wrapper().encode())

    def all_delay_offsets(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=self._context.schedule.wrapper().encode())

    def consume_stats(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        group = text_field(fields, "consumerGroup")
        listed = [topic for part in fields.get("topicList", "").split(";") if (topic := part.strip())]
        topics = listed or self._subscribed_topics(group, fields.get("topic", "").strip())
        table: dict[MessageQueue, OffsetWrapper] = {}
        tps = 0.0
        for name in topics:
            config = self._context.topics.get(name)
            if config is None:
                continue
            for queue_id in range(config.read_queue_nums):
                table[self._queue(name, queue_id)] = self._progress(group, name, queue_id)
            tps += self._context.stats.group_get_tps(group, name)
        return request.response(ResponseCode.SUCCESS, body=ConsumeStats(tps, table).encode())

    def all_consume_stats(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        only_ordered = bool_field(request.ext_fields, "isOrder")
        groups = {name: self._stats_of_group(name, only_ordered=only_ordered) for name in self._context.groups.groups}
        every = [stats for listed in groups.values() for stats in listed]
        body = ConsumeStatsList(
            self._context.config.broker_addr,
            [{name: listed} for name, listed in groups.items()],
            sum(stats.total_diff for stats in every),
            sum(stats.inflight_diff for stats in every),
        )
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def consume_time_span(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """When the messages of each queue were stored, and how long the next one of the group waits."""
        name, group = text_field(request.ext_fields, "topic"), text_field(request.ext_fields, "group")
        topic = self._context.topics.get(name)
        if topic is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"topic[{name}] not exist")
        spans = [self._time_span(group, name, queue_id) for queue_id in range(topic.write_queue_nums)]
        return request.response(ResponseCode.SUCCESS, body=QueryConsumeTimeSpanBody(spans).encode())

    def correction_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """The lowest offset of each queue over all groups but the filtered ones; the greatest long where compareGroup
        is behind it."""
        fields = request.ext_fields
        topic = text_field(fields, "topic")
        left_out = set(fields.get("filterGroups", "").split(","))
        offsets = self._context.offsets
        lowest: dict[int, int] = {}
        for group in offsets.groups_of_topic(topic):
            for queue_id, offset in offsets.queues(group, topic).items() if group not in left_out else ():
                if offset >= self._store.min_offset(topic, queue_id):
                    lowest[queue_id] = min(offset, lowest.get(queue_id, offset))
        for queue_id, offset in offsets.queues(text_field(fields, "compareGroup"), topic).items():
            if lowest.get(queue_id, -1) > offset:
                lowest[queue_id] = LONG_MAX
        return request.response(ResponseCode.SUCCESS, body=QueryCorrectionOffsetBody(lowest).encode())

    def _stats_of_group(self, group: str, *, only_ordered: bool) -> list[ConsumeStats]:
        listed = []
        for name in self._subscribed_topics(group, ""):
            topic = self._context.topics.get(name)
            if topic is not None and (topic.order or not only_ordered):
                table = {
                    self._queue(name, queue_id): replace(self._progress(group, name, queue_id), pull_offset=0)
                    for queue_id in range(topic.write_queue_nums)
                }
                listed.append(ConsumeStats(self._context.stats.group_get_tps(group, name), table))
        return listed

    def _time_span(self, group: str, topic: str, queue_id: int) -> QueueTimeSpan:
        store = self._store
        end, consumed = store.max_offset(topic, queue_id), self._context.offsets.query(group, topic, queue_id)
        oldest_ms = store.earliest_store_time(topic, queue_id)
        next_ms = store.store_time(topic, queue_id, consumed)
        return QueueTimeSpan(
            store.store_time(topic, queue_id, consumed - 1) if consumed > 0 else oldest_ms,
            self._context.clock.now_ms() - next_ms if consumed < end and next_ms >= 0 else 0,
            store.store_time(topic, queue_id, end - 1),
            self._queue(topic, queue_id),
            oldest_ms,
        )

    def _queue(self, topic: str, queue_id: int) -> MessageQueue:
        return MessageQueue(self._context.config.broker_name, queue_id, topic)

    def _subscribed_topics(self, group: str, topic: str) -> list[str]:
        """Topics with an offset (or the one asked for); of a group that is connected only those it still subscribes."""
        topics = [topic] if topic else self._context.offsets.topics_of_group(group)
        info = self._context.consumers.get(group)
        if info is None or not info.subscriptions:
            return topics
        return [name for name in topics if name in info.subscriptions]

    def _progress(self, group: str, topic: str, queue_id: int) -> OffsetWrapper:
        offsets = self._context.offsets
        consumed = max(0, offsets.query(group, topic, queue_id))
        pulled = max(consumed, offsets.query_pulled(group, topic, queue_id))
        last_ms = self._store.store_time(topic, queue_id, consumed - 1) if consumed else 0
        return OffsetWrapper(max(0, self._store.max_offset(topic, queue_id)), consumed, max(0, last_ms), pulled)


def _queue(request: RemotingCommand) -> tuple[str, int]:
    fields = request.ext_fields
    return text_field(fields, "topic"), int_field(fields, "queueId")
