# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.remoting.golden import EXCHANGES

from rmq.remoting.command import RemotingCommand
from rmq.remoting.errors import ProtocolError
from rmq.remoting.frame import MAX_FRAME_BYTES, FrameDecoder

STREAM = b"".join(exchange.request for exchange in EXCHANGES.values())
COMMANDS = FrameDecoder().feed(STREAM)


def _frame(header: bytes, body: bytes = b"", serialize_type: int = 0) -> bytes:
    return struct.pack(">ii", 4 + len(header) + len(body), serialize_type << 24 | len(header)) + header + body


def test_one_read_may_hold_many_frames() -> None:
    assert len(COMMANDS) == len(EXCHANGES)


def test_a_stream_fed_byte_by_byte_gives_the_same_commands() -> None:
    decoder = FrameDecoder()
    commands = [command for index in range(len(STREAM)) for command in decoder.feed(STREAM[index : index + 1])]
    assert commands == COMMANDS
    assert decoder.buffered_bytes == 0


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_commands(cuts: list[int]) -> None:
    decoder = FrameDecoder()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges)]
    assert [command for piece in pieces for command in decoder.feed(piece)] == COMMANDS


def test_bytes_after_the_last_whole_frame_are_kept() -> None:
    decoder = FrameDecoder()
    frame = RemotingCommand.request(34, body=b"x" * 100).encode()
    assert len(decoder.feed(frame + frame[:50])) == 1
    assert decoder.buffered_bytes == 50
    assert len(decoder.feed(frame[50:])) == 1
    assert decoder.buffered_bytes == 0


def test_a_large_frame_in_small_chunks_is_copied_a_bounded_number_of_times() -> None:
    frame = RemotingCommand.request(310, body=bytes(8 * 1024 * 1024)).encode()
    decoder = FrameDecoder()
    commands = []
    for start in range(0, len(frame), 1024):
        commands += decoder.feed(frame[start : start + 1024])
    (command,) = commands
    assert len(command.body) == 8 * 1024 * 1024


BAD_FRAMES = {
    "negative length": struct.pack(">ii", -1, 0),
    "length 0": struct.pack(">ii", 0, 0),
    "length 3": struct.pack(">ii", 3, 0),
    "length beyond the limit": struct.pack(">ii", MAX_FRAME_BYTES - 3, 100),
    "header longer than the frame": struct.pack(">ii", 50, 47),
    "serialize type 2": _frame(b"{}", serialize_type=2),
    "serialize type -1": _frame(b"{}", serialize_type=-1),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303"),
    "empty header": _frame(b""),
    "no JSON": _frame(b"garbage"),
    "array": _frame(b"[1]"),
    "null": _frame(b"null"),
    "code is text": _frame(b'{"code":"x"}'),
    "code is a fraction": _frame(b'{"code":1.5}'),
    "code is true": _frame(b'{"code":true}'),
    "code beyond int": _frame(b'{"code":2147483648}'),
    "opaque beyond int": _frame(b'{"opaque":-2147483649}'),
    "number of 5000 digits": _frame(b'{"code":' + b"1" * 5000 + b"}"),
    "BOM": _frame(b'\xef\xbb\xbf{"code":1}'),
    "no UTF-8": _frame(b'{"code":1,"remark":"\xff"}'),
    "100,000 arrays": _frame(b"[" * 100_000),
    "100,000 arrays in a value": _frame(b'{"code":1,"extFields":{"a":' + b"[" * 100_000),
    "extFields is no object": _frame(b'{"code":1,"extFields":[]}'),
    "binary header cut short": _frame(bytes(10), serialize_type=1),
    "binary remark leaves the header": _frame(bytes(13) + struct.pack(">ii", 1000, 0), serialize_type=1),
    "binary remark of negative length": _frame(bytes(13) + struct.pack(">ii", -1, 0), serialize_type=1),
    "binary fields leave the header": _frame(bytes(13) + struct.pack(">ii", 0, 5), serialize_type=1),
    "binary key no UTF-8": _frame(bytes(13) + struct.pack(">iiH1si", 0, 7, 1, b"\xff", 0), serialize_type=1),
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_what_apache_closes_the_connection_for_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        FrameDecoder().feed(frame)
    # A log line must not grow with what a stranger sends.
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize("length", [-1, 3, MAX_FRAME_BYTES - 3])
def test_a_bad_length_is_refused_before_the_rest_comes(length: int) -> None:
    with pytest.raises(ProtocolError):
        FrameDecoder().feed(struct.pack(">i", length))


def test_the_longest_frame_that_apache_takes_is_taken() -> None:
    header = b'{"code":10}'
    frame = _frame(header, bytes(MAX_FRAME_BYTES - 4 - 4 - 4 - len(header)))
    assert int.from_bytes(frame[:4], "big") == 16777208
    assert len(FrameDecoder().feed(frame)) == 1
    FrameDecoder().feed(struct.pack(">i", 16777212))


def test_frames_before_the_bad_one_are_handed_over_with_the_error() -> None:
    good = RemotingCommand.request(34).encode()
    with pytest.raises(ProtocolError) as caught:
        FrameDecoder().feed(good + good + b"garbage!")
    assert [command.code for command in caught.value.commands] == [34, 34]


def test_an_empty_object_is_a_request_of_code_0() -> None:
    (command,) = FrameDecoder().feed(_frame(b"{}"))
    assert (command.code, command.opaque, command.version, command.ext_fields) == (0, 0, 0, {})


def test_of_two_equal_keys_the_last_wins() -> None:
    (command,) = FrameDecoder().feed(_frame(b'{"code":1,"code":105,"extFields":{"t":"a","t":"b"}}'))
    assert (command.code, command.ext_fields) == (105, {"t": "b"})


def test_a_type_marker_is_ignored() -> None:
    (command,) = FrameDecoder().feed(_frame(b'{"@type":"java.net.URL","code":105}'))
    assert command.code == 105


def test_field_values_of_other_types_become_texts() -> None:
    header = b'{"code":1,"extFields":{"n":5,"t":true,"z":null,"s":"x","o":{"a":[1]}}}'
    (command,) = FrameDecoder().feed(_frame(header))
    assert command.ext_fields == {"n": "5", "t": "true", "s": "x", "o": '{"a":[1]}'}


def test_an_unknown_language_is_kept_as_it_is() -> None:
    (command,) = FrameDecoder().feed(_frame(b'{"code":1,"language":"ZIG"}'))
    assert command.language == "ZIG"


def test_a_lone_surrogate_does_not_stop_an_answer() -> None:
    (command,) = FrameDecoder().feed(_frame(b'{"code":1,"extFields":{"topic":"\\ud800"}}'))
    answer = command.response(17, "no topic " + command.ext_fields["topic"])
    (decoded,) = FrameDecoder().feed(answer.encode())
    assert decoded.remark == "no topic ?"
