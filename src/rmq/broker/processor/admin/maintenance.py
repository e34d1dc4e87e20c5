# SPDX-License-Identifier: Apache-2.0
"""Looking after the store: 306, 316, 329 clean now; 315 statistics; 60, 61, 908 what pairs of brokers ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.codes import ResponseCode
from ....remoting.fields import long_field, text_field
from ....remoting.topic_names import is_system_topic

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext

#: A topic's queues are unused only when nothing came for so long: a slave may have a new topic's messages a moment
#: before it has the topic.
UNUSED_AFTER_MS = 60_000


class MaintenanceAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._store = context.store

    def clean_expired_consume_queues(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        self._store.clean_expired_consume_queues()
        return request.response(ResponseCode.SUCCESS)

    def clean_unused_topics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Queues of topics that this broker does not have any more."""
        for topic, queue_ids in self._store.queues().items():
            if self._context.topics.get(topic) is None and not is_system_topic(topic):
                self._clean_if_old(topic, queue_ids)
        return request.response(ResponseCode.SUCCESS)

    def delete_expired_commit_log(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Expired files go now and not only in the hours of deleteWhen."""
        self._store.delete_expired_commit_log()
        return request.response(ResponseCode.SUCCESS)

    def stats(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        name, key = text_field(request.ext_fields, "statsName"), text_field(request.ext_fields, "statsKey")
        data = self._context.stats.view(name, key, self._context.config.broker_cluster_name)
        if data is None:
            return request.response(ResponseCode.SYSTEM_ERROR, f"The stats <{name}> <{key}> not exist")
        return request.response(ResponseCode.SUCCESS, body=data.encode())

    def timer_checkpoint(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """A slave asks each 3 s."""
        if self._context.timer is None:
            return request.response(ResponseCode.SYSTEM_ERROR, "The checkpoint is null")
        return request.response(ResponseCode.SUCCESS, body=self._context.timer.checkpoint().encode())

    def timer_metrics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        if self._context.timer is None:
            return request.response(ResponseCode.SYSTEM_ERROR, "The timer message store is null")
        return request.response(ResponseCode.SUCCESS, body=self._context.timer.metrics.wrapper().encode())

    def reset_master_flush_offset(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Only a slave in controller mode looks at this offset; elsewhere it changes nothing, on Apache too."""
        if self._context.config.is_slave:
            long_field(request.ext_fields, "masterFlushOffset", 0)
        return request.response(ResponseCode.SUCCESS)

    def _clean_if_old(self, topic: str, queue_ids: list[int]) -> None:
        newest_ms = max(
            self._store.store_time(topic, queue_id, self._store.max_offset(topic, queue_id) - 1)
            for queue_id in queue_ids
        )
        if self._context.clock.now_ms() - newest_ms > UNUSED_AFTER_MS:
            self._store.delete_topic(topic)
