# SPDX-License-Identifier: Apache-2.0
"""How far the queues of POP groups are given out, ahead of the committed offsets. Answers to the offset half of
Apache's PopBufferMergeService.

A pop moves the next one's start at once, the committed offset only when its check point is stored and those of all
pops before it are: committed means that the revive topic knows of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: (topic, group, queue id)
QueueKey = tuple[str, str, int]


class Taken:
    """One pop of one queue: everything below next_offset is given out."""

    __slots__ = ("is_stored", "key", "next_offset")

    def __init__(self, key: QueueKey, next_offset: int) -> None:
        self.key = key
        self.next_offset = next_offset
        self.is_stored = False


class PopOffsets:
    def __init__(self, commit: Callable[[QueueKey, int], None]) -> None:
        self._commit = commit
        self._queues: dict[QueueKey, deque[Taken]] = {}

    def next_offset(self, key: QueueKey) -> int:
        """Where the next pop begins, -1 when nothing is under way: at the committed offset."""
        queue = self._queues.get(key)
        return queue[-1].next_offset if queue else -1

    def take(self, key: QueueKey, next_offset: int) -> Taken:
        """`stored` or `failed` must follow."""
        taken = Taken(key, next_offset)
        self._queues.setdefault(key, deque()).append(taken)
        return taken

    def stored(self, taken: Taken) -> None:
        """Its check point is in the log."""
        taken.is_stored = True
        queue = self._queues.get(taken.key)
        if queue is None or taken not in queue:
            # Reset, or one before it failed, meanwhile.
            return
        committed = -1
        while queue and queue[0].is_stored:
            committed = queue.popleft().next_offset
        if not queue:
            del self._queues[taken.key]
        if committed >= 0:
            self._commit(taken.key, committed)

    def failed(self, taken: Taken) -> None:
        """Nobody gets the messages: they, and what was given out after them, are given out again."""
        queue = self._queues.get(taken.key)
        if queue is not None and taken in queue:
            del self._queues[taken.key]

    def forget(self, key: QueueKey) -> None:
        """An administrator has set the offset."""
        self._queues.pop(key, None)

    def forget_topic(self, topic: str) -> None:
        """What is given out of it says nothing about a new topic of that name."""
        for key in [key for key in self._queues if key[0] == topic]:
            del self._queues[key]
