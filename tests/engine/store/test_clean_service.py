# SPDX-License-Identifier: Apache-2.0
"""Which files go, and which stay."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from tests.engine.fakes import FakeDisk
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, StoreCase, log_path

from rmq.store import GetStatus, StoreError
from rmq.store.config import HOUR_MS

ALL_HOURS = tuple(range(24))
DAY_MS = 24 * HOUR_MS


def aged(**settings: Any) -> StoreCase:
    """Four files or so, written an hour apart."""
    settings.setdefault("delete_when_hours", ALL_HOURS)
    # Flushing every half second for days of virtual time would only take time.
    settings.setdefault("clean_resource_interval_ms", HOUR_MS)
    settings.setdefault("flush_interval_ms", HOUR_MS // 2)
    case = StoreCase(**settings)
    for _ in range(4):
        case.put_many(95)
        case.reactor.clock.advance(HOUR_MS)
    case.reactor.run_for(HOUR_MS)
    return case


def wait(case: StoreCase, hours: int) -> None:
    for _ in range(hours):
        case.reactor.clock.advance(HOUR_MS - 1)
        case.reactor.run_for(1)


def test_expired_files_go_and_the_last_one_stays() -> None:
    case = aged()
    end = case.store.max_physical_offset
    wait(case, 80)
    assert case.store.min_physical_offset == end - end % LOG_FILE_BYTES
    assert not case.disk.exists(log_path(0))
    found = case.read_all()
    assert found[0].queue_offset == case.store.min_offset("T", 0) > 0
    assert case.store.get("T", 0, 0, 32).status is GetStatus.OFFSET_TOO_SMALL
    assert case.put_many(1)[0].queue_offset == 4 * 95
    again = StoreCase(case.kill())
    assert again.read_all()[: len(found)] == found


def test_nothing_goes_before_its_time() -> None:
    case = aged()
    wait(case, 60)
    assert case.store.min_physical_offset == 0


def test_files_that_cannot_be_read_once_are_removed_later() -> None:
    """Neither does the disk go unmeasured from then on."""
    case = aged()
    case.stop()
    again = StoreCase(
        case.disk,
        delete_when_hours=ALL_HOURS,
        clean_resource_interval_ms=HOUR_MS,
        flush_interval_ms=HOUR_MS // 2,
    )
    reads = again.store._log.store_time

    def fails(offset: int, size_bytes: int) -> int:
        del offset, size_bytes
        raise OSError(errno.EIO, "Input/output error")

    again.store._log.store_time = fails  # type: ignore[method-assign]
    wait(again, 3)
    again.store._log.store_time = reads  # type: ignore[method-assign]
    wait(again, 80)
    assert again.store.min_physical_offset > 0


def test_nothing_goes_outside_of_delete_when() -> None:
    case = aged(delete_when_hours=())
    wait(case, 100)
    assert case.store.min_physical_offset == 0


def test_clock_that_jumps_ten_days_deletes_nothing() -> None:
    case = aged()
    case.reactor.clock.jump(10 * DAY_MS)
    wait(case, 3)
    assert case.store.min_physical_offset == 0


def test_unexpired_files_are_deleted_by_force_only_where_the_user_said_so() -> None:
    for forcibly in (False, True):
        disk = FakeDisk(capacity_bytes=10 * 1024 * 1024)
        case = aged(disk=disk, clean_file_forcibly_enable=forcibly)
        disk.capacity_bytes = int(disk.used_bytes / 0.87)
        wait(case, 1)
        case.reactor.run_for(10)
        assert (case.store.min_physical_offset > 0) is forcibly
        assert (case.store.runtime_info()["forcedCleanFiles"] != "0") is forcibly


def test_views_given_out_survive_the_removal_of_their_file() -> None:
    case = aged()
    result = case.store.get("T", 0, 0, 32)
    before = [bytes(frame) for frame in result.frames]
    wait(case, 80)
    assert case.store.min_physical_offset > 0
    assert [bytes(frame) for frame in result.frames] == before


def test_damage_goes_with_its_file() -> None:
    """The pair's other broker may still have those bytes."""
    case = aged()
    hurt = case.read_all()[10]
    start, end = hurt.physical_offset, hurt.physical_offset + hurt.store_size
    true = bytes(case.store.read_log(start, end - start))
    disk = case.kill()
    disk.remove(ROOT / "queueCheckpoint.json")
    disk.corrupt(log_path(), start + 8, b"\xff\xff\xff")
    case = StoreCase(disk, delete_when_hours=ALL_HOURS, clean_resource_interval_ms=HOUR_MS)
    file_end = 2 * LOG_FILE_BYTES
    case.store.mending.note(file_end - 200, file_end + 200)
    assert case.store.runtime_info()["damagedAt"] == f"{start}-{end};{file_end - 200}-{file_end + 200}"
    while case.store.min_physical_offset < file_end:
        wait(case, 1)
    assert case.store.mending.damaged == [(file_end, file_end + 200)]
    with pytest.raises(StoreError):
        case.store.mending.mend((start, end), true)
