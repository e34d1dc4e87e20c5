# SPDX-License-Identifier: Apache-2.0
"""Statistics of a broker (315) and the progress of all its groups (317)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

from ..json_body import REAL_NUMBER, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, optional, wire
from .consume_stats import ConsumeStats


@dataclass(frozen=True)
class BrokerStatsItem(JsonBody):
    """`sum` over the window, `tps` a second of it, `avgpt` a call in it."""

    avgpt: float = wire(REAL_NUMBER, 0.0)
    sum: int = wire(WHOLE_NUMBER, 0)
    tps: float = wire(REAL_NUMBER, 0.0)


@dataclass(frozen=True)
class BrokerStatsData(JsonBody):
    stats_day: BrokerStatsItem = wire(body(BrokerStatsItem), factory=BrokerStatsItem)
    stats_hour: BrokerStatsItem = wire(body(BrokerStatsItem), factory=BrokerStatsItem)
    stats_minute: BrokerStatsItem = wire(body(BrokerStatsItem), factory=BrokerStatsItem)

    @property
    def day_sum(self) -> int:
        """The longest window that has seen anything, as statsAll counts a day of a broker younger than that."""
        return self.stats_day.sum or self.stats_hour.sum or self.stats_minute.sum


@dataclass(frozen=True)
class ConsumeStatsList(JsonBody):
    """One map for each group, with one ConsumeStats for each of its topics."""

    broker_addr: Optional[str] = wire(optional(TEXT), None)
    consume_stats_list: List[Dict[str, List[ConsumeStats]]] = wire(
        array(mapping(array(body(ConsumeStats)))), factory=list
    )
    total_diff: int = wire(WHOLE_NUMBER, 0)
    total_inflight_diff: int = wire(WHOLE_NUMBER, 0)
