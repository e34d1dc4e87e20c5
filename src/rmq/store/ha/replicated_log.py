# SPDX-License-Identifier: Apache-2.0
"""What replication needs of a store: its log as numbered bytes. `MessageStore` provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class ReplicatedLog(Protocol):
    """A log of bytes from min_physical_offset to max_physical_offset, in files of one size."""

    @property
    def min_physical_offset(self) -> int:
        """Start of the oldest file: a multiple of the file size; 0 in an empty log."""
        ...

    @property
    def max_physical_offset(self) -> int:
        """End of what is written (not: flushed); 0 in an empty log."""
        ...

    def read_log(self, physical_offset: int, max_bytes: int) -> memoryview:
        """Up to max_bytes bytes, fewer at the end of a file, none at the end of the log. StoreError below its start."""
        ...

    def append_raw(self, physical_offset: int, data: bytes | memoryview) -> None:
        """Append in this tick's commit. StoreError unless that is the end (in an empty log: the start of a file)."""
        ...

    def on_commit(self, callback: Callable[[int], None]) -> None:
        """Call back with the new end once a tick, after the write."""
        ...

    def on_flush(self, callback: Callable[[int], None]) -> None:
        """Call back with the offset below which everything is durable, after each fdatasync."""
        ...


class FollowerLog(ReplicatedLog, Protocol):
    """The log of a slave."""

    @property
    def flushed_physical_offset(self) -> int:
        """End of what is on the disk."""
        ...

    def flush(self) -> None:
        """Put on the disk what is written; on_flush follows."""
        ...

    def record_end_at(self, common_end: int, done: Callable[[int | BaseException], None]) -> None:
        """done(end of the last whole record that ends at or below common_end), never before this returns."""
        ...

    def set_tail_aside(self, start: int, done: Callable[[str], None]) -> None:
        """Keep what lies behind start, a record's end, in a file of its own, and let the log end there. done(what was
        done, or why it could not be), never before this returns."""
        ...
