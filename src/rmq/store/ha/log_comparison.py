# SPDX-License-Identifier: Apache-2.0
"""Where two logs part: found by checksums of ranges, without either side sending its log.

    0 ......... the same bytes ......... common end | other bytes ... own end

Both logs grow at their end only, so what differs is a tail. A range that is the same just below an offset therefore
says that everything below it is, where it has the head of a record in it: that names its own place and the time when it
was stored. Without one it says nothing: bodies are often alike. Ranges are short, because a damaged byte makes one
differ too.

In the usual case one question is enough: the last record is the same. Else the search goes back in growing steps,
then halves: some fifty questions for a terabyte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .replicated_log import ReplicatedLog

#: Below this the search goes byte by byte.
LAST_STEP_BYTES = 512
FIRST_STEP_BYTES = 64 * 1024
#: The unused end of a file is at most one record long, and no message is larger than this.
RANGE_BYTES_MAX = 16 * 1024 * 1024

# A record's head: its magic code (what both forms have in common), its own place, the time when it was stored.
_MAGIC = b"\xda\xa3\x20"
_MAGIC_POSITION = 4
_PLACE_POSITION = 28
HEAD_BYTES = 64
_SEARCH_BYTES = 64 * 1024

Range = tuple[int, int]


class LogState(NamedTuple):
    """What a broker says of its log, and of one range of it."""

    min_offset: int
    max_offset: int
    whole_offset: int
    """End of the last whole record: a slave's log may end in the middle of one."""
    crc: int
    """CRC-32 of the range asked about; -1 where that is not all there."""
    damaged: int = 0
    """Records in it that are damaged there, where that was asked for: they are being mended."""
    damaged_to: int = 0
    """Where the damage ends that its first byte is in; 0 where that byte is in none, or nobody asked."""


class PeerLog(Protocol):
    """The log of another broker of the pair, asked beside the stream."""

    def ask(self, wanted: Range, answered: Callable[[LogState | None, str], None], *, verify: bool = False) -> None:
        """answered(state, ""); or (None, "") by a peer that cannot tell (Apache's), or (None, why) by one that did not
        answer. verify: look at the records of the range, the first of which begins at its start."""
        ...


def log_crc(log: ReplicatedLog, wanted: Range) -> int:
    """CRC-32 of a range; -1 where it is not all in the log."""
    start, end = wanted
    if not (log.min_physical_offset <= start <= end <= log.max_physical_offset and end - start <= RANGE_BYTES_MAX):
        return -1
    crc = 0
    while start < end:
        part = log.read_log(start, end - start)
        crc = crc32(part, crc)
        start += len(part)
    return crc


def find_common_end(own: ReplicatedLog, peer: LogState) -> Generator[Range, bool, int]:
    """Yields ranges that are in both logs; send in whether they are the same. Returns the common end: our own end when
    nothing differs, 0 when the logs have nothing in common."""
    low = max(own.min_physical_offset, peer.min_offset)
    high = min(own.max_physical_offset, peer.max_offset)
    if high <= low:
        # No byte is in both: the one goes on where the other begins, or they are strangers.
        return high if own.max_physical_offset == high == low else 0
    if (yield telling_range(own, low, high)):
        return high
    step = FIRST_STEP_BYTES
    same, other = low, high
    while (middle := other - step) > low:
        if (yield telling_range(own, low, middle)):
            same = middle
            break
        other, step = middle, step * 2
    while other - same > LAST_STEP_BYTES:
        middle = (same + other) // 2
        if (yield telling_range(own, low, middle)):
            same = middle
        else:
            other = middle
    # Byte by byte from here: everything below `same` is known to be the same.
    while same < other:
        middle = (same + other + 1) // 2
        if (yield (same, middle)):
            same = middle
        else:
            other = middle - 1
    return same if same > low else 0


def telling_range(own: ReplicatedLog, low: int, end: int) -> Range:
    """From the start of the last record whose head lies in [low, end) to the end: same bytes there are the same log.
    From low on where there is none: that is the start of a file, as a rule."""
    upper = end - HEAD_BYTES + 1
    while upper > low and end - upper < RANGE_BYTES_MAX - _SEARCH_BYTES:
        lower = max(low, upper - _SEARCH_BYTES)
        data = _read(own, lower, upper + HEAD_BYTES - 1)
        at = len(data)
        while (at := data.rfind(_MAGIC, 0, at + len(_MAGIC) - 1)) >= 0:
            start = at - _MAGIC_POSITION
            if start >= 0 and len(data) - start >= HEAD_BYTES and _place_of(data, start) == lower + start:
                return lower + start, end
        upper = lower
    return max(low, end - RANGE_BYTES_MAX), end


def _place_of(data: bytes, start: int) -> int:
    """PHYSICALOFFSET of a record."""
    return int.from_bytes(data[start + _PLACE_POSITION : start + _PLACE_POSITION + 8], "big")


def _read(own: ReplicatedLog, start: int, end: int) -> bytes:
    parts: list[memoryview] = []
    while start < end and (part := own.read_log(start, end - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


class LogComparison:
    """One run of the search against a peer. `done` is called once, unless `cancel` is called first."""

    def __init__(self, own: ReplicatedLog, peer: PeerLog, done: Callable[[int | None, str], None]) -> None:
        """done(common end, ""); or (None, "") where the peer cannot tell, or (None, why) where it did not answer."""
        self._own = own
        self._peer = peer
        self._done: Callable[[int | None, str], None] | None = done
        self._search: Generator[Range, bool, int] | None = None

    def start(self) -> None:
        # A range of no bytes: the ends alone.
        self._peer.ask((0, 0), lambda state, why: self._answered((0, 0), state, why))

    def cancel(self) -> None:
        self._done = None

    def _answered(self, wanted: Range, state: LogState | None, why: str) -> None:
        if self._done is None:
            return
        if state is None:
            self._finish(None, why)
            return
        try:
            if self._search is None:
                self._search = find_common_end(self._own, state)
                following = next(self._search)
            else:
                following = self._search.send(log_crc(self._own, wanted) == state.crc)
        except StopIteration as stop:
            self._finish(stop.value, "")
        else:
            self._peer.ask(following, lambda state, why: self._answered(following, state, why))

    def _finish(self, common_end: int | None, why: str) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(common_end, why)
