# SPDX-License-Identifier: Apache-2.0
"""Units of consume queues that were found on the disk: each is compared with its record when it is first used.

A unit has no checksum, but the record that it points to says which topic, queue and number it has. Where they differ
the unit is damaged, not the message: the record is searched between the neighbours' and the unit written again.

| the unit points to | and the record is found | then the unit |
|---|---|---|
| its own record | | stands |
| its own record, with other tags or size | | is written again |
| another record, no record, nowhere | between the neighbours' records | is written again |
| | nowhere there | is as it was: the message is damaged, or gone |
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from .consume_queue import FILLER_SIZE, SCHEDULE_TOPIC
from .consume_queue_store import ConsumeQueueStore
from .log_scan import scan_forward
from .record import scan_record

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .consume_queue import ConsumeQueue
    from .record import ScannedRecord

log = logging.getLogger(__name__)

# What is searched for one record: neighbours of a queue lie closer than this, or the queue is hardly used. A second
# of the loop at most.
SEARCH_BYTES_MAX = 32 * 1024 * 1024
# Neighbours that are asked for where the search begins and ends: damage beside damage is rare.
_NEIGHBOURS = 16
_SCAN_RECORDS = 4096
# Apache's light queues have units of other topics' records.
_LIGHT_QUEUE_PREFIX = "%LMQ%"


class Unit(NamedTuple):
    physical_offset: int
    size: int
    tags_code: int


class UnitCheck:
    """On the loop; may raise OSError."""

    def __init__(self, commit_log: CommitLog) -> None:
        self.mended = 0
        """Units that were written again."""
        self._log = commit_log
        self._nowhere: set[tuple[str, int, int]] = set()
        """Topic, queue id and number of what was searched and not found: a search may take a second."""

    def sound(self, queue: ConsumeQueue, queue_offset: int, unit: Unit) -> Unit | None:
        """The unit as it has to be; None where no intact record is known for this number. Says "stands" for each unit
        once: it is asked for those alone that `queue.is_unchecked`."""
        record = self._own_record(queue, queue_offset, unit.physical_offset)
        if record is None and queue.topic.startswith(_LIGHT_QUEUE_PREFIX):
            queue.set_checked(queue_offset)
            return unit
        if record is None:
            record = self._search_once(queue, queue_offset)
        if record is None:
            return None
        tags_code = unit.tags_code
        if queue.topic != SCHEDULE_TOPIC:
            # There it is a time, made with the delays that were in force then.
            tags_code = ConsumeQueueStore.tags_code(queue, record)
        right = Unit(record.physical_offset, record.size, tags_code)
        if right != unit:
            queue.replace(queue_offset, *right)
            self.mended += 1
            log.warning(
                "consume queue %s %d: unit %d was damaged, its message is at %d",
                queue.topic,
                queue.queue_id,
                queue_offset,
                right.physical_offset,
            )
        queue.set_checked(queue_offset)
        return right

    def log_has_changed(self) -> None:
        """What was nowhere may be there now."""
        self._nowhere.clear()

    def _search_once(self, queue: ConsumeQueue, queue_offset: int) -> ScannedRecord | None:
        number = (queue.topic, queue.queue_id, queue_offset)
        if number in self._nowhere:
            return None
        record = self._search(queue, queue_offset)
        if record is None:
            self._nowhere.add(number)
        return record

    def _own_record(self, queue: ConsumeQueue, queue_offset: int, physical_offset: int) -> ScannedRecord | None:
        if not self._log.min_offset <= physical_offset < self._log.written:
            return None
        start = self._log.files.start_of(physical_offset)
        limit = min(start + self._log.files.file_size_bytes, self._log.written) - physical_offset
        record = scan_record(self._log.view(physical_offset, limit), 0, limit, physical_offset)
        return record if record is not None and _is_of(record, queue, queue_offset) else None

    def _search(self, queue: ConsumeQueue, queue_offset: int) -> ScannedRecord | None:
        start, end = self._bounds(queue, queue_offset)
        end = min(end, start + SEARCH_BYTES_MAX)
        while start < end:
            start, records = scan_forward(self._log, start, _SCAN_RECORDS, until=end)
            for record in records:
                if record.has_unit and _is_of(record, queue, queue_offset):
                    return record
        return None

    def _bounds(self, queue: ConsumeQueue, queue_offset: int) -> tuple[int, int]:
        """Physical offsets between which the record must lie."""
        start, end = -1, self._log.written
        for before in range(queue_offset - 1, max(queue_offset - _NEIGHBOURS, queue.first_stored) - 1, -1):
            physical_offset, size, _ = queue.unit(before)
            record = self._own_record(queue, before, physical_offset) if size != FILLER_SIZE else None
            if record is not None:
                start = record.physical_offset + record.size
                break
        for after in range(queue_offset + 1, min(queue_offset + _NEIGHBOURS, queue.max_offset)):
            physical_offset, size, _ = queue.unit(after)
            if size != FILLER_SIZE and self._own_record(queue, after, physical_offset) is not None:
                end = physical_offset
                break
        if start < 0:
            # The first one of its queue may be anywhere in the log, most likely close to the next one.
            start = max(self._log.min_offset, end - SEARCH_BYTES_MAX)
        return start, end


def _is_of(record: ScannedRecord, queue: ConsumeQueue, queue_offset: int) -> bool:
    return (
        record.queue_offset == queue_offset
        and record.queue_id == queue.queue_id
        and record.topic.decode("utf-8", "replace") == queue.topic
    )
