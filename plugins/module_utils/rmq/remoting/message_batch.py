# SPDX-License-Identifier: Apache-2.0
"""The body of SEND_BATCH_MESSAGE (320): messages one after another, each

bytes  field                          bytes  field
4      total, of all of it            4      body length + body
4      magic, not looked at           2      properties length + properties
4      CRC of the body, not looked at
4      flag
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Tuple

from .errors import RecordError
from .message_properties import PROPERTIES_MAX_BYTES

_SHORT = struct.Struct(">H")
_BATCH_HEAD = struct.Struct(">iiiii")
_BATCH_MIN_BYTES = _BATCH_HEAD.size + 2


@dataclass(frozen=True)
class BatchItem:
    """One message of a SEND_BATCH_MESSAGE body; `properties` is the wire text."""

    flag: int
    body: bytes
    properties: str


def decode_batch_body(data: bytes) -> List[BatchItem]:
    """The messages of a batch. Raises RecordError."""
    items: List[BatchItem] = []
    position = 0
    while position < len(data):
        item, position = _decode_batch_item(data, position)
        items.append(item)
    return items


def _decode_batch_item(data: bytes, position: int) -> Tuple[BatchItem, int]:
    if len(data) - position < _BATCH_MIN_BYTES:
        raise RecordError("the batch ends in the middle of a message")
    total, _magic, _crc, flag, body_size = _BATCH_HEAD.unpack_from(data, position)
    body_end = position + _BATCH_HEAD.size + body_size
    end = position + total
    if body_size < 0 or end > len(data) or body_end + 2 > end:
        raise RecordError("a message of the batch leaves it")
    (properties_size,) = _SHORT.unpack_from(data, body_end)
    if body_end + 2 + properties_size != end:
        raise RecordError("the lengths in a message of the batch do not add up")
    try:
        properties = data[body_end + 2 : end].decode("utf-8")
    except UnicodeDecodeError:
        raise RecordError("properties in the batch are no UTF-8") from None
    return BatchItem(flag, data[position + _BATCH_HEAD.size : body_end], properties), end


def encode_batch_body(items: List[BatchItem]) -> bytes:
    """What a producer sends. Raises RecordError for properties that are too long."""
    pieces: List[bytes] = []
    for item in items:
        properties = item.properties.encode("utf-8", "replace")
        if len(properties) > PROPERTIES_MAX_BYTES:
            raise RecordError("properties of %d bytes do not fit a batch" % len(properties))
        total = _BATCH_MIN_BYTES + len(item.body) + len(properties)
        pieces.append(_BATCH_HEAD.pack(total, 0, 0, item.flag, len(item.body)))
        pieces += (item.body, _SHORT.pack(len(properties)), properties)
    return b"".join(pieces)
