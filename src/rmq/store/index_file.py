# SPDX-License-Identifier: Apache-2.0
"""One index file: a hash table on the disk, from a key's hash to the records that have the key (Apache's IndexFile).

    0   header
    40  slots: maxHashSlotNum x 4 bytes, the number of the newest entry whose hash falls there, 0 for none
    ..  entries: maxIndexNum x 20 bytes; number 0 is never used

| header offset | bytes | field |
|---|---|---|
| 0 | 8 | store time of the first record, ms |
| 8 | 8 | store time of the last record |
| 16 | 8 | physical offset of the first record |
| 24 | 8 | physical offset of the last record |
| 32 | 4 | slots in use |
| 36 | 4 | number of the next entry: 1 in an empty file |

| entry offset | bytes | field |
|---|---|---|
| 0 | 4 | hash of the key, not negative; its slot is hash mod slots |
| 4 | 8 | physical offset of the record |
| 12 | 4 | seconds since the first record's store time |
| 16 | 4 | number of the entry before it in the same slot, 0 for none: always smaller than its own |

The file that is written has its slots in memory and its newest entries too. Entries are written in blocks as they
come, slots and header at a checkpoint: whatever a crash leaves is cut back to the last checkpoint (`open_at`), and the
rest is made again from the commit log. All writes are pwrite: a full disk is an OSError, never a signal.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..env import Disk, File

_HEADER = struct.Struct(">qqqqii")
HEADER_BYTES = _HEADER.size
ENTRY = struct.Struct(">iqii")
ENTRY_BYTES = ENTRY.size
_SLOT_BYTES = 4
_SECONDS_MAX = 0x7FFFFFFF

# Entries are written when a block of them is there (or by a checkpoint).
WRITE_BYTES = 64 * 1024
# Slots are written by the page: a power of two, so that a slot's page is a shift away.
_PAGE_SHIFT = 10
_PAGE_SLOTS = 1 << _PAGE_SHIFT
_CHUNK_BYTES = 1024 * 1024
# Entries that lie together are read together: those of a tag that every message has.
_BLOCK_BYTES = 4096

_pack_entry = ENTRY.pack

IndexItem = tuple[int, int, int]
"""Hash of a key, physical offset of the record, its store time in ms."""


@dataclass(slots=True)
class IndexHeader:
    begin_timestamp_ms: int = 0
    end_timestamp_ms: int = 0
    begin_physical_offset: int = 0
    end_physical_offset: int = 0
    used_slots: int = 0
    count: int = 1

    @classmethod
    def decode(cls, data: bytes) -> IndexHeader:
        """Raises struct.error for another length than 40 bytes."""
        return cls(*_HEADER.unpack(data))

    def encode(self) -> bytes:
        return _HEADER.pack(*astuple(self))


def index_file_bytes(slots: int, entries: int) -> int:
    return HEADER_BYTES + slots * _SLOT_BYTES + entries * ENTRY_BYTES


class IndexFile:
    """Opened by `open`, and closed by `close`. Not for use beside another writer. Methods may raise OSError."""

    def __init__(self, disk: Disk, path: Path, *, slots: int, entries_max: int) -> None:
        self.path = path
        self.header = IndexHeader()
        self._slots_max = slots
        self._entries_max = entries_max
        self._entries_start = HEADER_BYTES + slots * _SLOT_BYTES
        self._file: File = disk.open(path, size_bytes=index_file_bytes(slots, entries_max))
        self._table: memoryview | None = None
        self._dirty = bytearray((slots >> _PAGE_SHIFT) + 1)
        self._tail = bytearray()
        self._tail_from = 1

    # -- opening

    @property
    def is_full(self) -> bool:
        return self.header.count >= self._entries_max

    @property
    def has_right_size(self) -> bool:
        return self._file.size() == index_file_bytes(self._slots_max, self._entries_max)

    def load_header(self) -> IndexHeader:
        """What the file says of itself."""
        return IndexHeader.decode(self._file.pread(HEADER_BYTES, 0).ljust(HEADER_BYTES, b"\0"))

    def open_at(self, header: IndexHeader, *, is_clean: bool) -> None:
        """The file as it was when it had this header.

        is_clean: nothing was written after that."""
        self.header = header
        self._tail_from = header.count
        if self.is_full and is_clean:
            return
        self._load_table()
        if is_clean:
            return
        self._cut_table(range(header.count, min(self.load_header().count, self._entries_max)))
        if max(self._slots(), default=0) >= header.count:
            # Slots without the entries that they point to: those that the entries of the checkpoint give.
            self._table = memoryview(bytearray(self._slots_max * _SLOT_BYTES)).cast("i")
            table = self._table
            for number, (key_hash, _, _, _) in self._entries(range(1, header.count)):
                table[key_hash % self._slots_max] = number
            self._dirty = bytearray(b"\1" * len(self._dirty))

    def _load_table(self) -> memoryview:
        """The slots, in this machine's byte order; holes of the file stay holes of the memory."""
        table = bytearray(self._slots_max * _SLOT_BYTES)
        at = HEADER_BYTES
        while (at := min(self._file.next_data(at), self._entries_start)) < self._entries_start:
            at -= (at - HEADER_BYTES) % _SLOT_BYTES
            chunk = _swapped(self._file.pread(min(_CHUNK_BYTES, self._entries_start - at), at))
            table[at - HEADER_BYTES : at - HEADER_BYTES + len(chunk)] = chunk
            at += len(chunk)
        self._table = memoryview(table).cast("i")
        return self._table

    def _slots(self) -> memoryview:
        return self._table if self._table is not None else self._load_table()

    # -- writing

    def put_all(self, items: Sequence[IndexItem], at: int) -> int:
        """Add items from number `at` on, up to the last or until the file is full; returns where it stopped."""
        header = self.header
        end = min(len(items), at + self._entries_max - header.count)
        if at >= end:
            return at
        table, dirty, slots = self._slots(), self._dirty, self._slots_max
        number = header.count
        if number <= 1:
            _, header.begin_physical_offset, header.begin_timestamp_ms = items[at]
        begin_ms = header.begin_timestamp_ms
        used = 0
        entries = []
        for key_hash, physical_offset, store_timestamp_ms in items[at:end]:
            slot = key_hash % slots
            previous = table[slot]
            table[slot] = number
            dirty[slot >> _PAGE_SHIFT] = 1
            if not previous:
                used += 1
            seconds = (store_timestamp_ms - begin_ms) // 1000
            if not 0 <= seconds <= _SECONDS_MAX:
                seconds = 0 if seconds < 0 else _SECONDS_MAX
            entries.append(_pack_entry(key_hash, physical_offset, seconds, previous))
            number += 1
        self._tail += b"".join(entries)
        _, header.end_physical_offset, header.end_timestamp_ms = items[end - 1]
        header.used_slots += used
        header.count = number
        return end

    @property
    def pending_bytes(self) -> int:
        """Entries in memory only."""
        return len(self._tail)

    def write(self) -> None:
        """Write the entries that are in memory only."""
        if self._tail:
            self._file.pwrite(self._tail, self._position(self._tail_from))
            self._tail.clear()
            self._tail_from = self.header.count

    def take_changes(self) -> tuple[File, list[tuple[int, bytes]]]:
        """What is to be written and synced, in this order, for the file to be whole on the disk as it is now: position
        and bytes of entries, header and slots (no slot on the disk ever points beyond the header's count). May be
        written in another thread, while this one goes on."""
        changes = [(self._position(self._tail_from), bytes(self._tail)), (0, self.header.encode())]
        if self._table is not None:
            changes += self._dirty_pages(self._table)
        return self._file, changes

    def _dirty_pages(self, table: memoryview) -> Iterator[tuple[int, bytes]]:
        """Neighbours come together; afterwards no page is dirty."""
        dirty, self._dirty = self._dirty, bytearray(len(self._dirty))
        first = dirty.find(1)
        while first >= 0:
            end = dirty.find(0, first)
            end = len(dirty) if end < 0 else end
            pages = table[first << _PAGE_SHIFT : end << _PAGE_SHIFT].tobytes()
            yield HEADER_BYTES + (first << _PAGE_SHIFT) * _SLOT_BYTES, _swapped(pages)
            first = dirty.find(1, end)

    def changes_failed(self) -> None:
        """take_changes() could not be written: everything is dirty again."""
        self._dirty = bytearray(b"\1" * len(self._dirty))

    def release(self) -> None:
        """Full, and whole on the disk: the memory is not needed any more."""
        self._table = None

    def cut(self, physical_offset: int) -> None:
        """Forget the entries of records from physical_offset on."""
        count = self.header.count
        low, high = 1, count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[1] < physical_offset:
                low = middle + 1
            else:
                high = middle
        if low == count:
            return
        self.write()
        self._slots()
        self._cut_table(range(low, count))
        header = self.header
        header.count = self._tail_from = low
        if low == 1:
            self.header = IndexHeader()
            return
        _, header.end_physical_offset, seconds, _ = self._entry(low - 1)
        header.end_timestamp_ms = header.begin_timestamp_ms + seconds * 1000
        header.used_slots = self._slots_max - _count_zeros(self._slots())

    def _cut_table(self, gone: range) -> None:
        """The slots as they were before the entries that are gone."""
        table = self._slots()
        for _, (key_hash, _, _, previous) in self._entries(gone):
            slot = key_hash % self._slots_max
            # Of the entries that leave a slot the oldest one knows which came before.
            if previous < gone.start <= table[slot]:
                table[slot] = previous
                self._dirty[slot >> _PAGE_SHIFT] = 1

    def close(self) -> None:
        self._file.close()

    # -- reading

    def matches_time(self, begin_ms: int, end_ms: int) -> bool:
        """Whether a record of the file can lie in [begin_ms, end_ms]."""
        return begin_ms <= self.header.end_timestamp_ms and end_ms >= self.header.begin_timestamp_ms

    def has(self, key_hash: int, physical_offset: int) -> bool:
        """Whether the newest record of the file is indexed by this hash already."""
        for found, offset, _ in self.chain(key_hash).walk():
            if offset != physical_offset:
                return False
            if found == key_hash:
                return True
        return False

    def chain(self, key_hash: int) -> IndexChain:
        """The entries of a hash's slot as they are now; to be walked at leisure, in another thread too."""
        slot = key_hash % self._slots_max
        return IndexChain(
            self._file,
            self.header,
            entries_start=self._entries_start,
            slot_position=HEADER_BYTES + slot * _SLOT_BYTES,
            first=None if self._table is None else self._table[slot],
            tail=bytes(self._tail),
        )

    def _position(self, number: int) -> int:
        return self._entries_start + number * ENTRY_BYTES

    def _entry(self, number: int) -> tuple[int, int, int, int]:
        if number >= self._tail_from:
            entry: tuple[int, int, int, int] = ENTRY.unpack_from(self._tail, (number - self._tail_from) * ENTRY_BYTES)
        else:
            entry = ENTRY.unpack(self._file.pread(ENTRY_BYTES, self._position(number)))
        return entry

    def _entries(self, numbers: range) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """Written entries, with their numbers."""
        step = _CHUNK_BYTES // ENTRY_BYTES
        for first in range(numbers.start, numbers.stop, step):
            count = min(step, numbers.stop - first)
            data = self._file.pread(count * ENTRY_BYTES, self._position(first))
            yield from enumerate(ENTRY.iter_unpack(data), first)


class IndexChain:
    """The entries of one slot, newest first."""

    def __init__(
        self,
        file: File,
        header: IndexHeader,
        *,
        entries_start: int,
        slot_position: int,
        first: int | None,
        tail: bytes,
    ) -> None:
        """first: the slot's value where it is in memory. tail: the entries that are not in the file yet."""
        self._file = file
        self._entries_start = entries_start
        self._slot_position = slot_position
        self._first = first
        self._count = header.count
        self._begin_ms = header.begin_timestamp_ms
        self._tail = tail
        self._tail_from = header.count - len(tail) // ENTRY_BYTES
        self._block = b""
        self._block_start = 0

    def walk(self) -> Iterator[IndexItem]:
        """Hash, physical offset and store time (to the second) of each. Blocks; may raise OSError."""
        number = self._first
        if number is None:
            number = int.from_bytes(self._file.pread(_SLOT_BYTES, self._slot_position), "big", signed=True)
        if number >= self._count:
            number = 0
        while number > 0:
            key_hash, physical_offset, seconds, previous = self._entry(number)
            yield key_hash, physical_offset, self._begin_ms + seconds * 1000
            # A damaged file must not send the walk in a circle.
            number = previous if previous < number else 0

    def _entry(self, number: int) -> tuple[int, int, int, int]:
        if number >= self._tail_from:
            tail: tuple[int, int, int, int] = ENTRY.unpack_from(self._tail, (number - self._tail_from) * ENTRY_BYTES)
            return tail
        position = self._entries_start + number * ENTRY_BYTES
        at = position - self._block_start
        if not 0 <= at <= len(self._block) - ENTRY_BYTES:
            # What comes next lies before it.
            self._block_start = max(position + ENTRY_BYTES - _BLOCK_BYTES, self._entries_start)
            self._block = self._file.pread(position + ENTRY_BYTES - self._block_start, self._block_start)
            at = position - self._block_start
        entry: tuple[int, int, int, int] = ENTRY.unpack_from(self._block, at)
        return entry


def _swapped(data: bytes) -> bytes:
    """Slots from the file's byte order to this machine's, or back."""
    if sys.byteorder == "big":
        return data
    numbers = array("i", data)
    numbers.byteswap()
    return numbers.tobytes()


def _count_zeros(table: memoryview) -> int:
    return array("i", table).count(0)
