# SPDX-License-Identifier: Apache-2.0
"""Files of one fixed length that together are one long range of bytes (Apache's MappedFileQueue).

| file | name | covers |
|---|---|---|
| first | 20 digits: the offset of its first byte, a multiple of the length | [first, first + length) |
| next | name of the one before + length | and so on, without a gap |

Files are sparse and have their full length from the moment they are made. They may lie in several directories. Nothing
here knows what the bytes mean.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..env import Disk, File
    from .store_paths import StorePaths

log = logging.getLogger(__name__)

NAME_DIGITS = 20
# Whatever a file is for, something stands at its beginning once it is begun.
_HEAD_BYTES = 4096


def file_name(offset: int) -> str:
    return f"{offset:0{NAME_DIGITS}d}"


class MappedFileQueue:
    """Opens its files when they are first used. All methods may raise OSError."""

    def __init__(self, disk: Disk, paths: StorePaths, file_size_bytes: int, *, is_derived: bool = False) -> None:
        """is_derived: the data can be made again from elsewhere, so names and lengths need not be durable at once."""
        self.paths = paths
        self.file_size_bytes = file_size_bytes
        self.starts: list[int] = []
        """Offsets of the files, ascending."""
        self._is_derived = is_derived
        self._disk = disk
        self._directories: dict[int, Path] = {}
        """Where the file that begins there lies, or is being made."""
        self._open: dict[int, File] = {}
        self._reserved: dict[int, int] = {}

    def load(self, known_end: Callable[[int, int], int]) -> None:
        """Find the files. Raises StoreError for a file of another length, for a gap between two files, for one that is
        there twice, and for a missing directory among several: its disk may hold the newest files.

        known_end(start, end): up to where this range is known to be in use. A file that was cut behind that (by a copy
        that left out the zeros) gets its length back. An empty last file is the trace of a crash between making it and
        giving it its length, and a blank one behind a gap was made ahead of a log that was cut then: they are
        removed."""
        found = self._names()
        if found and self._file(found[-1]).size() == 0 and not known_end(found[-1], found[-1] + self.file_size_bytes):
            self._forget(found.pop())
        for start in self._behind_a_gap(found, known_end):
            log.warning("%s is blank and was not begun: it is removed", self._path(start))
            self._forget(start)
            found.remove(start)
        self._make_directories(is_new=not found)
        for start in found:
            self._lengthen(start, known_end)
            fault = self._fault(start)
            if fault:
                raise StoreError(f"{self._path(start)}: {fault}")
            self.starts.append(start)

    def _behind_a_gap(self, found: list[int], known_end: Callable[[int, int], int]) -> list[int]:
        """The files behind the first gap, newest first, where none of them was begun; else none."""
        size_bytes = self.file_size_bytes
        for before, start in pairwise(found):
            if start != before + size_bytes:
                behind = [one for one in reversed(found) if one >= start]
                is_known = known_end(before + size_bytes, found[-1] + size_bytes) > 0
                return [] if is_known or any(any(self._file(one).pread(_HEAD_BYTES, 0)) for one in behind) else behind
        return []

    def _lengthen(self, start: int, known_end: Callable[[int, int], int]) -> None:
        file = self._file(start)
        size_bytes = file.size()
        if size_bytes >= self.file_size_bytes or start % self.file_size_bytes:
            return
        used = max(known_end(start, start + self.file_size_bytes) - start, 0)
        path = self._path(start)
        if used > size_bytes:
            raise StoreError(
                f"{path}: {size_bytes} bytes long instead of {self.file_size_bytes}, and messages are known up to byte"
                f" {used} of it: restore the file"
            )
        file.truncate(self.file_size_bytes)
        file.datasync()
        log.warning("%s was %d bytes long: it has its %d again", path, size_bytes, self.file_size_bytes)

    def load_derived(self) -> None:
        """Find the files of derived data: from the first wrong one on, they are removed."""
        found = self._names()
        while found and not self._fault(found[0]):
            self.starts.append(found.pop(0))
        for start in found:
            self._forget(start)

    def _make_directories(self, *, is_new: bool) -> None:
        if len(self.paths.all) == 1:
            return
        for directory in self.paths.all:
            if is_new:
                self._disk.make_directories(directory)
            elif not self._disk.exists(directory):
                raise StoreError(
                    f"{directory}: there is no such directory: mount its disk, or make it where it is a new one"
                )

    def _names(self) -> list[int]:
        for directory in self.paths.all:
            for name in self._disk.listdir(directory):
                if name.isdigit() and len(name) == NAME_DIGITS:
                    other = self._directories.setdefault(int(name), directory)
                    if other != directory:
                        raise StoreError(f"{directory / name}: is in {other} too: take the wrong one away")
        return sorted(self._directories)

    def _fault(self, start: int) -> str | None:
        """What is wrong with the file that begins at start, as the next one after those known so far."""
        size_bytes = self._file(start).size()
        if size_bytes != self.file_size_bytes:
            return (
                f"{size_bytes} bytes long, but files of this store have {self.file_size_bytes}: restore the file, or"
                " set the size that it was written with"
            )
        if start % self.file_size_bytes or (self.starts and start != self.end):
            return "the file before it is missing: restore that one"
        return None

    @property
    def start(self) -> int:
        """Offset of the first byte of the first file; 0 without files."""
        return self.starts[0] if self.starts else 0

    @property
    def end(self) -> int:
        """Offset behind the last file; 0 without files."""
        return self.starts[-1] + self.file_size_bytes if self.starts else 0

    def start_of(self, offset: int) -> int:
        return offset - offset % self.file_size_bytes

    def contains(self, offset: int) -> bool:
        return bool(self.starts) and self.starts[0] <= offset < self.starts[-1] + self.file_size_bytes

    def ensure(self, offset: int) -> None:
        """Make the file that offset falls into, if it is not there. Only at the end of the range, or as the first.

        Its name and its length are durable before anything is written into it: a file cut short by a power loss would
        look like a foreign one."""
        start = self.start_of(offset)
        if not self.contains(start):
            self.adopt(start, self.make_file(start))

    def make_file(self, start: int) -> File:
        """Make a file on the disk without counting it; may run in another thread. adopt() follows, on the loop."""
        # One choice for each file, though the loop may need it while a thread makes it: it must never be there twice.
        directory = self._directories.setdefault(start, self.paths.for_new(start // self.file_size_bytes))
        file = self._disk.open(directory / file_name(start), size_bytes=self.file_size_bytes)
        if not self._is_derived:
            try:
                file.datasync()
                self._disk.sync_directory(directory)
            except OSError:
                file.close()
                raise
        return file

    def adopt(self, start: int, file: File) -> None:
        """Count a file that was made ahead, unless it has been counted meanwhile."""
        if self.contains(start):
            file.close()
            return
        if self.starts and start != self.end:
            # The log was cut meanwhile.
            self._open[start] = file
            self._forget(start)
            return
        self._open[start] = file
        self.starts.append(start)

    def file_at(self, offset: int) -> File:
        return self._file(self.start_of(offset))

    def files_between(self, start: int, end: int) -> list[File]:
        """The files that bytes from start to end (exclusive) are in."""
        return [self._file(one) for one in self.starts if one < end and one + self.file_size_bytes > start]

    def view(self, offset: int, size_bytes: int) -> memoryview:
        """A range inside one file."""
        start = offset - offset % self.file_size_bytes
        file = self._open.get(start) or self._file(start)
        return file.view(offset - start, size_bytes)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write a range inside one file."""
        start = offset - offset % self.file_size_bytes
        (self._open.get(start) or self._file(start)).pwrite(data, offset - start)

    def reserve(self, offset: int, size_bytes: int, ahead_bytes: int) -> int:
        """Keep room for a range inside one file, and for some more where the disk has it. Returns the offset up to
        which there is room now. Cheap when that was done before."""
        start = offset - offset % self.file_size_bytes
        needed = offset - start + size_bytes
        reserved = self._reserved.get(start, offset - start)
        if needed <= reserved:
            return start + reserved
        file = self._file(start)
        wanted = min(needed + ahead_bytes, self.file_size_bytes)
        try:
            file.reserve(reserved, wanted - reserved)
        except OSError:
            wanted = needed
            file.reserve(reserved, wanted - reserved)
        self._reserved[start] = wanted
        return start + wanted

    def zero(self, start: int, end: int) -> None:
        """Overwrite a range with zeros, leaving alone what is zero already, so that sparse files stay sparse."""
        for file_start in self.starts:
            first, last = max(start, file_start), min(end, file_start + self.file_size_bytes)
            while first < last:
                first = min(file_start + self._file(file_start).next_data(first - file_start), last)
                size_bytes = min(_CHUNK_BYTES, last - first)
                chunk = self._file(file_start).pread(size_bytes, first - file_start)
                if chunk != _ZEROS[:size_bytes]:
                    self.write(first, _ZEROS[:size_bytes])
                first += size_bytes

    def detach_before(self, offset: int, count_max: int) -> list[Path]:
        """Give up the files that end at or before offset, the oldest count_max of them. The caller removes them from
        the disk, which may take long, with unlink()."""
        count = min(bisect_left(self.starts, offset - self.file_size_bytes + 1), count_max)
        gone = self.starts[:count]
        del self.starts[:count]
        paths = [self._path(start) for start in gone]
        for start in gone:
            self._close(start)
            self._directories.pop(start, None)
        return paths

    def unlink(self, paths: list[Path]) -> None:
        """May run in another thread."""
        for path in paths:
            self._disk.remove(path)
        self._sync_directories(path.parent for path in paths)

    def remove_from(self, offset: int) -> None:
        """Remove the files that begin at or after offset, newest first."""
        first = bisect_left(self.starts, offset)
        gone = [self._forget(start) for start in reversed(self.starts[first:])]
        del self.starts[first:]
        self._sync_directories(path.parent for path in gone)

    def close(self) -> None:
        """Close the files; they are opened again when they are used again."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _file(self, start: int) -> File:
        file = self._open.get(start)
        if file is None:
            file = self._disk.open(self._path(start), size_bytes=self.file_size_bytes)
            self._open[start] = file
        return file

    def _path(self, start: int) -> Path:
        return self._directories[start] / file_name(start)

    def _forget(self, start: int) -> Path:
        """Remove a file; where it was."""
        path = self._path(start)
        self._close(start)
        del self._directories[start]
        self._disk.remove(path)
        return path

    def _sync_directories(self, directories: Iterable[Path]) -> None:
        for directory in sorted(set(directories)):
            self._disk.sync_directory(directory)

    def _close(self, start: int) -> None:
        self._reserved.pop(start, None)
        file = self._open.pop(start, None)
        if file is not None:
            file.close()


_CHUNK_BYTES = 1024 * 1024
_ZEROS = bytes(_CHUNK_BYTES)
