# SPDX-License-Identifier: Apache-2.0
"""The header of a send, and a fast way to read it (Apache's SendMessageRequestHeader and its V2).

A general decode of the JSON header costs more than the rest of a send, so headers in the form that the Java client
writes are cut by their known key order:

    {"code":310,"extFields":{"a":"group","b":"topic","c":"TBW102","d":"4","e":"3","f":"0","g":"   <- few forms: cached
    1795343239431                                                                                 <- 13 digits
    ","h":"0","i":"                                                                               <- constant
    KEYS\\u0001k1\\u0002                                                                          <- properties
    ","j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":        <- few forms: cached
    8                                                                                             <- opaque
    ,"serializeTypeCurrentRPC":"JSON","version":493}                                              <- with the one above

A constant part is believed only after the general JSON parser has read it once and found exactly the expected keys.
Whatever does not fit goes to the general decoder, so both ways give the same result for every input. (The Go client
writes its map in random order: there is no order to know, it always takes the general way.)
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from .binary_header import CODE_MAX
from .codes import RequestCode
from .command import RemotingCommand
from .fields import bool_field, int_field, long_field, text_field
from .surrogates import has_surrogates

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


# What a cached head and a cached tail say: the fields of SendHeader before the born timestamp and after the
# properties, and those of the command.
_Head = Tuple[int, Tuple[Any, ...]]
_Tail = Tuple[int, str, int, Tuple[Any, ...]]

_heads: Dict[bytes, _Head] = {}
_tails: Dict[bytes, _Tail] = {}

_FAST_CODES = frozenset({int(RequestCode.SEND_MESSAGE_V2), int(RequestCode.SEND_BATCH_MESSAGE)})
_START = b'{"code":3'
_BORN = b'"g":"'
# Until the year 2286 a time in milliseconds has 13 digits; other times go the general way.
_BORN_DIGITS = 13
_FLAG = b'","h":"0","i":"'
_TAIL = b'","j":"'
_OPAQUE = b'"opaque":'
_END = b',"serializeTypeCurrentRPC":"JSON","version":'
# Nine digits always fit 32 bits. A first 0 is a number of its own in JSON.
_OPAQUE_DIGITS = 9
_ZERO = ord("0")
# A signed header is another one with each message: there is nothing to learn, and its fields are all needed.
_SIGNED = b'"Signature":'


def decode_send(header: bytes) -> Optional[RemotingCommand]:
    """The command of a SEND_MESSAGE_V2 or SEND_BATCH_MESSAGE header in the Java client's form, else None.

    None says nothing about the header: the general decoder must look at it.
    """
    if not header.startswith(_START):
        return None
    # find() answers -1 for what is missing: whatever is then cut out is no known constant part.
    born_at = header.find(_BORN) + 5
    born_end = born_at + _BORN_DIGITS
    tail_at = header.find(_TAIL, born_end)
    opaque_at = header.find(_OPAQUE, tail_at) + 9
    end_at = header.find(_END, opaque_at)
    if not header.startswith(_FLAG, born_end) or tail_at < born_end + 15 or opaque_at < tail_at or end_at < opaque_at:
        return None
    head_bytes = header[:born_at]
    head = _heads.get(head_bytes) or _learn_head(head_bytes)
    tail_bytes = header[tail_at:opaque_at] + header[end_at:]
    tail = _tails.get(tail_bytes) or _learn_tail(tail_bytes)
    born = header[born_at:born_end]
    opaque = header[opaque_at:end_at]
    properties = _json_text(header[born_end + 15 : tail_at])
    if head is None or tail is None or properties is None or not born.isdigit() or not opaque.isdigit():
        return None
    if born[0] == _ZERO or len(opaque) > _OPAQUE_DIGITS or (opaque[0] == _ZERO and len(opaque) > 1):
        return None
    code, before = head
    flag, language, version, after = tail
    fields: SendHeader = tuple.__new__(SendHeader, before + (int(born), 0, properties) + after)
    command = RemotingCommand.sent(header, fields)
    command.code = code
    command.language = language
    command.version = version
    command.opaque = int(opaque)
    command.flag = flag
    return command


def _json_text(raw: bytes) -> Optional[str]:
    """The text between two quotes of JSON. The two separators of properties are the only escapes most texts have."""
    if b"\\" in raw:
        plain = raw.replace(b"\\u0001", b"\x01").replace(b"\\u0002", b"\x02")
        if b"\\" in plain:
            return None if has_surrogates(raw) else _general_text(raw)
        raw = plain
    if b'"' in raw:
        # The text ends here and not where it was cut: this is no header of the known form.
        return None
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
    if _SIGNED in text:
        return None
    outer = _parse_once(text + b'0"}}')
    fields = _texts(outer, "extFields")
    if outer is None or set(outer) != {"code", "extFields"} or set(fields) != set("abcdefg"):
        return None
    code = outer["code"]
    if type(code) is not int or code not in _FAST_CODES:  # pylint: disable=unidiomatic-typecheck
        return None
    try:
        numbers = tuple(int_field(fields, name) for name in "def")
    except ValueError:
        return None
    head = (code, (fields["a"], fields["b"], fields["c"], *numbers))
    _bounded(_heads)[text] = head
    return head


def _learn_tail(text: bytes) -> Optional[_Tail]:
    """Parses the constant parts with an opaque of 0 between them, and the properties' opening in front."""
    if _SIGNED in text:
        return None
    outer = _parse_once(b'{"extFields":{"i":"' + text.replace(_OPAQUE, _OPAQUE + b"0", 1))
    fields = _texts(outer, "extFields")
    known = {"extFields", "flag", "language", "opaque", "serializeTypeCurrentRPC", "version"}
    if outer is None or set(outer) != known or not {"i", "j", "k", "m"} <= set(fields) <= set("ijklmn"):
        return None
    numbers = (outer["flag"], outer["version"])
    # pylint: disable-next=unidiomatic-typecheck
    if not all(type(number) is int and 0 <= number <= CODE_MAX for number in numbers):
        return None
    if outer["opaque"] != 0 or not isinstance(outer["language"], str):
        return None
    try:
        after = (
            int_field(fields, "j"),
            bool_field(fields, "k"),
            int_field(fields, "l") if "l" in fields else None,
            bool_field(fields, "m"),
            fields.get("n"),
        )
    except ValueError:
        return None
    tail = (outer["flag"], outer["language"], outer["version"], after)
    _bounded(_tails)[text] = tail
    return tail


def _texts(outer: Optional[Dict[str, Any]], name: str) -> Dict[str, str]:
    """The object of that name if it holds texts only, else an empty one."""
    fields = outer.get(name) if outer else None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        return {}
    return fields


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _bounded(cache: Dict[_Key, _Value]) -> Dict[_Key, _Value]:
    if len(cache) >= CACHE_ENTRIES:
        cache.clear()
    return cache


def _parse_once(text: bytes) -> Optional[Dict[str, Any]]:
    """The object, or None when it is none or names a key twice (where the last would win over what was cut out)."""
    if has_surrogates(text):
        return None
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
