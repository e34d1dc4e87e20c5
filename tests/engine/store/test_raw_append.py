# SPDX-License-Identifier: Apache-2.0
"""A slave's store: its master's bytes as they come, in any pieces, become readable records at once."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest
from tests.engine.store.store_case import LOG_FILE_BYTES, StoreCase, log_path, message

from rmq.remoting.message import RECORD_MIN_BYTES
from rmq.store import BrokerRole, GetStatus, PutStatus, StoreError


def master(count: int = 300) -> StoreCase:
    case = StoreCase()
    for number in range(count // 10):
        case.put_many(10, queue_id=number % 3)
    return case


def slave(**settings: Any) -> StoreCase:
    return StoreCase(broker_role=BrokerRole.SLAVE, broker_id=1, **settings)


def feed(source: StoreCase, target: StoreCase, sizes: random.Random, *, frames_a_tick: int = 3) -> None:
    at = target.store.max_physical_offset
    while at < source.store.max_physical_offset:
        for _ in range(frames_a_tick):
            data = source.store.read_log(at, sizes.randrange(1, 5000))
            target.store.append_raw(at, data)
            at += len(data)
        target.reactor.settle()


@pytest.mark.parametrize("seed", range(5))
def test_slave_has_the_masters_bytes_and_queues(seed: int) -> None:
    source, target = master(), slave()
    feed(source, target, random.Random(seed))
    assert target.store.max_physical_offset == source.store.max_physical_offset
    for start in range(0, source.store.max_physical_offset, LOG_FILE_BYTES):
        assert target.store.read_log(start, LOG_FILE_BYTES) == source.store.read_log(start, LOG_FILE_BYTES)
    for queue_id in range(3):
        assert target.read_all("T", queue_id) == source.read_all("T", queue_id)
    again = StoreCase(target.kill(), broker_role=BrokerRole.SLAVE, broker_id=1)
    assert again.read_all() == source.read_all()


def test_half_a_record_counts_for_the_report_but_is_not_readable() -> None:
    source, target = master(), slave()
    half = source.read_all()[0].store_size + 50
    target.store.append_raw(0, source.store.read_log(0, half))
    target.reactor.settle()
    assert target.store.max_physical_offset == half
    assert target.store.max_offset("T", 0) == 1
    assert StoreCase(target.kill(), broker_role=BrokerRole.SLAVE, broker_id=1).store.max_physical_offset == half - 50


def test_bytes_that_do_not_follow_the_end_are_refused() -> None:
    source, target = master(), slave()
    target.store.append_raw(0, source.store.read_log(0, 1000))
    for offset in (0, 999, 1001, LOG_FILE_BYTES):
        with pytest.raises(StoreError, match="do not follow"):
            target.store.append_raw(offset, b"x")
    target.store.append_raw(1000, source.store.read_log(1000, 10))
    target.reactor.settle()
    assert target.store.max_physical_offset == 1010


def test_empty_slave_begins_where_its_master_lets_it() -> None:
    """An Apache master sends an empty slave its last file only: queues begin in the middle."""
    source, target = master(), slave()
    at = 2 * LOG_FILE_BYTES
    while at < source.store.max_physical_offset:
        data = source.store.read_log(at, 4096)
        target.store.append_raw(at, data)
        at += len(data)
    target.reactor.settle()
    assert target.store.min_physical_offset == 2 * LOG_FILE_BYTES
    wanted = [one for one in source.read_all() if one.physical_offset >= 2 * LOG_FILE_BYTES]
    assert target.read_all() == wanted
    first = wanted[0].queue_offset
    assert first > 0
    assert target.store.min_offset("T", 0) == first
    result = target.store.get("T", 0, 0, 32)
    assert (result.status, result.next_begin_offset) == (GetStatus.OFFSET_TOO_SMALL, 0)
    again = StoreCase(target.stop(), broker_role=BrokerRole.SLAVE, broker_id=1)
    assert (again.store.min_offset("T", 0), again.read_all()) == (first, wanted)


def test_an_emptied_log_begins_anew_where_the_other_one_begins_by_now() -> None:
    """A rebuild that is repeated when the slave has removed its oldest files."""
    source, target = master(), slave()
    for at in (LOG_FILE_BYTES, 2 * LOG_FILE_BYTES):
        target.store.append_raw(at, source.store.read_log(at, 4000))
        target.reactor.settle()
        assert (target.store.min_physical_offset, target.store.max_physical_offset) == (at, at + 4000)
        assert target.read_all()[0].physical_offset >= at
        target.store.truncate_to(at)


@pytest.mark.parametrize("clean", [True, False], ids=["clean-stop", "kill"])
def test_slave_restarts_at_the_last_whole_record_without_walking_the_log(clean: bool) -> None:
    source, target = master(), slave()
    half = source.read_all("T", 2)[-1].physical_offset + 50
    at = 0
    while at < half:
        data = source.store.read_log(at, min(4096, half - at))
        target.store.append_raw(at, data)
        at += len(data)
    target.reactor.run_for(70_000)
    disk = target.stop() if clean else target.kill()
    again = StoreCase(disk, broker_role=BrokerRole.SLAVE, broker_id=1)
    assert again.store.max_physical_offset == half - 50
    assert again.store.recovery.records == 0
    feed(source, again, random.Random(1))
    assert again.read_all("T", 2) == source.read_all("T", 2)


def test_slave_refuses_puts_and_serves_reads() -> None:
    source, target = master(), slave()
    feed(source, target, random.Random(1))
    assert target.put(message()).status is PutStatus.SERVICE_NOT_AVAILABLE
    assert target.store.get("T", 0, 0, 32).message_count == 32


def test_arrivals_are_told_on_a_slave_too() -> None:
    source, target = master(), slave()
    told: list[tuple[str, int, int]] = []
    target.store.on_arrive(lambda topic, queue_id, queue_offset, *_: told.append((topic, queue_id, queue_offset)))
    feed(source, target, random.Random(1))
    assert {(topic, queue_id) for topic, queue_id, _ in told} == {("T", 0), ("T", 1), ("T", 2)}
    assert max(told) == ("T", 2, 99)


def test_truncate_forgets_log_and_queues_and_goes_on() -> None:
    source, target = master(), slave()
    feed(source, target, random.Random(1))
    cut = source.read_all()[40].physical_offset
    target.store.truncate_to(cut)
    assert target.store.max_physical_offset == cut
    assert [one.physical_offset for one in target.read_all()] == [
        one.physical_offset for one in source.read_all() if one.physical_offset < cut
    ]
    feed(source, target, random.Random(2))
    assert [target.read_all("T", one) for one in range(3)] == [source.read_all("T", one) for one in range(3)]


def test_a_tail_that_is_set_aside_twice_is_cut_once() -> None:
    """The line was lost during the copy: a second one begins, and ends when the slave follows again."""
    source, target = master(), slave()
    feed(source, target, random.Random(1))
    cut = source.read_all()[40].physical_offset
    told: list[str] = []
    target.store.set_tail_aside(cut, told.append)
    target.reactor.tick()
    target.reactor.hold_blocking = True
    target.store.set_tail_aside(cut, told.append)
    target.reactor.settle()
    assert (len(told), target.store.max_physical_offset) == (1, cut)
    target.store.append_raw(cut, source.store.read_log(cut, 3000))
    target.reactor.hold_blocking = False
    target.reactor.settle()
    assert (len(told), target.store.max_physical_offset) == (2, cut + 3000)
    assert target.store.tails_set_aside == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("at", "damage"),
    [
        pytest.param(0, bytes(700), id="zeros-over-several"),
        pytest.param(0, b"\xff" * 4, id="size-below-zero"),
        pytest.param(0, b"\x7f", id="size-beyond-any-record"),
        pytest.param(2, b"\x10", id="size-of-several-records"),
        pytest.param(1, b"\x03", id="size-into-the-next-file"),
        pytest.param(2, b"\x00\x64", id="size-of-half-a-record"),
        pytest.param(8, b"\xff" * 30, id="no-head"),
        pytest.param(100, b"\xff", id="body"),
    ],
)
def test_what_came_damaged_is_passed_over_and_mended_later(at: int, damage: bytes, seed: int) -> None:
    """The messages behind it are served at once, not when the slave starts again."""
    source, target = master(), slave()
    everything = [one for queue_id in range(3) for one in source.read_all("T", queue_id)]
    start = source.read_all("T", 1)[40].physical_offset
    place = start + at
    hurt = [
        one
        for one in everything
        if one.physical_offset < place + len(damage) and place < one.physical_offset + one.store_size
    ]
    true = bytes(source.store.read_log(start, sum(one.store_size for one in hurt)))
    name = f"/store/commitlog/{start // LOG_FILE_BYTES * LOG_FILE_BYTES:020d}"
    (path,) = [path for path in source.disk.files() if str(path).endswith(name)]
    source.disk.corrupt(path, place % LOG_FILE_BYTES, damage)
    feed(source, target, random.Random(seed))
    read = [one for queue_id in range(3) for one in target.read_all("T", queue_id)]
    assert read == [one for one in everything if one not in hurt]
    assert target.store.mending.damaged == [(start, start + len(true))]
    target.store.mending.mend((start, start + len(true)), true)
    assert [one for queue_id in range(3) for one in target.read_all("T", queue_id)] == everything


@pytest.mark.parametrize("size_bytes", [40, 56, 72, 80])
def test_a_damaged_end_of_a_file_is_passed_over(size_bytes: int) -> None:
    """A blank record that is shorter than any record."""
    source, target = StoreCase(), slave()
    source.put_many(300, size_bytes=size_bytes)
    messages = source.read_all()
    ends = [one.physical_offset + one.store_size for one in messages]
    end = next(
        end
        for end, following in zip(ends, messages[1:], strict=False)
        if end < following.physical_offset < end + RECORD_MIN_BYTES
    )
    file_end = end - end % LOG_FILE_BYTES + LOG_FILE_BYTES
    true = bytes(source.store.read_log(end, file_end - end))
    source.disk.corrupt(log_path(file_end - LOG_FILE_BYTES), end % LOG_FILE_BYTES + 4, b"\xff")
    feed(source, target, random.Random(1))
    assert target.read_all() == messages
    assert target.store.mending.damaged == [(end, file_end)]
    target.store.mending.mend((end, file_end), true)
    assert target.store.mending.damaged == []


def test_a_message_larger_than_the_slaves_own_limit_is_found_behind_damage() -> None:
    sizes: dict[str, Any] = {"mapped_file_size_commit_log": 1 << 20}
    source, target = StoreCase(**sizes), slave(max_message_size=1000, **sizes)
    source.put_many(3)
    source.put_many(1, size_bytes=300_000)
    source.put_many(1)
    messages = source.read_all()
    source.disk.corrupt(log_path(0), messages[2].physical_offset, b"\xff" * 40)
    feed(source, target, random.Random(1))
    assert target.read_all() == [*messages[:2], *messages[3:]]


def test_full_disk_on_a_slave_appends_nothing_and_goes_on_later() -> None:
    source, target = master(), slave()
    target.store.append_raw(0, source.store.read_log(0, 1000))
    target.reactor.settle()
    target.disk.fail("reserve", 28, times=2)
    target.disk.fail("pwrite", 28)
    target.store.append_raw(1000, source.store.read_log(1000, 1000))
    target.reactor.settle()
    assert target.store.max_physical_offset == 1000
    target.disk.heal()
    feed(source, target, random.Random(3))
    assert target.read_all() == source.read_all()


@pytest.mark.parametrize("what", ["reserve", "open"])
def test_disk_too_full_for_units_hides_them_until_there_is_space(what: str) -> None:
    source, target = master(900), slave()
    target.store.append_raw(0, source.store.read_log(0, 1000))
    target.reactor.settle()
    target.disk.fail(what, errno.ENOSPC, path_contains="/consumequeue/", times=10_000)
    feed(source, target, random.Random(1))
    target.reactor.run_for(5_000)
    assert target.fatal == []
    assert target.store.max_physical_offset == source.store.max_physical_offset
    assert len(target.read_all()) < len(source.read_all())
    target.disk.heal()
    target.reactor.run_for(2_000)
    for queue_id in range(3):
        assert target.read_all("T", queue_id) == source.read_all("T", queue_id)
    again = StoreCase(target.kill(), broker_role=BrokerRole.SLAVE, broker_id=1)
    assert again.read_all() == source.read_all()
