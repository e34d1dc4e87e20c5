# SPDX-License-Identifier: Apache-2.0
"""What is there after a start: damage of every kind, crashes at every write, lost power."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.fakes import FakeDisk, SimulatedCrash
from tests.engine.store.store_case import (
    LOG_FILE_BYTES,
    QUEUE_FILE_BYTES,
    ROOT,
    StoreCase,
    log_path,
    message,
    queue_path,
)

from rmq.store import FlushDiskType, MessageStore, PutResult, PutStatus, StoreConfig, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.remoting.message import MessageExt

COUNT = 330
QUEUES = 3


def filled(*, clean: bool = True) -> tuple[FakeDisk, list[MessageExt]]:
    """A store with 330 messages in 3 queues over several files, and all of them as they were read back."""
    case = StoreCase()
    for first in range(0, COUNT, 30):
        for queue_id in range(QUEUES):
            case.put_many(10, queue_id=queue_id, size_bytes=40 + first // 10 * 8)
    records = read_everything(case)
    assert len(records) == COUNT
    return (case.stop() if clean else case.kill()), records


def read_everything(case: StoreCase) -> list[MessageExt]:
    found = [one for queue_id in range(QUEUES) for one in case.read_all("T", queue_id)]
    return sorted(found, key=lambda one: one.physical_offset)


def read_after_restart(disk: FakeDisk) -> list[MessageExt]:
    """Start, read all, and prove that the store goes on working: dense offsets, another clean stop and start."""
    case = StoreCase(disk)
    found = read_everything(case)
    ends = [case.store.max_offset("T", queue_id) for queue_id in range(QUEUES)]
    for queue_id in range(QUEUES):
        assert case.put_many(2, queue_id=queue_id)[0].queue_offset == ends[queue_id]
    case.stop()
    again = StoreCase(disk)
    assert len(read_everything(again)) == len(found) + 2 * QUEUES
    again.stop()
    return found


@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
def test_everything_is_there_after_a_stop(clean: bool) -> None:
    disk, records = filled(clean=clean)
    assert disk.exists(ROOT / "abort") is not clean
    assert read_after_restart(disk) == records


def test_clean_start_walks_no_record() -> None:
    disk, _ = filled()
    case = StoreCase(disk)
    assert case.store.recovery.records == 0
    assert case.store.recovery.start == case.store.max_physical_offset


def test_start_after_a_kill_walks_only_what_came_after_the_checkpoint() -> None:
    case = StoreCase()
    case.put_many(100)
    case.reactor.run_for(70_000)
    mark = case.store.max_physical_offset
    case.put_many(10)
    again = StoreCase(case.kill())
    assert (again.store.recovery.start, again.store.recovery.records) == (mark, 10)
    assert len(again.read_all()) == 110


def test_start_after_a_kill_does_not_look_for_the_queues_of_a_deleted_topic() -> None:
    case = StoreCase()
    case.put_many(100)
    case.put_many(10, "U")
    case.reactor.run_for(70_000)
    mark = case.store.max_physical_offset
    case.store.delete_topic("U")
    case.reactor.settle()
    again = StoreCase(case.kill())
    assert (again.store.recovery.start, again.store.queues()) == (mark, {"T": [0]})


def remove_queue(disk: FakeDisk, queue_id: int) -> None:
    for path in [path for path in disk.files() if path.parent == queue_path(queue_id=queue_id).parent]:
        disk.remove(path)


def remove_one_queue(disk: FakeDisk) -> None:
    remove_queue(disk, 1)


def remove_all_queues(disk: FakeDisk) -> None:
    for queue_id in range(QUEUES):
        remove_queue(disk, queue_id)


def zero_queue_after_50(disk: FakeDisk) -> None:
    disk.corrupt(queue_path(queue_id=1), 50 * 20, bytes(QUEUE_FILE_BYTES - 50 * 20))


def zero_units_in_the_middle(disk: FakeDisk) -> None:
    disk.corrupt(queue_path(queue_id=1), 30 * 20, bytes(20 * 20))


def cut_first_queue_file(disk: FakeDisk) -> None:
    disk.open(queue_path(queue_id=2)).truncate(777)


def remove_first_queue_file(disk: FakeDisk) -> None:
    disk.remove(queue_path(queue_id=0))


def remove_checkpoints(disk: FakeDisk) -> None:
    disk.remove(ROOT / "checkpoint")
    disk.remove(ROOT / "queueCheckpoint.json")


def garbage_checkpoints(disk: FakeDisk) -> None:
    disk.replace_file(ROOT / "checkpoint", b"\xff" * 17)
    disk.replace_file(ROOT / "queueCheckpoint.json", b'{"physicalOffset": "x"}')


@pytest.mark.parametrize(
    "damage",
    [
        remove_one_queue,
        remove_all_queues,
        zero_queue_after_50,
        zero_units_in_the_middle,
        cut_first_queue_file,
        remove_first_queue_file,
        remove_checkpoints,
        garbage_checkpoints,
    ],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
def test_damaged_derived_file_costs_no_message(damage: Callable[[FakeDisk], None], clean: bool) -> None:
    disk, records = filled(clean=clean)
    damage(disk)
    assert read_after_restart(disk) == records


@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
@pytest.mark.parametrize("where", [4, 8, 30, 60, 90, 120])
def test_flipped_bit_in_the_middle_costs_that_message_alone(where: int, clean: bool) -> None:
    """In magic, CRC, offsets, times, body or properties: found in recovery or when first read, never served."""
    disk, records = filled(clean=clean)
    victim = records[150]
    position = victim.physical_offset + where
    path = log_path(position - position % LOG_FILE_BYTES)
    byte = disk.read_bytes(path)[position % LOG_FILE_BYTES]
    disk.corrupt(path, position % LOG_FILE_BYTES, bytes((byte ^ 1,)))
    case = StoreCase(disk)
    assert read_everything(case) == [one for one in records if one != victim]
    info = case.store.runtime_info()
    assert int(info["damagedRanges"]) + int(info["damagedRecords"]) == 1


@pytest.mark.parametrize("hints", [True, False], ids=["hints", "no-hints"])
@pytest.mark.parametrize("seed", range(30))
def test_flipped_bit_anywhere_in_the_log_costs_one_message_at_most(seed: int, hints: bool) -> None:
    disk, records = filled(clean=False)
    dice = random.Random(seed)
    position = dice.randrange(records[-1].physical_offset + records[-1].store_size)
    path = log_path(position - position % LOG_FILE_BYTES)
    byte = disk.read_bytes(path)[position % LOG_FILE_BYTES]
    disk.corrupt(path, position % LOG_FILE_BYTES, bytes((byte ^ 1 << dice.randrange(8),)))
    if not hints:
        remove_checkpoints(disk)
        remove_all_queues(disk)
    hit = [one for one in records if one.physical_offset <= position < one.physical_offset + one.store_size]
    assert read_everything(StoreCase(disk)) == [one for one in records if one not in hit]


@pytest.mark.parametrize("size_bytes", [1, 100, 1000, 5000])
def test_zeroed_range_in_the_middle_costs_what_was_in_it(size_bytes: int) -> None:
    disk, records = filled(clean=False)
    start = records[100].physical_offset + 10
    assert start // LOG_FILE_BYTES == (start + size_bytes) // LOG_FILE_BYTES
    disk.corrupt(log_path(start - start % LOG_FILE_BYTES), start % LOG_FILE_BYTES, bytes(size_bytes))
    remove_checkpoints(disk)
    remove_all_queues(disk)
    lost = [
        one
        for one in records
        if one.physical_offset < start + size_bytes and one.physical_offset + one.store_size > start
    ]
    case = StoreCase(disk)
    assert read_everything(case) == [one for one in records if one not in lost]
    assert case.store.recovery.damaged_ranges == [
        (lost[0].physical_offset, lost[-1].physical_offset + lost[-1].store_size)
    ]
    assert case.put_many(1)[0].queue_offset == COUNT // QUEUES


def test_torn_tail_is_cut_and_zeroed_and_never_comes_back() -> None:
    disk, records = filled(clean=False)
    end = records[-1].physical_offset + records[-1].store_size
    tail = end % LOG_FILE_BYTES
    path = log_path(end - tail)
    disk.corrupt(path, tail, b"\x00\x00\x01\x00\xda\xa3\x20\xa7" + b"half a record" * 10)
    case = StoreCase(disk)
    assert case.store.max_physical_offset == end
    assert case.store.recovery.damaged_ranges == []
    assert not any(disk.read_bytes(path)[tail:])
    assert read_everything(case) == records


@pytest.mark.parametrize("topic", ["T", "Other"])
@pytest.mark.parametrize("clean", [True, False])
def test_damage_at_the_synced_end_is_no_torn_tail(clean: bool, topic: str) -> None:
    """Also where its queue has to be made anew: a message of the pair's other broker must not find its number taken."""
    case = StoreCase()
    case.put_many(4)
    last = case.put_many(1, topic=topic)[0]
    case.reactor.run_for(120_000)
    disk = case.stop() if clean else case.kill()
    record = disk.read_bytes(log_path(0))[last.physical_offset : last.physical_offset + last.size]
    for path in [path for path in disk.files() if "consumequeue" in path.parts]:
        disk.remove(path)
    disk.corrupt(log_path(0), last.physical_offset + last.size // 2, b"\x00\xff")
    case = StoreCase(disk)
    damage = (last.physical_offset, last.physical_offset + last.size)
    assert case.store.recovery.damaged_ranges == [damage]
    assert case.put_many(1, topic=topic)[0].queue_offset == last.queue_offset + 1
    case.store.mending.mend(damage, record)
    assert [one.queue_offset for one in case.read_all(topic)] == list(range(last.queue_offset + 2))


def test_stale_records_behind_the_end_do_not_come_back() -> None:
    """Records of an earlier life behind the end have the wrong physical offset."""
    disk, records = filled(clean=False)
    end = records[-1].physical_offset + records[-1].store_size
    first = disk.read_bytes(log_path(0))[: records[0].store_size]
    disk.corrupt(log_path(end - end % LOG_FILE_BYTES), end % LOG_FILE_BYTES, first)
    assert read_after_restart(disk) == records


def test_file_of_another_length_is_named_in_one_line() -> None:
    disk, _ = filled()
    disk.open(log_path(LOG_FILE_BYTES)).truncate(5000)
    with pytest.raises(StoreError, match=r"00000000000000016384: 5000 bytes long .* 16384, ") as caught:
        StoreCase(disk)
    assert "\n" not in str(caught.value)


def test_missing_log_file_in_the_middle_is_named() -> None:
    disk, _ = filled()
    disk.remove(log_path(LOG_FILE_BYTES))
    with pytest.raises(StoreError, match=r"00000000000000032768: the file before it is missing"):
        StoreCase(disk)


def test_empty_last_file_is_the_trace_of_a_crash() -> None:
    disk, records = filled()
    last = max(path for path in disk.files() if path.parent == log_path().parent)
    disk.open(last.with_name(f"{int(last.name) + LOG_FILE_BYTES:020d}"))
    assert read_after_restart(disk) == records


@pytest.mark.parametrize("ahead", [2, 3])
def test_files_that_were_made_ahead_of_a_log_that_was_cut_are_removed(ahead: int) -> None:
    disk, records = filled()
    last = max(path for path in disk.files() if path.parent == log_path().parent)
    stray = [last.with_name(f"{int(last.name) + number * LOG_FILE_BYTES:020d}") for number in range(2, ahead + 1)]
    for path in stray:
        disk.open(path, size_bytes=LOG_FILE_BYTES)
    assert read_after_restart(disk) == records
    assert not set(stray) & set(disk.files())


def test_log_that_is_cut_while_a_file_is_made_ahead_leaves_no_gap() -> None:
    case = StoreCase()
    records = case.put_many(200)
    threads: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case.reactor, "run_blocking", lambda work, done: threads.append((work, done)))
        while not threads:
            case.put(message(1))
    ((make, made),) = threads
    file = make()
    case.store.truncate_to(records[10].physical_offset)
    made(file)
    assert [one.queue_offset for one in StoreCase(case.kill()).read_all()] == list(range(10))


def test_missing_log_leaves_no_queue_behind() -> None:
    disk, _ = filled()
    for path in [path for path in disk.files() if path.parent == log_path().parent]:
        disk.remove(path)
    case = StoreCase(disk)
    assert read_everything(case) == []
    assert case.put_many(1)[0].queue_offset == 0


def test_second_store_on_the_directory_is_refused_and_names_the_process() -> None:
    case = StoreCase()
    with pytest.raises(StoreError, match="4711"):
        StoreCase(case.disk.another_process(4712))
    StoreCase(case.stop())


def test_lock_comes_before_everything_else() -> None:
    case = StoreCase()
    case.put_many(10)
    case.disk.operations.clear()
    with pytest.raises(StoreError):
        StoreCase(case.disk.another_process(4712))
    assert case.disk.operations == []


def test_shutdown_of_a_store_that_was_refused_touches_nothing() -> None:
    case = StoreCase()
    case.put_many(5)
    other = MessageStore(StoreConfig(root=ROOT), case.disk.another_process(4712), case.reactor)
    with pytest.raises(StoreError):
        other.load()
    case.disk.operations.clear()
    other.shutdown()
    assert case.disk.operations == []


def test_another_brokers_store_is_refused() -> None:
    disk = StoreCase().stop()
    with pytest.raises(StoreError, match="broker-b"):
        StoreCase(disk, broker_name="broker-b")
    assert StoreCase(disk).store.max_physical_offset == 0


# -- crashes


def run_until_crash(disk: FakeDisk, flush: FlushDiskType) -> list[PutResult]:
    """Open and write until the disk stops the machine. What was acknowledged is returned."""
    acknowledged: list[PutResult] = []
    try:
        case = StoreCase(disk, flush_disk_type=flush, flush_interval_ms=50, checkpoint_interval_ms=400)
        for tick in range(40):
            for number in range(4):
                case.store.put(message(number, queue_id=number % QUEUES, size_bytes=300), acknowledged.append)
            case.reactor.run_for(20)
            if tick == 20:
                case.stop()
                case = StoreCase(disk, flush_disk_type=flush, flush_interval_ms=50, checkpoint_interval_ms=400)
        case.stop()
    except SimulatedCrash:
        pass
    return [one for one in acknowledged if one.status is PutStatus.OK]


def mutations_of_a_whole_run(flush: FlushDiskType) -> int:
    disk = FakeDisk()
    run_until_crash(disk, flush)
    return disk.mutations


SYNC_RUN = mutations_of_a_whole_run(FlushDiskType.SYNC_FLUSH)
ASYNC_RUN = mutations_of_a_whole_run(FlushDiskType.ASYNC_FLUSH)


def assert_all_there(disk: FakeDisk, acknowledged: list[PutResult], *, holes: bool = False) -> None:
    """holes: of writes that nobody was told of, a later one may have reached the disk and an earlier one not."""
    case = StoreCase(disk)
    found = read_everything(case)
    places = {(one.queue_id, one.queue_offset): one.physical_offset for one in found}
    stored_at = {one.physical_offset for one in found}
    missing = [one for one in acknowledged if one.physical_offset not in stored_at]
    assert not missing, missing[:3]
    if not holes:
        for queue_id in range(QUEUES):
            numbers = sorted(number for one, number in places if one == queue_id)
            assert numbers == list(range(len(numbers)))
        assert case.store.recovery.damaged_ranges == []
    assert read_after_restart(case.stop()) == found


@pytest.mark.parametrize("lose", ["all", "some"])
@pytest.mark.parametrize("at", range(1, SYNC_RUN, 3))
def test_sync_flush_loses_nothing_acknowledged_when_power_goes_at_any_write(at: int, lose: str) -> None:
    disk = FakeDisk(seed=at)
    disk.crash_at = at
    acknowledged = run_until_crash(disk, FlushDiskType.SYNC_FLUSH)
    disk.crash(lose)
    assert_all_there(disk, acknowledged, holes=lose == "some")


@pytest.mark.parametrize("at", range(1, ASYNC_RUN, 3))
def test_async_flush_loses_nothing_acknowledged_when_the_process_dies_at_any_write(at: int) -> None:
    disk = FakeDisk(seed=at)
    disk.crash_at = at
    acknowledged = run_until_crash(disk, FlushDiskType.ASYNC_FLUSH)
    disk.kill()
    assert_all_there(disk, acknowledged)


def test_recovery_itself_may_be_interrupted_anywhere() -> None:
    disk, records = filled(clean=False)
    remove_all_queues(disk)
    end = records[-1].physical_offset + records[-1].store_size
    disk.corrupt(log_path(end - end % LOG_FILE_BYTES), end % LOG_FILE_BYTES, b"torn" * 50)
    crashes = 0
    while True:
        # One write further each time, on the disk that the crashes before have left.
        disk.crash_at = disk.mutations + 1 + crashes
        try:
            StoreCase(disk)
        except SimulatedCrash:
            crashes += 1
            disk.kill()
        else:
            break
    disk.kill()
    assert crashes > 20
    assert read_after_restart(disk) == records


def test_a_checkpoint_that_a_slow_thread_writes_after_the_log_was_cut_is_not_believed() -> None:
    """It calls queues complete up to an offset below which other messages stand now, in queues it does not know."""

    def life(disk: FakeDisk | None = None) -> StoreCase:
        """One file each, so that the thread's files stay open; no index, which has hints of its own."""
        return StoreCase(
            disk,
            mapped_file_size_commit_log=1 << 20,
            mapped_file_size_consume_queue=20_000,
            message_index_enable=False,
        )

    case = life()
    results = case.put_many(400)
    case.put_many(1, "U")
    case.reactor.hold_blocking = True
    case.store.delete_topic("U")
    case.store.truncate_to(results[100].physical_offset)
    case.put_many(1, queue_id=2)
    case.put_many(320)
    case.reactor.hold_blocking = False
    case.reactor.settle()
    again = life(case.kill())
    assert [len(again.read_all("T", queue_id)) for queue_id in (0, 2)] == [420, 1]
