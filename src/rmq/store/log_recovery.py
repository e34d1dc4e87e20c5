# SPDX-License-Identifier: Apache-2.0
"""Finds the end of the commit log and makes the consume queues whole again, after a clean stop or any other.

    [ complete in all queues | walked: units made again | end | zeros ]
                             ^ start                    ^ end

1. *start*: below it every queue is known to be complete, by the queue checkpoint where a queue's files still agree
with it, else by the queue's own last unit; the smallest of all counts. No queue is trusted because another one knows
more. 2. Queues are cut at start; the log is walked from there, every record is checked, and gives its unit. 3. Where
no intact record stands, the next one is searched: first where TOTALSIZE points, then by magic code and physical
offset, then at the start of the next file. Found: the range between is damage, named and counted, and the walk goes
on. Not found: this is the end. What lies behind it (a torn write) is overwritten with zeros, so that it can never
come back.
"""

from __future__ import annotations

import logging
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .consume_queue import FILLER_SIZE
from .errors import StoreError
from .queue_checkpoint import tail_crc
from .record import is_blank, scan_record

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .consume_queue import ConsumeQueue
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexService
    from .queue_checkpoint import QueueCheckpoint

log = logging.getLogger(__name__)

_MAGIC = re.compile(rb"\xda\xa3\x20[\xa7\xab]|\xcb\xd4\x31\x94", re.DOTALL)
_MAGIC_POSITION = 4
_MAGIC_BYTES = 4
_SIZE = struct.Struct(">i")
# Holes are passed over, and zeros compared in blocks, which is ten times as fast as searching them.
_CHUNK_BYTES = 1024 * 1024
_ZEROS = bytes(_CHUNK_BYTES)


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

    def run(self) -> RecoveryReport:
        """Files are found already (load() of both). Blocking; may raise OSError."""
        self._check_hint()
        index_complete = self._load_index()
        if not self._files.starts:
            self._cut_queues(0)
            self._cut_index(0)
            self._log.open_at(0, flushed=0)
            return self._report
        start = self._at_record(min(self._safe_start(), max(index_complete, self._files.start)))
        self._report.start = start
        if self._hint is not None:
            known = [one for one in self._hint.damaged if self._files.start <= one[0] and one[1] <= start]
            self._report.damaged_ranges += known
        self._cut_queues(start)
        end, clean = self._walk(start)
        self._report.end = end
        if not clean:
            self._log.truncate(end)
        self._log.open_at(end, flushed=start)
        self._cut_index(end)
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
                start = min(start, self._complete_up_to(queue, wanted))
        if start > self._files.end:
            # The log lost files at its end, so the hint says nothing about the last one that is there.
            start = self._files.starts[-1]
        return max(start, first)

    def _complete_up_to(self, queue: ConsumeQueue | None, wanted: tuple[int, int]) -> int:
        """The physical offset below which this queue has all its units."""
        assert self._hint is not None
        first, end = wanted
        if queue is None:
            return self._hint.physical_offset if first == end else 0
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
            found, all_zero = self._find_next(view, file_start, position)
            if found is None:
                return position, all_zero
            log.error("commit log: bytes %d to %d are damaged, their messages are lost", position, found)
            self._report.damaged_ranges.append((position, found))
            position = found
        return position, True

    def _walk_file(self, view: memoryview, file_start: int, position: int) -> int:
        """Dispatch intact records up to the first place where none stands."""
        limit = len(view)
        dispatch = self._queues.dispatch
        count = 0
        record = None
        at = position - file_start
        while (found := scan_record(view, at, limit, file_start)) is not None:
            record = found
            try:
                dispatch(record)
            except StoreError as error:
                log.error("commit log: %s", error)
                self._report.damaged_ranges.append((file_start + at, file_start + at + record.size))
            if self._index is not None:
                self._index.add_scanned(record)
            at += record.size
            count += 1
        self._report.records += count
        if record is not None:
            self._report.last_store_timestamp_ms = record.store_timestamp_ms
        return file_start + at

    # -- what comes after bytes that are no record

    def _find_next(self, view: memoryview, file_start: int, position: int) -> tuple[int | None, bool]:
        """The next place where a record (or a blank one) stands, or None; and whether all is zeros from position on."""
        at = position - file_start
        if len(view) - at >= _SIZE.size:
            size: int = _SIZE.unpack_from(view, at)[0]
            if size >= RECORD_MIN_BYTES and at + size < len(view) and self._stands_at(view, file_start, at + size):
                return position + size, False
        found, all_zero = self._search(view, file_start, at)
        while found is None:
            file_start += len(view)
            if not self._files.contains(file_start):
                return None, all_zero
            _, view = self._view(file_start)
            found, zero = self._search(view, file_start, 0)
            all_zero = all_zero and zero
        return file_start + found, False

    def _search(self, view: memoryview, file_start: int, at: int) -> tuple[int | None, bool]:
        """Position in the file of the next record from `at` on, or None; and whether only zeros are there."""
        all_zero = True
        file = self._files.file_at(file_start)
        while (at := min(file.next_data(at), len(view))) < len(view):
            end = min(at + _CHUNK_BYTES, len(view))
            if file.pread(end - at, at) != _ZEROS[: end - at]:
                all_zero = False
                # A magic code may begin in this block and end in the next.
                for match in _MAGIC.finditer(view, at, min(end + _MAGIC_BYTES - 1, len(view))):
                    candidate = match.start() - _MAGIC_POSITION
                    if candidate >= 0 and self._stands_at(view, file_start, candidate):
                        return candidate, False
            at = end
        return None, all_zero

    def _stands_at(self, view: memoryview, file_start: int, at: int) -> bool:
        return scan_record(view, at, len(view), file_start) is not None or is_blank(view, at, len(view))

    def _view(self, position: int) -> tuple[int, memoryview]:
        """The whole file that position is in."""
        file_start = self._files.start_of(position)
        return file_start, self._files.view(file_start, self._files.file_size_bytes)
