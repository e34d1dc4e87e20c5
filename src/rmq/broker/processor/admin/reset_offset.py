# SPDX-License-Identifier: Apache-2.0
"""Setting a group's offsets: 222 reset by time, 314 clone; 223 what its clients have.

With useServerSideResetOffset (Apache's default) the broker sets the offsets itself: commits of a queue are passed over
until the group's next pull of it has been answered with the new offset. Without it the broker tells the clients (220),
and they set theirs. Answers to AdminBrokerProcessor.resetOffset and Broker2Client.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ....remoting.bodies import (
    GetConsumerStatusBody,
    MessageQueue,
    MessageQueueForC,
    ResetOffsetBody,
    ResetOffsetBodyForC,
)
from ....remoting.codes import RequestCode, ResponseCode
from ....remoting.command import SERVER_LANGUAGE, RemotingCommand
from ....remoting.fields import bool_field, int_field, long_field, text_field
from ....remoting.json_body import BodyError
from ....remoting.topic_names import check_group
from ....rpc.errors import RequestRefused

if TYPE_CHECKING:
    from ....remoting.bodies import TopicConfig
    from ....rpc.channel import Channel
    from ....rpc.errors import CallFailed
    from ...broker_context import BrokerContext
    from ...client_channel_info import ClientChannelInfo

#: Apache's Broker2Client waits this long for each client.
CALL_CLIENT_TIMEOUT_MS = 5_000

#: The language of clients that read a reset's table in another form.
CPP = "CPP"


class ResetOffsetAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._store = context.store
        self._offsets = context.offsets

    def reset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        if self._context.config.use_server_side_reset_offset:
            return self._reset_here(request)
        return self._reset_at_clients(request)

    def clone(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """One topic's offsets, or those of every topic, become another group's too."""
        fields = request.ext_fields
        source, target = text_field(fields, "srcGroup"), text_field(fields, "destGroup")
        remark = check_group(target)
        if remark is not None:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        topic = fields.get("topic", "").strip()
        for name in [topic] if topic else self._offsets.topics_of_group(source):
            if self._context.topics.get(name) is None:
                continue
            if bool_field(fields, "offline") or self._may_consume(source, name):
                self._offsets.clone(source, target, name)
        return request.response(ResponseCode.SUCCESS)

    def consumer_status(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """Each client of the group is asked (221) for the offsets it has now, or one of them alone."""
        fields = request.ext_fields
        topic, group = text_field(fields, "topic"), text_field(fields, "group")
        wanted = fields.get("clientAddr", "").strip()
        info = self._context.consumers.get(group)
        if info is None or not info.channels:
            remark = f"No Any Consumer online in the consumer group: [{group}]"
            return request.response(ResponseCode.SYSTEM_ERROR, remark)
        clients = [client for client in info.channels.values() if wanted in ("", client.client_id)]
        table: dict[str, dict[MessageQueue, int]] = {}
        waiting = set(range(len(clients)))

        def answered(index: int, result: RemotingCommand | CallFailed) -> None:
            waiting.discard(index)
            own = _own_status(result)
            if own is not None:
                table[clients[index].client_id] = own
            if not waiting:
                channel.answer(request.response(ResponseCode.SUCCESS, body=GetConsumerStatusBody(table).encode()))

        if not clients:
            return request.response(ResponseCode.SUCCESS, body=GetConsumerStatusBody().encode())
        for index, client in enumerate(clients):
            call = _to_client(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, {"topic": topic, "group": group})
            client.channel.invoke(call, CALL_CLIENT_TIMEOUT_MS, partial(answered, index))
        return None

    # By the broker.

    def _reset_here(self, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        group, name = text_field(fields, "group"), text_field(fields, "topic")
        if self._context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_ERROR, "Can not reset offset in slave broker")
        topic = self._context.topics.get(name)
        if topic is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"Topic {name} does not exist")
        if not self._context.groups.contains(group):
            return request.response(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"Group {group} does not exist")
        wanted = self._wanted(request, topic)
        if not wanted:
            return request.response(ResponseCode.SYSTEM_ERROR, "No queues to reset.")
        for queue_id, queue_offset in wanted.items():
            self._offsets.assign_reset(group, name, queue_id, queue_offset)
        table = {self._queue(name, queue_id): queue_offset for queue_id, queue_offset in wanted.items()}
        return request.response(ResponseCode.SUCCESS, body=ResetOffsetBody(table).encode())

    def _wanted(self, request: RemotingCommand, topic: TopicConfig) -> dict[int, int]:
        """Queue id -> queue offset: one queue's (by offset or time), or every queue's by time."""
        fields = request.ext_fields
        queue_id, queue_offset = int_field(fields, "queueId", -1), long_field(fields, "offset", -1)
        timestamp_ms = long_field(fields, "timestamp")
        name = topic.topic_name
        if queue_id < 0:
            return {each: self._offset_at(name, each, timestamp_ms) for each in range(topic.read_queue_nums)}
        if queue_id >= max(topic.read_queue_nums, topic.write_queue_nums):
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, f"topic {name} has no queue {queue_id}")
        if queue_offset == -1:
            return {queue_id: self._offset_at(name, queue_id, timestamp_ms)}
        low, high = self._store.min_offset(name, queue_id), self._store.max_offset(name, queue_id)
        if not low <= queue_offset <= high + 1:
            remark = f"Target offset {queue_offset} not in consume queue range [{low}-{high}]"
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, remark)
        return {queue_id: queue_offset}

    # By the clients.

    def _reset_at_clients(self, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        group, name = text_field(fields, "group"), text_field(fields, "topic")
        timestamp_ms, is_forced = long_field(fields, "timestamp"), bool_field(fields, "isForce")
        topic = self._context.topics.get(name)
        if topic is None:
            remark = f"[reset-offset] reset offset failed, no topic in this broker. topic={name}"
            return request.response(ResponseCode.TOPIC_NOT_EXIST, remark)
        table: dict[MessageQueue, int] = {}
        for queue_id in range(topic.write_queue_nums):
            consumed = self._offsets.query(group, name, queue_id)
            if consumed == -1:
                return request.response(ResponseCode.SYSTEM_ERROR, f"THe consumer group <{group}> not exist")
            wanted = self._offset_at(name, queue_id, timestamp_ms)
            table[self._queue(name, queue_id)] = wanted if is_forced or wanted < consumed else consumed
        info = self._context.consumers.get(group)
        if info is None or not info.channels:
            remark = (
                f"Consumer not online, so can not reset offset, Group: {group} Topic: {name} Timestamp: {timestamp_ms}"
            )
            return request.response(ResponseCode.CONSUMER_NOT_ONLINE, remark)
        body = _rows_for_c(table).encode() if request.language == CPP else ResetOffsetBody(table).encode()
        told = {"topic": name, "group": group, "timestamp": str(timestamp_ms), "isForce": "false", "queueId": "-1"}
        for client in list(info.channels.values()):
            _tell(client, told, body)
        return request.response(ResponseCode.SUCCESS, body=ResetOffsetBody(table).encode())

    def _may_consume(self, group: str, topic: str) -> bool:
        """A group that is connected consumes what it subscribes to now."""
        info = self._context.consumers.get(group)
        return info is None or not info.subscriptions or topic in info.subscriptions

    def _offset_at(self, topic: str, queue_id: int, timestamp_ms: int) -> int:
        """A time below 0 is the end of the queue."""
        if timestamp_ms < 0:
            return max(0, self._store.max_offset(topic, queue_id))
        return max(0, self._store.offset_by_time(topic, queue_id, timestamp_ms))

    def _queue(self, topic: str, queue_id: int) -> MessageQueue:
        return MessageQueue(self._context.config.broker_name, queue_id, topic)


def _to_client(
    code: RequestCode, fields: dict[str, str], body: bytes = b"", *, oneway: bool = False
) -> RemotingCommand:
    command = RemotingCommand.request(code, fields, body, oneway=oneway)
    command.language = SERVER_LANGUAGE
    return command


def _tell(client: ClientChannelInfo, fields: dict[str, str], body: bytes) -> None:
    client.channel.push(_to_client(RequestCode.RESET_CONSUMER_CLIENT_OFFSET, fields, body, oneway=True))


def _rows_for_c(table: dict[MessageQueue, int]) -> ResetOffsetBodyForC:
    return ResetOffsetBodyForC(
        [MessageQueueForC(queue.broker_name, offset, queue.queue_id, queue.topic) for queue, offset in table.items()]
    )


def _own_status(result: RemotingCommand | CallFailed) -> dict[MessageQueue, int] | None:
    """What a client has; None where it did not say."""
    if not isinstance(result, RemotingCommand) or result.code != ResponseCode.SUCCESS or not result.body:
        return None
    try:
        return GetConsumerStatusBody.decode(result.body).message_queue_table
    except BodyError:
        return None
