# SPDX-License-Identifier: Apache-2.0
"""A replicated log in memory, for tests of the protocol alone; tests of both together take real stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmq.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.fakes import FakeReactor

    from rmq.store.ha.log_comparison import LogState, Range


class MemoryLog:
    """A `ReplicatedLog` in files of file_bytes. With a reactor it commits at the end of each tick, as a store does."""

    def __init__(
        self, content: bytes = b"", *, file_bytes: int = 1024, start: int = 0, reactor: FakeReactor | None = None
    ) -> None:
        self.reactor = reactor
        self.file_bytes = file_bytes
        self.start = start
        self.content = bytearray(content)
        self.pending = bytearray()
        self._callbacks: list[Callable[[int], None]] = []
        self.flush_callbacks: list[Callable[[int], None]] = []

    @property
    def min_physical_offset(self) -> int:
        return self.start

    @property
    def max_physical_offset(self) -> int:
        return self.start + len(self.content)

    @property
    def flushed_physical_offset(self) -> int:
        return self.max_physical_offset

    def flush(self) -> None:
        """Nothing is lost here."""

    def read_log(self, physical_offset: int, max_bytes: int) -> memoryview:
        if physical_offset < self.start:
            raise StoreError(f"offset {physical_offset} is deleted")
        size_bytes = min(max_bytes, self.file_bytes - physical_offset % self.file_bytes)
        position = physical_offset - self.start
        return memoryview(bytes(self.content[position : position + size_bytes]))

    def append_raw(self, physical_offset: int, data: bytes | memoryview) -> None:
        if not self.content and not self.pending and physical_offset % self.file_bytes == 0:
            self.start = physical_offset
        if physical_offset != self.max_physical_offset + len(self.pending):
            raise StoreError(f"offset {physical_offset} is not the end {self.max_physical_offset}")
        self.pending += data
        if self.reactor is not None:
            self.reactor.call_soon(self.commit)

    def on_commit(self, callback: Callable[[int], None]) -> None:
        self._callbacks.append(callback)

    def on_flush(self, callback: Callable[[int], None]) -> None:
        self.flush_callbacks.append(callback)

    def record_end_at(self, common_end: int, done: Callable[[int | BaseException], None]) -> None:
        assert self.reactor is not None
        self.reactor.call_soon(lambda: done(common_end))

    def set_tail_aside(self, start: int, done: Callable[[str], None]) -> None:
        assert self.reactor is not None
        del self.content[start - self.start :]
        self.reactor.call_soon(lambda: done("set aside"))

    def append(self, data: bytes) -> None:
        """A master's own append, committed at once."""
        self.content += data
        self._tell()

    def commit(self) -> None:
        if self.pending:
            self.content += self.pending
            self.pending.clear()
            self._tell()

    def _tell(self) -> None:
        for callback in self._callbacks:
            callback(self.max_physical_offset)


class CannotTell:
    """A `PeerLog` of Apache's: it does not know the question."""

    def ask(self, wanted: Range, answered: Callable[[LogState | None, str], None], *, verify: bool = False) -> None:
        answered(None, "")
