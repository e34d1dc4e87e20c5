# SPDX-License-Identifier: Apache-2.0
"""Acknowledgements of popped messages: 200051, several at a time 200151. Answers to Apache's AckMessageProcessor.

Answered when the acknowledgement is as safe as a message would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.bodies import BatchAckMessageRequestBody, PopCheckPoint
from ...remoting.codes import ResponseCode
from ...remoting.fields import int_field, long_field, text_field
from ...rpc.errors import RequestRefused
from ..pop.extra_info import POP_ORDER_REVIVE_QUEUE, ExtraInfo, real_topic
from . import remarks
from .pop_message import MAX_MESSAGES

if TYPE_CHECKING:
    from ...remoting.bodies import BatchAck
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ...store.put_message import PutResult
    from ..broker_context import BrokerContext

#: Check points in one request.
MAX_ACKS = 1_024
#: A filter may leave wide gaps between the messages of a check point.
MAX_BITS = 1 << 20


class AckMessageProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._store = context.store
        self._revive_log = context.pops.revive_log

    def ack(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        fields = request.ext_fields
        group, topic, queue_id = owed_queue(self._context, channel, request)
        queue_offset = long_field(fields, "offset")
        low, high = self._store.min_offset(topic, queue_id), self._store.max_offset(topic, queue_id)
        if not low <= queue_offset <= high:
            remark = f"offset is illegal, key:{topic}@{queue_id}, commit:{queue_offset}, store:{low}~{high}"
            return request.response(ResponseCode.NO_MESSAGE, remark)
        info = ExtraInfo.parse(text_field(fields, "extraInfo"))
        check_owed(group, info.broker_name, info.revive_queue_id, self._revive_log.queue_count)
        owed = owed_by(info, group, topic, queue_id)

        def stored(result: PutResult) -> None:
            channel.answer(ack_answer(request, [result]))

        self._revive_log.put_ack(owed, [queue_offset], info.revive_queue_id, stored)
        return None

    def batch_ack(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        if not request.body:
            return request.response(ResponseCode.NO_MESSAGE)
        body = BatchAckMessageRequestBody.decode(request.body)
        if not body.acks:
            return request.response(ResponseCode.NO_MESSAGE)
        if len(body.acks) > MAX_ACKS:
            remark = f"{len(body.acks)} acknowledgements in one request, {MAX_ACKS} at most"
            return request.response(ResponseCode.MESSAGE_ILLEGAL, remark)
        batches = [(one, offsets) for one in body.acks if (offsets := self._offsets(one, body.broker_name))]
        if not batches:
            return request.response(ResponseCode.SUCCESS)
        results: list[PutResult] = []

        def stored(result: PutResult) -> None:
            results.append(result)
            if len(results) == len(batches):
                channel.answer(ack_answer(request, results))

        for one, offsets in batches:
            owed = PopCheckPoint(
                broker_name=body.broker_name,
                group=one.group,
                invisible_time=one.invisible_time,
                pop_time=one.pop_time,
                queue_id=one.queue_id,
                start_offset=one.start_offset,
                topic=real_topic(one.topic, one.group, one.retry),
            )
            self._revive_log.put_ack(owed, offsets, one.revive_queue_id, stored)
        return None

    def _offsets(self, batch: BatchAck, broker_name: str) -> list[int]:
        """Those of them that the queue has: the others are passed over, as on Apache. Raises FieldError, BodyError,
        RequestRefused."""
        topic = real_topic(batch.topic, batch.group, batch.retry)
        check_owed(batch.group, broker_name, batch.revive_queue_id, self._revive_log.queue_count)
        known = self._context.topics.get(topic)
        if known is None or not 0 <= batch.queue_id < known.read_queue_nums:
            return []
        low, high = self._store.min_offset(topic, batch.queue_id), self._store.max_offset(topic, batch.queue_id)
        return [at for at in batch.acked_offsets(MAX_BITS) if low <= at <= high][:MAX_MESSAGES]


def owed_queue(context: BrokerContext, channel: Channel, request: RemotingCommand) -> tuple[str, str, int]:
    """Group, topic and queue that an acknowledgement names. Raises RequestRefused."""
    fields = request.ext_fields
    group, name = text_field(fields, "consumerGroup"), text_field(fields, "topic")
    queue_id = int_field(fields, "queueId")
    topic = context.topics.get(name)
    if topic is None:
        raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remarks.topic_not_exist_for_pull(name))
    if not 0 <= queue_id < topic.read_queue_nums:
        raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, remarks.illegal_queue(queue_id, topic, channel))
    return group, name, queue_id


def check_owed(group: str, broker_name: str, revive_queue_id: int, queue_count: int) -> None:
    """What a client says in an acknowledgement goes into properties and queue numbers of this broker. Raises
    RequestRefused."""
    for name in (group, broker_name):
        fault = names.check_group(name)
        if fault is not None:
            raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, fault)
    if revive_queue_id == POP_ORDER_REVIVE_QUEUE:
        raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, "this broker does not pop in order")
    if not 0 <= revive_queue_id < queue_count:
        raise RequestRefused(
            ResponseCode.MESSAGE_ILLEGAL, f"reviveQid[{revive_queue_id}] is illegal, 0~{queue_count - 1}"
        )


def owed_by(info: ExtraInfo, group: str, topic: str, queue_id: int) -> PopCheckPoint:
    """The check point that an acknowledgement belongs to, as far as its name says."""
    return PopCheckPoint(
        broker_name=info.broker_name,
        group=group,
        invisible_time=info.invisible_time_ms,
        pop_time=info.pop_time_ms,
        queue_id=queue_id,
        start_offset=info.ck_queue_offset,
        topic=topic,
    )


def ack_answer(request: RemotingCommand, results: list[PutResult]) -> RemotingCommand:
    """Apache answers 0 whether it could store them or not."""
    refused = [result.status.name for result in results if not result.status.is_stored]
    if refused:
        return request.response(ResponseCode.SYSTEM_ERROR, f"the acknowledgement is not stored: {refused[0]}")
    return request.response(ResponseCode.SUCCESS)
