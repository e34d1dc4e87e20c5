# SPDX-License-Identifier: Apache-2.0
"""How a valid request becomes a bad one.

Two floors: the meaning (fields, body, flags), after which the frame is still a frame, and the bytes, after which it may
be none. A frame whose length word is wrong would swallow those that follow, so the caller must know: `Mutant.is_whole`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmq.remoting import java_json

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from tests.engine.fuzz.samples import Sample

#: Field values. Names that become paths, numbers at and over every edge, what separates properties, what JSON must
#: escape, what cannot be encoded.
NASTY = (
    *("", "0", "1", "-1", "2", "15", "255", "32767", "32768", "65535", "65536", "1000000"),
    *("2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "9" * 40, "9" * 5000),
    *("00", "+1", "-0", " 1", "1 ", "1.5", "1e9", "0x10", "NaN", "Infinity", "٣", "1_0"),
    *("true", "false", "TRUE", "null", "None", "{}", "[]", "{", '{"a":1}', "[" * 2000, '{"a":' * 500),
    *("..", ".", "/", "../../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "-", "%", "%s%n", "$(id)"),
    *("\x00", "a\x00b", "\x01", "\x02", "DELAY\x0199\x02", "DELAY\x01x\x02", "a\nb", "a\rb", "\t", "\x7f", "\u2028"),
    *("TIMER_DELAY_SEC\x01-1\x02", "TIMER_DELIVER_MS\x019223372036854775807\x02", "TIMER_DELAY_MS\x01x\x02"),
    *(
        "TRAN_MSG\x01true\x02",
        "TRAN_MSG\x01true\x02PGROUP\x01g\x02",
        "WAIT\x01x\x02",
        "KEYS\x01\x02",
        "\x01\x02\x01\x02",
    ),
    *("DELAY\x01" + "9" * 5000 + "\x02", "TAGS\x01" + "t" * 33000 + "\x02", "REAL_TOPIC\x01x\x02REAL_QID\x01-5\x02"),
    *(
        "__CRC32#\x01123\x02",
        "REPLY_TO_CLIENT\x01c@1\x02",
        "INNER_MULTI_DISPATCH\x01a,b\x02INNER_MULTI_QUEUE_OFFSET\x01x\x02",
    ),
    *("x" * 127, "x" * 128, "x" * 255, "x" * 256, "x" * 33000, "é" * 200, "\U0001f600", "\ud800"),
    *("TopicTest", "TBW102", "SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC"),
    *("%RETRY%gc", "%RETRY%", "%DLQ%gc", "%RETRY%../x", "rmq_sys_wheel_timer", "OFFSET_MOVED_EVENT", "gc", "gc2", "pg"),
    *(
        "CID_RMQ_SYS_TRANS",
        "TOOLS_CONSUMER",
        "SELF_TEST_GROUP",
        "broker-a",
        "C",
        "c@1",
        "10.0.0.21:10911",
        "1.2.3.4:99999",
    ),
    *("SQL92", "TAG", "a > ", "a > 5 AND", "(" * 300, "a in ('x')", "TagA||", "||", "*", "UPPER", "LOWER"),
    *("7F000001000030170000000000000000", "7F00000100003017FFFFFFFFFFFFFFFF", "0" * 56, "z" * 32, "=", "AAAA", "MSG"),
    *("+message.type=FIFO", "+message.type=", "-message.type", "+a=b,+a=b", "+", ",", ":", ";", "a:b", "0:1:2"),
)

#: JSON values that take the place of one in a body.
NASTY_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**40, 1.5, 1e300, "", "x", "\x00", "../x", "1", "-1"),
    *([], {}, [None], [[]], [{}], {"a": None}, {"0": 1}, {"": ""}, "x" * 5000, [1] * 300, "%RETRY%gc", "é"),
    *({"a": {"a": {"a": {"a": []}}}}, [["x"]], "TopicTest", "SQL92", "CONSUME_PASSIVELY", "NaN", "2147483648"),
)

_TOKENS = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\\u", b"\xff", b"\x00", b"null", b"-1", b"1e999"),
    *(b'"@type":', b"{{", b"\xed\xa0\x80", b"\\ud800", b"0:", b"'", b"//", b"\x1f"),
)
_COUNTS = (0, 1, 3, 4, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 16777213, 16777212)


@dataclass(frozen=True)
class Mutant:
    data: bytes
    #: The length word is true, so the bytes that follow begin the next frame.
    is_whole: bool


class Mutator:
    """Makes mutants of samples; everything it chooses comes from its dice."""

    def __init__(self, samples: Sequence[Sample], dice: random.Random) -> None:
        self._samples = samples
        self._dice = dice
        self._meanings: tuple[Callable[[Sample], None], ...] = (
            *(self._drop_fields, self._nasty_field, self._nasty_field, self._nasty_field, self._swap_fields),
            *(self._foreign_field, self._cut_field, self._bend_header, self.bend_body, self.bend_body),
        )

    def next(self, opaque: int) -> Mutant:
        dice = self._dice
        sample = dice.choice(self._samples).copy()
        roll = dice.random()
        # A few stay valid: the state behind the processors has to move on for the rest to mean anything.
        if roll > 0.08:
            for _ in range(dice.choice((1, 1, 1, 2, 3))):
                dice.choice(self._meanings)(sample)
        try:
            frame = sample.encode(opaque)
        except ValueError:
            # The binary header cannot hold it; JSON can.
            sample.is_binary = False
            frame = sample.encode(opaque)
        if roll < 0.80:
            return Mutant(frame, is_whole=True)
        if roll < 0.95:
            return Mutant(self._bend_bytes(frame), is_whole=True)
        return Mutant(self._break_frame(frame), is_whole=False)

    # The meaning.

    def _drop_fields(self, sample: Sample) -> None:
        for _ in range(self._dice.randint(1, 3)):
            if sample.fields:
                del sample.fields[self._dice.choice(list(sample.fields))]

    def _nasty_field(self, sample: Sample) -> None:
        if sample.fields:
            sample.fields[self._dice.choice(list(sample.fields))] = self._dice.choice(NASTY)

    def _swap_fields(self, sample: Sample) -> None:
        if sample.fields:
            names = list(sample.fields)
            sample.fields[self._dice.choice(names)] = sample.fields[self._dice.choice(names)]

    def _foreign_field(self, sample: Sample) -> None:
        other = self._dice.choice(self._samples)
        if other.fields:
            name = self._dice.choice(list(other.fields))
            sample.fields[name] = other.fields[name]

    def _cut_field(self, sample: Sample) -> None:
        if sample.fields:
            name = self._dice.choice(list(sample.fields))
            value = sample.fields[name]
            sample.fields[name] = value[: self._dice.randint(0, len(value))]

    def _bend_header(self, sample: Sample) -> None:
        dice = self._dice
        kind = dice.randrange(6)
        if kind == 0:
            sample.flag = dice.choice((1, 2, 3, 4, -1, 2**31 - 1))
        elif kind == 1:
            sample.version = dice.choice((0, 1, 100, 275, 300, 392, 400, 493, 500, 2**31 - 1, -1))
        elif kind == 2:
            sample.language = dice.choice(("CPP", "GO", "ZIG", "", "x" * 300, "\x00"))
        elif kind == 3:
            sample.code = dice.choice((0, -1, 1, 9999, 31000, 2**31 - 1, -(2**31), dice.choice(self._samples).code))
        else:
            sample.is_binary = not sample.is_binary

    def bend_body(self, sample: Sample) -> None:
        """Another body, a shorter one, flipped bits, a huge count in it, another JSON value somewhere."""
        dice = self._dice
        kind = dice.randrange(8)
        body = bytearray(sample.body)
        if kind == 0:
            body = bytearray(
                dice.choice((b"", b"null", b"[]", b"{}", b"[" * 5000, b"\xff\xfe", bytes(100), b"x" * 70_000))
            )
        elif kind == 1:
            body = bytearray(dice.choice(self._samples).body)
        elif kind == 2:
            del body[dice.randint(0, len(body)) :]
        elif kind == 3 and body:
            body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
        elif kind == 4 and len(body) >= 4:
            struct.pack_into(">I", body, dice.randrange(len(body) - 3), dice.choice(_COUNTS))
        elif kind == 5:
            body += body[: dice.randint(0, len(body))]
        else:
            body = bytearray(self._bend_json(sample.body))
        sample.body = bytes(body)

    def _bend_json(self, body: bytes) -> bytes:
        """Another value, or none, somewhere in a JSON body."""
        try:
            value = java_json.loads_bytes(body)
        except java_json.JavaJsonError:
            return body
        node: Any = value
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
            if not keys:
                return body
            key = self._dice.choice(keys)
            below = node[key]
            if isinstance(below, (dict, list)) and below and self._dice.random() < 0.7:
                node = below
                continue
            if self._dice.random() < 0.2:
                del node[key]
            else:
                node[key] = self._dice.choice(NASTY_JSON)
            return json.dumps(value, default=str).encode()

    # The bytes.

    def _bend_bytes(self, frame: bytes) -> bytes:
        """Anything behind the two length words, which are set right again."""
        dice = self._dice
        header_size = int.from_bytes(frame[5:8], "big")
        data = bytearray(frame)
        for _ in range(dice.randint(1, 4)):
            position = dice.randint(8, len(data))
            kind = dice.randrange(4)
            before = len(data)
            if kind == 0 and position < len(data):
                data[position] ^= 1 << dice.randrange(8)
            elif kind == 1:
                data[position:position] = dice.choice(_TOKENS) * dice.choice((1, 1, 1, 50))
            elif kind == 2:
                del data[position : position + dice.randint(1, 8)]
            else:
                data[position : position + 4] = dice.choice(_COUNTS).to_bytes(4, "big")
            if position < 8 + header_size:
                header_size = max(0, min(header_size + len(data) - before, len(data) - 8))
        data[:4] = (len(data) - 4).to_bytes(4, "big")
        data[5:8] = min(header_size, len(data) - 8).to_bytes(3, "big")
        return bytes(data)

    def _break_frame(self, frame: bytes) -> bytes:
        dice = self._dice
        data = bytearray(frame)
        kind = dice.randrange(5)
        if kind == 0:
            data[:4] = dice.choice(_COUNTS).to_bytes(4, "big")
        elif kind == 1:
            data[4:8] = dice.choice((0xFFFFFFFF, 0x02000010, 0x00FFFFFF, 0x01000000, 0, 0x01000003)).to_bytes(4, "big")
        elif kind == 2:
            del data[dice.randint(0, len(data)) :]
        elif kind == 3:
            data = bytearray(
                dice.choice((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"PROXY TCP4 1 2\r\n"))
            )
        else:
            data[dice.randrange(8)] ^= 1 << dice.randrange(8)
        return bytes(data)
