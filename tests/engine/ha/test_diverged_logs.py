# SPDX-License-Identifier: Apache-2.0
"""A master that lost power comes back without its last writes, or without any, and goes on: its slave notices."""

from __future__ import annotations

import pytest
from tests.engine.fakes import FakeWorld
from tests.engine.ha.store_node import Master, Slave
from tests.engine.ha.test_store_replication import consumed, some, statuses
from tests.engine.store.store_case import ROOT

from rmq.store import BrokerRole, PutStatus

DIVERGED = ROOT / "diverged"


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


def parted(world: FakeWorld, slave: Slave, master: Master, lost: int, written: int) -> tuple[bytes, Master]:
    """The master loses its last `lost` messages and writes others in their place, before the slave connects again.
    Returns what the slave had."""
    master.put(some(30))
    world.run_for(20_000)
    master.put(some(lost, size_bytes=80))
    world.run_for(100)
    had = slave.log
    assert had == master.log
    disk = master.lose_power()
    world.network.cut(master.host, slave.host)
    back = Master(world, disk, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
    assert len(back.log) < len(had)
    back.put(some(written, size_bytes=56))
    world.run_for(100)
    world.network.heal()
    return had, back


@pytest.mark.parametrize(("lost", "written"), [(1, 1), (3, 40), (40, 3), (100, 100), (2, 0)])
def test_the_slave_keeps_its_tail_in_a_file_and_follows(world: FakeWorld, lost: int, written: int) -> None:
    master, slave = Master(world), Slave(world)
    had, master = parted(world, slave, master, lost, written)
    world.run_for(30_000)
    assert slave.log == master.log
    assert consumed(slave) == consumed(master)
    (name,) = slave.disk.listdir(DIVERGED)
    assert slave.disk.read_bytes(DIVERGED / name) == had[int(name) :]
    assert slave.store.runtime_info()["tailsSetAside"] == "1"
    master.put(some(5))
    world.run_for(1_000)
    assert slave.log == master.log


def test_a_slave_that_dies_while_it_sets_its_tail_aside_does_it_when_it_is_back(world: FakeWorld) -> None:
    master, slave = Master(world), Slave(world)
    had, master = parted(world, slave, master, 20, 20)
    slave.reactor.hold_blocking = True
    world.run_for(5_000)
    assert slave.log == had
    slave = Slave(world, slave.kill())
    world.run_for(10_000)
    assert slave.log == master.log


def test_a_slave_that_sets_aside_and_loses_power_is_whole(world: FakeWorld) -> None:
    master, slave = Master(world), Slave(world)
    had, master = parted(world, slave, master, 20, 20)
    world.run_until(lambda: slave.store.tails_set_aside == 1)
    disk = slave.lose_power()
    (name,) = disk.listdir(DIVERGED)
    assert disk.read_bytes(DIVERGED / name) == had[int(name) :]
    slave = Slave(world, disk)
    world.run_for(10_000)
    assert slave.log == master.log
    assert consumed(slave) == consumed(master)


def test_a_slave_with_data_never_follows_a_master_that_lost_its_disk(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Apache acknowledges new messages at once here, and they are on no slave."""
    master, slave = Master(world), Slave(world)
    master.put(some(50))
    world.run_for(100)
    had = slave.log
    master.reactor.crash()
    master = Master(world)
    world.run_for(30_000)
    master.put(some(3, size_bytes=8))
    world.run_for(3_100)
    assert statuses(master) == {PutStatus.FLUSH_SLAVE_TIMEOUT}
    assert slave.log == had
    assert slave.disk.listdir(DIVERGED) == []
    told = [one.message for one in caplog.records if "no message is in both logs" in one.message]
    assert told
    assert len(told) < 5
