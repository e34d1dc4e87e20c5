# SPDX-License-Identifier: Apache-2.0
"""The HA stream's bytes: whole, byte by byte, with bytes left over, and as Apache sent them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.store.ha.ha_wire import (
    MAX_BODY_BYTES,
    HaProtocolError,
    ReportDecoder,
    TransferDecoder,
    encode_header,
    encode_report,
)

# Captured from Apache RocketMQ 5.4.0: golden-5.4.0.json, exchange ha_first_transfer.
APACHE_REPORT = bytes.fromhex("0000000000000040")
APACHE_HEADER = bytes.fromhex("000000000000004000003fc0")
APACHE_BODY_BYTES = 16320


def test_reports_and_headers_are_apaches_bytes() -> None:
    assert encode_report(64) == APACHE_REPORT
    assert encode_header(64, APACHE_BODY_BYTES) == APACHE_HEADER
    assert ReportDecoder().feed(APACHE_REPORT) == [64]
    (frame,) = TransferDecoder().feed(APACHE_HEADER + bytes(APACHE_BODY_BYTES))
    assert (frame.physical_offset, len(frame.body)) == (64, APACHE_BODY_BYTES)


@given(st.lists(st.integers(0, 2**63 - 1)), st.integers(1, 20))
def test_reports_cut_anywhere_are_the_same_reports(offsets: list[int], piece_bytes: int) -> None:
    stream = b"".join(encode_report(offset) for offset in offsets)
    decoder = ReportDecoder()
    pieces = [stream[at : at + piece_bytes] for at in range(0, len(stream), piece_bytes)]
    assert [offset for piece in pieces for offset in decoder.feed(piece)] == offsets


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_frames_cut_anywhere_are_the_same_frames(bodies: list[bytes], piece_bytes: int) -> None:
    stream = b"".join(encode_header(7, len(body)) + body for body in bodies)
    decoder = TransferDecoder()
    seen: list[bytes] = []
    for at in range(0, len(stream), piece_bytes):
        seen += [bytes(frame.body) for frame in decoder.feed(stream[at : at + piece_bytes])]
    assert seen == bodies


def test_a_frame_cut_at_every_byte_comes_whole_or_not_at_all() -> None:
    frame = encode_header(4096, 30) + bytes(range(30))
    for cut in range(1, len(frame)):
        decoder = TransferDecoder()
        assert decoder.feed(frame[:cut]) == []
        (whole,) = decoder.feed(frame[cut:])
        assert (whole.physical_offset, bytes(whole.body)) == (4096, bytes(range(30)))


@pytest.mark.parametrize(
    "header",
    [encode_header(0, -1), encode_header(0, MAX_BODY_BYTES + 1), encode_header(-1, 10), b"GET / HTTP/1"],
    ids=["negative length", "length beyond any master's", "negative offset", "another protocol"],
)
def test_a_frame_that_no_master_sends_is_refused(header: bytes) -> None:
    with pytest.raises(HaProtocolError):
        TransferDecoder().feed(header)


def test_a_negative_report_is_refused() -> None:
    with pytest.raises(HaProtocolError, match="-1"):
        ReportDecoder().feed(encode_report(5) + encode_report(-1))
