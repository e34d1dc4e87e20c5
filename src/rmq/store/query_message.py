# SPDX-License-Identifier: Apache-2.0
"""Messages by key: the index names places, and the records there are read and looked at."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .index_keys import has_index_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor
    from .index_query import FoundOffsets
    from .index_service import IndexService
    from .message_reader import MessageReader

log = logging.getLogger(__name__)

# Clients close a connection that brings them a frame of 16 MiB; two of the largest messages fit in any case.
QUERY_BYTES_MAX = 12 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class QueryMessageResult:
    """frames: whole records, in the log's order. How far the index is, is told only where something was found."""

    frames: list[memoryview] = field(default_factory=list)
    index_last_update_timestamp_ms: int = 0
    index_last_update_physical_offset: int = 0


class KeyQuery:
    """On the loop; the index files are searched in a thread."""

    def __init__(self, index: IndexService | None, reader: MessageReader, reactor: Reactor) -> None:
        """index: None where the store has none; nothing is found then."""
        self._index = index
        self._reader = reader
        self._reactor = reactor

    def ask(
        self,
        topic: str,
        key: str,
        between_ms: tuple[int, int],
        done: Callable[[QueryMessageResult], None],
        *,
        max_count: int,
        is_tag: bool,
    ) -> None:
        """See `MessageStore.query_message`."""
        index = self._index
        if index is None or max_count <= 0:
            self._reactor.call_soon(lambda: done(QueryMessageResult()))
            return

        def found(outcome: FoundOffsets | BaseException) -> None:
            index.queries -= 1
            if isinstance(outcome, BaseException):
                log.warning("index: a query failed: %s", outcome)
                done(QueryMessageResult())
            else:
                done(self._read_found(outcome, topic, key, is_tag=is_tag))

        def search() -> None:
            index.queries += 1
            query = index.query(topic, key, between_ms, max_count=max_count, is_tag=is_tag)
            self._reactor.run_blocking(query.run, found)

        index.when_complete(search)

    def _read_found(self, found: FoundOffsets, topic: str, key: str, *, is_tag: bool) -> QueryMessageResult:
        """The newest as far as they fit. A hash is not a key: records of other keys are left out here, which Apache
        leaves to the client."""
        frames: list[memoryview] = []
        size_bytes = 0
        for physical_offset in reversed(found.physical_offsets):
            record = self._reader.record_at(physical_offset)
            if record is None or record[1].topic.decode("utf-8", "replace") != topic:
                continue
            if not has_index_key(record[1].properties.decode("utf-8", "replace"), key, is_tag=is_tag):
                continue
            size_bytes += len(record[0])
            if frames and size_bytes > QUERY_BYTES_MAX:
                break
            frames.append(record[0])
        if not frames:
            return QueryMessageResult()
        return QueryMessageResult(frames[::-1], found.last_update_timestamp_ms, found.last_update_physical_offset)
