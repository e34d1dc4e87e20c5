# SPDX-License-Identifier: Apache-2.0
"""The disk as the server half sees it.

Every call may block, and may raise OSError (ENOSPC and EIO are ordinary events for a store). A write is safe from a
crash of the process when `pwrite` has returned, and from a crash of the machine when `datasync` (content) and
`sync_directory` (names) have returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class File(Protocol):
    """One open file of a fixed length, or growing where it is opened without a size."""

    @property
    def path(self) -> Path: ...

    def size(self) -> int: ...

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Write all of data at position, or raise OSError (the range is then undefined)."""
        ...

    def pread(self, size_bytes: int, position: int) -> bytes:
        """Up to size_bytes bytes from position: fewer only at the end of the file."""
        ...

    def view(self, position: int, size_bytes: int) -> memoryview:
        """The same bytes without a copy, from a read-only map. Only ranges inside the file's length."""
        ...

    def next_data(self, position: int) -> int:
        """Where the next byte that may be other than zero is, at or after position; the length where only holes follow.
        A system that cannot tell answers position itself."""
        ...

    def reserve(self, position: int, size_bytes: int) -> None:
        """Make the file system keep room for this range (fallocate), so that a later write into it cannot fail for
        space."""
        ...

    def datasync(self) -> None:
        """fdatasync. After an OSError here nothing about earlier writes is known any more: stop acknowledging.
        The next calls for this file raise as well.

        Runs in a thread, and the loop may close a file meanwhile, because it removes it (a topic is deleted): there is
        nothing to sync then, and that is no error."""
        ...

    def truncate(self, size_bytes: int) -> None: ...

    def close(self) -> None: ...


class Disk(Protocol):
    """A file system. Paths are absolute."""

    def open(self, path: Path, *, size_bytes: int | None = None) -> File:
        """Open for reading and writing. A missing file is made (with its directories), sparse, of size_bytes or empty;
        an existing one keeps its length whatever size_bytes says."""
        ...

    def exists(self, path: Path) -> bool: ...

    def listdir(self, path: Path) -> list[str]:
        """Names in a directory, sorted; empty where there is no such directory."""
        ...

    def make_directories(self, path: Path) -> None: ...

    def read_bytes(self, path: Path) -> bytes:
        """Raises FileNotFoundError."""
        ...

    def replace_file(self, path: Path, data: bytes, *, private: bool = False) -> None:
        """Temporary file beside it, fsync, rename, fsync of the directory: readers see the old content or the new,
        never a mix. A private file is for this process's user alone, from its first byte on."""
        ...

    def rename(self, source: Path, target: Path) -> None: ...

    def remove(self, path: Path) -> None:
        """Nothing happens where the file is missing."""
        ...

    def sync_directory(self, path: Path) -> None: ...

    def used_ratio(self, path: Path) -> float:
        """Used share of the file system that holds path, 0.0 to 1.0."""
        ...

    def lock(self, path: Path) -> AbstractContextManager[None]:
        """Exclusive lock on byte 0 of the file, held until the context ends. Raises BlockingIOError whose message
        names the process that holds it, where the system tells."""
        ...
