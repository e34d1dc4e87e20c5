# SPDX-License-Identifier: Apache-2.0
"""A consumer gives a message back: 36. It comes again later from %RETRY%group, or goes to %DLQ%group.

Answers to consumerSendMsgBack of Apache's AbstractSendMessageProcessor. Level 0 means: the level after the number of
tries (3 + times), so the first retry comes after 10 s; a level below 0 asks for the dead letters at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.codes import ResponseCode
from ...remoting.fields import bool_field, int_field, long_field, text_field
from ...remoting.message import RecordError, decode_record
from ...remoting.message_const import (
    PROPERTY_DELAY,
    PROPERTY_ORIGIN_MESSAGE_ID,
    PROPERTY_RETRY_TOPIC,
    PROPERTY_WAIT,
)
from ...remoting.perm import is_writeable
from ...remoting.version import V3_4_9
from ...rpc.errors import RequestRefused
from ...store.put_message import MessageToStore, PutStatus, put_again, reconsumed_again
from ..auth.model import Action
from ..message_properties import without_crc
from ..schedule_message_service import delayed
from . import remarks
from .send_message import DLQ_QUEUES

if TYPE_CHECKING:
    import random

    from ...remoting.bodies import SubscriptionGroupConfig
    from ...remoting.command import RemotingCommand
    from ...remoting.message import MessageExt
    from ...rpc.channel import Channel
    from ...store.put_message import PutResult
    from ..broker_context import BrokerContext

#: The delay level before the first retry: 10 s with the default levels.
FIRST_RETRY_LEVEL = 3

#: A retry topic of a group in unit mode.
UNIT_SUBSCRIPTION_FLAG = 2


class ConsumerSendBackProcessor:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        self._context = context
        self._dice = dice

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        context = self._context
        if context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        fields = request.ext_fields
        name = text_field(fields, "group")
        group = context.groups.find(name)
        if group is None:
            return request.response(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remarks.group_not_exist(name))
        if not is_writeable(context.broker_permission):
            remark = f"the broker[{context.config.broker_ip1}] sending message is forbidden"
            return request.response(ResponseCode.NO_PERMISSION, remark)
        if group.retry_queue_nums <= 0:
            return request.response(ResponseCode.SUCCESS)
        message = self._find(long_field(fields, "offset"))
        context.access.check_record(channel, request, message, Action.SUB)
        to_store = self._again(request, group, message)
        topic = message.properties.get(PROPERTY_RETRY_TOPIC, message.topic)

        def stored(result: PutResult) -> None:
            if result.status is PutStatus.OK:
                context.stats.put(to_store.topic, 1, result.size)
                context.stats.sent_back(name, topic)
                channel.answer(request.response(ResponseCode.SUCCESS))
            else:
                channel.answer(request.response(ResponseCode.SYSTEM_ERROR, result.status.name))

        context.store.put(to_store, stored)
        return None

    def _find(self, physical_offset: int) -> MessageExt:
        """The offset comes from a client: the store answers only where a record begins."""
        record = self._context.store.record_at(physical_offset)
        try:
            if record is not None:
                return decode_record(record, check_crc=False)
        except RecordError:
            pass
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"look message by offset failed, {physical_offset}")

    def _again(self, request: RemotingCommand, group: SubscriptionGroupConfig, message: MessageExt) -> MessageToStore:
        fields = request.ext_fields
        level = int_field(fields, "delayLevel")
        limit = group.retry_max_times
        if request.version >= V3_4_9:
            limit = int_field(fields, "maxReconsumeTimes", limit)
        unit_flag = UNIT_SUBSCRIPTION_FLAG if bool_field(fields, "unitMode") else 0
        topics = self._context.topics
        retry = topics.create_in_send_back(names.retry_topic(group.group_name), group.retry_queue_nums, unit_flag)
        if not is_writeable(retry.perm):
            remark = f"the topic[{retry.topic_name}] sending message is forbidden"
            raise RequestRefused(ResponseCode.NO_PERMISSION, remark)
        if message.reconsume_times >= limit or level < 0:
            dead = topics.create_in_send_back(names.dlq_topic(group.group_name), DLQ_QUEUES, 0)
            return _returned(message, dead.topic_name, self._dice.randrange(DLQ_QUEUES), 0)
        queue_id = self._dice.randrange(group.retry_queue_nums)
        level = level or FIRST_RETRY_LEVEL + message.reconsume_times
        to_store = _returned(message, retry.topic_name, queue_id, level)
        return delayed(to_store, level, self._context.delay_levels_ms)


def _returned(message: MessageExt, topic: str, queue_id: int, level: int) -> MessageToStore:
    properties = without_crc(message.properties)
    properties.setdefault(PROPERTY_ORIGIN_MESSAGE_ID, message.message_id)
    properties.setdefault(PROPERTY_RETRY_TOPIC, message.topic)
    properties[PROPERTY_WAIT] = "false"
    properties[PROPERTY_DELAY] = str(level)
    return put_again(message, topic, queue_id, properties, reconsume_times=reconsumed_again(message))
