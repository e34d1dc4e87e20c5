# SPDX-License-Identifier: Apache-2.0
"""A name server on a fake network, and those who talk to it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.rpc.peer import Peer

from rmq.namesrv.namesrv_config import NamesrvConfig
from rmq.namesrv.namesrv_controller import NamesrvController
from rmq.remoting.bodies import (
    ClusterInfo,
    DataVersion,
    RegisterBrokerBody,
    TopicConfig,
    TopicConfigAndMappingSerializeWrapper,
    TopicRouteData,
)
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand

if TYPE_CHECKING:
    from rmq.topology.settings import Value

ADDRESS = ("10.0.0.1", 9876)
HOME = Path("/home/rmq")
TOPICS = ("TBW102", "TopicTest")


class NameServer:
    """Started on a fresh world and disk, or again on those of an earlier one."""

    def __init__(
        self, settings: dict[str, Value] | None = None, world: FakeWorld | None = None, disk: FakeDisk | None = None
    ) -> None:
        self.world = world if world is not None else FakeWorld()
        self.disk = disk if disk is not None else FakeDisk()
        config = NamesrvConfig.from_settings({"bindAddress": ADDRESS[0], **(settings or {})}, home=HOME)
        self.reactor = self.world.reactor(ADDRESS[0])
        self.controller = NamesrvController(config, self.reactor, self.disk)
        self.controller.load()
        self.controller.start()
        self._client = Client(self, "10.0.0.99")

    @property
    def client(self) -> Client:
        """A tool on another host; it connects again after it was idle for too long."""
        if self._client.peer.is_closed:
            self._client = Client(self, "10.0.0.99")
        return self._client

    def broker(self, name: str = "broker-a", broker_id: int = 0, host: str = "10.0.0.21") -> Broker:
        return Broker(self, name, broker_id, host)

    def route(self, topic: str) -> TopicRouteData | None:
        answer = self.client.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
        return TopicRouteData.decode(answer.body) if answer.code == ResponseCode.SUCCESS else None

    def clusters(self) -> ClusterInfo:
        return ClusterInfo.decode(self.client.ask(RequestCode.GET_BROKER_CLUSTER_INFO).body)


class Client:
    """Asks one question at a time."""

    def __init__(self, server: NameServer, host: str) -> None:
        self.peer = Peer(server.world, ADDRESS, host)

    def ask(
        self, code: int, fields: dict[str, str] | None = None, body: bytes = b"", *, version: int | None = None
    ) -> RemotingCommand:
        request = RemotingCommand.request(code, fields, body)
        if version is not None:
            request.version = version
        self.peer.send(request)
        answer = self.peer.frames[-1]
        assert answer.opaque == request.opaque
        return answer


class Broker(Client):
    """Registers as Apache 5.4.0 does."""

    def __init__(self, server: NameServer, name: str, broker_id: int, host: str) -> None:
        super().__init__(server, host)
        self.name = name
        self.broker_id = broker_id
        self.address = f"{host}:10911"
        self.cluster = "C"
        self.data_version = DataVersion(counter=1, timestamp=1)
        self.topics = {topic: TopicConfig(topic_name=topic, read_queue_nums=2, write_queue_nums=2) for topic in TOPICS}

    def fields(self, body: bytes = b"", **more: str) -> dict[str, str]:
        return {
            "brokerId": str(self.broker_id),
            "bodyCrc32": str(zlib.crc32(body) & 0x7FFFFFFF),
            "clusterName": self.cluster,
            "brokerAddr": self.address,
            "enableActingMaster": "false",
            "haServerAddr": self.address.replace("10911", "10912"),
            "compressed": "false",
            "brokerName": self.name,
            **more,
        }

    def body(self) -> bytes:
        wrapper = TopicConfigAndMappingSerializeWrapper(data_version=self.data_version, topic_config_table=self.topics)
        return RegisterBrokerBody(topic_config_serialize_wrapper=wrapper).encode()

    def register(self, *topics: str) -> RemotingCommand:
        """A beat; with topics named, only those are in it (what a broker sends when a topic has changed)."""
        whole, self.topics = self.topics, {topic: self.topics[topic] for topic in topics or self.topics}
        body = self.body()
        self.topics = whole
        return self.ask(RequestCode.REGISTER_BROKER, self.fields(body), body)

    def unregister(self) -> RemotingCommand:
        return self.ask(RequestCode.UNREGISTER_BROKER, self.fields())

    def add_topic(self, topic: str) -> None:
        self.topics[topic] = TopicConfig(topic_name=topic)
        self.data_version = self.data_version.next_version(2)
