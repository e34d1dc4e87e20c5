# SPDX-License-Identifier: Apache-2.0
"""Connected clients: 203, 204, 328 who is there; 307 what one of them is doing, 309 have it consume one message (both
asked of the client, its answer relayed)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting import java_json
from ....remoting.bodies import ConsumerConnection, ProducerConnection
from ....remoting.codes import RequestCode, ResponseCode
from ....remoting.command import RemotingCommand
from ....remoting.fields import text_field
from ....remoting.message_id import parse_offset_message_id
from ....remoting.signature import without_proof
from ....rpc.errors import CallFailed, RequestRefused, TimedOut
from ...auth.model import Action

if TYPE_CHECKING:
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext
    from ...client_channel_info import ClientChannelInfo

#: Apache's Broker2Client waits this long for a client.
CALL_CLIENT_TIMEOUT_MS = 10_000


class ClientAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context

    def consumer_connections(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        group = text_field(request.ext_fields, "consumerGroup")
        info = self._context.consumers.get(group)
        if info is None:
            return request.response(ResponseCode.CONSUMER_NOT_ONLINE, f"the consumer group[{group}] not online")
        body = ConsumerConnection(
            [client.to_connection() for client in info.channels.values()],
            info.consume_from_where,
            info.consume_type,
            info.message_model,
            info.subscriptions,
        )
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def producer_connections(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        group = text_field(request.ext_fields, "producerGroup")
        clients = self._context.producers.clients(group)
        if clients is None:
            return request.response(ResponseCode.SYSTEM_ERROR, f"the producer group[{group}] not exist")
        body = ProducerConnection([client.to_connection() for client in clients])
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def all_producers(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        table = {
            group: [_producer_info(client) for client in clients]
            for group, clients in self._context.producers.table().items()
        }
        return request.response(ResponseCode.SUCCESS, body=java_json.dumps_bytes({"data": table}))

    def consumer_running_info(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return self._relay(channel, request, RequestCode.GET_CONSUMER_RUNNING_INFO, {}, request.body)

    def consume_directly(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """The client gets the record, consumes it and says what came of it."""
        fields = request.ext_fields
        try:
            _, physical_offset = parse_offset_message_id(text_field(fields, "msgId"))
        except ValueError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"msgId: {error}") from None
        record = self._context.store.record_at(physical_offset)
        if record is None:
            remark = f"no message begins at {physical_offset}, where the msgId points to"
            return request.response(ResponseCode.SYSTEM_ERROR, remark)
        self._context.access.check_record(channel, request, record, Action.SUB)
        more = {"brokerName": self._context.config.broker_name}
        topic = self._context.topics.get(fields.get("topic", ""))
        if topic is not None:
            more["topicSysFlag"] = str(topic.topic_sys_flag)
        group = self._context.groups.groups.get(fields.get("consumerGroup", ""))
        if group is not None:
            more["groupSysFlag"] = str(group.group_sys_flag)
        return self._relay(channel, request, RequestCode.CONSUME_MESSAGE_DIRECTLY, more, bytes(record))

    def _relay(
        self, channel: Channel, request: RemotingCommand, code: RequestCode, more: dict[str, str], body: bytes
    ) -> RemotingCommand | None:
        fields = request.ext_fields
        group, client_id = text_field(fields, "consumerGroup"), text_field(fields, "clientId")
        info = self._context.consumers.get(group)
        client = info.find_client(client_id) if info is not None else None
        if client is None:
            remark = f"The Consumer <{group}> <{client_id}> not online"
            return request.response(ResponseCode.SYSTEM_ERROR, remark)
        # The administrator's signature would hold for other requests too: the client must not see it.
        call = RemotingCommand.request(code, {**without_proof(fields), **more}, body)
        who = f"consumer <{group}> <{client_id}>"
        client.channel.invoke(
            call, CALL_CLIENT_TIMEOUT_MS, lambda result: channel.answer(_relayed(request, result, who))
        )
        return None


def _relayed(request: RemotingCommand, result: RemotingCommand | CallFailed, who: str) -> RemotingCommand:
    if isinstance(result, TimedOut):
        return request.response(ResponseCode.CONSUME_MSG_TIMEOUT, f"{who} Timeout: {result}")
    if isinstance(result, CallFailed):
        return request.response(ResponseCode.SYSTEM_ERROR, f"invoke {who} Exception: {result}")
    return request.response(result.code, result.remark, result.ext_fields, result.body)


def _producer_info(client: ClientChannelInfo) -> dict[str, object]:
    return {
        "clientId": client.client_id,
        "language": client.language,
        "lastUpdateTimestamp": client.last_update_timestamp_ms,
        "remoteIP": f"/{client.channel.remote_address}",
        "version": client.version,
    }
