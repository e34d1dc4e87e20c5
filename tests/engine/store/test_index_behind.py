# SPDX-License-Identifier: Apache-2.0
"""An index that is behind its log: after a crash, on a slave that is far behind, on a full disk."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from tests.engine.store.index_case import assert_all_found, checkpoint_gone, found, index_files, put_keyed
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, StoreCase, log_path

from rmq.store import commit_service, index_service
from rmq.store.config import BrokerRole
from rmq.store.store_checkpoint import StoreCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.fakes import FakeDisk


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_service, "CATCH_UP_RECORDS", 16)


def killed_without_checkpoint(numbers: range) -> tuple[FakeDisk, dict[int, int]]:
    case = StoreCase()
    offsets = put_keyed(case, numbers)
    disk = case.kill()
    checkpoint_gone(disk)
    return disk, offsets


def checkpoint_of(disk: FakeDisk) -> StoreCheckpoint:
    return StoreCheckpoint.decode(disk.read_bytes(ROOT / "checkpoint"))


def test_start_does_not_wait_for_the_index_and_a_query_does(small_steps: None) -> None:
    disk, offsets = killed_without_checkpoint(range(300))
    case = StoreCase(disk)
    assert len(case.read_all()) == 300
    assert index_files(disk) == []
    assert found(case, "k299") == [offsets[299]]
    assert_all_found(case, offsets)


def test_apache_is_told_to_read_the_log_from_where_the_index_ends(small_steps: None) -> None:
    """Whatever this broker's start has taken into its queues: keys are made anew by Apache only where it reads."""
    disk, _ = killed_without_checkpoint(range(300))
    case = StoreCase(disk)
    assert checkpoint_of(disk).logics_msg_timestamp_ms == 0
    case.reactor.run_for(70_000)
    checkpoint = checkpoint_of(disk)
    assert checkpoint.logics_msg_timestamp_ms == checkpoint.index_msg_timestamp_ms > 0


def test_messages_that_come_meanwhile_are_added_in_the_order_of_the_log(small_steps: None) -> None:
    disk, offsets = killed_without_checkpoint(range(300))
    case = StoreCase(disk)
    for number in range(300, 310):
        offsets |= put_keyed(case, range(number, number + 1))
        case.reactor.run_for(1)
    assert_all_found(case, offsets)
    assert found(case, "both") == list(offsets.values())[-64:]


@pytest.mark.parametrize("end", [StoreCase.stop, StoreCase.kill], ids=["stopped", "killed"])
@pytest.mark.parametrize("ran_ms", [0, 1, 20])
def test_index_that_was_behind_at_the_end_goes_on_at_the_next_start(
    ran_ms: int, end: Callable[[StoreCase], FakeDisk], small_steps: None
) -> None:
    disk, offsets = killed_without_checkpoint(range(300))
    case = StoreCase(disk)
    case.reactor.run_for(ran_ms)
    again = StoreCase(end(case))
    assert_all_found(again, offsets)
    assert found(again, "both") == list(offsets.values())[-64:]


def test_damage_costs_an_index_that_is_behind_no_other_record() -> None:
    disk, offsets = killed_without_checkpoint(range(100))
    gone = 40
    disk.corrupt(
        log_path(offsets[gone] // LOG_FILE_BYTES * LOG_FILE_BYTES), offsets[gone] % LOG_FILE_BYTES, b"\x7f" * 8
    )
    case = StoreCase(disk)
    assert found(case, f"k{gone}") == []
    del offsets[gone]
    assert_all_found(case, offsets)


def test_slave_whose_index_is_behind_misses_no_record_that_comes_in_pieces(small_steps: None) -> None:
    master = StoreCase()
    offsets = put_keyed(master, range(70))
    data = bytes(master.store.read_log(0, 1 << 20))
    slave = StoreCase(broker_role=BrokerRole.SLAVE)
    slave.store.append_raw(0, data[: len(data) // 2])
    slave.reactor.run_for(1)
    disk = slave.kill()
    checkpoint_gone(disk)
    slave = StoreCase(disk, broker_role=BrokerRole.SLAVE)
    for start in range(slave.store.max_physical_offset, len(data), 100):
        slave.store.append_raw(start, data[start : start + 100])
        slave.reactor.run_for(1)
    assert_all_found(slave, offsets)


@pytest.mark.parametrize("ran_ms", [0, 150, 3_000])
def test_slave_that_takes_the_log_in_bulk_leaves_its_index_behind_for_a_while(ran_ms: int, small_steps: None) -> None:
    big = 8 * commit_service.BULK_BYTES
    master = StoreCase(mapped_file_size_commit_log=big)
    offsets = put_keyed(master, range(700))
    data = bytes(master.store.read_log(0, big))
    assert len(data) > commit_service.BULK_BYTES
    slave = StoreCase(broker_role=BrokerRole.SLAVE, mapped_file_size_commit_log=big)
    slave.store.append_raw(0, data)
    slave.reactor.run_for(1)
    assert len(slave.read_all()) == 700
    assert index_files(slave.disk) == []
    slave.reactor.run_for(ran_ms)
    assert_all_found(slave, offsets)
    again = StoreCase(slave.kill(), broker_role=BrokerRole.SLAVE, mapped_file_size_commit_log=big)
    assert_all_found(again, offsets)


def test_each_query_waits_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is released by the end of another's wait would find less than is there."""
    monkeypatch.setattr(index_service, "CATCH_UP_RECORDS", 32)
    monkeypatch.setattr(index_service, "CATCH_UP_PAUSE_MS", 100)
    big = 16 * commit_service.BULK_BYTES
    master = StoreCase(mapped_file_size_commit_log=big)
    offsets = put_keyed(master, range(1600))
    data = bytes(master.store.read_log(0, big))
    slave = StoreCase(broker_role=BrokerRole.SLAVE, mapped_file_size_commit_log=big)
    begun_ms = slave.reactor.clock.monotonic_ms()
    slave.store.append_raw(0, data[: offsets[800]])
    slave.reactor.run_for(1)
    assert found(slave, "k799") == [offsets[799]]
    waited_ms = slave.reactor.clock.monotonic_ms() - begun_ms
    assert index_service.COMPLETE_WAIT_MS // 2 < waited_ms < index_service.COMPLETE_WAIT_MS
    slave.store.append_raw(offsets[800], data[offsets[800] :])
    slave.reactor.run_for(1)
    assert found(slave, "k1599") == [offsets[1599]]


# -- a full disk


def test_full_disk_stops_the_index_and_not_the_puts() -> None:
    case = StoreCase()
    put_keyed(case, range(5))
    case.disk.fail("pwrite", errno.ENOSPC, path_contains="/index/", times=100)
    case.disk.fail("open", errno.ENOSPC, path_contains="/index/", times=1000)
    offsets = put_keyed(case, range(5, 250))
    assert not case.fatal
    case.disk.heal()
    case.reactor.run_for(5_000)
    assert_all_found(case, offsets)
    again = StoreCase(case.stop())
    assert_all_found(again, offsets)


def test_records_that_the_index_missed_are_added_at_the_next_start() -> None:
    case = StoreCase()
    put_keyed(case, range(5))
    case.disk.fail("open", errno.ENOSPC, path_contains="/index/", times=1000)
    offsets = put_keyed(case, range(5, 250))
    disk = case.stop()
    disk.heal()
    assert_all_found(StoreCase(disk), offsets)


def test_failing_disk_under_the_index_costs_the_index_until_the_next_start() -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(5))
    case.disk.fail("datasync", errno.EIO, path_contains="/index/")
    case.reactor.run_for(70_000)
    offsets |= put_keyed(case, range(5, 10))
    assert not case.fatal
    assert_all_found(StoreCase(case.stop()), offsets)


def test_stop_ends_the_catching_up() -> None:
    case = StoreCase()
    put_keyed(case, range(4 * index_service.CATCH_UP_RECORDS))
    disk = case.kill()
    for path in [path for path in disk.files() if "index" in path.parts]:
        disk.remove(path)
    again = StoreCase(disk)
    again.reactor.run_for(1)
    again.stop()
    again.reactor.run_for(5_000)
