# SPDX-License-Identifier: Apache-2.0
"""The wheel: for each deliver time the newest entry of its chain in the timer log. Answers to Apache's TimerWheel.

`timerwheel` has 2 x 604800 slots of 32 bytes, whatever the precision; slot number = time / precision mod slots.

| offset | bytes | field |
|---|---|---|
| 0 | 8 | deliver time / timerPrecisionMs |
| 8 | 8 | first unit of the chain: its position in the timer log |
| 16 | 8 | last unit of the chain |
| 24 | 4 | messages less recalls |
| 28 | 4 | magic, 0 |

The file is written for Apache's engine, and never believed here: at a start the wheel is made anew from the timer log,
so a file that was lost, cut or zeroed costs nothing. Slots whose time has passed stay in memory and in the file, as on
Apache, until another turn of the wheel needs them.
"""

from __future__ import annotations

import heapq
import mmap
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...env import File

SLOT = struct.Struct(">qqqii")
SLOT_BYTES = SLOT.size

#: Apache's TIMER_WHEEL_TTL_DAY of seconds; the wheel has twice as many slots.
SLOTS_TOTAL = 7 * 24 * 3600

#: What is compared and written together.
PAGE_BYTES = 4096
_CHUNK_BYTES = 256 * PAGE_BYTES
_NO_PAGE = bytes(PAGE_BYTES)


class Slot(NamedTuple):
    time_ms: int
    first: int
    last: int
    messages: int


class TimerWheel:
    """In memory, untouched pages cost nothing. No method blocks but `compare`."""

    def __init__(self, precision_ms: int, slots_total: int = SLOTS_TOTAL) -> None:
        self.precision_ms = precision_ms
        self.size_bytes = 2 * slots_total * SLOT_BYTES
        self.pending = 0
        """Messages less recalls in the slots that have not been passed."""
        self._slots = 2 * slots_total
        # Memory of no file: a bytearray would touch all of its 37 MiB at each start.
        self._data = mmap.mmap(-1, self.size_bytes)
        self._times: list[int] = []
        self._dirty: set[int] = set()

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    def floor(self, time_ms: int) -> int:
        """The time of the slot that this time belongs to."""
        return time_ms // self.precision_ms * self.precision_ms

    def slot(self, time_ms: int) -> Slot | None:
        number, first, last, messages, _ = SLOT.unpack_from(self._data, self._position(time_ms))
        if not number or number != time_ms // self.precision_ms:
            return None
        return Slot(number * self.precision_ms, first, last, messages)

    def number(self, time_ms: int) -> int:
        """Which of the slots is that time's."""
        return time_ms // self.precision_ms % self._slots

    def has_place(self, time_ms: int) -> bool:
        """Whether no other time that has not been passed has the same slot."""
        number = SLOT.unpack_from(self._data, self._position(time_ms))[0]
        first = self.first_time()
        return number == time_ms // self.precision_ms or first is None or number * self.precision_ms < first

    def last(self, time_ms: int) -> int:
        """The newest unit of that time's chain; -1 without one."""
        slot = self.slot(time_ms)
        return -1 if slot is None else slot.last

    def add(self, time_ms: int, position: int, change: int) -> None:
        """A unit was appended to the timer log. change: 1, or -1 for a recall."""
        slot = self.slot(time_ms)
        at = self._position(time_ms)
        if slot is None:
            SLOT.pack_into(self._data, at, time_ms // self.precision_ms, position, position, change, 0)
            heapq.heappush(self._times, self.floor(time_ms))
        else:
            SLOT.pack_into(
                self._data, at, time_ms // self.precision_ms, slot.first, position, slot.messages + change, 0
            )
        self.pending += change
        self._dirty.add(at // PAGE_BYTES)

    def first_time(self) -> int | None:
        """The earliest slot that has not been passed."""
        return self._times[0] if self._times else None

    def pass_before(self, time_ms: int) -> None:
        """Everything before this time is delivered."""
        while self._times and self._times[0] < time_ms:
            slot = self.slot(heapq.heappop(self._times))
            if slot is not None:
                self.pending -= slot.messages

    def count(self, time_ms: int) -> int:
        slot = self.slot(time_ms)
        return 0 if slot is None else slot.messages

    def compare(self, file: File) -> None:
        """Blocking: what the file has otherwise than this wheel is written with the next changes."""
        position = 0
        while (position := file.next_data(position)) < self.size_bytes:
            position -= position % PAGE_BYTES
            chunk = file.pread(min(_CHUNK_BYTES, self.size_bytes - position), position)
            for start in range(0, len(chunk), PAGE_BYTES):
                page = chunk[start : start + PAGE_BYTES]
                at = position + start
                if page != _NO_PAGE[: len(page)] and page != self._data[at : at + len(page)]:
                    self._dirty.add(at // PAGE_BYTES)
            position += len(chunk)

    def take_changes(self) -> list[tuple[int, bytes]]:
        """Position and bytes of the pages that changed; they may be written in another thread."""
        pages, self._dirty = sorted(self._dirty), set()
        return [(page * PAGE_BYTES, bytes(self._data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES])) for page in pages]

    def changes_failed(self, changes: list[tuple[int, bytes]]) -> None:
        self._dirty.update(position // PAGE_BYTES for position, _ in changes)

    def _position(self, time_ms: int) -> int:
        return self.number(time_ms) * SLOT_BYTES
