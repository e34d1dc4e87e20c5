# SPDX-License-Identifier: Apache-2.0
"""What `MessageStore.query_message` answers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueryMessageResult:
    """frames: whole records, in the log's order. How far the index is, is told only where something was found."""

    frames: list[memoryview] = field(default_factory=list)
    index_last_update_timestamp_ms: int = 0
    index_last_update_physical_offset: int = 0
