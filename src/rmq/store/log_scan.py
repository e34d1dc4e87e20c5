# SPDX-License-Identifier: Apache-2.0
"""Reading the records of the written log one behind the other, as recovery does, but in steps and beside puts; and
where the next one stands behind bytes that are none."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .record import is_blank, scan_record

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .mapped_file_queue import MappedFileQueue
    from .record import ScannedRecord

_MAGIC = re.compile(rb"\xda\xa3\x20[\xa7\xab]|\xcb\xd4\x31\x94", re.DOTALL)
_MAGIC_POSITION = 4
_MAGIC_BYTES = 4
_SIZE = struct.Struct(">i")
# Holes are passed over, and zeros compared in blocks, which is ten times as fast as searching them.
_CHUNK_BYTES = 1024 * 1024
_ZEROS = bytes(_CHUNK_BYTES)


def scan_forward(log: CommitLog, position: int, count_max: int, *, until: int) -> tuple[int, list[ScannedRecord]]:
    """Up to count_max intact records from position, where one begins, and where the next one is. Damaged ones are
    passed over; position may lie below the first file, whose records are gone. until: where records end, the log's end
    or before it. May raise OSError."""
    records: list[ScannedRecord] = []
    position = max(position, log.min_offset)
    while position < until and len(records) < count_max:
        file_start = log.files.start_of(position)
        file_end = file_start + log.files.file_size_bytes
        limit = min(file_end, until) - file_start
        view = log.view(file_start, limit)
        record = scan_record(view, position - file_start, limit, file_start)
        if record is not None:
            records.append(record)
            position += record.size
        elif is_blank(view, position - file_start, log.files.file_size_bytes):
            position = file_end
        else:
            found, _ = find_next(log.files, position)
            position = until if found is None else min(found, until)
    return position, records


def find_next(files: MappedFileQueue, position: int) -> tuple[int | None, bool]:
    """Where the next record (or a blank one) stands behind position, where none does, or None; and whether all is zeros
    from position on. It is looked for where TOTALSIZE points, then by magic code and physical offset, then at the start
    of the next file. May raise OSError."""
    file_start, view = _whole_file(files, position)
    at = position - file_start
    if len(view) - at >= _SIZE.size:
        size: int = _SIZE.unpack_from(view, at)[0]
        if size >= RECORD_MIN_BYTES and at + size < len(view) and _stands_at(view, file_start, at + size):
            return position + size, False
    found, all_zero = _search(files, file_start, at)
    while found is None:
        file_start += files.file_size_bytes
        if not files.contains(file_start):
            return None, all_zero
        found, zero = _search(files, file_start, 0)
        all_zero = all_zero and zero
    return file_start + found, False


def next_record(data: bytes, start: int) -> int:
    """Where in these bytes of a log the first intact record stands behind their own beginning; their length where none
    does. Byte 0 has the physical offset start."""
    view = memoryview(data)
    for match in _MAGIC.finditer(view, 1 + _MAGIC_POSITION):
        at = match.start() - _MAGIC_POSITION
        if scan_record(view, at, len(view), start) is not None:
            return at
    return len(view)


def _search(files: MappedFileQueue, file_start: int, at: int) -> tuple[int | None, bool]:
    """Position in the file of the next record from `at` on, or None; and whether only zeros are there."""
    all_zero = True
    _, view = _whole_file(files, file_start)
    file = files.file_at(file_start)
    while (at := min(file.next_data(at), len(view))) < len(view):
        end = min(at + _CHUNK_BYTES, len(view))
        if file.pread(end - at, at) != _ZEROS[: end - at]:
            all_zero = False
            # A magic code may begin in this block and end in the next.
            for match in _MAGIC.finditer(view, at, min(end + _MAGIC_BYTES - 1, len(view))):
                candidate = match.start() - _MAGIC_POSITION
                if candidate >= 0 and _stands_at(view, file_start, candidate):
                    return candidate, False
        at = end
    return None, all_zero


def _stands_at(view: memoryview, file_start: int, at: int) -> bool:
    return scan_record(view, at, len(view), file_start) is not None or is_blank(view, at, len(view))


def _whole_file(files: MappedFileQueue, position: int) -> tuple[int, memoryview]:
    file_start = files.start_of(position)
    return file_start, files.view(file_start, files.file_size_bytes)
