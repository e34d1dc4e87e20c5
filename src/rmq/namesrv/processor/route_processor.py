# SPDX-License-Identifier: Apache-2.0
"""What clients and tools ask: routes, clusters, topics (105, 106, 206, 216, 224, 304, 311, 312, 313)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...remoting.codes import RequestCode, ResponseCode
from ...remoting.fields import bool_field
from ...remoting.version import V4_9_4
from ...rpc import RequestRefused
from ..kv_config_manager import NAMESPACE_ORDER_TOPIC_CONFIG
from .header import required

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...remoting.bodies import TopicList
    from ...remoting.command import RemotingCommand
    from ...rpc import Channel, ChannelHub, Processor
    from ..dynamic_config import DynamicConfig
    from ..kv_config_manager import KVConfigManager
    from ..route_info_manager import RouteInfoManager

_FAQ = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."


class RouteProcessor:
    """Encoded routes are kept until anything changes: every client asks for each of its topics every 30 s."""

    def __init__(self, routes: RouteInfoManager, kv_config: KVConfigManager, config: DynamicConfig) -> None:
        self._routes = routes
        self._kv_config = kv_config
        self._config = config
        self._encoded: dict[tuple[str, bool], bytes] = {}
        self._encoded_at: tuple[int, int, bool] = (-1, -1, False)

    def register(self, hub: ChannelHub) -> None:
        routes = self._routes
        hub.register(RequestCode.GET_ROUTEINFO_BY_TOPIC, self.topic_route)
        hub.register(RequestCode.GET_BROKER_CLUSTER_INFO, self.cluster_info)
        hub.register(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, self.all_topics)
        hub.register(RequestCode.DELETE_TOPIC_IN_NAMESRV, self.delete_topic)
        hub.register(RequestCode.GET_TOPICS_BY_CLUSTER, self.topics_of_cluster)
        hub.register(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS, self.system_topics)
        hub.register(RequestCode.GET_UNIT_TOPIC_LIST, self._flagged(routes.unit_topics))
        hub.register(RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, self._flagged(routes.unit_sub_topics))
        hub.register(RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, self._flagged(routes.unit_sub_ununit_topics))

    def topic_route(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        topic = required(request, "topic")
        # Java's old JSON writes {0:"192.0.2.21:10911"}; standard JSON goes to those who ask and to whom it was built
        # for.
        standard = request.version >= V4_9_4 or bool_field(request.ext_fields, "acceptStandardJsonOnly")
        body = self._encoded_route(topic, standard)
        if not body:
            remark = f"No topic route info in name server for the topic: {topic}{_FAQ}"
            return request.response(ResponseCode.TOPIC_NOT_EXIST, remark)
        return request.response(ResponseCode.SUCCESS, body=body)

    def _encoded_route(self, topic: str, standard: bool) -> bytes:
        """Empty where there is no route; those are not kept, or strangers could fill the memory with names."""
        ordered = self._config.current.order_message_enable
        now = (self._routes.version, self._kv_config.version, ordered)
        if now != self._encoded_at:
            self._encoded.clear()
            self._encoded_at = now
        body = self._encoded.get((topic, standard))
        if body is not None:
            return body
        route = self._routes.topic_route(topic)
        if route is None:
            return b""
        if ordered:
            route = replace(route, order_topic_conf=self._kv_config.get(NAMESPACE_ORDER_TOPIC_CONFIG, topic))
        body = self._encoded[topic, standard] = route.encode(quote_keys=standard)
        return body

    def cluster_info(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=self._routes.cluster_info().encode())

    def all_topics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        _refuse_unless(self._config.current.enable_all_topic_list)
        return request.response(ResponseCode.SUCCESS, body=self._routes.all_topics().encode())

    def topics_of_cluster(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        _refuse_unless(self._config.current.enable_topic_list)
        topics = self._routes.topics_of_cluster(required(request, "cluster"))
        return request.response(ResponseCode.SUCCESS, body=topics.encode())

    def system_topics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=self._routes.system_topics().encode())

    def _flagged(self, topics: Callable[[], TopicList]) -> Processor:
        def answer(_: Channel, request: RemotingCommand) -> RemotingCommand:
            _refuse_unless(self._config.current.enable_topic_list)
            return request.response(ResponseCode.SUCCESS, body=topics().encode())

        return answer

    def delete_topic(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        self._routes.delete_topic(required(request, "topic"), request.ext_fields.get("clusterName", ""))
        return request.response(ResponseCode.SUCCESS)


def _refuse_unless(enabled: bool) -> None:
    if not enabled:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, "disable")
