# SPDX-License-Identifier: Apache-2.0
"""Damage in the middle of the log, and its mending with the same bytes of another broker of the pair.

Damage is found by recovery and in what a master sends (bytes that are no record: ranges), and by reading (a record
whose unit is there). Either way the messages are fenced: never served, counted, and named here. Bytes of another broker
are taken where every record in them is intact and has its own place written in it; then the messages are served again,
under their old numbers.

On a master that has to happen before it takes new messages: a lost message that was the last of its queue has its
number given to another one then, and stays lost.
"""

from __future__ import annotations

import logging
from bisect import insort
from typing import TYPE_CHECKING

from .consume_queue import FILLER_SIZE
from .errors import StoreError
from .log_scan import next_record, scan_forward
from .record import is_blank, scan_record

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexService
    from .log_recovery import RecoveryReport
    from .message_reader import MessageReader
    from .record import ScannedRecord

    Range = tuple[int, int]

log = logging.getLogger(__name__)

# As many as an answer to 28 names.
NAMED_MAX = 16


class Mending:
    """Runs on the loop; may raise OSError."""

    def __init__(
        self, commit_log: CommitLog, queues: ConsumeQueueStore, reader: MessageReader, index: IndexService | None
    ) -> None:
        self.report: RecoveryReport | None = None
        self.mended = 0
        """Ranges and records that are whole again."""
        self._log = commit_log
        self._queues = queues
        self._reader = reader
        self._index = index

    @property
    def damaged(self) -> list[Range]:
        """[from, to) in physical offsets, ascending."""
        found = [] if self.report is None else list(self.report.damaged_ranges)
        found += [(offset, offset + size) for offset, size in self._reader.damaged.items()]
        return sorted(found)

    def note(self, start: int, end: int) -> None:
        """No record stands from start to end."""
        if self.report is not None and (start, end) not in self.report.damaged_ranges:
            insort(self.report.damaged_ranges, (start, end))

    def named(self) -> str:
        """The first ranges, for people: `4096-4310;9000-9212`."""
        return ";".join(f"{start}-{end}" for start, end in self.damaged[:NAMED_MAX])

    def check(self, start: int, end: int) -> int:
        """Look at the records of a range, the first of which begins at its start; how many places are damaged."""
        self._reader.check(start, end)
        return sum(first < end and start < last for first, last in self.damaged)

    def end_of_damage(self, position: int) -> int:
        """Where the known damage ends that position is in; 0 where it is in none."""
        return max((end for start, end in self.damaged if start <= position < end), default=0)

    def intact_behind(self, position: int) -> Range:
        """Where the first intact record at or behind position lies; an empty range where there is none."""
        _, records = scan_forward(self._log, position, 1, until=self._log.written)
        return (records[0].physical_offset, records[0].physical_offset + records[0].size) if records else (0, 0)

    def forget_before(self, physical_offset: int) -> None:
        """Files below are removed."""
        self._reader.forget_before(physical_offset)
        if self.report is not None:
            ranges = self.report.damaged_ranges
            ranges[:] = [(max(start, physical_offset), end) for start, end in ranges if end > physical_offset]

    def forget_from(self, physical_offset: int) -> None:
        """The log was cut there."""
        if self.report is not None:
            ranges = self.report.damaged_ranges
            ranges[:] = [one for one in ranges if one[0] < physical_offset]

    def mend(self, damage: Range, data: bytes) -> None:
        """Put data where the damage is, or where it begins, as far as it is whole: the rest stays damaged then. Raises
        StoreError where nothing can be taken; what is whole further on is a damage of its own then."""
        start, end = damage
        if damage not in self.damaged or not 0 < len(data) <= end - start:
            raise StoreError(f"{len(data)} bytes are not what lacks from {start} to {end}")
        records, whole_to = self._records_in(start, data)
        if whole_to == start:
            self._part(damage, start + next_record(data, start))
            raise StoreError(f"the bytes at {start} are damaged there too")
        self._write(start, data[: whole_to - start])
        self._take_back(damage, records, whole_to)

    def look_again(self) -> None:
        """At a start: damage that the checkpoint knew of may have been mended since, before the next checkpoint."""
        for start, end in [] if self.report is None else list(self.report.damaged_ranges):
            # Most of it is as it was, and may be long.
            if self._reader.record_at(start) is not None:
                self._take_back((start, end), *self._records_in(start, self._read(start, end)))

    def _take_back(self, damage: Range, records: list[ScannedRecord], whole_to: int) -> None:
        """The damage is none any more up to whole_to."""
        start, end = damage
        for record in records:
            self._show(record)
        self._reader.units.log_has_changed()
        was_found_by_recovery = self._forget(damage)
        if was_found_by_recovery and self._index is not None:
            # Recovery could not give them to the index; a record found damaged by reading is in it since it was put.
            for record in records:
                self._index.add_late(record)
        self.mended += 1
        if whole_to < end:
            self.note(whole_to, end)
        log.warning("commit log: bytes %d to %d are whole again, %d messages", start, whole_to, len(records))

    def _part(self, damage: Range, at: int) -> None:
        start, end = damage
        if start < at < end:
            self._forget(damage)
            self.note(start, at)
            self.note(at, end)

    def _forget(self, damage: Range) -> bool:
        """Whether it was found by recovery."""
        self._reader.damaged.pop(damage[0], None)
        if self.report is None or damage not in self.report.damaged_ranges:
            return False
        self.report.damaged_ranges.remove(damage)
        return True

    def _records_in(self, start: int, data: bytes) -> tuple[list[ScannedRecord], int]:
        """The records that the data begins with, and where the first place is that holds none."""
        view = memoryview(data)
        records: list[ScannedRecord] = []
        at = 0
        while at < len(view):
            record = scan_record(view, at, len(view), start)
            if record is not None:
                records.append(record)
                at += record.size
                continue
            file_end = self._log.files.start_of(start + at) + self._log.files.file_size_bytes - start
            if file_end > len(view) or not is_blank(view, at, file_end):
                break
            at = file_end
        return records, start + at

    def _read(self, start: int, end: int) -> bytes:
        parts: list[memoryview] = []
        while start < end and (part := self._log.read(start, end - start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _write(self, start: int, data: bytes) -> None:
        files = self._log.files
        at = 0
        while at < len(data):
            step = min(len(data) - at, files.start_of(start + at) + files.file_size_bytes - start - at)
            files.write(start + at, data[at : at + step])
            at += step
        for file in files.files_between(start, start + len(data)):
            file.datasync()

    def _show(self, record: ScannedRecord) -> None:
        """Give the record its unit: the filler that holds its place, or the next one."""
        queue = self._queues.find(record)
        if queue is not None and queue.first_stored <= record.queue_offset < queue.next_offset:
            # Behind max_offset: a message of this tick has the number now.
            if record.queue_offset < queue.max_offset and queue.size_of(record.queue_offset) == FILLER_SIZE:
                tags_code = self._queues.tags_code(queue, record)
                queue.replace(record.queue_offset, record.physical_offset, record.size, tags_code)
                queue.place_fillers(record.queue_offset + 1, record.physical_offset + record.size)
                queue.correct_min_offset(self._log.min_offset)
            return
        try:
            queue = self._queues.dispatch(record)
        except StoreError as error:
            log.error("commit log: %s", error)
            return
        if queue is not None:
            queue.reserve()
            queue.commit()
