# SPDX-License-Identifier: Apache-2.0
"""Topics that were deleted, and where the log ended then: `config/deletedTopics.json`, `{"TopicTest": 1234}`; ours
alone.

The records of a deleted topic stay in the log until its files go, and a queue that is made again from the log would
bring them back: after a kill, or on a slave from which a master is rebuilt. A record below its topic's mark gets no
place in a queue. A mark lies where the log was on the disk already, so that no log that lost its end ever grows
through it again with messages of a new topic of that name.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..env import Disk, Reactor

    #: Called on the loop with None, or with why it could not be written.
    Written = Callable[[Exception | None], None]

DELETED_TOPICS_FILE = "deletedTopics.json"

log = logging.getLogger(__name__)


class DeletedTopics:
    def __init__(self, disk: Disk, reactor: Reactor, path: Path) -> None:
        self.marks: dict[str, int] = {}
        """Physical offset by topic."""
        self._raw: dict[bytes, int] = {}
        self._disk = disk
        self._reactor = reactor
        self._path = path
        self._waiting: list[tuple[Callable[[], None], Written]] = []
        self._is_writing = False

    def load(self) -> None:
        """Blocking. What cannot be read is said: then topics may be back that were deleted, and no message is lost."""
        try:
            self.take(self._disk.read_bytes(self._path))
        except FileNotFoundError:
            return
        except ValueError as error:
            log.error("%s: %s: topics that were deleted may be back", self._path, error)

    def is_gone(self, topic: bytes, physical_offset: int) -> bool:
        """The record at that place is of a topic that was deleted later."""
        return physical_offset < self._raw.get(topic, 0)

    def encode(self) -> bytes:
        return json.dumps(self.marks, separators=(",", ":")).encode()

    def take(self, data: bytes) -> None:
        """From the file, or all of them from a slave's master. Raises ValueError for what is no such table."""
        table = json.loads(data)
        if not isinstance(table, dict) or not all(type(mark) is int for mark in table.values()):
            raise ValueError("this is no table of deleted topics")
        self._set(table)

    def add(self, topic: str, log_end: int, log_start: int, sync: Callable[[], None], written: Written) -> None:
        """sync: blocking; puts the log on the disk. Marks below log_start, whose records are gone, are dropped."""
        self._set({**{name: mark for name, mark in self.marks.items() if mark > log_start}, topic: log_end})
        self.persist(sync, written)

    def cap(self, log_end: int) -> bool:
        """The log ends there now: no mark may lie behind it. False where none did."""
        capped = {topic: min(mark, log_end) for topic, mark in self.marks.items()}
        is_changed = capped != self.marks
        self._set(capped)
        return is_changed

    def persist(self, before: Callable[[], None], written: Written) -> None:
        """before() and the write in a thread, one at a time."""
        self._waiting.append((before, written))
        if not self._is_writing:
            self._write()

    def persist_now(self) -> None:
        """Blocking. Raises OSError."""
        self._disk.replace_file(self._path, self.encode())

    def _set(self, marks: dict[str, int]) -> None:
        self.marks = marks
        self._raw = {topic.encode("utf-8", "surrogatepass"): mark for topic, mark in marks.items()}

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._is_writing = True
        data = self.encode()

        def work() -> None:
            for before, _ in waiting:
                before()
            self._disk.replace_file(self._path, data)

        def done(outcome: BaseException | None) -> None:
            self._is_writing = False
            fault = outcome if isinstance(outcome, Exception) else None
            if fault is not None:
                log.error("%s could not be written: %s", self._path, fault)
            for _, written in waiting:
                written(fault)
            self._write()

        self._reactor.run_blocking(work, done)
