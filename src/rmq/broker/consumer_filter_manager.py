# SPDX-License-Identifier: Apache-2.0
"""Which connected group filters which topic by SQL92: consumerFilter.json. Answers to Apache's ConsumerFilterManager.

Heartbeats bring the expressions; pulls of the group are answered by the one that is known here. The newest subVersion
wins; a new expression that cannot be compiled removes the old one, so that its pulls are refused and the user sees it.
The file is for Apache's broker, which knows by it since when a group has had its expression: a group that is gone stays
in it, dead, for filterDataCleanTimeSpan.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..filter import FilterError, compile_sql
from ..filter.bloom_filter import BIT_NUM, bit_positions
from ..remoting.bodies import BloomFilterData, ConsumerFilterData, ConsumerFilterTable, FilterDataMapByTopic
from .durable_table import DurableTable
from .subscription import EXPRESSION_SQL92, is_tag_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..env import Reactor
    from ..remoting.bodies import SubscriptionData
    from .broker_config import BrokerConfig
    from .durable_table import ConfigFile

#: Apache writes the file this often.
PERSIST_INTERVAL_MS = 10_000

#: Apache takes it that a group of the file was there until so long before the broker's start.
LAST_SEEN_BEFORE_START_MS = 30_000

log = logging.getLogger(__name__)


class ConsumerFilterManager:
    def __init__(self, config: BrokerConfig, reactor: Reactor, file: ConfigFile) -> None:
        self._clock = reactor.clock
        self._kept_dead_ms = config.filter_data_clean_time_span_ms
        self._table = DurableTable(reactor, file, self.to_json_value)
        self._data: dict[tuple[str, str], ConsumerFilterData] = {}
        self._dirty = False

    def load(self) -> None:
        """Every group is dead until it sends a heartbeat. Raises StoreError."""
        stored = self._table.load(ConsumerFilterTable.from_json_value)
        if stored is None:
            return
        last_seen_ms = self._clock.now_ms() - LAST_SEEN_BEFORE_START_MS
        for data in _all(stored):
            dead_time_ms = data.dead_time or max(last_seen_ms, data.born_time)
            self._put(replace(data, dead=True, dead_time=dead_time_ms))

    def get(self, topic: str, group: str) -> ConsumerFilterData | None:
        return self._data.get((topic, group))

    def register(self, group: str, subscriptions: Iterable[SubscriptionData]) -> None:
        """What a heartbeat of the group subscribes to, whole: its other topics are no longer filtered."""
        topics = set()
        for subscription in subscriptions:
            topics.add(subscription.topic)
            if not is_tag_type(subscription.expression_type) and subscription.sub_string:
                self._register(group, subscription)
        self._let_die(data for data in self._of_group(group) if data.topic not in topics)

    def unregister(self, group: str) -> None:
        """The last client of the group is gone."""
        self._let_die(self._of_group(group))

    def persist_if_changed(self) -> None:
        if self._dirty:
            self._dirty = False
            self._table.persist()

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def to_json_value(self) -> dict[str, Any]:
        self._clean()
        topics: dict[str, dict[str, ConsumerFilterData]] = {}
        for (topic, group), data in self._data.items():
            topics.setdefault(topic, {})[group] = data
        table = {topic: FilterDataMapByTopic(groups, topic) for topic, groups in topics.items()}
        return ConsumerFilterTable(table).to_json_value()

    def _register(self, group: str, subscription: SubscriptionData) -> None:
        known = self._data.get((subscription.topic, group))
        expression, version = subscription.sub_string, subscription.sub_version
        if known is not None and version < known.client_version:
            return
        same = known is not None and (known.expression, known.expression_type) == (
            expression,
            subscription.expression_type,
        )
        if known is not None and (same or version == known.client_version):
            if known.dead or version != known.client_version:
                self._put(replace(known, client_version=version, dead=False, dead_time=0))
            return
        try:
            check_expression(subscription.expression_type, expression)
        except FilterError as error:
            log.warning("group %s, topic %s: the filter cannot be compiled: %s", group, subscription.topic, error)
            self._dirty |= self._data.pop((subscription.topic, group), None) is not None
            return
        self._put(
            ConsumerFilterData(
                BloomFilterData(BIT_NUM, bit_positions(f"{group}#{subscription.topic}")),
                born_time=self._clock.now_ms(),
                client_version=version,
                consumer_group=group,
                expression=expression,
                expression_type=subscription.expression_type,
                topic=subscription.topic,
            )
        )

    def _let_die(self, gone: Iterable[ConsumerFilterData]) -> None:
        now_ms = self._clock.now_ms()
        for data in list(gone):
            if not data.dead:
                self._put(replace(data, dead=True, dead_time=now_ms))

    def _of_group(self, group: str) -> Iterator[ConsumerFilterData]:
        return (data for data in self._data.values() if data.consumer_group == group)

    def _put(self, data: ConsumerFilterData) -> None:
        self._data[data.topic, data.consumer_group] = data
        self._dirty = True

    def _clean(self) -> None:
        oldest_ms = self._clock.now_ms() - self._kept_dead_ms
        for key in [key for key, data in self._data.items() if data.dead and data.dead_time <= oldest_ms]:
            del self._data[key]


def check_expression(expression_type: str, expression: str) -> None:
    """Raises FilterError for a type that is not SQL92, and for what does not compile."""
    if expression_type != EXPRESSION_SQL92:
        raise FilterError(f"there is no filter of type {expression_type}")
    compile_sql(expression)


def _all(table: ConsumerFilterTable) -> Iterator[ConsumerFilterData]:
    for topic, groups in table.filter_data_by_topic.items():
        for group, data in groups.group_filter_data.items():
            yield replace(data, topic=topic, consumer_group=group)
