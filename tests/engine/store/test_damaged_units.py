# SPDX-License-Identifier: Apache-2.0
"""Damage that costs no message: units of consume queues, lengths of log files. And torn records that look whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.engine.store.store_case import LOG_FILE_BYTES, ROOT, StoreCase, log_path, message, queue_path

from rmq.store import StoreError, unit_check
from rmq.store.consume_queue import UNIT, UNIT_BYTES
from rmq.store.log_scan import scan_forward

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.fakes import FakeDisk

    from rmq.store import MessageToStore, PutResult
    from rmq.store.commit_log import CommitLog
    from rmq.store.query_message import QueryMessageResult
    from rmq.store.record import ScannedRecord

UnitChange = Callable[[int, int, int], tuple[int, int, int]]

COUNT = 60


def filled(*, crc: bool = True) -> FakeDisk:
    case = StoreCase(append_prop_crc=crc)
    case.put_many(COUNT)
    return case.stop()


def unit_of(disk: FakeDisk, number: int) -> tuple[int, int, int]:
    unit: tuple[int, int, int] = UNIT.unpack_from(disk.read_bytes(queue_path()), number * UNIT_BYTES)
    return unit


def set_unit(disk: FakeDisk, number: int, unit: tuple[int, int, int]) -> None:
    disk.corrupt(queue_path(), number * UNIT_BYTES, UNIT.pack(*unit))


@pytest.mark.parametrize(
    "change",
    [
        lambda at, size, tags: (at | 1 << 40, size, tags),
        lambda at, size, tags: (-at, size, tags),
        lambda at, size, tags: (at + 8, size, tags),
        lambda at, size, tags: (at + size, size, tags),
        lambda at, size, tags: (at, size + 64, tags),
        lambda at, size, tags: (at, -size, tags),
        lambda at, size, tags: (at, size, tags ^ 1 << 20),
    ],
    ids=["beyond the log", "negative", "in a record", "another record", "longer", "negative size", "another tag"],
)
@pytest.mark.parametrize("number", [0, 30, COUNT - 1])
def test_a_damaged_unit_costs_no_message_and_is_written_again(change: UnitChange, number: int) -> None:
    disk = filled()
    files = {path for path in disk.files() if path.parent == log_path().parent}
    right = unit_of(disk, number)
    set_unit(disk, number, change(*right))
    case = StoreCase(disk)
    assert [one.queue_offset for one in case.read_all()] == list(range(COUNT))
    assert case.store.runtime_info()["damagedRecords"] == "0"
    case.stop()
    assert unit_of(disk, number) == right
    assert {path for path in disk.files() if path.parent == log_path().parent} == files, "no file is made by reading"


def test_a_message_that_is_nowhere_is_searched_once_and_again_when_the_log_is_mended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = filled()
    other_at, other_size, _ = unit_of(disk, 10)
    at, size, tags_code = unit_of(disk, 30)
    log = disk.read_bytes(log_path())
    disk.corrupt(log_path(), other_at, b"\x7f" * other_size)
    disk.corrupt(log_path(), at, b"\x7f" * size)
    set_unit(disk, 30, (at | 1 << 40, size, tags_code))
    case = StoreCase(disk)
    searched: list[int] = []

    def scan(log: CommitLog, position: int, count_max: int, *, until: int) -> tuple[int, list[ScannedRecord]]:
        searched.append(position)
        return scan_forward(log, position, count_max, until=until)

    monkeypatch.setattr(unit_check, "scan_forward", scan)
    case.read_all()
    first = len(searched)
    for _ in range(3):
        assert [one.queue_offset for one in case.read_all()] == [one for one in range(COUNT) if one not in (10, 30)]
    assert 0 < first == len(searched)
    disk.corrupt(log_path(), at, log[at : at + size])
    case.store.mending.mend((other_at, other_at + other_size), log[other_at : other_at + other_size])
    assert [one.queue_offset for one in case.read_all()] == list(range(COUNT))


def test_the_first_message_of_a_young_queue_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """No neighbour says where the search begins, and the log is longer than what is searched."""
    monkeypatch.setattr(unit_check, "SEARCH_BYTES_MAX", LOG_FILE_BYTES)
    case = StoreCase()
    case.put_many(300, "Older")
    case.put_many(COUNT)
    disk = case.stop()
    set_unit(disk, 0, (8, 172, 0))
    case = StoreCase(disk)
    assert [one.queue_offset for one in case.read_all()] == list(range(COUNT))
    assert case.store.mending.damaged == []


def test_a_search_by_place_is_not_misled_by_a_damaged_unit() -> None:
    disk = filled()
    places = [unit_of(disk, number)[0] for number in range(COUNT)]
    # The first that a search in halves looks at.
    set_unit(disk, COUNT // 2, (1 << 62, 100, 0))
    case = StoreCase(disk)
    found = [case.store.queue_offset_at("T", 0, place) for place in places]
    found[COUNT // 2] = COUNT // 2
    assert found == list(range(COUNT))


def test_what_has_left_the_memory_is_checked_though_this_process_wrote_it() -> None:
    case = StoreCase(access_message_in_memory_max_ratio=0)
    results = case.put_many(3)
    position = results[1].physical_offset + 100
    case.disk.corrupt(log_path(), position, bytes((case.disk.read_bytes(log_path())[position] ^ 1,)))
    assert [one.queue_offset for one in case.read_all()] == [0, 2]
    assert case.store.runtime_info()["damagedAt"].startswith(f"{results[1].physical_offset}-")


def test_a_log_file_without_its_unused_end_gets_its_length_back() -> None:
    """As a copy leaves it that does not keep holes."""
    disk = filled()
    used = len(disk.read_bytes(log_path()).rstrip(b"\0"))
    disk.open(log_path()).truncate(used)
    case = StoreCase(disk)
    assert len(case.read_all()) == COUNT
    assert len(disk.read_bytes(log_path())) == LOG_FILE_BYTES


def test_a_log_file_that_lacks_messages_is_named_with_the_place() -> None:
    disk = filled()
    used = len(disk.read_bytes(log_path()).rstrip(b"\0"))
    disk.open(log_path()).truncate(used - 1)
    with pytest.raises(
        StoreError, match=rf"/0{{20}}: {used - 1} bytes long .* up to byte {used} of it: restore"
    ) as caught:
        StoreCase(disk)
    assert "\n" not in str(caught.value)
    assert len(disk.read_bytes(log_path())) == used - 1, "it is left as it is"


@pytest.mark.parametrize("lost", range(1, 40, 3))
@pytest.mark.parametrize("properties", ["TAGS\x01TagA\x02", "TAGS\x01TagA", ""], ids=["ours", "4.9", "none"])
def test_a_record_without_a_crc_that_lacks_its_end_is_no_record(properties: str, lost: int) -> None:
    """Zeros stand where the last bytes never reached the disk."""
    case = StoreCase(append_prop_crc=False)
    case.put_many(4)
    last = case.put(message(9)._replace(properties=properties))
    end = case.store.max_physical_offset
    disk = case.kill()
    assert StoreCase(disk).store.max_physical_offset == end
    disk.kill()
    disk.corrupt(log_path(), end - lost, bytes(lost))
    disk.remove(ROOT / "queueCheckpoint.json")
    again = StoreCase(disk)
    # The last two bytes of a record without properties are zeros anyway.
    whole = properties == "" and lost <= 2
    assert again.store.max_physical_offset == (end if whole else last.physical_offset)


@pytest.mark.parametrize("walked", [True, False], ids=["recovery", "reading"])
@pytest.mark.parametrize("behind_the_end", range(1, 21))
def test_a_flipped_bit_in_the_crc_property_itself_is_seen(behind_the_end: int, walked: bool) -> None:
    case = StoreCase()
    results = case.put_many(4)
    disk = case.stop()
    position = results[3].physical_offset - behind_the_end
    disk.corrupt(log_path(), position, bytes((disk.read_bytes(log_path())[position] ^ 4,)))
    if walked:
        disk.remove(ROOT / "queueCheckpoint.json")
    assert [one.queue_offset for one in StoreCase(disk).read_all()] == [0, 1, 3]


def keyed(number: int) -> MessageToStore:
    one = message(number)
    return one._replace(properties=f"{one.properties}KEYS\x01key{number}\x02")


def found_by_key(case: StoreCase, number: int, between_ms: tuple[int, int] = (0, 1 << 62)) -> int:
    found: list[QueryMessageResult] = []
    case.store.query_message("T", f"key{number}", between_ms, found.append, max_count=32)
    case.reactor.run_until(lambda: bool(found))
    return len(found[0].frames)


def test_a_mended_message_is_found_by_key_at_once_and_hides_no_other() -> None:
    case = StoreCase()
    results = [case.put(keyed(number)) for number in range(5)]
    times = [case.reactor.clock.now_ms()]
    start, end = results[1].physical_offset, results[2].physical_offset
    record = bytes(case.store.read_log(start, end - start))
    disk = case.kill()
    disk.corrupt(log_path(), start + 90, b"\xff\xff")
    disk.remove(ROOT / "queueCheckpoint.json")
    case = StoreCase(disk)
    case.reactor.run_for(60_000)
    case.put(keyed(5))
    times.append(case.reactor.clock.now_ms())
    assert [found_by_key(case, number) for number in range(6)] == [1, 0, 1, 1, 1, 1]
    case.store.mending.mend((start, end), record)
    case.put(keyed(6))
    wanted = [1] * 7
    assert [found_by_key(case, number) for number in range(7)] == wanted
    # The tag's entries are one chain: what is late does not end the search for what is new.
    assert found_by_key(case, 5, (times[1] - 2000, times[1] + 2000)) == 1
    case = StoreCase(case.stop())
    assert [found_by_key(case, number) for number in range(7)] == wanted
    case.put(keyed(7))
    case.reactor.run_for(70_000)
    case = StoreCase(case.kill())
    assert [found_by_key(case, number) for number in range(8)] == [1] * 8


def test_a_checkpoint_that_is_being_written_knows_nothing_of_what_is_mended_meanwhile() -> None:
    """Power is lost before the mended message's unit is synced: the place is looked at again."""
    case = StoreCase()
    results = case.put_many(COUNT)
    start, end = results[30].physical_offset, results[31].physical_offset
    record = bytes(case.store.read_log(start, end - start))
    disk = case.kill()
    disk.corrupt(log_path(), start + 90, b"\xff\xff")
    disk.remove(ROOT / "queueCheckpoint.json")
    case = StoreCase(disk, flush_thorough_interval_ms=1 << 40)
    case.put_many(1)
    disk.sync_directory(queue_path().parent)
    observe = disk.observe

    def mend_behind_the_queues_sync(operation: str, path: Path) -> None:
        if operation == "datasync" and path == log_path():
            disk.__dict__.pop("observe")
            case.store.mending.mend((start, end), record)
        observe(operation, path)

    disk.__dict__["observe"] = mend_behind_the_queues_sync
    case.reactor.run_until(lambda: case.store.mending.damaged == [])
    case.reactor.settle()
    case.reactor.crash()
    disk.crash("all")
    case = StoreCase(disk)
    assert case.store.mending.mended == 1
    assert [one.queue_offset for one in case.read_all()] == list(range(COUNT + 1))


def test_a_number_that_a_new_message_takes_in_this_tick_is_not_given_back() -> None:
    case = StoreCase()
    results = case.put_many(5)
    start, end = results[4].physical_offset, case.store.max_physical_offset
    case.put_many(1, "Other")
    record = bytes(case.store.read_log(start, end - start))
    disk = case.kill()
    disk.remove(ROOT / "queueCheckpoint.json")
    disk.corrupt(log_path(), start + 20, b"\xff" * 8)
    again = StoreCase(disk)
    assert again.store.mending.damaged == [(start, end)]
    done: list[PutResult] = []
    again.store.put(message(7), done.append)
    again.store.mending.mend((start, end), record)
    again.reactor.settle()
    assert [one.queue_offset for one in done] == [4]
    assert again.read_all()[4].physical_offset > start


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1), (1, 0, 2)])
def test_the_first_messages_of_a_queue_are_there_as_soon_as_they_are_mended(order: tuple[int, int, int]) -> None:
    """Whatever lies behind them is still damaged."""
    case = StoreCase()
    for _ in range(6):
        case.put_many(1)
        case.put_many(1, "Other")
    everything = case.read_all()
    disk = case.kill()
    disk.remove(ROOT / "queueCheckpoint.json")
    log = disk.read_bytes(log_path())
    for one in everything[:3]:
        disk.corrupt(log_path(), one.physical_offset + 20, b"\xff\xff")
    again = StoreCase(disk)
    mended: list[int] = []
    for number in order:
        start, end = (
            everything[number].physical_offset,
            everything[number].physical_offset + everything[number].store_size,
        )
        again.store.mending.mend((start, end), log[start:end])
        mended.append(number)
        again.reactor.run_for(70_000)
        assert again.read_all() == [everything[one] for one in sorted([*mended, 3, 4, 5])]
        again = StoreCase(again.kill())
        assert again.read_all() == [everything[one] for one in sorted([*mended, 3, 4, 5])]


@pytest.mark.parametrize("part", [False, True], ids=["all", "the first message"])
def test_what_was_mended_before_the_last_checkpoint_was_written_is_there_after_a_crash(part: bool) -> None:
    """The checkpoint still says that it is damaged; who believed that would give the last number of the queue away."""
    case = StoreCase()
    case.put_many(20)
    everything = case.read_all()
    start = everything[18].physical_offset
    end = case.store.max_physical_offset
    case.put_many(1, "Other")
    disk = case.kill()
    log = disk.read_bytes(log_path())
    disk.remove(ROOT / "queueCheckpoint.json")
    disk.corrupt(log_path(), start, bytes(end - start))
    case = StoreCase(disk)
    assert case.store.mending.damaged == [(start, end)]
    whole_to = everything[19].physical_offset if part else end
    case.store.mending.mend((start, end), log[start:whole_to])
    case = StoreCase(case.kill())
    assert case.store.mending.damaged == ([(whole_to, end)] if part else [])
    assert case.read_all() == (everything[:19] if part else everything)
    assert case.put(message(1)).queue_offset == len(case.read_all()) - 1
