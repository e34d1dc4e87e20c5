# SPDX-License-Identifier: Apache-2.0
"""Offsets: 29, 30, 31, 32 of a queue, 43 and 45 of the broker (for slaves), 208 of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.bodies import ConsumeStats, MessageQueue, OffsetWrapper
from ....remoting.codes import ResponseCode
from ....remoting.fields import int_field, long_field, text_field
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
                queue = MessageQueue(self._context.config.broker_name, queue_id, name)
                table[queue] = self._progress(group, name, queue_id)
            tps += self._context.stats.group_get_tps(group, name)
        return request.response(ResponseCode.SUCCESS, body=ConsumeStats(tps, table).encode())

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
