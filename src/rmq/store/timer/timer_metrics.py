# SPDX-License-Identifier: Apache-2.0
"""How many messages of each topic wait: config/timermetrics and the answer to 61. Answers to Apache's TimerMetrics.

For people, not for decisions: after a crash the counts are those of a second before, as on Apache.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from ...remoting.bodies import DataVersion, TimerMetric, TimerMetricsSerializeWrapper
from ...remoting.json_body import BodyError
from ..errors import StoreError

if TYPE_CHECKING:
    from ...env import Clock
    from ..config_manager import ConfigManager

#: A rate is that of the last so many seconds.
RATE_WINDOW_S = 10

log = logging.getLogger(__name__)


class TimerMetrics:
    def __init__(self, clock: Clock, file: ConfigManager) -> None:
        self._clock = clock
        self._file = file
        self._counts: dict[str, TimerMetric] = {}
        self.data_version = DataVersion(timestamp=clock.now_ms())
        self.is_dirty = False

    def load(self) -> None:
        """Blocking. Counts for people are no reason not to start: damaged ones begin anew."""
        try:
            value = self._file.load()
            if value is not None:
                self.take(TimerMetricsSerializeWrapper.from_json_value(value))
        except (StoreError, BodyError) as error:
            log.warning("timer: %s", error)
        self.is_dirty = False

    def take(self, stored: TimerMetricsSerializeWrapper) -> None:
        """From the file, or what a slave's master answered (61)."""
        if stored.data_version != self.data_version:
            self._counts = dict(stored.timing_count)
            self.data_version = stored.data_version
            self.is_dirty = True

    def add(self, topic: str, change: int) -> None:
        now_ms = self._clock.now_ms()
        self._counts[topic] = TimerMetric(self.count(topic) + change, now_ms)
        self.data_version = self.data_version.next_version(now_ms)
        self.is_dirty = True

    def count(self, topic: str) -> int:
        metric = self._counts.get(topic)
        return 0 if metric is None else metric.count

    def remove(self, topic: str) -> None:
        """A topic was deleted."""
        if self._counts.pop(topic, None) is not None:
            self.is_dirty = True

    def wrapper(self) -> TimerMetricsSerializeWrapper:
        return TimerMetricsSerializeWrapper(self.data_version, dict(self._counts))

    def persist(self, wrapper: TimerMetricsSerializeWrapper) -> None:
        """Blocking; may run in another thread. Raises OSError."""
        self._file.persist(wrapper.to_json_value())


class Rate:
    """Events for each second, over the last ten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_S + 1)

    def add(self, count: int) -> None:
        second = self._clock.monotonic_ms() // 1000
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))

    def for_each_second(self) -> float:
        since = self._clock.monotonic_ms() // 1000 - RATE_WINDOW_S
        return sum(count for second, count in self._seconds if second > since) / RATE_WINDOW_S
