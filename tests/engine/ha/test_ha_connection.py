# SPDX-License-Identifier: Apache-2.0
"""One slave as its master sees it: where the stream starts, what is refused, how the log is cut into frames."""

from __future__ import annotations

import pytest
from tests.engine.ha.memory_log import MemoryLog

from rmq.store.errors import StoreError
from rmq.store.ha.ha_config import HaConfig
from rmq.store.ha.ha_connection import HaConnection
from rmq.store.ha.ha_wire import HaProtocolError, TransferDecoder, encode_header, encode_report

UNLIMITED = 1 << 30


def sent(data: bytes) -> list[tuple[int, bytes]]:
    return [(frame.physical_offset, bytes(frame.body)) for frame in TransferDecoder().feed(data)]


def connection(log: MemoryLog, *, batch_bytes: int = 32768) -> HaConnection:
    return HaConnection(log, HaConfig(ha_transfer_batch_size_bytes=batch_bytes), now_ms=0)


def test_first_transfer_is_apaches() -> None:
    """A request for 64 in 16 KiB files: one frame to the end of the first file, as captured from 5.4.0."""
    log = MemoryLog(bytes(16384 + 100), file_bytes=16384)
    slave = connection(log)
    slave.receive(bytes.fromhex("0000000000000040"), now_ms=0)
    data = slave.transfer(16320, now_ms=0)
    assert data[:12] == bytes.fromhex("000000000000004000003fc0")
    assert len(data) == 12 + 16320


def test_nothing_is_sent_before_the_request() -> None:
    slave = connection(MemoryLog(b"x" * 100))
    assert slave.transfer(UNLIMITED, now_ms=0) == b""
    assert slave.heartbeat(now_ms=60_000) == b""
    assert slave.transfer_from_where == -1


def test_an_empty_slave_gets_the_whole_log_and_not_only_the_last_file() -> None:
    log = MemoryLog(bytes(range(250)), file_bytes=100, start=300)
    slave = connection(log)
    slave.receive(encode_report(0), now_ms=0)
    frames = sent(slave.transfer(UNLIMITED, now_ms=0))
    assert [offset for offset, _ in frames] == [300, 400, 500]
    assert b"".join(body for _, body in frames) == bytes(range(250))


def test_frames_are_no_longer_than_the_batch_and_never_cross_the_end_of_a_file() -> None:
    slave = connection(MemoryLog(bytes(250), file_bytes=100), batch_bytes=64)
    slave.receive(encode_report(10), now_ms=0)
    frames = [(offset, len(body)) for offset, body in sent(slave.transfer(UNLIMITED, now_ms=0))]
    assert frames == [(10, 64), (74, 26), (100, 64), (164, 36), (200, 50)]


def test_the_budget_limits_what_is_sent_at_once() -> None:
    slave = connection(MemoryLog(bytes(250), file_bytes=100))
    slave.receive(encode_report(50), now_ms=0)
    assert [(offset, len(body)) for offset, body in sent(slave.transfer(80, now_ms=0))] == [(50, 50), (100, 30)]
    assert slave.transfer(0, now_ms=0) == b""
    assert slave.is_behind


def test_a_slave_longer_than_its_master_is_refused() -> None:
    with pytest.raises(HaProtocolError, match="longer than this master's"):
        connection(MemoryLog(bytes(100))).receive(encode_report(101), now_ms=0)


def test_a_slave_whose_next_byte_is_deleted_here_is_refused() -> None:
    with pytest.raises(HaProtocolError, match="deleted already"):
        connection(MemoryLog(bytes(100), file_bytes=100, start=300)).receive(encode_report(299), now_ms=0)


def test_an_acknowledgement_of_bytes_that_were_not_sent_is_refused() -> None:
    """Apache believes it: one forged report of 2^62 made it acknowledge messages that no slave had."""
    slave = connection(MemoryLog(bytes(100)))
    slave.receive(encode_report(40), now_ms=0)
    slave.transfer(30, now_ms=0)
    slave.receive(encode_report(70), now_ms=0)
    with pytest.raises(HaProtocolError, match="more than it was sent"):
        slave.receive(encode_report(71), now_ms=0)
    assert slave.slave_ack_offset == 70


def test_an_idle_line_carries_a_heartbeat_with_the_next_offset() -> None:
    slave = connection(MemoryLog(bytes(100)))
    slave.receive(encode_report(100), now_ms=0)
    assert slave.heartbeat(now_ms=4999) == b""
    assert slave.heartbeat(now_ms=5000) == encode_header(100, 0)
    assert slave.heartbeat(now_ms=9999) == b""


def test_a_silent_slave_expires_after_twenty_seconds() -> None:
    slave = connection(MemoryLog())
    slave.receive(encode_report(0), now_ms=1000)
    assert not slave.is_expired(now_ms=21_000)
    assert slave.is_expired(now_ms=21_001)


def test_a_log_cleaned_up_under_a_slow_slave_is_an_error_and_not_a_hole() -> None:
    log = MemoryLog(bytes(300), file_bytes=100)
    slave = connection(log)
    slave.receive(encode_report(0), now_ms=0)
    slave.transfer(50, now_ms=0)
    log.start, log.content = 100, log.content[100:]
    with pytest.raises(StoreError):
        slave.transfer(50, now_ms=0)
