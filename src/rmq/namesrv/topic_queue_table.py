# SPDX-License-Identifier: Apache-2.0
"""Which topic has queues at which broker (the topicQueueTable of Apache's RouteInfoManager)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..remoting.bodies import QueueData, TopicConfig
from ..remoting.perm import PERM_READ_WRITE, PERM_WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

FLAG_UNIT = 1
FLAG_UNIT_SUB = 2
# Apache routes any name (measured: ../../x). A topic may be named after its broker, so dots are fine, but not in front.
_ROUTABLE = re.compile(r"[%|a-zA-Z0-9_-][%|a-zA-Z0-9_.-]{0,254}")


class TopicQueueTable:
    """topic -> brokerName -> queues. A topic is here while some broker has queues of it. `version` grows with
    changes."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[str, QueueData]] = {}
        self.version = 0

    def queues(self, topic: str) -> Mapping[str, QueueData]:
        """By brokerName; empty for an unknown topic."""
        return self._topics.get(topic, {})

    def topics(self) -> list[str]:
        return list(self._topics)

    def topics_at(self, broker_names: Iterable[str]) -> list[str]:
        """Topics that at least one of these brokers has."""
        names = set(broker_names)
        return [topic for topic, queues in self._topics.items() if not names.isdisjoint(queues)]

    def flagged(self, wanted: Callable[[int], bool]) -> list[str]:
        """By the flag at the topic's first broker, as Apache looks."""
        return [topic for topic, queues in self._topics.items() if wanted(next(iter(queues.values())).topic_sys_flag)]

    def take(self, broker_name: str, topics: Mapping[str, TopicConfig], *, changed: bool) -> int:
        """A broker's registration; unless it says that something changed, only what is missing here is taken from it
        (so that a wiped permission survives the beats). The number of topics that were refused for their names."""
        refused = 0
        for name, topic in topics.items():
            if not changed and broker_name in self.queues(name):
                continue
            if _ROUTABLE.fullmatch(name) is None:
                refused += 1
                continue
            queues = self._topics.setdefault(name, {})
            data = _queue_data(broker_name, topic)
            if queues.get(broker_name) != data:
                queues[broker_name] = data
                self.version += 1
        return refused

    def drop(self, topic: str, broker_name: str) -> None:
        queues = self._topics.get(topic, {})
        if queues.pop(broker_name, None) is not None:
            self.version += 1
        if not queues:
            self._topics.pop(topic, None)

    def drop_broker(self, broker_name: str, *, keep: Container[str] = ()) -> None:
        """All its topics, but for those in keep."""
        for topic in self.topics_at((broker_name,)):
            if topic not in keep:
                self.drop(topic, broker_name)

    def wipe_write_perm(self, broker_name: str) -> int:
        """The number of topics changed, as of `add_write_perm`."""
        return self._change_perm(broker_name, lambda perm: perm & ~PERM_WRITE)

    def add_write_perm(self, broker_name: str) -> int:
        """Apache sets read and write, whatever there was before."""
        return self._change_perm(broker_name, lambda _: PERM_READ_WRITE)

    def _change_perm(self, broker_name: str, change: Callable[[int], int]) -> int:
        topics = self.topics_at((broker_name,))
        for topic in topics:
            queues = self._topics[topic]
            data = queues[broker_name]
            queues[broker_name] = replace(data, perm=change(data.perm))
        self.version += 1
        return len(topics)


def _queue_data(broker_name: str, topic: TopicConfig) -> QueueData:
    return QueueData(
        broker_name=broker_name,
        perm=topic.perm,
        read_queue_nums=topic.read_queue_nums,
        topic_sys_flag=topic.topic_sys_flag,
        write_queue_nums=topic.write_queue_nums,
    )
