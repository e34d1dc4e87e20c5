# SPDX-License-Identifier: Apache-2.0
"""Pops that found nothing and wait for a message: long polling. Answers to Apache's PopLongPollingService.

A held pop stands under (topic, group, queue id); queue id -1 waits for any queue of the topic. Each message that
arrives in the topic, or in the group's retry topics, wakes one pop of each group, the oldest that wants it; a pop that
leaves something behind wakes the next. Pops are answered POLLING_TIMEOUT when their poll time is over.

    polling      answer
    SUCCESS      none yet
    FULL         209: popPollingSize for one key, maxPopPollingSize for all, or popPollingMapSize keys
    TIMEOUT      210: the poll time is over; also for a pop that does not poll
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from ...remoting import topic_names as names

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor, Timer
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_config import BrokerConfig
    from ..subscription import MessageFilter

#: How often time-outs are looked for while a pop is held (Apache: 20 ms).
CHECK_INTERVAL_MS = 100

#: (topic, group, queue id or -1)
PollingKey = tuple[str, str, int]

ANY_QUEUE = -1


class Polling(Enum):
    SUCCESS = auto()
    FULL = auto()
    TIMEOUT = auto()


@dataclass
class HeldPop:
    channel: Channel
    request: RemotingCommand
    wants: MessageFilter
    #: Monotonic.
    deadline_ms: int


class PopHold:
    def __init__(
        self,
        config: BrokerConfig,
        reactor: Reactor,
        wake: Callable[[HeldPop], None],
        has_match: Callable[[str, int, int, MessageFilter], bool],
    ) -> None:
        """wake runs a pop once more. has_match(topic, queue_id, queue_offset, wants) looks at one stored message."""
        self._config = config
        self._reactor = reactor
        self._wake = wake
        self._has_match = has_match
        self._held: dict[PollingKey, list[HeldPop]] = {}
        #: Topic that messages come into, retry topics included -> who waits for it.
        self._by_topic: dict[str, set[PollingKey]] = {}
        self._count = 0
        self._timer: Timer | None = None
        self._is_stopped = False

    def __len__(self) -> int:
        return self._count

    def waiting(self, key: PollingKey) -> int:
        return len(self._held.get(key, ()))

    def hold(self, key: PollingKey, pop: HeldPop) -> Polling:
        if self._is_stopped or pop.deadline_ms <= self._reactor.clock.monotonic_ms():
            return Polling.TIMEOUT
        config = self._config
        pops = self._held.get(key)
        if self._count >= config.max_pop_polling_size or (
            len(self._held) >= config.pop_polling_map_size if pops is None else len(pops) > config.pop_polling_size
        ):
            return Polling.FULL
        if pops is None:
            pops = self._held[key] = []
            for topic in _topics(key):
                self._by_topic.setdefault(topic, set()).add(key)
        pops.append(pop)
        self._count += 1
        if self._timer is None:
            self._timer = self._reactor.call_later(CHECK_INTERVAL_MS, self._check)
        return Polling.SUCCESS

    def message_arrived(self, topic: str, queue_id: int, queue_offset: int, tags_code: int | None) -> None:
        """The last new message of a queue is readable; tags_code None: there are several (or it has none)."""
        keys = self._by_topic.get(topic)
        if keys is None:
            return
        for key in list(keys):
            if key[2] in (ANY_QUEUE, queue_id) or key[0] != topic:
                self._wake_one(key, lambda pop: self._wants(pop, topic, queue_id, queue_offset, tags_code))

    def wake_next(self, key: PollingKey) -> None:
        """Something was left behind for others."""
        self._wake_one(key, lambda _: True)

    def wake_all(self) -> None:
        """This broker stops: everyone is answered, and nobody is held any more."""
        self._is_stopped = True
        for key in list(self._held):
            while key in self._held:
                self._wake_one(key, lambda _: True)

    def channel_closed(self, channel: Channel) -> None:
        for key, pops in list(self._held.items()):
            for pop in [pop for pop in pops if pop.channel is channel]:
                self._remove(key, pop)

    def _wants(self, pop: HeldPop, topic: str, queue_id: int, queue_offset: int, tags_code: int | None) -> bool:
        wants = pop.wants
        if wants.record is None and (wants.tags is None or (tags_code is not None and wants.tags(tags_code))):
            return True
        if tags_code is None:
            # Several came: the pop looks for itself.
            return True
        return wants.record is not None and self._has_match(topic, queue_id, queue_offset, wants)

    def _wake_one(self, key: PollingKey, wanted: Callable[[HeldPop], bool]) -> None:
        for pop in list(self._held.get(key, ())):
            if wanted(pop):
                self._remove(key, pop)
                if pop.channel.is_open:
                    self._wake(pop)
                    return

    def _check(self) -> None:
        self._timer = None
        now_ms = self._reactor.clock.monotonic_ms()
        for key, pops in list(self._held.items()):
            for pop in [pop for pop in pops if pop.deadline_ms <= now_ms]:
                self._remove(key, pop)
                if pop.channel.is_open:
                    self._wake(pop)
        if self._count and self._timer is None:
            self._timer = self._reactor.call_later(CHECK_INTERVAL_MS, self._check)

    def _remove(self, key: PollingKey, pop: HeldPop) -> None:
        pops = self._held.get(key)
        if pops is None or pop not in pops:
            return
        pops.remove(pop)
        self._count -= 1
        if pops:
            return
        del self._held[key]
        for topic in _topics(key):
            keys = self._by_topic[topic]
            keys.discard(key)
            if not keys:
                del self._by_topic[topic]


def _topics(key: PollingKey) -> tuple[str, str, str]:
    topic, group, _ = key
    return topic, names.pop_retry_topic_v1(topic, group), names.pop_retry_topic_v2(topic, group)
