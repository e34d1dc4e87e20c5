# SPDX-License-Identifier: Apache-2.0
"""The header of a send, and a fast way to read it (Apache's SendMessageRequestHeader and its V2).

A general decode of the JSON header costs more than the rest of a send, so headers in the form that the Java client
writes are cut by their known key order:

    {"code":310,"extFields":{"a":"group","b":"topic","c":"TBW102","d":"4"      <- constant for a producer: cached
    ,"e":"3","f":"0","g":"1795343239431","h":"0"                               <- four numbers
    ,"i":"KEYS\\u0001k1\\u0002"                                                <- properties
    ,"j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":   <- constant: cached
    8                                                                          <- opaque
    ,"serializeTypeCurrentRPC":"JSON","version":493}                           <- constant, with the part before

A constant part is believed only after the general JSON parser has read it once and found exactly the expected keys.
Whatever does not fit goes to the general decoder, so both ways give the same result for every input. (The Go client
writes its map in random order: there is no order to know, it always takes the general way.)
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from .codes import RequestCode
from .command import BINARY_CODE_MAX, RemotingCommand
from .fields import bool_field, int_field, long_field, text_field

# Producers times topics times queues differ little; a peer that changes them with each message starts the cache anew.
CACHE_ENTRIES = 4096


class SendHeader(NamedTuple):
    """`properties` is the wire text (key 0x01 value 0x02 ...); `queue_id` -1 leaves the choice to the broker."""

    producer_group: str
    topic: str
    default_topic: str
    default_topic_queue_nums: int
    queue_id: int
    sys_flag: int
    born_timestamp_ms: int
    flag: int
    properties: str
    reconsume_times: int
    unit_mode: bool
    max_reconsume_times: Optional[int]
    batch: bool
    broker_name: Optional[str]

    def to_ext_fields(self) -> Dict[str, str]:
        """The one-letter fields of SEND_MESSAGE_V2, in the order of the Java client."""
        fields = {
            "a": self.producer_group,
            "b": self.topic,
            "c": self.default_topic,
            "d": str(self.default_topic_queue_nums),
            "e": str(self.queue_id),
            "f": str(self.sys_flag),
            "g": str(self.born_timestamp_ms),
            "h": str(self.flag),
            "i": self.properties,
            "j": str(self.reconsume_times),
            "k": "true" if self.unit_mode else "false",
        }
        if self.max_reconsume_times is not None:
            fields["l"] = str(self.max_reconsume_times)
        fields["m"] = "true" if self.batch else "false"
        if self.broker_name is not None:
            fields["n"] = self.broker_name
        return fields


# Field names of SEND_MESSAGE (10), SEND_REPLY_MESSAGE (324) in the order of the letters of the V2 form.
_LONG_NAMES = (
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
    "bname",
)
_SHORT_NAMES = tuple("abcdefghijklmn")
_LONG_NAME_CODES = frozenset({int(RequestCode.SEND_MESSAGE), int(RequestCode.SEND_REPLY_MESSAGE)})


def send_header(command: RemotingCommand) -> SendHeader:
    """The header of a send request of any form (10, 310, 320, 324, 325). Raises FieldError."""
    header = command.send_header
    if header is None:
        header = _from_ext_fields(command.ext_fields, command.code in _LONG_NAME_CODES)
    return header


def _from_ext_fields(fields: Dict[str, str], long_names: bool) -> SendHeader:
    a, b, c, d, e, f, g, h, i, j, k, m_retries, m, n = _LONG_NAMES if long_names else _SHORT_NAMES
    return SendHeader(
        text_field(fields, a),
        text_field(fields, b),
        text_field(fields, c),
        int_field(fields, d),
        int_field(fields, e),
        int_field(fields, f),
        long_field(fields, g),
        int_field(fields, h),
        fields.get(i, ""),
        int_field(fields, j, 0),
        bool_field(fields, k),
        int_field(fields, m_retries) if m_retries in fields else None,
        bool_field(fields, m),
        fields.get(n),
    )


class _Head(NamedTuple):
    code: int
    producer_group: str
    topic: str
    default_topic: str
    default_topic_queue_nums: int


class _Tail(NamedTuple):
    reconsume_times: int
    unit_mode: bool
    max_reconsume_times: Optional[int]
    batch: bool
    broker_name: Optional[str]
    flag: int
    language: str
    version: int


_heads: Dict[bytes, _Head] = {}
_tails: Dict[Tuple[bytes, bytes], _Tail] = {}

_FAST_CODES = frozenset({int(RequestCode.SEND_MESSAGE_V2), int(RequestCode.SEND_BATCH_MESSAGE)})
_START = b'{"code":3'
_QUEUE_ID = b',"e":"'
_PROPERTIES = b'"i":"'
_TAIL = b'","j":"'
_OPAQUE = b'"opaque":'
_END = b',"serializeTypeCurrentRPC":"JSON","version":'
# What stands between the four numbers when the text from `e` to the properties is split at its quotes.
_BETWEEN = [b",", b"e", b":", b",", b"f", b":", b",", b"g", b":", b",", b"h", b":", b","]
_INT_DIGITS = 9
_LONG_DIGITS = 18


def decode_send(header: bytes) -> Optional[RemotingCommand]:
    """The command of a SEND_MESSAGE_V2 or SEND_BATCH_MESSAGE header in the Java client's form, else None.

    None says nothing about the header: the general decoder must look at it.
    """
    if not header.startswith(_START):
        return None
    numbers_at = header.find(_QUEUE_ID)
    properties_at = header.find(_PROPERTIES, numbers_at)
    tail_at = header.find(_TAIL, properties_at)
    opaque_at = header.find(_OPAQUE, tail_at)
    end_at = header.find(_END, opaque_at)
    # find() answers -1 for what is missing, and a later search from -1 would start at the last byte.
    if not 0 < numbers_at < properties_at < tail_at < opaque_at < end_at:
        return None
    head_bytes = header[:numbers_at]
    head = _heads.get(head_bytes) or _learn_head(head_bytes)
    tail_key = (header[tail_at : opaque_at + 9], header[end_at:])
    tail = _tails.get(tail_key) or _learn_tail(tail_key)
    numbers = _four_numbers(header[numbers_at:properties_at])
    opaque = header[opaque_at + 9 : end_at]
    properties = _json_text(header[properties_at + 5 : tail_at])
    if head is None or tail is None or numbers is None or properties is None or not _is_plain(opaque, _INT_DIGITS):
        return None
    code, group, topic, default_topic, queue_nums = head
    retries, unit_mode, max_retries, batch, broker_name, flag, language, version = tail
    command = RemotingCommand.sent(
        header,
        SendHeader(
            group,
            topic,
            default_topic,
            queue_nums,
            *numbers,
            properties,
            retries,
            unit_mode,
            max_retries,
            batch,
            broker_name,
        ),
    )
    command.code = code
    command.language = language
    command.version = version
    command.opaque = int(opaque)
    command.flag = flag
    return command


def _four_numbers(text: bytes) -> Optional[Tuple[int, int, int, int]]:
    parts = text.split(b'"')
    if len(parts) != 17:
        return None
    queue_id, sys_flag, born, flag = parts[3], parts[7], parts[11], parts[15]
    del parts[3::4]
    if parts != _BETWEEN:
        return None
    if not (_is_plain(sys_flag, _INT_DIGITS) and _is_plain(born, _LONG_DIGITS) and _is_plain(flag, _INT_DIGITS)):
        return None
    if not (_is_plain(queue_id, _INT_DIGITS) or queue_id == b"-1"):
        return None
    return int(queue_id), int(sys_flag), int(born), int(flag)


def _is_plain(digits: bytes, most: int) -> bool:
    """A number as everyone writes it: no sign, no leading zero (which JSON forbids for the opaque), no overflow."""
    return digits.isdigit() and len(digits) <= most and (digits[0] != 48 or len(digits) == 1)


def _json_text(raw: bytes) -> Optional[str]:
    """The text between two quotes of JSON. The two separators of properties are the only escapes most texts have."""
    if b"\\" in raw:
        plain = raw.replace(b"\\u0001", b"\x01").replace(b"\\u0002", b"\x02")
        if b"\\" in plain:
            return _general_text(raw)
        raw = plain
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _general_text(raw: bytes) -> Optional[str]:
    try:
        value = json.loads('"%s"' % raw.decode("utf-8"), strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _learn_head(text: bytes) -> Optional[_Head]:
    outer = _parse_once(text + b"}}")
    fields = outer.get("extFields") if outer else None
    if not outer or set(outer) != {"code", "extFields"} or not isinstance(fields, dict) or set(fields) != set("abcd"):
        return None
    code = outer["code"]
    if type(code) is not int or code not in _FAST_CODES:
        return None
    if not all(isinstance(value, str) for value in fields.values()):
        return None
    try:
        head = _Head(code, fields["a"], fields["b"], fields["c"], int_field(fields, "d"))
    except ValueError:
        return None
    _bounded(_heads)[text] = head
    return head


def _learn_tail(key: Tuple[bytes, bytes]) -> Optional[_Tail]:
    """Parses the constant parts with an opaque of 0 between them, and the properties' opening in front."""
    outer = _parse_once(b'{"extFields":{"i":"' + key[0] + b"0" + key[1])
    fields = outer.get("extFields") if outer else None
    known = {"extFields", "flag", "language", "opaque", "serializeTypeCurrentRPC", "version"}
    if not outer or set(outer) != known or not isinstance(fields, dict):
        return None
    if not {"i", "j", "k", "m"} <= set(fields) <= set("ijklmn"):
        return None
    numbers_fit = all(type(outer[name]) is int and 0 <= outer[name] <= BINARY_CODE_MAX for name in ("flag", "version"))
    if not numbers_fit or not isinstance(outer["language"], str):
        return None
    if not all(isinstance(value, str) for value in fields.values()):
        return None
    try:
        tail = _Tail(
            int_field(fields, "j"),
            bool_field(fields, "k"),
            int_field(fields, "l") if "l" in fields else None,
            bool_field(fields, "m"),
            fields.get("n"),
            outer["flag"],
            outer["language"],
            outer["version"],
        )
    except ValueError:
        return None
    _bounded(_tails)[key] = tail
    return tail


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _bounded(cache: Dict[_Key, _Value]) -> Dict[_Key, _Value]:
    if len(cache) >= CACHE_ENTRIES:
        cache.clear()
    return cache


def _parse_once(text: bytes) -> Optional[Dict[str, Any]]:
    """The object, or None when it is none or names a key twice (where the last would win over what was cut out)."""
    try:
        value = json.loads(text.decode("utf-8"), strict=False, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _without_duplicates(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value
