# SPDX-License-Identifier: Apache-2.0
"""How bad input is treated, row by row, as a broker and a name server of 5.4.0 treat it (measured on both alike).

What needs configuration (TLS, the PROXY protocol) closes the connection here, where Apache takes it from anyone.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from tests.engine.fuzz.conversation import Stranger, Tally
from tests.engine.fuzz.targets import BrokerTarget, NamesrvTarget

if TYPE_CHECKING:
    from tests.engine.fuzz.run import Target

    from rmq.remoting.command import RemotingCommand

TARGETS: dict[str, type[Target]] = {"broker": BrokerTarget, "namesrv": NamesrvTarget}


def _frame(header: bytes, *, serialize_type: int = 0) -> bytes:
    return struct.pack(">ii", 4 + len(header), serialize_type << 24 | len(header)) + header


CLOSES = {
    "L is negative": struct.pack(">ii", -1, 0),
    "L is 0": struct.pack(">ii", 0, 0),
    "L is 3": struct.pack(">ii", 3, 0),
    "L is above the limit": struct.pack(">ii", 16777213, 0),
    "L is far above the limit": struct.pack(">ii", 2**31 - 1, 0),
    "H is above L": struct.pack(">ii", 20, 100) + bytes(16),
    "serialize type 2": _frame(b"{}", serialize_type=2),
    "binary garbage": _frame(b"\xff" * 40, serialize_type=1),
    "no JSON": _frame(b"garbage"),
    "an array": _frame(b"[]"),
    "null": _frame(b"null"),
    "a code that is no number": _frame(b'{"code":"x"}'),
    "a code above int": _frame(b'{"code":2147483648}'),
    "a byte order mark": _frame(b'\xef\xbb\xbf{"code":106}'),
    "100,000 arrays": _frame(b"[" * 100_000),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "PROXY": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
}
SILENT = {
    "an empty object": b"{}",
    "an answer to nothing": b'{"code":0,"flag":1,"opaque":77}',
    "an unknown one-way code": b'{"code":9999,"flag":2,"opaque":78}',
}
ANSWERED = {
    "two equal keys": (b'{"code":1,"code":9999,"opaque":5}', 3),
    "a type marker": (b'{"@type":"java.lang.Runtime","code":9999,"opaque":5}', 3),
    "an unknown code": (b'{"code":9999,"opaque":5}', 3),
    "a negative code": (b'{"code":-5,"opaque":5}', 3),
    "an unknown language": (b'{"code":9999,"opaque":5,"language":"ZIG"}', 3),
}


class Line(Stranger):
    """A Stranger that keeps the answers."""

    def __init__(self, name: str) -> None:
        super().__init__(Tally())
        self.target = TARGETS[name]()
        self.answers: list[RemotingCommand] = []
        self.on_answer = self.answers.append
        host, port = self.target.address
        reactor = self.target.world.reactor("203.0.113.9")
        reactor.connect(host, port, self, timeout_ms=1000, failed=self._failed)
        self.target.world.settle()

    def _failed(self, error: OSError) -> None:
        raise error

    def write(self, data: bytes) -> None:
        self.connection.write(data)
        self.target.world.settle()


EACH = pytest.mark.parametrize("name", TARGETS)


@EACH
@pytest.mark.parametrize("row", CLOSES)
def test_the_connection_is_closed(name: str, row: str) -> None:
    line = Line(name)
    line.write(CLOSES[row])
    assert line.is_closed
    assert line.target.server.counters.bad_frames == 1


@EACH
@pytest.mark.parametrize("row", SILENT)
def test_nothing_is_said_and_the_connection_stays(name: str, row: str) -> None:
    """Stranger raises where an answer comes that nobody waits for."""
    line = Line(name)
    line.write(_frame(SILENT[row]))
    assert not line.is_closed


@EACH
@pytest.mark.parametrize("row", ANSWERED)
def test_it_is_answered(name: str, row: str) -> None:
    line = Line(name)
    header, code = ANSWERED[row]
    line.expect(5)
    line.write(_frame(header))
    (answer,) = line.answers
    assert (answer.code, answer.opaque) == (code, 5)
    number = -5 if row == "a negative code" else 9999
    assert answer.remark == f" request type {number} not supported"


@EACH
def test_the_longest_frame_is_taken(name: str) -> None:
    line = Line(name)
    header = b'{"code":9999,"opaque":5}'
    body = bytes(16 * 1024 * 1024 - 4 - 4 - len(header))
    line.expect(5)
    line.write(struct.pack(">ii", 4 + len(header) + len(body), len(header)) + header + body)
    assert [answer.code for answer in line.answers] == [3]


@EACH
def test_half_a_frame_has_30_seconds_and_silence_120(name: str) -> None:
    half, silent = Line(name), Line(name)
    half.write(_frame(b'{"code":9999}')[:12])
    for line, lived_ms, dies_ms in ((half, 29_000, 32_000), (silent, 119_000, 122_000)):
        line.target.world.run_for(lived_ms)
        assert not line.is_closed
        line.target.world.run_for(dies_ms - lived_ms)
        assert line.is_closed
