# SPDX-License-Identifier: Apache-2.0
"""Calls that name servers answer. They do not know of each other: reads go to the first that answers, writes to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, List, Optional, TypeVar

from ..remoting.bodies import ClusterInfo, TopicList, TopicRouteData
from ..remoting.codes import RequestCode
from ..remoting.errors import RemotingError
from ..remoting.fields import int_field
from .errors import NoRouteError, ResponseError

if TYPE_CHECKING:
    from .connections import Connections
    from .remoting_client import RemotingClient

T = TypeVar("T")


class NameServers:
    """Raises NoRouteError when none can be reached, ResponseError for an answer that is an error."""

    def __init__(self, addresses: List[str], connections: Connections) -> None:
        self.addresses = addresses
        self._connections = connections

    def cluster_info(self) -> ClusterInfo:
        return ClusterInfo.decode(self._first(lambda client: client.call(RequestCode.GET_BROKER_CLUSTER_INFO).body))

    def cluster_info_of(self, address: str) -> ClusterInfo:
        """What one name server knows. Raises RemotingError."""
        return ClusterInfo.decode(self._connections.to(address).call(RequestCode.GET_BROKER_CLUSTER_INFO).body)

    def topic_route(self, topic: str) -> TopicRouteData:
        """Raises ResponseError with TOPIC_NOT_EXIST where no broker has the topic."""
        fields = {"topic": topic, "acceptStandardJsonOnly": "true"}
        return TopicRouteData.decode(
            self._first(lambda client: client.call(RequestCode.GET_ROUTEINFO_BY_TOPIC, fields).body)
        )

    def topic_list(self) -> List[str]:
        code = RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER
        return TopicList.decode(self._first(lambda client: client.call(code).body)).topic_list

    def delete_topic(self, topic: str, cluster: Optional[str] = None) -> None:
        fields = {"topic": topic}
        if cluster:
            fields["clusterName"] = cluster
        self._all(RequestCode.DELETE_TOPIC_IN_NAMESRV, fields)

    def put_kv_config(self, namespace: str, key: str, value: str) -> None:
        self._all(RequestCode.PUT_KV_CONFIG, {"namespace": namespace, "key": key, "value": value})

    def delete_kv_config(self, namespace: str, key: str) -> None:
        self._all(RequestCode.DELETE_KV_CONFIG, {"namespace": namespace, "key": key})

    def wipe_write_perm(self, address: str, broker_name: str) -> int:
        """At one name server: no topic of the broker is written to any more. How many topics that changed."""
        return self._change_perm(address, RequestCode.WIPE_WRITE_PERM_OF_BROKER, broker_name, "wipeTopicCount")

    def add_write_perm(self, address: str, broker_name: str) -> int:
        """The other way."""
        return self._change_perm(address, RequestCode.ADD_WRITE_PERM_OF_BROKER, broker_name, "addTopicCount")

    def kv_config(self, namespace: str, key: str) -> str:
        """Raises ResponseError with QUERY_NOT_FOUND for a key that is not there."""
        fields = {"namespace": namespace, "key": key}
        answer = self._first(lambda client: client.call(RequestCode.GET_KV_CONFIG, fields))
        return answer.ext_fields.get("value", "")

    def _change_perm(self, address: str, code: RequestCode, broker_name: str, count_field: str) -> int:
        answer = self._connections.to(address).call(code, {"brokerName": broker_name})
        return int_field(answer.ext_fields, count_field)

    def _first(self, ask: Callable[[RemotingClient], T]) -> T:
        failures: List[str] = []
        self._require_one()
        for address in self.addresses:
            try:
                return ask(self._connections.to(address))
            except ResponseError:
                # It is there and has decided; another would only say the same.
                raise
            except RemotingError as error:
                failures.append(str(error))
        raise NoRouteError("no name server answers: %s" % "; ".join(failures))

    def _all(self, code: RequestCode, fields: Dict[str, str]) -> None:
        self._require_one()
        for address in self.addresses:
            self._connections.to(address).call(code, fields)

    def _require_one(self) -> None:
        if not self.addresses:
            raise NoRouteError("no name server is given")
