# SPDX-License-Identifier: Apache-2.0
"""Pid files that cannot lie: the process that a file names holds a lock on it for as long as it lives.

A file without a lock is what a crash left behind. So nobody is ever signalled because a number was used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from typing import TYPE_CHECKING

from ..runtime.file_lock import lock_holder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PidFileTaken(Exception):
    """A living process holds this pid file; the text names both."""


class PidFile:
    """This process's own. `remove` it at a clean end."""

    def __init__(self, path: Path) -> None:
        """Raises PidFileTaken, and OSError where the file cannot be written."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = _living(path)
        if holder is not None:
            raise PidFileTaken(f"{path} belongs to process {holder}")
        # Locked before it has its name: a file that others can see is one whose process lives, or has died.
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        self._descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())
        temporary.replace(path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def write_plain(path: Path, pid: int) -> None:
    """A pid file for somebody else's process (a supervisor's child), for people and tools to read."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(f"{pid}\n")
    temporary.replace(path)


def run_directory(home: Path) -> Path:
    """Where the servers of one ROCKETMQ_HOME keep their pid files."""
    return home / "run"


def running(home: Path, program: str) -> list[int]:
    """Pids of the living processes of this home (program is `broker` or `namesrv`). Removes files of dead ones."""
    pids = []
    for path in sorted(run_directory(home).glob(f"{program}-*.pid")):
        pid = _living(path)
        if pid is not None:
            pids.append(pid)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return pids


def _living(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return lock_holder(descriptor) or None
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def process_handle(pid: int) -> Iterator[int | None]:
    """A descriptor that stands for this very process and becomes readable when it ends; None when it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def terminate(handle: int) -> None:
    """SIGTERM. One that has just ended is fine."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGTERM)
