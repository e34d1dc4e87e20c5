# SPDX-License-Identifier: Apache-2.0
"""The timer log: one unit for each message that waits, chained by deliver time. Answers to Apache's TimerLog.

| offset | bytes | field |
|---|---|---|
| 0 | 4 | 52 |
| 4 | 8 | position of the unit before it with the same deliver time, -1 without one |
| 12 | 4 | magic: 1, with 2 to be rolled, with 4 a recall |
| 16 | 8 | write time in ms |
| 24 | 4 | deliver time (of this turn) less write time |
| 28 | 8 | physical offset of the message in rmq_sys_wheel_timer |
| 36 | 4 | size of that record |
| 40 | 4 | Java hash of the real topic |
| 44 | 8 | 0 |

A file ends with 16 bytes: what is left of it (4), 0 (8), 0xCBD43194. All of it can be made again from the messages: a
unit that is none ends the log, and what came behind is taken from the topic again.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from ..mapped_file_queue import MappedFileQueue
from ..store_paths import StorePaths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...env import Disk, File

UNIT = struct.Struct(">iqiqiqiiq")
UNIT_BYTES = UNIT.size
_BLANK = struct.Struct(">iqI")
_BLANK_MAGIC = 0xCBD43194

MAGIC_DEFAULT = 1
MAGIC_ROLL = 2
MAGIC_DELETE = 4
_MAGIC_MAX = MAGIC_DEFAULT | MAGIC_ROLL | MAGIC_DELETE

RESERVE_AHEAD_BYTES = 64 * 1024
#: Units that one read brings: neighbours in time are mostly neighbours here.
_BLOCK_UNITS = 1000
_BLOCK_BYTES = _BLOCK_UNITS * UNIT_BYTES


class TimerUnit(NamedTuple):
    previous: int
    magic: int
    write_time_ms: int
    time_ms: int
    physical_offset: int
    size: int

    @property
    def is_roll(self) -> bool:
        return bool(self.magic & MAGIC_ROLL)

    @property
    def is_delete(self) -> bool:
        """A recall; one that is to be rolled waits on like any message."""
        return bool(self.magic & MAGIC_DELETE) and not self.is_roll


def encode_unit(unit: TimerUnit, topic_hash: int) -> bytes:
    return UNIT.pack(
        UNIT_BYTES,
        unit.previous,
        unit.magic,
        unit.write_time_ms,
        unit.time_ms - unit.write_time_ms,
        unit.physical_offset,
        unit.size,
        topic_hash,
        0,
    )


def _unit(fields: tuple[int, ...]) -> TimerUnit:
    _, previous, magic, write_time_ms, delay_ms, physical_offset, size, _, _ = fields
    return TimerUnit(previous, magic, write_time_ms, write_time_ms + delay_ms, physical_offset, size)


class TimerLog:
    """Methods may raise OSError. `end` is where the next unit goes."""

    def __init__(self, disk: Disk, directory: Path, file_size_bytes: int) -> None:
        self.files = MappedFileQueue(disk, StorePaths([directory]), file_size_bytes, is_derived=True)
        self.end = 0
        self.flushed = 0

    # -- opening

    def load(self, physical_end: int) -> Iterator[tuple[int, TimerUnit]]:
        """Blocking: walk the log, telling each unit and its position; when the walk is over the log ends behind the
        last one that is right, and what lies behind is removed. physical_end: of the commit log."""
        self.files.load_derived()
        self.end = self.files.start
        for start in list(self.files.starts):
            self.end = start
            for position, unit in self._walk(start):
                if not self._is_right(position, unit, physical_end):
                    break
                self.end = position + UNIT_BYTES
                yield position, unit
            if self._units_left(self.end):
                break
        self._cut()
        self.flushed = self.end

    def forget(self) -> None:
        """Blocking: the log is empty."""
        self.files.remove_from(0)
        self.end = self.flushed = 0

    def _walk(self, start: int) -> Iterator[tuple[int, TimerUnit]]:
        file = self.files.file_at(start)
        count_max = self._units_left(start)
        for first in range(0, count_max, _BLOCK_UNITS):
            count = min(_BLOCK_UNITS, count_max - first)
            position = start + first * UNIT_BYTES
            for fields in UNIT.iter_unpack(file.pread(count * UNIT_BYTES, position - start)):
                if fields[0] != UNIT_BYTES:
                    return
                yield position, _unit(fields)
                position += UNIT_BYTES

    @staticmethod
    def _is_right(position: int, unit: TimerUnit, physical_end: int) -> bool:
        return (
            0 < unit.magic <= _MAGIC_MAX
            and -1 <= unit.previous < position
            and 0 <= unit.physical_offset < unit.physical_offset + unit.size <= physical_end
        )

    def _cut(self) -> None:
        files = self.files
        if not files.starts:
            self.end = 0
            return
        file_size = files.file_size_bytes
        # A full file ends before its blank: the next unit decides whether there is another file.
        last = files.start_of(max(self.end - 1, files.start))
        files.remove_from(last + file_size)
        if self._units_left(self.end):
            files.zero(self.end, files.end)

    # -- writing

    def make_room(self) -> int:
        """How many units fit into the current file, at least one; there is space for a block of them on the disk."""
        files = self.files
        if files.starts and not self._units_left(self.end):
            left = files.end - self.end
            if left >= _BLANK.size:
                files.write(self.end, _BLANK.pack(left, 0, _BLANK_MAGIC))
            self.end = files.end
        files.ensure(self.end)
        count = self._units_left(self.end)
        files.reserve(self.end, min(count * UNIT_BYTES, RESERVE_AHEAD_BYTES), RESERVE_AHEAD_BYTES)
        return min(count, RESERVE_AHEAD_BYTES // UNIT_BYTES)

    def append(self, block: bytes | bytearray) -> None:
        """Units for which make_room() found room."""
        self.files.write(self.end, block)
        self.end += len(block)

    def files_to_flush(self) -> list[File]:
        return self.files.files_between(self.flushed, self.end)

    def close(self) -> None:
        self.files.close()

    # -- reading

    def reader(self) -> TimerLogReader:
        """For another thread: the log as it is now."""
        files = {start: self.files.file_at(start) for start in self.files.starts}
        return TimerLogReader(files, self.files.file_size_bytes, self.end)

    # -- cleaning

    def detach_expired(self, min_physical_offset: int) -> list[Path]:
        """Give up the files all of whose messages are gone from the commit log, never the last one; the caller
        unlinks them."""
        before = self.files.start
        for start in self.files.starts[:-1]:
            last = start + (self._units_left(start) - 1) * UNIT_BYTES
            fields = UNIT.unpack(self.files.file_at(start).pread(UNIT_BYTES, last - start))
            if fields[0] != UNIT_BYTES or fields[5] >= min_physical_offset:
                break
            before = start + self.files.file_size_bytes
        return self.files.detach_before(before, len(self.files.starts))

    def _units_left(self, position: int) -> int:
        """How many units the file that position is in can still take; the blank keeps its room."""
        file_size = self.files.file_size_bytes
        if position and not position % file_size and not self.files.contains(position):
            return 0
        return max(0, file_size - position % file_size - _BLANK.size) // UNIT_BYTES


class TimerLogReader:
    """Reads units at any place; blocks, and may raise OSError. Keeps the last block that it read."""

    def __init__(self, files: dict[int, File], file_size_bytes: int, end: int) -> None:
        self._files = files
        self._file_size_bytes = file_size_bytes
        self._end = end
        self._block = b""
        self._block_start = 0

    def unit(self, position: int) -> TimerUnit | None:
        """None where there is none, or its file is gone."""
        at = position - self._block_start
        if not 0 <= at <= len(self._block) - UNIT_BYTES:
            start = position - position % self._file_size_bytes
            file = self._files.get(start)
            if file is None or not 0 <= position <= self._end - UNIT_BYTES:
                return None
            # Chains are walked backwards and then forwards: half of a block on each side.
            self._block_start = max(start, position - _BLOCK_BYTES // 2)
            self._block = file.pread(_BLOCK_BYTES, self._block_start - start)
            at = position - self._block_start
            if len(self._block) < at + UNIT_BYTES:
                return None
        fields = UNIT.unpack_from(self._block, at)
        return _unit(fields) if fields[0] == UNIT_BYTES else None
