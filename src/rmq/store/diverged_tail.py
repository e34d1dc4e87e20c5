# SPDX-License-Identifier: Apache-2.0
"""The end of a slave's log that its master does not have: kept in a file, so that nothing is thrown away by a machine.

`diverged/<20 digits: physical offset of the first byte>`: raw bytes of the commit log from there on, whatever the
length of its files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import StoreError
from .log_scan import scan_forward
from .mapped_file_queue import file_name

if TYPE_CHECKING:
    from pathlib import Path

    from ..env import Disk
    from .commit_log import CommitLog

DIVERGED_DIRECTORY = "diverged"
_SCAN_RECORDS = 1_000
_COPY_BYTES = 4 * 1024 * 1024


class DivergedTail:
    """Nothing is appended to the log from the making of this to the end of its use."""

    def __init__(self, disk: Disk, commit_log: CommitLog, directory: Path) -> None:
        self._disk = disk
        self._log = commit_log
        self._directory = directory

    def open_files(self, offset: int) -> None:
        """On the loop, where readers open files too: what follows runs in a thread."""
        for file in self._log.files.files_between(offset, self._log.written):
            file.size()

    def record_end_at(self, common_end: int) -> int:
        """Blocking. The end of the last record that lies below, or the start of its file."""
        position = self._log.files.start_of(common_end)
        if position == common_end:
            return position
        while True:
            following, records = scan_forward(self._log, position, _SCAN_RECORDS, until=self._log.written)
            ends = [record.physical_offset + record.size for record in records]
            if not records or ends[-1] > common_end or following > common_end:
                return max([end for end in ends if end <= common_end], default=position)
            position = following

    def copy(self, start: int) -> Path:
        """Blocking; may raise OSError. Returns the file, which is on the disk then. Raises StoreError where not one
        record is in common: then nothing is touched."""
        if start <= self._log.min_offset:
            raise StoreError(
                "no message is in both logs: if the master has lost its disk, rebuild it from here (mqbroker"
                " --rebuild-from); if this copy is a wrong or a very old one, empty this store"
            )
        path = self._free_path(start)
        file = self._disk.open(path)
        try:
            at = start
            while part := self._log.read(at, _COPY_BYTES):
                file.pwrite(part, at - start)
                at += len(part)
            file.datasync()
        finally:
            file.close()
        self._disk.sync_directory(self._directory)
        return path

    def _free_path(self, start: int) -> Path:
        """One offset may be parted from more than once."""
        name = file_name(start)
        path, count = self._directory / name, 0
        while self._disk.exists(path):
            count += 1
            path = self._directory / f"{name}.{count}"
        return path
