# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.remoting.golden import EXCHANGES

from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import (
    MAGIC_V2,
    BatchItem,
    Host,
    MessageExt,
    RecordError,
    UniqueIdFactory,
    append_prop_crc,
    body_crc,
    check_prop_crc,
    decode_batch_body,
    decode_properties,
    decode_record,
    decode_records,
    decompress_body,
    encode_batch_body,
    encode_host,
    encode_message,
    encode_properties,
    encode_record,
    has_prop_crc,
    offset_message_id,
    parse_offset_message_id,
    property_value,
)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
LONG = st.integers(-(2**63), 2**63 - 1)
INT = st.integers(-(2**31), 2**31 - 1)
HOSTS = st.builds(Host, st.ip_addresses().map(str), st.integers(0, 65535))


def _with_host_bits(message: MessageExt) -> MessageExt:
    bits = (16 if ":" in message.born_host.ip else 0) | (32 if ":" in message.store_host.ip else 0)
    message.sys_flag = message.sys_flag & ~48 | bits
    message.body_crc = body_crc(message.body)
    message.store_size = len(encode_message(message))
    return message


MESSAGES = st.builds(
    MessageExt,
    topic=TEXT | st.text("abc", min_size=120, max_size=300),
    queue_id=INT,
    queue_offset=LONG,
    physical_offset=LONG,
    sys_flag=st.integers(0, 2**11),
    born_timestamp_ms=LONG,
    born_host=HOSTS,
    store_timestamp_ms=LONG,
    store_host=HOSTS,
    reconsume_times=INT,
    prepared_transaction_offset=LONG,
    flag=INT,
    body=st.binary(max_size=100),
    properties=st.dictionaries(TEXT, TEXT, max_size=5),
).map(_with_host_bits)


@given(MESSAGES)
def test_records_come_back_equal(message: MessageExt) -> None:
    assert decode_record(encode_message(message)) == message


@given(st.lists(MESSAGES, max_size=4))
def test_records_one_after_another_come_back_in_order(messages: list[MessageExt]) -> None:
    assert decode_records(b"".join(map(encode_message, messages))) == messages


def test_a_topic_longer_than_127_bytes_makes_a_record_of_version_2() -> None:
    assert encode_message(MessageExt("t" * 127))[4:8] == bytes.fromhex("daa320a7")
    record = encode_message(MessageExt("t" * 128))
    assert int.from_bytes(record[4:8], "big", signed=True) == MAGIC_V2
    assert decode_record(record).topic == "t" * 128


@given(MESSAGES, st.data())
def test_a_damaged_record_is_refused_or_was_damaged_outside_its_checksum(
    message: MessageExt, data: st.DataObject
) -> None:
    record = bytearray(encode_message(message))
    record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decoded = decode_record(bytes(record))
    except RecordError:
        return
    assert decoded.body == message.body


@given(MESSAGES, st.data())
def test_with_a_checksum_of_the_whole_record_every_flipped_bit_is_found(
    message: MessageExt, data: st.DataObject
) -> None:
    record = bytearray(_record_with_crc(message))
    assert check_prop_crc(bytes(record))
    assert decode_record(bytes(record)).body == message.body
    record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not check_prop_crc(bytes(record))


def _record_with_crc(message: MessageExt) -> bytes:
    return encode_record(
        topic=message.topic.encode(),
        queue_id=message.queue_id,
        flag=message.flag,
        queue_offset=message.queue_offset,
        physical_offset=message.physical_offset,
        sys_flag=message.sys_flag,
        born_timestamp_ms=message.born_timestamp_ms,
        born_host=encode_host(*message.born_host),
        store_timestamp_ms=message.store_timestamp_ms,
        store_host=encode_host(*message.store_host),
        reconsume_times=message.reconsume_times,
        prepared_transaction_offset=message.prepared_transaction_offset,
        body=message.body,
        properties=encode_properties(message.properties).encode(),
        append_crc=True,
    )


def test_the_checksum_property_has_its_digits_backwards() -> None:
    # CRC-32 of "123456789" is 0xCBF43926; without its top bit 0x4BF43926 = 1274296614.
    record = append_prop_crc(b"123456789")
    assert record == b"123456789__CRC32#\x014166924721\x02"
    assert has_prop_crc(record)
    assert check_prop_crc(record)


def test_a_short_checksum_is_filled_up_with_zeros() -> None:
    data = b"1"
    assert (zlib.crc32(data) & 0x7FFFFFFF) < 10**9
    digits = append_prop_crc(data)[-11:-1]
    assert int(digits[::-1]) == zlib.crc32(data) & 0x7FFFFFFF
    assert digits.endswith(b"0")


@pytest.mark.parametrize(
    "record",
    [
        b"",
        bytes(91),
        encode_message(MessageExt("T"))[:-1],
        encode_message(MessageExt("T", body=b"x"))[:80],
        b"\x00\x00\x10\x00" + bytes.fromhex("cbd43194") + bytes(4088),
        b"\x7f\xff\xff\xff" + encode_message(MessageExt("T"))[4:],
        b"\x00\x00\x00\x5d" + encode_message(MessageExt("T"))[4:] + b"?",
    ],
    ids=["empty", "zeros", "cut", "cut in the head", "blank", "size too large", "size one too large"],
)
def test_what_is_no_whole_record_is_refused(record: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(record)


def test_a_flipped_bit_in_the_body_is_found() -> None:
    record = encode_message(MessageExt("T", body=b"hello")).replace(b"hello", b"hellp")
    with pytest.raises(RecordError, match="body does not agree"):
        decode_record(record)
    assert decode_record(record, check_crc=False).body == b"hellp"


@pytest.mark.parametrize(("topic", "properties"), [(b"t" * 40000, b""), (b"t", b"p" * 32768)])
def test_what_does_not_fit_a_record_is_refused(topic: bytes, properties: bytes) -> None:
    host = encode_host("127.0.0.1", 1)
    with pytest.raises(RecordError, match="do not fit"):
        encode_record(
            topic=topic, queue_id=0, flag=0, queue_offset=0, physical_offset=0, sys_flag=0, born_timestamp_ms=0,
            born_host=host, store_timestamp_ms=0, store_host=host, reconsume_times=0, prepared_transaction_offset=0,
            body=b"", properties=properties,
        )  # fmt: skip


@given(st.dictionaries(TEXT, TEXT))
def test_properties_come_back_equal(properties: dict[str, str]) -> None:
    text = encode_properties(properties)
    assert decode_properties(text) == properties
    assert all(property_value(text, key) == value for key, value in properties.items())


def test_one_property_is_found_without_reading_the_others() -> None:
    text = "XTAGS\x01no\x02TAGS\x01TagA\x02KEYS\x01k1 k2"
    assert property_value(text, "TAGS") == "TagA"
    assert property_value(text, "KEYS") == "k1 k2"
    assert property_value(text, "AGS") is None


def test_message_ids_name_broker_and_place() -> None:
    assert offset_message_id(encode_host("127.0.0.1", 12311), 0xE1) == "7F0000010000301700000000000000E1"
    assert parse_offset_message_id("7F0000010000301700000000000000E1") == (Host("127.0.0.1", 12311), 0xE1)
    six = offset_message_id(encode_host("fd00::2", 10911), 5)
    assert len(six) == 56
    assert parse_offset_message_id(six) == (Host("fd00::2", 10911), 5)


@pytest.mark.parametrize("text", ["", "7F", "zz" * 16, "00" * 17])
def test_what_is_no_message_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hex|id"):
        parse_offset_message_id(text)


def test_unique_ids_hold_address_pid_time_and_counter() -> None:
    factory = UniqueIdFactory("10.11.12.13", 10911, 0x30554E0E)
    first, second = factory.next(1795343239431), factory.next(1795343239431)
    assert first[:20] == "0A0B0C0D2A9F30554E0E"
    assert len(first) == 32
    assert int(second, 16) == int(first, 16) + 1
    # The next month counts its milliseconds anew.
    assert int(factory.next(1795343239431 + 31 * 86_400_000)[20:28], 16) < 31 * 86_400_000


def test_unique_ids_of_an_ipv6_host_are_longer() -> None:
    assert len(UniqueIdFactory("fd00::2", 1, 2).next(1795343239431)) == 56


@given(st.binary(max_size=500), st.sampled_from([1, 1 | 3 << 8]))
def test_a_compressed_body_is_unpacked(body: bytes, sys_flag: int) -> None:
    assert decompress_body(zlib.compress(body), sys_flag) == body
    assert decompress_body(body, 0) == body


@pytest.mark.parametrize("sys_flag", [1 | 1 << 8, 1 | 2 << 8])
def test_a_compression_that_cannot_be_unpacked_is_named(sys_flag: int) -> None:
    with pytest.raises(RecordError, match="LZ4"):
        decompress_body(b"x", sys_flag)


def test_a_body_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmq.remoting.message.DECOMPRESSED_MAX_BYTES", 1000)
    with pytest.raises(RecordError, match="more than 1000 bytes"):
        decompress_body(zlib.compress(bytes(1001)), 1)
    with pytest.raises(RecordError, match="damaged"):
        decompress_body(b"no zlib", 1)
    with pytest.raises(RecordError, match="cut short"):
        decompress_body(zlib.compress(b"abc")[:-3], 1)


@given(st.lists(st.builds(BatchItem, INT, st.binary(max_size=30), TEXT), max_size=5))
def test_batches_come_back_equal(items: list[BatchItem]) -> None:
    assert decode_batch_body(encode_batch_body(items)) == items


def test_a_batch_as_a_client_sends_it_is_read() -> None:
    (command,) = FrameDecoder().feed(EXCHANGES["send_batch_320"].request)
    items = decode_batch_body(command.body)
    assert [(item.flag, item.body, item.properties) for item in items] == [
        (3, b"b1", "UNIQ_KEY\x01U1\x02"),
        (3, b"b2", "UNIQ_KEY\x01U2\x02KEYS\x01kk\x02"),
    ]
    assert encode_batch_body(items) == command.body


@given(st.lists(st.builds(BatchItem, INT, st.binary(max_size=30), TEXT), min_size=1, max_size=3), st.data())
def test_a_damaged_batch_is_refused_or_read_whole(items: list[BatchItem], data: st.DataObject) -> None:
    body = bytearray(encode_batch_body(items))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    try:
        decoded = decode_batch_body(bytes(body))
    except RecordError:
        return
    assert len(encode_batch_body(decoded)) == len(body)
