# SPDX-License-Identifier: Apache-2.0
"""Master and slaves joined by a network in memory, their logs plain bytes: who gets what, who counts, who goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeReactor, FakeWorld
from tests.engine.ha.memory_log import CannotTell, MemoryLog

from rmq.store.ha import HaClient, HaConfig, HaService
from rmq.store.ha.ha_client import HaState
from rmq.store.ha.ha_service import WINDOW_BYTES
from rmq.store.ha.ha_wire import encode_header, encode_report

if TYPE_CHECKING:
    from rmq.env import Connection

MASTER = "192.0.2.21"
SLAVE = "192.0.2.22"
OTHER_SLAVE = "192.0.2.23"
FILE_BYTES = 1 << 22


class Master:
    def __init__(self, world: FakeWorld, log: MemoryLog, *, in_sync_replicas: int = 2, port: int = 10912) -> None:
        self.log = log
        self.confirmed = 0
        self.allowed: set[str] | None = None
        self.reactor = world.reactor(MASTER)
        config = HaConfig(listen_hosts=(MASTER,), ha_listen_port=port, in_sync_replicas=in_sync_replicas)
        self.service = HaService(log, config, self.reactor, is_allowed=self._is_allowed, on_confirmed=self._confirm)
        self.service.start()

    def _is_allowed(self, host: str) -> bool:
        return self.allowed is None or host in self.allowed

    def _confirm(self, physical_offset: int) -> None:
        assert self.confirmed < physical_offset <= self.log.max_physical_offset
        self.confirmed = physical_offset


class Slave:
    def __init__(self, world: FakeWorld, host: str = SLAVE, log: MemoryLog | None = None) -> None:
        self.reactor = world.reactor(host)
        self.log = log or MemoryLog(file_bytes=FILE_BYTES)
        self.log.reactor = self.reactor
        self.connected: list[str] = []
        self.client = HaClient(
            self.log, HaConfig(), self.reactor, master_log=CannotTell(), on_connected=self.connected.append
        )
        self.client.update_ha_master_address(f"{MASTER}:10912")
        self.client.start()

    @property
    def content(self) -> bytes:
        return bytes(self.log.content)


class Peer:
    """A peer that speaks by hand."""

    def __init__(self) -> None:
        self.received = b""
        self.connection: Connection | None = None
        self.is_lost = False

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, reason: Exception | None) -> None:
        del reason
        self.is_lost = True

    def has_left(self) -> bool:
        return self.is_lost

    def handler(self) -> Peer:
        return self

    def says(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.write(data)


def connect(reactor: FakeReactor, port: int = 10912) -> Peer:
    peer = Peer()
    reactor.connect(MASTER, port, peer, timeout_ms=1000, failed=lambda error: pytest.fail(str(error)))
    reactor.run_until(lambda: peer.connection is not None)
    return peer


def pattern(size_bytes: int) -> bytes:
    return bytes(at * 7 % 251 for at in range(size_bytes))


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


def test_a_slave_follows_across_the_ends_of_files(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(pattern(3000), file_bytes=1024))
    slave = Slave(world, log=MemoryLog(file_bytes=1024))
    world.run_until(lambda: slave.log.max_physical_offset == 3000)
    for _ in range(10):
        master.log.append(b"more" * 100)
        world.settle()
        assert slave.content == bytes(master.log.content)
        assert master.confirmed == master.log.max_physical_offset


def test_what_is_committed_reaches_the_slave_without_any_time_passing(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.client.state is HaState.TRANSFER)
    world.settle()
    before_ms = world.clock.monotonic_ms()
    master.log.append(b"record")
    world.settle()
    assert (slave.content, master.confirmed, world.clock.monotonic_ms()) == (b"record", 6, before_ms)


def test_a_slave_that_is_far_behind_is_sent_all_of_it_a_window_at_a_time(world: FakeWorld) -> None:
    content = pattern(3 * WINDOW_BYTES + 12345)
    Master(world, MemoryLog(content, file_bytes=FILE_BYTES))
    world.network.latency_ms = 5
    reader = connect(world.reactor(SLAVE))
    reader.says(encode_report(0))
    world.run_for(10)
    assert len(reader.received) < 2 * WINDOW_BYTES
    world.run_for(100)
    assert len(reader.received) > len(content)
    slave = Slave(world, OTHER_SLAVE)
    world.run_until(lambda: slave.log.max_physical_offset == len(content))
    assert slave.content == content


def test_a_master_that_restarts_is_followed_again_within_a_second(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(pattern(100), file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.log.max_physical_offset == 100)
    master.reactor.crash()
    world.run_for(20_000)
    assert slave.client.state is HaState.READY
    again = Master(world, MemoryLog(pattern(150), file_bytes=FILE_BYTES))
    world.run_until(lambda: slave.log.max_physical_offset == 150, timeout_ms=1001)
    assert slave.content == pattern(150)
    assert again.confirmed == 150


def test_a_slave_that_restarts_goes_on_where_it_was(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(pattern(100), file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.log.max_physical_offset == 100)
    slave.reactor.crash()
    master.log.append(b"while it was away")
    again = Slave(world, log=MemoryLog(slave.content, file_bytes=FILE_BYTES))
    world.run_until(lambda: again.content == bytes(master.log.content), timeout_ms=1000)


def test_two_slaves_and_the_master_are_three_replicas(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(file_bytes=FILE_BYTES), in_sync_replicas=3)
    first = Slave(world)
    world.run_until(lambda: first.client.state is HaState.TRANSFER)
    master.log.append(b"one")
    world.settle()
    assert (first.content, master.confirmed) == (b"one", 0)
    second = connect(world.reactor(OTHER_SLAVE))
    second.says(encode_report(0))
    world.settle()
    assert (second.received[-3:], master.confirmed) == (b"one", 0)
    second.says(encode_report(3))
    world.settle()
    assert master.confirmed == 3


def test_a_frozen_slave_confirms_nothing_and_is_in_sync_again_after_its_return(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.client.state is HaState.TRANSFER)
    world.network.freeze(MASTER, SLAVE)
    master.log.append(b"unconfirmed")
    world.run_for(20_000)
    assert master.confirmed == 0
    world.run_for(2_000)
    assert master.service.runtime_info().in_sync_slave_nums == 0
    world.network.heal()
    world.run_until(lambda: master.confirmed == 11, timeout_ms=1001)
    assert slave.content == b"unconfirmed"


def test_a_cut_wire_is_mended_by_itself(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(pattern(10), file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.client.state is HaState.TRANSFER)
    world.network.cut(MASTER, SLAVE)
    world.run_until(lambda: slave.client.state is HaState.READY)
    master.log.append(b"later")
    world.run_for(7_000)
    world.network.heal()
    world.run_until(lambda: master.confirmed == 15, timeout_ms=1001)


def test_two_connections_of_one_slave_count_once(world: FakeWorld) -> None:
    """Apache counts both, and so acknowledges with inSyncReplicas=3 what one slave has."""
    master = Master(world, MemoryLog(file_bytes=FILE_BYTES), in_sync_replicas=3)
    old, new = connect(world.reactor(SLAVE)), connect(world.reactor(SLAVE))
    for peer in (old, new):
        peer.says(encode_report(0))
        world.settle()
        assert peer.connection is not None
        assert master.service.identify("{}:{}".format(*peer.connection.local), broker_id=1)
    master.log.append(b"record")
    world.settle()
    assert old.is_lost
    new.says(encode_report(6))
    world.settle()
    assert master.confirmed == 0
    assert master.service.runtime_info().in_sync_slave_nums == 1


def test_a_connection_nobody_has_cannot_be_named(world: FakeWorld) -> None:
    assert not Master(world, MemoryLog()).service.identify("192.0.2.99:1", broker_id=1)


@pytest.mark.parametrize(
    "reports",
    [encode_report(101), encode_report(-1), encode_report(50) + encode_report(101), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["longer than the master", "negative", "acknowledges what was not sent", "another protocol"],
)
def test_a_wrong_report_closes_the_connection_and_confirms_nothing(
    world: FakeWorld, reports: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    master = Master(world, MemoryLog(pattern(100), file_bytes=FILE_BYTES))
    reactor = world.reactor(SLAVE)
    for _ in range(3):
        peer = connect(reactor)
        peer.says(reports)
        world.run_until(peer.has_left)
    assert master.confirmed <= 50
    assert master.service.runtime_info().ha_connection_info == ()
    assert len([one for one in caplog.records if one.levelname == "ERROR"]) == 1


def test_a_stranger_gets_nothing(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(b"secret", file_bytes=FILE_BYTES))
    master.allowed = {SLAVE}
    stranger = connect(world.reactor("198.51.100.1"))
    stranger.says(encode_report(0))
    world.run_until(lambda: stranger.is_lost)
    assert stranger.received == b""


def test_a_silent_peer_is_dropped_after_twenty_seconds(world: FakeWorld) -> None:
    Master(world, MemoryLog())
    peer = connect(world.reactor(SLAVE))
    world.run_for(20_000)
    assert not peer.is_lost
    world.run_for(1_000)
    assert peer.is_lost


def test_an_idle_slave_is_kept_by_heartbeats_in_both_directions(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(b"x", file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_for(120_000)
    assert len(slave.connected) == 1
    assert master.service.runtime_info().in_sync_slave_nums == 1


def test_a_slave_leaves_a_master_that_sends_another_offset(world: FakeWorld) -> None:
    for first_frame in (encode_header(7, 4) + b"data", encode_header(7, 0)):
        wrong = Peer()
        listener = world.reactor(MASTER).listen(MASTER, 10912, wrong.handler)
        slave = Slave(world, log=MemoryLog(b"abc", file_bytes=FILE_BYTES))
        world.settle()
        assert wrong.received == encode_report(3)
        wrong.says(first_frame)
        world.run_until(wrong.has_left)
        assert slave.content == b"abc"
        slave.client.shutdown()
        listener.close()


def test_a_slave_leaves_a_master_that_is_silent(world: FakeWorld) -> None:
    silent = Peer()
    world.reactor(MASTER).listen(MASTER, 10912, lambda: silent)
    Slave(world)
    world.run_until(lambda: silent.connection is not None)
    world.run_for(20_000)
    assert not silent.is_lost
    world.run_for(1_000)
    assert silent.is_lost


def test_a_slave_reports_every_five_seconds_when_nothing_comes(world: FakeWorld) -> None:
    silent = Peer()
    world.reactor(MASTER).listen(MASTER, 10912, lambda: silent)
    Slave(world, log=MemoryLog(b"abc", file_bytes=FILE_BYTES))
    world.run_until(lambda: silent.connection is not None)
    world.run_for(11_000)
    assert silent.received == encode_report(3) * 3


def test_a_slave_follows_a_master_that_has_moved_at_once(world: FakeWorld) -> None:
    Master(world, MemoryLog(b"abc", file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.content == b"abc")
    Master(world, MemoryLog(b"abcdef", file_bytes=FILE_BYTES), port=20912)
    slave.client.update_ha_master_address(f"{MASTER}:20912")
    world.run_until(lambda: slave.content == b"abcdef", timeout_ms=100)


def test_a_slave_that_is_shut_down_appends_nothing_more(world: FakeWorld) -> None:
    master = Master(world, MemoryLog(b"abc", file_bytes=FILE_BYTES))
    slave = Slave(world)
    world.run_until(lambda: slave.content == b"abc")
    slave.client.shutdown()
    master.log.append(b"def")
    world.run_for(30_000)
    assert (slave.content, slave.client.state) == (b"abc", HaState.SHUTDOWN)


@pytest.mark.parametrize("address", ["", "10912", "host:", "host:0", "host:65536", "host:x"])
def test_a_wrong_master_address_is_refused(world: FakeWorld, address: str) -> None:
    slave = Slave(world)
    with pytest.raises(ValueError, match="host:port"):
        slave.client.update_ha_master_address(address)
