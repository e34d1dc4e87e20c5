# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading half of the wait for a boot line; what to read and what it means is decided in ``rmq.topology``."""

from __future__ import annotations

import os
from typing import List

from .rmq.topology.boot_wait import LogFile, Read

# A start that writes more than this between two looks is read in several turns.
_READ_MAX_BYTES = 4 << 20


def listing(path: str) -> List[LogFile]:
    """A log and its rotated siblings, as they lie on disk now."""
    folder, name = os.path.split(path)
    found = []
    try:
        entries = [entry for entry in os.listdir(folder) if entry == name or entry.startswith(name + ".")]
    except FileNotFoundError:
        return []
    for entry in entries:
        sibling = os.path.join(folder, entry)
        try:
            state = os.stat(sibling)
        except FileNotFoundError:
            continue
        found.append(LogFile(sibling, state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def read_new(read: Read) -> bytes:
    """The bytes that ``read`` asks for, or none where the file was rotated away in between: the next listing has it
    under its new name."""
    try:
        with open(read.path, "rb") as source:
            if os.fstat(source.fileno()).st_ino != read.inode:
                return b""
            source.seek(read.offset_bytes)
            return source.read(_READ_MAX_BYTES)
    except FileNotFoundError:
        return b""
