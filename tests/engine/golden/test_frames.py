# SPDX-License-Identifier: Apache-2.0
"""Every captured frame: whole, byte by byte, with bytes behind it, all in one read; and encoded again."""

from __future__ import annotations

import struct

import pytest
from tests.engine.golden.captured import CAPTURED, FILES, HA, PUSHED, Captured
from tests.interop.capture.asks import ASKS, SLAVE

from rmq.remoting import java_json
from rmq.remoting.command import RemotingCommand, SerializeType, decode_header
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import decode_record, encode_message
from rmq.remoting.send_header import decode_send, send_header

FRAMES = {f"{name}-request": each.request for name, each in CAPTURED.items()}
FRAMES |= {f"{name}-response": each.response for name, each in CAPTURED.items()}
FRAMES |= {f"pushed-{number}": frame for number, frame in enumerate(PUSHED)}
EACH_FRAME = pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
EACH = pytest.mark.parametrize("captured", CAPTURED.values(), ids=CAPTURED)
STREAM = b"".join(FRAMES.values())


def _one(frame: bytes) -> RemotingCommand:
    (command,) = FrameDecoder().feed(frame)
    return command


def test_the_capture_is_that_of_the_asks_in_the_tree() -> None:
    assert list(CAPTURED) == [ask.name for ask in (*ASKS, *SLAVE)]


@EACH_FRAME
def test_a_frame_is_the_same_whole_byte_by_byte_and_with_bytes_behind_it(frame: bytes) -> None:
    whole = _one(frame)
    decoder = FrameDecoder()
    assert [command for at in range(len(frame)) for command in decoder.feed(frame[at : at + 1])] == [whole]
    assert decoder.buffered_bytes == 0
    assert decoder.feed(frame + frame[:9]) == [whole]
    assert decoder.buffered_bytes == 9


def test_all_frames_in_one_read_are_those_of_many_reads() -> None:
    assert FrameDecoder().feed(STREAM) == [_one(frame) for frame in FRAMES.values()]


@EACH
def test_the_header_says_what_the_standard_library_reads(captured: Captured) -> None:
    answer, theirs = _one(captured.response), captured.response_header
    assert (answer.code, answer.opaque, answer.flag, answer.language, answer.version) == (
        *(theirs["code"], theirs["opaque"], theirs["flag"]),
        *(theirs["language"], theirs["version"]),
    )
    assert (answer.remark, answer.ext_fields) == (theirs.get("remark"), theirs.get("extFields") or {})
    assert answer.opaque == _one(captured.request).opaque


@EACH
def test_an_answer_of_ours_is_apaches_byte_for_byte(captured: Captured) -> None:
    """Key order included. An empty extFields is left out by us; Java's readers take both alike."""
    theirs = _one(captured.response)
    ours = _one(captured.request).response(theirs.code, theirs.remark, theirs.ext_fields, theirs.body).encode()
    header_size = int.from_bytes(captured.response[5:8], "big")
    header = captured.response[8 : 8 + header_size].replace(b'"extFields":{},', b"", 1)
    assert ours == struct.pack(">ii", 4 + len(header) + len(theirs.body), len(header)) + header + theirs.body


@EACH
def test_a_request_of_ours_is_the_captured_one_byte_for_byte(captured: Captured) -> None:
    request = _one(captured.request)
    assert request.encode() == captured.request


@EACH
def test_the_general_decoder_reads_what_the_fast_way_reads(captured: Captured) -> None:
    size = int.from_bytes(captured.request[5:8], "big")
    header = captured.request[8 : 8 + size]
    fast = decode_send(header)
    if fast is None:
        return
    general = decode_header(SerializeType.JSON, header)
    assert fast == general
    assert send_header(fast) == send_header(general)


def test_the_fast_way_was_taken() -> None:
    sends = [each.request[8 : 8 + int.from_bytes(each.request[5:8], "big")] for each in CAPTURED.values()]
    assert sum(decode_send(header) is not None for header in sends) >= 5


JSON_BODIES = {name: each for name, each in CAPTURED.items() if each.response_body[:1] == b"{"}


@pytest.mark.parametrize("captured", JSON_BODIES.values(), ids=JSON_BODIES)
def test_a_json_body_is_read_and_written_back_alike(captured: Captured) -> None:
    value = java_json.loads_bytes(captured.response_body)
    assert java_json.loads_bytes(java_json.dumps_bytes(value)) == value


LOGS = [name for name in FILES if name.startswith("commitlog/")]


@pytest.mark.parametrize("name", LOGS)
def test_every_record_is_decoded_and_encoded_back(name: str) -> None:
    data, position, seen = FILES[name], 0, 0
    while position + 8 < len(data):
        record = decode_record(data, position)
        assert encode_message(record) == data[position : position + record.store_size]
        position += record.store_size
        seen += 1
    assert seen >= 10


def test_each_unit_of_a_consume_queue_points_at_its_record() -> None:
    (log,) = (FILES[name] for name in LOGS)
    seen = 0
    for name, data in FILES.items():
        if not name.startswith("consumequeue/"):
            continue
        _, topic, queue_id, _ = name.split("/")
        units = data + bytes(-len(data) % 20)
        for queue_offset, (physical_offset, size, _) in enumerate(struct.iter_unpack(">qiq", units)):
            record = decode_record(log, physical_offset)
            seen += 1
            assert (record.topic, record.queue_id, record.queue_offset) == (topic, int(queue_id), queue_offset)
            assert record.store_size == size
    assert seen >= 10


def test_a_master_sends_its_log_from_the_start_to_a_slave_that_has_nothing() -> None:
    offset, size = struct.unpack(">qi", HA["master_header"])
    (log,) = (FILES[name] for name in LOGS)
    assert (HA["slave_report"], offset) == (bytes(8), 0)
    assert log.startswith(HA["body_first_64"])
    assert size <= len(log)
