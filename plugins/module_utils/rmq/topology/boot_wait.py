# SPDX-License-Identifier: Apache-2.0
"""Decide whether *this* start of a node came up, from its logs and its process. Pure: the caller reads and sleeps.

    before the start    mark each log: its inode and its size            -> `LogMark`
    then, in turn       look at the process FIRST, then read what is new -> `BootWait.reads`, `BootWait.feed`
                        and ask                                          -> `BootWait.verdict`

Rules that never break:
- Nothing written before the mark counts: a boot line of yesterday's start is still in the file.
- A log that was rotated is followed: its rest is read under its new name, then the files made after it.
- A log that was cut (copytruncate) is read from its start.
- The verdict is Failed as soon as the process is gone or has said a fatal cause, not when time is up. Apache's
  broker lingers on after "Failed to bind", so a fatal cause alone is enough.
- The process is looked at before the log is read; else a node that comes up and ends between the two would be missed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Deque, Dict, List, Optional, Sequence, Tuple, Union

from . import boot_line
from .boot_cause import Cause, cause_of
from .fault import one_line
from .kind import Kind

if TYPE_CHECKING:
    from .boot_line import BootLine

# What an operator wants to see of a log without opening it; Apache's stack traces are about 30 lines.
LAST_LINES = 40
# A line longer than this is cut: a log line is text for people, and an endless one must not fill the memory.
_LINE_MAX_CHARS = 4096
# After a fatal line the rest of the trace and the exit code are worth this much waiting.
FATAL_GRACE_MS = 2000


class Process(Enum):
    """What is known of the node's process. UNKNOWN: nothing can be said (a unit that is being started again)."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LogFile:
    """A log as it lies on disk: ``path`` or one of its rotated siblings. ``mtime_ns`` orders the siblings."""

    path: str
    inode: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class LogMark:
    """Where a log ended before the start; inode 0 when there was none."""

    path: str
    inode: int
    offset_bytes: int

    @classmethod
    def of(cls, path: str, files: Sequence[LogFile]) -> LogMark:
        """The mark to take before the start, from a listing of the log's directory."""
        for file in files:
            if file.path == path:
                return cls(path, file.inode, file.size_bytes)
        return cls(path, 0, 0)


@dataclass(frozen=True)
class Read:
    """Read this file from this byte to its end, and hand it to `BootWait.feed` with the inode."""

    path: str
    inode: int
    offset_bytes: int


@dataclass(frozen=True)
class Expected:
    """Whose boot line it has to be. An empty address is not compared: a name server prints the one it binds."""

    kind: Kind
    broker_name: str = ""
    address: str = ""


@dataclass(frozen=True)
class Waiting:
    """Not yet; ``trouble`` is what the log complained of so far, if anything."""

    trouble: Optional[Cause]


@dataclass(frozen=True)
class Up:
    """The boot line of this start is there."""

    line: str
    boot: BootLine


@dataclass(frozen=True)
class Failed:
    """It will not come up. ``reason`` is one line, ``last_lines`` the end of what this start wrote."""

    reason: str
    mend: str
    last_lines: Tuple[str, ...]


Verdict = Union[Waiting, Up, Failed]


class BootWait:
    """One wait for one start. Feed it what is new in the logs, then ask for the verdict."""

    def __init__(self, expected: Expected, marks: Sequence[LogMark], timeout_ms: int) -> None:
        self._expected = expected
        self._marks = {mark.path: mark for mark in marks}
        self._timeout_ms = timeout_ms
        self._read_to: Dict[int, int] = {}
        self._tails: Dict[int, str] = {}
        self._last_lines: Deque[str] = deque(maxlen=LAST_LINES)
        self._up: Optional[Up] = None
        self._stranger: Optional[BootLine] = None
        self._fatal: Optional[Cause] = None
        self._fatal_since_ms = 0
        self._trouble: Optional[Cause] = None

    def reads(self, files: Sequence[LogFile]) -> List[Read]:
        """What is new, oldest first. ``files``: every log and its rotated siblings (its name and a dot and more)."""
        out: List[Read] = []
        for mark in self._marks.values():
            siblings = [file for file in files if file.path == mark.path or file.path.startswith(mark.path + ".")]
            for file in _since(mark, siblings):
                start = self._read_to.get(file.inode, mark.offset_bytes if file.inode == mark.inode else 0)
                if file.size_bytes < start:
                    start = 0
                    self._tails.pop(file.inode, None)
                if file.size_bytes > start:
                    out.append(Read(file.path, file.inode, start))
        return out

    def feed(self, read: Read, data: bytes, now_ms: int) -> None:
        """Take what was read. A line that is not finished waits for its rest."""
        self._read_to[read.inode] = read.offset_bytes + len(data)
        text = self._tails.pop(read.inode, "") + data.decode("utf-8", "replace")
        lines = text.split("\n")
        if lines[-1]:
            self._tails[read.inode] = lines[-1][-_LINE_MAX_CHARS:]
        for line in lines[:-1]:
            self._take(line.rstrip("\r")[:_LINE_MAX_CHARS], now_ms)

    def verdict(self, process: Process, now_ms: int, started_ms: int, exit_code: Optional[int] = None) -> Verdict:
        """What to do next: go on waiting, or stop. ``process`` was looked at before the last reads."""
        if process is Process.ENDED:
            self._finish_lines(now_ms)
            return self._failed(self._ended_text(exit_code))
        if self._up is not None:
            return self._up
        if self._fatal is not None and now_ms - self._fatal_since_ms >= FATAL_GRACE_MS:
            return self._failed("it did not start")
        if now_ms - started_ms >= self._timeout_ms:
            self._finish_lines(now_ms)
            return self._up or self._failed(f"no boot line after {self._timeout_ms / 1000:g} s")
        return Waiting(self._fatal or self._trouble)

    def _take(self, line: str, now_ms: int) -> None:
        if not line.strip():
            return
        self._last_lines.append(one_line(line))
        boot = boot_line.match(line)
        if boot is not None:
            if self._is_ours(boot):
                self._up = Up(one_line(line), boot)
            else:
                self._stranger = boot
            return
        cause = cause_of(line)
        if cause is None:
            return
        if not cause.fatal:
            self._trouble = cause
        elif self._fatal is None:
            self._fatal, self._fatal_since_ms = cause, now_ms
        elif not self._fatal.mend and cause.mend:
            self._fatal = cause

    def _is_ours(self, boot: BootLine) -> bool:
        expected = self._expected
        if boot.kind is not expected.kind or boot.broker_name != expected.broker_name:
            return False
        return not expected.address or not boot.address or boot.address == expected.address

    def _finish_lines(self, now_ms: int) -> None:
        for inode in list(self._tails):
            self._take(self._tails.pop(inode), now_ms)

    def _ended_text(self, exit_code: Optional[int]) -> str:
        text = "the process ended"
        if self._up is not None:
            text += " after its boot line"
        return text if exit_code is None else f"{text} (exit code {exit_code})"

    def _failed(self, what: str) -> Failed:
        cause = self._fatal or self._trouble
        if cause is not None:
            return Failed(f"{what}: {cause.text}", cause.mend, tuple(self._last_lines))
        if self._stranger is not None:
            seen, wanted = _shown(self._stranger), f"{self._expected.broker_name}, {self._expected.address}".strip(", ")
            mend = "Two nodes share one log, or the node was started with other settings"
            return Failed(f"{what}: the boot line is that of {seen}, not of {wanted}", mend, tuple(self._last_lines))
        return Failed(what, "", tuple(self._last_lines))


def _since(mark: LogMark, siblings: Sequence[LogFile]) -> List[LogFile]:
    """The marked file and what was made after it, oldest first.

    A rotated file that is gone (compressed, deleted) leaves the current one, which then began after the mark.
    """
    by_age = sorted(siblings, key=lambda file: (file.path == mark.path, file.mtime_ns))
    inodes = [file.inode for file in by_age]
    if mark.inode in inodes:
        return by_age[inodes.index(mark.inode) :]
    return [file for file in by_age if file.path == mark.path]


def _shown(boot: BootLine) -> str:
    return "a name server" if boot.kind is Kind.NAMESRV else f"{boot.broker_name}, {boot.address}"
