# SPDX-License-Identifier: Apache-2.0
"""`rmq.env.Disk` on POSIX files: `pwrite` to write, a read-only map to read, `fdatasync` to be sure.

The map is never written through and never flushed: `mmap.flush` holds the interpreter's lock for as long as the disk
needs, `os.fdatasync` in a thread does not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import threading
from typing import TYPE_CHECKING

from .file_lock import lock_holder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE_MODE = 0o644
_PRIVATE_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o755


class SystemFile:
    """One open file. `pwrite`, `pread` and `datasync` may run in any thread, but not beside `truncate` or `close`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._mapped: memoryview | None = None
        self._sync_lock = threading.Lock()
        self._sync_error: OSError | None = None

    @property
    def path(self) -> Path:
        return self._path

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        written = os.pwrite(self._descriptor, data, position)
        if written == len(data):
            return
        view = memoryview(data).cast("B")
        while written < len(view):
            step = os.pwrite(self._descriptor, view[written:], position + written)
            if step == 0:
                raise OSError(errno.EIO, "the system wrote nothing", str(self._path))
            written += step

    def pread(self, size_bytes: int, position: int) -> bytes:
        data = os.pread(self._descriptor, size_bytes, position)
        if len(data) == size_bytes or not data:
            return data
        pieces = [data]
        missing = size_bytes - len(data)
        while missing:
            piece = os.pread(self._descriptor, missing, position + size_bytes - missing)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def view(self, position: int, size_bytes: int) -> memoryview:
        end = position + size_bytes
        mapped = self._mapped
        if mapped is None or end > len(mapped):
            mapped = self._remap(end)
        return mapped[position:end]

    def _remap(self, end: int) -> memoryview:
        """Map the whole file as it is now. Older views keep the older map alive until they are gone."""
        length = self.size()
        if end > length:
            raise ValueError(f"{self._path}: range ends at {end}, the file at {length}")
        if length == 0:
            return memoryview(b"")
        self._map = mmap.mmap(self._descriptor, length, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        self._mapped = memoryview(self._map)
        return self._mapped

    def next_data(self, position: int) -> int:
        try:
            return os.lseek(self._descriptor, position, os.SEEK_DATA)
        except OSError as error:
            return self.size() if error.errno == errno.ENXIO else position

    def reserve(self, position: int, size_bytes: int) -> None:
        """Never makes the file longer. A file system that cannot reserve (its right) leaves the write to find out."""
        size_bytes = min(size_bytes, self.size() - position)
        if size_bytes <= 0:
            return
        try:
            os.posix_fallocate(self._descriptor, position, size_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                raise

    def datasync(self) -> None:
        """The kernel tells of a lost write once for each open file, to one of those who sync it at the same time: so
        one at a time, and everybody after it is told what the first was told."""
        with self._sync_lock:
            if self._sync_error is not None:
                raise self._sync_error
            descriptor = self._descriptor
            if descriptor < 0:
                return
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                if error.errno != errno.EBADF or self._descriptor >= 0:
                    self._sync_error = error
                    raise

    def truncate(self, size_bytes: int) -> None:
        """The map goes first: reading a mapped page behind the file's end kills the process (SIGBUS)."""
        self._drop_map()
        os.ftruncate(self._descriptor, size_bytes)

    def close(self) -> None:
        """Views that were given out stay readable; the system unmaps when the last one is gone."""
        self._drop_map()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _drop_map(self) -> None:
        self._mapped = None
        self._map = None


class SystemDisk:
    """The file system of this machine."""

    # fcntl locks belong to the process: a second lock in the same process would succeed, so those are counted here.
    _own_locks: set[tuple[int, int]] = set()
    _own_locks_guard = threading.Lock()

    def open(self, path: Path, *, size_bytes: int | None = None) -> SystemFile:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return SystemFile(path, os.open(path, flags))
        except FileNotFoundError:
            self.make_directories(path.parent)
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        try:
            if size_bytes:
                os.ftruncate(descriptor, size_bytes)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return SystemFile(path, descriptor)

    def exists(self, path: Path) -> bool:
        return path.exists()

    def listdir(self, path: Path) -> list[str]:
        try:
            return sorted(os.listdir(path))  # noqa: PTH208 (names, not paths, and a third of the time)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def make_directories(self, path: Path) -> None:
        path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)

    def read_bytes(self, path: Path) -> bytes:
        return path.read_bytes()

    def replace_file(self, path: Path, data: bytes, *, private: bool = False) -> None:
        self.make_directories(path.parent)
        temporary = path.with_name(path.name + ".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        if private:
            # One that a crash has left may be of another mode.
            temporary.unlink(missing_ok=True)
            flags |= os.O_EXCL
        descriptor = os.open(temporary, flags, _PRIVATE_FILE_MODE if private else _FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self.sync_directory(path.parent)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def used_ratio(self, path: Path) -> float:
        """As `df` counts: blocks that only root may use are not free."""
        while not path.exists() and path != path.parent:
            path = path.parent
        status = os.statvfs(path)
        used = status.f_blocks - status.f_bfree
        total = used + status.f_bavail
        return used / total if total else 0.0

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[None]:
        """fcntl lock, which Java's `FileChannel.tryLock` sees too. While it is held nobody in this process may open and
        close the file by another way: closing any descriptor of it gives the lock back."""
        self.make_directories(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        with self._own_locks_guard:
            if identity in self._own_locks:
                # The descriptor stays open on purpose: closing it would free the lock that is held.
                raise BlockingIOError(errno.EAGAIN, f"locked by this process ({os.getpid()})", str(path))
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, os.SEEK_SET)
            except OSError as error:
                text = f"locked by {_holder_text(descriptor)}"
                os.close(descriptor)
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise BlockingIOError(errno.EAGAIN, text, str(path)) from None
            self._own_locks.add(identity)
        try:
            yield
        finally:
            with self._own_locks_guard:
                self._own_locks.discard(identity)
                os.close(descriptor)


def _holder_text(descriptor: int) -> str:
    """As far as the kernel says: a process of another pid namespace has no number here."""
    try:
        pid = lock_holder(descriptor)
    except OSError:
        pid = None
    return f"process {pid}" if pid else "another process"
