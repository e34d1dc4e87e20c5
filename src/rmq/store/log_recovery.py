# SPDX-License-Identifier: Apache-2.0
"""Finds the end of the commit log and makes the consume queues whole again, after a clean stop or any other.

    [ complete in all queues | walked: units made again | end | zeros ]
                             ^ start                    ^ end

1. *start*: below it every queue is known to be complete, by the queue checkpoint where a queue's files still agree
with it, else by the queue's own last unit; the smallest of all counts. No queue is trusted because another one knows
more. 2. Queues are cut at start; the log is walked from there, every record is checked, and gives its unit. 3. Where
no intact record stands, the next one is searched: first where TOTALSIZE points, then by magic code and physical
offset, then at the start of the next file. Found: the range between is damage, named and counted, and the walk goes
on. Not found, but the queue checkpoint saw the log end further on: it is damage up to there. Else this is the end. What
lies behind it (a torn write) is overwritten with zeros, so that it can never come back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .consume_queue import FILLER_SIZE
from .log_scan import find_next
from .queue_checkpoint import tail_crc
from .record import is_blank, scan_record
from .record_dispatcher import RecordDispatcher

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .consume_queue import ConsumeQueue
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexService
    from .queue_checkpoint import QueueCheckpoint

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RecoveryReport:
    start: int
    end: int = 0
    records: int = 0
    last_store_timestamp_ms: int = 0
    damaged_ranges: list[tuple[int, int]] = field(default_factory=list)
    """[from, to) in physical offsets."""


class LogRecovery:
    def __init__(
        self,
        commit_log: CommitLog,
        queues: ConsumeQueueStore,
        index: IndexService | None,
        hint: QueueCheckpoint | None,
    ) -> None:
        self._log = commit_log
        self._files = commit_log.files
        self._queues = queues
        self._index = index
        self._hint = hint
        self._report = RecoveryReport(0)
        # Nobody waits for the index: it catches up when the store has started.
        self._dispatcher = RecordDispatcher(queues, index=None, refused=self._refused)

    def run(self) -> RecoveryReport:
        """Files are found already (load() of both). Blocking; may raise OSError."""
        self._check_hint()
        index_complete = self._load_index()
        if not self._files.starts:
            self._cut_queues(0)
            self._cut_index(0)
            self._log.open_at(0, flushed=0)
            return self._report
        start = self._at_record(self._safe_start())
        self._report.start = start
        if self._hint is not None:
            first = self._files.start
            known = [(max(one[0], first), one[1]) for one in self._hint.damaged if first < one[1] <= start]
            self._report.damaged_ranges += known
        self._cut_queues(start)
        end, clean = self._walk(start)
        self._report.end = end
        self._report.records = self._dispatcher.records
        self._report.last_store_timestamp_ms = self._dispatcher.last_store_timestamp_ms
        if not clean:
            self._log.truncate(end)
        self._log.open_at(end, flushed=start)
        self._cut_index(end)
        if self._index is not None and index_complete < end:
            self._index.begin_behind(self._at_record(max(index_complete, self._files.start)))
        for queue in self._queues:
            queue.commit()
            queue.write()
            queue.correct_min_offset(self._log.min_offset)
        return self._report

    def _load_index(self) -> int:
        """The physical offset up to which the index is complete."""
        if self._index is None:
            return self._files.end
        if self._hint is None:
            return self._index.load(None, is_clean=False)
        return self._index.load(self._hint.index, is_clean=self._hint.clean)

    def _cut_index(self, end: int) -> None:
        if self._index is not None:
            self._index.cut(end)

    # -- where to start

    def _check_hint(self) -> None:
        """A checkpoint may be written by a thread that was late: after the log was cut, and before it grew again."""
        hint = self._hint
        if hint is None or not self._files.contains(hint.physical_offset - 1):
            return
        if tail_crc(self._files, hint.physical_offset) != hint.tail_crc:
            log.warning("the queue checkpoint is of another log than this: all queues are made again")
            self._hint = None

    def _safe_start(self) -> int:
        first = self._files.start
        if self._hint is None:
            return first
        start = self._hint.physical_offset
        known = dict.fromkeys(self._hint.queues)
        known.update(dict.fromkeys(self._queues.table))
        for key in known:
            queue = self._queues.table.get(key)
            wanted = self._hint.queues.get(key)
            if wanted is not None:
                start = min(start, self._complete_up_to(key[0], queue, wanted))
        if start > self._files.end:
            # The log lost files at its end, so the hint says nothing about the last one that is there.
            start = self._files.starts[-1]
        return max(start, first)

    def _complete_up_to(self, topic: str, queue: ConsumeQueue | None, wanted: tuple[int, int]) -> int:
        """The physical offset below which this queue has all its units."""
        assert self._hint is not None
        first, end = wanted
        if queue is None:
            has_none = first == end or self._queues.is_gone(topic, self._hint.physical_offset - 1)
            return self._hint.physical_offset if has_none else 0
        if queue.first_stored > first:
            log.warning("consume queue %s %d: its beginning is missing, it is rebuilt", queue.topic, queue.queue_id)
            queue.clear()
            return 0
        if queue.max_offset >= end:
            return self._hint.physical_offset
        log.warning(
            "consume queue %s %d ends at %d instead of %d: the rest is rebuilt",
            queue.topic,
            queue.queue_id,
            queue.max_offset,
            end,
        )
        return self._end_of(queue)

    def _end_of(self, queue: ConsumeQueue) -> int:
        """Where the record of the queue's last unit ends; 0 for an empty queue."""
        if queue.is_empty:
            return 0
        physical_offset, size, _ = queue.unit(queue.max_offset - 1)
        return physical_offset + (0 if size == FILLER_SIZE else size)

    def _at_record(self, start: int) -> int:
        """start, where a record, a blank one or zeros begin, or a unit's record ends (half a record may follow on a
        slave); else the start of its file, where one always begins."""
        if not self._files.contains(start):
            return start
        file_start, view = self._view(start)
        position = start - file_start
        head = bytes(view[position : position + RECORD_MIN_BYTES])
        if (
            scan_record(view, position, len(view), file_start) is not None
            or is_blank(view, position, len(view))
            or head == bytes(len(head))
            or any(self._end_of(queue) == start for queue in self._queues)
        ):
            return start
        return file_start

    def _cut_queues(self, start: int) -> None:
        for queue in self._queues:
            if queue.is_empty or queue.last_physical_offset < start:
                continue
            kept = queue.bisect(queue.first_stored, lambda physical_offset, _: physical_offset < start)
            if self._hint is not None and start >= self._hint.physical_offset:
                # Units that the checkpoint has seen are of records below it, whatever a damaged one says.
                seen_end = self._hint.queues.get((queue.topic, queue.queue_id), (0, 0))[1]
                kept = max(kept, min(seen_end, queue.max_offset))
            if kept == queue.first_stored:
                # All of it is made again, and then from where the log says that it begins.
                queue.clear()
            else:
                queue.cut(kept)

    # -- the walk

    def _walk(self, position: int) -> tuple[int, bool]:
        """The end of the log, and whether nothing but zeros lies behind it."""
        while self._files.contains(position):
            file_start, view = self._view(position)
            position = self._walk_file(view, file_start, position)
            if position - file_start == len(view):
                continue
            if is_blank(view, position - file_start, len(view)):
                position = file_start + len(view)
                continue
            if self._hint is not None and self._hint.clean and position == self._hint.physical_offset:
                return position, True
            found, all_zero = find_next(self._files, position)
            if found is None:
                if not self._was_synced(position):
                    return position, all_zero
                assert self._hint is not None
                found = self._hint.physical_offset
                self._fill_queues(position)
            log.error("commit log: bytes %d to %d are damaged, their messages are lost", position, found)
            self._report.damaged_ranges.append((position, found))
            position = found
        return position, True

    def _was_synced(self, position: int) -> bool:
        """The checkpoint is of this log and saw it end behind position: what is there was not torn, it is damaged."""
        return self._hint is not None and position < self._hint.physical_offset <= self._files.end

    def _fill_queues(self, position: int) -> None:
        """The damaged messages keep their numbers."""
        assert self._hint is not None
        for (topic, queue_id), (first, end) in self._hint.queues.items():
            if first == end or self._queues.is_gone(topic, position):
                continue
            queue = self._queues.make(topic, queue_id)
            if queue.is_empty:
                queue.begin_at(first)
            if queue.next_offset < end:
                queue.fill_up_to(end, position)
                queue.commit()

    def _walk_file(self, view: memoryview, file_start: int, position: int) -> int:
        """Dispatch intact records up to the first place where none stands."""
        at = self._dispatcher.run(view, position - file_start, len(view), file_start)
        for queue in self._dispatcher.take_touched():
            queue.commit()
        return file_start + at

    def _refused(self, start: int, end: int) -> None:
        self._report.damaged_ranges.append((start, end))

    def _view(self, position: int) -> tuple[int, memoryview]:
        """The whole file that position is in."""
        file_start = self._files.start_of(position)
        return file_start, self._files.view(file_start, self._files.file_size_bytes)
