# SPDX-License-Identifier: Apache-2.0
"""Consumers ask who they are and how far they have come: 38, 14, 15. Answers to Apache's ConsumerManageProcessor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import GetConsumerListByGroupResponseBody
from ...remoting.codes import ResponseCode
from ...remoting.fields import bool_field, int_field, long_field, text_field
from ...store.get_message import GetStatus

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext


class ConsumerManageProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context

    def consumer_list(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        group = text_field(request.ext_fields, "consumerGroup")
        info = self._context.consumers.get(group)
        if info is None or not info.channels:
            return request.response(ResponseCode.SYSTEM_ERROR, f"no consumer for this group, {group}")
        return request.response(
            ResponseCode.SUCCESS, body=GetConsumerListByGroupResponseBody(info.client_ids()).encode()
        )

    def update_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        group, topic = text_field(fields, "consumerGroup"), text_field(fields, "topic")
        if not self._context.groups.contains(group):
            return request.response(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"Group {group} not exist!")
        if self._context.topics.get(topic) is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"Topic {topic} not exist!")
        queue_id, queue_offset = int_field(fields, "queueId"), long_field(fields, "commitOffset")
        is_taken = self._context.offsets.commit(group, topic, queue_id, queue_offset)
        return request.response(ResponseCode.SUCCESS, None if is_taken else "Offset has been previously reset")

    def query_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        group, topic = text_field(fields, "consumerGroup"), text_field(fields, "topic")
        queue_id = int_field(fields, "queueId")
        offset = self._context.offsets.query(group, topic, queue_id)
        if offset >= 0:
            return request.response(ResponseCode.SUCCESS, None, {"offset": str(offset)})
        if not bool_field(fields, "setZeroIfNotFound", True):
            remark = "Not found, do not set to zero, maybe this group boot first"
            return request.response(ResponseCode.QUERY_NOT_FOUND, remark)
        if self._starts_in_memory(topic, queue_id):
            return request.response(ResponseCode.SUCCESS, None, {"offset": "0"})
        remark = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"
        return request.response(ResponseCode.QUERY_NOT_FOUND, remark)

    def _starts_in_memory(self, topic: str, queue_id: int) -> bool:
        """A queue that is young still has its first message in memory: a new group then starts there, whatever it
        asked for.

        So a topic that was made a moment ago loses nothing for its first consumers.
        """
        store = self._context.store
        if store.min_offset(topic, queue_id) > 0:
            return False
        first = store.get(topic, queue_id, 0, 1)
        return first.status is GetStatus.FOUND and not first.suggest_pulling_from_slave
