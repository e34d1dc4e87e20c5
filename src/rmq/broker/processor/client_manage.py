# SPDX-License-Identifier: Apache-2.0
"""Clients come and go: 34 heartbeat, 35 unregister, 46 check of a subscription. Answers to Apache's
ClientManageProcessor.

A heartbeat creates its groups (autoCreateSubscriptionGroup) and their retry topics. With a fingerprint (heartbeat v2)
a client may leave its subscriptions out; IS_SUB_CHANGE tells it that another client of a group has another
fingerprint, so that it sends them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...filter import FilterError
from ...remoting.bodies import HeartbeatData
from ...remoting.codes import ResponseCode
from ...remoting.fields import text_field
from ...remoting.topic_names import check_group, retry_topic
from ..client_channel_info import ClientChannelInfo
from ..consumer_filter_manager import check_expression
from ..consumer_group_info import CONSUME_ACTIVELY
from ..consumer_manager import ConsumerTraits
from ..subscription import is_tag_type
from . import remarks
from .request_body import json_object

if TYPE_CHECKING:
    from ...remoting.bodies import ConsumerData
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext

#: TopicSysFlag of a retry topic whose consumers run in unit mode.
UNIT_SUBSCRIPTION_FLAG = 2


class ClientManageProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context

    def heartbeat(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        data = HeartbeatData.decode(request.body)
        client = self._client(channel, request, data.client_id)
        is_v2 = data.heartbeat_fingerprint != 0
        changed = not is_v2
        for consumer in data.consumer_data_set:
            if self._context.config.reject_pull_consumer_enable and consumer.consume_type == CONSUME_ACTIVELY:
                continue
            known = self._context.consumers.get(consumer.group_name)
            changed |= known is not None and known.fingerprint != data.heartbeat_fingerprint
            self._register_consumer(consumer, client, with_subscriptions=not (is_v2 and data.without_sub))
            info = self._context.consumers.get(consumer.group_name)
            if info is not None:
                info.fingerprint = data.heartbeat_fingerprint
        for producer in data.producer_data_set:
            if check_group(producer.group_name) is None:
                self._context.producers.register(producer.group_name, client)
        fields = {"IS_SUPPORT_HEART_BEAT_V2": "true", "IS_SUB_CHANGE": "true" if changed else "false"}
        return request.response(ResponseCode.SUCCESS, None, fields)

    def unregister(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        text_field(fields, "clientID")
        producer_group = fields.get("producerGroup")
        if producer_group is not None:
            self._context.producers.unregister(producer_group, channel)
        consumer_group = fields.get("consumerGroup")
        if consumer_group is not None:
            group = self._context.groups.groups.get(consumer_group)
            notify = group is None or group.notify_consumer_ids_changed_enable
            self._context.consumers.unregister(consumer_group, channel, notify=notify)
        return request.response(ResponseCode.SUCCESS)

    def check_client_config(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Whether a subscription can be filtered by, which a client asks at its start."""
        subscription = json_object(request).get("subscriptionData")
        fields = subscription if isinstance(subscription, dict) else {}
        expression_type = fields.get("expressionType")
        if is_tag_type(expression_type):
            return request.response(ResponseCode.SUCCESS)
        if not self._context.config.enable_property_filter:
            return request.response(ResponseCode.SYSTEM_ERROR, remarks.no_filter_by(expression_type))
        try:
            check_expression(str(expression_type), str(fields.get("subString") or ""))
        except FilterError as error:
            return request.response(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error))
        return request.response(ResponseCode.SUCCESS)

    def _client(self, channel: Channel, request: RemotingCommand, client_id: str) -> ClientChannelInfo:
        clock = self._context.clock
        return ClientChannelInfo(
            channel, client_id, request.language, request.version, clock.monotonic_ms(), clock.now_ms()
        )

    def _register_consumer(self, data: ConsumerData, client: ClientChannelInfo, *, with_subscriptions: bool) -> None:
        context = self._context
        group = context.groups.find(data.group_name)
        if group is None:
            return
        subscriptions = data.subscription_data_set
        context.topics.create_in_send_back(
            retry_topic(data.group_name),
            group.retry_queue_nums,
            UNIT_SUBSCRIPTION_FLAG if data.unit_mode else 0,
            order=any(context.topics.is_order_topic(item.topic) for item in subscriptions),
        )
        context.consumers.register(
            data.group_name,
            client,
            ConsumerTraits(data.consume_type, data.message_model, data.consume_from_where),
            subscriptions if with_subscriptions else None,
            notify=group.notify_consumer_ids_changed_enable,
        )
        if with_subscriptions:
            context.filters.register(data.group_name, subscriptions)
