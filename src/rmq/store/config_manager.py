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

_BLANK = b" \t\r\n\0"


class ConfigManager:
    """Both calls block."""

    def __init__(self, disk: Disk, path: Path, *, private: bool = False, is_derived: bool = False) -> None:
        """private: the file and its backup are readable by this process's user alone. is_derived: what it holds can be
        made again, so that damage does not keep the broker from starting."""
        self._private = private
        self._is_derived = is_derived
        self._disk = disk
        self._path = path
        self._backup = path.with_name(path.name + ".bak")
        self._is_readable = False

    @property
    def path(self) -> Path:
        return self._path

    def load(self, read: Callable[[Any], Any] | None = None) -> Any | None:
        """The value, or what read makes of it (BodyError: it has another shape), from the backup where the file is
        missing, empty or damaged; None where both are missing, or the file is empty and never had a backup (a crash
        of Apache's in its first write).

        Raises StoreError, with file and position, where neither can be read. What can be made again is None then, and
        the damaged text is kept in a file `.damaged`."""
        faults = []
        texts = {}
        for path in (self._path, self._backup):
            try:
                data = texts[path] = self._disk.read_bytes(path)
                if not data.strip(_BLANK):
                    faults.append(f"{path}: {len(data)} bytes, and no text from byte 0 on")
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
        if not faults:
            return None
        if self._backup not in texts and not texts[self._path].strip(_BLANK):
            log.warning("%s; it never had a backup, so it was never written", faults[0])
            return None
        if self._is_derived:
            log.error("%s: what can be made again is made again", "; ".join(faults))
            kept = self._path.with_name(self._path.name + ".damaged")
            self._disk.replace_file(kept, texts.get(self._path, b""), private=self._private)
            return None
        raise StoreError("; ".join(faults) + ": restore one of the two files, or remove both to start without")

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
