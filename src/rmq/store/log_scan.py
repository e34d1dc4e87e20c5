# SPDX-License-Identifier: Apache-2.0
"""Reading the records of the written log one behind the other, as recovery does, but in steps and beside puts."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES
from .record import is_blank, scan_record

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .record import ScannedRecord

_SIZE = struct.Struct(">i")


def scan_forward(log: CommitLog, position: int, count_max: int) -> tuple[int, list[ScannedRecord]]:
    """Up to count_max intact records from position, where one begins, and where the next one is. Damaged ones are
    passed over; position may lie below the first file, whose records are gone. May raise OSError."""
    records: list[ScannedRecord] = []
    position = max(position, log.min_offset)
    while position < log.written and len(records) < count_max:
        file_start = log.files.start_of(position)
        file_end = file_start + log.files.file_size_bytes
        limit = min(file_end, log.written) - file_start
        view = log.view(file_start, limit)
        record = scan_record(view, position - file_start, limit, file_start)
        if record is not None:
            records.append(record)
            position += record.size
        elif is_blank(view, position - file_start, log.files.file_size_bytes):
            position = file_end
        else:
            position = _behind_damage(view, position - file_start, limit) + file_start
    return position, records


def _behind_damage(view: memoryview, at: int, limit: int) -> int:
    """Where the next record may be: where TOTALSIZE says, or at the end of what is written of this file."""
    size: int = _SIZE.unpack_from(view, at)[0] if limit - at >= _SIZE.size else 0
    return at + size if RECORD_MIN_BYTES <= size <= limit - at else limit
