# SPDX-License-Identifier: Apache-2.0
"""Counters of puts and gets and their rates over 10, 60 and 600 seconds (Apache's StoreStatsService).

The hot paths only add to integers; once a second a sample of all counters is taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SAMPLE_INTERVAL_MS = 1000
_WINDOWS_SECONDS = (10, 60, 600)


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ms: int
    puts: int
    found: int
    missed: int
    transferred: int


class StoreStats:
    def __init__(self, boot_timestamp_ms: int) -> None:
        self.boot_timestamp_ms = boot_timestamp_ms
        self.puts = 0
        self.put_bytes = 0
        self.failed_puts = 0
        self.gets_found = 0
        self.gets_missed = 0
        self.transferred = 0
        self._samples: deque[_Sample] = deque(maxlen=_WINDOWS_SECONDS[-1] + 1)

    def sample(self, monotonic_ms: int) -> None:
        """Call every SAMPLE_INTERVAL_MS."""
        self._samples.append(_Sample(monotonic_ms, self.puts, self.gets_found, self.gets_missed, self.transferred))

    def rate(self, counter: str, seconds: int) -> float | None:
        """Events a second over the last `seconds`; None before that time has passed. counter: a field of the
        samples."""
        if len(self._samples) <= seconds:
            return None
        before, last = self._samples[-seconds - 1], self._samples[-1]
        elapsed_ms = last.at_ms - before.at_ms
        return (getattr(last, counter) - getattr(before, counter)) * 1000 / elapsed_ms if elapsed_ms else 0.0

    def runtime_info(self, now_ms: int) -> dict[str, str]:
        """The store's part of request 28, under Apache's names."""
        puts = max(self.puts, 1)
        return {
            "bootTimestamp": str(self.boot_timestamp_ms),
            "runtime": _duration(now_ms - self.boot_timestamp_ms),
            "putMessageTimesTotal": str(puts),
            "putMessageFailedTimes": str(self.failed_puts),
            "putMessageSizeTotal": str(self.put_bytes),
            "putMessageAverageSize": str(self.put_bytes / puts),
            "putTps": self._rates("puts"),
            "getFoundTps": self._rates("found"),
            "getMissTps": self._rates("missed"),
            "getTotalTps": self._rates("found", "missed"),
            "getTransferredTps": self._rates("transferred"),
        }

    def _rates(self, *counters: str) -> str:
        """Three numbers with blanks between, each empty until its time has passed, as Apache prints them."""
        words = []
        for seconds in _WINDOWS_SECONDS:
            rates = [rate for one in counters if (rate := self.rate(one, seconds)) is not None]
            words.append(str(sum(rates)) if rates else "")
        return " ".join(words)


def _duration(elapsed_ms: int) -> str:
    seconds = max(elapsed_ms, 0) // 1000
    return (
        f"[ {seconds // 86400:,} days, {seconds % 86400 // 3600} hours,"
        f" {seconds % 3600 // 60} minutes, {seconds % 60} seconds ]"
    )
