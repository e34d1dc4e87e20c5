# SPDX-License-Identifier: Apache-2.0
"""One consume queue: for each message of one topic and queue, 20 bytes that say where it is (Apache's ConsumeQueue).

| offset | bytes | field |
|---|---|---|
| 0 | 8 | physical offset in the commit log |
| 8 | 4 | record size |
| 12 | 8 | tags code: Java hash of the tag, 0 without one; in SCHEDULE_TOPIC_XXXX the deliver time in ms |

Unit n is at byte n x 20. A unit with size 0 ends the queue. A *filler* (size 0x7FFFFFFF) stands for a message that is
not there: before the first one in the first file, and in place of one that was lost by damage.

Three numbers: `min_offset` <= `max_offset` <= `next_offset`. Readers see up to max_offset; what lies between it and
next_offset belongs to a commit log write that has not happened yet. The newest units are kept in memory and written
in blocks: they can be rebuilt from the commit log, so nobody waits for their write.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .mapped_file_queue import MappedFileQueue
from .record import topic_field
from .store_paths import StorePaths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..env import Disk, File

UNIT = struct.Struct(">qiq")
UNIT_BYTES = UNIT.size
FILLER_SIZE = 0x7FFFFFFF
SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX"

# Units are written when a page of them is there (or by the flush timer).
WRITE_BYTES = 4096
# Room kept on the disk ahead of the write position: there may be thousands of queues, so less than for the commit log.
RESERVE_AHEAD_BYTES = 64 * 1024

_pack_unit = UNIT.pack


class ConsumeQueue:
    """Not for use beside another writer. Methods that touch files may raise OSError."""

    __slots__ = (
        "_checked",
        "_dirty",
        "_files",
        "_room_until",
        "_tail",
        "_tail_start",
        "deliver_delay_ms",
        "found_end",
        "magic",
        "max_offset",
        "min_offset",
        "next_offset",
        "queue_id",
        "topic",
        "topic_field",
    )

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        *,
        file_size_bytes: int,
        topic: str,
        queue_id: int,
        delays_ms: tuple[int, ...],
    ) -> None:
        self.topic = topic
        self.queue_id = queue_id
        self.magic, self.topic_field = topic_field(topic.encode())
        self.deliver_delay_ms: int | None = None
        if topic == SCHEDULE_TOPIC:
            self.deliver_delay_ms = delays_ms[min(queue_id, len(delays_ms) - 1)]
        self.min_offset = 0
        self.max_offset = 0
        self.next_offset = 0
        self.found_end = 0
        """Units below it were found on the disk, not made by this process."""
        self._checked: dict[int, bytearray] = {}
        self._files = MappedFileQueue(disk, StorePaths([directory]), file_size_bytes, is_derived=True)
        self._tail = bytearray()
        self._tail_start = 0
        self._room_until = 0
        self._dirty: set[int] = set()

    # -- writing

    def add(self, physical_offset: int, size: int, tags_code: int) -> None:
        """One more unit, at next_offset; readers see it after commit()."""
        self._tail += _pack_unit(physical_offset, size, tags_code)
        self.next_offset += 1

    def reserve(self) -> None:
        """Make sure that what was added can be written."""
        first = self._tail_start * UNIT_BYTES
        end = first + len(self._tail)
        if end <= self._room_until:
            return
        file_size = self._files.file_size_bytes
        while first < end:
            self._files.ensure(first)
            size_bytes = min(end - first, file_size - first % file_size)
            self._room_until = self._files.reserve(first, size_bytes, RESERVE_AHEAD_BYTES)
            first += size_bytes

    def commit(self) -> None:
        """The records behind the units are in the log: let readers see them."""
        self.max_offset = self.next_offset
        if len(self._tail) >= WRITE_BYTES:
            self.write()

    def roll_back(self) -> None:
        """The records behind the units that were added since the last commit are not in the log."""
        self.next_offset = self.max_offset
        del self._tail[(self.max_offset - self._tail_start) * UNIT_BYTES :]

    def write(self) -> None:
        """Write all committed units to the files."""
        size_bytes = (self.max_offset - self._tail_start) * UNIT_BYTES
        done = 0
        while done < size_bytes:
            offset = self._tail_start * UNIT_BYTES
            self._files.ensure(offset)
            step = min(size_bytes - done, self._files.file_size_bytes - offset % self._files.file_size_bytes)
            self._files.write(offset, self._tail[done : done + step])
            self._dirty.add(self._files.start_of(offset))
            self._tail_start += step // UNIT_BYTES
            done += step
        if done:
            del self._tail[:done]

    def take_dirty_files(self) -> list[File]:
        """The files to sync for everything written so far to be durable; later calls name only later writes."""
        files = [self._files.file_at(start) for start in sorted(self._dirty) if self._files.contains(start)]
        self._dirty.clear()
        return files

    @property
    def is_empty(self) -> bool:
        return self.next_offset == self.first_stored

    @property
    def last_physical_offset(self) -> int:
        """Where the newest message is, committed or not; 0 in an empty queue."""
        return 0 if self.is_empty else self.physical_offset_of(self.next_offset - 1)

    def begin_at(self, queue_offset: int) -> None:
        """An empty queue whose first message has this number: units before it in its file are fillers (as Apache's)."""
        assert self.is_empty, self.next_offset
        self.clear()
        units_per_file = self._files.file_size_bytes // UNIT_BYTES
        file_start = queue_offset - queue_offset % units_per_file
        self._tail_start = file_start
        self._tail += UNIT.pack(0, FILLER_SIZE, 0) * (queue_offset - file_start)
        self.min_offset = self.next_offset = self.max_offset = queue_offset

    def fill_up_to(self, queue_offset: int, physical_offset: int) -> None:
        """Fillers for messages that are lost, so that the next one keeps its number."""
        self._tail += UNIT.pack(physical_offset, FILLER_SIZE, 0) * (queue_offset - self.next_offset)
        self.next_offset = queue_offset

    def replace(self, queue_offset: int, physical_offset: int, size: int, tags_code: int) -> None:
        """The message that a filler stands for is there again. The unit must be a committed one."""
        unit = _pack_unit(physical_offset, size, tags_code)
        if queue_offset >= self._tail_start:
            start = (queue_offset - self._tail_start) * UNIT_BYTES
            self._tail[start : start + UNIT_BYTES] = unit
        else:
            self._files.write(queue_offset * UNIT_BYTES, unit)
            self._dirty.add(self._files.start_of(queue_offset * UNIT_BYTES))

    def place_fillers(self, queue_offset: int, physical_offset: int) -> None:
        """The fillers from queue_offset on that have no place, as those in front of a queue, are behind a message now:
        they get its end for one, so that places ascend."""
        while queue_offset < self.max_offset and self.unit(queue_offset)[:2] == (0, FILLER_SIZE):
            self.replace(queue_offset, physical_offset, FILLER_SIZE, 0)
            queue_offset += 1

    # -- units that were found on the disk

    def is_unchecked(self, queue_offset: int) -> bool:
        """The unit was found on the disk and nobody has said since that it stands."""
        if queue_offset >= self.found_end:
            return False
        bits = self._checked.get(queue_offset >> _CHECKED_SHIFT)
        at = queue_offset & _CHECKED_MASK
        return bits is None or not bits[at >> 3] & 1 << (at & 7)

    def set_checked(self, queue_offset: int) -> None:
        bits = self._checked.setdefault(queue_offset >> _CHECKED_SHIFT, bytearray(1 << _CHECKED_SHIFT - 3))
        at = queue_offset & _CHECKED_MASK
        bits[at >> 3] |= 1 << (at & 7)

    # -- reading

    def size_of(self, queue_offset: int) -> int:
        """The record size in a committed unit; FILLER_SIZE where no message is."""
        return self.unit(queue_offset)[1]

    def units(self, queue_offset: int, count: int) -> bytes | memoryview:
        """Committed units from queue_offset on: at least one and at most count, fewer where a file or the memory part
        begins. queue_offset must be in [first stored, max_offset)."""
        count = min(count, self.max_offset - queue_offset)
        if queue_offset >= self._tail_start:
            start = (queue_offset - self._tail_start) * UNIT_BYTES
            return bytes(self._tail[start : start + count * UNIT_BYTES])
        offset = queue_offset * UNIT_BYTES
        size_bytes = min(
            count * UNIT_BYTES,
            (self._tail_start - queue_offset) * UNIT_BYTES,
            self._files.file_size_bytes - offset % self._files.file_size_bytes,
        )
        return self._files.view(offset, size_bytes)

    def unit(self, queue_offset: int) -> tuple[int, int, int]:
        """(physical offset, size, tags code)."""
        unit: tuple[int, int, int] = UNIT.unpack_from(self.units(queue_offset, 1))
        return unit

    def physical_offset_of(self, queue_offset: int) -> int:
        """Where a message is, committed or not."""
        if queue_offset >= self._tail_start:
            offset: int = UNIT.unpack_from(self._tail, (queue_offset - self._tail_start) * UNIT_BYTES)[0]
            return offset
        return self.unit(queue_offset)[0]

    def bisect(self, start: int, is_left: Callable[[int, int], bool]) -> int:
        """First queue offset in [start, max_offset] whose unit (physical offset, size) is not left; all left ones come
        first. One damaged unit does not mislead the search."""
        low, high = start, self.max_offset
        while low < high:
            middle = (low + high) // 2
            if is_left(*self._in_order(middle)):
                low = middle + 1
            else:
                high = middle
        return low

    def _in_order(self, queue_offset: int) -> tuple[int, int]:
        """Physical offset and size of a committed unit. Physical offsets ascend: where this one does not lie between
        its neighbours', it is damaged, and a neighbour speaks for it."""
        physical_offset, size, _ = self.unit(queue_offset)
        has_before = queue_offset > self.first_stored
        before = self.unit(queue_offset - 1) if has_before else (0, 0, 0)
        after = self.unit(queue_offset + 1) if queue_offset + 1 < self.max_offset else (_OFFSET_MAX, 0, 0)
        if before[0] <= physical_offset <= after[0] or before[0] > after[0]:
            return physical_offset, size
        return before[:2] if has_before else after[:2]

    @property
    def first_stored(self) -> int:
        """Queue offset of the first unit that has a place on the disk or in memory (it may be a filler)."""
        return self._files.start // UNIT_BYTES if self._files.starts else self._tail_start

    def correct_min_offset(self, min_physical_offset: int) -> None:
        """Messages below min_physical_offset are gone from the commit log; a filler in front has no message either."""

        def is_gone(physical_offset: int, size: int) -> bool:
            return physical_offset < min_physical_offset or (physical_offset == 0 and size == FILLER_SIZE)

        self.min_offset = self.bisect(self.first_stored, is_gone)

    # -- opening and cutting

    def load(self) -> None:
        """Find the units on the disk. A wrong file costs the units from it on, never the start: they are derived
        data."""
        self._files.load_derived()
        end = self._files.start // UNIT_BYTES
        for start in self._files.starts:
            units = self._valid_units(start)
            end = (start // UNIT_BYTES) + units
            if units * UNIT_BYTES < self._files.file_size_bytes:
                break
        self.max_offset = self.next_offset = self._tail_start = self.found_end = end
        self.min_offset = self.first_stored
        self._files.close()

    def _valid_units(self, start: int) -> int:
        """Units of one file before the first that is all zeros: no valid unit contains 20 zero bytes."""
        file_size = self._files.file_size_bytes
        file = self._files.file_at(start)
        units = 0
        while units * UNIT_BYTES < file_size:
            data = file.pread(min(_LOAD_BYTES, file_size - units * UNIT_BYTES), units * UNIT_BYTES)
            hole = data.find(_NO_UNIT)
            if hole >= 0:
                return units + -(-hole // UNIT_BYTES)
            units += len(data) // UNIT_BYTES
        return units

    def cut(self, queue_offset: int) -> None:
        """Forget the units from queue_offset on; what is written of them is overwritten with zeros."""
        if queue_offset >= self.next_offset:
            return
        if queue_offset >= self._tail_start:
            del self._tail[(queue_offset - self._tail_start) * UNIT_BYTES :]
        else:
            self._cut_files(queue_offset * UNIT_BYTES)
            self._tail.clear()
            self._tail_start = queue_offset
        self.next_offset = queue_offset
        self.max_offset = min(self.max_offset, queue_offset)
        self.min_offset = min(self.min_offset, queue_offset)
        self.found_end = min(self.found_end, queue_offset)

    def _cut_files(self, offset: int) -> None:
        self._room_until = 0
        files = self._files
        end = files.end
        files.remove_from(files.start_of(offset) + files.file_size_bytes)
        files.zero(offset, min(end, files.end))
        self._dirty.add(files.start_of(offset))

    def detach_before(self, min_physical_offset: int) -> list[Path]:
        """Give up the files all of whose messages are gone, never the last one; the caller unlinks them."""
        self.correct_min_offset(min_physical_offset)
        if not self._files.starts:
            return []
        return self._files.detach_before(
            min(self.min_offset * UNIT_BYTES, self._files.starts[-1]), len(self._files.starts)
        )

    def unlink(self, paths: list[Path]) -> None:
        """May run in another thread."""
        self._files.unlink(paths)

    def clear(self) -> None:
        """Forget everything; the files are gone and the next number is 0."""
        self._files.remove_from(0)
        self._tail.clear()
        self._dirty.clear()
        self._tail_start = self._room_until = self.found_end = 0
        self.min_offset = self.max_offset = self.next_offset = 0

    def close(self) -> None:
        self._files.close()


_NO_UNIT = bytes(UNIT_BYTES)
_OFFSET_MAX = (1 << 63) - 1
# Bits that say "checked" are made for 65,536 units at a time.
_CHECKED_SHIFT = 16
_CHECKED_MASK = (1 << _CHECKED_SHIFT) - 1
# A multiple of the unit; most queues are short, so their files are not read to the end.
_LOAD_BYTES = 4000 * UNIT_BYTES
