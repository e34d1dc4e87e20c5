# SPDX-License-Identifier: Apache-2.0
"""Typed calls to name servers and brokers, as Apache's DefaultMQAdminExt offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, Type

from ..remoting.bodies import (
    BrokerData,
    BrokerStatsData,
    ClusterInfo,
    ConsumerConnection,
    ConsumeStats,
    ConsumeStatsList,
    GetConsumerListByGroupResponseBody,
    GroupList,
    HARuntimeInfo,
    KVTable,
    MessageQueue,
    ProducerConnection,
    ResetOffsetBody,
    SubscriptionGroupConfig,
    SubscriptionGroupWrapper,
    TopicConfig,
    TopicConfigAndMappingSerializeWrapper,
    TopicRouteData,
    TopicStatsTable,
)
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.fields import long_field
from ..remoting.topic_names import AUTO_CREATE_TOPIC_KEY_TOPIC
from .address import parse_name_servers
from .connections import Connections
from .errors import NoRouteError, ResponseError
from .name_server import NameServers
from .remoting_client import DEFAULT_TIMEOUT_MS

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from ..remoting.command import RemotingCommand
    from ..remoting.signature import SessionCredentials


class AdminClient:
    """Brokers are named by their address. Every call raises RemotingError (client/errors.py) or BodyError.

    One request for each call, on one connection for each server: a caller that asks for many things keeps its client.
    """

    def __init__(
        self,
        name_servers: str,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        credentials: Optional[SessionCredentials] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        """`name_servers` has `;` between its addresses; "" for a caller that knows its brokers' addresses.

        Raises ValueError for a bad one.
        """
        self.connections = Connections(timeout_ms, credentials, tls)
        self.name_servers = NameServers(parse_name_servers(name_servers) if name_servers else [], self.connections)

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        self.connections.close()

    # Name servers

    def cluster_info(self) -> ClusterInfo:
        return self.name_servers.cluster_info()

    def topic_route(self, topic: str) -> TopicRouteData:
        return self.name_servers.topic_route(topic)

    def topic_list(self) -> List[str]:
        return self.name_servers.topic_list()

    def master_addresses(self, cluster: str) -> List[str]:
        """Masters of a cluster, sorted. Raises NoRouteError where there is no such cluster or it has no master."""
        masters = [broker.master_address for broker in self.brokers_of(cluster)]
        addresses = sorted(address for address in masters if address is not None)
        if not addresses:
            raise NoRouteError("cluster %s has no master at the moment" % cluster)
        return addresses

    def brokers_of(self, cluster: str) -> List[BrokerData]:
        """Broker sets of a cluster, sorted by name. Raises NoRouteError where the name server knows no such cluster."""
        info = self.cluster_info()
        names = info.cluster_addr_table.get(cluster)
        if not names:
            known = ", ".join(sorted(info.cluster_addr_table)) or "none"
            raise NoRouteError("the name server knows no cluster %s (it knows: %s)" % (cluster, known))
        return [info.broker_addr_table[name] for name in sorted(names) if name in info.broker_addr_table]

    # Broker

    def broker_runtime_info(self, broker: str) -> Dict[str, str]:
        return KVTable.decode(self._call(broker, RequestCode.GET_BROKER_RUNTIME_INFO).body).table

    def broker_config(self, broker: str) -> str:
        """The effective configuration as Java properties text."""
        return self._call(broker, RequestCode.GET_BROKER_CONFIG).body.decode("utf-8", "replace")

    def update_broker_config(self, broker: str, values: Dict[str, str]) -> None:
        text = "".join("%s=%s\n" % item for item in values.items())
        self.connections.to(broker).call(RequestCode.UPDATE_BROKER_CONFIG, None, text.encode("utf-8"))

    def ha_status(self, broker: str) -> HARuntimeInfo:
        return HARuntimeInfo.decode(self._call(broker, RequestCode.GET_BROKER_HA_STATUS).body)

    # Topics

    def create_topic(self, broker: str, topic: TopicConfig, default_topic: str = AUTO_CREATE_TOPIC_KEY_TOPIC) -> None:
        """Creates or updates it. `attributes` are changes: keys begin with + to set and - to remove."""
        fields = {
            "topic": topic.topic_name,
            "defaultTopic": default_topic,
            "readQueueNums": str(topic.read_queue_nums),
            "writeQueueNums": str(topic.write_queue_nums),
            "perm": str(topic.perm),
            "topicFilterType": topic.topic_filter_type,
            "topicSysFlag": str(topic.topic_sys_flag),
            "order": "true" if topic.order else "false",
        }
        if topic.attributes:
            fields["attributes"] = ",".join(
                "%s=%s" % (key, value) if value else key for key, value in topic.attributes.items()
            )
        self._call(broker, RequestCode.UPDATE_AND_CREATE_TOPIC, fields)

    def delete_topic(self, broker: str, topic: str) -> None:
        self._call(broker, RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": topic})

    def topic_config(self, broker: str, topic: str) -> TopicConfig:
        """Raises ResponseError with TOPIC_NOT_EXIST."""
        return TopicConfig.decode(self._call(broker, RequestCode.GET_TOPIC_CONFIG, {"topic": topic}).body)

    def all_topic_config(self, broker: str) -> Dict[str, TopicConfig]:
        body = self._call(broker, RequestCode.GET_ALL_TOPIC_CONFIG).body
        return TopicConfigAndMappingSerializeWrapper.decode(body).topic_config_table

    def topic_stats(self, broker: str, topic: str) -> TopicStatsTable:
        return TopicStatsTable.decode(self._call(broker, RequestCode.GET_TOPIC_STATS_INFO, {"topic": topic}).body)

    def groups_of_topic(self, broker: str, topic: str) -> List[str]:
        fields = {"topic": topic}
        return GroupList.decode(self._call(broker, RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, fields).body).group_list

    # Groups

    def create_subscription_group(self, broker: str, group: SubscriptionGroupConfig) -> None:
        """Creates or updates it."""
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        self.connections.to(broker).call(code, None, group.encode())

    def delete_subscription_group(self, broker: str, group: str, clean_offset: bool = False) -> None:
        fields = {"groupName": group, "cleanOffset": "true" if clean_offset else "false"}
        self._call(broker, RequestCode.DELETE_SUBSCRIPTIONGROUP, fields)

    def all_subscription_groups(self, broker: str) -> Dict[str, SubscriptionGroupConfig]:
        body = self._call(broker, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG).body
        return SubscriptionGroupWrapper.decode(body).subscription_group_table

    def consume_stats(self, broker: str, group: str, topic: Optional[str] = None) -> ConsumeStats:
        fields = {"consumerGroup": group}
        if topic:
            fields["topic"] = topic
        return ConsumeStats.decode(self._call(broker, RequestCode.GET_CONSUME_STATS, fields).body)

    def consumer_ids(self, broker: str, group: str) -> List[str]:
        body = self._call(broker, RequestCode.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group}).body
        return GetConsumerListByGroupResponseBody.decode(body).consumer_id_list

    def consumer_connection(self, broker: str, group: str) -> ConsumerConnection:
        """Raises ResponseError with CONSUMER_NOT_ONLINE."""
        fields = {"consumerGroup": group}
        return ConsumerConnection.decode(self._call(broker, RequestCode.GET_CONSUMER_CONNECTION_LIST, fields).body)

    def producer_connection(self, broker: str, group: str) -> ProducerConnection:
        fields = {"producerGroup": group}
        return ProducerConnection.decode(self._call(broker, RequestCode.GET_PRODUCER_CONNECTION_LIST, fields).body)

    # Offsets

    def max_offset(self, broker: str, topic: str, queue_id: int) -> int:
        return self._offset(broker, RequestCode.GET_MAX_OFFSET, topic, queue_id)

    def min_offset(self, broker: str, topic: str, queue_id: int) -> int:
        return self._offset(broker, RequestCode.GET_MIN_OFFSET, topic, queue_id)

    def search_offset(self, broker: str, topic: str, queue_id: int, timestamp_ms: int) -> int:
        """The queue offset of the first message stored at that time or later."""
        fields = {"topic": topic, "queueId": str(queue_id), "timestamp": str(timestamp_ms)}
        return long_field(self._call(broker, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, fields).ext_fields, "offset")

    def consumer_offset(self, broker: str, group: str, topic: str, queue_id: int) -> Optional[int]:
        """None where the group has none."""
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue_id), "setZeroIfNotFound": "false"}
        try:
            answer = self._call(broker, RequestCode.QUERY_CONSUMER_OFFSET, fields)
        except ResponseError as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return None
            raise
        return long_field(answer.ext_fields, "offset")

    def update_consumer_offset(self, broker: str, group: str, topic: str, queue_id: int, offset: int) -> None:
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue_id), "commitOffset": str(offset)}
        self._call(broker, RequestCode.UPDATE_CONSUMER_OFFSET, fields)

    def reset_offset(
        self,
        broker: str,
        group: str,
        topic: str,
        timestamp_ms: int,
        *,
        queue_id: int = -1,
        offset: int = -1,
        is_force: bool = True,
    ) -> Dict[MessageQueue, int]:
        """Sets every queue of the topic (or one of them) to a time, -1 for its end, or one queue to an offset.

        `is_force` also sets an offset forward; brokers that reset by themselves always do."""
        fields = {
            "group": group,
            "topic": topic,
            "timestamp": str(timestamp_ms),
            "isForce": "true" if is_force else "false",
            "queueId": str(queue_id),
            "offset": str(offset),
        }
        return ResetOffsetBody.decode(
            self._call(broker, RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, fields).body
        ).offset_table

    # Statistics

    def broker_stats(self, broker: str, name: str, key: str) -> BrokerStatsData:
        """One of Apache's statistics, such as TOPIC_PUT_NUMS of a topic. Raises ResponseError for one that has counted
        nothing."""
        fields = {"statsName": name, "statsKey": key}
        return BrokerStatsData.decode(self._call(broker, RequestCode.VIEW_BROKER_STATS_DATA, fields).body)

    def all_consume_stats(self, broker: str, *, only_ordered: bool = False) -> ConsumeStatsList:
        fields = {"isOrder": "true" if only_ordered else "false"}
        return ConsumeStatsList.decode(self._call(broker, RequestCode.GET_BROKER_CONSUME_STATS, fields).body)

    def _call(self, broker: str, code: RequestCode, fields: Optional[Dict[str, str]] = None) -> RemotingCommand:
        return self.connections.to(broker).call(code, fields)

    def _offset(self, broker: str, code: RequestCode, topic: str, queue_id: int) -> int:
        answer = self._call(broker, code, {"topic": topic, "queueId": str(queue_id)})
        return long_field(answer.ext_fields, "offset")
