# SPDX-License-Identifier: Apache-2.0
"""What passed through this broker by topic and group, and by day. Answers to Apache's BrokerStats and
BrokerStatsManager.

Totals and rates of the whole store are the store's (`store.store_stats`). Here a call costs three additions; rates
come from samples (`flow_stats`), as Apache's do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.bodies import BrokerStatsData
from ..remoting.topic_names import SCHEDULE_TOPIC
from .flow_stats import FlowStats, Window
from .latency_sample import LatencySample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..env import Clock

SAMPLE_INTERVAL_MS = Window.MINUTE.interval_ms
DAY_MS = 24 * 3600 * 1000
SCHEDULE_CONSUMER_GROUP = "SCHEDULE_CONSUMER"


class BrokerStats:
    def __init__(self, clock: Clock, is_system_topic: Callable[[str], bool]) -> None:
        """`is_system_topic`: whose messages are the broker's own business; they are left out of the counts by day."""
        self._clock = clock
        self._is_system_topic = is_system_topic
        self.put_latency = LatencySample(clock)
        self.get_latency = LatencySample(clock)
        self.put_messages = 0
        self.got_messages = 0
        self._topic_puts: dict[str, FlowStats] = {}
        self._group_gets: dict[tuple[str, str], FlowStats] = {}
        self._sent_back: dict[tuple[str, str], FlowStats] = {}
        self._puts = FlowStats()
        self._gets = FlowStats()
        self._user_puts = FlowStats()
        self._user_gets = FlowStats()
        self._sampled_ms = dict.fromkeys(Window, clock.monotonic_ms())
        self._day = clock.now_ms() // DAY_MS
        self._morning = (0, 0)
        self._yesterday_morning = (0, 0)

    def put(self, topic: str, messages: int, size_bytes: int = 0) -> None:
        self.put_messages += messages
        flow = self._topic_puts.get(topic)
        if flow is None:
            flow = self._topic_puts[topic] = FlowStats()
        flow.times += 1
        flow.messages += messages
        flow.size_bytes += size_bytes

    def got(self, group: str, topic: str, messages: int, size_bytes: int = 0) -> None:
        self.got_messages += messages
        key = (topic, group)
        flow = self._group_gets.get(key)
        if flow is None:
            flow = self._group_gets[key] = FlowStats()
        flow.times += 1
        flow.messages += messages
        flow.size_bytes += size_bytes

    def delivered(self, topic: str, size_bytes: int) -> None:
        """A delayed message went into its real queue. Apache counts it as put there, and as got by a group of its own
        that is left out of the broker's gets."""
        self.put(topic, 1, size_bytes)
        flow = self._group_gets.setdefault((SCHEDULE_TOPIC, SCHEDULE_CONSUMER_GROUP), FlowStats())
        flow.times += 1
        flow.messages += 1
        flow.size_bytes += size_bytes

    def sent_back(self, group: str, topic: str) -> None:
        """A consumer gave a message of `topic` back."""
        flow = self._sent_back.setdefault((topic, group), FlowStats())
        flow.times += 1
        flow.messages += 1

    def topic_put_tps(self, topic: str) -> float:
        flow = self._topic_puts.get(topic)
        return flow.messages_in(Window.MINUTE).tps if flow is not None else 0.0

    def group_get_tps(self, group: str, topic: str) -> float:
        flow = self._group_gets.get((topic, group))
        return flow.messages_in(Window.MINUTE).tps if flow is not None else 0.0

    def view(self, name: str, key: str, cluster: str) -> BrokerStatsData | None:
        """A statistic by its name and key in Apache (VIEW_BROKER_STATS_DATA); None for one that is not kept, or that
        nothing has been counted for."""
        flow = self._flow(name, key, cluster)
        if flow is None:
            return None
        of = flow.bytes_in if name.endswith("_SIZE") else flow.messages_in
        return BrokerStatsData(of(Window.DAY), of(Window.HOUR), of(Window.MINUTE))

    def forget_topic(self, topic: str) -> None:
        self._topic_puts.pop(topic, None)
        self._forget(lambda key: key[0] == topic)

    def forget_group(self, group: str) -> None:
        self._forget(lambda key: key[1] == group)

    def sample(self) -> None:
        """Once each SAMPLE_INTERVAL_MS."""
        now_ms = self._clock.monotonic_ms()
        due = [window for window in Window if now_ms - self._sampled_ms[window] >= window.interval_ms]
        if due:
            self._total()
        for window in due:
            self._sampled_ms[window] = now_ms
            for flow in self._flows():
                flow.sample(window, now_ms)
        day = self._clock.now_ms() // DAY_MS
        if day != self._day:
            self._day = day
            self._yesterday_morning = self._morning
            self._morning = self._user_messages()

    def runtime_info(self) -> dict[str, str]:
        """Counts by day and timings of GET_BROKER_RUNTIME_INFO, in Apache's names."""
        put = self.put_latency
        user_puts, user_gets = self._user_messages()
        return {
            "putMessageEntireTimeMax": str(put.max_ms),
            "putMessageDistributeTime": put.distribution(),
            "putLatency99": f"{put.percentile_ms(0.99):.2f}",
            "putLatency999": f"{put.percentile_ms(0.999):.2f}",
            "getMessageEntireTimeMax": str(self.get_latency.max_ms),
            "msgPutTotalYesterdayMorning": str(self._yesterday_morning[0]),
            "msgPutTotalTodayMorning": str(self._morning[0]),
            "msgPutTotalTodayNow": str(user_puts),
            "msgGetTotalYesterdayMorning": str(self._yesterday_morning[1]),
            "msgGetTotalTodayMorning": str(self._morning[1]),
            "msgGetTotalTodayNow": str(user_gets),
        }

    def _flow(self, name: str, key: str, cluster: str) -> FlowStats | None:
        topic, _, group = key.partition("@")
        if name in ("TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE"):
            return self._topic_puts.get(key)
        if name in ("GROUP_GET_NUMS", "GROUP_GET_SIZE"):
            return self._group_gets.get((topic, group))
        if name == "SNDBCK_PUT_NUMS":
            return self._sent_back.get((topic, group))
        return self._broker_flows().get(name) if key == cluster else None

    def _broker_flows(self) -> dict[str, FlowStats]:
        return {
            "BROKER_PUT_NUMS": self._puts,
            "BROKER_GET_NUMS": self._gets,
            "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC": self._user_puts,
            "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC": self._user_gets,
        }

    def _flows(self) -> Iterator[FlowStats]:
        yield from self._broker_flows().values()
        for table in (self._topic_puts, self._group_gets, self._sent_back):
            yield from table.values()

    def _total(self) -> None:
        """The broker's own flows are not counted message by message: they are known already."""
        self._puts.messages, self._gets.messages = self.put_messages, self.got_messages
        self._user_puts.messages, self._user_gets.messages = self._user_messages()
        self._puts.times = self._user_puts.times = sum(flow.times for flow in self._topic_puts.values())
        self._gets.times = self._user_gets.times = sum(flow.times for flow in self._group_gets.values())

    def _user_messages(self) -> tuple[int, int]:
        """(put, got) without system topics. Those are never deleted, so nothing of theirs is forgotten."""
        own_puts = sum(flow.messages for topic, flow in self._topic_puts.items() if self._is_system_topic(topic))
        own_gets = sum(
            flow.messages
            for (topic, group), flow in self._group_gets.items()
            if self._is_system_topic(topic) and group != SCHEDULE_CONSUMER_GROUP
        )
        return self.put_messages - own_puts, self.got_messages - own_gets

    def _forget(self, is_gone: Callable[[tuple[str, str]], bool]) -> None:
        for table in (self._group_gets, self._sent_back):
            for key in [key for key in table if is_gone(key)]:
                del table[key]
