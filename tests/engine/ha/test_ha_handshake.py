# SPDX-License-Identifier: Apache-2.0
"""A slave names its HA connection to its master on the remoting port."""

from __future__ import annotations

import pytest
from tests.engine.fakes import FakeReactor, FakeWorld
from tests.engine.ha.memory_log import CannotTell, MemoryLog

from rmq.broker.ha_handshake import HA_IDENTIFY, HaIdentifyProcessor, HaIntroduction
from rmq.remoting.codes import ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.rpc import OutboundClient, RemotingServer
from rmq.store.ha import HaClient, HaConfig, HaService

MASTER = "192.0.2.21"
SLAVE = "192.0.2.22"


class Master:
    def __init__(self, world: FakeWorld) -> None:
        self.reactor = world.reactor(MASTER)
        self.log = MemoryLog(b"record")
        self.confirmed: list[int] = []
        config = HaConfig(listen_hosts=(MASTER,), in_sync_replicas=3)
        self.ha_service = HaService(
            self.log, config, self.reactor, is_allowed=lambda host: True, on_confirmed=self.confirmed.append
        )
        self.ha_service.start()
        self.server = RemotingServer(self.reactor)
        self.server.register(HA_IDENTIFY, HaIdentifyProcessor("broker-a", self.ha_service))
        self.server.listen(MASTER, 10911)


class Slave:
    def __init__(self, world: FakeWorld, broker_id: int = 1, broker_name: str = "broker-a") -> None:
        self.reactor = world.reactor(SLAVE)
        client = OutboundClient(self.reactor)
        self.introduction = HaIntroduction(broker_name, broker_id, client, self.reactor)
        self.introduction.set_master_address(f"{MASTER}:10911")
        log = MemoryLog(reactor=self.reactor)
        self.ha_client = HaClient(
            log, HaConfig(), self.reactor, master_log=CannotTell(), on_connected=self.introduction.introduce
        )
        self.ha_client.update_ha_master_address(f"{MASTER}:10912")
        self.ha_client.start()


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


def ask(reactor: FakeReactor, fields: dict[str, str]) -> RemotingCommand:
    answers: list[object] = []
    client = OutboundClient(reactor)
    client.invoke(f"{MASTER}:10911", RemotingCommand.request(HA_IDENTIFY, fields), 1000, answers.append)
    reactor.run_until(lambda: bool(answers))
    (answer,) = answers
    assert isinstance(answer, RemotingCommand)
    return answer


def test_a_slave_that_connects_twice_is_one_replica(world: FakeWorld) -> None:
    """The slave's host was frozen and is started again elsewhere: its old connection is half-open."""
    master = Master(world)
    Slave(world)
    world.run_for(1_000)
    Slave(world)
    world.run_for(1_000)
    assert len(master.ha_service.runtime_info().ha_connection_info) == 1
    assert master.confirmed == []


def test_two_slaves_on_one_host_are_two_replicas(world: FakeWorld) -> None:
    master = Master(world)
    Slave(world, broker_id=1)
    Slave(world, broker_id=2)
    world.run_for(1_000)
    assert len(master.ha_service.runtime_info().ha_connection_info) == 2
    assert master.confirmed == [6]


def test_two_unnamed_slaves_on_one_host_are_two_replicas_after_a_moment(world: FakeWorld) -> None:
    """So connect slaves of Apache's: they never say a name."""
    master = Master(world)
    master.server.close()
    Slave(world, broker_id=1)
    Slave(world, broker_id=2)
    world.run_for(900)
    assert master.confirmed == []
    world.run_for(600)
    assert master.confirmed == [6]


def test_a_master_that_does_not_know_the_request_is_followed_all_the_same(world: FakeWorld) -> None:
    """So answers Apache's master."""
    master = Master(world)
    master.server.register(
        HA_IDENTIFY, lambda _, request: request.response(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "not supported")
    )
    Slave(world)
    world.run_for(10_000)
    (info,) = master.ha_service.runtime_info().ha_connection_info
    assert info.slave_ack_offset == 6


def test_nobody_can_name_the_connection_of_another_host(world: FakeWorld) -> None:
    master = Master(world)
    Slave(world)
    world.run_for(1_000)
    (info,) = master.ha_service.runtime_info().ha_connection_info
    fields = {"brokerName": "broker-a", "brokerId": "2", "haAddress": info.addr}
    assert ask(world.reactor("198.51.100.1"), fields).code == ResponseCode.NO_PERMISSION


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"brokerName": "broker-b", "brokerId": "1", "haAddress": f"{SLAVE}:1"},
        {"brokerName": "broker-a", "brokerId": "0", "haAddress": f"{SLAVE}:1"},
        {"brokerName": "broker-a", "brokerId": "x", "haAddress": f"{SLAVE}:1"},
        {"brokerName": "broker-a", "brokerId": "1", "haAddress": "nowhere"},
        {"brokerName": "broker-a", "brokerId": "1", "haAddress": f"{SLAVE}:1"},
    ],
    ids=["nothing", "another pair", "the master's id", "no id", "no address", "no such connection"],
)
def test_a_wrong_introduction_is_refused(world: FakeWorld, fields: dict[str, str]) -> None:
    Master(world)
    assert ask(world.reactor(SLAVE), fields).code != ResponseCode.SUCCESS


def test_a_slave_that_does_not_know_its_master_yet_introduces_itself_later(world: FakeWorld) -> None:
    master = Master(world)
    slave = Slave(world)
    slave.introduction.set_master_address("")
    world.run_for(200)
    slave.introduction.set_master_address(f"{MASTER}:10911")
    world.run_for(2_000)
    Slave(world)
    world.run_for(1_000)
    assert len(master.ha_service.runtime_info().ha_connection_info) == 1
