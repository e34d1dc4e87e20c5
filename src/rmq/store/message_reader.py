# SPDX-License-Identifier: Apache-2.0
"""Reading by queue offset and by time: `get` and its limits (Apache's DefaultMessageStore.getMessage, ConsumeQueue
searches).

What this process wrote or recovery walked over is served as it stands in the files. Any other record is checked once,
when it is first read; a damaged one is passed over, named in the log and counted, never served.
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .config import BrokerRole
from .consume_queue import FILLER_SIZE, UNIT, UNIT_BYTES
from .get_message import BoundaryType, GetResult, GetStatus
from .log_scan import find_next
from .record import is_blank, scan_record
from .unit_check import Unit, UnitCheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from .commit_log import CommitLog
    from .config import StoreConfig
    from .consume_queue import ConsumeQueue
    from .record import ScannedRecord

log = logging.getLogger(__name__)

# Apache's MAX_PULL_MSG_SIZE: no answer to a pull is larger, whatever the consumer asks for.
MAX_PULL_BYTES = 128 * 1024 * 1024
_MIN_PULL_BYTES = 100

# Two records never begin within the same 64 bytes (the smallest has 91), so one bit for each 64 bytes says "checked".
_BYTES_PER_BIT = 64
_SIZE = struct.Struct(">i")


class MessageReader:
    def __init__(self, commit_log: CommitLog, config: StoreConfig) -> None:
        self.trusted_from = 0
        """Records from here on need no check."""
        self.damaged: dict[int, int] = {}
        """Size by physical offset of the records that were found damaged when they were read."""
        self.units = UnitCheck(commit_log)
        self._log = commit_log
        self._checked: dict[int, bytearray] = {}
        self._filter_units = config.max_filter_message_size // UNIT_BYTES
        self.reconfigure(config)

    def reconfigure(self, config: StoreConfig) -> None:
        self._config = config
        self._memory_bytes = config.memory_bytes * config.access_message_in_memory_max_ratio // 100

    def get(
        self,
        queue: ConsumeQueue | None,
        queue_offset: int,
        max_count: int,
        max_bytes: int,
        *,
        matches: Callable[[int], bool] | None,
        accepts: Callable[[memoryview], bool] | None,
    ) -> GetResult:
        if queue is None:
            return GetResult(GetStatus.NO_MATCHED_LOGIC_QUEUE, self._corrected(queue_offset, 0))
        low, high = queue.min_offset, queue.max_offset
        if high == 0:
            return GetResult(GetStatus.NO_MESSAGE_IN_QUEUE, self._corrected(queue_offset, 0), low, high)
        if queue_offset < low:
            return GetResult(GetStatus.OFFSET_TOO_SMALL, self._corrected(queue_offset, low), low, high)
        if queue_offset == high:
            return GetResult(GetStatus.OFFSET_OVERFLOW_ONE, queue_offset, low, high)
        if queue_offset > high:
            return GetResult(GetStatus.OFFSET_OVERFLOW_BADLY, self._corrected(queue_offset, high), low, high)
        result = GetResult(GetStatus.NO_MATCHED_MESSAGE, queue_offset, low, high)
        max_bytes = min(max(max_bytes, _MIN_PULL_BYTES), MAX_PULL_BYTES)
        self._collect(result, queue, max_count, max_bytes, matches=matches, accepts=accepts)
        return result

    def _corrected(self, asked: int, right: int) -> int:
        """A slave does not correct consumers: it may simply be behind its master (offsetCheckInSlave=false)."""
        return asked if self._config.broker_role is BrokerRole.SLAVE else right

    def _collect(
        self,
        result: GetResult,
        queue: ConsumeQueue,
        max_count: int,
        max_bytes: int,
        *,
        matches: Callable[[int], bool] | None,
        accepts: Callable[[memoryview], bool] | None,
    ) -> None:
        """Walk the units until a limit is reached; neighbours in the log become one view."""
        file_size = self._log.files.file_size_bytes
        cold_below = self._log.written - self._memory_bytes
        # What has left the memory comes from the disk, whoever wrote it.
        trusted_from = max(self.trusted_from, cold_below)
        found_end = queue.found_end
        warm, cold = self._limits(max_count, max_bytes)
        at = result.next_begin_offset
        end = min(queue.max_offset, at + max(self._filter_units, max_count))
        run_start = run_end = -1
        size_bytes = count = physical_offset = 0
        full = False
        while at < end and not full:
            for physical_offset, size, tags_code in UNIT.iter_unpack(queue.units(at, end - at)):
                if at < found_end and size != FILLER_SIZE and queue.is_unchecked(at):
                    physical_offset, size, tags_code = self._sound(queue, at, Unit(physical_offset, size, tags_code))
                bytes_max, count_max = warm if physical_offset >= cold_below else cold
                if count and (count >= count_max or size_bytes + size > bytes_max):
                    full = True
                    break
                at += 1
                if size == FILLER_SIZE or (
                    physical_offset < trusted_from and not self._is_intact(physical_offset, size)
                ):
                    if not count:
                        result.status = GetStatus.MESSAGE_WAS_REMOVING
                    continue
                if matches is not None and not matches(tags_code):
                    continue
                if accepts is not None and not accepts(self._log.view(physical_offset, size)):
                    continue
                if physical_offset == run_end and physical_offset % file_size:
                    run_end += size
                else:
                    if count:
                        result.frames.append(self._log.view(run_start, run_end - run_start))
                    run_start, run_end = physical_offset, physical_offset + size
                size_bytes += size
                count += 1
        if count:
            result.frames.append(self._log.view(run_start, run_end - run_start))
            result.status = GetStatus.FOUND
        result.next_begin_offset = at
        result.message_count = count
        result.size_bytes = size_bytes
        result.suggest_pulling_from_slave = physical_offset < cold_below

    def _limits(self, max_count: int, max_bytes: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """(bytes, count) for records that are probably in memory and for others, as Apache's isTheBatchFull: less is
        given of what must be read from the disk. One message is given in any case."""
        config = self._config
        return (
            min(max_bytes, config.max_transfer_bytes_on_message_in_memory),
            min(max_count, config.max_transfer_count_on_message_in_memory),
        ), (
            min(max_bytes, config.max_transfer_bytes_on_message_in_disk),
            min(max_count, config.max_transfer_count_on_message_in_disk),
        )

    # -- what this process did not write

    def _sound(self, queue: ConsumeQueue, queue_offset: int, unit: Unit) -> Unit:
        """The unit as it has to be; a filler where its message is damaged or gone."""
        if unit.physical_offset in self.damaged:
            return unit._replace(size=FILLER_SIZE)
        found = self.units.sound(queue, queue_offset, unit)
        if found is not None:
            bits, bit = self._bits_of(found.physical_offset)
            bits[bit >> 3] |= 1 << (bit & 7)
            return found
        if self._log.has_record(unit.physical_offset, unit.size) and self.record_at(unit.physical_offset) is None:
            self._fence(unit.physical_offset, unit.size)
        return unit._replace(size=FILLER_SIZE)

    def sound_units(self, queue: ConsumeQueue, queue_offset: int, max_count: int) -> list[tuple[int, int, int]]:
        """Units from queue_offset on, as many as there are; fillers for messages that are damaged or gone."""
        found: list[tuple[int, int, int]] = []
        at, end = queue_offset, min(queue.max_offset, queue_offset + max_count)
        while queue.min_offset <= at < end:
            for unit in UNIT.iter_unpack(queue.units(at, end - at)):
                if unit[1] != FILLER_SIZE and queue.is_unchecked(at):
                    unit = self._sound(queue, at, Unit(*unit))
                found.append(unit)
                at += 1
        return found

    def _is_intact(self, physical_offset: int, size: int) -> bool:
        if physical_offset in self.damaged:
            return False
        if not self._log.has_record(physical_offset, size):
            return False
        bits, bit = self._bits_of(physical_offset)
        if bits[bit >> 3] & 1 << (bit & 7):
            return True
        record = scan_record(self._log.view(physical_offset, size), 0, size, physical_offset)
        if record is None or record.size != size:
            self._fence(physical_offset, size)
            return False
        bits[bit >> 3] |= 1 << (bit & 7)
        return True

    def _bits_of(self, physical_offset: int) -> tuple[bytearray, int]:
        """What is known of the file's records, and the number of this one's bit."""
        file_start = self._log.files.start_of(physical_offset)
        bits = self._checked.get(file_start)
        if bits is None:
            bits = self._checked[file_start] = bytearray(self._log.files.file_size_bytes // _BYTES_PER_BIT // 8 + 1)
        return bits, (physical_offset - file_start) // _BYTES_PER_BIT

    def check(self, start: int, end: int) -> None:
        """Look at the records from start, where one begins, to end; damaged ones are fenced. May raise OSError."""
        while start < min(end, self._log.written):
            file_start = self._log.files.start_of(start)
            file_end = file_start + self._log.files.file_size_bytes
            view = self._log.view(file_start, min(file_end, self._log.written) - file_start)
            at = start - file_start
            record = scan_record(view, at, len(view), file_start)
            if record is not None:
                start += record.size
            elif is_blank(view, at, file_end - file_start):
                start = file_end
            else:
                size = self._damaged_size(view, at, file_start)
                self._fence(start, size)
                start += size

    def _damaged_size(self, view: memoryview, at: int, file_start: int) -> int:
        """How long the bytes at position `at` are, where no intact record begins: as long as they say where the log
        ends behind them, else up to the next one, else all that is there."""
        size = _size_at(view, at)
        if size and at + size == len(view):
            return size
        found, _ = find_next(self._log.files, file_start + at)
        return (self._log.written if found is None else min(found, self._log.written)) - file_start - at

    def _fence(self, physical_offset: int, size: int) -> None:
        if physical_offset not in self.damaged:
            self.damaged[physical_offset] = size
            # This process may have written it itself, and trusted it until now.
            self.trusted_from = max(self.trusted_from, physical_offset + size)
            log.error(
                "commit log: the record at %d, %d bytes, is damaged and will not be served", physical_offset, size
            )

    def forget_before(self, physical_offset: int) -> None:
        """Files below are removed."""
        self.damaged = {one: size for one, size in self.damaged.items() if one >= physical_offset}
        for start in [one for one in self._checked if one < physical_offset]:
            del self._checked[start]

    def forget_from(self, physical_offset: int) -> None:
        """The log was cut here: what comes now is new."""
        self.trusted_from = min(self.trusted_from, physical_offset)
        self.damaged = {one: size for one, size in self.damaged.items() if one < physical_offset}

    def record_at(self, physical_offset: int) -> tuple[memoryview, ScannedRecord] | None:
        """The whole, intact record that begins there."""
        start = self._log.files.start_of(physical_offset)
        if not self._log.min_offset <= physical_offset < self._log.written:
            return None
        limit = min(start + self._log.files.file_size_bytes, self._log.written) - physical_offset
        view = self._log.view(physical_offset, limit)
        record = scan_record(view, 0, limit, physical_offset)
        return None if record is None else (view[: record.size], record)

    # -- by time

    def store_time(self, queue: ConsumeQueue | None, queue_offset: int) -> int:
        if queue is None or not queue.min_offset <= queue_offset < queue.max_offset:
            return -1
        physical_offset, size, _ = queue.unit(queue_offset)
        return self._log.store_time(physical_offset, size)

    def offset_by_time(self, queue: ConsumeQueue | None, timestamp_ms: int, boundary: BoundaryType) -> int:
        """LOWER: the first message stored at or after the time, max_offset where there is none. UPPER: the last one
        stored at or before it, 0 where there is none."""
        if queue is None or queue.min_offset == queue.max_offset:
            return 0
        lower = boundary is BoundaryType.LOWER

        def is_left(physical_offset: int, size: int) -> bool:
            store_time_ms = self._log.store_time(physical_offset, size)
            return store_time_ms < timestamp_ms or (store_time_ms == timestamp_ms and not lower)

        found = queue.bisect(queue.min_offset, is_left)
        if lower:
            return found
        return found - 1 if found > queue.min_offset else 0


def _size_at(view: memoryview, at: int) -> int:
    """TOTALSIZE, where it can be one; else 0."""
    size: int = _SIZE.unpack_from(view, at)[0] if len(view) - at >= _SIZE.size else 0
    return size if RECORD_MIN_BYTES <= size <= len(view) - at else 0
