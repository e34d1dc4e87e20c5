# SPDX-License-Identifier: Apache-2.0
"""Calls to other servers by address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeWorld

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.rpc import CallFailed, ConnectFailed, OutboundClient, RemotingServer, TimedOut

if TYPE_CHECKING:
    from rmq.rpc import Channel

ADDRESS = "192.0.2.1:9876"


class Caller:
    """A client with its results in order."""

    def __init__(self, world: FakeWorld) -> None:
        self.client = OutboundClient(world.reactor("192.0.2.2"))
        self.results: list[RemotingCommand | CallFailed] = []

    def call(self, timeout_ms: int = 1_000, address: str = ADDRESS) -> None:
        self.client.invoke(address, RemotingCommand.request(1), timeout_ms, self.results.append)

    @property
    def outcomes(self) -> list[object]:
        return [each.code if isinstance(each, RemotingCommand) else type(each) for each in self.results]


def start_server(world: FakeWorld) -> RemotingServer:
    server = RemotingServer(world.reactor("192.0.2.1"))
    server.register(1, lambda _, request: request.response(0))
    server.register(2, lambda _, request: None)
    server.listen("192.0.2.1", 9876)
    return server


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def caller(world: FakeWorld) -> Caller:
    return Caller(world)


def test_all_calls_to_an_address_share_one_connection(world: FakeWorld, caller: Caller) -> None:
    server = start_server(world)
    for _ in range(3):
        caller.call()
    world.settle()
    caller.call()
    world.settle()
    assert caller.outcomes == [0, 0, 0, 0]
    assert server.counters.connections_accepted == 1
    assert caller.client.is_connected(ADDRESS)


def test_a_closed_connection_is_opened_again_by_the_next_call(world: FakeWorld, caller: Caller) -> None:
    server = start_server(world)
    caller.call()
    world.settle()
    for channel in tuple(server.channels):
        channel.close()
    world.settle()
    assert not caller.client.is_connected(ADDRESS)
    caller.call()
    world.settle()
    assert caller.outcomes == [0, 0]


def test_an_unreachable_address_is_left_alone_longer_each_time(world: FakeWorld, caller: Caller) -> None:
    caller.call()
    assert caller.results == []
    world.settle()
    caller.call()
    world.settle()
    assert caller.outcomes == [ConnectFailed, ConnectFailed]
    assert "tried again in 100 ms" in str(caller.results[1])
    world.run_for(100)
    caller.call()
    world.settle()
    caller.call()
    world.settle()
    assert "tried again in 200 ms" in str(caller.results[3])
    start_server(world)
    world.run_for(200)
    caller.call()
    world.settle()
    assert caller.outcomes[-1] == 0


def test_a_call_without_an_answer_times_out(world: FakeWorld, caller: Caller) -> None:
    start_server(world)
    caller.client.invoke(ADDRESS, RemotingCommand.request(2), 500, caller.results.append)
    world.run_for(499)
    assert caller.results == []
    world.run_for(1)
    assert caller.outcomes == [TimedOut]


def test_waiting_calls_fail_when_the_server_dies(world: FakeWorld, caller: Caller) -> None:
    server = start_server(world)
    caller.client.invoke(ADDRESS, RemotingCommand.request(2), 5_000, caller.results.append)
    world.settle()
    world.network.cut("192.0.2.1", "192.0.2.2")
    world.settle()
    assert caller.outcomes == [CallFailed]
    assert server.channels == set()


@pytest.mark.parametrize("address", ["nowhere", "host:", ":9876", "host:0", "host:99999", "host:x", "192.161.2:"])
def test_an_address_that_is_none_fails_the_call(world: FakeWorld, caller: Caller, address: str) -> None:
    caller.call(address=address)
    world.settle()
    assert caller.outcomes == [ConnectFailed]
    assert "is not host:port" in str(caller.results[0])


def test_a_oneway_reaches_the_server_and_its_failure_is_nobodys(world: FakeWorld, caller: Caller) -> None:
    caller.client.oneway("192.0.2.77:1", RemotingCommand.request(7, oneway=True))
    server = start_server(world)
    seen: list[int] = []
    server.register(7, lambda _, request: seen.append(request.code))
    caller.client.oneway(ADDRESS, RemotingCommand.request(7, oneway=True))
    world.settle()
    assert seen == [7]


def test_a_server_may_push_requests_on_the_clients_connection(world: FakeWorld, caller: Caller) -> None:
    server = start_server(world)
    seen: list[int] = []

    def notice(_: Channel, request: RemotingCommand) -> None:
        seen.append(request.code)

    code = RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE
    caller.client.register(code, notice)
    caller.call()
    world.settle()
    (channel,) = server.channels
    channel.push(RemotingCommand.request(code, oneway=True))
    world.settle()
    assert seen == [code]


def test_a_closed_client_fails_every_call_and_opens_nothing(world: FakeWorld, caller: Caller) -> None:
    server = start_server(world)
    caller.call()
    caller.client.close()
    caller.call()
    world.settle()
    assert caller.outcomes == [CallFailed, CallFailed]
    assert server.channels == set()
