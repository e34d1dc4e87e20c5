# SPDX-License-Identifier: Apache-2.0
"""The commit log record as the store needs it: written fast, scanned fast. The general decoder is `remoting.message`.

| offset | bytes | field |
|---|---|---|
| 0 | 4 | TOTALSIZE |
| 4 | 4 | MAGIC: v1 0xDAA320A7 (topic length in 1 byte), v2 0xDAA320AB (2 bytes) |
| 8 | 4 | BODYCRC: CRC-32 of the stored body, sign bit cleared |
| 12 | 4 | QUEUEID |
| 16 | 4 | FLAG |
| 20 | 8 | QUEUEOFFSET |
| 28 | 8 | PHYSICALOFFSET: the record's own place |
| 36 | 4 | SYSFLAG: 16 and 32 say that a host has 20 bytes (IPv6) |
| 40 | 8 | BORNTIMESTAMP |
| 48 | 8 or 20 | BORNHOST |
| 56 | 8 | STORETIMESTAMP |
| 64 | 8 or 20 | STOREHOST |
| 72 | 4 | RECONSUMETIMES |
| 76 | 8 | PREPAREDTRANSACTIONOFFSET |
| 84 | 4 + n | BODY |
| | 1 or 2 + n | TOPIC |
| | 2 + n | PROPERTIES; with enabledAppendPropCRC their last 20 bytes are `__CRC32#` 0x01 digits 0x02 |

A *blank* record (size, magic 0xCBD43194, rest undefined) fills a file whose next record did not fit. A record never
crosses files; behind the last one there are zeros. Answers to MessageExtEncoder and
CommitLog.checkMessageAndReturnSize.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from ..remoting.message import BLANK_MAGIC, MAGIC_V1, MAGIC_V2, RECORD_MIN_BYTES, TOPIC_MAX_BYTES_V1
from ..remoting.message_const import (
    BORN_HOST_V6_FLAG,
    STORE_HOST_V6_FLAG,
    TRANSACTION_PREPARED_TYPE,
    TRANSACTION_ROLLBACK_TYPE,
    TRANSACTION_TYPE_MASK,
)
from ..remoting.message_properties import CRC_PROPERTY_BYTES

BLANK_HEAD = struct.Struct(">ii")
BLANK_BYTES = BLANK_HEAD.size
HOST_FLAGS = BORN_HOST_V6_FLAG | STORE_HOST_V6_FLAG
PROPERTIES_LENGTH = struct.Struct(">h")

# TOTALSIZE up to and with the body's length, by the IPv6 bits of sysFlag.
HEADS = {
    0: struct.Struct(">iiIiiqqiq8sq8siqi"),
    BORN_HOST_V6_FLAG: struct.Struct(">iiIiiqqiq20sq8siqi"),
    STORE_HOST_V6_FLAG: struct.Struct(">iiIiiqqiq8sq20siqi"),
    HOST_FLAGS: struct.Struct(">iiIiiqqiq20sq20siqi"),
}
# The same head, with only what recovery looks at: size, magic, body CRC, queue id, queue offset, physical offset,
# sysFlag, store time, body length.
SCAN_HEADS = {
    0: struct.Struct(">iiIi4xqqi16xq8x12xi"),
    BORN_HOST_V6_FLAG: struct.Struct(">iiIi4xqqi28xq8x12xi"),
    STORE_HOST_V6_FLAG: struct.Struct(">iiIi4xqqi16xq20x12xi"),
    HOST_FLAGS: struct.Struct(">iiIi4xqqi28xq20x12xi"),
}
_SYS_FLAG_POSITION = 36
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")

CRC_PREFIX = b"__CRC32#\x01"
PROPERTY_END = 2
# No properties at all, or zeros where they should be.
_NO_END = (b"", b"\0")
_CRC_DIGITS_START = len(CRC_PREFIX) - CRC_PROPERTY_BYTES
_MAGICS = (MAGIC_V1, MAGIC_V2)
_MAGIC_V1_BYTES = MAGIC_V1.to_bytes(4, "big", signed=True)
_TAGS_KEY = b"TAGS\x01"


def crc_digits(crc: int) -> bytes:
    """The whole-record CRC as Apache writes it: ten decimal digits, the least significant first."""
    return (b"%010d" % (crc & 0x7FFFFFFF))[::-1]


def topic_field(topic: bytes) -> tuple[int, bytes]:
    """Magic code and TOPIC field: v2 only where the length needs it (autoMessageVersionOnTopicLen)."""
    if len(topic) <= TOPIC_MAX_BYTES_V1:
        return MAGIC_V1, bytes((len(topic),)) + topic
    return MAGIC_V2, len(topic).to_bytes(2, "big") + topic


def blank_record(size_bytes: int) -> bytes:
    """The head of the record that fills the last size_bytes of a file."""
    return BLANK_HEAD.pack(size_bytes, BLANK_MAGIC)


class ScannedRecord(NamedTuple):
    """One intact record: where it is, which queue it belongs to, and its raw topic and properties."""

    physical_offset: int
    size: int
    queue_id: int
    queue_offset: int
    sys_flag: int
    store_timestamp_ms: int
    topic: bytes
    properties: bytes

    @property
    def has_unit(self) -> bool:
        """Prepared and rollback records are in no consume queue of their topic."""
        return self.sys_flag & TRANSACTION_TYPE_MASK not in (TRANSACTION_PREPARED_TYPE, TRANSACTION_ROLLBACK_TYPE)


def scan_record(buffer: memoryview, position: int, limit: int, base_offset: int) -> ScannedRecord | None:
    """The intact record at position of buffer, whose byte 0 has the physical offset base_offset; None where there is
    none.

    Checked: magic, sizes, its own physical offset, and the whole-record CRC where the record carries one, else the CRC
    of the body, and that the end of the properties was written.
    """
    if limit - position < RECORD_MIN_BYTES:
        return None
    host_flags = _INT.unpack_from(buffer, position + _SYS_FLAG_POSITION)[0] & HOST_FLAGS
    head = SCAN_HEADS[host_flags]
    if limit - position < head.size:
        return None
    size, magic, body_crc, queue_id, queue_offset, physical_offset, sys_flag, store_time, body_bytes = head.unpack_from(
        buffer, position
    )
    end = position + size
    body = position + head.size
    topic = body + body_bytes
    if (
        magic not in _MAGICS
        or physical_offset != base_offset + position
        or size < RECORD_MIN_BYTES
        or end > limit
        or body_bytes < 0
        or topic + 3 > end
    ):
        return None
    topic_bytes = buffer[topic]
    topic += 1
    if magic == MAGIC_V2:
        topic_bytes = topic_bytes << 8 | buffer[topic]
        topic += 1
    properties = topic + topic_bytes + 2
    if properties > end or end - properties != buffer[properties - 2] << 8 | buffer[properties - 1]:
        return None
    raw_properties = bytes(buffer[properties:end])
    if raw_properties[-CRC_PROPERTY_BYTES:_CRC_DIGITS_START] == CRC_PREFIX:
        if (
            crc_digits(crc32(buffer[position : end - CRC_PROPERTY_BYTES])) + b"\x02"
            != raw_properties[_CRC_DIGITS_START:]
        ):
            return None
    elif (crc32(buffer[body : body + body_bytes]) & 0x7FFFFFFF != body_crc and body_bytes) or _lacks_its_end(
        buffer[position:end], raw_properties
    ):
        return None
    return ScannedRecord(
        physical_offset,
        size,
        queue_id,
        queue_offset,
        sys_flag,
        store_time,
        bytes(buffer[topic : properties - 2]),
        raw_properties,
    )


def _lacks_its_end(record: memoryview, properties: bytes) -> bool:
    """Of a record that carries no whole-record CRC: whether it was torn, or carried one whose name is damaged.

    Bytes that never reached the disk are zeros, and neither topic nor properties end in one: Apache 5 ends each
    property with 0x02, Apache 4.9 leaves out the last one, so that the last character of a value stands there."""
    if not properties:
        return not record[-PROPERTIES_LENGTH.size - 1]
    if not properties[-1]:
        return True
    digits = properties[_CRC_DIGITS_START:-1]
    return digits.isdigit() and crc_digits(crc32(record[:-CRC_PROPERTY_BYTES])) == digits


def is_blank(buffer: memoryview, position: int, limit: int) -> bool:
    """A blank record whose size is exactly what the file has left."""
    return limit - position >= BLANK_BYTES and BLANK_HEAD.unpack_from(buffer, position) == (
        limit - position,
        BLANK_MAGIC,
    )


def store_time_at(buffer: memoryview) -> int:
    """STORETIMESTAMP of the record that the buffer begins with."""
    sys_flag: int = _INT.unpack_from(buffer, _SYS_FLAG_POSITION)[0]
    store_time: int = _LONG.unpack_from(buffer, 68 if sys_flag & BORN_HOST_V6_FLAG else 56)[0]
    return store_time


def properties_of(record: memoryview) -> bytes:
    """PROPERTIES of the whole, intact record that the buffer holds."""
    host_flags = _INT.unpack_from(record, _SYS_FLAG_POSITION)[0] & HOST_FLAGS
    head = SCAN_HEADS[host_flags]
    body_bytes = _INT.unpack_from(record, head.size - _INT.size)[0]
    topic = head.size + body_bytes
    if record[4:8] == _MAGIC_V1_BYTES:
        end_of_topic = topic + 1 + record[topic]
    else:
        end_of_topic = topic + 2 + (record[topic] << 8 | record[topic + 1])
    return bytes(record[end_of_topic + PROPERTIES_LENGTH.size :])


def tags_of(properties: bytes) -> bytes:
    """The value of the TAGS property; empty where there is none."""
    if properties.startswith(_TAGS_KEY):
        start = len(_TAGS_KEY)
    else:
        start = properties.find(b"\x02" + _TAGS_KEY) + 1 + len(_TAGS_KEY)
        if start == len(_TAGS_KEY):
            return b""
    end = properties.find(b"\x02", start)
    return properties[start:] if end < 0 else properties[start:end]
