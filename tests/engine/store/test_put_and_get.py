# SPDX-License-Identifier: Apache-2.0
"""What a producer puts, a consumer gets: offsets, statuses, limits, files."""

from __future__ import annotations

import pytest
from tests.engine.store.store_case import LOG_FILE_BYTES, StoreCase, message, messages_of

from rmq.remoting.java_hash import tag_hash
from rmq.remoting.message import decode_record
from rmq.store import BoundaryType, FlushDiskType, GetStatus, PutResult, PutStatus
from rmq.store.consume_queue import SCHEDULE_TOPIC


def test_offsets_are_dense_and_records_say_where_they_are() -> None:
    case = StoreCase()
    results = case.put_many(300)
    assert [one.queue_offset for one in results] == list(range(300))
    found = case.read_all()
    assert [one.queue_offset for one in found] == list(range(300))
    assert [one.physical_offset for one in found] == [one.physical_offset for one in results]
    assert [one.message_id for one in found] == [one.message_id for one in results]
    assert {one.body[:8] for one in found} == {f"{number:08d}".encode() for number in range(300)}


def test_records_never_cross_files_and_files_end_with_a_blank_record() -> None:
    case = StoreCase()
    case.put_many(300)
    records = case.read_all()
    for start in range(0, case.store.max_physical_offset - LOG_FILE_BYTES, LOG_FILE_BYTES):
        whole_file = bytes(case.store.read_log(start, LOG_FILE_BYTES * 2))
        assert len(whole_file) == LOG_FILE_BYTES
        ends = [one.physical_offset + one.store_size - start for one in records]
        blank = max(end for end in ends if end <= LOG_FILE_BYTES)

        assert int.from_bytes(whole_file[blank : blank + 4], "big") == LOG_FILE_BYTES - blank
        assert whole_file[blank + 4 : blank + 8] == b"\xcb\xd4\x31\x94"


def test_one_tick_is_one_write_of_the_log() -> None:
    case = StoreCase()
    case.put_many(1)
    case.disk.operations.clear()
    case.put_many(50)
    assert [operation for operation, path in case.disk.operations if "commitlog" in path.parts] == ["pwrite"]


def test_neighbours_in_the_log_come_as_one_view() -> None:
    case = StoreCase()
    case.put_many(20)
    result = case.store.get("T", 0, 5, 10)
    assert (result.status, result.message_count, result.next_begin_offset) == (GetStatus.FOUND, 10, 15)
    assert len(result.frames) == 1
    assert [one.queue_offset for one in messages_of(result)] == list(range(5, 15))


def test_views_do_not_join_records_of_two_files() -> None:
    case = StoreCase()
    case.put_many(300)
    found = [messages_of(case.store.get("T", 0, offset, 1))[0] for offset in range(300)]
    assert [one.queue_offset for one in found] == list(range(300))
    edge = next(one.queue_offset for one in found if one.physical_offset == LOG_FILE_BYTES)
    assert len(case.store.get("T", 0, edge - 3, 6).frames) == 2


def test_get_answers_with_apaches_statuses_and_next_offsets() -> None:
    case = StoreCase()
    case.put_many(5)

    def ask(queue_id: int, offset: int) -> tuple[GetStatus, int]:
        result = case.store.get("T", queue_id, offset, 32)
        return result.status, result.next_begin_offset

    assert ask(7, 3) == (GetStatus.NO_MATCHED_LOGIC_QUEUE, 0)
    assert ask(0, -1) == (GetStatus.OFFSET_TOO_SMALL, 0)
    assert ask(0, 5) == (GetStatus.OFFSET_OVERFLOW_ONE, 5)
    assert ask(0, 9) == (GetStatus.OFFSET_OVERFLOW_BADLY, 5)
    assert ask(0, 4) == (GetStatus.FOUND, 5)


def test_queue_whose_only_message_was_refused_has_no_message() -> None:
    case = StoreCase()
    assert case.put(message(size_bytes=8 * 1024 * 1024)).status is PutStatus.MESSAGE_ILLEGAL
    assert case.store.get("T", 0, 3, 32).status is GetStatus.NO_MESSAGE_IN_QUEUE
    assert case.store.get("T", 0, 3, 32).next_begin_offset == 0


def test_filter_sees_the_tags_code_of_each_message() -> None:
    case = StoreCase()
    results: list[PutResult] = []
    for number in range(100):
        case.store.put(message(number, tag="TagA" if number % 10 else "TagB"), results.append)
    case.reactor.settle()
    wanted = tag_hash("TagB")
    result = case.store.get("T", 0, 0, 32, matches=lambda tags_code: tags_code == wanted)
    assert [one.queue_offset for one in messages_of(result)] == list(range(0, 100, 10))
    nothing = case.store.get("T", 0, 0, 32, matches=lambda tags_code: False)
    assert (nothing.status, nothing.next_begin_offset) == (GetStatus.NO_MATCHED_MESSAGE, 100)


def test_one_get_looks_at_800_units_when_nothing_matches() -> None:
    case = StoreCase(mapped_file_size_commit_log=1024 * 1024, mapped_file_size_consume_queue=100_000)
    case.put_many(1000)
    result = case.store.get("T", 0, 0, 32, matches=lambda tags_code: False)
    assert result.next_begin_offset == 800


@pytest.mark.parametrize(
    ("max_count", "max_bytes", "wanted"),
    [(32, 1 << 20, 32), (100, 1 << 20, 32), (5, 1 << 20, 5), (32, 520, 3), (32, 1, 1), (0, 1 << 20, 1)],
)
def test_get_keeps_count_and_byte_limits_but_gives_one(max_count: int, max_bytes: int, wanted: int) -> None:
    case = StoreCase()
    case.put_many(100)
    assert case.store.get("T", 0, 0, max_count, max_bytes).message_count == wanted


def test_less_is_given_of_what_is_far_behind_the_end() -> None:
    case = StoreCase(memory_bytes=10_000, access_message_in_memory_max_ratio=40)
    case.put_many(300)
    far = case.store.get("T", 0, 0, 32)
    assert (far.message_count, far.suggest_pulling_from_slave) == (8, True)
    near = case.store.get("T", 0, 290, 32)
    assert (near.message_count, near.suggest_pulling_from_slave) == (10, False)


def test_messages_of_a_tick_are_read_only_after_its_commit() -> None:
    case = StoreCase()
    case.put_many(3)
    case.store.put(message(), lambda result: None)
    assert case.store.max_offset("T", 0) == 3
    case.reactor.settle()
    assert case.store.max_offset("T", 0) == 4


def test_arrivals_are_told_once_for_each_queue_and_commit() -> None:
    case = StoreCase()
    told: list[tuple[str, int, int, int | None, int]] = []
    order: list[str] = []

    def arrived(topic: str, queue_id: int, queue_offset: int, tags_code: int | None, store_time_ms: int) -> None:
        told.append((topic, queue_id, queue_offset, tags_code, store_time_ms))
        order.append("arrive")

    case.store.on_arrive(arrived)
    case.store.on_commit(lambda end: order.append("commit"))
    for number in range(3):
        case.store.put(message(number), lambda result: order.append("answer"))
    case.store.put(message(0, queue_id=1), lambda result: order.append("answer"))
    case.reactor.settle()
    now_ms = case.reactor.clock.now_ms()
    assert told == [("T", 0, 2, None, now_ms), ("T", 1, 0, tag_hash("TagA"), now_ms)]
    assert order == ["arrive", "arrive", "commit", *["answer"] * 4]


def test_batch_has_one_answer_with_all_ids() -> None:
    case = StoreCase()
    case.put_many(2)
    results: list[PutResult] = []
    case.store.put_batch([message(number) for number in range(3)], results.append)
    case.reactor.settle()
    (result,) = results
    found = messages_of(case.store.get("T", 0, 2, 32))
    assert (result.status, result.queue_offset) == (PutStatus.OK, 2)
    assert result.message_id == ",".join(one.message_id for one in found)
    assert result.size == sum(one.store_size for one in found)


def test_batch_with_one_illegal_message_changes_nothing() -> None:
    case = StoreCase()
    results: list[PutResult] = []
    case.store.put_batch([message(1), message(2)._replace(properties="k\x01" + "x" * 40_000)], results.append)
    case.reactor.settle()
    assert results == [PutResult(PutStatus.PROPERTIES_SIZE_EXCEEDED)]
    assert case.store.max_physical_offset == 0


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"body": b"x" * 5_000_000}, PutStatus.MESSAGE_ILLEGAL),
        ({"body": b"x" * 20_000}, PutStatus.MESSAGE_ILLEGAL),
        ({"properties": "k\x01" + "x" * 32_760}, PutStatus.PROPERTIES_SIZE_EXCEEDED),
        ({"born_timestamp_ms": 1 << 80}, PutStatus.MESSAGE_ILLEGAL),
        ({"flag": 1 << 40}, PutStatus.MESSAGE_ILLEGAL),
        ({"born_host": ("nowhere", 1)}, PutStatus.MESSAGE_ILLEGAL),
        ({"topic": "../../etc"}, PutStatus.MESSAGE_ILLEGAL),
        ({"topic": ".."}, PutStatus.MESSAGE_ILLEGAL),
        ({"queue_id": -1}, PutStatus.MESSAGE_ILLEGAL),
    ],
)
def test_illegal_message_is_refused_and_the_next_one_stored(fields: dict[str, object], status: PutStatus) -> None:
    case = StoreCase()
    assert case.put(message()._replace(**fields)).status is status  # type: ignore[arg-type]
    assert case.put(message()).queue_offset == 0
    assert len(case.read_all()) == 1


def test_ipv6_hosts_long_topics_and_missing_separators_make_readable_records() -> None:
    case = StoreCase(store_host=("2001:db8::1", 10911))
    topic = "t" * 200
    stored = message(topic=topic)._replace(born_host=("2001:db8::2", 99), properties="K\x01v")
    result = case.put(stored)
    record = case.store.record_at(result.physical_offset)
    assert record is not None
    found = decode_record(record)
    assert (found.topic, found.born_host, found.store_host) == (topic, ("2001:db8::2", 99), ("2001:db8::1", 10911))
    assert found.message_id == result.message_id
    assert found.properties["K"] == "v"
    assert found.properties["__CRC32#"]


def test_prepared_message_gets_no_unit() -> None:
    case = StoreCase()
    result = case.put(message(sys_flag=4, consume_queue=False))
    assert (result.status, result.queue_offset) == (PutStatus.OK, 0)
    assert case.store.max_offset("T", 0) == 0
    assert case.put(message()).queue_offset == 0


def test_delayed_message_has_its_deliver_time_as_tags_code() -> None:
    case = StoreCase()
    result = case.put(message(topic=SCHEDULE_TOPIC, queue_id=2))
    wanted = result.store_timestamp_ms + 10_000
    found = case.store.get(SCHEDULE_TOPIC, 2, 0, 32, matches=lambda tags_code: tags_code == wanted)
    assert found.message_count == 1


@pytest.mark.parametrize(
    ("after_ms", "lower", "upper"),
    [(-5, 0, 0), (0, 0, 2), (5, 3, 2), (10, 3, 5), (20, 6, 8), (25, 9, 8)],
)
def test_search_by_time_finds_both_boundaries(after_ms: int, lower: int, upper: int) -> None:
    """Three messages each at 0, 10 and 20 ms: LOWER is the first at or after, UPPER the last at or before."""
    case = StoreCase()
    start_ms = case.reactor.clock.now_ms()
    for _ in range(3):
        case.put_many(3)
        case.reactor.clock.advance(10)
    assert case.store.offset_by_time("T", 0, start_ms + after_ms) == lower
    assert case.store.offset_by_time("T", 0, start_ms + after_ms, BoundaryType.UPPER) == upper
    assert case.store.store_time("T", 0, 3) == start_ms + 10
    assert case.store.store_time("T", 0, 9) == -1


def test_deleted_topic_is_gone_and_begins_anew_also_after_a_rebuild() -> None:
    case = StoreCase()
    case.put_many(30)
    case.store.delete_topic("T")
    assert case.store.queues() == {}
    case.put_many(4)
    assert [one.queue_offset for one in case.read_all()] == [0, 1, 2, 3]
    newest = [one.physical_offset for one in case.read_all()]
    disk = case.kill()
    for path in [path for path in disk.files() if "consumequeue" in path.parts or path.name.startswith("queueCheck")]:
        disk.remove(path)
    again = StoreCase(disk)
    assert [one.physical_offset for one in again.read_all()] == newest


def test_store_that_is_not_started_or_is_a_slave_refuses_puts() -> None:
    assert StoreCase(start=False).put(message()).status is PutStatus.SERVICE_NOT_AVAILABLE


def test_message_that_does_not_wait_is_answered_before_the_flush() -> None:
    case = StoreCase(flush_disk_type=FlushDiskType.SYNC_FLUSH)
    case.reactor.hold_blocking = True
    results: list[PutResult] = []
    case.store.put(message(), results.append)
    case.store.put(message(wait_store_ok=False), results.append)
    case.reactor.settle()
    assert [one.queue_offset for one in results] == [1]
    case.reactor.hold_blocking = False
    case.reactor.settle()
    assert [one.queue_offset for one in results] == [1, 0]
