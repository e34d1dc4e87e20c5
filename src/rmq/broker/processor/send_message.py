# SPDX-License-Identifier: Apache-2.0
"""Sending: 10, 310 and 320, one message or a batch. Answers to Apache's SendMessageProcessor and HookUtils.

Checks in Apache's order, with its codes and remarks: slave, start time, topic (legal, allowed, known or creatable),
queue id, size, then what the message asks for (dead letters, delay). The message goes into the store, which calls back
when it is as safe as this broker promises; the answer leaves with all others of that tick. Refusals carry MSG_REGION
and TRACE_ON as answers do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.answers import send_answer
from ...remoting.codes import ResponseCode
from ...remoting.fields import FieldError, parse_int
from ...remoting.java_hash import tag_hash
from ...remoting.message import decode_batch_body
from ...remoting.message_const import (
    MULTI_TAGS_FLAG,
    PROPERTY_DELAY,
    PROPERTY_MSG_REGION,
    PROPERTY_PRIORITY,
    PROPERTY_SHARDING_KEY,
    PROPERTY_TAGS,
    PROPERTY_TRACE_ON,
    PROPERTY_TRANSACTION_PREPARED,
    PROPERTY_UNIQ_KEY,
    PROPERTY_WAIT,
    TIMER_KEYS,
    TRANSACTION_PREPARED_TYPE,
    TRANSACTION_TYPE_MASK,
)
from ...remoting.message_properties import PROPERTIES_MAX_BYTES, decode_properties, encode_properties
from ...remoting.perm import is_writeable
from ...remoting.send_header import SendHeader, send_header
from ...rpc.errors import RequestRefused
from ...store.put_message import MessageToStore, PutResult, PutStatus
from ..message_properties import PropertyWriter
from ..recall_message_handle import recall_handle
from ..schedule_message_service import delayed
from ..timer_transform import TimerTransform
from ..transaction.half_message import PROPERTIES_ROOM_BYTES, prepared
from . import remarks
from .born_host import born_host
from .put_remarks import put_refusal, stored_code

if TYPE_CHECKING:
    import random

    from ...remoting.bodies import TopicConfig
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext

#: Dead letter topics have one queue.
DLQ_QUEUES = 1

_MULTI_TAG = "MULTI_TAG"


class SendMessageProcessor:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        config = context.config
        self._context = context
        self._config = config
        self._topics = context.topics
        self._store = context.store
        self._stats = context.stats
        self.put_latency = context.stats.put_latency
        self._clock = context.clock
        self._dice = dice
        self._timer = TimerTransform(context, dice)
        self._writer = PropertyWriter(context.broker_properties)
        self._trace_text = "true" if config.trace_on else "false"

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        header = send_header(request)
        try:
            if header.batch:
                self._send_batch(channel, request, header)
            else:
                self._send(channel, request, header)
        except (RequestRefused, FieldError) as error:
            code = error.code if isinstance(error, RequestRefused) else ResponseCode.SYSTEM_ERROR
            return request.response(code, str(error), self.region_fields())
        return None

    # One message.

    def _send(self, channel: Channel, request: RemotingCommand, header: SendHeader) -> None:
        topic = self.target(channel, header)
        self._check_body(request.body)
        properties = decode_properties(header.properties)
        if "%" in header.topic and self._belongs_to_dead_letters(header):
            header, topic = self._to_dead_letters(header, properties)
        if PROPERTY_PRIORITY in properties:
            header = _by_priority(header, topic, properties)
        uniq_key = properties.get(PROPERTY_UNIQ_KEY) or self._context.unique_ids.next(self._clock.now_ms())
        message = self._message(channel, request, header, topic, properties, uniq_key=uniq_key)
        # What the answer names: a delayed message lies in another queue meanwhile.
        queue_id = message.queue_id
        if not _UNCOMMON.isdisjoint(properties):
            message = self._uncommon(message, properties, uniq_key)
        done = _Answer(self, channel, request, message.topic, queue_id=queue_id, uniq_key=uniq_key)
        if message.topic == names.TIMER_TOPIC:
            handle = recall_handle(message, self._config.broker_name, uniq_key)
            self._store.put(message, partial(self._answer_timer, done, handle))
            return
        if message.topic == names.TRANS_HALF_TOPIC:
            self._store.put(message, self._context.transactions.metrics.counting(header.topic, done))
        else:
            self._store.put(message, done)
        # The answer may wait for the disk or a slave; the body need not wait with it.
        request.body = b""

    def _message(
        self,
        channel: Channel,
        request: RemotingCommand,
        header: SendHeader,
        topic: TopicConfig,
        properties: dict[str, str],
        *,
        uniq_key: str,
    ) -> MessageToStore:
        text = self._writer.finish(header.properties, properties, uniq_key)
        if len(text) > PROPERTIES_MAX_BYTES:
            raise RequestRefused(*put_refusal(PutStatus.PROPERTIES_SIZE_EXCEEDED, self._config))
        tags = properties.get(PROPERTY_TAGS)
        queue_id = header.queue_id
        return MessageToStore(
            header.topic,
            queue_id if queue_id >= 0 else self.pick_queue(topic),
            request.body,
            text,
            header.born_timestamp_ms,
            born_host(channel),
            tag_hash(tags) if tags else 0,
            header.flag,
            header.sys_flag if topic.topic_filter_type != _MULTI_TAG else header.sys_flag | MULTI_TAGS_FLAG,
            header.reconsume_times,
            0,
            properties.get(PROPERTY_WAIT, "true") != "false",
            # Prepared (4) and rolled back (12) by sysFlag alone: kept in the log, in no queue, as on Apache.
            not header.sys_flag & TRANSACTION_PREPARED_TYPE,
        )

    def pick_queue(self, topic: TopicConfig) -> int:
        if topic.write_queue_nums <= 0:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"topic[{topic.topic_name}] has no queue to write to")
        return self._dice.randrange(topic.write_queue_nums)

    def answer(
        self, request: RemotingCommand, channel: Channel, result: PutResult, queue_id: int, uniq_key: str
    ) -> None:
        """Tell the producer. The fast form is the common one: stored, with everything the mode promises."""
        if request.is_oneway:
            return
        if result.status is PutStatus.OK:
            frame = send_answer(
                opaque=request.opaque,
                message_id=result.message_id,
                queue_id=queue_id,
                queue_offset=result.queue_offset,
                transaction_id=uniq_key,
                region=self._config.region_id,
                trace_on=self._config.trace_on,
            )
            channel.answer_raw(frame)
        else:
            channel.answer(self._general_answer(request, result, queue_id, uniq_key))

    def _answer_timer(self, answer: _Answer, handle: str, result: PutResult) -> None:
        """The same as for other messages, with what recalls this one."""
        answer.count(result)
        if answer.request.is_oneway:
            return
        told = self._general_answer(answer.request, result, answer.queue_id, answer.uniq_key)
        if result.status.is_stored and handle:
            told.ext_fields["recallHandle"] = handle
        answer.channel.answer(told)

    def _general_answer(
        self, request: RemotingCommand, result: PutResult, queue_id: int, uniq_key: str
    ) -> RemotingCommand:
        if not result.status.is_stored:
            code, remark = put_refusal(result.status, self._config, self._store)
            return request.response(code, remark, self.region_fields())
        fields = {"queueId": str(queue_id)}
        if uniq_key:
            fields["transactionId"] = uniq_key
        fields["msgId"] = result.message_id
        fields[PROPERTY_TRACE_ON] = self._trace_text
        fields[PROPERTY_MSG_REGION] = self._config.region_id
        fields["queueOffset"] = str(result.queue_offset)
        return request.response(stored_code(result.status), None, fields)

    # A batch.

    def _send_batch(self, channel: Channel, request: RemotingCommand, header: SendHeader) -> None:
        topic = self.target(channel, header)
        self._check_body(request.body)
        if names.is_retry_topic(header.topic):
            raise RequestRefused(
                ResponseCode.MESSAGE_ILLEGAL, f"batch request does not support retry group {header.topic}"
            )
        properties = decode_properties(header.properties)
        is_timed = not TIMER_KEYS.isdisjoint(properties)
        if header.sys_flag & TRANSACTION_TYPE_MASK or _delay_level(properties) > 0 or is_timed:
            raise RequestRefused(*put_refusal(PutStatus.MESSAGE_ILLEGAL, self._config))
        messages = self._batch_messages(channel, request, header, topic, properties)
        uniq_key = properties.get(PROPERTY_UNIQ_KEY, "")
        queue_id = messages[0].queue_id
        count = len(messages)

        def stored(result: PutResult) -> None:
            self.count(result, header.topic, count)
            if not request.is_oneway:
                channel.answer(self._general_answer(request, result, queue_id, uniq_key))

        self._store.put_batch(messages, stored)
        request.body = b""

    def _batch_messages(
        self,
        channel: Channel,
        request: RemotingCommand,
        header: SendHeader,
        topic: TopicConfig,
        properties: dict[str, str],
    ) -> list[MessageToStore]:
        """Items keep their own properties only, as on Apache."""
        try:
            items = decode_batch_body(request.body)
        except ValueError:
            items = []
        if not items:
            raise RequestRefused(*put_refusal(PutStatus.MESSAGE_ILLEGAL, self._config))
        queue_id = header.queue_id if header.queue_id >= 0 else self.pick_queue(topic)
        wait = properties.get(PROPERTY_WAIT, "true") != "false"
        sys_flag = header.sys_flag if topic.topic_filter_type != _MULTI_TAG else header.sys_flag | MULTI_TAGS_FLAG
        peer = born_host(channel)
        messages = []
        for item in items:
            tags = decode_properties(item.properties).get(PROPERTY_TAGS)
            messages.append(
                MessageToStore(
                    header.topic,
                    queue_id,
                    item.body,
                    item.properties,
                    header.born_timestamp_ms,
                    peer,
                    tag_hash(tags) if tags else 0,
                    item.flag,
                    sys_flag,
                    header.reconsume_times,
                    0,
                    wait,
                )
            )
        return messages

    # Checks.

    def _admit(self, channel: Channel, header: SendHeader) -> TopicConfig:
        """A topic that is not known, or not for everyone. Raises RequestRefused."""
        topic = header.topic
        remark = names.check_topic(topic)
        if remark is not None:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        if topic in names.NOT_ALLOWED_SEND_TOPICS:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"Sending message to topic[{topic}] is forbidden.")
        is_retry = names.is_retry_topic(topic)
        sys_flag = _unit_sys_flag(header.unit_mode, is_retry)
        created = self._topics.create_in_send(
            topic, header.default_topic, header.default_topic_queue_nums, sys_flag, channel.remote_address
        )
        if created is None and is_retry:
            created = self._topics.create_in_send_back(topic, 1, sys_flag)
        if created is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remarks.topic_not_exist_for_send(topic))
        return created

    def target(self, channel: Channel, header: SendHeader) -> TopicConfig:
        """The topic, where this message may go there whatever its body is. Raises RequestRefused."""
        topic = self._topics.topics.get(header.topic)
        if topic is None or header.topic in names.NOT_ALLOWED_SEND_TOPICS:
            topic = self._admit(channel, header)
        config = self._config
        start_ms = config.start_accept_send_request_time_stamp_ms
        if start_ms and self._clock.now_ms() < start_ms:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"broker unable to service, until {start_ms}")
        if topic.order and not is_writeable(self._context.broker_permission):
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{config.broker_ip1}] sending message is forbidden"
            )
        if header.queue_id >= max(topic.write_queue_nums, topic.read_queue_nums):
            raise RequestRefused(
                ResponseCode.INVALID_PARAMETER,
                f"request queueId[{header.queue_id}] is illegal, {topic} Producer: {channel.remote_address}",
            )
        return topic

    def _check_body(self, body: bytes) -> None:
        if not body or len(body) > self._config.max_message_size_bytes:
            raise RequestRefused(*put_refusal(PutStatus.MESSAGE_ILLEGAL, self._config))

    # What few messages ask for.

    def _uncommon(self, message: MessageToStore, properties: dict[str, str], uniq_key: str) -> MessageToStore:
        level = _delay_level(properties)
        # Clients before 4.6.1 leave the mark on a message that they send back for another try.
        if properties.get(PROPERTY_TRANSACTION_PREPARED, "").lower() == "true" and not (
            message.reconsume_times > 0 and level > 0
        ):
            return self._half(message, properties, uniq_key)
        if level > 0:
            return delayed(message, level, self._context.delay_levels_ms)
        return self._timer.timed(message, properties)

    def _half(self, message: MessageToStore, properties: dict[str, str], uniq_key: str) -> MessageToStore:
        if self._config.reject_transaction_message:
            remark = f"the broker[{self._config.broker_ip1}] sending transaction message is forbidden"
            raise RequestRefused(ResponseCode.NO_PERMISSION, remark)
        if not TIMER_KEYS.isdisjoint(properties):
            # Apache takes it and then delivers it to nobody: both want REAL_TOPIC for themselves.
            raise RequestRefused(*put_refusal(PutStatus.MESSAGE_ILLEGAL, self._config))
        half = prepared(message, uniq_key)
        if len(half.properties.encode("utf-8", "replace")) > PROPERTIES_MAX_BYTES - PROPERTIES_ROOM_BYTES:
            # It could be stored now, and its producer never be asked about it.
            raise RequestRefused(*put_refusal(PutStatus.PROPERTIES_SIZE_EXCEEDED, self._config))
        return half

    def _belongs_to_dead_letters(self, header: SendHeader) -> bool:
        """A consumer sends a message back by itself (%RETRY%group): has it been tried too often? Raises
        RequestRefused."""
        if not names.is_retry_topic(header.topic):
            return False
        group = header.topic[len(names.RETRY_GROUP_TOPIC_PREFIX) :]
        config = self._context.groups.find(group)
        if config is None:
            raise RequestRefused(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remarks.group_not_exist(group))
        limit = config.retry_max_times if header.max_reconsume_times is None else header.max_reconsume_times
        # A group that holds queue locks consumes in order: its client has tried in place before it gives the message
        # up.
        in_order = not self._context.locks.all_expired(group, self._clock.monotonic_ms())
        return header.reconsume_times > limit or in_order

    def _to_dead_letters(self, header: SendHeader, properties: dict[str, str]) -> tuple[SendHeader, TopicConfig]:
        name = names.dlq_topic(header.topic[len(names.RETRY_GROUP_TOPIC_PREFIX) :])
        topic = self._topics.create_in_send_back(name, DLQ_QUEUES, 0)
        properties[PROPERTY_DELAY] = "-1"
        return header._replace(topic=name, queue_id=0, properties=encode_properties(properties)), topic

    def count(self, result: PutResult, topic: str, messages: int) -> None:
        if result.status.is_stored:
            self._stats.put(topic, messages, result.size)

    def region_fields(self) -> dict[str, str]:
        return {PROPERTY_TRACE_ON: self._trace_text, PROPERTY_MSG_REGION: self._config.region_id}


_UNCOMMON = TIMER_KEYS | {PROPERTY_DELAY, PROPERTY_TRANSACTION_PREPARED}
#: Makes a message one of another type, which has no priority.
_OF_ANOTHER_TYPE = TIMER_KEYS | {PROPERTY_DELAY, PROPERTY_SHARDING_KEY}


class _Answer:
    """The one callback of a send: called by the store when the message is as safe as this broker promises."""

    __slots__ = ("_began_ms", "_processor", "_topic", "channel", "queue_id", "request", "uniq_key")

    def __init__(
        self,
        processor: SendMessageProcessor,
        channel: Channel,
        request: RemotingCommand,
        topic: str,
        *,
        queue_id: int,
        uniq_key: str,
    ) -> None:
        self._processor = processor
        self.channel = channel
        self.request = request
        self._topic = topic
        self.queue_id = queue_id
        self.uniq_key = uniq_key
        self._began_ms = processor.put_latency.begin()

    def __call__(self, result: PutResult) -> None:
        self.count(result)
        self._processor.answer(self.request, self.channel, result, self.queue_id, self.uniq_key)

    def count(self, result: PutResult) -> None:
        self._processor.put_latency.end(self._began_ms)
        self._processor.count(result, self._topic, 1)


def _by_priority(header: SendHeader, topic: TopicConfig, properties: dict[str, str]) -> SendHeader:
    """The queue of a message is its priority, or the topic's last one. A half message, a delayed one and one of a
    group in order lose the property, as on Apache."""
    try:
        priority = parse_int(properties[PROPERTY_PRIORITY])
    except FieldError:
        return header
    if priority < 0:
        return header
    is_half = properties.get(PROPERTY_TRANSACTION_PREPARED, "").lower() == "true"
    if not is_half and _OF_ANOTHER_TYPE.isdisjoint(properties):
        return header._replace(queue_id=min(priority, topic.write_queue_nums - 1))
    del properties[PROPERTY_PRIORITY]
    return header._replace(properties=encode_properties(properties))


def _delay_level(properties: dict[str, str]) -> int:
    """Raises RequestRefused for a DELAY that is no number."""
    value = properties.get(PROPERTY_DELAY)
    if value is None:
        return 0
    try:
        return int(value)
    except ValueError:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f'For input string: "{value[:64]}"') from None


def _unit_sys_flag(unit_mode: bool, is_retry: bool) -> int:
    """TopicSysFlag: 1 unit, 2 unit subscription."""
    if not unit_mode:
        return 0
    return 2 if is_retry else 1
