# SPDX-License-Identifier: Apache-2.0
"""What passed through this broker by topic and group, and by day. Answers to Apache's BrokerStats and
BrokerStatsManager.

Totals and rates of the whole store are the store's (`store.store_stats`). Here a message costs one addition; rates
come from one sample each SAMPLE_INTERVAL_MS, as Apache's do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .latency_sample import LatencySample

if TYPE_CHECKING:
    from ..env import Clock

#: Rates of topics and groups are those of the last interval that is over.
SAMPLE_INTERVAL_MS = 10_000
DAY_MS = 24 * 3600 * 1000

K = TypeVar("K")


class BrokerStats:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.put_latency = LatencySample(clock)
        self.get_latency = LatencySample(clock)
        self.put_messages = 0
        self.got_messages = 0
        self._topic_puts: dict[str, int] = {}
        self._group_gets: dict[tuple[str, str], int] = {}
        self._before: tuple[dict[str, int], dict[tuple[str, str], int]] = ({}, {})
        self._topic_rates: dict[str, float] = {}
        self._group_rates: dict[tuple[str, str], float] = {}
        self._sampled_ms = clock.monotonic_ms()
        self._day = clock.now_ms() // DAY_MS
        self._morning = (0, 0)
        self._yesterday_morning = (0, 0)

    def put(self, topic: str, messages: int) -> None:
        self.put_messages += messages
        puts = self._topic_puts
        puts[topic] = puts.get(topic, 0) + messages

    def got(self, group: str, topic: str, messages: int) -> None:
        self.got_messages += messages
        key = (topic, group)
        gets = self._group_gets
        gets[key] = gets.get(key, 0) + messages

    def topic_put_tps(self, topic: str) -> float:
        return self._topic_rates.get(topic, 0.0)

    def group_get_tps(self, group: str, topic: str) -> float:
        return self._group_rates.get((topic, group), 0.0)

    def forget_topic(self, topic: str) -> None:
        self._topic_puts.pop(topic, None)
        for key in [key for key in self._group_gets if key[0] == topic]:
            del self._group_gets[key]

    def forget_group(self, group: str) -> None:
        for key in [key for key in self._group_gets if key[1] == group]:
            del self._group_gets[key]

    def sample(self) -> None:
        """Once each SAMPLE_INTERVAL_MS."""
        now_ms = self._clock.monotonic_ms()
        elapsed_s = (now_ms - self._sampled_ms) / 1000
        self._sampled_ms = now_ms
        if elapsed_s > 0:
            self._topic_rates = _rates(self._topic_puts, self._before[0], elapsed_s)
            self._group_rates = _rates(self._group_gets, self._before[1], elapsed_s)
            self._before = (dict(self._topic_puts), dict(self._group_gets))
        day = self._clock.now_ms() // DAY_MS
        if day != self._day:
            self._day = day
            self._yesterday_morning = self._morning
            self._morning = (self.put_messages, self.got_messages)

    def runtime_info(self) -> dict[str, str]:
        """Counts by day and timings of GET_BROKER_RUNTIME_INFO, in Apache's names."""
        put = self.put_latency
        return {
            "putMessageEntireTimeMax": str(put.max_ms),
            "putMessageDistributeTime": put.distribution(),
            "putLatency99": f"{put.percentile_ms(0.99):.2f}",
            "putLatency999": f"{put.percentile_ms(0.999):.2f}",
            "getMessageEntireTimeMax": str(self.get_latency.max_ms),
            "msgPutTotalYesterdayMorning": str(self._yesterday_morning[0]),
            "msgPutTotalTodayMorning": str(self._morning[0]),
            "msgPutTotalTodayNow": str(self.put_messages),
            "msgGetTotalYesterdayMorning": str(self._yesterday_morning[1]),
            "msgGetTotalTodayMorning": str(self._morning[1]),
            "msgGetTotalTodayNow": str(self.got_messages),
        }


def _rates(now: dict[K, int], before: dict[K, int], elapsed_s: float) -> dict[K, float]:
    return {key: (count - before.get(key, 0)) / elapsed_s for key, count in now.items() if count != before.get(key, 0)}
