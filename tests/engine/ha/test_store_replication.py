# SPDX-License-Identifier: Apache-2.0
"""Real stores behind real HA cores: a slave's log is a prefix of its master's, byte for byte, whatever happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.ha.store_node import MASTER, OTHER_SLAVE, SLAVE, Master, Node, Slave
from tests.engine.ha.test_ha_stream import connect
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, log_path, message, messages_of

from rmq.store import BrokerRole, FlushDiskType, GetStatus, PutStatus
from rmq.store.ha.ha_wire import encode_report

if TYPE_CHECKING:
    from rmq.remoting.message import MessageExt
    from rmq.store import MessageToStore

GOLDEN = Path(__file__).parents[1] / "data" / "golden-5.4.0.json"


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


def some(count: int, size_bytes: int = 400) -> list[MessageToStore]:
    return [message(number, queue_id=number % 4, size_bytes=size_bytes) for number in range(count)]


def statuses(master: Master) -> set[PutStatus]:
    return {result.status for result in master.results}


def consumed(node: Node) -> list[bytes]:
    """All bodies of topic T that a consumer of this broker gets."""
    found: list[MessageExt] = []
    for queue_id in range(4):
        offset = 0
        while (result := node.store.get("T", queue_id, offset, 32)).status is GetStatus.FOUND:
            found += messages_of(result)
            offset = result.next_begin_offset
    return sorted(one.body for one in found)


def test_messages_are_acknowledged_when_the_slave_has_them_and_can_be_read_there(world: FakeWorld) -> None:
    master, slave = Master(world), Slave(world)
    for _ in range(10):
        master.put(some(20))
        world.run_for(100)
    assert master.store.max_physical_offset > 5 * LOG_FILE_BYTES
    assert (len(master.results), statuses(master)) == (200, {PutStatus.OK})
    assert slave.log == master.log
    assert consumed(slave) == consumed(master)
    assert len(consumed(slave)) == 200


def test_an_empty_slave_gets_what_was_written_before_it_came(world: FakeWorld) -> None:
    master = Master(world, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
    master.put(some(200))
    world.run_for(100)
    slave = Slave(world)
    world.run_for(1_000)
    assert slave.log == master.log
    assert len(consumed(slave)) == 200


def test_a_slave_of_a_master_whose_oldest_files_are_deleted_begins_at_the_oldest_one_left(world: FakeWorld) -> None:
    master = Master(world, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
    master.put(some(200))
    world.run_for(100)
    disk = master.stop()
    disk.remove(log_path(0))
    disk.remove(log_path(LOG_FILE_BYTES))
    disk.sync_directory(ROOT / "commitlog")
    master = Master(world, disk)
    slave = Slave(world)
    world.run_for(1_000)
    assert slave.store.min_physical_offset == 2 * LOG_FILE_BYTES
    assert slave.log == master.log
    again = Slave(world, slave.kill())
    world.run_for(1_000)
    assert (again.store.min_physical_offset, again.log) == (2 * LOG_FILE_BYTES, master.log)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_slave_that_ends_and_returns_goes_on(world: FakeWorld, end: str) -> None:
    master, slave = Master(world), Slave(world)
    for _ in range(3):
        master.put(some(30))
        world.run_for(1_000)
        disk = slave.stop() if end == "stop" else slave.kill()
        master.put(some(30))
        world.run_for(1_000)
        slave = Slave(world, disk)
        world.run_for(5_000)
        assert slave.log == master.log
    assert consumed(slave) == consumed(master)
    assert PutStatus.FLUSH_SLAVE_TIMEOUT not in statuses(master)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_master_that_ends_and_returns_is_followed(world: FakeWorld, end: str) -> None:
    master, slave = Master(world), Slave(world)
    for _ in range(3):
        master.put(some(30))
        world.run_for(1_000)
        disk = master.stop() if end == "stop" else master.kill()
        world.run_for(1_000)
        master = Master(world, disk)
        world.run_for(6_000)
        master.put(some(30))
        world.run_for(1_000)
        assert slave.log == master.log
        assert statuses(master) == {PutStatus.OK}
    assert len(consumed(slave)) == 180


@pytest.mark.parametrize("flush_disk_type", FlushDiskType)
@pytest.mark.parametrize("size_bytes", [80, 400, 1200, 8000])
def test_a_slave_that_loses_power_fetches_again_what_it_lost(
    world: FakeWorld, flush_disk_type: FlushDiskType, size_bytes: int
) -> None:
    master, slave = Master(world), Slave(world, flush_disk_type=flush_disk_type)
    for _ in range(5):
        master.put(some(20, size_bytes))
        world.run_for(300)
    master.put(some(1))
    world.settle()
    assert slave.log == master.log
    again = Slave(world, slave.lose_power())
    assert master.log.startswith(again.log)
    assert (again.log == master.log) is (flush_disk_type is FlushDiskType.SYNC_FLUSH)
    world.run_for(1_000)
    assert again.log == master.log
    assert consumed(again) == consumed(master)


def test_records_cut_by_a_lost_connection_are_continued_in_the_middle(world: FakeWorld) -> None:
    """A record larger than a transfer frame: the connection goes between its pieces, and no process ends."""
    world.network.latency_ms = 10
    master, slave = Master(world), Slave(world)
    world.run_for(100)
    master.put([message(0, size_bytes=12_000)])
    world.settle()
    half = connect(world.reactor(OTHER_SLAVE))
    middle = master.store.max_physical_offset - 7_000
    half.says(encode_report(middle))
    world.run_for(100)
    assert half.received[12:] == master.log[middle:]
    world.network.cut(MASTER, SLAVE)
    world.run_for(20)
    world.network.heal()
    world.run_for(6_000)
    assert slave.log == master.log


def test_without_a_slave_a_send_is_answered_12_after_three_seconds_and_is_stored(world: FakeWorld) -> None:
    master = Master(world)
    master.put(some(1))
    world.run_for(2_900)
    assert master.results == []
    world.run_for(200)
    assert statuses(master) == {PutStatus.FLUSH_SLAVE_TIMEOUT}
    assert len(consumed(master)) == 1


def test_one_replica_is_enough_where_only_one_is_asked_for(world: FakeWorld) -> None:
    master = Master(world, in_sync_replicas=1)
    master.put(some(1))
    world.settle()
    assert statuses(master) == {PutStatus.OK}


def test_three_replicas_need_both_slaves(world: FakeWorld) -> None:
    master = Master(world, in_sync_replicas=3)
    Slave(world)
    other = Slave(world, host=OTHER_SLAVE, broker_id=2)
    world.run_for(1_000)
    master.put(some(1))
    world.settle()
    assert statuses(master) == {PutStatus.OK}
    disk = other.kill()
    master.results.clear()
    master.put(some(1))
    world.run_for(3_100)
    assert statuses(master) == {PutStatus.FLUSH_SLAVE_TIMEOUT}
    Slave(world, disk, host=OTHER_SLAVE, broker_id=2)
    world.run_for(1_000)
    master.results.clear()
    master.put(some(1))
    world.settle()
    assert statuses(master) == {PutStatus.OK}


def test_a_frozen_slave_means_12_and_in_sync_again_after_its_return(world: FakeWorld) -> None:
    master, slave = Master(world), Slave(world)
    world.run_for(1_000)
    world.network.freeze(MASTER, SLAVE)
    master.put(some(5))
    world.run_for(2_900)
    assert master.results == []
    world.run_for(200)
    assert statuses(master) == {PutStatus.FLUSH_SLAVE_TIMEOUT}
    world.run_for(30_000)
    world.network.heal()
    world.run_for(6_000)
    assert slave.log == master.log
    master.results.clear()
    master.put(some(5))
    world.settle()
    assert statuses(master) == {PutStatus.OK}


def test_a_slave_with_sync_flush_acknowledges_only_what_is_on_its_disk(world: FakeWorld) -> None:
    master = Master(world)
    slave = Slave(world, flush_disk_type=FlushDiskType.SYNC_FLUSH)
    world.run_for(1_000)
    slave.reactor.hold_blocking = True
    master.put(some(1))
    world.run_for(1_000)
    assert slave.log == master.log
    assert master.results == []
    slave.reactor.hold_blocking = False
    world.run_for(100)
    assert statuses(master) == {PutStatus.OK}
    assert slave.store.flushed_physical_offset == master.store.max_physical_offset


def test_a_slave_whose_disk_is_full_waits_for_space_and_goes_on(world: FakeWorld) -> None:
    master = Master(world, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
    disk = FakeDisk()
    slave = Slave(world, disk)
    world.run_for(1_000)
    disk.capacity_bytes = disk.used_bytes
    master.put(some(200))
    world.run_for(10_000)
    assert master.log.startswith(slave.log)
    assert slave.log != master.log
    disk.capacity_bytes = 1 << 40
    world.run_for(11_000)
    assert slave.log == master.log


def test_the_first_transfer_of_apaches_log_is_apaches(world: FakeWorld) -> None:
    golden = json.loads(GOLDEN.read_text())
    (transfer,) = (one for one in golden["exchanges"] if one["name"] == "ha_first_transfer")
    disk = FakeDisk()
    for start in (0, LOG_FILE_BYTES):
        content = bytes.fromhex(golden["files"][f"commitlog/{start:020d}"]["used_hex"])
        disk.open(log_path(start), size_bytes=LOG_FILE_BYTES).pwrite(content, 0)
    Master(world, disk)
    slave = connect(world.reactor(SLAVE))
    slave.says(bytes.fromhex(transfer["slave_report_hex"]))
    world.settle()
    header, body = slave.received[:12], slave.received[12 : 12 + transfer["size"]]
    assert header.hex() == transfer["master_header_hex"]
    assert body[:32].hex() == transfer["body_first_32_hex"]
