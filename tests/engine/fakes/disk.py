# SPDX-License-Identifier: Apache-2.0
"""A file system in memory that can lose what was not synced.

Two states are kept for each file and for each directory entry: what programs see now, and what a crash of the
machine leaves.

| call | seen now | survives `crash()` |
|---|---|---|
| pwrite, truncate | at once | after `datasync` of that file |
| open (new), rename, remove | at once | after `sync_directory` of the directory |
| replace_file | at once | at once, and all names of the directory with it |

A crash of the process alone (kill -9) is `kill()`: locks are gone and open files are dead, but no byte is lost.
"""

from __future__ import annotations

import errno
import os
import random
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BYTES = 4096
SECTOR_BYTES = 512

Data = bytes | bytearray | memoryview


class SimulatedCrash(BaseException):
    """The machine stopped in the middle of this call. Not an Exception: no handler may eat it."""


class Inode:
    """Content of one file: as seen, as synced, and the unsynced writes between the two in their order."""

    def __init__(self, size_bytes: int) -> None:
        self.content = bytearray(size_bytes)
        self.durable = bytearray()
        self.unsynced: list[tuple[int, bytes]] = []
        self.blocks: set[int] = set()

    def write(self, data: Data, position: int) -> None:
        end = position + len(data)
        if end > len(self.content):
            self.resize(end)
        self.content[position:end] = data
        self.unsynced.append((position, bytes(data)))

    def resize(self, size_bytes: int) -> None:
        # A new bytearray: views handed out earlier keep the old one, which a resize in place would not allow.
        self.content = bytearray(self.content[:size_bytes]) + bytearray(max(0, size_bytes - len(self.content)))
        self.blocks = {block for block in self.blocks if block * BLOCK_BYTES < size_bytes}

    def sync(self) -> None:
        if len(self.durable) != len(self.content):
            self.durable = bytearray(self.content)
        else:
            for position, data in self.unsynced:
                self.durable[position : position + len(data)] = data[: max(0, len(self.durable) - position)]
        self.unsynced.clear()

    def lose_unsynced(self, choose: Callable[[int], int]) -> None:
        """Keep, of each unsynced write, the first choose(length) bytes, and the synced content of the rest.

        A file whose length was never synced keeps the length that its surviving bytes need."""
        content = bytearray(self.durable)
        for position, data in self.unsynced:
            kept = data[: choose(len(data))]
            if not kept:
                continue
            if position + len(kept) > len(content):
                content.extend(bytes(position + len(kept) - len(content)))
            content[position : position + len(kept)] = kept
        self.content = content
        self.durable = bytearray(content)
        self.unsynced.clear()


class FakeFile:
    """`rmq.env.File` over an inode. Dead after the crash or the kill of the process that opened it."""

    def __init__(self, disk: FakeDisk, path: Path, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._life = disk.life
        self._closed = False
        self._sync_error: OSError | None = None

    @property
    def path(self) -> Path:
        return self._path

    def size(self) -> int:
        return len(self._alive().content)

    def pwrite(self, data: Data, position: int) -> None:
        inode = self._alive()
        data = bytes(data)

        def torn(length: int) -> None:
            inode.write(data[:length], position)

        self._disk.mutate("pwrite", self._path, torn=torn, length=len(data))
        self._disk.allocate(inode, position, len(data))
        inode.write(data, position)

    def pread(self, size_bytes: int, position: int) -> bytes:
        inode = self._alive()
        self._disk.observe("pread", self._path)
        return bytes(inode.content[position : position + size_bytes])

    def view(self, position: int, size_bytes: int) -> memoryview:
        inode = self._alive()
        if position < 0 or size_bytes < 0 or position + size_bytes > len(inode.content):
            raise ValueError(f"{self._path}: view {position}+{size_bytes} outside of {len(inode.content)} bytes")
        self._disk.observe("view", self._path)
        return memoryview(inode.content).toreadonly()[position : position + size_bytes]

    def next_data(self, position: int) -> int:
        inode = self._alive()
        blocks = [block for block in inode.blocks if (block + 1) * BLOCK_BYTES > position]
        return max(position, min(blocks) * BLOCK_BYTES) if blocks else len(inode.content)

    def reserve(self, position: int, size_bytes: int) -> None:
        inode = self._alive()
        self._disk.mutate("reserve", self._path)
        self._disk.allocate(inode, position, size_bytes)

    def datasync(self) -> None:
        if self._closed and self._life == self._disk.life:
            return
        inode = self._alive()
        if self._sync_error is not None:
            raise self._sync_error
        try:
            self._disk.mutate("datasync", self._path)
        except OSError as error:
            self._sync_error = error
            raise
        inode.sync()

    def truncate(self, size_bytes: int) -> None:
        inode = self._alive()
        self._disk.mutate("truncate", self._path)
        inode.resize(size_bytes)

    def close(self) -> None:
        self._closed = True

    def _alive(self) -> Inode:
        if self._closed or self._life != self._disk.life:
            raise ValueError(f"{self._path}: file is closed")
        return self._inode


class FakeDisk:
    """`rmq.env.Disk` in memory, with faults.

    capacity_bytes: writes and reservations that need more blocks than this raise ENOSPC.
    fail(): the next calls of an operation raise an error.
    crash_at: the number of the mutating call (from 1) that becomes a crash.
    """

    def __init__(self, *, capacity_bytes: int = 1 << 50, pid: int = 4711, seed: int = 0) -> None:
        self.capacity_bytes = capacity_bytes
        self.pid = pid
        self.random = random.Random(seed)
        self.life = 0
        self.mutations = 0
        self.crash_at: int | None = None
        self.operations: list[tuple[str, Path]] = []
        self._names: dict[Path, Inode] = {}
        self._durable_names: dict[Path, Inode] = {}
        self._directories: set[Path] = {Path("/")}
        self._locks: dict[Path, int] = {}
        #: Whose mode lets nobody else read them.
        self.private_files: set[Path] = set()
        self._faults: list[tuple[str, str, int, int]] = []

    # -- rmq.env.Disk

    def open(self, path: Path, *, size_bytes: int | None = None) -> FakeFile:
        inode = self._names.get(path)
        if inode is None:
            self.mutate("open", path)
            self.make_directories(path.parent)
            inode = Inode(size_bytes or 0)
            self._names[path] = inode
        return FakeFile(self, path, inode)

    def exists(self, path: Path) -> bool:
        return path in self._names or path in self._directories

    def listdir(self, path: Path) -> list[str]:
        names = {entry.name for entry in self._names if entry.parent == path}
        names.update(entry.name for entry in self._directories if entry.parent == path and entry != path)
        return sorted(names)

    def make_directories(self, path: Path) -> None:
        self._directories.update((path, *path.parents))

    def read_bytes(self, path: Path) -> bytes:
        inode = self._names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self.observe("read_bytes", path)
        return bytes(inode.content)

    def replace_file(self, path: Path, data: bytes, *, private: bool = False) -> None:
        self.mutate("replace_file", path)
        self.private_files.discard(path)
        if private:
            self.private_files.add(path)
        self.make_directories(path.parent)
        inode = Inode(0)
        self.allocate(inode, 0, len(data))
        inode.write(data, 0)
        inode.sync()
        self._names[path] = inode
        self._make_names_durable(path.parent)

    def rename(self, source: Path, target: Path) -> None:
        self.mutate("rename", source)
        if source in self._directories:
            self._rename_directory(source, target)
            return
        if source not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))
        self._names[target] = self._names.pop(source)

    def remove(self, path: Path) -> None:
        self.mutate("remove", path)
        if path in self._directories:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        self._names.pop(path, None)

    def sync_directory(self, path: Path) -> None:
        self.mutate("sync_directory", path)
        self._make_names_durable(path)

    def _make_names_durable(self, path: Path) -> None:
        kept = {entry: inode for entry, inode in self._durable_names.items() if entry.parent != path}
        kept.update((entry, inode) for entry, inode in self._names.items() if entry.parent == path)
        self._durable_names = kept

    def used_ratio(self, path: Path) -> float:
        return self.used_bytes / self.capacity_bytes

    def lock(self, path: Path) -> AbstractContextManager[None]:
        return self._lock(path)

    # -- faults

    @property
    def used_bytes(self) -> int:
        return BLOCK_BYTES * sum(len(inode.blocks) for inode in self._names.values())

    def fail(self, operation: str, error: int = errno.EIO, *, path_contains: str = "", times: int = 1) -> None:
        """The next `times` calls of an operation ("pwrite", "datasync", "open"...) on such a path raise error."""
        self._faults.append((operation, path_contains, error, times))

    def heal(self) -> None:
        self._faults.clear()

    def kill(self) -> None:
        """The process is gone (kill -9): locks are free, its files are dead, every byte it wrote is there."""
        self.life += 1
        self._locks.clear()
        self.crash_at = None

    def crash(self, lose: str = "all") -> None:
        """The machine lost power. What was synced is there; of the rest: "all" is lost, "none" is lost, or the seeded
        dice decide for each write ("some": kept, lost, or torn at a sector)."""
        self.kill()
        if lose == "none":
            return
        if lose == "some":
            names = {**self._durable_names}
            for path, inode in sorted(self._names.items()):
                if path not in names and self.random.random() < 0.5:
                    names[path] = inode
        else:
            names = dict(self._durable_names)
        choose: Callable[[int], int] = self._keep_some if lose == "some" else (lambda length: 0)
        for inode in {id(inode): inode for inode in names.values()}.values():
            inode.lose_unsynced(choose)
        self._names = dict(names)
        self._durable_names = names

    def corrupt(self, path: Path, position: int, data: bytes) -> None:
        """Bytes change on the platter, behind everybody's back."""
        inode = self._names[path]
        inode.content[position : position + len(data)] = data
        if len(inode.durable) >= position + len(data):
            inode.durable[position : position + len(data)] = data

    def files(self) -> dict[Path, bytes]:
        """All files with their content, for comparisons."""
        return {path: bytes(inode.content) for path, inode in sorted(self._names.items())}

    def another_process(self, pid: int) -> FakeDisk:
        """The same file system as a second process sees it: locks of the first are in its way."""
        other = FakeDisk.__new__(FakeDisk)
        other.__dict__.update(self.__dict__)
        other.pid = pid
        return other

    # -- what files call

    def mutate(self, operation: str, path: Path, *, torn: Callable[[int], None] | None = None, length: int = 0) -> None:
        """Count a mutating call; make it a crash or an error where that was asked for."""
        self.mutations += 1
        self.operations.append((operation, path))
        if self.crash_at is not None and self.mutations >= self.crash_at:
            if torn is not None:
                torn(self.random.randrange(length + 1) // SECTOR_BYTES * SECTOR_BYTES)
            self.life += 1
            raise SimulatedCrash(f"{operation} {path}")
        self.observe(operation, path)

    def observe(self, operation: str, path: Path) -> None:
        for index, (name, part, error, times) in enumerate(self._faults):
            if name == operation and part in str(path):
                if times > 1:
                    self._faults[index] = (name, part, error, times - 1)
                else:
                    del self._faults[index]
                raise OSError(error, os.strerror(error), str(path))

    def allocate(self, inode: Inode, position: int, size_bytes: int) -> None:
        if size_bytes <= 0:
            return
        blocks = set(range(position // BLOCK_BYTES, (position + size_bytes - 1) // BLOCK_BYTES + 1)) - inode.blocks
        if blocks and self.used_bytes + len(blocks) * BLOCK_BYTES > self.capacity_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        inode.blocks |= blocks

    def _keep_some(self, length: int) -> int:
        dice = self.random.random()
        if dice < 0.4:
            return 0
        if dice < 0.7:
            return length
        return self.random.randrange(length + 1) // SECTOR_BYTES * SECTOR_BYTES

    def _rename_directory(self, source: Path, target: Path) -> None:
        for path in [path for path in self._names if source in path.parents]:
            self._names[target / path.relative_to(source)] = self._names.pop(path)
        moved = {path for path in self._directories if path == source or source in path.parents}
        self._directories -= moved
        self._directories |= {target / path.relative_to(source) for path in moved}

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        holder = self._locks.get(path)
        if holder is not None:
            raise BlockingIOError(errno.EAGAIN, f"{path} is locked by process {holder}")
        if path not in self._names:
            self.open(path)
        self._locks[path] = self.pid
        life = self.life
        try:
            yield
        finally:
            # After a kill the lock may be somebody else's by now.
            if life == self.life:
                self._locks.pop(path, None)
