# SPDX-License-Identifier: Apache-2.0
"""The ROCKETMQ serialization of a header (Apache's RocketMQSerializable).

    bytes  field                  bytes  field
    2      code                   4 + n  remark
    1      language               4 + n  extFields, repeated:
    2      version                         2 + n  key
    4      opaque                          4 + n  value
    4      flag

Big-endian, texts in UTF-8; a text of length 0 is null.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from .codes import LANGUAGE_NUMBERS, LANGUAGES
from .errors import ProtocolError

# Codes, versions and the lengths of keys have two signed bytes.
CODE_MAX = 32767

_HEAD = struct.Struct(">hbhii")
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">H")


class BinaryHeader(NamedTuple):
    code: int
    language: str
    version: int
    opaque: int
    flag: int
    remark: Optional[str]
    ext_fields: Dict[str, str]


def encode(header: BinaryHeader) -> bytes:
    """Raises ValueError for a code, version or key that does not fit its two bytes."""
    remark = (header.remark or "").encode("utf-8", "replace")
    fields = _encode_fields(header.ext_fields)
    language = LANGUAGE_NUMBERS.get(header.language, LANGUAGE_NUMBERS["OTHER"])
    try:
        head = _HEAD.pack(header.code, language, header.version, header.opaque, header.flag)
    except struct.error as error:
        raise ValueError("code, version, opaque or flag does not fit the binary header") from error
    return b"".join((head, _INT.pack(len(remark)), remark, _INT.pack(len(fields)), fields))


def _encode_fields(fields: Mapping[str, str]) -> bytes:
    pieces: List[bytes] = []
    for key, value in fields.items():
        key_bytes = key.encode("utf-8", "replace")
        value_bytes = value.encode("utf-8", "replace")
        if len(key_bytes) > CODE_MAX:
            raise ValueError("a key of %d bytes does not fit the binary header" % len(key_bytes))
        pieces += (_SHORT.pack(len(key_bytes)), key_bytes, _INT.pack(len(value_bytes)), value_bytes)
    return b"".join(pieces)


def decode(data: bytes) -> BinaryHeader:
    """Raises ProtocolError."""
    try:
        code, language, version, opaque, flag = _HEAD.unpack_from(data)
        remark, position = _text(data, _HEAD.size, _INT)
        (fields_size,) = _INT.unpack_from(data, position)
        fields = _decode_fields(data, position + 4, fields_size)
    except struct.error:
        raise ProtocolError("the binary header ends in the middle of a field") from None
    except UnicodeDecodeError:
        raise ProtocolError("the binary header holds bytes that are no UTF-8") from None
    return BinaryHeader(code, LANGUAGES.get(language, "OTHER"), version, opaque, flag, remark or None, fields)


def _decode_fields(data: bytes, position: int, size_bytes: int) -> Dict[str, str]:
    fields: Dict[str, str] = {}
    end = position + size_bytes
    if size_bytes < 0 or end > len(data):
        raise ProtocolError("extFields of %d bytes leave the binary header" % size_bytes)
    while position < end:
        key, position = _text(data, position, _SHORT)
        value, position = _text(data, position, _INT)
        # A Java null is an absent field.
        if value:
            fields[key] = value
    if position != end:
        raise ProtocolError("the last of extFields leaves the binary header")
    return fields


def _text(data: bytes, position: int, length: struct.Struct) -> Tuple[str, int]:
    (size,) = length.unpack_from(data, position)
    start = position + length.size
    end = start + size
    if size < 0 or end > len(data):
        raise ProtocolError("a text of %d bytes leaves the binary header" % size)
    return data[start:end].decode("utf-8"), end
