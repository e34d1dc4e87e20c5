# SPDX-License-Identifier: Apache-2.0
"""How far the wheel has turned: `config/timercheck` and the answer to 60. Answers to Apache's TimerCheckpoint.

| offset | bytes | field |
|---|---|---|
| 0 | 8 | last read time: every slot before it is delivered |
| 8 | 8 | timer log position up to which it is synced |
| 16 | 8 | queue offset in rmq_sys_wheel_timer up to which messages are in the wheel or delivered |
| 24 | 8 | the same of the master; on a master equal to it |
| 32 | 8 | data version: state version |
| 40 | 8 | its timestamp |
| 48 | 8 | its counter |

The file has 4096 bytes, the rest of them zeros. It is written in place: 56 bytes within one sector.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...remoting.bodies import DataVersion

if TYPE_CHECKING:
    from pathlib import Path

    from ...env import Disk, File

_LAYOUT = struct.Struct(">7q")
FILE_BYTES = 4096


@dataclass(frozen=True)
class TimerCheckpoint:
    last_read_time_ms: int = 0
    last_timer_log_flush_position: int = 0
    last_timer_queue_offset: int = 0
    master_timer_queue_offset: int = 0
    data_version: DataVersion = field(default_factory=DataVersion)

    def encode(self) -> bytes:
        version = self.data_version
        return _LAYOUT.pack(
            self.last_read_time_ms,
            self.last_timer_log_flush_position,
            self.last_timer_queue_offset,
            self.master_timer_queue_offset,
            version.state_version,
            version.timestamp,
            version.counter,
        )

    @classmethod
    def decode(cls, data: bytes) -> TimerCheckpoint:
        """Raises ValueError for less than 56 bytes and for numbers below zero."""
        if len(data) < _LAYOUT.size:
            raise ValueError(f"a timer checkpoint has {_LAYOUT.size} bytes, not {len(data)}")
        numbers = _LAYOUT.unpack_from(data)
        if min(numbers) < 0:
            raise ValueError("a timer checkpoint holds no number below zero")
        read_time, flush_position, queue_offset, master_queue_offset, state_version, timestamp, counter = numbers
        version = DataVersion(state_version=state_version, timestamp=timestamp, counter=counter)
        return cls(read_time, flush_position, queue_offset, master_queue_offset, version)


class TimerCheckpointFile:
    """Made when there is something to say. All methods block, `write` for no longer than a page in memory takes."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._file: File | None = None
        self._is_name_durable = False

    def load(self) -> TimerCheckpoint | None:
        """None where the file is missing, too short, zeroed or nonsense: then nothing is known."""
        try:
            checkpoint = TimerCheckpoint.decode(self._disk.read_bytes(self._path))
        except (FileNotFoundError, ValueError):
            return None
        return checkpoint if checkpoint.last_read_time_ms else None

    def write(self, checkpoint: TimerCheckpoint) -> None:
        self._open().pwrite(checkpoint.encode(), 0)

    def sync(self) -> None:
        """May run in another thread."""
        if self._file is None:
            return
        self._file.datasync()
        if not self._is_name_durable:
            self._disk.sync_directory(self._path.parent)
            self._is_name_durable = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> File:
        if self._file is None:
            file = self._disk.open(self._path, size_bytes=FILE_BYTES)
            if file.size() < FILE_BYTES:
                file.truncate(FILE_BYTES)
            self._file = file
        return self._file
