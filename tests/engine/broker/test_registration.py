# SPDX-License-Identifier: Apache-2.0
"""A broker and its name servers: both ours, on one fake network."""

from __future__ import annotations

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.fakes import FakeWorld
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.rpc import Channel, RemotingServer

NAMESRV = f"{ADDRESS[0]}:{ADDRESS[1]}"
AT_HOST: dict[str, str | int | float | bool] = {
    "brokerIP1": "10.0.0.21",
    "bindAddress": "0.0.0.0",
    "namesrvAddr": NAMESRV,
}


@pytest.fixture
def name_server() -> NameServer:
    return NameServer()


def test_started_broker_is_routed_to(name_server: NameServer) -> None:
    broker = Broker(AT_HOST, world=name_server.world)
    assert broker.controller.registered_name_servers == [NAMESRV]
    clusters = name_server.clusters()
    assert clusters.broker_addr_table["broker-a"].broker_addrs == {0: "10.0.0.21:12311"}
    assert clusters.cluster_addr_table == {"C": ["broker-a"]}


def test_new_topic_is_routed_at_once(name_server: NameServer) -> None:
    broker = Broker(AT_HOST, world=name_server.world)
    assert name_server.route("Fresh") is None
    broker.client().send("Fresh")
    route = name_server.route("Fresh")
    assert route is not None and route.queue_datas[0].write_queue_nums == 4


def test_stopped_broker_is_not_routed_to(name_server: NameServer) -> None:
    broker = Broker(AT_HOST, world=name_server.world)
    broker.stop()
    assert name_server.clusters().broker_addr_table == {}


def test_name_server_that_comes_later_or_back_is_told_within_seconds() -> None:
    world = FakeWorld()
    broker = Broker(AT_HOST, world=world)
    assert broker.controller.registered_name_servers == []
    world.run_for(60_000)
    late = NameServer(world=world)
    world.run_for(6_000)
    assert broker.controller.registered_name_servers == [NAMESRV]
    late.reactor.crash()
    world.run_for(1_000)
    back = NameServer(world=world, disk=late.disk)
    world.run_for(6_000)
    assert "broker-a" in back.clusters().broker_addr_table


def test_read_only_broker_registers_its_topics_without_write() -> None:
    name_server = NameServer()
    Broker({**AT_HOST, "brokerPermission": 4}, world=name_server.world)
    route = name_server.route("BenchmarkTest")
    assert route is not None and route.queue_datas[0].perm == 4


def test_permission_changed_over_the_wire_is_registered_at_once(name_server: NameServer) -> None:
    broker = Broker(AT_HOST, world=name_server.world)
    broker.client().ok(RequestCode.UPDATE_BROKER_CONFIG, body=b"brokerPermission=4")
    route = name_server.route("BenchmarkTest")
    assert route is not None and route.queue_datas[0].perm == 4


def test_name_servers_changed_over_the_wire_hear_at_once_and_the_old_ones_that_it_goes(name_server: NameServer) -> None:
    broker = Broker({**AT_HOST, "namesrvAddr": "10.0.0.77:9876"}, world=name_server.world)
    assert broker.controller.registered_name_servers == []
    broker.client().ok(RequestCode.UPDATE_BROKER_CONFIG, body=f"namesrvAddr={NAMESRV}".encode())
    assert broker.controller.registered_name_servers == [NAMESRV]
    assert "broker-a" in name_server.clusters().broker_addr_table
    broker.client().ok(RequestCode.UPDATE_BROKER_CONFIG, body=b"namesrvAddr=10.0.0.77:9876")
    assert name_server.clusters().broker_addr_table == {}


def test_name_server_that_does_not_answer_delays_administration_by_seconds_only() -> None:
    world = FakeWorld()
    broker = Broker(AT_HOST, world=world)
    silent = RemotingServer(world.reactor(ADDRESS[0]))
    silent.register(RequestCode.REGISTER_BROKER, lambda *_: None)
    silent.listen(*ADDRESS)
    world.run_for(6_000)
    client = broker.client()
    fields = {"topic": "T", "defaultTopic": "TBW102", "readQueueNums": "4", "writeQueueNums": "4", "perm": "6"}
    request = client.post(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
    world.run_for(2_900)
    assert client.answer_to(request) is None
    world.run_for(200)
    answer = client.answer_to(request)
    assert answer is not None and answer.code == 0


def test_slave_that_booted_first_finds_its_master_within_seconds(name_server: NameServer) -> None:
    settings: dict[str, str | int | float | bool] = {
        **AT_HOST,
        "brokerIP1": "10.0.0.22",
        "bindAddress": "10.0.0.22",
        "brokerRole": "SLAVE",
        "brokerId": 1,
    }
    slave = Broker(settings, world=name_server.world)
    name_server.world.run_for(5_000)
    Broker({**AT_HOST, "bindAddress": "10.0.0.21"}, world=name_server.world)
    name_server.world.run_for(5_000)
    assert slave.controller.replication.is_master_online


class Recorder:
    """A name server that writes down what it is told and says yes."""

    def __init__(self, world: FakeWorld) -> None:
        self.requests: list[RemotingCommand] = []
        server = RemotingServer(world.reactor(ADDRESS[0]))
        for code in (RequestCode.REGISTER_BROKER, RequestCode.UNREGISTER_BROKER):
            server.register(code, self._take)
        server.listen(*ADDRESS)

    def _take(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        self.requests.append(request)
        return request.response(0)


def test_registration_is_what_apache_sends() -> None:
    world = FakeWorld()
    recorder = Recorder(world)
    broker = Broker(AT_HOST, world=world)
    (first,) = recorder.requests
    fields = dict(first.ext_fields)
    assert fields.pop("bodyCrc32").isdigit()
    assert fields == {
        "brokerId": "0",
        "clusterName": "C",
        "brokerAddr": "10.0.0.21:12311",
        "enableActingMaster": "false",
        "haServerAddr": "10.0.0.21:12312",
        "compressed": "false",
        "brokerName": "broker-a",
    }
    world.run_for(30_100)
    assert len(recorder.requests) == 2
    broker.stop()
    assert recorder.requests[-1].code == RequestCode.UNREGISTER_BROKER


def test_many_new_topics_of_one_tick_are_one_registration() -> None:
    world = FakeWorld()
    recorder = Recorder(world)
    broker = Broker(AT_HOST, world=world)
    client = broker.client()
    client.peer.send(
        *(
            RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, client.send_fields(f"T{number}"), b"x")
            for number in range(20)
        )
    )
    assert len(recorder.requests) == 2
