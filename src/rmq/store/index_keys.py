# SPDX-License-Identifier: Apache-2.0
"""What a message is indexed by, and the hashes of it (IndexService.buildKey and IndexFile.indexKeyHashMethod).

| property | index key | order |
|---|---|---|
| UNIQ_KEY | `topic#UNIQ_KEY` | first |
| KEYS | `topic#key` for each word between blanks | as they stand |
| TAGS | `topic#T#tags` | last |

An index key's hash is the absolute value of Java's hash of it. That hash is a polynomial in 31, so the hash of a text
is that of its beginning, moved on, plus that of its end. A unique id is a client's constant, eight digits of time and
four of a counter: all but the last four characters are the same for the messages of one millisecond, and of a client,
and are remembered. No key is hashed character by character in Python.
"""

from __future__ import annotations

import struct
from operator import mul

from ..remoting.message_const import KEY_SEPARATOR, PROPERTY_KEYS, PROPERTY_TAGS, PROPERTY_UNIQ_KEY

TAG_TYPE = "T"

_MASK = 0xFFFFFFFF
_POWERS_CACHED = 512
# 31^511 ... 31^1, 31^0 modulo 2^32.
_POWERS = [pow(31, exponent, 1 << 32) for exponent in range(_POWERS_CACHED)][::-1]

_UNIQ_KEY = PROPERTY_UNIQ_KEY + "\x01"
_KEYS = PROPERTY_KEYS + "\x01"
_TAGS = PROPERTY_TAGS + "\x01"
_UNIQ_KEY_CHARS = len(_UNIQ_KEY)
_TAGS_CHARS = len(_TAGS)
_SEPARATOR = "\x02"

# Of a unique id's characters, those that change with each message.
_COUNTER_CHARS = 4
_COUNTER_POWER = pow(31, _COUNTER_CHARS, 1 << 32)
_PAIR_POWER = 31 * 31
# Shorter ids are not worth a place in the memory of beginnings.
_LONG_ID_CHARS = 16
# Ids begin differently each millisecond and for each client; tags and topics are few. The limits keep peers that send
# new ones without end from filling the memory.
_HEADS_MAX = 4096
_TAGS_MAX = 4096
_TOPICS_MAX = 4096


class _Pairs(dict[str, int]):
    """Two ASCII characters -> their hash; 16,384 entries at most."""

    def __missing__(self, pair: str) -> int:
        first, second = pair.encode("ascii")
        value = self[pair] = first * 31 + second
        return value


_PAIRS = _Pairs()


def absolute(value: int) -> int:
    """An unsigned Java hash as Apache's index uses it: its absolute value, and 0 for the one that has none."""
    return value if value < 0x80000000 else (0x100000000 - value) & 0x7FFFFFFF


def property_value(properties: str, name: str) -> str:
    """The value behind `name` (0x01 included) in a record's properties; the last one where it stands twice, as in
    Java's map; empty where there is none."""
    at = properties.rfind(name)
    while at > 0 and properties[at - 1] != _SEPARATOR:
        at = properties.rfind(name, 0, at)
    if at < 0:
        return ""
    start = at + len(name)
    end = properties.find(_SEPARATOR, start)
    return properties[start:] if end < 0 else properties[start:end]


def has_index_key(properties: str, key: str, *, is_tag: bool) -> bool:
    """Whether a record with these properties is indexed by this key: equal hashes do not say so."""
    if is_tag:
        return property_value(properties, _TAGS) == key
    return property_value(properties, _UNIQ_KEY) == key or key in property_value(properties, _KEYS).split(KEY_SEPARATOR)


class TopicKeys:
    """Index keys of one topic."""

    def __init__(self, topic: str) -> None:
        self._start = _extended(0, topic + "#")
        self._tag_start = _extended(self._start, f"{TAG_TYPE}#")
        self._heads: dict[str, int] = {}
        self._tags: dict[str, int] = {}

    def hashes(self, properties: str) -> list[int]:
        """The index keys of a message with these properties, in Apache's order. The hot path of the index: what calls
        would make clearer is written out for the usual unique id and for tags that were seen before."""
        at = properties.rfind(_UNIQ_KEY)
        if at < 0:
            found = []
        else:
            start = at + _UNIQ_KEY_CHARS
            end = properties.find(_SEPARATOR, start)
            head = self._heads.get(properties[start : end - _COUNTER_CHARS])
            is_whole = end > 0 and (not at or properties[at - 1] == _SEPARATOR) and properties.isascii()
            if head is not None and is_whole:
                pair = end - 2
                value = (
                    head + _PAIRS[properties[pair - 2 : pair]] * _PAIR_POWER + _PAIRS[properties[pair:end]]
                ) & _MASK
                found = [value if value < 0x80000000 else (0x100000000 - value) & 0x7FFFFFFF]
            else:
                unique = property_value(properties, _UNIQ_KEY)
                found = [self.unique_id(unique)] if unique else []
        if _KEYS in properties:
            found += [self.key(word) for word in property_value(properties, _KEYS).split(KEY_SEPARATOR) if word]
        at = properties.rfind(_TAGS)
        if at >= 0:
            end = properties.find(_SEPARATOR, at)
            tag = self._tags.get(properties[at + _TAGS_CHARS : end])
            if tag is None or end < 0 or (at and properties[at - 1] != _SEPARATOR):
                tags = property_value(properties, _TAGS)
                tag = self.tag(tags) if tags else None
            if tag is not None:
                found.append(tag)
        return found

    def key(self, key: str) -> int:
        return absolute(_extended(self._start, key))

    def tag(self, tags: str) -> int:
        if len(self._tags) >= _TAGS_MAX:
            self._tags.clear()
        value = self._tags[tags] = absolute(_extended(self._tag_start, tags))
        return value

    def unique_id(self, unique: str) -> int:
        """`key` for what may be a unique id as clients make them."""
        if len(unique) < _LONG_ID_CHARS or not unique.isascii():
            return self.key(unique)
        head = self._heads.get(unique[:-_COUNTER_CHARS])
        if head is None:
            head = self._remember(unique[:-_COUNTER_CHARS])
        value = (head + _PAIRS[unique[-4:-2]] * _PAIR_POWER + _PAIRS[unique[-2:]]) & _MASK
        return value if value < 0x80000000 else (0x100000000 - value) & 0x7FFFFFFF

    def _remember(self, head: str) -> int:
        if len(self._heads) >= _HEADS_MAX:
            self._heads.clear()
        value = self._heads[head] = _extended(self._start, head) * _COUNTER_POWER & _MASK
        return value


class IndexKeys:
    """Topic -> its TopicKeys."""

    def __init__(self) -> None:
        self._topics: dict[str, TopicKeys] = {}

    def of(self, topic: str) -> TopicKeys:
        keys = self._topics.get(topic)
        if keys is None:
            if len(self._topics) >= _TOPICS_MAX:
                self._topics.clear()
            keys = self._topics[topic] = TopicKeys(topic)
        return keys


def _extended(start: int, text: str) -> int:
    """Unsigned Java hash of a text whose beginning has the hash `start`, and which goes on with `text`."""
    units: bytes | tuple[int, ...]
    if text.isascii():
        units = text.encode("ascii")
    else:
        data = text.encode("utf-16-be", "surrogatepass")
        units = struct.unpack(f">{len(data) // 2}H", data)
    while len(units) >= _POWERS_CACHED:
        start = _moved_on(start, units[: _POWERS_CACHED - 1])
        units = units[_POWERS_CACHED - 1 :]
    return _moved_on(start, units)


def _moved_on(start: int, units: bytes | tuple[int, ...]) -> int:
    count = len(units)
    power = _POWERS[_POWERS_CACHED - 1 - count]
    value: int = start * power + sum(map(mul, units, _POWERS[_POWERS_CACHED - count :]))
    return value & _MASK
