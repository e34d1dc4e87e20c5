# SPDX-License-Identifier: Apache-2.0
"""A search in the index files: made on the loop, run in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .index_file import IndexChain

# Entries one query looks at: some seconds of a thread. Only a slot that a much used tag falls into has so many.
QUERY_ENTRIES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundOffsets:
    """physical_offsets: of records whose key has the hash, ascending. The rest says how far the index is."""

    physical_offsets: list[int]
    last_update_timestamp_ms: int = 0
    last_update_physical_offset: int = 0


@dataclass(frozen=True, slots=True)
class IndexQuery:
    chains: list[IndexChain]
    key_hash: int
    max_count: int
    between_ms: tuple[int, int]
    min_physical_offset: int
    until: tuple[int, int]

    def run(self) -> FoundOffsets:
        """Blocking. Raises OSError."""
        # A record that was mended may have entries twice.
        found: set[int] = set()
        looked_at = 0
        begin_ms, end_ms = self.between_ms
        for chain in self.chains:
            for key_hash, physical_offset, stored_ms in chain.walk():
                looked_at += 1
                if physical_offset < self.min_physical_offset or looked_at > QUERY_ENTRIES_MAX:
                    break
                if key_hash == self.key_hash and begin_ms <= stored_ms <= end_ms:
                    found.add(physical_offset)
                if stored_ms < begin_ms or len(found) >= self.max_count:
                    break
            if len(found) >= self.max_count:
                break
        return FoundOffsets(sorted(found), *self.until)
