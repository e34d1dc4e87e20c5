# SPDX-License-Identifier: Apache-2.0
"""A producer recalls a timer message: 370. Answers to Apache's RecallMessageProcessor.

A recall is a timer message itself, for the same slot, that names the other one; where the two meet, neither is
delivered. Whether the message was still there is not known when the producer is answered, on Apache neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...remoting.fields import text_field
from ...remoting.java_hash import tag_hash
from ...remoting.message_const import (
    PROPERTY_BORN_TIMESTAMP,
    PROPERTY_MSG_REGION,
    PROPERTY_PRODUCER_GROUP,
    PROPERTY_TAGS,
    PROPERTY_TIMER_DEL_UNIQKEY,
    PROPERTY_TIMER_DELIVER_MS,
    PROPERTY_TRACE_CONTEXT,
    PROPERTY_UNIQ_KEY,
)
from ...remoting.message_properties import encode_properties
from ...remoting.perm import is_writeable
from ...rpc.errors import RequestRefused
from ...store.put_message import MessageToStore, PutResult
from ...store.timer.timer_message import recall_key
from ..recall_message_handle import RecallMessageHandle
from ..timer_transform import TimerTransform
from .born_host import born_host

if TYPE_CHECKING:
    import random

    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext

RECALL_MESSAGE_TAG = "_RECALL_TAG_"

_NOT_AVAILABLE = "recall failed, broker service not available"
_EXECUTE_ERROR = "recall failed, execute error"
#: Separators of the property text: no value may bring its own.
_SEPARATORS = "\x01\x02"


class RecallMessageProcessor:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        self._context = context
        self._config = context.config
        self._transform = TimerTransform(context, dice)

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        topic, text = text_field(request.ext_fields, "topic"), text_field(request.ext_fields, "recallHandle")
        group = request.ext_fields.get("producerGroup", "")
        region = {PROPERTY_MSG_REGION: self._config.region_id}
        try:
            handle = self._checked(topic, text)
            message = self._message(channel, handle, group)
        except RequestRefused as error:
            return request.response(error.code, str(error), region)

        def stored(result: PutResult) -> None:
            if result.status.is_stored:
                self._context.stats.put(message.topic, 1, result.size)
            if request.is_oneway:
                return
            if result.status.is_stored:
                channel.answer(request.response(ResponseCode.SUCCESS, None, {"msgId": handle.uniq_key, **region}))
            else:
                channel.answer(request.response(ResponseCode.SYSTEM_ERROR, _EXECUTE_ERROR, region))

        self._context.store.put(message, stored)
        return None

    def _checked(self, topic: str, text: str) -> RecallMessageHandle:
        """In Apache's order. Raises RequestRefused."""
        config, now_ms = self._config, self._context.clock.now_ms()
        if not config.recall_message_enable:
            raise RequestRefused(ResponseCode.NO_PERMISSION, "recall failed, operation is forbidden")
        if config.is_slave:
            raise RequestRefused(ResponseCode.SLAVE_NOT_AVAILABLE, _NOT_AVAILABLE)
        if now_ms < config.start_accept_send_request_time_stamp_ms or not (
            is_writeable(self._context.broker_permission) or config.allow_recall_when_broker_not_writeable
        ):
            raise RequestRefused(ResponseCode.SERVICE_NOT_AVAILABLE, _NOT_AVAILABLE)
        if self._context.topics.get(topic) is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, f"recall failed, the topic[{topic}] not exist")
        try:
            handle = RecallMessageHandle.decode(text)
        except ValueError as error:
            raise RequestRefused(ResponseCode.ILLEGAL_OPERATION, str(error)) from None
        if handle.topic != topic:
            raise RequestRefused(ResponseCode.ILLEGAL_OPERATION, "recall failed, topic not match")
        if handle.broker_name != config.broker_name:
            raise RequestRefused(ResponseCode.ILLEGAL_OPERATION, _NOT_AVAILABLE)
        if not 0 < handle.time_ms - now_ms < config.timer_max_delay_sec * 1000:
            raise RequestRefused(ResponseCode.ILLEGAL_OPERATION, "recall failed, timestamp invalid")
        return handle

    def _message(self, channel: Channel, handle: RecallMessageHandle, group: str) -> MessageToStore:
        """What is stored. Raises RequestRefused, as Apache's put would be refused."""
        now_ms = self._context.clock.now_ms()
        with_topic = self._config.append_topic_for_timer_delete_key
        properties = {
            PROPERTY_TAGS: RECALL_MESSAGE_TAG,
            PROPERTY_TIMER_DEL_UNIQKEY: recall_key(handle.topic, handle.uniq_key, with_topic=with_topic),
            PROPERTY_UNIQ_KEY: handle.uniq_key,
            PROPERTY_TIMER_DELIVER_MS: handle.time_text,
            PROPERTY_BORN_TIMESTAMP: str(now_ms),
            PROPERTY_TRACE_CONTEXT: "",
            PROPERTY_PRODUCER_GROUP: group,
        }
        if any(separator in value for value in properties.values() for separator in _SEPARATORS):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, _EXECUTE_ERROR)
        text = encode_properties(properties)
        message = MessageToStore(handle.topic, 0, b"0", text, now_ms, born_host(channel), tag_hash(RECALL_MESSAGE_TAG))
        try:
            return self._transform.timed(message, properties)
        except RequestRefused:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, _EXECUTE_ERROR) from None
