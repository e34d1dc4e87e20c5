# SPDX-License-Identifier: Apache-2.0
"""What flowed through one topic, group or broker, and how fast over a minute, an hour and a day. Answers to Apache's
StatsItem.

    window   a sample each   samples kept   so it spans
    minute   10 s            7              60 s
    hour     10 min          7              60 min
    day      1 h             25             24 h

A window's sum is its newest sample less its oldest one. Before the first sample Apache puts one of zeros, an interval
earlier: what came since counts from the first sample on.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ..remoting.bodies import BrokerStatsItem


class Window(Enum):
    """Sampling interval in ms, samples kept."""

    MINUTE = (10_000, 7)
    HOUR = (600_000, 7)
    DAY = (3_600_000, 25)

    @property
    def interval_ms(self) -> int:
        return self.value[0]


#: Monotonic time in ms, calls, messages, bytes.
_Sample = tuple[int, int, int, int]


class FlowStats:
    """Add to the three counters; `sample` each window when its interval is over."""

    __slots__ = ("_windows", "messages", "size_bytes", "times")

    def __init__(self) -> None:
        self.times = 0
        self.messages = 0
        self.size_bytes = 0
        self._windows: dict[Window, deque[_Sample]] = {}

    def sample(self, window: Window, now_ms: int) -> None:
        samples = self._windows.get(window)
        if samples is None:
            samples = self._windows[window] = deque([(now_ms - window.interval_ms, 0, 0, 0)], maxlen=window.value[1])
        samples.append((now_ms, self.times, self.messages, self.size_bytes))

    def messages_in(self, window: Window) -> BrokerStatsItem:
        return self._change(window, 2)

    def bytes_in(self, window: Window) -> BrokerStatsItem:
        return self._change(window, 3)

    def _change(self, window: Window, column: int) -> BrokerStatsItem:
        samples = self._windows.get(window)
        if samples is None:
            return BrokerStatsItem()
        first, last = samples[0], samples[-1]
        total = last[column] - first[column]
        elapsed_ms, times = last[0] - first[0], last[1] - first[1]
        return BrokerStatsItem(
            avgpt=total / times if times else 0.0, sum=total, tps=total * 1000 / elapsed_ms if elapsed_ms else 0.0
        )
