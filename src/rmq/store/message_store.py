# SPDX-License-Identifier: Apache-2.0
"""The store as the broker and the HA service see it (Apache's DefaultMessageStore)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..env import Disk, Reactor
    from .config import StoreConfig
    from .get_message import BoundaryType, GetResult
    from .put_message import MessageToStore, PutResult

# Apache's MAX_PULL_MSG_SIZE: no answer to a pull is larger, whatever the consumer asks for.
MAX_PULL_BYTES = 128 * 1024 * 1024


class MessageStore:
    """One broker's messages on one disk. Signatures are settled; bodies follow."""

    def __init__(
        self, config: StoreConfig, disk: Disk, reactor: Reactor, *, on_fatal: Callable[[str], None] | None = None
    ) -> None:
        """on_fatal(reason): the disk failed in a way after which nothing may be acknowledged; end the process
        non-zero."""
        raise NotImplementedError

    def load(self) -> None:
        """Blocking: lock, check identity, recover. Raises StoreError (one line)."""

    def start(self) -> None:
        """Start flushing, cleaning and taking messages. On the loop, after load()."""

    def shutdown(self) -> None:
        """Blocking, clean: everything synced, checkpoint written, abort removed, lock given back."""

    def put(self, message: MessageToStore, done: Callable[[PutResult], None]) -> None:
        """Append; done is called on the loop, never before put returns."""

    def put_batch(self, messages: Sequence[MessageToStore], done: Callable[[PutResult], None]) -> None:
        """Append messages of one queue, together in one file, answered together."""

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        max_count: int,
        max_bytes: int = MAX_PULL_BYTES,
        *,
        matches: Callable[[int], bool] | None = None,
    ) -> GetResult:
        """Records from queue_offset on; matches gets the tags code of each."""
        raise NotImplementedError

    def min_offset(self, topic: str, queue_id: int) -> int:
        """First queue offset that is still there; 0 for an unknown queue."""
        raise NotImplementedError

    def max_offset(self, topic: str, queue_id: int) -> int:
        """Next queue offset to be written; 0 for an unknown queue."""
        raise NotImplementedError

    def offset_by_time(self, topic: str, queue_id: int, timestamp_ms: int, boundary: BoundaryType | None = None) -> int:
        """LOWER (default): first message stored at or after the time, else the end. UPPER: last one at or before,
        else 0."""
        raise NotImplementedError

    def store_time(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """Store time of one message in ms; -1 where there is none."""
        raise NotImplementedError

    def earliest_store_time(self, topic: str, queue_id: int) -> int:
        """Store time of the first message in ms; -1 where there is none."""
        raise NotImplementedError

    def record_at(self, physical_offset: int) -> memoryview | None:
        """The whole record that begins there, or None where none begins."""
        raise NotImplementedError

    def message_total(self, topic: str, queue_id: int) -> int:
        raise NotImplementedError

    def queues(self) -> dict[str, list[int]]:
        """Topics that have consume queues, with their queue ids."""
        raise NotImplementedError

    def delete_topic(self, topic: str) -> None:
        raise NotImplementedError

    def runtime_info(self) -> dict[str, str]:
        raise NotImplementedError

    @property
    def min_physical_offset(self) -> int:
        raise NotImplementedError

    @property
    def max_physical_offset(self) -> int:
        """End of what is written with pwrite; what is only buffered in this tick does not count."""
        raise NotImplementedError

    @property
    def flushed_physical_offset(self) -> int:
        raise NotImplementedError

    @property
    def confirm_offset(self) -> int:
        raise NotImplementedError

    def on_arrive(self, callback: Callable[[str, int, int, int | None, int], None]) -> None:
        """callback(topic, queue_id, queue_offset, tags_code, store_time_ms), once for each queue and commit:
        queue_offset is the last new message; tags_code is its tags code, or None when several came (look into the
        queue with get)."""

    def on_commit(self, callback: Callable[[int], None]) -> None:
        """callback(end_physical_offset), once a tick, after the write."""

    def read_log(self, physical_offset: int, max_bytes: int) -> memoryview:
        """Bytes of the log as they stand, never across a file end; empty at or beyond the end. Raises StoreError
        below the first file."""
        raise NotImplementedError

    def append_raw(self, physical_offset: int, data: bytes | memoryview) -> None:
        """A slave's append: Apache's bytes as they come. Raises StoreError unless physical_offset is the end of
        what was appended so far (in an empty log: a file's start). Written at the end of this tick; then on_commit."""

    def truncate_to(self, physical_offset: int) -> None:
        """Blocking. Forget everything from physical_offset (a record's start) on, in log and queues, and zero it."""

    def replicated(self, physical_offset: int) -> None:
        """Enough slaves have everything below physical_offset (HaService's on_confirmed): release who waits for
        that."""
