# SPDX-License-Identifier: Apache-2.0
"""Mutated frames: the decoder raises ProtocolError and nothing else, and keeps no more than one frame in memory.

FUZZ_FRAMES and TEST_SEED choose how many and which.
"""

from __future__ import annotations

import contextlib
import os
import random
import tracemalloc

from tests.engine.remoting.golden import COMMIT_LOG_FILES, EXCHANGES

from rmq.remoting import bodies
from rmq.remoting.errors import ProtocolError
from rmq.remoting.fields import FieldError
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.json_body import BodyError, JsonBody
from rmq.remoting.message import RecordError, decode_batch_body, decode_records
from rmq.remoting.send_header import send_header

FRAMES = int(os.environ.get("FUZZ_FRAMES", "20000"))
SEED = int(os.environ.get("TEST_SEED", "5400"))

SAMPLES = [frame for exchange in EXCHANGES.values() for frame in (exchange.request, exchange.response)]
TOKENS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\\u",
    b"\xff",
    b"\x00",
    b"null",
    b"-1",
    b"1e999",
    b'"@type":',
]


def _mutate(frame: bytes, chance: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and position < len(data):
            data[position] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[position:position] = chance.choice(TOKENS) * chance.choice((1, 1, 1, 50))
        elif kind == 2:
            del data[position : position + chance.randint(1, 8)]
        elif kind == 3:
            data[position : position + 4] = chance.choice((0, 1, 3, 4, 0x7FFFFFFF, 0xFFFFFFFF, 16777213)).to_bytes(
                4, "big"
            )
        else:
            other = chance.choice(SAMPLES)
            data[position:position] = other[: chance.randrange(len(other))]
    if chance.random() < 0.5 and len(data) > 8:
        # Half of them keep a right length, or few would get past it.
        data[:4] = (len(data) - 4).to_bytes(4, "big")
    return bytes(data)


def test_mutated_frames_are_refused_by_a_protocol_error_alone() -> None:
    chance = random.Random(SEED)
    decoded = refused = 0
    for _ in range(FRAMES):
        frame = _mutate(chance.choice(SAMPLES), chance)
        decoder = FrameDecoder()
        cut = chance.randrange(len(frame) + 1)
        try:
            commands = decoder.feed(frame[:cut]) + decoder.feed(frame[cut:])
        except ProtocolError:
            refused += 1
            continue
        assert decoder.buffered_bytes <= len(frame)
        for command in commands:
            decoded += 1
            _read_all(command.code, command.encode())
            with contextlib.suppress(FieldError):
                send_header(command)
    assert decoded > FRAMES // 20
    assert refused > FRAMES // 20


def _read_all(code: int, frame: bytes) -> None:
    """What was decoded can be encoded, and comes back the same."""
    (again,) = FrameDecoder().feed(frame)
    assert again.code == code


def test_a_stream_of_bad_frames_leaves_no_memory_behind() -> None:
    chance = random.Random(SEED)
    frames = [_mutate(chance.choice(SAMPLES), chance) for _ in range(2000)]

    def feed_all() -> None:
        for frame in frames:
            try:
                FrameDecoder().feed(frame)
            except ProtocolError:
                continue

    feed_all()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        feed_all()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 256 * 1024
    assert peak - before < 1024 * 1024


def test_mutated_bodies_are_refused_by_their_own_errors_alone() -> None:
    chance = random.Random(SEED + 1)
    classes = [value for value in vars(bodies).values() if isinstance(value, type) and issubclass(value, JsonBody)]
    texts = [exchange.response_body for exchange in EXCHANGES.values() if exchange.response_body.startswith(b"{")]
    for _ in range(FRAMES // 10):
        data = _mutate(chance.choice(texts), chance)
        try:
            body = chance.choice(classes).decode(data)
        except BodyError:
            continue
        body.encode()


def test_mutated_records_are_refused_by_their_own_error_alone() -> None:
    chance = random.Random(SEED + 2)
    logs = list(COMMIT_LOG_FILES.values())
    batch = FrameDecoder().feed(EXCHANGES["send_batch_320"].request)[0].body
    for _ in range(FRAMES // 10):
        with contextlib.suppress(RecordError):
            decode_records(_mutate(chance.choice(logs), chance))
        with contextlib.suppress(RecordError):
            decode_batch_body(_mutate(batch, chance))
