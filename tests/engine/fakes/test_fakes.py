# SPDX-License-Identifier: Apache-2.0
"""The fakes lose, refuse and delay exactly what they say they do: tests that lean on them prove nothing otherwise."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from tests.engine.fakes import FakeConnection, FakeDisk, FakeReactor, FakeWorld, SimulatedCrash

PATH = Path("/d/f")


def test_crash_loses_what_was_not_synced() -> None:
    disk = FakeDisk()
    file = disk.open(PATH, size_bytes=16)
    file.pwrite(b"synced", 0)
    file.datasync()
    disk.sync_directory(PATH.parent)
    file.pwrite(b"lost", 8)
    disk.crash()
    assert disk.read_bytes(PATH) == b"synced".ljust(16, b"\0")
    with pytest.raises(ValueError, match="closed"):
        file.pread(1, 0)


def test_crash_loses_a_name_that_was_not_synced() -> None:
    disk = FakeDisk()
    disk.open(PATH, size_bytes=16).datasync()
    disk.crash()
    assert not disk.exists(PATH)


def test_kill_loses_nothing_but_locks_and_open_files() -> None:
    disk = FakeDisk()
    lock = Path("/d/lock")
    with disk.lock(lock):
        disk.open(PATH).pwrite(b"written", 0)
        with pytest.raises(BlockingIOError, match="4711"), disk.another_process(5).lock(lock):
            pass
        disk.kill()
        with disk.lock(lock):
            pass
    assert disk.read_bytes(PATH) == b"written"


def test_crash_at_a_write_tears_it_at_a_sector() -> None:
    for seed in range(20):
        disk = FakeDisk(seed=seed)
        file = disk.open(PATH)
        disk.crash_at = disk.mutations + 1
        with pytest.raises(SimulatedCrash):
            file.pwrite(b"x" * 2000, 0)
        disk.kill()
        assert len(disk.read_bytes(PATH)) % 512 == 0


def test_full_disk_refuses_new_blocks_and_takes_reserved_ones() -> None:
    disk = FakeDisk(capacity_bytes=8192)
    file = disk.open(PATH, size_bytes=1 << 20)
    file.reserve(0, 8192)
    file.pwrite(b"x" * 8192, 0)
    with pytest.raises(OSError, match="space") as caught:
        file.pwrite(b"x", 8192)
    assert caught.value.errno == errno.ENOSPC
    assert disk.used_ratio(PATH) == 1.0


def test_views_show_later_writes_and_holes_are_told() -> None:
    file = FakeDisk().open(PATH, size_bytes=20_000)
    view = file.view(0, 20_000)
    assert file.next_data(0) == 20_000
    file.pwrite(b"x", 9000)
    assert view[9000] == ord("x")
    assert file.next_data(0) == 8192


class Echo:
    def __init__(self) -> None:
        self.connection: FakeConnection | None = None
        self.received: list[bytes] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, connection: object) -> None:
        assert isinstance(connection, FakeConnection)
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.append(reason)


def pair() -> tuple[FakeWorld, FakeReactor, FakeReactor, Echo, Echo]:
    world = FakeWorld()
    client, server = world.reactor("192.0.2.1"), world.reactor("192.0.2.2")
    here, there = Echo(), Echo()
    listener = server.listen("192.0.2.2", 0, lambda: there)
    client.connect(*listener.address, here, timeout_ms=1000, failed=here.lost.append)
    world.settle()
    return world, client, server, here, there


def test_writes_of_a_tick_arrive_as_one_read() -> None:
    world, _, _, here, there = pair()
    assert here.connection is not None
    here.connection.write(b"a")
    here.connection.write(b"b")
    world.settle()
    assert there.received == [b"ab"]


def test_frozen_wire_keeps_bytes_and_a_cut_one_resets_both_ends() -> None:
    world, _, _, here, there = pair()
    assert here.connection is not None
    world.network.freeze("192.0.2.1", "192.0.2.2")
    here.connection.write(b"late")
    world.run_for(5_000)
    assert there.received == []
    world.network.heal()
    world.settle()
    assert there.received == [b"late"]
    world.network.cut("192.0.2.1", "192.0.2.2")
    world.settle()
    assert isinstance(here.lost[0], ConnectionResetError)
    assert isinstance(there.lost[0], ConnectionResetError)


def test_crashed_node_does_nothing_more_and_resets_its_peers() -> None:
    world, client, server, here, _ = pair()
    fired: list[int] = []
    server.call_later(10, lambda: fired.append(1))
    server.crash()
    world.run_for(100)
    assert fired == []
    assert isinstance(here.lost[0], ConnectionResetError)
    assert client.clock.monotonic_ms() == 100


def test_timers_fire_in_order_and_time_stands_still_meanwhile() -> None:
    reactor = FakeReactor()
    fired: list[tuple[int, str]] = []
    reactor.call_later(20, lambda: fired.append((reactor.clock.monotonic_ms(), "b")))
    reactor.call_later(10, lambda: fired.append((reactor.clock.monotonic_ms(), "a")))
    reactor.call_later(15, lambda: fired.append((0, "never"))).cancel()
    reactor.run_for(30)
    assert fired == [(10, "a"), (20, "b")]
