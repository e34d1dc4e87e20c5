# SPDX-License-Identifier: Apache-2.0
"""The bytes of Apache's HA stream: one TCP connection on haListenPort between a slave and its master.

slave -> master, a *report* (8 bytes)

| offset | bytes | field |
|---|---|---|
| 0 | 8 | the slave's end of log, a physical offset; the first one is the request "send from here" |

master -> slave, a *transfer frame* (12 bytes and the body)

| offset | bytes | field |
|---|---|---|
| 0 | 8 | physical offset of the first byte of the body |
| 8 | 4 | body length; 0 is a heartbeat, its offset is where the next body will start |
| 12 | n | bytes of the commit log, cut anywhere, never across the end of a commit log file |

All integers are big-endian and signed. Nothing here has a checksum or an identity. Answers to DefaultHAConnection and
DefaultHAClient of Apache RocketMQ 5.4.0; bytes checked against a capture of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_REPORT = struct.Struct(">q")
_HEADER = struct.Struct(">qi")

REPORT_BYTES = _REPORT.size
HEADER_BYTES = _HEADER.size

# A slave of Apache reads into 4 MiB and never finishes a frame larger than that; a master sends haTransferBatchSize
# (32 KiB). A longer length is therefore no frame of either engine, and believing it would let a peer fill our memory.
MAX_BODY_BYTES = 4 * 1024 * 1024 - HEADER_BYTES


class HaProtocolError(Exception):
    """The peer broke the protocol, or its log does not fit ours. The connection must be closed.

    rule: what is wrong, the same words each time; detail: the offsets of this time.
    """

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule} ({detail})")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class TransferFrame:
    """One frame as it came from the master. `body` is a view of bytes that nobody changes."""

    physical_offset: int
    body: memoryview


def encode_report(physical_offset: int) -> bytes:
    return _REPORT.pack(physical_offset)


def encode_header(physical_offset: int, body_bytes: int) -> bytes:
    return _HEADER.pack(physical_offset, body_bytes)


class ReportDecoder:
    """Bytes of a slave -> reported offsets. Keeps at most 7 bytes between calls."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """All reports that are whole now, oldest first. Raises HaProtocolError at a negative one."""
        buffer = self._rest + data if self._rest else data
        whole = len(buffer) - len(buffer) % REPORT_BYTES
        self._rest = buffer[whole:]
        reports = [offset for (offset,) in _REPORT.iter_unpack(buffer[:whole])]
        if reports and min(reports) < 0:
            raise HaProtocolError("the slave reports a negative offset", str(min(reports)))
        return reports


class TransferDecoder:
    """Bytes of a master -> whole transfer frames. Keeps less than one frame between calls."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = HEADER_BYTES  # nothing can be decoded before this many bytes: no second look at half a body

    def feed(self, data: bytes) -> list[TransferFrame]:
        """All frames that are whole now, oldest first. Raises HaProtocolError at a length no master sends."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return []
            data = bytes(self._rest)
        frames, consumed, self._wanted = _split(data)
        self._rest = bytearray(memoryview(data)[consumed:])
        return frames


def _split(buffer: bytes) -> tuple[list[TransferFrame], int, int]:
    """Whole frames at the start of buffer, the bytes they take, and the bytes the unfinished one needs in all."""
    view = memoryview(buffer)
    frames: list[TransferFrame] = []
    position = 0
    while len(buffer) - position >= HEADER_BYTES:
        physical_offset, body_bytes = _HEADER.unpack_from(buffer, position)
        if not 0 <= body_bytes <= MAX_BODY_BYTES or physical_offset < 0:
            raise HaProtocolError("no master sends such a frame", f"{body_bytes} bytes at offset {physical_offset}")
        end = position + HEADER_BYTES + body_bytes
        if end > len(buffer):
            return frames, position, end - position
        frames.append(TransferFrame(physical_offset, view[position + HEADER_BYTES : end]))
        position = end
    return frames, position, HEADER_BYTES
