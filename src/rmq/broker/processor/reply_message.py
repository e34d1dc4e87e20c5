# SPDX-License-Identifier: Apache-2.0
"""The reply of a request-reply: 324 and 325, pushed on to the requester by 326. Answers to Apache's
ReplyMessageProcessor.

    responder ── 325 ──> broker ── 326 ──> requester
                         broker <── 0 ──── requester
    responder <── 0 ──── broker

The message that is replied to names its requester (property REPLY_TO_CLIENT, a client id), who is looked for among
this broker's producers. The reply is stored too (storeReplyMessageEnable), whether it could be pushed or not; nobody
consumes it, and where it cannot be stored the answer does not say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import RequestCode, ResponseCode
from ...remoting.command import SERVER_LANGUAGE, RemotingCommand
from ...remoting.fields import FieldError
from ...remoting.java_hash import tag_hash
from ...remoting.message_const import (
    PROPERTY_PUSH_REPLY_TIME,
    PROPERTY_REPLY_TO_CLIENT,
    PROPERTY_TAGS,
    TRANSACTION_TYPE_MASK,
)
from ...remoting.message_properties import decode_properties, encode_properties
from ...remoting.send_header import SendHeader, send_header
from ...rpc.errors import CallFailed, RequestRefused
from ...store.put_message import MessageToStore, PutResult
from .born_host import born_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext
    from .send_message import SendMessageProcessor

#: Apache waits so long for a client that it calls.
PUSH_TIMEOUT_MS = 10_000


class ReplyMessageProcessor:
    def __init__(self, context: BrokerContext, send: SendMessageProcessor) -> None:
        """send: a reply is checked and numbered as any other message."""
        self._context = context
        self._config = context.config
        self._send = send

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        header = send_header(request)
        try:
            topic = self._send.target(channel, header)
            queue_id = header.queue_id if header.queue_id >= 0 else self._send.pick_queue(topic)
        except (RequestRefused, FieldError) as error:
            code = error.code if isinstance(error, RequestRefused) else ResponseCode.SYSTEM_ERROR
            return request.response(code, str(error), self._send.region_fields())
        properties = decode_properties(header.properties)

        def pushed(fault: str | None) -> None:
            answer = self._answer(request, fault, queue_id)
            if not self._config.store_reply_message_enable:
                channel.answer(answer)
                return
            message = self._message(channel, request, header, properties.get(PROPERTY_TAGS), queue_id)
            self._context.store.put(message, lambda result: self._stored(channel, answer, result, message))

        self._push(channel, request, header, properties, pushed)
        return None

    def _push(
        self,
        channel: Channel,
        request: RemotingCommand,
        header: SendHeader,
        properties: dict[str, str],
        done: Callable[[str | None], None],
    ) -> None:
        """done(None) when the requester took the reply, else done(remark)."""
        client_id = properties.get(PROPERTY_REPLY_TO_CLIENT)
        if client_id is None:
            done(f"reply message properties[{PROPERTY_REPLY_TO_CLIENT}] is null")
            return
        requester = self._context.producers.find_channel(client_id)
        if requester is None:
            done(f"push reply message fail, channel of <{client_id}> not found.")
            return

        def answered(outcome: RemotingCommand | CallFailed) -> None:
            taken = isinstance(outcome, RemotingCommand) and outcome.code == ResponseCode.SUCCESS
            done(None if taken else f"push reply message to {client_id}fail.")

        requester.invoke(self._push_command(channel, request, header, properties), PUSH_TIMEOUT_MS, answered)

    def _push_command(
        self, channel: Channel, request: RemotingCommand, header: SendHeader, properties: dict[str, str]
    ) -> RemotingCommand:
        now_ms = str(self._context.clock.now_ms())
        command = RemotingCommand.request(
            RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT,
            {
                "bornHost": channel.remote_address,
                "storeHost": self._config.broker_addr,
                "storeTimestamp": now_ms,
                "producerGroup": header.producer_group,
                "topic": header.topic,
                "defaultTopic": header.default_topic,
                "defaultTopicQueueNums": str(header.default_topic_queue_nums),
                "queueId": str(header.queue_id),
                "sysFlag": str(header.sys_flag),
                "bornTimestamp": str(header.born_timestamp_ms),
                "flag": str(header.flag),
                "properties": encode_properties({**properties, PROPERTY_PUSH_REPLY_TIME: now_ms}),
                "reconsumeTimes": str(header.reconsume_times),
                "unitMode": "true" if header.unit_mode else "false",
            },
            request.body,
        )
        command.language = SERVER_LANGUAGE
        return command

    def _answer(self, request: RemotingCommand, fault: str | None, queue_id: int) -> RemotingCommand:
        fields = self._send.region_fields()
        if fault is not None:
            return request.response(ResponseCode.SYSTEM_ERROR, fault, fields)
        # Java clients want numbers there; what is stored has better ones.
        fields |= {"msgId": "0", "queueId": str(queue_id), "queueOffset": "0"}
        return request.response(ResponseCode.SUCCESS, None, fields)

    def _message(
        self, channel: Channel, request: RemotingCommand, header: SendHeader, tags: str | None, queue_id: int
    ) -> MessageToStore:
        return MessageToStore(
            header.topic,
            queue_id,
            request.body,
            header.properties,
            header.born_timestamp_ms,
            born_host(channel),
            tag_hash(tags) if tags else 0,
            header.flag,
            # A reply is no part of a transaction. (Apache drops the whole sysFlag, so that nothing in its log says that
            # the body is compressed.)
            header.sys_flag & ~TRANSACTION_TYPE_MASK,
            header.reconsume_times,
        )

    def _stored(self, channel: Channel, answer: RemotingCommand, result: PutResult, message: MessageToStore) -> None:
        """A reply that nobody took is stored too, and its error says where."""
        self._send.count(result, message.topic, 1)
        if result.status.is_stored and answer.ext_fields is not None:
            answer.ext_fields["queueId"] = str(message.queue_id)
            answer.ext_fields["msgId"] = result.message_id
            answer.ext_fields["queueOffset"] = str(result.queue_offset)
        channel.answer(answer)
