# SPDX-License-Identifier: Apache-2.0
"""What is known about the consume queues at one moment, so that a start need not read the whole log.

`queueCheckpoint.json` in the store's root is ours alone; Apache leaves it untouched:

    {"physicalOffset": P, "tailCrc": C, "clean": true, "queues": {"TopicTest": {"0": [first, end]}},
     "damaged": [[4096, 4310]],
     "index": {"physicalOffset": I, "files": {"20261122102719616": "header, 40 bytes in hex"}}}

It is written after log and queues were synced, and says: every record below P that belongs into a queue has its unit
there, on the disk, at a queue offset in [first, end). It is a hint to be checked: a queue whose files still hold
[first, end) is complete up to P, whatever was appended since, by whichever engine; a queue that is shorter is rebuilt
from its own end; one whose beginning is missing is rebuilt from the start of the log. Without the file everything is.
`clean` says that the log ended at P. C is the CRC-32 of the last bytes below P: a log that has others there was cut
and written anew since, and the file says nothing about it. `damaged` are the ranges that hold no record and have been
walked over: the next start does not walk there again.

The same for the index: every record below I is in the index files named, which were on the disk with these headers.
Without `index` (messageIndexEnable=false, or another engine's store) the index files are made anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .index_file import HEADER_BYTES as INDEX_HEADER_BYTES

if TYPE_CHECKING:
    from .mapped_file_queue import MappedFileQueue

# Less than the smallest record, more than what two logs have in common by chance: a record's own place is in it.
_TAIL_BYTES = 64

QueueKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class IndexCheckpoint:
    physical_offset: int
    files: dict[str, bytes] = field(default_factory=dict)
    """Header by file name."""


@dataclass(frozen=True, slots=True)
class QueueCheckpoint:
    physical_offset: int
    tail_crc: int
    clean: bool = False
    queues: dict[QueueKey, tuple[int, int]] = field(default_factory=dict)
    """First and end queue offset by topic and queue id."""
    damaged: list[tuple[int, int]] = field(default_factory=list)
    """[from, to) in physical offsets."""
    index: IndexCheckpoint | None = None

    def encode(self) -> bytes:
        topics: dict[str, dict[str, list[int]]] = {}
        for (topic, queue_id), (first, end) in self.queues.items():
            topics.setdefault(topic, {})[str(queue_id)] = [first, end]
        value: dict[str, object] = {
            "physicalOffset": self.physical_offset,
            "tailCrc": self.tail_crc,
            "clean": self.clean,
            "queues": topics,
            "damaged": self.damaged,
        }
        if self.index is not None:
            files = {name: header.hex() for name, header in self.index.files.items()}
            value["index"] = {"physicalOffset": self.index.physical_offset, "files": files}
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> QueueCheckpoint | None:
        """None for anything that this class did not write: then there is no hint."""
        try:
            value = json.loads(data)
            queues = {
                (str(topic), int(queue_id)): (int(first), int(end))
                for topic, ends in value["queues"].items()
                for queue_id, (first, end) in ends.items()
            }
            index = _index_checkpoint(value["index"]) if "index" in value else None
            damaged = [(int(start), int(end)) for start, end in value["damaged"]]
            position = int(value["physicalOffset"])
            return cls(position, int(value["tailCrc"]), bool(value["clean"]), queues, damaged, index)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return None


def tail_crc(files: MappedFileQueue, end: int) -> int:
    """CRC-32 of the last bytes of the log below `end`, within one file; 0 where there is none. May raise OSError."""
    if not files.contains(end - 1):
        return 0
    start = max(files.start_of(end - 1), end - _TAIL_BYTES)
    return crc32(files.view(start, end - start))


def _index_checkpoint(value: dict[str, Any]) -> IndexCheckpoint:
    files = {str(name): bytes.fromhex(header) for name, header in value["files"].items()}
    if any(len(header) != INDEX_HEADER_BYTES for header in files.values()):
        raise ValueError("an index file's header has 40 bytes")
    return IndexCheckpoint(int(value["physicalOffset"]), files)
