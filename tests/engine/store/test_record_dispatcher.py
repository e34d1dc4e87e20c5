# SPDX-License-Identifier: Apache-2.0
"""The short way for the usual record comes to what `scan_record` and `ConsumeQueueStore.dispatch` come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.fakes import FakeDisk

from rmq.remoting.message import encode_host, encode_record
from rmq.store import StoreConfig, StoreError
from rmq.store.consume_queue import SCHEDULE_TOPIC
from rmq.store.consume_queue_store import ConsumeQueueStore
from rmq.store.record import scan_record
from rmq.store.record_dispatcher import RecordDispatcher

if TYPE_CHECKING:
    import pytest

FILE_START = 16384
Range = tuple[int, int]

#: Topic, queue, step of its number (1: the next one), sysFlag, properties, whether it carries a CRC, IPv6, body.
RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["T", "Other", SCHEDULE_TOPIC, "l" * 130]),
        st.integers(0, 1),
        st.sampled_from([1, 1, 1, 1, 0, 2, 9]),
        st.sampled_from([0, 0, 0, 1, 4, 8, 12]),
        st.sampled_from([b"", b"TAGS\x01a\x02", b"KEYS\x01k\x02TAGS\x01bb\x02", b"TAGS\x01\xff\x02", b"TAGS\x01open"]),
        st.sampled_from([True, True, False]),
        st.sampled_from([False, False, False, True]),
        st.binary(max_size=40),
    ),
    max_size=12,
)


def log_of(records: list[tuple[str, int, int, int, bytes, bool, bool, bytes]]) -> bytes:
    ends: dict[tuple[str, int], int] = {}
    data = b""
    for number, (topic, queue_id, step, flags, properties, has_crc, is_ipv6, body) in enumerate(records):
        queue_offset = ends.get((topic, queue_id), -1) + step
        ends[topic, queue_id] = max(queue_offset, 0)
        data += encode_record(
            topic=topic.encode(),
            queue_id=queue_id,
            flag=0,
            queue_offset=max(queue_offset, 0),
            physical_offset=FILE_START + len(data),
            sys_flag=flags,
            born_timestamp_ms=1,
            born_host=encode_host("::1" if is_ipv6 else "127.0.0.1", 1),
            store_timestamp_ms=1_795_000_000_000 + number,
            store_host=encode_host("127.0.0.1", 2),
            reconsume_times=0,
            prepared_transaction_offset=0,
            body=body,
            properties=properties,
            append_crc=has_crc,
        )
    return data


def queues() -> ConsumeQueueStore:
    return ConsumeQueueStore(FakeDisk(), StoreConfig(root=Path("/store"), mapped_file_size_consume_queue=2000))


def units(store: ConsumeQueueStore) -> dict[tuple[str, int], list[tuple[int, int, int]]]:
    found = {}
    for queue in store:
        queue.commit()
        found[queue.topic, queue.queue_id] = [queue.unit(at) for at in range(queue.first_stored, queue.max_offset)]
    return found


def one_by_one(view: memoryview, store: ConsumeQueueStore) -> tuple[int, int, int, list[Range]]:
    """Where it ended, records, last store time, refused: the long way for every record."""
    at = count = store_time = 0
    refused: list[Range] = []
    while (record := scan_record(view, at, len(view), FILE_START)) is not None:
        try:
            store.dispatch(record)
        except StoreError:
            refused.append((record.physical_offset, record.physical_offset + record.size))
        store_time = record.store_timestamp_ms
        count += 1
        at += record.size
    return at, count, store_time, refused


@given(RECORDS, st.none() | st.tuples(st.integers(0, 2**16), st.integers(1, 255)), st.integers(0, 100))
def test_both_ways_give_the_same_units(
    records: list[tuple[str, int, int, int, bytes, bool, bool, bytes]], damage: tuple[int, int] | None, zeros: int
) -> None:
    log = bytearray(log_of(records) + bytes(zeros))
    if damage is not None and log:
        log[damage[0] % len(log)] ^= damage[1]
    view = memoryview(bytes(log))
    long_way, short_way = queues(), queues()
    wanted = one_by_one(view, long_way)
    refused: list[Range] = []
    dispatcher = RecordDispatcher(short_way, index=None, refused=lambda start, end: refused.append((start, end)))
    end = dispatcher.run(view, 0, len(view), FILE_START)
    assert (end, dispatcher.records, dispatcher.last_store_timestamp_ms, refused) == wanted
    assert set(dispatcher.take_touched()) == {queue for queue in short_way if not queue.is_empty}
    assert units(short_way) == units(long_way)


def test_usual_records_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison above compares one way with itself."""
    view = memoryview(log_of([("T", 0, 1, 0, b"TAGS\x01a\x02", True, False, b"body")] * 3))
    store = queues()
    dispatcher = RecordDispatcher(store, index=None, refused=lambda start, end: None)
    first_end = dispatcher.run(view, 0, len(view) // 3, FILE_START)
    monkeypatch.setattr(ConsumeQueueStore, "dispatch", None)
    assert dispatcher.run(view, first_end, len(view), FILE_START) == len(view)
    assert len(units(store)["T", 0]) == 3
