# SPDX-License-Identifier: Apache-2.0
"""How many transactions are open for each topic: config/transactionMetrics. Answers to Apache's TransactionMetrics.

The file is written each transactionMetricFlushInterval, so after a crash the counts are those of some seconds before;
they are for people and decide nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remoting.bodies import DataVersion, TransactionMetric, TransactionMetricsSerializeWrapper
from ...store.put_message import PutStatus
from ..durable_table import DurableTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor
    from ...store.put_message import PutResult
    from ..durable_table import ConfigFile

    PutDone = Callable[[PutResult], None]


class TransactionMetrics:
    def __init__(self, reactor: Reactor, file: ConfigFile) -> None:
        self._clock = reactor.clock
        self._table = DurableTable(reactor, file, self.to_json_value)
        self._counts: dict[str, TransactionMetric] = {}
        self._version = DataVersion(timestamp=reactor.clock.now_ms())
        self._dirty = False

    def load(self) -> None:
        """Raises StoreError."""
        stored = self._table.load(TransactionMetricsSerializeWrapper.from_json_value)
        if stored is not None:
            self._counts = dict(stored.transaction_count)
            self._version = stored.data_version

    def counting(self, topic: str, done: PutDone) -> PutDone:
        """The callback of a half message's put: counts it, then calls done."""

        def stored(result: PutResult) -> None:
            if result.status is PutStatus.OK:
                self.add(topic, 1)
            done(result)

        return stored

    def add(self, topic: str, change: int) -> None:
        now_ms = self._clock.now_ms()
        self._counts[topic] = TransactionMetric(self.count(topic) + change, now_ms)
        self._version = self._version.next_version(now_ms)
        self._dirty = True

    def count(self, topic: str) -> int:
        metric = self._counts.get(topic)
        return 0 if metric is None else metric.count

    def persist_if_changed(self) -> None:
        if self._dirty:
            self._dirty = False
            self._table.persist()

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def to_json_value(self) -> dict[str, Any]:
        return TransactionMetricsSerializeWrapper(self._version, dict(self._counts)).to_json_value()
