# SPDX-License-Identifier: Apache-2.0
"""Which queues a client shall fetch, and how: 400. Answers to Apache's QueryAssignmentProcessor.

A client with setClientRebalance(false) asks for each topic again and again. No list means: keep what you have; an
empty list: give up what you have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.bodies import (
    MessageQueueAssignment,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
    SetMessageRequestModeRequestBody,
)
from ...remoting.codes import ResponseCode
from ..consumer_group_info import BROADCASTING
from ..pop.allocate import STRATEGIES, for_pop

if TYPE_CHECKING:
    from ...remoting.bodies import MessageQueue
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext
    from ..topic_route_info_manager import TopicRouteInfoManager

PULL = "PULL"
POP = "POP"


class QueryAssignmentProcessor:
    def __init__(self, context: BrokerContext, routes: TopicRouteInfoManager) -> None:
        self._context = context
        self._config = context.config
        self._routes = routes

    def __call__(self, channel: Channel, request: RemotingCommand) -> None:
        """Answered when the route of the topic is known."""
        asked = QueryAssignmentRequestBody.decode(request.body)

        def found(queues: list[MessageQueue] | None) -> None:
            body = self._answer(asked, queues)
            channel.answer(request.response(ResponseCode.SUCCESS, body=body.encode()))

        self._routes.queues(asked.topic, found)

    def _answer(
        self, asked: QueryAssignmentRequestBody, queues: list[MessageQueue] | None
    ) -> QueryAssignmentResponseBody:
        mode = self._mode(asked)
        assigned = None if queues is None else self._assigned(asked, queues, mode)
        if assigned is None:
            return QueryAssignmentResponseBody()
        return QueryAssignmentResponseBody([MessageQueueAssignment(queue, mode.mode) for queue in assigned])

    def _mode(self, asked: QueryAssignmentRequestBody) -> SetMessageRequestModeRequestBody:
        known = self._context.request_modes.get(asked.topic, asked.consumer_group)
        if known is not None:
            return known
        mode = PULL if names.is_retry_topic(asked.topic) else self._config.default_message_request_mode
        share = self._config.default_pop_share_queue_num if mode == POP else 0
        return SetMessageRequestModeRequestBody(asked.consumer_group, mode, share, asked.topic)

    def _assigned(
        self, asked: QueryAssignmentRequestBody, queues: list[MessageQueue], mode: SetMessageRequestModeRequestBody
    ) -> list[MessageQueue] | None:
        if asked.message_model == BROADCASTING or not self._config.server_load_balancer_enable:
            return queues
        info = self._context.consumers.get(asked.consumer_group)
        strategy = STRATEGIES.get(asked.strategy_name)
        if info is None or strategy is None or not asked.client_id:
            return None
        clients = sorted(set(info.client_ids()))
        if mode.mode == POP:
            return for_pop(strategy, asked.client_id, queues, clients, mode.pop_share_queue_num)
        return strategy(asked.client_id, queues, clients)
