# SPDX-License-Identifier: Apache-2.0
"""Which code goes where: the one table of what this broker answers. Every other code is answered 3, "not supported"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import RequestCode, ResponseCode
from ...remoting.fields import FieldError
from ...remoting.json_body import BodyError
from ...rpc.channel_hub import not_supported
from ...rpc.errors import RequestRefused
from ..topic_attributes import AttributeRefused
from .ack_message import AckMessageProcessor
from .admin.auth import AuthAdmin
from .admin.broker import BrokerAdmin
from .admin.client import ClientAdmin
from .admin.consume_queue import ConsumeQueueAdmin
from .admin.group import GroupAdmin
from .admin.maintenance import MaintenanceAdmin
from .admin.offset import OffsetAdmin
from .admin.request_mode import RequestModeAdmin
from .admin.reset_offset import ResetOffsetAdmin
from .admin.topic import TopicAdmin
from .admin.transaction import TransactionAdmin
from .change_invisible_time import ChangeInvisibleTimeProcessor
from .client_manage import ClientManageProcessor
from .consumer_manage import ConsumerManageProcessor
from .consumer_send_back import ConsumerSendBackProcessor
from .end_transaction import EndTransactionProcessor
from .lock_batch import LockBatchProcessor
from .pop_message import PopMessageProcessor
from .pull_message import PullMessageProcessor
from .query_assignment import QueryAssignmentProcessor
from .query_message import QueryMessageProcessor
from .recall_message import RecallMessageProcessor
from .reply_message import ReplyMessageProcessor
from .send_message import SendMessageProcessor

if TYPE_CHECKING:
    import random

    from ...remoting.command import RemotingCommand
    from ...rpc import ChannelHub, Processor
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext
    from ..broker_fast_failure import Admit, BrokerFastFailure
    from ..topic_route_info_manager import TopicRouteInfoManager


class Processors:
    """All processors of one broker. `pull` and `pop` are named because arriving messages and closed connections concern
    them."""

    def __init__(self, context: BrokerContext, dice: random.Random, routes: TopicRouteInfoManager) -> None:
        self.pull = PullMessageProcessor(context)
        self.pop = PopMessageProcessor(context, dice)
        ack = AckMessageProcessor(context)
        send = SendMessageProcessor(context, dice)
        reply = ReplyMessageProcessor(context, send)
        query = QueryMessageProcessor(context)
        consumer = ConsumerManageProcessor(context)
        client = ClientManageProcessor(context)
        lock = LockBatchProcessor(context)
        self._access = context.access
        self.table: dict[RequestCode, Processor] = {
            RequestCode.SEND_MESSAGE: send,
            RequestCode.SEND_MESSAGE_V2: send,
            RequestCode.SEND_BATCH_MESSAGE: send,
            RequestCode.SEND_REPLY_MESSAGE: reply,
            RequestCode.SEND_REPLY_MESSAGE_V2: reply,
            RequestCode.QUERY_MESSAGE: query.query,
            RequestCode.VIEW_MESSAGE_BY_ID: query.view,
            RequestCode.QUERY_CONSUME_QUEUE: ConsumeQueueAdmin(context).query,
            RequestCode.CONSUMER_SEND_MSG_BACK: ConsumerSendBackProcessor(context, dice),
            RequestCode.RECALL_MESSAGE: RecallMessageProcessor(context, dice),
            RequestCode.END_TRANSACTION: EndTransactionProcessor(context),
            RequestCode.PULL_MESSAGE: self.pull,
            RequestCode.LITE_PULL_MESSAGE: self.pull,
            RequestCode.QUERY_ASSIGNMENT: QueryAssignmentProcessor(context, routes),
            RequestCode.POP_MESSAGE: self.pop,
            RequestCode.ACK_MESSAGE: ack.ack,
            RequestCode.BATCH_ACK_MESSAGE: ack.batch_ack,
            RequestCode.CHANGE_MESSAGE_INVISIBLETIME: ChangeInvisibleTimeProcessor(context),
            RequestCode.QUERY_CONSUMER_OFFSET: consumer.query_offset,
            RequestCode.UPDATE_CONSUMER_OFFSET: consumer.update_offset,
            RequestCode.GET_CONSUMER_LIST_BY_GROUP: consumer.consumer_list,
            RequestCode.HEART_BEAT: client.heartbeat,
            RequestCode.UNREGISTER_CLIENT: client.unregister,
            RequestCode.CHECK_CLIENT_CONFIG: client.check_client_config,
            RequestCode.LOCK_BATCH_MQ: lock.lock,
            RequestCode.UNLOCK_BATCH_MQ: lock.unlock,
            **administration(context),
        }

    def register(self, server: ChannelHub, fast_failure: BrokerFastFailure) -> None:
        for code, processor in self.table.items():
            server.register(code, _refusing(self._access.guard(code, processor), fast_failure.admission(code)))
        server.default(self._access.guard_unknown(not_supported))


def administration(context: BrokerContext) -> dict[RequestCode, Processor]:
    """What tools and other brokers ask."""
    topic = TopicAdmin(context)
    group = GroupAdmin(context)
    offset = OffsetAdmin(context)
    clients = ClientAdmin(context)
    broker = BrokerAdmin(context)
    reset = ResetOffsetAdmin(context)
    modes = RequestModeAdmin(context)
    maintenance = MaintenanceAdmin(context)
    return {
        RequestCode.UPDATE_AND_CREATE_TOPIC: topic.create,
        RequestCode.UPDATE_AND_CREATE_TOPIC_LIST: topic.create_list,
        RequestCode.DELETE_TOPIC_IN_BROKER: topic.delete,
        RequestCode.GET_ALL_TOPIC_CONFIG: topic.all_topics,
        RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER: topic.system_topics,
        RequestCode.GET_TOPIC_CONFIG: topic.one_topic,
        RequestCode.GET_TOPIC_STATS_INFO: topic.stats,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: group.create,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: group.create_list,
        RequestCode.DELETE_SUBSCRIPTIONGROUP: group.delete,
        RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: group.all_groups,
        RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: group.one_group,
        RequestCode.QUERY_TOPIC_CONSUME_BY_WHO: group.consumers_of_topic,
        RequestCode.QUERY_TOPICS_BY_CONSUMER: group.topics_of_consumer,
        RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER: group.subscription,
        RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN: group.forbidden,
        RequestCode.SET_MESSAGE_REQUEST_MODE: modes.set,
        RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: modes.all_modes,
        RequestCode.SEARCH_OFFSET_BY_TIMESTAMP: offset.search_by_time,
        RequestCode.GET_MAX_OFFSET: offset.max_offset,
        RequestCode.GET_MIN_OFFSET: offset.min_offset,
        RequestCode.GET_EARLIEST_MSG_STORETIME: offset.earliest_store_time,
        RequestCode.GET_ALL_CONSUMER_OFFSET: offset.all_consumer_offsets,
        RequestCode.GET_ALL_DELAY_OFFSET: offset.all_delay_offsets,
        RequestCode.GET_CONSUME_STATS: offset.consume_stats,
        RequestCode.GET_BROKER_CONSUME_STATS: offset.all_consume_stats,
        RequestCode.QUERY_CONSUME_TIME_SPAN: offset.consume_time_span,
        RequestCode.QUERY_CORRECTION_OFFSET: offset.correction_offset,
        RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: reset.reset,
        RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: reset.consumer_status,
        RequestCode.CLONE_GROUP_OFFSET: reset.clone,
        RequestCode.GET_CONSUMER_CONNECTION_LIST: clients.consumer_connections,
        RequestCode.GET_PRODUCER_CONNECTION_LIST: clients.producer_connections,
        RequestCode.GET_ALL_PRODUCER_INFO: clients.all_producers,
        RequestCode.GET_CONSUMER_RUNNING_INFO: clients.consumer_running_info,
        RequestCode.CONSUME_MESSAGE_DIRECTLY: clients.consume_directly,
        RequestCode.RESUME_CHECK_HALF_MESSAGE: TransactionAdmin(context).resume_check,
        RequestCode.UPDATE_BROKER_CONFIG: broker.update_config,
        RequestCode.GET_BROKER_CONFIG: broker.config,
        RequestCode.GET_BROKER_RUNTIME_INFO: broker.runtime,
        RequestCode.GET_BROKER_HA_STATUS: broker.ha_status,
        RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE: maintenance.clean_expired_consume_queues,
        RequestCode.CLEAN_UNUSED_TOPIC: maintenance.clean_unused_topics,
        RequestCode.DELETE_EXPIRED_COMMITLOG: maintenance.delete_expired_commit_log,
        RequestCode.VIEW_BROKER_STATS_DATA: maintenance.stats,
        RequestCode.GET_TIMER_CHECK_POINT: maintenance.timer_checkpoint,
        RequestCode.GET_TIMER_METRICS: maintenance.timer_metrics,
        RequestCode.RESET_MASTER_FLUSH_OFFSET: maintenance.reset_master_flush_offset,
        **AuthAdmin(context).table(),
    }


def _refusing(processor: Processor, admit: Admit | None) -> Processor:
    """What a stranger got wrong is code 1 with the cause, and no fault of this broker that would have to be logged.
    admit may refuse the request before anything is done for it."""

    def process(channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if admit is not None:
            admit()
        try:
            return processor(channel, request)
        except (FieldError, BodyError, AttributeRefused) as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from error

    return process
