# SPDX-License-Identifier: Apache-2.0
"""Properties of a message on the wire and on the disk: key 0x01 value 0x02, repeated; and the record's own checksum.

With Apache's option enabledAppendPropCRC the last 20 bytes of the properties, and so of the record, are

    bytes  field
    8      __CRC32#
    1      0x01
    10     CRC-32 of the record without these 20 bytes, AND 0x7FFFFFFF, decimal, least significant digit first,
           filled up with 0
    1      0x02
"""

from __future__ import annotations

import zlib
from typing import Dict, Mapping, Optional, Union

from .message_const import PROPERTY_CRC32

Buffer = Union[bytes, bytearray, memoryview]

NAME_VALUE_SEPARATOR = "\x01"
PROPERTY_SEPARATOR = "\x02"

# Two signed bytes hold the length; Apache refuses more with MESSAGE_ILLEGAL.
PROPERTIES_MAX_BYTES = 32767

CRC_PROPERTY_BYTES = 20
_CRC_PROPERTY_START = (PROPERTY_CRC32 + NAME_VALUE_SEPARATOR).encode("ascii")
_CRC_DIGITS = 10


def encode_properties(properties: Mapping[str, str]) -> str:
    """The wire text. A separator inside a key or value would make another property: the caller keeps them out."""
    return "".join(
        [
            key + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
            for key, value in properties.items()
            if value is not None
        ]
    )


def decode_properties(text: str) -> Dict[str, str]:
    """Keys to values; a piece without separator is passed over, and of two equal keys the last wins, as in Apache."""
    properties: Dict[str, str] = {}
    for piece in text.split(PROPERTY_SEPARATOR):
        key, found, value = piece.partition(NAME_VALUE_SEPARATOR)
        if found:
            properties[key] = value
    return properties


def property_value(text: str, key: str) -> Optional[str]:
    """One value of the wire text, without a dict of all of them."""
    marker = key + NAME_VALUE_SEPARATOR
    start = 0 if text.startswith(marker) else text.rfind(PROPERTY_SEPARATOR + marker) + 1
    if start == 0 and not text.startswith(marker):
        return None
    start += len(marker)
    end = text.find(PROPERTY_SEPARATOR, start)
    return text[start:] if end < 0 else text[start:end]


def crc_property(record_without_it: Buffer) -> bytes:
    """The 20 bytes that follow `record_without_it` (whose TOTALSIZE and properties length already count them)."""
    value = zlib.crc32(record_without_it) & 0x7FFFFFFF
    digits = ("%d" % value)[::-1].ljust(_CRC_DIGITS, "0")
    return b"%s%s\x02" % (_CRC_PROPERTY_START, digits.encode("ascii"))


def append_prop_crc(record_without_it: bytes) -> bytes:
    """The whole record."""
    return record_without_it + crc_property(record_without_it)


def has_prop_crc(record: Buffer) -> bool:
    """Whether the record carries a whole-record checksum."""
    end = bytes(record[-CRC_PROPERTY_BYTES:])
    return len(end) == CRC_PROPERTY_BYTES and end.startswith(_CRC_PROPERTY_START) and end.endswith(b"\x02")


def check_prop_crc(record: Buffer) -> bool:
    """Whether the whole-record checksum is right. Ask has_prop_crc() first: without one this is False."""
    return has_prop_crc(record) and record[-CRC_PROPERTY_BYTES:] == crc_property(record[:-CRC_PROPERTY_BYTES])
