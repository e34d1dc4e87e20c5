# SPDX-License-Identifier: Apache-2.0
"""Bytes in, commands out: cuts a stream into frames (what Apache's NettyDecoder does)."""

from __future__ import annotations

import struct
from typing import List

from .command import RemotingCommand, SerializeType, decode_header
from .errors import ProtocolError
from .send_header import decode_send

# com.rocketmq.remoting.frameMaxLength. It counts the length word too, so the greatest L is 4 less.
MAX_FRAME_BYTES = 16 * 1024 * 1024

_PREFIX = struct.Struct(">ii")
_LENGTH = struct.Struct(">i")


class FrameDecoder:
    """Feed it what a connection gives. After a ProtocolError it must not be fed again: close the connection.

    Memory: at most one unfinished frame and the chunk that was fed last. Each byte is copied a constant number of
    times, however small the chunks are.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_length = max_frame_bytes - 4
        self._tail = bytearray()
        self._needed_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the frame that is not whole yet; a frame that stays so too long is the server's to time out."""
        return len(self._tail)

    def feed(self, data: bytes) -> List[RemotingCommand]:
        """The commands that became whole. Raises ProtocolError, which carries the whole commands before the fault."""
        tail = self._tail
        if tail:
            tail += data
            if len(tail) < self._needed_bytes:
                return []
            data = bytes(tail)
            tail.clear()
        commands: List[RemotingCommand] = []
        try:
            position = self._decode_all(data, commands)
        except ProtocolError as error:
            error.commands = commands
            raise
        if position < len(data):
            tail += data[position:] if position else data
        return commands

    def _decode_all(self, data: bytes, commands: List[RemotingCommand]) -> int:
        """Appends every whole frame of `data`; answers where the rest begins and notes how long it has to become."""
        position = 0
        size = len(data)
        unpack = _PREFIX.unpack_from
        append = commands.append
        while size - position >= 8:
            length, mark = unpack(data, position)
            header_size = mark & 0xFFFFFF
            if length < 4 or length > self._max_length or header_size > length - 4:
                raise self._bad_length(length, header_size)
            if mark >> 24 not in _SERIALIZE_TYPES:
                raise ProtocolError("serialize type %d is neither JSON (0) nor ROCKETMQ (1)" % (mark >> 24 & 0xFF))
            end = position + 4 + length
            if end > size:
                self._needed_bytes = 4 + length
                return position
            body_start = position + 8 + header_size
            append(_decode_frame(mark >> 24, data[position + 8 : body_start], data[body_start:end]))
            position = end
        self._needed_bytes = 8
        if size - position >= 4:
            (length,) = _LENGTH.unpack_from(data, position)
            if length < 4 or length > self._max_length:
                raise self._bad_length(length, 0)
        return position

    def _bad_length(self, length: int, header_size: int) -> ProtocolError:
        if length < 4 or length > self._max_length:
            return ProtocolError("frame length %d is not between 4 and %d" % (length, self._max_length))
        return ProtocolError("a header of %d bytes does not fit a frame of length %d" % (header_size, length))


_SERIALIZE_TYPES = frozenset(int(member) for member in SerializeType)


def _decode_frame(serialize_type: int, header: bytes, body: bytes) -> RemotingCommand:
    command = decode_send(header) if serialize_type == SerializeType.JSON else None
    if command is None:
        command = decode_header(serialize_type, header)
    command.body = body
    return command
