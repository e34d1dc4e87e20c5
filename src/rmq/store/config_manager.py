# SPDX-License-Identifier: Apache-2.0
"""One JSON file of `config/`, as Apache's ConfigManager keeps it: topics.json and topics.json.bak.

Apache writes in place; a crash in the middle leaves it with half a file. Here the text goes to a temporary file that
is synced and renamed, first for the backup (which gets the text that was current until now), then for the file
itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..remoting import java_json
from ..remoting.json_body import BodyError
from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..env import Disk

log = logging.getLogger(__name__)


class ConfigManager:
    """Both calls block."""

    def __init__(self, disk: Disk, path: Path, *, private: bool = False) -> None:
        """private: the file and its backup are readable by this process's user alone."""
        self._private = private
        self._disk = disk
        self._path = path
        self._backup = path.with_name(path.name + ".bak")
        self._is_readable = False

    @property
    def path(self) -> Path:
        return self._path

    def load(self, read: Callable[[Any], Any] | None = None) -> Any | None:
        """The value, or what read makes of it (BodyError: it has another shape), from the backup where the file is
        missing, empty or damaged; None where both are missing or empty.

        Raises StoreError, with file and position, where there is text but none of it can be read."""
        faults = []
        for path in (self._path, self._backup):
            try:
                data = self._disk.read_bytes(path)
                if not data.strip(b" \t\r\n\0"):
                    continue
                value = java_json.loads_bytes(data)
                if read is not None:
                    value = read(value)
            except FileNotFoundError:
                continue
            except (java_json.JavaJsonError, BodyError) as error:
                faults.append(f"{path}: {error}")
                continue
            self._is_readable = path == self._path
            if faults:
                log.warning("%s; its backup is used", faults[0])
            return value
        if faults:
            raise StoreError("; ".join(faults) + ": restore one of the two files, or remove both to start without")
        return None

    def persist(self, value: object) -> None:
        """Replace the file; the former text becomes the backup. Raises OSError, and then the file is the former one."""
        data = java_json.dumps_pretty(value).encode()
        if self._is_readable:
            former = self._disk.read_bytes(self._path)
            if former == data:
                return
            self._disk.replace_file(self._backup, former, private=self._private)
        # A damaged file must not become the backup: that one may be the only readable copy.
        self._disk.replace_file(self._path, data, private=self._private)
        self._is_readable = True
