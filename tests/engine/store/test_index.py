# SPDX-License-Identifier: Apache-2.0
"""The index: Apache's bytes, what a query finds, and that it is whole again after whatever happened to its files."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.fakes import FakeDisk
from tests.engine.remoting.golden import EXCHANGES
from tests.engine.store.index_case import (
    FOREVER,
    assert_all_found,
    checkpoint_gone,
    found,
    index_files,
    keyed,
    put_keyed,
    query,
    unique,
)
from tests.engine.store.store_case import INDEX_ENTRIES, INDEX_SLOTS, ROOT, StoreCase
from tests.engine.store.test_golden_store import FILES, STORE_HOST, golden_bytes, golden_records, open_golden, to_store

from rmq.remoting.java_hash import string_hash
from rmq.remoting.message_const import TRANSACTION_ROLLBACK_TYPE
from rmq.store import PutStatus, query_message
from rmq.store.config import BrokerRole
from rmq.store.index_file import ENTRY_BYTES, HEADER_BYTES, IndexHeader, index_file_bytes
from rmq.store.index_keys import TopicKeys, absolute, property_value
from rmq.store.query_message import QueryMessageResult
from rmq.store.store_checkpoint import StoreCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable

(INDEX,) = [name for name in FILES if name.startswith("index/")]


# -- Apache's bytes


def test_index_file_has_the_bytes_of_apache() -> None:
    case = StoreCase(append_prop_crc=False, store_host=STORE_HOST, max_hash_slot_num=100, max_index_num=400)
    clock = case.reactor.clock
    for record, properties in golden_records():
        clock.jump(record.store_timestamp_ms - clock.now_ms())
        assert case.put(to_store(record, properties)).status is PutStatus.OK
    case.stop()
    (path,) = index_files(case.disk)
    written = case.disk.read_bytes(path)
    assert len(written) == FILES[INDEX]["size"]
    assert written[:INDEX_USED] == golden_bytes(INDEX).ljust(INDEX_USED, b"\0")
    assert not any(written[INDEX_USED:])


@pytest.mark.parametrize("name", ["view_33", "query_msg_12"])
def test_answers_hold_the_bytes_of_apache(name: str) -> None:
    """Apache's own log, taken over: the bodies of its answers to 33 (offset 0) and 12 (TopicTest, k1)."""
    case = open_golden()
    if name == "view_33":
        record = case.store.record_at(0)
        assert record is not None
        body = bytes(record)
    else:
        body = b"".join(query(case, "k1", topic="TopicTest", count=10).frames)
    assert body == EXCHANGES[name].response_body


INDEX_USED = HEADER_BYTES + 4 * 100 + ENTRY_BYTES * IndexHeader.decode(golden_bytes(INDEX)[:HEADER_BYTES]).count


@given(st.text(max_size=40), st.text(alphabet="0123456789ABCDEFé\U0001f600 z", max_size=70))
def test_hash_of_a_key_is_javas(topic: str, key: str) -> None:
    keys = TopicKeys(topic)
    wanted = absolute(string_hash(f"{topic}#{key}") & 0xFFFFFFFF)
    assert keys.key(key) == keys.unique_id(key) == keys.unique_id(key) == wanted
    assert keys.tag(key) == absolute(string_hash(f"{topic}#T#{key}") & 0xFFFFFFFF)


_IDS = st.sampled_from(
    [unique(1), unique(1)[:-1] + "é", unique(1) + "\U0001f600", unique(65536), "short", "", "1" * 56]
)
_PAIRS = st.tuples(
    st.sampled_from(["UNIQ_KEY", "MY_UNIQ_KEY", "KEYS", "XKEYS", "TAGS", "XTAGS", "WAIT"]),
    st.one_of(_IDS, st.sampled_from(["a", "a b", " a  b ", "ab", "TagA", "Tag"])),
)


@given(st.lists(st.lists(_PAIRS, max_size=6), min_size=1, max_size=4), st.booleans())
def test_keys_of_a_message_are_what_its_properties_say(messages: list[list[tuple[str, str]]], ends: bool) -> None:
    """Quick ways and remembered beginnings give what the plain reading of the properties gives."""
    keys = TopicKeys("T")
    for pairs in messages:
        text = "".join(f"{name}\x01{value}\x02" for name, value in pairs)
        values = dict(pairs)
        wanted = [f"T#{values['UNIQ_KEY']}"] if values.get("UNIQ_KEY") else []
        wanted += [f"T#{word}" for word in values.get("KEYS", "").split(" ") if word]
        wanted += [f"T#T#{values['TAGS']}"] if values.get("TAGS") else []
        hashes = [absolute(string_hash(one) & 0xFFFFFFFF) for one in wanted]
        assert keys.hashes(text if ends else text[:-1]) == hashes


def test_hash_of_a_key_longer_than_the_table_of_powers() -> None:
    key = "a1b2" * 500
    assert TopicKeys("T").key(key) == absolute(string_hash(f"T#{key}") & 0xFFFFFFFF)


@pytest.mark.parametrize(("value", "wanted"), [(5, 5), (-5, 5), (-(1 << 31), 0), ((1 << 31) - 1, (1 << 31) - 1)])
def test_hash_is_made_positive_as_in_java(value: int, wanted: int) -> None:
    assert absolute(value & 0xFFFFFFFF) == wanted


@pytest.mark.parametrize(
    ("properties", "wanted"),
    [
        ("KEYS\x01a\x02", "a"),
        ("X\x01y\x02KEYS\x01a b", "a b"),
        ("MYKEYS\x01b\x02", ""),
        ("KEYS\x01a\x02MYKEYS\x01b\x02", "a"),
        ("KEYS\x01a\x02KEYS\x01b\x02", "b"),
        ("", ""),
    ],
)
def test_property_is_found_in_the_text(properties: str, wanted: str) -> None:
    assert property_value(properties, "KEYS\x01") == wanted


# -- queries


def test_message_is_found_by_unique_id_each_key_and_tag() -> None:
    case = StoreCase()
    offset = case.put(keyed(1, "order-1  customer-7")).physical_offset
    case.put(keyed(2, "order-2", topic="Other"))
    for key in (unique(1), "order-1", "customer-7"):
        assert found(case, key) == [offset]
    assert found(case, "TagA", is_tag=True) == [offset]
    assert found(case, "order-2") == found(case, "TagA") == found(case, "order-1", is_tag=True) == []


def test_message_is_found_in_the_tick_that_stored_it() -> None:
    case = StoreCase()
    results: list[QueryMessageResult] = []

    def ask(_: object) -> None:
        case.store.query_message("T", "k1", FOREVER, results.append, max_count=64)

    case.store.put(keyed(1, "k1"), ask)
    case.reactor.run_until(lambda: bool(results))
    # The query was asked before the index knew, and at the latest the next one finds it.
    assert len(results[0].frames) in {0, 1}
    assert len(query(case, "k1").frames) == 1


def test_message_that_is_not_in_the_log_is_not_in_the_index() -> None:
    case = StoreCase()
    case.put(keyed(0))
    case.disk.fail("pwrite", errno.ENOSPC, path_contains="commitlog")
    assert case.put(keyed(1, "k1")).status is PutStatus.SERVICE_NOT_AVAILABLE
    offset = case.put(keyed(2, "k2")).physical_offset
    assert found(case, "k1") == []
    assert found(case, "k2") == [offset]


def test_rollback_record_is_not_indexed() -> None:
    case = StoreCase()
    case.put(keyed(1, "k1")._replace(sys_flag=TRANSACTION_ROLLBACK_TYPE, consume_queue=False))
    assert found(case, "k1") == []


def test_query_gives_the_newest_and_no_more_than_asked_for_in_the_order_of_the_log() -> None:
    case = StoreCase()
    offsets = list(put_keyed(case, range(100)).values())
    assert found(case, "both", count=10) == offsets[-10:]
    assert found(case, "both", count=1000) == offsets[-64:]
    assert found(case, "both", count=0) == found(case, "both", count=-1) == []


def test_answer_to_a_query_fits_into_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    case = StoreCase()
    offsets = list(put_keyed(case, range(20)).values())
    monkeypatch.setattr(query_message, "QUERY_BYTES_MAX", 3 * (offsets[-1] - offsets[-2]) + 10)
    assert found(case, "both") == offsets[-3:]
    monkeypatch.setattr(query_message, "QUERY_BYTES_MAX", 1)
    assert found(case, "both") == offsets[-1:]


def test_query_keeps_to_its_time() -> None:
    case = StoreCase()
    clock = case.reactor.clock
    offsets = []
    times = []
    for number in range(6):
        clock.jump(10_000)
        times.append(clock.now_ms())
        offsets.append(case.put(keyed(number, "k")).physical_offset)
    assert found(case, "k", between=(times[2], times[4])) == offsets[2:5]
    assert found(case, "k", between=(times[5] + 5000, times[5] + 9000)) == []


def test_query_says_how_far_the_index_is_where_it_finds_something() -> None:
    case = StoreCase()
    case.put(keyed(1, "k1"))
    last = case.put(keyed(2, "k2"))
    result = query(case, "k1")
    assert result.index_last_update_physical_offset == last.physical_offset
    assert result.index_last_update_timestamp_ms == last.store_timestamp_ms
    assert query(case, "other") == QueryMessageResult()


def test_without_message_index_nothing_is_written_and_nothing_found() -> None:
    case = StoreCase(message_index_enable=False)
    case.put(keyed(1, "k1"))
    assert found(case, "k1") == []
    assert index_files(case.stop()) == []


def test_index_that_is_switched_on_later_has_the_messages_of_before() -> None:
    case = StoreCase(message_index_enable=False)
    offsets = put_keyed(case, range(5))
    again = StoreCase(case.stop())
    assert_all_found(again, offsets)


# -- files


def test_full_file_is_followed_by_another_and_both_are_searched() -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(300))
    case.reactor.run_for(1_000)
    offsets |= put_keyed(case, range(300, 310))
    assert_all_found(case, offsets)
    files = index_files(case.disk)
    assert len(files) == 4
    assert [len(case.disk.read_bytes(path)) for path in files] == [index_file_bytes(INDEX_SLOTS, INDEX_ENTRIES)] * 4
    case.reactor.run_for(130_000)
    assert_all_found(case, offsets)
    last = IndexHeader.decode(case.disk.read_bytes(files[-1])[:HEADER_BYTES])
    checkpoint = StoreCheckpoint.decode(case.disk.read_bytes(ROOT / "checkpoint"))
    # Also of a file that is not full: Apache would delete it.
    assert checkpoint.index_msg_timestamp_ms == last.end_timestamp_ms > 0
    again = StoreCase(case.stop())
    assert_all_found(again, offsets)
    assert index_files(again.disk) == files


def test_names_go_up_when_the_clock_goes_back() -> None:
    case = StoreCase()
    put_keyed(case, range(100))
    case.reactor.clock.jump(-3_600_000)
    offsets = put_keyed(case, range(100, 200))
    assert_all_found(case, offsets)
    again = StoreCase(case.stop())
    assert_all_found(again, offsets)


def test_file_goes_when_all_its_records_are_gone() -> None:
    case = StoreCase(file_reserved_time_ms=3_600_000, delete_when_hours=tuple(range(24)))
    put_keyed(case, range(200))
    first = index_files(case.disk)[0]
    case.reactor.run_for(2 * 3_600_000)
    case.put(keyed(999))
    case.reactor.run_for(60_000)
    assert case.store.min_physical_offset > 0
    after = index_files(case.disk)
    assert after
    assert first not in after
    # What is gone is not searched for in vain, and the next start does not miss the file.
    again = StoreCase(case.stop())
    assert again.store.recovery.start > 0
    assert index_files(again.disk) == after


# -- starts


def _all_gone(disk: FakeDisk) -> None:
    for path in index_files(disk):
        disk.remove(path)


def _first_gone(disk: FakeDisk) -> None:
    disk.remove(index_files(disk)[0])


def _middle_gone(disk: FakeDisk) -> None:
    disk.remove(index_files(disk)[1])


def _last_gone(disk: FakeDisk) -> None:
    disk.remove(index_files(disk)[-1])


def _last_cut(disk: FakeDisk) -> None:
    disk.open(index_files(disk)[-1]).truncate(1000)


def _first_empty(disk: FakeDisk) -> None:
    disk.open(index_files(disk)[0]).truncate(0)


def _last_zeroed(disk: FakeDisk) -> None:
    size = index_file_bytes(INDEX_SLOTS, INDEX_ENTRIES)
    disk.open(index_files(disk)[-1]).pwrite(bytes(size), 0)


def _foreign_beside(disk: FakeDisk) -> None:
    disk.open(ROOT / "index" / "20991231235959999", size_bytes=index_file_bytes(INDEX_SLOTS, INDEX_ENTRIES))


@pytest.mark.parametrize("is_clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize(
    "damage",
    [
        _all_gone,
        _first_gone,
        _middle_gone,
        _last_gone,
        _last_cut,
        _first_empty,
        _last_zeroed,
        _foreign_beside,
        checkpoint_gone,
    ],
)
def test_index_is_whole_again_after(damage: Callable[[FakeDisk], None], is_clean: bool) -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(200))
    case.reactor.run_for(70_000)
    offsets |= put_keyed(case, range(200, 250))
    disk = case.stop() if is_clean else case.kill()
    damage(disk)
    again = StoreCase(disk)
    assert_all_found(again, offsets)
    offsets |= put_keyed(again, range(250, 260))
    third = StoreCase(again.stop())
    assert_all_found(third, offsets)


@pytest.mark.parametrize("lose", ["none", "all", "some"])
@pytest.mark.parametrize("seed", range(4))
def test_index_is_whole_again_after_a_crash_at_any_place(seed: int, lose: str) -> None:
    disk = FakeDisk(seed=seed)
    case = StoreCase(disk)
    offsets = put_keyed(case, range(90))
    case.reactor.run_for(61_000 + 500 * seed)
    offsets |= put_keyed(case, range(90, 90 + 30 * seed))
    case.reactor.run_for(700 * seed)
    case.reactor.crash()
    disk.crash(lose)
    again = StoreCase(disk)
    kept = {number: at for number, at in offsets.items() if again.store.record_at(at) is not None}
    assert len(kept) >= 90
    assert_all_found(again, kept)
    assert found(again, "both") == list(kept.values())[-64:]


@pytest.mark.parametrize("end", [StoreCase.stop, StoreCase.kill])
def test_index_is_whole_after_a_stop_in_the_middle_of_a_checkpoint(end: Callable[[StoreCase], FakeDisk]) -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(120))
    case.put(keyed(1000, topic="Gone"))
    case.store.delete_topic("Gone")
    offsets |= put_keyed(case, range(120, 125))
    case.store.delete_topic("T2")
    again = StoreCase(end(case))
    assert_all_found(again, offsets)


def test_log_that_was_cut_during_a_checkpoint_takes_its_keys_along() -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(60))
    case.put(keyed(1000, topic="Gone"))
    case.store.delete_topic("Gone")
    case.store.truncate_to(offsets[30])
    new = put_keyed(case, range(500, 520))
    again = StoreCase(case.kill())
    assert_all_found(again, new)
    assert found(again, "k30") == []
    assert found(again, "both") == [offsets[number] for number in range(30)] + list(new.values())


def test_clean_start_reads_no_record() -> None:
    case = StoreCase()
    put_keyed(case, range(50))
    again = StoreCase(case.stop())
    assert again.store.recovery.records == 0


def test_log_that_was_cut_takes_its_keys_along() -> None:
    case = StoreCase()
    offsets = put_keyed(case, range(200))
    case.store.truncate_to(offsets[120])
    assert found(case, "k120") == found(case, "k199") == []
    assert_all_found(case, {number: at for number, at in offsets.items() if number < 120})
    new = put_keyed(case, range(500, 510))
    assert_all_found(case, new)
    assert_all_found(StoreCase(case.stop()), new)


def test_slave_indexes_what_its_master_sends() -> None:
    master = StoreCase()
    offsets = put_keyed(master, range(20))
    slave = StoreCase(broker_role=BrokerRole.SLAVE)
    data = bytes(master.store.read_log(0, 1 << 20))
    for start in range(0, len(data), 700):
        slave.store.append_raw(start, data[start : start + 700])
        slave.reactor.run_for(1)
    assert_all_found(slave, offsets)
    assert_all_found(StoreCase(slave.kill(), broker_role=BrokerRole.SLAVE), offsets)
