# SPDX-License-Identifier: Apache-2.0
"""What this process may use of its machine, and what peers may take of that."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import replace

from ..rpc import ServerLimits

# The store, logs and this server's own calls keep a quarter of the files, 256 at least.
_OWN_FILES_MIN = 256
# All unfinished frames, and all that waits for slow readers: an eighth of the memory each, on machines with less than
# 4 GiB.
_SHARE_OF_MEMORY = 8


def raise_open_files() -> None:
    """A shell gives 1,024 open files where the system allows many more; each connection takes one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def memory_bytes() -> int:
    """Of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def server_limits(*, open_files: int | None = None, memory: int | None = None) -> ServerLimits:
    """What fits this machine and this process."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if open_files is None else open_files
    share_bytes = (memory_bytes() if memory is None else memory) // _SHARE_OF_MEMORY
    limits = ServerLimits()
    connections = max(1, files - max(files // 4, _OWN_FILES_MIN))
    return replace(
        limits,
        connections_max=min(limits.connections_max, connections),
        half_frames_total_bytes=min(limits.half_frames_total_bytes, share_bytes),
        unsent_total_bytes=min(limits.unsent_total_bytes, share_bytes),
    )
