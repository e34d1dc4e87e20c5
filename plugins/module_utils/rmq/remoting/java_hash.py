# SPDX-License-Identifier: Apache-2.0
"""Java's String.hashCode, which RocketMQ stores as the tags code of a consume queue unit and as an index key."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Tuple

# Tags are few and repeat; the limit keeps a peer that sends a new tag with each message from growing the cache.
TAG_CACHE_ENTRIES = 8192


def string_hash(text: str) -> int:
    """Signed 32-bit hash over the UTF-16 code units of `text`, as Java computes it."""
    return to_signed(extend_hash(0, text))


def extend_hash(prefix_hash: int, text: str) -> int:
    """Unsigned hash of a text whose beginning has `prefix_hash`; lets a caller keep the hash of a constant prefix."""
    value = prefix_hash & 0xFFFFFFFF
    for unit in _utf16_units(text):
        value = (value * 31 + unit) & 0xFFFFFFFF
    return value


def to_signed(value: int) -> int:
    """The same 32 bits read as Java's int."""
    return value - 0x100000000 if value & 0x80000000 else value


def _utf16_units(text: str) -> Tuple[int, ...]:
    if text.isascii():
        return tuple(text.encode("ascii"))
    data = text.encode("utf-16-be", "surrogatepass")
    return struct.unpack(">%dH" % (len(data) // 2), data)


@lru_cache(maxsize=TAG_CACHE_ENTRIES)
def tag_hash(tag: str) -> int:
    """`string_hash` for tags, remembered: the same few tags come with every message."""
    return string_hash(tag)
