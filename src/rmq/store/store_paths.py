# SPDX-License-Identifier: Apache-2.0
"""The directories that the files of one log lie in (Apache's MultiPathMappedFileQueue).

Most logs have one. storePathCommitLog may name several, on disks of their own: then new files go round them.

| directory | its files are read | gets new files |
|---|---|---|
| of storePathCommitLog | yes | yes: file n (offset / length) goes to the (n mod count)-th, by name |
| that is nearly full | yes | no, while another has room |
| of readOnlyCommitLogStorePaths | yes | no |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class StorePaths:
    """Where files are, and where the next one goes."""

    def __init__(self, writable: Iterable[Path], read_only: Iterable[Path] = ()) -> None:
        """A directory that is in both gets no new files. Raises ValueError where none is left for new files."""
        # Sorted as texts, as on Apache: as paths /a-b would come behind /a/b.
        self.read_only = tuple(sorted(set(read_only), key=str))
        self.writable = tuple(sorted(set(writable) - set(self.read_only), key=str))
        if not self.writable:
            raise ValueError(
                "readOnlyCommitLogStorePaths names every directory of storePathCommitLog: one has to take new files"
            )
        self.full: frozenset[Path] = frozenset()
        """Directories to leave out while there are others."""

    @property
    def all(self) -> tuple[Path, ...]:
        return (*self.writable, *self.read_only)

    def for_new(self, number: int) -> Path:
        """The directory for the file of that number."""
        free = [path for path in self.writable if path not in self.full] or self.writable
        return free[number % len(free)]
