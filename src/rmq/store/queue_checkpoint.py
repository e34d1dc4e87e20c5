# SPDX-License-Identifier: Apache-2.0
"""What is known about the consume queues at one moment, so that a start need not read the whole log.

`queueCheckpoint.json` in the store's root is ours alone; Apache leaves it untouched:

    {"physicalOffset": P, "clean": true, "queues": {"TopicTest": {"0": [first, end]}}}

It is written after log and queues were synced, and says: every record below P that belongs into a queue has its unit
there, on the disk, at a queue offset in [first, end). It is a hint to be checked: a queue whose files still hold
[first, end) is complete up to P, whatever was appended since, by whichever engine; a queue that is shorter is rebuilt
from its own end; one whose beginning is missing is rebuilt from the start of the log. Without the file everything is.
`clean` says that the log ended at P.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

QueueKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class QueueCheckpoint:
    physical_offset: int
    clean: bool = False
    queues: dict[QueueKey, tuple[int, int]] = field(default_factory=dict)
    """First and end queue offset by topic and queue id."""

    def encode(self) -> bytes:
        topics: dict[str, dict[str, list[int]]] = {}
        for (topic, queue_id), (first, end) in self.queues.items():
            topics.setdefault(topic, {})[str(queue_id)] = [first, end]
        value = {"physicalOffset": self.physical_offset, "clean": self.clean, "queues": topics}
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
            return cls(int(value["physicalOffset"]), bool(value["clean"]), queues)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
