# SPDX-License-Identifier: Apache-2.0
"""The commit log: all records of a broker, one behind the other, in files of one length (Apache's CommitLog).

Two ends: `position`, where the next record goes, and `written`, up to where the bytes are in the files. What lies
between is in memory and is written by one `write()` at the end of a tick, or forgotten by `roll_back()`. `flushed`
follows written.

- Nothing is written before room for it is reserved: a full disk is an error of the reservation, found before anything
  happened.
- After a failed write its range is zeroed before anything else is written: half of a refused record must never be
  found by recovery.
- A record never crosses a file's end: Apache's readers map one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .errors import StoreError
from .mapped_file_queue import MappedFileQueue
from .record import BLANK_BYTES, blank_record, store_time_at

if TYPE_CHECKING:
    from ..env import Disk, File
    from .store_paths import StorePaths

# Room kept on the disk ahead of the write position. A few MiB: one fallocate for thousands of records, and little
# enough that a disk that is nearly full is used to its end.
RESERVE_AHEAD_BYTES = 4 * 1024 * 1024


class CommitLog:
    """Methods that touch files may raise OSError."""

    def __init__(self, disk: Disk, paths: StorePaths, file_size_bytes: int) -> None:
        self.files = MappedFileQueue(disk, paths, file_size_bytes)
        self.position = 0
        self.written = 0
        self.flushed = 0
        self.file_end = 0
        """End of the file that position is in."""
        self.parts: list[bytes | memoryview] = []
        """The pieces from the start of the last segment to position, in order. Whoever appends moves position too."""
        self._segments: list[tuple[int, list[bytes | memoryview]]] = [(0, self.parts)]
        self._to_zero: tuple[int, int] | None = None

    @property
    def min_offset(self) -> int:
        return self.files.start

    def open_at(self, offset: int, *, flushed: int) -> None:
        """The log ends here: recovery found it, or an empty log begins here."""
        self.written = offset
        self.flushed = min(flushed, offset)
        self._reset()

    # -- writing

    def make_room(self, size_bytes: int) -> int:
        """Position for a record of this size; when the file has not enough left for it and a blank record's head, the
        file is closed with a blank record first. Raises StoreError when no file could hold it."""
        left = self.file_end - self.position
        if size_bytes + BLANK_BYTES > left:
            if size_bytes + BLANK_BYTES > self.files.file_size_bytes:
                raise StoreError(
                    f"a record of {size_bytes} bytes does not fit into a file of {self.files.file_size_bytes}"
                )
            if left:
                self.parts.append(blank_record(left))
            self._begin_segment(self.file_end)
        return self.position

    def append_raw(self, data: bytes | memoryview) -> None:
        """Append bytes as they are (a slave's copy of its master's log), cut at file ends."""
        while data:
            if self.position == self.file_end:
                self._begin_segment(self.file_end)
            step = data[: self.file_end - self.position]
            self.parts.append(step)
            self.position += len(step)
            data = data[len(step) :]

    def write(self) -> None:
        """Write what is pending: one join and one pwrite, and one more for each file that was begun. On an OSError
        nothing counts as written; call roll_back() then."""
        if self._to_zero is not None:
            self.files.zero(*self._to_zero)
            self._to_zero = None
        blocks = [(start, b"".join(parts)) for start, parts in self._segments if parts]
        for start, block in blocks:
            self.files.ensure(start)
            self.files.reserve(start, len(block), RESERVE_AHEAD_BYTES)
        try:
            for start, block in blocks:
                self.files.write(start, block)
        except OSError:
            self._to_zero = (self.written, self.position)
            raise
        self.written = self.position
        if len(self._segments) > 1:
            self._segments = [(self.position, self.parts)]
        else:
            self._segments[0] = (self.position, self.parts)
        self.parts.clear()

    def roll_back(self) -> None:
        """Forget what is pending."""
        self._reset()

    def files_to_flush(self) -> list[File]:
        """The files that hold bytes written and not yet known to be durable."""
        return self.files.files_between(self.flushed, self.written)

    def truncate(self, offset: int) -> None:
        """The log ends at offset: what lies behind is overwritten with zeros and synced, later files are removed."""
        end = self.files.end
        self.files.remove_from(self.files.start_of(offset) + self.files.file_size_bytes)
        self.files.zero(offset, min(end, self.files.end))
        for file in self.files.files_between(offset, self.files.end):
            file.datasync()
        self.open_at(offset, flushed=self.flushed)

    def close(self) -> None:
        self.files.close()

    # -- reading

    def view(self, offset: int, size_bytes: int) -> memoryview:
        """Written bytes of one file."""
        return self.files.view(offset, size_bytes)

    def read(self, offset: int, max_bytes: int) -> memoryview:
        """Written bytes from offset to the end of its file, of the log, or max_bytes, whichever comes first. Raises
        StoreError for an offset below the first file."""
        if offset < self.min_offset:
            raise StoreError(f"offset {offset} is below the first file of the commit log, {self.min_offset}")
        if offset >= self.written:
            return _EMPTY
        file_end = self.files.start_of(offset) + self.files.file_size_bytes
        return self.files.view(offset, min(max_bytes, file_end - offset, self.written - offset))

    def has_record(self, offset: int, size_bytes: int) -> bool:
        """The range is written, and in one file."""
        return (
            self.min_offset <= offset
            and size_bytes >= RECORD_MIN_BYTES
            and offset + size_bytes <= min(self.written, self.files.start_of(offset) + self.files.file_size_bytes)
        )

    def store_time(self, offset: int, size_bytes: int) -> int:
        """STORETIMESTAMP of a record, in ms; -1 where there is none."""
        return store_time_at(self.view(offset, size_bytes)) if self.has_record(offset, size_bytes) else -1

    # -- inside

    def _begin_segment(self, start: int) -> None:
        self.parts = []
        self._segments.append((start, self.parts))
        self.position = start
        self.file_end = start + self.files.file_size_bytes

    def _reset(self) -> None:
        self.position = self.written
        self.file_end = self.files.start_of(self.position) + self.files.file_size_bytes
        self.parts = []
        self._segments = [(self.position, self.parts)]


_EMPTY = memoryview(b"")
