# SPDX-License-Identifier: Apache-2.0
"""Synchronous flush, synchronous double write, their time-outs, and a disk that fails."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from tests.engine.fakes import FakeDisk
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, StoreCase, message

from rmq.store import BrokerRole, FlushDiskType, PutResult, PutStatus, StoreError

SYNC_FLUSH: dict[str, Any] = {"flush_disk_type": FlushDiskType.SYNC_FLUSH}
SYNC_MASTER: dict[str, Any] = {"broker_role": BrokerRole.SYNC_MASTER, "in_sync_replicas": 2}


class Producer:
    """Puts without waiting and keeps the answers with the time at which they came."""

    def __init__(self, case: StoreCase) -> None:
        self.case = case
        self.answers: list[tuple[int, PutStatus]] = []
        self.results: list[PutResult] = []
        self._start_ms = case.reactor.clock.monotonic_ms()

    def send(self) -> None:
        self.case.store.put(message(), self._stored)

    def _stored(self, result: PutResult) -> None:
        self.answers.append((self.case.reactor.clock.monotonic_ms() - self._start_ms, result.status))
        self.results.append(result)


def syncs(disk: FakeDisk) -> int:
    return len([1 for operation, path in disk.operations if operation == "datasync" and "commitlog" in path.parts])


def test_one_fdatasync_is_shared_by_all_of_a_tick() -> None:
    case = StoreCase(**SYNC_FLUSH)
    case.put_many(1)
    case.disk.operations.clear()
    case.put_many(50)
    assert syncs(case.disk) == 1
    assert case.store.flushed_physical_offset == case.store.max_physical_offset


def test_ticks_during_a_sync_share_the_next_one() -> None:
    case = StoreCase(**SYNC_FLUSH)
    case.put_many(1)
    case.disk.operations.clear()
    case.reactor.hold_blocking = True
    producer = Producer(case)
    for _ in range(5):
        producer.send()
        case.reactor.settle()
    assert producer.answers == []
    case.reactor.hold_blocking = False
    case.reactor.settle()
    assert producer.answers == [(0, PutStatus.OK)] * 5
    assert syncs(case.disk) == 2


def test_roll_over_syncs_both_files() -> None:
    case = StoreCase(**SYNC_FLUSH)
    case.put_many(90)
    case.disk.operations.clear()
    case.put_many(10)
    assert case.store.max_physical_offset > LOG_FILE_BYTES
    assert {path.name for operation, path in case.disk.operations if operation == "datasync"} >= {
        f"{0:020d}",
        f"{LOG_FILE_BYTES:020d}",
    }


def test_flush_that_takes_too_long_is_told_and_the_message_is_stored() -> None:
    case = StoreCase(**SYNC_FLUSH)
    case.reactor.hold_blocking = True
    producer = Producer(case)
    producer.send()
    case.reactor.run_for(4_999)
    assert producer.answers == []
    case.reactor.run_for(1)
    assert producer.answers == [(5_000, PutStatus.FLUSH_DISK_TIMEOUT)]
    assert producer.results[0].message_id
    assert len(case.read_all()) == 1


def test_async_flush_answers_at_once_and_syncs_later() -> None:
    case = StoreCase()
    case.put_many(200)
    assert case.store.flushed_physical_offset == 0
    case.reactor.run_for(500)
    assert case.store.flushed_physical_offset == case.store.max_physical_offset


def test_who_waits_for_the_disk_is_told_when_it_has_what_there_was() -> None:
    case = StoreCase()
    told: list[int] = []
    case.put_many(1)
    case.store.when_flushed(lambda: told.append(1))
    assert told == []
    case.reactor.run_for(10)
    assert told == [1]
    assert case.store.flushed_physical_offset == case.store.max_physical_offset
    case.store.when_flushed(lambda: told.append(2))
    assert told == [1, 2]
    position = case.put_many(2)[1].physical_offset
    case.store.when_flushed(lambda: told.append(3))
    case.store.truncate_to(position)
    assert told == [1, 2, 3]


def test_little_dirty_data_waits_for_the_thorough_flush() -> None:
    case = StoreCase()
    case.put_many(1)
    case.reactor.run_for(9_000)
    assert case.store.flushed_physical_offset == 0
    case.reactor.run_for(1_500)
    assert case.store.flushed_physical_offset == case.store.max_physical_offset


def test_double_write_answers_when_the_slaves_have_it() -> None:
    case = StoreCase(**SYNC_MASTER)
    producer = Producer(case)
    producer.send()
    producer.send()
    case.reactor.settle()
    ends = case.store.max_physical_offset // 2
    case.store.replicated(ends - 1)
    assert producer.answers == []
    case.store.replicated(ends)
    assert producer.answers == [(0, PutStatus.OK)]
    case.store.replicated(2 * ends)
    assert producer.answers == [(0, PutStatus.OK)] * 2


def test_confirmation_that_came_before_the_answer_was_due_counts() -> None:
    case = StoreCase(**SYNC_MASTER)
    case.store.on_commit(case.store.replicated)
    assert case.put(message()).status is PutStatus.OK


def test_slave_that_stays_silent_is_told_after_slave_timeout_and_the_message_is_stored() -> None:
    case = StoreCase(**SYNC_MASTER)
    producer = Producer(case)
    producer.send()
    case.reactor.run_for(1_000)
    producer.send()
    case.reactor.run_for(10_000)
    assert producer.answers == [(3_000, PutStatus.FLUSH_SLAVE_TIMEOUT), (4_000, PutStatus.FLUSH_SLAVE_TIMEOUT)]
    assert [one.queue_offset for one in producer.results] == [0, 1]
    assert len(case.read_all()) == 2


def test_one_replica_means_that_a_sync_master_waits_for_nobody() -> None:
    case = StoreCase(broker_role=BrokerRole.SYNC_MASTER, in_sync_replicas=1)
    assert case.put(message()).status is PutStatus.OK
    assert case.reactor.clock.monotonic_ms() == 0


def test_flush_and_slaves_are_both_waited_for() -> None:
    case = StoreCase(**SYNC_FLUSH, **SYNC_MASTER)
    case.reactor.hold_blocking = True
    producer = Producer(case)
    producer.send()
    case.reactor.settle()
    case.store.replicated(case.store.max_physical_offset)
    assert producer.answers == []
    case.reactor.hold_blocking = False
    case.reactor.settle()
    assert producer.answers == [(0, PutStatus.OK)]


def test_slaves_answer_stands_where_both_are_given_up() -> None:
    case = StoreCase(**SYNC_FLUSH, **SYNC_MASTER)
    case.reactor.hold_blocking = True
    producer = Producer(case)
    producer.send()
    case.reactor.run_for(6_000)
    assert producer.answers == [(5_000, PutStatus.FLUSH_SLAVE_TIMEOUT)]


def test_clean_stop_tells_who_still_waits_that_the_message_is_stored() -> None:
    case = StoreCase(**SYNC_MASTER)
    producer = Producer(case)
    producer.send()
    case.reactor.settle()
    disk = case.stop()
    assert producer.answers == [(0, PutStatus.FLUSH_SLAVE_TIMEOUT)]
    assert not disk.exists(ROOT / "abort")


# -- a disk that fails


def test_full_disk_refuses_and_resumes_by_itself() -> None:
    disk = FakeDisk(capacity_bytes=1024 * 1024)
    case = StoreCase(disk, disk_space_warning_level_ratio=1.0)
    case.put_many(5)
    disk.capacity_bytes = disk.used_bytes
    results: list[PutResult] = []
    while not results or results[-1].status is PutStatus.OK:
        results.append(case.put(message(size_bytes=400)))
    stored = [one for one in results if one.status is PutStatus.OK]
    assert results[-1].status is PutStatus.SERVICE_NOT_AVAILABLE
    assert len(case.read_all()) == 5 + len(stored)
    disk.capacity_bytes = 1024 * 1024
    assert case.put(message(size_bytes=400)).queue_offset == 5 + len(stored)
    assert case.fatal == []
    again = StoreCase(case.kill())
    assert [one.queue_offset for one in again.read_all()] == list(range(6 + len(stored)))


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_failed_write_is_refused_and_its_bytes_never_come_back(error: int) -> None:
    """The refused records reach the platter all the same; the next, shorter write must not leave their tail behind."""
    case = StoreCase()
    case.put_many(3)
    end = case.store.max_physical_offset
    case.disk.fail("pwrite", error, path_contains="commitlog")
    results: list[PutResult] = []
    for number in range(5):
        case.store.put(message(number), results.append)
    case.reactor.settle()
    assert [one.status for one in results] == [PutStatus.SERVICE_NOT_AVAILABLE] * 5
    donor = StoreCase()
    donor.put_many(8)
    case.disk.corrupt(ROOT / "commitlog" / f"{0:020d}", end, bytes(donor.store.read_log(end, 10_000)))
    assert case.put(message(99)).queue_offset == 3
    again = StoreCase(case.kill())
    assert [one.queue_offset for one in again.read_all()] == [0, 1, 2, 3]
    assert again.store.recovery.damaged_ranges == []


@pytest.mark.parametrize("flush", FlushDiskType)
def test_failed_fdatasync_ends_acknowledging_for_good(flush: FlushDiskType) -> None:
    case = StoreCase(flush_disk_type=flush, mapped_file_size_commit_log=1024 * 1024)
    case.put_many(200)
    case.reactor.run_for(1_000)
    case.disk.fail("datasync", path_contains="commitlog")
    producer = Producer(case)
    for _ in range(200):
        producer.send()
    case.reactor.run_for(1_000)
    wanted = PutStatus.OK if flush is FlushDiskType.ASYNC_FLUSH else PutStatus.SERVICE_NOT_AVAILABLE
    assert {status for _, status in producer.answers} == {wanted}
    assert len(case.fatal) == 1
    assert "nothing more can be acknowledged" in case.fatal[0]
    assert case.put(message()).status is PutStatus.SERVICE_NOT_AVAILABLE
    assert len(case.read_all()) == 400
    case.stop()
    assert case.disk.exists(ROOT / "abort")


def test_queue_that_cannot_be_written_ends_acknowledging() -> None:
    case = StoreCase()
    case.put_many(200)
    case.disk.fail("pwrite", path_contains="consumequeue")
    producer = Producer(case)
    for _ in range(20):
        producer.send()
    case.reactor.settle()
    assert {status for _, status in producer.answers} == {PutStatus.SERVICE_NOT_AVAILABLE}
    assert case.fatal


def test_failing_last_sync_leaves_the_abort_file_and_says_so() -> None:
    case = StoreCase()
    case.put_many(3)
    case.disk.fail("datasync")
    with pytest.raises(StoreError, match="could not be closed cleanly"):
        case.stop()
    assert case.disk.exists(ROOT / "abort")
    assert len(StoreCase(case.disk).read_all()) == 3


def test_disk_above_its_warning_level_refuses_puts_until_there_is_space() -> None:
    disk = FakeDisk(capacity_bytes=1024 * 1024)
    case = StoreCase(disk)
    case.put_many(3)
    disk.capacity_bytes = int(disk.used_bytes / 0.95)
    case.reactor.run_for(10_000)
    assert case.put(message()).status is PutStatus.SERVICE_NOT_AVAILABLE
    assert not case.store.is_writable
    assert len(case.read_all()) == 3
    disk.capacity_bytes = 1024 * 1024
    case.reactor.run_for(10_000)
    assert case.put(message()).status is PutStatus.OK


def test_answer_that_cannot_be_given_does_not_keep_the_others() -> None:
    case = StoreCase()

    def broken(result: PutResult) -> None:
        raise RuntimeError("the channel is gone")

    producer = Producer(case)
    case.store.put(message(), broken)
    producer.send()
    case.reactor.settle()
    assert producer.answers == [(0, PutStatus.OK)]
