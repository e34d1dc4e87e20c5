# SPDX-License-Identifier: Apache-2.0
"""Apache's own store, captured from 5.4.0: ours writes the same bytes from the same messages, and reads theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.engine.fakes import FakeDisk
from tests.engine.store.store_case import LOG_FILE_BYTES, QUEUE_FILE_BYTES, ROOT, StoreCase

from rmq.remoting.java_hash import tag_hash
from rmq.remoting.message import MessageExt, decode_record, encode_properties
from rmq.remoting.message_const import PROPERTY_TAGS, TRANSACTION_PREPARED_TYPE, TRANSACTION_TYPE_MASK
from rmq.store import BoundaryType, MessageToStore, PutStatus, StoreError
from rmq.store.store_checkpoint import StoreCheckpoint

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden-5.4.0.json").read_text())
FILES: dict[str, Any] = GOLDEN["files"]
LOGS = sorted(name for name in FILES if name.startswith("commitlog/"))
QUEUES = sorted(name for name in FILES if name.startswith("consumequeue/"))
STORE_HOST = ("127.0.0.1", 12311)


def golden_bytes(name: str) -> bytes:
    return bytes.fromhex(FILES[name]["used_hex"])


def golden_records() -> list[tuple[MessageExt, bytes]]:
    """All records of the captured log, in order, with their raw properties."""
    records = []
    for name in LOGS:
        data, position = golden_bytes(name), 0
        while position + 8 < len(data) and data[position + 4 : position + 8] != b"\xcb\xd4\x31\x94":
            record = decode_record(data, position)
            records.append((record, raw_properties(data[position : position + record.store_size], record)))
            position += record.store_size
    return records


def raw_properties(record: bytes, message: MessageExt) -> bytes:
    start = len(record) - len(encode_properties(message.properties).encode())
    # The last property may have no separator behind it.
    length_at = start - 2
    if int.from_bytes(record[length_at:start], "big") != len(record) - start:
        start += 1
    assert int.from_bytes(record[start - 2 : start], "big") == len(record) - start
    return record[start:]


def to_store(record: MessageExt, properties: bytes) -> MessageToStore:
    tag = record.properties.get(PROPERTY_TAGS)
    return MessageToStore(
        record.topic,
        record.queue_id,
        record.body,
        properties.decode(),
        record.born_timestamp_ms,
        record.born_host,
        tags_code=tag_hash(tag) if tag else 0,
        flag=record.flag,
        sys_flag=record.sys_flag,
        reconsume_times=record.reconsume_times,
        prepared_transaction_offset=record.prepared_transaction_offset,
        consume_queue=record.sys_flag & TRANSACTION_TYPE_MASK != TRANSACTION_PREPARED_TYPE,
    )


def golden_disk() -> FakeDisk:
    """Apache's store as it lay on the disk after a clean stop."""
    disk = FakeDisk()
    for name in (*LOGS, *QUEUES):
        file = disk.open(ROOT / name, size_bytes=FILES[name]["size"])
        file.pwrite(golden_bytes(name), 0)
    disk.replace_file(ROOT / "config" / "topics.json", FILES["config/topics.json"]["text"].encode())
    return disk


def open_golden(disk: FakeDisk | None = None) -> StoreCase:
    return StoreCase(
        disk or golden_disk(), append_prop_crc=False, store_host=STORE_HOST, cluster_name="C", broker_name="broker-a"
    )


@pytest.fixture(scope="module")
def ours() -> StoreCase:
    """Our store, given the messages of the captured log at the times of the captured log."""
    case = StoreCase(append_prop_crc=False, store_host=STORE_HOST)
    clock = case.reactor.clock
    for record, properties in golden_records():
        clock.jump(record.store_timestamp_ms - clock.now_ms())
        result = case.put(to_store(record, properties))
        assert result.status is PutStatus.OK
        assert result.physical_offset == record.physical_offset
        assert result.message_id == record.message_id
    case.stop()
    return case


@pytest.mark.parametrize("name", LOGS)
def test_commit_log_has_the_bytes_of_apache(ours: StoreCase, name: str) -> None:
    written = ours.disk.read_bytes(ROOT / name)
    assert len(written) == LOG_FILE_BYTES == FILES[name]["size"]
    assert written[: len(golden_bytes(name))] == golden_bytes(name)


@pytest.mark.parametrize("name", QUEUES)
def test_consume_queue_has_the_bytes_of_apache(ours: StoreCase, name: str) -> None:
    written = ours.disk.read_bytes(ROOT / name)
    assert len(written) == QUEUE_FILE_BYTES == FILES[name]["size"]
    assert written == golden_bytes(name).ljust(QUEUE_FILE_BYTES, b"\0")


def test_no_consume_queue_is_missing_or_too_many(ours: StoreCase) -> None:
    found = {str(path.relative_to(ROOT)) for path in ours.disk.files() if "consumequeue" in path.parts}
    assert found == set(QUEUES)


def test_checkpoint_has_apaches_fields(ours: StoreCase) -> None:
    written = ours.disk.read_bytes(ROOT / "checkpoint")
    assert len(written) == FILES["checkpoint"]["size"]
    last = golden_records()[-1][0].store_timestamp_ms
    # The third is 0 on Apache until an index file is full (see store_checkpoint).
    assert written[:48] == StoreCheckpoint(last, last, last).encode()[:48]
    apache = StoreCheckpoint.decode(bytes.fromhex(FILES["checkpoint"]["first48_hex"]))
    assert (apache.logics_msg_timestamp_ms, apache.index_msg_timestamp_ms) == (last, 0)


@pytest.mark.parametrize("queues_are_there", [True, False], ids=["with-queues", "without-queues"])
def test_apaches_store_is_taken_over_with_every_message(queues_are_there: bool) -> None:
    disk = golden_disk()
    if not queues_are_there:
        for name in QUEUES:
            disk.remove(ROOT / name)
    case = open_golden(disk)
    wanted = [record for record, _ in golden_records()]
    found = [
        one
        for topic, queue_ids in case.store.queues().items()
        for queue_id in queue_ids
        for one in case.read_all(topic, queue_id)
    ]
    assert sorted(one.physical_offset for one in found) == [one.physical_offset for one in wanted]
    assert case.store.max_physical_offset == wanted[-1].physical_offset + wanted[-1].store_size
    case.stop()
    for name in QUEUES:
        assert disk.read_bytes(ROOT / name) == golden_bytes(name).ljust(QUEUE_FILE_BYTES, b"\0")


def test_searches_answer_as_apache_did() -> None:
    case = open_golden()
    answers = {one["name"]: one["response_header"] for one in GOLDEN["exchanges"] if "response_header" in one}
    assert case.store.max_offset("TopicTest", 0) == int(answers["max_offset_30"]["extFields"]["offset"])
    assert case.store.earliest_store_time("TopicTest", 0) == int(answers["earliest_32"]["extFields"]["timestamp"])
    assert case.store.offset_by_time("TopicTest", 0, 0, BoundaryType.LOWER) == 0


def test_pull_answer_is_the_log_itself() -> None:
    """Our frames are the body of Apache's answer to the same pull (code 11, 32 messages from offset 0)."""
    case = open_golden()
    exchange = next(one for one in GOLDEN["exchanges"] if one["name"] == "pull_11_found")
    response = bytes.fromhex(exchange["response_hex"])
    header_bytes = int.from_bytes(response[4:8], "big") & 0xFFFFFF
    result = case.store.get("TopicTest", 0, 0, 32)
    assert b"".join(result.frames) == response[8 + header_bytes :]
    assert result.next_begin_offset == int(exchange["response_header"]["extFields"]["nextBeginOffset"])


def test_apaches_store_is_not_taken_for_another_brokers() -> None:
    with pytest.raises(StoreError, match="REVIVE_LOG_C; the settings say broker-a"):
        StoreCase(golden_disk())
