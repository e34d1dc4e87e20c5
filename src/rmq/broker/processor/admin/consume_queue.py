# SPDX-License-Identifier: Apache-2.0
"""Looking into a consume queue: 321, for mqadmin's queryCq."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.bodies import ConsumeQueueData, QueryConsumeQueueResponseBody
from ....remoting.codes import ResponseCode
from ....remoting.fields import int_field, long_field, text_field

if TYPE_CHECKING:
    from ....remoting.bodies import SubscriptionData
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext

#: One answer's units: about a megabyte of JSON. Apache has no limit; its tool asks for 10.
COUNT_MAX = 10_000


class ConsumeQueueAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._store = context.store
        self._consumers = context.consumers

    def query(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        topic, queue_id = text_field(fields, "topic"), int_field(fields, "queueId")
        index, count = long_field(fields, "index"), int_field(fields, "count")
        units = self._store.units(topic, queue_id, index, min(max(count, 0), COUNT_MAX))
        if units is None:
            return request.response(ResponseCode.SYSTEM_ERROR, f"{queue_id}@{topic} is not exist!")
        maximum = self._store.max_offset(topic, queue_id)
        minimum = self._store.min_offset(topic, queue_id)
        if not minimum <= index < maximum:
            # SUCCESS without a body, as on Apache.
            return request.response(ResponseCode.SUCCESS, f"Index {index} of {queue_id}@{topic} is not exist!")
        subscription, filter_data = self._subscription(fields.get("consumerGroup"), topic)
        body = QueryConsumeQueueResponseBody(
            filter_data=filter_data,
            max_queue_index=maximum,
            min_queue_index=minimum,
            queue_data=[
                ConsumeQueueData(physic_offset=physical_offset, physic_size=size, tags_code=tags_code)
                for physical_offset, size, tags_code in units
            ],
            subscription_data=subscription,
        )
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def _subscription(self, group: str | None, topic: str) -> tuple[SubscriptionData | None, str | None]:
        """What the group asked for, and Apache's words on it: `null` stands for "no filter by properties"."""
        if group is None:
            return None, None
        info = self._consumers.get(group)
        subscription = info.subscriptions.get(topic) if info is not None else None
        if subscription is None:
            return None, f"{group}@{topic} is not online!"
        return subscription, "null"
